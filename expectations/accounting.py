"""Every row accounted for: rows in = accepted + quarantined + held + duplicate, per table, file and dealer.

Two sources are put together: the problems found when the files were read (rows that never reached the lake, rows that
did but were set apart) and the fates the suites gave to the rest. Pure: frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from expectations.results import ACCEPTED, FATES, CheckResult, TableCheck
from expectations.rules import Action, rules
from expectations.scoring import COUNTS
from expectations.view import UNASSIGNED, positions
from models.catalogue.contract import FILE_COLUMN, ROW_COLUMN, contract
from models.enums import RowFate

PLACE = ("table", "source_file", "dealer_id")
_AT = ["table", "source_file", "row_number"]
_COUNT_OF = {
    RowFate.ACCEPTED: "accepted",
    RowFate.QUARANTINED: "quarantined",
    RowFate.HELD: "held",
}


class RowsLostError(Exception):
    """Rows came in that have no fate, or have two: a defect of ours, the check is void."""


@dataclass(frozen=True)
class Reading:
    """What reading and typing left: ``problems`` (Problems frame), ``counts`` per ``table, source_file, dealer_id``
    (``rows, received, exact_duplicate, replaced, unreadable``), ``apart``: received rows set apart there, by table,
    ``through``: received rows of tables without a suite, which are accepted as they are."""

    problems: pd.DataFrame
    counts: pd.DataFrame
    apart: Mapping[str, pd.DataFrame]
    through: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def waiting_leads(self) -> dict[str, str]:
        """The leads set apart, with their dealers: what hangs on them waits."""
        leads = self.apart.get("leads")
        if leads is None:
            return {}
        known = leads.dropna(subset=["lead_id"]).drop_duplicates("lead_id")
        return dict(zip(known["lead_id"], known["dealer_id"].fillna(UNASSIGNED), strict=True))


def _repetition(problems: pd.DataFrame) -> pd.Series:
    return problems["rule"].isin([code for code, rule in rules().items() if rule.action is Action.DUPLICATE])


def _is_at(frame: pd.DataFrame, problems: pd.DataFrame) -> np.ndarray:
    """Which rows of a lake frame one of ``problems`` is about."""
    if problems.empty or frame.empty:
        return np.zeros(len(frame), bool)
    files, row = pd.Index(problems["source_file"].unique()), problems["row_number"].fillna(0).to_numpy(np.int64)
    span = int(max(row.max(), frame[ROW_COLUMN].max())) + 1
    wanted = files.get_indexer(problems["source_file"]).astype(np.int64) * span + row
    there = files.get_indexer(frame[FILE_COLUMN])
    return np.isin(there * span + frame[ROW_COLUMN].to_numpy(np.int64), wanted) & (there >= 0)


class Homes:
    """Which dealer a row counts for: its own if known, else that of its lead, else ``_unassigned``."""

    def __init__(self, result: CheckResult, apart: Mapping[str, pd.DataFrame]) -> None:
        self.dealers = result.dealers
        ids, homes = [pd.Series([], dtype="str")], [pd.Series([], dtype="str")]
        if (leads := result.tables.get("leads")) is not None:
            ids.append(leads.frame["lead_id"])
            homes.append(pd.Series(result.dealers.take(leads.dealer), dtype="str"))
        if "leads" in apart:
            ids.append(apart["leads"]["lead_id"])
            homes.append(self._known(apart["leads"]["dealer_id"]))
        self.leads, self.of_lead = pd.concat(ids, ignore_index=True), pd.concat(homes, ignore_index=True)

    def of(self, dealer_id: pd.Series, lead_id: pd.Series) -> pd.Series:
        """The dealers of rows with these own dealers and leads (either may be missing)."""
        found = positions(lead_id, self.leads)
        by_lead = self.of_lead.reindex(found).set_axis(dealer_id.index)
        return self._known(dealer_id).fillna(by_lead).fillna(UNASSIGNED).astype("str")

    def of_rows(self, frame: pd.DataFrame) -> pd.Series:
        """The dealers of rows of any lake table."""
        blank = pd.Series(None, index=frame.index, dtype="str")
        own = "dealer_id" in frame
        return self.of(frame["dealer_id"] if own else blank, blank if own else frame["lead_id"])

    def of_problems(self, problems: pd.DataFrame) -> pd.DataFrame:
        """Problems of reading with the dealer each counts for."""
        hanging = problems["table"].isin([name for name, table in contract().tables.items() if _hangs(table.fields)])
        return problems.assign(dealer_id=self.of(problems["dealer_id"], problems["row_key"].where(hanging)))

    def _known(self, dealer_id: pd.Series) -> pd.Series:
        return dealer_id.where(dealer_id.isin(self.dealers))


def _hangs(fields: Mapping[str, object]) -> bool:
    return "lead_id" in fields and "dealer_id" not in fields


def ledger(result: CheckResult, reading: Reading) -> pd.DataFrame:
    """Rows per table, file and dealer: ``rows, accepted, duplicates, quarantined, held, warned``.

    A row counts once, however many rules it breaks. Repetitions removed before typing (rows of a source that a
    mapping reads) are known by their problems only and counted on top.
    """
    homes = Homes(result, reading.apart)
    problems = homes.of_problems(reading.problems)
    parts = [_of_suites(table, result.dealers, problems) for table in result.tables.values()]
    parts += [_of_rows(table, frame, homes, "quarantined") for table, frame in reading.apart.items()]
    parts += [_of_rows(table, frame, homes, "accepted") for table, frame in reading.through.items()]
    parts += [_of_counts(reading.counts, homes), *_repetitions(reading.counts, problems)]
    whole = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return whole.groupby(list(PLACE), as_index=False)[list(COUNTS)].sum()


def _of_suites(table: TableCheck, dealers: pd.Index, problems: pd.DataFrame) -> pd.DataFrame:
    said = problems[(problems["table"] == table.table) & ~_repetition(problems)]
    warned = table.warned | (_is_at(table.frame, said) & (table.fate == ACCEPTED))
    files, names = pd.factorize(table.frame[FILE_COLUMN], use_na_sentinel=False)
    place = files * len(dealers) + table.dealer
    size = max(len(names), 1) * len(dealers)
    counts = {_COUNT_OF[fate]: np.bincount(place[table.fate == code], minlength=size) for code, fate in FATES.items()}
    counts["duplicates"] = np.zeros(size, np.int64)
    counts["rows"], counts["warned"] = np.bincount(place, minlength=size), np.bincount(place[warned], minlength=size)
    filled = np.flatnonzero(counts["rows"])
    return pd.DataFrame(
        {
            "table": pd.Series([table.table] * filled.size, dtype="str"),
            "source_file": pd.Series(np.asarray(names, dtype=object)[filled // len(dealers)], dtype="str"),
            "dealer_id": pd.Series(dealers.take(filled % len(dealers)), dtype="str"),
            **{name: counts[name][filled] for name in COUNTS},
        }
    )


def _counted(place: pd.DataFrame, rows: pd.Series | int, fate: str) -> pd.DataFrame:
    """A part of the ledger whose rows all have one fate."""
    counts = dict.fromkeys(COUNTS, 0) | {"rows": rows, fate: rows}
    part = place[list(PLACE)].assign(**counts)
    return part[part["rows"] > 0]


def _of_rows(table: str, frame: pd.DataFrame, homes: Homes, fate: str) -> pd.DataFrame:
    place = pd.DataFrame({"source_file": frame[FILE_COLUMN], "dealer_id": homes.of_rows(frame)}).assign(table=table)
    return _counted(place, 1, fate)


def _of_counts(counts: pd.DataFrame, homes: Homes) -> pd.DataFrame:
    """Rows that never reached the lake: unreadable, or replaced by a later file."""
    blank = pd.Series(None, index=counts.index, dtype="str")
    place = counts.assign(dealer_id=homes.of(counts["dealer_id"], blank))
    return pd.concat(
        [_counted(place, place["unreadable"], "quarantined"), _counted(place, place["replaced"], "duplicates")]
    )


def _repetitions(counts: pd.DataFrame, problems: pd.DataFrame) -> list[pd.DataFrame]:
    """Exact repetitions by the dealer their problem names; what has no problem left goes to ``_unassigned``."""
    told = problems[_repetition(problems) & problems["table"].isin(contract().tables)].drop_duplicates(_AT)
    key = ["table", "source_file"]
    counted = counts.groupby(key)["exact_duplicate"].sum()
    missing = (counted - told.groupby(key).size().reindex(counted.index, fill_value=0)).clip(lower=0)
    rest = missing.rename("more").reset_index().assign(dealer_id=UNASSIGNED)
    return [_counted(told, 1, "duplicates"), _counted(rest, rest["more"], "duplicates")]


def conserve(accounts: pd.DataFrame, counts: pd.DataFrame) -> None:
    """Rows in = accepted + quarantined + held + duplicates, against the rows counted at reading.

    Raises RowsLostError when a row has no fate or two, or when a file's rows are not all accounted for.
    """
    fates = accounts["accepted"] + accounts["quarantined"] + accounts["held"] + accounts["duplicates"]
    if (wrong := fates != accounts["rows"]).any():
        raise RowsLostError(f"rows without exactly one fate: {accounts.loc[wrong, list(PLACE)].to_dict('records')}")
    key = ["table", "source_file"]
    told = accounts.assign(in_lake=accounts["rows"] - accounts["duplicates"]).groupby(key)["in_lake"].sum()
    came = (
        (counts["rows"] - counts["exact_duplicate"] - counts["replaced"]).groupby([counts[name] for name in key]).sum()
    )
    both = pd.concat([told, came.rename("came")], axis=1).fillna(0)
    if len(lost := both[both["in_lake"] != both["came"]]):
        raise RowsLostError(f"rows in and rows accounted for differ: {lost.to_dict('index')}")


def failures(result: CheckResult, reading: Reading) -> pd.DataFrame:
    """Failing rows per ``dealer_id, table, rule, severity`` (``failed``), from reading and from the suites."""
    keys = ["dealer_id", "table", "rule", "severity"]
    found = result.per_dealer()
    problems = Homes(result, reading.apart).of_problems(reading.problems)
    read = (
        problems.drop_duplicates([*_AT, "rule"]).groupby(keys, as_index=False).size().rename(columns={"size": "failed"})
    )
    return pd.concat([found.loc[found["failed"] > 0, [*keys, "failed"]], read], ignore_index=True)
