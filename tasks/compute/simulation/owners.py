"""What the brand's owners do: buy without a lead, refer others, come for service, are called."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.compute.simulation import columns as make
from tasks.compute.simulation import fates, filings
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.cohorts import OTHER_PERSONS, OWNER_PERSONS, phone_numbers
from tasks.compute.simulation.draws import Array, Draws, Floats, Ints, hashed
from tasks.compute.simulation.network import Network
from tasks.compute.simulation.rows import Settled, dealer_ids, lead_ids
from tasks.compute.simulation.timeline import DAY, month_start

_POOL = 6  # owners of a dealer per monthly lead
_SERVICE_SHARES = (0.68, 0.18, 0.08, 0.06)
_CONTACT_SHARES = (0.58, 0.04, 0.10, 0.23, 0.05)
_OTHER_SALES = (0.80, 0.13, 0.07)  # retail without a lead, wholesale, key account


def owner(network: Network, dealer: Ints, uniform: Floats) -> Ints:
    """An owner (person) of ``dealer``."""
    pool = network.dealers.volume[dealer] * _POOL
    return np.asarray(OWNER_PERSONS + dealer * 20_000 + np.floor(uniform * pool).astype(np.int64))


def _when(network: Network, draws: Draws, month: int, count: int, name: str) -> Ints:
    begin, end = month_start(network, month), month_start(network, month + 1)
    day = np.floor(draws.uniform(name + "_day", count) * ((end - begin) // DAY)).astype(np.int64)
    return np.asarray(begin + day * DAY + draws.rng(name + "_second").integers(8 * 3600, 20 * 3600, count))


def sales(network: Network, month: int, from_leads: list[dict[str, Array]]) -> pd.DataFrame:
    """The ``sales`` table of a month: those of leads, those without a lead, wholesale and key accounts."""
    draws = Draws(network.seed, month, "sales")
    volume, _ = network.market(month)
    counts = draws.rng("counts").poisson(network.dealers.volume * volume * 0.03)
    dealer = np.repeat(np.arange(network.size), counts)
    n = len(dealer)
    series = draws.pick("series", n, tuple(series.share for series in words.SERIES))
    trim = draws.pick("trim", n, (0.35, 0.42, 0.23))
    listed = np.array([[price for _, price in s.trims] for s in words.SERIES])[series, trim]
    other: dict[str, Array] = {
        "dealer": dealer,
        "phone": phone_numbers(OTHER_PERSONS + (month + 40) * 2**20 + np.arange(n), network.seed),
        "lead": np.full(n, -1),
        "series": series,
        "trim": trim,
        "sold": _when(network, draws, month, n, "sold"),
        "price": np.rint(listed * draws.uniform("price", n, 0.88, 0.97) / 100) * 100,
        "kind": draws.pick("kind", n, _OTHER_SALES),
    }
    f = {name: np.concatenate([part[name] for part in [*from_leads, other]]) for name in other}
    order = np.argsort(f["sold"], kind="stable")
    return _sale_frame(network, month, {name: values[order] for name, values in f.items()})


def _sale_frame(network: Network, month: int, f: dict[str, Array]) -> pd.DataFrame:
    n = len(f["dealer"])
    number = (month + 40) * 10**7 + np.arange(n)
    # traits of a sale follow its customer, so that they stay when other sales come or go
    business = f["kind"] > 0
    referred = ~business & (hashed(f["phone"], 61) < 0.12)
    referrer = phone_numbers(owner(network, f["dealer"], hashed(f["phone"], 62)), network.seed)
    trims = [trim for series in words.SERIES for trim, _ in series.trims]
    return pd.DataFrame(
        {
            "sale_id": make.ids("SO", number, 10),
            "dealer_id": dealer_ids(network, f["dealer"]),
            "phone": make.ids("", f["phone"], 11),
            "lead_id": lead_ids(f["lead"], f["lead"] < 0),
            "series": make.coded([series.name for series in words.SERIES], f["series"]),
            "model": make.coded(trims, f["series"] * 3 + f["trim"]),
            "sold_at": make.times(f["sold"]),
            "price": make.money(f["price"]),
            "customer_type": make.coded(("retail", "wholesale", "key_account"), f["kind"]),
            "industry": make.coded(
                words.INDUSTRIES, (hashed(f["phone"], 63) * len(words.INDUSTRIES)).astype(np.int64), ~business
            ),
            "referrer_phone": make.ids("", referrer, 11, ~referred),
            "referral_kind": make.coded(
                ("owner", "relative_or_friend", "same_industry", "same_area", "new_owner"),
                (hashed(f["phone"], 64) * 5).astype(np.int64),
                ~referred,
            ),
        }
    )


def service_visits(network: Network, month: int) -> pd.DataFrame:
    """The ``service_visits`` table of a month; mileage grows with the owner's own pace."""
    draws = Draws(network.seed, month, "service")
    counts = draws.rng("counts").poisson(network.dealers.volume * _POOL * 0.08)
    dealer = np.repeat(np.arange(network.size), counts)
    n = len(dealer)
    person = owner(network, dealer, draws.uniform("owner", n))
    at = _when(network, draws, month, n, "visit")
    kind = draws.pick("kind", n, _SERVICE_SHARES)
    pace = 700 + 1100 * hashed(person, 71)
    months = month + 6 + 70 * hashed(person, 72) + draws.uniform("within", n)
    amount = np.exp(np.array([6.4, 6.9, 8.2, 5.5])[kind] + 0.5 * draws.normal("amount", n))
    amount = np.where(kind == 3, 0.0, np.rint(amount))
    hours = np.array([2.0, 8.0, 70.0, 12.0])[kind] * draws.uniform("hours", n, 0.5, 1.8)
    regular = hashed(person, 73) * 0.5 + 0.5
    return pd.DataFrame(
        {
            "visit_id": make.ids("WX", (month + 40) * 10**7 + np.arange(n), 10),
            "dealer_id": dealer_ids(network, dealer),
            "phone": make.ids("", phone_numbers(person, network.seed), 11),
            "visited_at": make.times(at),
            "kind": make.coded(("maintenance", "repair", "accident", "warranty"), kind),
            "mileage": make.whole(np.rint(pace * np.maximum(months, 1)), draws.uniform("no_mileage", n) < 0.04),
            "amount": make.money(amount),
            "parts_amount": make.money(np.rint(amount * draws.uniform("parts", n, 0.4, 0.75))),
            "items": make.coded(words.SERVICE_ITEMS, draws.rng("items").integers(0, len(words.SERVICE_ITEMS), n)),
            "on_schedule": make.flags(draws.uniform("on_schedule", n) < regular, kind != 0),
            "finished_at": make.times(at + (hours * 3600).astype(np.int64), month_start(network, month + 1)),
        }
    )


def interactions(network: Network, month: int, cohorts: list[Settled]) -> pd.DataFrame:
    """The ``interactions`` table of a month: contacts with owners, and calls in the days after a delivery."""
    draws = Draws(network.seed, month, "interactions")
    counts = draws.rng("counts").poisson(network.dealers.volume * 0.6)
    dealer = np.repeat(np.arange(network.size), counts)
    n = len(dealer)
    person = owner(network, dealer, draws.uniform("owner", n))
    kind = draws.pick("kind", n, _CONTACT_SHARES)
    parts = [(phone_numbers(person, network.seed), dealer, kind, _when(network, draws, month, n, "contact"))]
    parts += [_after_delivery(network, month, settled) for settled in cohorts]
    phone, dealer, kind, at = (np.concatenate(column) for column in zip(*parts, strict=True))
    complaint = kind == 4
    luck = hashed(phone + at, 81)
    buyers = np.where(luck < 0.03, 1 + (luck < 0.004), 0)
    return pd.DataFrame(
        {
            "phone": make.ids("", phone, 11),
            "dealer_id": dealer_ids(network, dealer),
            "kind": make.coded(("call", "home_visit", "event", "greeting", "complaint"), kind),
            "at": make.times(at),
            "resolved": make.flags(hashed(phone + at, 82) < 0.8, ~complaint),
            "brought_buyers": make.whole(buyers, complaint | (hashed(phone + at, 83) < 0.3)),
        }
    )


def _after_delivery(network: Network, month: int, settled: Settled) -> tuple[Array, Array, Array, Array]:
    """Calls within days of a delivery; dealers differ in how often they keep to the three days."""
    c = settled.leads
    number = settled.numbers(np.arange(len(c["fate"])))
    kept = 0.45 + 0.5 * hashed(c["dealer"], 84)
    wait = np.where(hashed(number, 85) < kept, 2.8 * hashed(number, 86), 3 + 9 * hashed(number, 86))
    at = c["delivered"] + ((0.1 + wait) * DAY).astype(np.int64)
    due = filings.in_month(network, at, month) & settled.exists & (c["fate"] == fates.WON) & (hashed(number, 87) < 0.85)
    rows = np.flatnonzero(due)
    return c["phone"][rows], c["dealer"][rows], np.zeros(len(rows), np.int64), at[rows]
