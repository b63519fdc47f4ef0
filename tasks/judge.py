"""``rematch judge``: the judgement engine on counts from anywhere (exports.md, "Stand-alone use")."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from models.catalogue.contract import ROW_COLUMN
from models.enums import EffectVerdict
from models.errors import SourceError
from models.mapping import FileSpec
from models.messages import DEFAULT_LOCALE, text
from reports.verdicts import sentence
from tasks.compute.judgement.compare import compare
from tasks.compute.judgement.drivers import drivers
from tasks.compute.judgement.posterior import Options
from tasks.compute.judgement.verify import verify
from tasks.reading import read_files

CELLS = ("dealer_id", "region", "month", "series", "source")
COUNT_COLUMNS = (*CELLS, "leads", "won")
PLAN_COLUMNS = ("dealer_id", "indicator", "target_points", "issued_after_month")
REASON_PREFIX = "def_"
INDICATOR = "close_rate"
LOOKS = (3, 6)
WITHHELD = ("judge.why.whole_region",)  # figures, but no verdict
MOST_MONTHS = 600
MOST_COUNT = 10**9

VERDICT_COLUMNS = ("dealer_id", "months", "effect_points", "lo90", "hi90", "shrunk_points", "verdict")
RANKING_COLUMNS = ("dealer_id", "score")
DRIVER_COLUMNS = ("dealer_id", "reason", "gap_points", "rank")


@dataclass(frozen=True)
class Notice:
    """Something the user should know about the result; ``key`` names a message."""

    key: str
    params: dict[str, object]
    spelt: dict[str, Callable[[str], str]] = field(default_factory=dict)  # parameters that are texts themselves

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """The notice in ``locale``."""
        return text(self.key, locale, **self.params | {name: said(locale) for name, said in self.spelt.items()})


@dataclass(frozen=True)
class Judged:
    """What was written, and what to say about it; ``effects`` is the full frame of ``verify`` behind verdicts.csv."""

    files: dict[Path, int]  # file -> rows
    notices: tuple[Notice, ...]
    effects: pd.DataFrame

    def __iter__(self) -> Iterator[Path]:
        """The files written."""
        return iter(self.files)


def judge(
    counts: Path | None,
    out: Path,
    *,
    plans: Path | None = None,
    reasons: Path | None = None,
    options: Options | None = None,
) -> Judged:
    """Reads counts, plans and counts by reason, and writes verdicts.csv, ranking.csv and drivers.csv to ``out``.

    verdicts.csv needs plans, drivers.csv reasons; ranking.csv is always written (from the reasons' leads and won when
    there are no counts). Nothing is written before everything has been read and judged; each file appears whole.
    Raises SourceError naming file, row, column and remedy.
    """
    options = options or Options()
    if counts is None and reasons is None:
        if plans is not None:
            raise SourceError("judge.file.plans_alone", file=plans.name)
        raise SourceError("judge.file.nothing_given")
    if out.exists() and not out.is_dir():
        raise SourceError("judge.file.out_is_file", file=out)
    by_reason = read_counts(reasons, by_reason=True) if reasons else None
    total = read_counts(counts) if counts else by_reason
    origin = counts or reasons
    assert total is not None  # noqa: S101  one of the two was given
    assert origin is not None  # noqa: S101
    planned = read_plans(plans, total) if plans else None
    notices = _gaps(total, origin.name)
    tables: dict[str, pd.DataFrame] = {}
    effects = pd.DataFrame()
    if planned is not None and plans is not None:
        notices += _other_indicators(planned, plans.name)
        effects = verify(total, planned, looks=LOOKS, alone=True, options=options)
        tables["verdicts.csv"] = _verdicts(planned, effects)
        notices += _unjudged(effects) + _noted(effects)
    tables["ranking.csv"], missing = _ranking(total, planned, options)
    notices += [
        Notice("judge.notice.not_compared", {"dealers": n}, {"why": partial(text, why)}) for why, n in missing.items()
    ]
    if by_reason is not None:
        names = [column for column in by_reason.columns if column.startswith(REASON_PREFIX)]
        found = drivers(by_reason, names, options=options)
        found["reason"] = found["reason"].str.removeprefix(REASON_PREFIX)
        tables["drivers.csv"] = found[list(DRIVER_COLUMNS)]
    return Judged(_write(out, tables), tuple(notices), effects)


def read_counts(file: Path, *, by_reason: bool = False) -> pd.DataFrame:
    """Counts as the engine takes them: dealer_id, region_id, month, cell, n, x, and the def_ columns ``by_reason``.

    Raises SourceError for a missing column, an empty id, a count that is no whole number, more events than leads, a
    cell given twice, or a dealer in two regions in one month.
    """
    raw = _read(file, COUNT_COLUMNS)
    names = [column for column in raw.columns if column.startswith(REASON_PREFIX)] if by_reason else []
    if by_reason and not names:
        raise SourceError("judge.file.no_reasons", file=file.name)
    _filled(file, raw, ("dealer_id",))
    month = _whole(file, raw, "month", 1, MOST_MONTHS)
    leads, won = (_whole(file, raw, column, 0, MOST_COUNT) for column in ("leads", "won"))
    for row in _where(won > leads):
        raise SourceError(
            "judge.file.more_won", file=file.name, row=_row(raw, row), won=int(won[row]), leads=int(leads[row])
        )
    defeats = {column: _whole(file, raw, column, 0, MOST_COUNT) for column in names}
    lost = sum(defeats.values(), np.zeros(len(raw)))
    for row in _where(won + lost > leads):
        counts = {"won": int(won[row]), "defeats": int(lost[row]), "leads": int(leads[row])}
        raise SourceError(
            "judge.file.more_defeats", file=file.name, row=_row(raw, row), column=f"{REASON_PREFIX}...", **counts
        )
    text_cells = {column: raw[column].fillna("") for column in ("region", "series", "source")}
    keys = pd.DataFrame({"dealer_id": raw["dealer_id"], "month": month.astype(int), **text_cells})
    _unique(file, raw, keys, ["dealer_id", "month", "series", "source"])
    _one_region(file, raw, keys)
    return pd.DataFrame(
        {
            "dealer_id": keys["dealer_id"],
            "region_id": keys["region"],
            "month": keys["month"],
            "cell": keys["series"] + "\x1f" + keys["source"],
            "n": leads.astype(np.int64),
            "x": won.astype(np.int64),
            **{column: values.astype(np.int64) for column, values in defeats.items()},
        }
    )


def read_plans(file: Path, counts: pd.DataFrame) -> pd.DataFrame:
    """Plans as ``verify`` takes them; the measure starts with the month after it was issued.

    Raises SourceError for a missing column, an unknown dealer, a target that is no positive number of points, a plan
    after the last month of the counts, or the same plan twice.
    """
    raw = _read(file, PLAN_COLUMNS)
    _filled(file, raw, ("dealer_id",))
    for row in _where(~raw["dealer_id"].isin(counts["dealer_id"]).to_numpy(bool)):
        dealer = raw["dealer_id"].iloc[row]
        raise SourceError("judge.file.unknown_dealer", file=file.name, row=_row(raw, row), dealer=dealer)
    target = pd.to_numeric(raw["target_points"], errors="coerce").to_numpy(float, na_value=np.nan)
    for row in _where(~((target > 0) & (target <= 100))):
        value = _shown(raw["target_points"].iloc[row])
        raise SourceError(
            "judge.file.not_positive", file=file.name, row=_row(raw, row), column="target_points", value=value
        )
    issued = _whole(file, raw, "issued_after_month", 0, MOST_MONTHS).astype(int)
    last = int(counts["month"].max())
    for row in _where(issued > last):
        raise SourceError(
            "judge.file.after_last", file=file.name, row=_row(raw, row), month=int(issued[row]), last=last
        )
    keys = pd.DataFrame(
        {"dealer_id": raw["dealer_id"], "indicator": raw["indicator"].fillna(INDICATOR), "issued_after_month": issued}
    )
    _unique(file, raw, keys, list(keys.columns))
    return pd.DataFrame(
        {
            "dealer_id": keys["dealer_id"],
            "measure_id": [str(row) for row in range(1, len(raw) + 1)],
            "indicator": keys["indicator"],
            "target_points": target,
            "issued_after": issued,
            "start": issued + 1,
        }
    )


def _read(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not file.exists():
        raise SourceError("judge.file.not_found", file=file)
    table = read_files(file.parent, FileSpec(files=[glob.escape(file.name)]), file.stem)
    for outcome in table.files:
        if outcome.error is not None:
            raise outcome.error
    if len(table.problems):
        raise SourceError("judge.file.ragged_row", file=file.name, row=int(table.problems["row_number"].iloc[0]))
    frame = table.frame
    found = [column for column in frame.columns if not column.startswith("_")]
    for column in columns:
        if column not in frame.columns:
            wanted = ", ".join(columns)
            raise SourceError(
                "judge.file.missing_column", file=file.name, column=column, columns=wanted, found=", ".join(found)
            )
    if frame.empty:
        raise SourceError("judge.file.no_rows", file=file.name)
    return frame.assign(**{column: frame[column].str.strip() for column in found}).replace({"": None})


def _row(raw: pd.DataFrame, position: int) -> int:
    return int(raw[ROW_COLUMN].iloc[position])


def _where(wrong: np.ndarray) -> list[int]:
    return [int(position) for position in np.flatnonzero(wrong)]


def _shown(value: object) -> str:
    return "–" if value is None or value != value else str(value)[:40]  # noqa: PLR0124  NaN differs from itself


def _filled(file: Path, raw: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        for row in _where(raw[column].isna().to_numpy(bool)):
            raise SourceError("judge.file.blank", file=file.name, row=_row(raw, row), column=column)


def _whole(file: Path, raw: pd.DataFrame, column: str, least: int, most: int) -> np.ndarray:
    values = pd.to_numeric(raw[column], errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = ~((values >= least) & (values <= most) & (values == np.floor(values)))
    for row in _where(wrong):
        value = _shown(raw[column].iloc[row])
        place = {"file": file.name, "row": _row(raw, row), "column": column}
        raise SourceError("judge.file.not_whole", **place, value=value, least=least, most=most)
    return values


def _unique(file: Path, raw: pd.DataFrame, keys: pd.DataFrame, columns: list[str]) -> None:
    for row in _where(keys.duplicated(columns).to_numpy(bool)):
        same = (keys[columns] == keys[columns].iloc[row]).all(axis=1)
        first = int(np.flatnonzero(same.to_numpy(bool))[0])
        value = ", ".join(str(part) for part in keys[columns].iloc[row])
        place = {"file": file.name, "row": _row(raw, row), "column": ", ".join(columns)}
        raise SourceError("judge.file.duplicate_row", **place, first=_row(raw, first), value=value)


def _one_region(file: Path, raw: pd.DataFrame, keys: pd.DataFrame) -> None:
    first = keys.groupby(["dealer_id", "month"])["region"].transform("first")
    for row in _where((first != keys["region"]).to_numpy(bool)):
        regions = {"first": first.iloc[row], "second": keys["region"].iloc[row]}
        dealer = keys["dealer_id"].iloc[row]
        raise SourceError("judge.file.two_regions", file=file.name, row=_row(raw, row), dealer=dealer, **regions)


def _gaps(counts: pd.DataFrame, file: str) -> list[Notice]:
    seen = set(counts.loc[counts["n"] > 0, "month"])
    gaps = sorted(set(range(1, int(counts["month"].max()) + 1)) - seen)
    return [Notice("judge.notice.months_missing", {"file": file, "months": ", ".join(map(str, gaps))})] if gaps else []


def _other_indicators(plans: pd.DataFrame, file: str) -> list[Notice]:
    others = sorted(set(plans["indicator"]) - {INDICATOR})
    return [Notice("judge.notice.other_indicator", {"file": file, "indicator": name}) for name in others]


def _verdicts(plans: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """One row per plan and horizon, in the order of the plans; a horizon not reached yet has no figures."""
    wanted = plans[["dealer_id", "measure_id"]].merge(pd.DataFrame({"months": LOOKS}), how="cross")
    table = wanted.merge(effects.drop(columns="dealer_id"), how="left", on=["measure_id", "months"])
    table["verdict"] = table["verdict"].fillna(EffectVerdict.NOT_ENOUGH.value)
    return table[list(VERDICT_COLUMNS)]


def _unjudged(effects: pd.DataFrame) -> list[Notice]:
    """Why measures have no figures or no verdict, each reason once with how many it hit."""
    without = effects[effects["effect_points"].isna() | effects["reason_key"].isin(WITHHELD)]
    return [
        Notice(
            "judge.notice.no_verdict",
            {"dealers": len(rows)},
            {"why": partial(sentence, {str(k): v for k, v in rows.iloc[0].items()})},
        )
        for _, rows in without.groupby("reason_key")
    ]


def _noted(effects: pd.DataFrame) -> list[Notice]:
    """What weakens comparisons, each note once with how many verifications it is about."""
    found = effects["notes"].fillna("").str.split(";").explode()
    counts = found[found != ""].value_counts(sort=False)
    return [
        Notice("judge.notice.noted", {"cases": int(n)}, {"note": partial(text, str(key))}) for key, n in counts.items()
    ]


def _ranking(counts: pd.DataFrame, plans: pd.DataFrame | None, options: Options) -> tuple[pd.DataFrame, dict[str, int]]:
    """Level of every dealer over the three months before its first plan; without one, before the commonest plan."""
    last = int(counts["month"].max())
    dealers = pd.Index(counts["dealer_id"].unique()).sort_values()
    until = pd.Series(last, index=dealers)
    if plans is not None:
        issued = plans["issued_after"].clip(lower=1)
        until[:] = int(issued.mode().iloc[0])
        first = issued.groupby(plans["dealer_id"]).min()
        until[first.index] = first
    scores, missing = [], []
    for month, group in until.groupby(until):
        frame = compare(counts[counts["month"] <= month], options=options).set_index("dealer_id").reindex(group.index)
        scores.append(frame["level"])
        missing.append(frame["missing"].fillna("judge.missing.no_cases").where(frame["level"].isna()).dropna())
    score = pd.concat(scores).sort_values(kind="stable", na_position="last")
    table = pd.DataFrame({"dealer_id": score.index, "score": score.to_numpy()})
    return table[list(RANKING_COLUMNS)], {str(key): int(n) for key, n in pd.concat(missing).value_counts().items()}


def _write(out: Path, tables: dict[str, pd.DataFrame]) -> dict[Path, int]:
    """Every table as a UTF-8 CSV, written beside its place and then moved there."""
    written = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            beside = out / f".{name}.part"
            table.to_csv(beside, index=False, float_format="%.4f", lineterminator="\n")
            beside.replace(out / name)
            written[out / name] = len(table)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise SourceError("judge.file.cannot_write", file=out, problem=problem) from error
    return written
