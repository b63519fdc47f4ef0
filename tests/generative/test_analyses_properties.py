"""What holds of the analyses whatever the rows: one class per price defeat, parts that add up, true shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.catalogue.filter_rules import filter_rules
from models.catalogue.price_rules import CLASSES, price_rules
from models.catalogue.profile_rules import profile_rules
from tasks.compute.closings import closed_leads
from tasks.compute.decomposition import decompose
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.price import SPLIT_COLUMNS, price_cases, price_split
from tasks.compute.profile import profile_table
from tasks.compute.reliability import agreement_table, confusion_table, corrected_shares, filings_for_reliability
from tests.support.filter_tables import tables

MONTHS = ("2025-02", "2025-03")
NO_COMPARISONS = pd.DataFrame(columns=["dealer_id", "indicator", "gap_points", "lo90", "hi90"])
REASONS = (None, "price", "price_too_high", "price_finance_terms", "process_follow_up", "record_duplicate")
_maybe_money = st.sampled_from([None, 50_000.0, 90_000.0, 95_000.0, 99_000.0, 100_000.0, 104_000.0])
_maybe_day = st.sampled_from([None, "2025-02-11", "2025-03-04 10:00", "2025-03-05"])
_lead = st.fixed_dictionaries(
    {
        "dealer_id": st.sampled_from(["A", "B", "C"]),
        "series": st.sampled_from(["S1", "S2"]),
        "model": st.sampled_from([None, "M1", "M2"]),
        "source": st.sampled_from([None, "web"]),
        "phone_key": st.sampled_from([None, "p1", "p2", "p3"]),
        "created_at": st.sampled_from(["2025-02-01", "2025-03-01 09:00"]),
        "visited_at": _maybe_day,
        "test_drive_at": _maybe_day,
        "quoted_at": _maybe_day,
        "quoted_price": _maybe_money,
        "list_price": _maybe_money,
        "budget": _maybe_money,
        "age": st.sampled_from([None, 20, 44]),
        "end": st.sampled_from(["won", "defeated", "open"]),
        "reason": st.sampled_from(REASONS),
        "confirmed": st.sampled_from(REASONS),
        "paid": _maybe_money,
    }
)
_leads = st.lists(_lead, max_size=25)


def _world(drawn):
    leads, defeats, revisits = [], [], []
    for number, one in enumerate(drawn):
        name = f"L{number:02d}"
        lead = {key: one[key] for key in one if key not in ("end", "reason", "confirmed", "paid")}
        ended = {"won": {"ordered_at": "2025-03-10"}, "defeated": {"defeated_at": "2025-03-20"}, "open": {}}[one["end"]]
        leads.append(lead | {"lead_id": name, "status": one["end"]} | ended)
        if one["end"] == "defeated":
            defeats.append({"lead_id": name, "defeated_at": "2025-03-20", "reason_code": one["reason"]})
            revisits.append({"lead_id": name, "reason_codes": one["confirmed"], "price_paid": one["paid"]})
    known = tables(leads=leads, defeats=defeats, revisits=revisits)
    return known, judge_defeats(known, filter_rules())


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(_leads, st.randoms(use_true_random=False))
def test_every_price_defeat_is_in_one_class_whatever_the_order_of_rows(drawn, random):
    known, defeats = _world(drawn)
    cases = price_cases(known, defeats, MONTHS, price_rules(), filter_rules())
    price = defeats[["reason", "declared_reason"]].apply(lambda column: column.str.startswith("price").fillna(False))
    assert set(cases["lead_id"]) == set(defeats.loc[price.any(axis=1), "lead_id"])
    assert cases["lead_id"].is_unique
    assert cases["price_class"].isin([*CLASSES, "unexplained"]).all()
    split = price_split(cases, "2025-03")
    assert split["defeats"].sum() == len(cases)
    assert (split[SPLIT_COLUMNS[4:]].sum(axis=1) == split["defeats"]).all()
    order = list(range(len(drawn)))
    random.shuffle(order)
    shuffled = known | {"leads": known["leads"].iloc[order].reset_index(drop=True)}
    again = price_cases(shuffled, defeats, MONTHS, price_rules(), filter_rules())
    classes = cases.set_index("lead_id")["price_class"].to_dict()
    assert again.set_index("lead_id")["price_class"].to_dict() == classes


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(_leads)
def test_parts_add_up_to_the_gap(drawn):
    closed = closed_leads(*_world(drawn), MONTHS)
    parts = decompose(closed, NO_COMPARISONS)
    assert parts["dealer_id"].nunique() == closed["dealer_id"].nunique()
    for unit in ("points", "deals"):
        of = parts.pivot_table(index="dealer_id", columns="kind", values=unit, aggfunc="sum").reindex(
            columns=["gap", "mix", "own", "step", "remaining", "reason"], fill_value=0.0
        ).fillna(0.0)  # fmt: skip
        assert np.allclose(of["gap"], of["mix"] + of["own"])
        assert np.allclose(of["own"], of["step"] + of["remaining"])
        assert np.allclose(of["own"], of["reason"])
    if len(closed):
        gap = parts[parts["kind"] == "gap"].set_index("dealer_id")
        rate = closed.groupby("dealer_id")["won"].mean() - closed["won"].mean()
        assert np.allclose(gap["points"], 100 * rate.reindex(gap.index))
        assert parts["lo90"].le(parts["points"] + 1e-9).all()
        assert parts["hi90"].ge(parts["points"] - 1e-9).all()


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(_leads)
def test_profiles_lose_no_lead_and_q_never_falls_below_p(drawn):
    closed = closed_leads(*_world(drawn), MONTHS)
    table = profile_table(closed, "2025-03", profile_rules())
    nation = table[table["scope"] == "nation"].groupby("attribute")[["leads", "won"]].sum()
    assert (nation["leads"] == len(closed)).all()
    assert (nation["won"] == closed["won"].sum()).all()
    tested = table[table["p_value"].notna()]
    assert (tested["q_value"] >= tested["p_value"] - 1e-12).all()
    assert (table["p_value"].isna() == (table["missing"] != "")).all()


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(_leads, st.integers(1, 8))
def test_corrected_shares_are_shares(drawn, times):
    _, defeats = _world(drawn)
    said = pd.Series("competitor", index=defeats.index, dtype="str")
    rows = pd.concat([filings_for_reliability(defeats, said)] * times, ignore_index=True)
    table = corrected_shares(rows, rows)
    known_shares = table[table["corrected_share"].notna()]
    whole = known_shares.groupby(["scope", "scope_id"])["corrected_share"].sum()
    assert np.allclose(whole, 1)
    assert (known_shares["lo90"] <= known_shares["corrected_share"] + 1e-9).all()
    assert (known_shares["hi90"] >= known_shares["corrected_share"] - 1e-9).all()
    agreement = agreement_table(rows)
    assert agreement.loc[agreement["scope"] == "nation", "compared"].item() <= len(rows)
    assert confusion_table(rows).groupby("scope")["rows"].sum().le(len(rows)).all()
