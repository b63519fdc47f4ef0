"""The rows of leads, defeats, revisits and sales that a dealer system exports for one month, from settled cohorts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.compute.simulation import columns as make
from tasks.compute.simulation import fates, filings
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.cohorts import BOUGHT_HERE, SISTER_SALE, Columns
from tasks.compute.simulation.draws import Array, Flags, Floats, Ints, hashed
from tasks.compute.simulation.network import Network
from tasks.compute.simulation.timeline import DAY, NEVER, month_start

_CHANGES = ("created", "first_contact", "visited", "test_drive", "quoted", "ordered", "delivered", "defeated",
            "filed_before", "reopened")  # fmt: skip
_NAMES = tuple(surname + given for surname in words.SURNAMES for given in words.GIVEN)
_RIVAL_BRAND, _RIVAL_SERIES = filings.rivals()
_TRIMS = tuple(trim for series in words.SERIES for trim, _ in series.trims)


@dataclass(frozen=True)
class Settled:
    """One cohort as it became: its month, its columns, and which of its leads exist."""

    month: int
    leads: Columns
    exists: Flags

    def numbers(self, rows: Ints) -> Ints:
        """The numbers behind the lead ids of ``rows``."""
        return np.asarray((self.month + 40) * 10**7 + rows)


def gather(cohorts: Sequence[Settled], choose: Callable[[Settled], Columns]) -> Columns:
    """The chosen leads of all cohorts in one: ``choose`` gives their ``rows`` and columns of its own beside them.

    Adds ``number``, the number behind the lead id. Frames are made once per table, not per cohort, as making them costs
    more than their content.
    """
    parts: list[Columns] = []
    for settled in cohorts:
        chosen = choose(settled)
        rows = chosen.pop("rows")
        columns = {name: values[rows] for name, values in settled.leads.items()}
        parts.append(columns | chosen | {"number": settled.numbers(rows)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def lead_ids(numbers: Ints, missing: Flags | None = None) -> pd.Series:
    """The ids of leads by number."""
    return make.ids("XS", numbers, 10, missing)


def dealer_ids(network: Network, dealer: Ints) -> pd.Series:
    """The ids of dealers; negative numbers give missing."""
    return make.coded(network.dealers.ids, dealer)


def consultant_ids(network: Network, consultant: Ints, missing: Flags | None = None) -> pd.Series:
    """``<dealer id>-<number at the dealer>``."""
    dealer = network.consultant_dealer
    every = [
        f"{network.dealers.ids[d]}-{number - network.consultant_first[d] + 1:02d}" for number, d in enumerate(dealer)
    ]
    return make.coded(every, consultant, missing)


def _changed(network: Network, settled: Settled, month: int) -> Columns:
    c, end = settled.leads, month_start(network, month + 1)
    touched = np.zeros(len(c["fate"]), bool)
    for name in _CHANGES:
        touched |= filings.in_month(network, c[name], month)
    if month == 0:  # the first export also brings what is open from before
        touched |= (c["created"] < end) & (c["close"] >= end)
    return {"rows": np.flatnonzero(touched & settled.exists & (c["created"] < end))}


def lead_rows(network: Network, cohorts: Sequence[Settled], month: int) -> pd.DataFrame:
    """The leads created or changed in ``month``, as they stood at its end."""
    c = gather(cohorts, lambda settled: _changed(network, settled, month))
    end = month_start(network, month + 1)
    person, number, n = c["person"], c["number"], len(c["person"])
    pending = (c["filed_before"] < end) & (c["reopened"] >= end)
    until = np.where(pending, c["filed_before"] + 1, end)
    defeated = np.where(pending, c["filed_before"], c["defeated"])
    lost, won = defeated < until, c["ordered"] < until
    contacts, last = _contacts_so_far(c, until, lost | won, number)
    seen = {name: np.where(c[name] < until, c[name], NEVER) for name in _CHANGES}
    chance = hashed(number, 1), hashed(number, 2), hashed(number, 3), hashed(number, 4), hashed(number, 5)
    waiting = ~(lost | won) & (c["close"] != NEVER)
    upcoming = np.where(waiting & (last < NEVER), last + ((1 + 9 * chance[0]) * DAY).astype(np.int64), NEVER)
    phone = c["phone"]
    price_seen = seen["quoted"] < NEVER
    return pd.DataFrame(
        {
            "lead_id": lead_ids(number),
            "dealer_id": dealer_ids(network, c["dealer"]),
            "customer_name": _names(person),
            "phone": make.ids("", phone, 11),
            "consultant_id": consultant_ids(network, c["consultant"], chance[1] < 0.015),
            "source": make.coded([source.name for source in words.SOURCES], c["source"]),
            "series": make.coded([series.name for series in words.SERIES], c["series"]),
            "model": make.coded(_TRIMS, c["series"] * 3 + c["trim"], chance[2] < 0.06),
            "created_at": make.times(c["created"]),
            "first_contact_at": make.times(seen["first_contact"]),
            "visited_at": make.times(seen["visited"]),
            "test_drive_at": make.times(seen["test_drive"]),
            "quoted_at": make.times(seen["quoted"]),
            "ordered_at": make.times(seen["ordered"]),
            "delivered_at": make.times(seen["delivered"]),
            "defeated_at": make.times(np.where(lost, defeated, NEVER)),
            "status": make.coded(("open", "won", "defeated"), np.where(lost, 2, np.where(won, 1, 0))),
            "contact_count": make.whole(contacts),
            "last_contact_at": make.times(last),
            "next_contact_at": make.times(upcoming),
            "quoted_price": make.money(c["quoted_price"], ~price_seen),
            "list_price": make.money(c["list_price"], chance[3] < 0.05),
            "budget": make.money(c["budget"], chance[4] < 0.3),
            **_profile(network, c, number, n),
        }
    )


def _contacts_so_far(c: Columns, until: Ints, closed: Flags, number: Ints) -> tuple[Ints, Ints]:
    """Contacts made before ``until`` and the time of the last."""
    finish = np.where(c["close"] == NEVER, c["created"] + 60 * DAY, c["close"])
    share = np.clip((until - c["created"]) / np.maximum(finish - c["created"], 1), 0, 1)
    count = np.ceil(c["contacts"] * share).astype(np.int64)
    begun = c["first_contact"] < until
    final = closed & (c["last_contact"] < until)
    count = np.where(final, c["contacts"], np.where(begun, np.maximum(count, 1), 0))
    some = c["first_contact"] + (hashed(number, 6) * np.maximum(until - c["first_contact"], 0)).astype(np.int64)
    last = np.where(c["last_contact"] < until, c["last_contact"], np.where(count > 1, some, c["first_contact"]))
    return count, np.where(begun, last, NEVER)


def _names(person: Ints) -> pd.Series:
    return make.coded(_NAMES, np.floor(hashed(person, 11) * len(_NAMES)).astype(np.int64), hashed(person, 12) < 0.02)


def _profile(network: Network, c: Columns, number: Ints, n: int) -> dict[str, pd.Series]:
    """Who the customer is: lasting traits of the person, with the gaps of this record."""
    person = c["person"]
    male = np.floor(hashed(person, 11) * len(_NAMES)).astype(np.int64) % len(words.GIVEN) < words.MALE_GIVEN
    age = np.clip(22 + 40 * (hashed(person, 13) + hashed(person, 14)) / 2 + 6 * hashed(person, 15) - 3, 19, 75)
    purchase = _by_share((0.52, 0.2, 0.28), hashed(person, 16))
    owned = np.floor(hashed(person, 17) * len(words.OWNED)).astype(np.int64)
    owned_gone = (purchase == 0) | (hashed(number, 27) < 0.25)
    series_gone = owned_gone | (hashed(number, 7) < 0.3)
    purpose = _by_share(words.PURPOSE_SHARES, hashed(person, 26))
    eager = np.where(c["fate"] == fates.WON, 0.22, 0.0) + 0.06 * c["stage"]
    level = np.floor(np.clip(1 - eager - 0.75 * hashed(number, 18) + 0.25, 0, 0.999) * 4).astype(np.int64)
    home = network.dealers.city[c["dealer"]]
    away = np.array([town for region in words.REGIONS for town, _ in region[2]], object)
    towns = np.where(hashed(person, 19) < 0.88, home, away[np.floor(hashed(person, 20) * len(away)).astype(np.int64)])
    return {
        "age": make.whole(np.rint(age), hashed(number, 21) < 0.35),
        "gender": make.coded(("男", "女"), np.where(male, 0, 1), hashed(number, 22) < 0.12),
        "occupation": make.coded(
            words.OCCUPATIONS, _by_share(words.OCCUPATION_SHARES, hashed(person, 23)), hashed(number, 24) < 0.4
        ),
        "owned_brand": make.coded([brand for brand, _ in words.OWNED], owned, owned_gone),
        "owned_series": make.coded([series for _, series in words.OWNED], owned, series_gone),
        "purchase_type": make.coded(("first", "additional", "replacement"), purchase, hashed(number, 25) < 0.15),
        "purpose": make.coded(words.PURPOSES, purpose, hashed(number, 8) < 0.3),
        "intent_level": make.coded(words.INTENT_LEVELS, level, hashed(number, 9) < 0.1),
        "city": pd.Series(pd.array(towns, dtype="str")) if n else pd.Series([], dtype="str"),
    }  # fmt: skip


def _by_share(shares: tuple[float, ...], uniform: Floats) -> Ints:
    edges = np.cumsum(shares)
    return np.searchsorted(edges[:-1] / edges[-1], uniform, side="right").astype(np.int64)


def filings_in(network: Network, settled: Settled, month: int) -> Columns:
    """Filings exported for ``month``: ``rows``, ``filed_at``, and ``earlier``: whether the filing was undone later.

    A few are exported with the month after they were made; what was filed before the first month is never exported.
    """
    c, parts = settled.leads, []
    for name, earlier in (("filed_before", True), ("defeated", False)):
        at = c[name]
        due = (filings.in_month(network, at, month) & ~c["late"]) | (
            filings.in_month(network, at, month - 1) & c["late"]
        )
        rows = np.flatnonzero(due & settled.exists & (at >= month_start(network, 0)))
        parts.append((rows, at[rows], np.full(len(rows), earlier)))
    names = ("rows", "filed_at", "earlier")
    return {name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)}


def defeat_rows(network: Network, cohorts: Sequence[Settled], month: int) -> pd.DataFrame:
    """The filings exported for ``month``."""
    c = gather(cohorts, lambda settled: filings_in(network, settled, month))
    at, earlier, number = c["filed_at"], c["earlier"], c["number"]
    end = month_start(network, month + 1)
    destination = np.where(earlier & (c["declared_destination"] >= 0), filings.NOT_PURCHASED, c["declared_destination"])
    rival = destination == filings.COMPETITOR
    pair = c["series"] * _RIVAL_BRAND.shape[1] + c["rival"]
    reason = np.where(earlier & (c["fate"] == fates.WON), fates.FATE_OF["customer_plan_postponed"], c["declared"])
    reviewed = np.where(earlier, at + 2 * DAY, c["reviewed"])
    known = reviewed < end
    text = np.where(earlier, -1, c["text"])
    return pd.DataFrame(
        {
            "lead_id": lead_ids(number),
            "defeated_at": make.times(at),
            "destination": make.coded(fates.DESTINATIONS, destination),
            "competitor_brand": make.coded(_RIVAL_BRAND.ravel(), pair, ~rival | (hashed(number, 31) < 0.08)),
            "competitor_series": make.coded(_RIVAL_SERIES.ravel(), pair, ~rival | (hashed(number, 32) < 0.25)),
            "reason_code": make.coded(filings.CODES, reason),
            "reason_text": make.coded(filings.WORDINGS, text),
            "reviewed_by": make.coded([f"{dealer}-M1" for dealer in network.dealers.ids], c["dealer"], ~known),
            "reviewed_at": make.times(np.where(known, reviewed, NEVER)),
        }
    )


def _calls_in(network: Network, settled: Settled, month: int) -> Columns:
    every, parts = settled.leads, []
    for call in range(filings.CALLS):
        due = filings.in_month(network, every["call_times"][:, call], month) & (every["calls"] > call) & settled.exists
        due &= every["defeated"] >= month_start(network, 0)
        rows = np.flatnonzero(due)
        parts.append((rows, np.full(len(rows), call + 1), every["call_times"][rows, call]))
    names = ("rows", "attempt", "called")
    return {name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)}


def revisit_rows(network: Network, cohorts: Sequence[Settled], month: int) -> pd.DataFrame:
    """The revisit calls of ``month``, one row per attempt."""
    c = gather(cohorts, lambda settled: _calls_in(network, settled, month))
    attempt, called, number = c["attempt"], c["called"], c["number"]
    no = attempt != c["reached_at_call"]
    bought = c["purchased"] & ~no
    rival = bought & (c["destination"] == filings.COMPETITOR)
    own = bought & ~rival
    bought_at = np.where(rival, c["rival_at"], np.minimum(c["bought_at"], NEVER // 2))
    dealer = np.where(own, np.where(c["twist"] == BOUGHT_HERE, c["dealer"], c["sister"]), -1)
    pair = c["series"] * _RIVAL_BRAND.shape[1] + c["rival"]
    brand = np.where(rival, pair, np.where(own, _RIVAL_BRAND.size, -1))
    series = np.where(own, _RIVAL_SERIES.size + c["series"], pair)
    own_series = [series.name for series in words.SERIES]
    fake = filings.has_sign(network, c, "revisit_seconds")
    ended = make.whole(np.where(fake, 2 + number % 3, c["duration"]), no)
    untold = (hashed(number, 41) < 0.35) & (c["price_class"] != 1)
    unsaid = no | (c["said_destination"] == filings.UNKNOWN)
    return pd.DataFrame(
        {
            "lead_id": lead_ids(number),
            "called_at": make.times(called),
            "attempt": make.whole(attempt),
            "reached": make.flags(~no),
            "purchased": make.flags(c["purchased"], unsaid),
            "destination": make.coded(fates.DESTINATIONS, c["said_destination"], no),
            "bought_brand": make.coded([*_RIVAL_BRAND.ravel(), words.BRAND], brand),
            "bought_series": make.coded([*_RIVAL_SERIES.ravel(), *own_series], series, ~bought),
            "bought_at": make.days(bought_at, ~bought),
            "bought_dealer_id": dealer_ids(network, dealer),
            "price_paid": make.money(c["price_paid"], ~bought | untold),
            "reason_codes": _reason_lists(c, no),
            "reason_text": make.coded(filings.WORDINGS, c["spoken"], no),
            **_satisfaction(network, c, no, number, fake),
            "intent_remaining": make.flags(c["intent"], unsaid | bought),
            "planned_purchase_within_days": make.whole(c["planned_days"], no | ~c["intent"]),
            "duration_s": ended,
            "agent_id": make.ids("HF", 1 + (hashed(number, 42) * words.AGENTS).astype(np.int64), 3),
        }
    )  # fmt: skip


def _reason_lists(c: Columns, missing: Flags) -> pd.Series:
    """Up to three codes, the true one first, joined by ``;``."""
    codes = np.array(filings.CODES, object)
    first, second, third = (codes[c[name]] for name in ("fate", "second", "third"))
    joined = np.where((c["reasons_said"] >= 2) & (second != first), first + ";" + second, first)
    more = (c["reasons_said"] == 3) & (third != first) & (third != second) & (joined != first)
    joined = np.where(more, joined + ";" + third, joined)
    return pd.Series(pd.array(np.where(missing, np.nan, joined), dtype="str"))


def _satisfaction(network: Network, c: Columns, no: Flags, number: Ints, fake: Flags) -> dict[str, pd.Series]:
    """The five scores; unanswered for stages the customer never reached, unless the record is made up."""
    tens = filings.has_sign(network, c, "straight_top_marks") & (hashed(number, 43) < 0.85)
    reached = (1, 1, 2, 3, 0)
    found = {}
    for column, name in enumerate(("reception", "presentation", "test_drive", "price", "follow_up")):
        gone = no | (((c["stage"] < reached[column]) | (hashed(number, 44 + column) < 0.1)) & ~tens & ~fake)
        found[f"satisfaction_{name}"] = make.money(np.where(tens, 10, c["scores"][:, column]), gone)
    return found


def sale_facts(network: Network, settled: Settled, month: int) -> dict[str, Array]:
    """Retail sales of ``month`` by leads of the cohort: dealer, phone, lead number, series, trim, time, price."""
    c = settled.leads
    wins = (c["fate"] == fates.WON) & filings.in_month(network, c["ordered"], month) & settled.exists
    after = filings.in_month(network, c["bought_at"], month) & np.isin(c["twist"], (BOUGHT_HERE, SISTER_SALE))
    after &= settled.exists
    rows = np.concatenate([np.flatnonzero(wins), np.flatnonzero(after)])
    later = np.arange(len(rows)) >= wins.sum()
    number = settled.numbers(rows)
    sister = later & (c["twist"][rows] == SISTER_SALE)
    before = c["close"][rows] < month_start(network, 0)
    unknown = np.where(later, sister | before | (hashed(number, 51) < 0.7), hashed(number, 51) < 0.12)
    paid = np.where(sister & (c["price_class"][rows] == 1), c["price_paid"][rows], c["quoted_price"][rows] * 0.995)
    return {
        "dealer": np.where(sister, c["sister"][rows], c["dealer"][rows]),
        "phone": c["phone"][rows],
        "lead": np.where(unknown, -1, number),
        "series": c["series"][rows],
        "trim": c["trim"][rows],
        "sold": np.where(later, c["bought_at"][rows], c["ordered"][rows]),
        "price": np.rint(paid / 100) * 100,
        "kind": np.zeros(len(rows), np.int64),
    }
