"""A small network with known counts, for tests of the authenticity signals."""

from datetime import datetime

import numpy as np
import pandas as pd

from expectations.authenticity import SignalOptions, find_signals

UNTIL = datetime(2025, 7, 1)
DEALERS = 20
LEADS = 120  # of each dealer


def network(seed=0):
    """Accepted tables of honest dealers: leads over half a year, most of them filed, half of those revisited."""
    rng = np.random.default_rng(seed)
    n = DEALERS * LEADS
    created = np.datetime64("2025-01-01", "us") + rng.integers(0, 110 * 86_400, n).astype("timedelta64[s]")
    day = rng.integers(1, 30, n).astype("timedelta64[D]")
    lost = rng.random(n) < 0.8
    filed = (created + day).astype("datetime64[D]") + rng.integers(9 * 3600, 21 * 3600, n).astype("timedelta64[s]")
    dealer = np.repeat([f"D{number:02d}" for number in range(DEALERS)], LEADS)
    leads = pd.DataFrame(
        {
            "lead_id": pd.Series([f"L{number}" for number in range(n)], dtype="str"),
            "dealer_id": pd.Series(dealer, dtype="str"),
            "customer_name": pd.Series([f"客{number}" if number % 7 else "王强" for number in range(n)], dtype="str"),
            "phone": pd.Series(["+86138" + f"{number:08d}" for number in rng.permutation(10**8)[:n]], dtype="str")
            if n > 10**6
            else pd.Series([f"+861{number}" for number in rng.choice(6 * 10**9, n) + 3 * 10**9], dtype="str"),
            "consultant_id": pd.Series(
                [f"{d}-{c}" for d, c in zip(dealer, rng.integers(0, 4, n), strict=True)], dtype="str"
            ),
            "created_at": created,
            "status": pd.Series(np.where(lost, "defeated", "won"), dtype="str"),
            "first_contact_at": created + np.timedelta64(1, "h"),
            "last_contact_at": created + np.timedelta64(2, "h"),
            "defeated_at": np.where(lost, filed, np.datetime64("NaT", "us")).astype("datetime64[us]"),
            "ordered_at": np.where(lost, np.datetime64("NaT", "us"), filed).astype("datetime64[us]"),
            "contact_count": pd.Series(rng.integers(1, 9, n), dtype="Int64"),
            "quoted_price": rng.integers(900, 1900, n) * 100.0,
        }
    )
    leads["phone_key"] = "k" + leads["phone"]
    return _with_origin(
        {"dealers": pd.DataFrame({"dealer_id": leads["dealer_id"].unique()}), "leads": leads} | _filed(rng, leads)
    )


def _filed(rng, leads):
    lost = leads[leads["status"] == "defeated"]
    n = len(lost)
    codes = np.array(["price_too_high", "product_power", "supply_no_stock", "customer_plan_postponed"])
    defeats = pd.DataFrame(
        {
            "lead_id": lost["lead_id"].to_numpy(),
            "defeated_at": lost["defeated_at"].to_numpy(),
            "reason_code": pd.Series(rng.choice(codes, n, p=[0.4, 0.2, 0.2, 0.2]), dtype="str"),
            "reason_text": pd.Series(
                ["".join(chr(0x4E00 + c) for c in row) for row in rng.integers(0, 900, (n, 14))], dtype="str"
            ),
            "reviewed_at": lost["defeated_at"].to_numpy() + rng.integers(3600, 5 * 86_400, n).astype("timedelta64[s]"),
        }
    )
    called = defeats.sample(frac=0.8, random_state=1).reset_index(drop=True)
    m = len(called)
    marks = {
        f"satisfaction_{stage}": np.where(rng.random(m) < 0.9, rng.integers(4, 11, m), np.nan).astype(float)
        for stage in ("reception", "presentation", "test_drive", "price", "follow_up")
    }
    at = (called["defeated_at"].to_numpy() + np.timedelta64(2, "D")).astype("datetime64[D]")
    revisits = pd.DataFrame(
        {
            "lead_id": called["lead_id"],
            "called_at": at + rng.integers(9 * 3600, 20 * 3600, m).astype("timedelta64[s]"),
            "reached": pd.Series(rng.random(m) < 0.6, dtype="boolean"),
            "duration_s": pd.Series(rng.integers(60, 400, m), dtype="Int64"),
            **marks,
        }
    )
    won = leads[leads["status"] == "won"]
    sales = pd.DataFrame(
        {
            "sale_id": pd.Series([f"S{number}" for number in range(len(won))], dtype="str"),
            "dealer_id": won["dealer_id"].to_numpy(),
            "lead_id": won["lead_id"].to_numpy(),
            "phone_key": won["phone_key"].to_numpy(),
            "sold_at": won["ordered_at"].to_numpy(),
        }
    )
    return {"defeats": defeats, "revisits": revisits, "sales": sales}


def _with_origin(tables):
    return {
        name: frame.assign(_file=f"{name}.csv", _row=np.arange(1, len(frame) + 1)) for name, frame in tables.items()
    }


def rows_of(tables, table, dealer, share=1.0, among=None):
    """Labels of the first ``share`` of a dealer's rows (within the mask ``among``)."""
    frame = tables[table]
    home = (
        frame["dealer_id"]
        if "dealer_id" in frame
        else frame["lead_id"].map(tables["leads"].set_index("lead_id")["dealer_id"])
    )
    mask = home == dealer if among is None else (home == dealer) & among
    rows = frame.index[mask]
    return rows[: round(share * len(rows))]


def found(tables, **options):
    """What the signals say of six months."""
    return find_signals(tables, 6, SignalOptions(until=options.pop("until", UNTIL), **options))


def flagged(signals):
    """(dealer, signal) to be checked."""
    rows = signals.found[signals.found["flagged"].fillna(False).astype(bool)]
    return set(rows[["dealer_id", "signal"]].itertuples(index=False, name=None))
