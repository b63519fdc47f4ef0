"""Propose a source mapping: which file feeds which table, by which keys files join, which column fills which field.

Every guess has a confidence 0-1 from headers (``rapidfuzz`` against labels and synonyms of the contract) and values
(``mapping_profile``); ``mapping_draft`` writes it down with its reasons, for a person to correct.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from rapidfuzz import fuzz

from models.catalogue.contract import PROVENANCE, Table, contract
from tasks.compute.frames import RawTable
from tasks.compute.mapping.profile import Profile, contained, likeness, profile
from tasks.compute.mapping.rows import Rows, squeezed

SURE = 0.62  # a guess under this is not placed, only named as a candidate
_JOINED = 0.96  # of two equal candidates the one in the table's own file is taken
_MAIN = "leads"
_NO_VALUE = ("NA", "N/A", "#N/A", "n/a", "NULL", "null", "NaN", "nan", "None", "-", "--", "/", "\\N", "空")
_OF_DEFEAT = (
    "destination",
    "competitor_brand",
    "competitor_series",
    "reason_code",
    "reason_text",
    "reviewed_by",
    "reviewed_at",
)
_CONTACT = ("call", "contact", "interaction", "follow", "跟进", "联系", "回访", "通话")


@dataclass(frozen=True)
class Sheet:
    """One input as read: its name, files and clean columns with their profiles."""

    name: str
    files: tuple[str, ...]
    rows: Rows
    profiles: Mapping[str, Profile]
    na: tuple[str, ...]  # texts found that mean "no value"


@dataclass(frozen=True)
class Placed:
    """A field and the column guessed for it, ``alias.column`` when joined."""

    column: str
    confidence: float
    profile: Profile
    also: tuple[str, ...] = ()  # alike columns of which a row fills one


@dataclass(frozen=True)
class Link:
    """Two inputs that share a key: a look-up when the key stands once there, else events."""

    input: str
    here: str
    there: str
    events: bool
    share: float  # of the keys here that stand there
    unused: int
    times: tuple[str, ...] = ()  # time columns of events


@dataclass
class TablePlan:
    """How one canonical table is proposed to be fed."""

    table: Table
    source: str
    placed: dict[str, Placed]
    links: list[Link] = field(default_factory=list)
    distinct: bool = False
    lost_only: bool = False  # defeats out of the leads' own rows
    candidates: dict[str, list[Placed]] = field(default_factory=dict)  # for required fields not placed


@dataclass(frozen=True)
class Proposal:
    """The whole proposal: inputs, tables, and per input the columns nothing was found for."""

    sheets: tuple[Sheet, ...]
    tables: tuple[TablePlan, ...]
    unplaced: Mapping[str, tuple[str, ...]]


def sheet(raw: RawTable, files: tuple[str, ...]) -> Sheet:
    """An input ready to be judged."""
    names = [name for name in raw.frame.columns if name not in PROVENANCE]
    found = set().union(*(raw.frame[name][raw.frame[name].isin(_NO_VALUE)].unique() for name in names))
    na = tuple(text for text in _NO_VALUE if text in found)
    rows = Rows(raw.frame.reset_index(drop=True), raw.name, na)
    return Sheet(raw.name, files, rows, {name: profile(name, rows.column(name)) for name in names}, na)


def propose(sheets: list[Sheet]) -> Proposal:
    """The most likely mapping of these inputs; at least one table (leads) is always proposed."""
    tables = contract().tables
    fits = {(one.name, name): _fit(one, table) for one in sheets for name, table in tables.items()}
    main = max(sheets, key=lambda one: fits[one.name, _MAIN])
    plans = {_MAIN: _plan(tables[_MAIN], main, sheets)}
    taken = {main.name}
    for name in ("defeats", "sales", "revisits", "service_visits", "interactions", "dealers"):
        free = [one for one in sheets if one.name not in taken]
        best = max(free, key=lambda one: fits[one.name, name], default=None)
        if best is None or fits[best.name, name] < 0.75 or fits[best.name, name] < fits[best.name, _MAIN] - 0.3:
            continue
        plans[name] = _plan(tables[name], best, sheets if name != "dealers" else [best])
        taken.add(best.name)
    if "dealers" not in plans:
        plans["dealers"] = _dealers(plans[_MAIN], sheets)
    if "defeats" not in plans:
        plans["defeats"] = _defeats(plans[_MAIN], main)
    used = {(plan.source, placed.column) for plan in plans.values() for placed in plan.placed.values()}
    used |= {(plan.source, link.here) for plan in plans.values() for link in plan.links}
    linked = {f"{link.input}.{link.there}" for plan in plans.values() for link in plan.links}
    joined = {column for _, column in used} | linked
    unplaced = {
        one.name: tuple(
            name for name in one.profiles if (one.name, name) not in used and f"{one.name}.{name}" not in joined
        )
        for one in sheets
    }
    ordered = tuple(plans[name] for name in tables if name in plans)
    return Proposal(tuple(sheets), ordered, unplaced)


def _fit(one: Sheet, table: Table) -> float:
    """How well a file fits a table: its required fields found, its name, and what else it offers."""
    placed = _assign(table, {name: (found, 1.0) for name, found in one.profiles.items()})
    wanted = [name for name in table.required if table.fields[name].kind != "phone"]
    required = sum(placed[name].confidence for name in wanted if name in placed) / len(wanted)
    stems = [squeezed(file.rsplit("/", 1)[-1].rsplit(".", 1)[0]) for file in one.files]
    names = [squeezed(table.name), squeezed(table.label.zh_CN), squeezed(table.label.en)]
    named = max((fuzz.partial_ratio(name, stem) / 100 for name in names for stem in stems), default=0.0)
    key = table.key[0]
    identified = key in placed and one.profiles[placed[key].column].unique
    size = 0.02 * math.log10(1 + len(one.rows.index))
    extra = sum(item.confidence for name, item in placed.items() if name not in wanted)
    return required + (0.25 if named > 0.9 else 0.0) + (0.2 if identified else 0.0) + min(0.5, 0.05 * extra) + size


def _assign(table: Table, columns: Mapping[str, tuple[Profile, float]], without: str = "") -> dict[str, Placed]:
    """Fields to columns, the surest guess first; each column and each field once."""
    scored = [
        (likeness(found, item) * weight, item.required, name, column)
        for column, (found, weight) in columns.items()
        for name, item in table.fields.items()
        if name != without
    ]
    placed: dict[str, Placed] = {}
    gone: set[str] = set()
    for score, _, name, column in sorted(scored, key=lambda one: (-round(one[0], 3), not one[1])):
        if score >= SURE and name not in placed and column not in gone:
            placed[name] = Placed(column, round(score, 2), columns[column][0])
            gone.add(column)
    return placed


def _plan(table: Table, base: Sheet, sheets: list[Sheet]) -> TablePlan:
    links = _links(base, [one for one in sheets if one is not base])
    by_name = {one.name: one for one in sheets}
    columns = {name: (found, 1.0) for name, found in base.profiles.items()}
    keys = {link.there for link in links}
    for link in links:
        if not link.events:
            for name, found in by_name[link.input].profiles.items():
                if name not in keys:
                    columns[f"{link.input}.{name}"] = (found, _JOINED)
    placed = _assign(table, columns)
    if table.name == _MAIN:
        placed = _contacts(links, by_name) | placed
    _spread(base, table, placed)
    plan = TablePlan(table, base.name, placed, [link for link in links if table.name == _MAIN or _asked(link, placed)])
    for name in table.required:
        if name not in placed:
            item = table.fields[name]
            ranked = sorted(
                (Placed(column, round(likeness(found, item), 2), found) for column, (found, _) in columns.items()),
                key=lambda one: -one.confidence,
            )
            plan.candidates[name] = [one for one in ranked[:3] if one.confidence > 0.3]
    return plan


def _contacts(links: list[Link], sheets: Mapping[str, Sheet]) -> dict[str, Placed]:
    """Events that read like contacts give the number of contacts, the first and the last."""
    for link in links:
        names = " ".join((link.input, *sheets[link.input].profiles)).casefold()
        if link.events and link.times and any(word in names for word in _CONTACT):
            when = sheets[link.input].profiles[link.times[0]]
            fields = {"first_contact_at": "first_at", "last_contact_at": "last_at", "contact_count": "count"}
            return {name: Placed(f"{link.input}.{column}", 0.65, when) for name, column in fields.items()}
    return {}


def _spread(base: Sheet, table: Table, placed: dict[str, Placed]) -> None:
    """A reason spread over several columns of which a row fills one: take them together."""
    item = placed.get("reason_code")
    if item is None or item.column not in base.profiles:
        return
    taken = {one.column for one in placed.values()}
    alike = [
        name
        for name, found in base.profiles.items()
        if name not in taken and likeness(found, table.fields["reason_code"]) >= SURE
    ]
    filled = pd.concat([base.rows.column(name).notna() for name in [item.column, *alike]], axis=1).sum(axis=1)
    if alike and bool((filled <= 1).mean() > 0.9):
        placed["reason_code"] = Placed(item.column, item.confidence, item.profile, tuple(alike))


def _asked(link: Link, placed: Mapping[str, Placed]) -> bool:
    return any(item.column.startswith(f"{link.input}.") for item in placed.values())


def _links(base: Sheet, others: list[Sheet]) -> list[Link]:
    """Look-ups and events that share a key with the base, or with a look-up already found (chains)."""
    found: list[Link] = []
    reached = {"": base}
    waiting = list(others)
    while waiting:
        pairs = [
            (link, one)
            for one in waiting
            for alias, near in reached.items()
            if (link := _link(near, one, alias)) is not None and not (alias and link.events)
        ]
        if not pairs:
            break
        link, one = max(pairs, key=lambda pair: ("." not in pair[0].here, not pair[0].events, pair[0].share))
        found.append(link)
        waiting.remove(one)
        if not link.events:
            reached[one.name] = one
    return found


def _link(near: Sheet, other: Sheet, alias: str) -> Link | None:
    """The best key two inputs share, None if there is none: alike headers, and values found on the other side.

    Inputs with the same columns are two loads of one thing, not a look-up of each other.
    """
    same = len(set(near.profiles) & set(other.profiles)) / max(1, len(set(near.profiles) | set(other.profiles)))
    if same > 0.7:
        return None
    best: tuple[float, Link] | None = None
    for here, mine in near.profiles.items():
        if mine.distinct < 2 or mine.time > 0.5:
            continue
        values = near.rows.column(here)
        for there, theirs in other.profiles.items():
            alike = fuzz.ratio(squeezed(here), squeezed(there)) / 100
            if alike < 0.8 or theirs.distinct < 2:
                continue
            offered = other.rows.column(there)
            share = contained(values, offered.dropna().unique())
            back = contained(offered, values.dropna().unique())
            if max(share, back) < 0.5 or (share < 0.3 and mine.integer > 0.9):
                continue
            once = not bool(offered.dropna().duplicated().any())
            if not once and not mine.unique:
                continue
            score = alike + share + back + mine.distinct / 1e9
            if best is None or score > best[0]:
                name = f"{alias}.{here}" if alias else here
                unused = round((1 - back) * theirs.distinct)
                times = tuple(n for n, p in other.profiles.items() if p.time > 0.8)
                best = (score, Link(other.name, name, there, not once, share, unused, times))
    return best[1] if best else None


def _dealers(leads: TablePlan, sheets: list[Sheet]) -> TablePlan:
    """Dealers out of the distinct values of the column that names a lead's dealer."""
    table = contract().tables["dealers"]
    held = leads.placed.get("dealer_id")
    if held is None:
        return TablePlan(table, leads.source, {}, distinct=True, candidates={name: [] for name in table.required})
    source, _, column = held.column.rpartition(".")
    one = next(one for one in sheets if one.name == (source or leads.source))
    column = column if source else held.column
    rest = {name: (found, 1.0) for name, found in one.profiles.items() if name != column}
    placed = {
        name: item
        for name, item in _assign(table, rest, "dealer_id").items()
        if name in ("name", "region_id", "region_name")
    }
    placed["dealer_id"] = Placed(column, held.confidence, held.profile)
    placed.setdefault("name", Placed(column, 0.5, held.profile))
    if "region_name" in placed:
        placed.setdefault("region_id", placed["region_name"])
    return TablePlan(table, one.name, placed, distinct=True)


def _defeats(leads: TablePlan, one: Sheet) -> TablePlan:
    """Defeats out of the leads that are lost."""
    table = contract().tables["defeats"]
    wanted: tuple[str, ...] = ("lead_id", "defeated_at")
    placed = {name: leads.placed[name] for name in wanted if name in leads.placed}
    if "defeated_at" not in placed and "ordered_at" in leads.placed:
        placed["defeated_at"] = leads.placed["ordered_at"]
    taken = {item.column for item in leads.placed.values()}
    columns = {name: (found, 1.0) for name, found in one.profiles.items() if name not in taken}
    placed = {name: item for name, item in _assign(table, columns).items() if name in _OF_DEFEAT} | placed
    links = [link for link in leads.links if _asked(link, placed)]
    return TablePlan(table, leads.source, placed, links, lost_only=True)


def distinct_values(one: Sheet, columns: list[str], most: int) -> pd.Series:
    """The most frequent values of columns with their counts."""
    every: pd.Series = pd.concat([one.rows.column(column) for column in columns])
    return every.value_counts().head(most)
