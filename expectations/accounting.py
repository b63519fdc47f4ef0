"""Every row accounted for: rows in = accepted + quarantined + held + duplicate, per table, file and dealer.

Two sources are put together: the problems found when the files were read (rows that never reached the lake, rows that
did but were set apart) and the fates the suites gave to the rest. Pure: frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from expectations.results import FATES, CheckResult, TableCheck
from expectations.rules import Action, rules
from expectations.scoring import COUNTS
from expectations.view import UNASSIGNED, positions
from models.catalogue.contract import FILE_COLUMN, ROW_COLUMN, contract
from models.enums import RowFate, Severity

PLACE = ("table", "source_file", "dealer_id")
_AT = ["table", "source_file", "row_number"]
_COUNT_OF = {
    RowFate.ACCEPTED: "accepted",
    RowFate.QUARANTINED: "quarantined",
    RowFate.HELD: "held",
    RowFate.DUPLICATE: "duplicates",
}


class RowsLostError(Exception):
    """Rows came in that have no fate, or have two: a defect of ours, the check is void."""


def dropped_at_reading(problems: pd.DataFrame) -> pd.Series:
    """Of each problem found at reading: whether its row was dropped there (set apart or a repetition)."""
    return (problems["severity"] == Severity.QUARANTINE.value) | _repetition(problems)


def _repetition(problems: pd.DataFrame) -> pd.Series:
    return problems["rule"].isin([code for code, rule in rules().items() if rule.action is Action.DUPLICATE])


def without_dropped(table: str, frame: pd.DataFrame, problems: pd.DataFrame) -> np.ndarray:
    """Which rows of ``frame`` go on to the suites: all but those the reading set apart and left in the lake."""
    gone = problems[(problems["table"] == table) & dropped_at_reading(problems)]
    return ~_is_at(frame, gone)


def _is_at(frame: pd.DataFrame, problems: pd.DataFrame) -> np.ndarray:
    """Which rows of a lake frame one of ``problems`` is about."""
    if problems.empty or frame.empty:
        return np.zeros(len(frame), bool)
    files, row = pd.Index(problems["source_file"].unique()), problems["row_number"].fillna(0).to_numpy(np.int64)
    span = int(max(row.max(), frame[ROW_COLUMN].max())) + 1
    wanted = files.get_indexer(problems["source_file"]).astype(np.int64) * span + row
    there = files.get_indexer(frame[FILE_COLUMN])
    return np.isin(there * span + frame[ROW_COLUMN].to_numpy(np.int64), wanted) & (there >= 0)


def at_home(problems: pd.DataFrame, result: CheckResult) -> pd.DataFrame:
    """The problems of reading with the dealer they count for: a known dealer, the lead's, else ``_unassigned``."""
    dealer = problems["dealer_id"].where(problems["dealer_id"].isin(result.dealers))
    of_lead = _dealer_of_lead(problems, result)
    owned = problems["table"].isin([name for name, table in contract().tables.items() if _hangs_on_lead(table.fields)])
    dealer = dealer.fillna(of_lead.where(owned)).fillna(UNASSIGNED)
    return problems.assign(dealer_id=dealer.astype("str"))


def _hangs_on_lead(fields: Mapping[str, object]) -> bool:
    return "lead_id" in fields and "dealer_id" not in fields


def _dealer_of_lead(problems: pd.DataFrame, result: CheckResult) -> pd.Series:
    leads = result.tables.get("leads")
    if leads is None or problems.empty:
        return pd.Series(pd.NA, index=problems.index, dtype="str")
    found = positions(problems["row_key"], leads.frame["lead_id"])
    names = result.dealers.to_numpy(dtype=object)[leads.dealer] if len(leads.frame) else np.array([None], dtype=object)
    return pd.Series(np.where(found >= 0, names[found], None), index=problems.index, dtype="str")


def ledger(result: CheckResult, problems: pd.DataFrame) -> pd.DataFrame:
    """Rows per table, file and dealer: ``rows, accepted, quarantined, held, duplicates, warned``.

    ``problems``: those of reading, ``at_home``. A row counts once, however many rules it breaks.
    """
    parts = [_of_suites(table, result.dealers, problems) for table in result.tables.values()]
    parts.append(_of_reading(problems))
    whole = pd.concat(parts, ignore_index=True).groupby(list(PLACE), as_index=False, dropna=False)[list(COUNTS)].sum()
    return whole.sort_values(list(PLACE), ignore_index=True)


def _of_suites(table: TableCheck, dealers: pd.Index, problems: pd.DataFrame) -> pd.DataFrame:
    said = problems[(problems["table"] == table.table) & ~dropped_at_reading(problems)]
    warned = table.warned | (_is_at(table.frame, said) & (table.fate == 0))
    files, names = pd.factorize(table.frame[FILE_COLUMN], use_na_sentinel=False)
    place = files * len(dealers) + table.dealer
    size = max(len(names), 1) * len(dealers)
    counts = {
        _COUNT_OF[fate]: np.bincount(place[table.fate == code], minlength=size) for code, fate in FATES.items()
    }
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


def _of_reading(problems: pd.DataFrame) -> pd.DataFrame:
    """Rows that were dropped at reading; a repetition that is also wrong counts as a repetition."""
    gone = problems[dropped_at_reading(problems) & problems["table"].isin(contract().tables)]
    gone = gone.assign(duplicates=_repetition(gone)).sort_values("duplicates", ascending=False, kind="stable")
    rows = gone.drop_duplicates(_AT)
    repeated = rows["duplicates"].to_numpy(np.int64)
    counts = dict.fromkeys(COUNTS, 0) | {"rows": 1, "duplicates": repeated, "quarantined": 1 - repeated}
    return rows[list(PLACE)].assign(**counts)


def conserve(accounts: pd.DataFrame, rows_in: Mapping[tuple[str, str], int]) -> None:
    """Compare the fates with ``rows_in`` (rows counted when read, per table and file); raises RowsLostError."""
    fates = accounts["accepted"] + accounts["quarantined"] + accounts["held"] + accounts["duplicates"]
    if (wrong := fates != accounts["rows"]).any():
        raise RowsLostError(f"rows without exactly one fate: {accounts.loc[wrong, list(PLACE)].to_dict('records')}")
    told = accounts.groupby(["table", "source_file"])["rows"].sum().to_dict()
    lost = {place: (rows, told.get(place, 0)) for place, rows in rows_in.items() if told.get(place, 0) != rows}
    if lost:
        raise RowsLostError(f"rows in and rows accounted for differ: {lost}")


def failures(result: CheckResult, problems: pd.DataFrame) -> pd.DataFrame:
    """Failing rows per ``dealer_id, table, rule, severity`` (``failed``), from reading and from the suites."""
    keys = ["dealer_id", "table", "rule", "severity"]
    found = result.per_dealer()
    read = problems.drop_duplicates([*_AT, "rule"]).groupby(keys, as_index=False).size().rename(columns={"size": "failed"})
    return pd.concat([found.loc[found["failed"] > 0, [*keys, "failed"]], read], ignore_index=True)
