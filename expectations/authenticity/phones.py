"""Signs in the phone numbers: shared by several customers, the staff's own, in sequence, changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.authenticity.parts import Part
from expectations.authenticity.records import NotCheckedError, Records, Rows, positions

_TAIL = 8  # digits that belong to the customer, not to the operator's block
Limits = Mapping[str, float]


def shared_phone(records: Records, limits: Limits) -> Iterator[Part]:
    """Leads whose number stands with different customers."""
    leads, looked = _with_number(records)
    yield Part(leads, looked, _shared(leads, looked, limits))


def staff_phone(records: Records, limits: Limits) -> Iterator[Part]:
    """Leads whose shared number lies with one consultant, more than sharing by chance would bring about.

    A number shared by several customers comes to one consultant alone by chance, too; a dealer is named only where its
    shared numbers do so more often than that.
    """
    leads, looked = _with_number(records)
    consultant, words = leads.codes("consultant_id")
    looked = looked & (consultant >= 0)
    rows = np.flatnonzero(_shared(leads, looked, records.standard["shared_phone"].limits))
    number = leads.codes("phone_key")[0][rows]
    dealers = len(records.dealers)
    frame = pd.DataFrame({"dealer": leads.dealer[rows], "number": number, "consultant": consultant[rows]})
    groups = frame.groupby(["dealer", "number"], sort=False)["consultant"]
    size, most = groups.transform("size"), groups.transform(lambda own: own.value_counts().iloc[0])
    alone = ((size >= 2) & (most >= limits["one_consultant"] * size)).to_numpy()
    evidence = np.zeros(len(leads), bool)
    evidence[rows] = alone
    own = np.bincount(consultant[looked], minlength=len(words)) ** 2.0
    home = np.zeros(len(words), np.int64)
    home[consultant[looked]] = leads.dealer[looked]
    total = np.bincount(leads.dealer[looked], minlength=dealers)
    by_chance = np.bincount(home, own, minlength=dealers) / np.maximum(total, 1) ** 2.0
    each = frame.assign(alone=alone, size=size)[size >= 2].drop_duplicates(["dealer", "number"])
    yield Part(leads, looked, evidence, allowed=_beyond_chance(each, by_chance, limits["chance"]))


def _beyond_chance(groups: pd.DataFrame, by_chance: np.ndarray, limit: float) -> np.ndarray:
    """Dealers whose shared numbers lie alone with a consultant more often than their consultants' shares explain."""
    found = np.zeros(len(by_chance), bool)
    for dealer, own in groups.groupby("dealer"):
        chances = by_chance[dealer] ** (own["size"].to_numpy() - 1.0)
        exactly = np.array([1.0])
        for chance in chances:
            exactly = np.convolve(exactly, [1 - chance, chance])
        found[dealer] = exactly[int(own["alone"].sum()) :].sum() < limit
    return found


def _with_number(records: Records) -> tuple[Rows, np.ndarray]:
    leads = records.leads
    return leads, records.created & leads.frame["phone_key"].notna().to_numpy() & (leads.dealer >= 0)


def _shared(leads: Rows, looked: np.ndarray, limits: Limits) -> np.ndarray:
    """Rows whose number carries different family names, or more leads than one customer makes."""
    number = leads.codes("phone_key")[0]
    many = np.bincount(number[looked], minlength=int(number.max()) + 1)
    rows = np.flatnonzero(looked & (many[number] > 1))
    frame = pd.DataFrame({"number": number[rows], "name": _family_names(leads, rows)})
    groups = frame.groupby("number", sort=False)
    leads_of, names = groups["number"].transform("size"), groups["name"].transform("nunique")
    least = np.where(names == 1, limits["leads_of_one_name"], limits["leads_without_names"])
    found = np.zeros(len(leads), bool)
    found[rows] = (names >= 2) | (leads_of >= least)
    return found


def _family_names(leads: Rows, rows: np.ndarray) -> pd.Series:
    """The first character of a Chinese name, the whole of another; the same customer is written in many ways."""
    if "customer_name" not in leads.frame:
        return pd.Series([None] * len(rows), dtype="str")
    names = leads.frame["customer_name"].iloc[rows].str.strip().str.lower().reset_index(drop=True)
    return names.where(~names.str.match(r"[\u4e00-\u9fff]", na=False), names.str[:1]).replace("", None)


def sequential_phone(records: Records, limits: Limits) -> Iterator[Part]:
    """Numbers of one dealer that follow each other; numbers that are a pattern in themselves."""
    leads = records.leads
    number = _digits(leads.frame["phone"])
    looked = records.created & (leads.dealer >= 0) & (number > 10**_TAIL)
    rows = np.flatnonzero(looked)
    order = rows[np.lexsort((number[rows], leads.dealer[rows]))]
    order = order[np.append(True, (np.diff(number[order]) != 0) | (np.diff(leads.dealer[order]) != 0))]
    close = (np.diff(number[order]) <= limits["gap"]) & (np.diff(leads.dealer[order]) == 0)
    beside = np.zeros(len(leads), bool)
    beside[order[:-1][close]] = True
    beside[order[1:][close]] = True
    # how often two numbers lie close grows with how many there are
    many = np.bincount(leads.dealer[looked], minlength=len(records.dealers))
    offset = np.log(np.maximum(many, 1) / max(float(np.median(many[many > 0])) if looked.any() else 1.0, 1.0))
    yield Part(leads, looked, beside, offset=offset)
    pattern = np.zeros(len(leads), bool)
    pattern[rows] = _patterned(number[rows], int(limits["same_digits"]), int(limits["rising_digits"]))
    yield Part(leads, looked, pattern)


def _digits(phones: pd.Series) -> np.ndarray:
    """The national number as an integer; -1 where there is none."""
    bare = pc.replace_substring_regex(pa.array(phones, pa.string(), from_pandas=True), r"\D", "")
    bare = pc.utf8_slice_codeunits(bare, -11)
    return pc.if_else(pc.equal(pc.utf8_length(bare), 0), None, bare).cast(pa.int64()).fill_null(-1).to_numpy(False)


def _patterned(number: np.ndarray, same: int, rising: int) -> np.ndarray:
    """Numbers that end in equal digits, in a rising or falling run, or in a pair of digits repeated throughout."""
    digit = number[:, None] // 10 ** np.arange(_TAIL) % 10  # last digit first
    step = np.diff(digit, axis=1)
    equal = (step[:, : same - 1] == 0).all(axis=1)
    run = (step[:, : rising - 1] == 1).all(axis=1) | (step[:, : rising - 1] == -1).all(axis=1)
    pairs = (digit[:, 2:] == digit[:, :-2]).all(axis=1)
    return equal | run | pairs


def phone_changed(records: Records, _limits: Limits) -> Iterator[Part]:
    """Another number in the sale than in its lead; another one than when an earlier cycle saw the lead as defeated.

    Of a row that was replaced the lake keeps the new version only; these two comparisons are what is left of the old.
    """
    parts = [part for part in (_in_sales(records), _since_earlier(records)) if part is not None]
    if not parts:
        raise NotCheckedError("no_versions")
    yield from parts


def _in_sales(records: Records) -> Part | None:
    try:
        sales = records.sales
    except NotCheckedError:
        return None
    if not sales.has("phone_key"):
        return None
    sold = sales.frame["phone_key"].reset_index(drop=True)
    known = records.leads.frame["phone_key"].iloc[sales.lead].reset_index(drop=True)
    looked = (sold.notna() & known.notna()).to_numpy() & (sales.dealer >= 0)
    return Part(sales, looked, looked & (sold != known).to_numpy())


def _since_earlier(records: Records) -> Part | None:
    earlier, leads = records.earlier_phones, records.leads
    if earlier is None or not len(earlier):
        return None
    at = positions(leads.frame["lead_id"], earlier["lead_id"])
    looked = (at >= 0) & (leads.dealer >= 0) & leads.frame["phone_key"].notna().to_numpy()
    marks = phone_marks(leads.frame, None)
    then = earlier["phone_mark"].to_numpy()[np.maximum(at, 0)]
    return Part(leads, looked, looked & (marks["phone_mark"].to_numpy() != then))


def phone_marks(leads: pd.DataFrame, until: datetime | None) -> pd.DataFrame:
    """``lead_id, phone_mark`` of the leads (those defeated before ``until``), for a later cycle to compare.

    A mark is the end of the keyed hash: enough to see a change, too short to find a customer by.
    """
    chosen = leads if until is None else leads[leads["defeated_at"] < until]
    return pd.DataFrame({"lead_id": chosen["lead_id"], "phone_mark": chosen["phone_key"].str[-6:]}, copy=False)
