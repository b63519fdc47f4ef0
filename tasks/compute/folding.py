"""One current row per key: later files replace earlier ones, repetitions fall out, contradictions are set apart.

Rules of domain.md section 14, "Input".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.catalogue.contract import FILE_COLUMN, PROVENANCE, Table
from models.enums import Severity
from tasks.compute.frames import join_problems, problems_at

RECEIVED, REPEATED, REPLACED = "received", "exact_duplicate", "replaced"
UNASSIGNED = "_unassigned"


@dataclass(frozen=True)
class Folded:
    """``frame``: the rows that stay; ``problems`` of rules ``exact_duplicate`` and ``ambiguous_id``.

    ``counts``: per ``_file`` and ``dealer_id`` (``_unassigned`` where missing): ``rows`` folded, of them ``received``,
    ``exact_duplicate`` (the same row again in one file) and ``replaced`` (a later file has the same key).
    """

    frame: pd.DataFrame
    problems: pd.DataFrame
    counts: pd.DataFrame


def fold(table: Table, frame: pd.DataFrame, files: Sequence[str]) -> Folded:
    """The current version of every key of ``table``; ``files`` lists the files from oldest to newest.

    Of rows with the same key the newest file's count, the others are ``replaced``. In one file an exact repetition
    is dropped (``exact_duplicate``, warn); the same key with other content keeps all copies, each a quarantined
    ``ambiguous_id``. Events without an id of their own (their key holds a phone) may share a key. Rows whose key is
    incomplete are only checked for repetition.
    """
    fate = pd.Series(RECEIVED, index=frame.index, dtype="str")
    key = list(table.key)
    complete = frame[key].notna().all(axis=1)
    shared = complete & frame.duplicated(key, keep=False)
    rank = frame[FILE_COLUMN].map({file: place for place, file in enumerate(files)})
    if shared.any():
        newest = rank[shared].groupby([frame.loc[shared, name] for name in key], sort=False).transform("max")
        fate[newest.index[rank[newest.index] < newest]] = REPLACED
    doubtful = frame.index[(shared | ~complete) & (fate == RECEIVED)]
    content = [name for name in frame.columns if name not in PROVENANCE] + [FILE_COLUMN]
    fate[doubtful[frame.loc[doubtful].duplicated(content)]] = REPEATED

    contradicting = frame.loc[shared & (fate == RECEIVED)]
    contradicting = contradicting[contradicting.duplicated(key, keep=False)]
    if any(part not in table.fields for part in key):
        contradicting = contradicting[:0]
    problems = [
        problems_at(table, frame[fate == REPEATED], REPEATED, Severity.WARN),
        problems_at(table, contradicting, "ambiguous_id", Severity.QUARANTINE, column=key[0]),
    ]
    kept = frame if (fate == RECEIVED).all() else frame[fate == RECEIVED]
    return Folded(kept.reset_index(drop=True), join_problems(problems), count_fates(frame, fate))


def count_fates(frame: pd.DataFrame, fate: pd.Series[Any]) -> pd.DataFrame:
    """How many rows of each file and dealer had which fate: ``_file, dealer_id, rows, received, ...``."""
    dealer = frame["dealer_id"].fillna(UNASSIGNED) if "dealer_id" in frame else UNASSIGNED
    flags = pd.DataFrame({FILE_COLUMN: frame[FILE_COLUMN], "dealer_id": dealer}).astype("str")
    flags = flags.assign(rows=1, **{name: (fate == name).astype("int64") for name in (RECEIVED, REPEATED, REPLACED)})
    return flags.groupby([FILE_COLUMN, "dealer_id"], sort=True, as_index=False).sum()
