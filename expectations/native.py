"""The verdict of Great Expectations on one table: run once, in BASIC, and normalised.

Nothing is written, nothing is sent, no failing value is kept in the result (it might be personal).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from expectations.declare import great_expectations
from expectations.masks import ROW_COUNT, WHOLE_TABLE, columns_used
from expectations.rules import CheckOutcome

RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
WIDEST = 3  # columns of one batch; measured: 2 to 4 cost the same, 9 a tenth more


@dataclass(frozen=True)
class Verdict:
    """What became of one expectation: ``checked`` rows were looked at (missing cells are not), ``failed`` of them."""

    outcome: CheckOutcome
    checked: int = 0
    failed: int = 0
    problem: str = ""  # for ERROR: the kind of exception


def judge(table: str, frame: pd.DataFrame, expectations: Sequence[Any]) -> list[Verdict]:
    """Great Expectations' verdict on each of ``expectations`` over ``frame``, in their order.

    A missing column or a wrong type is ERROR for the expectations it touches, never a pass, and never stops the rest.
    """
    if not expectations:
        return []
    answers: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own use of deprecated calls
        context = _context(great_expectations())
        for columns, group in _groups(expectations, frame):
            found = _validator(table, frame[columns], context).graph_validate(
                configurations=[_asked(expectation) for expectation in group],
                runtime_configuration={"result_format": RESULT_FORMAT},
            )
            answers |= {answer.expectation_config.meta["id"]: answer for answer in found}
    return [_verdict(expectation, answers[expectation.meta["id"]]) for expectation in expectations]


def _groups(expectations: Sequence[Any], frame: pd.DataFrame) -> list[tuple[list[str], list[Any]]]:
    """The expectations in groups that look at few columns each, with those columns.

    Great Expectations copies every column it is given for almost every expectation: narrow frames cost less than the
    work of a few more batches.
    """
    groups: list[tuple[dict[str, None], list[Any]]] = []
    for expectation in sorted(expectations, key=lambda each: len(columns_used(each))):
        columns = dict.fromkeys(columns_used(expectation))
        last = groups[-1] if groups else None
        if last is None or len(last[0] | columns) > WIDEST:
            groups.append((columns, [expectation]))
        else:
            last[0].update(columns)
            last[1].append(expectation)
    return [([column for column in columns if column in frame], group) for columns, group in groups]


def _validator(table: str, frame: pd.DataFrame, context: Any) -> Any:
    """Great Expectations' validator over one frame in memory.

    Not through a data source: its batches are made twice and hash every cell each time, a third of the whole check.
    """
    gx = great_expectations().__name__
    engine = importlib.import_module(f"{gx}.execution_engine").PandasExecutionEngine(batch_data_dict={table: frame})
    return importlib.import_module(f"{gx}.validator.validator").Validator(engine, data_context=context)


def _asked(expectation: Any) -> Any:
    """The expectation's configuration with no more metadata than its id: it is copied a hundred times on the way."""
    configuration = expectation.configuration
    configuration.meta, configuration.description = {"id": expectation.meta["id"]}, None
    return configuration


def _context(gx: Any) -> Any:
    """A context that lives in memory only: no folder for docs, no progress bars, nothing left behind."""
    kept = importlib.import_module(f"{gx.__name__}.data_context.types.base")
    config = kept.DataContextConfig(
        store_backend_defaults=kept.InMemoryStoreBackendDefaults(),
        progress_bars=kept.ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _verdict(expectation: Any, answer: Any) -> Verdict:
    result = answer.result
    whole = type(expectation).__name__ in WHOLE_TABLE
    if "observed_value" not in result if whole else "unexpected_count" not in result:
        return Verdict(CheckOutcome.ERROR, problem=_exception(answer.exception_info))
    if whole:
        rows = int(result["observed_value"]) if type(expectation).__name__ == ROW_COUNT else 0
        return Verdict(CheckOutcome.PASSED if answer.success else CheckOutcome.FAILED, rows)
    checked = int(result["element_count"]) - int(result.get("missing_count") or 0)
    failed = int(result["unexpected_count"])
    # Presence is judged over all rows; everything else over the rows that have a value.
    outcome = CheckOutcome.FAILED if failed else CheckOutcome.PASSED if checked else CheckOutcome.NOT_CHECKED
    return Verdict(outcome, checked, failed)


def _exception(info: Any) -> str:
    """The last line of the exceptions, without values of cells: only the kind of exception is kept."""
    entries = info.values() if "raised_exception" not in info else [info]
    traces = [str(entry.get("exception_traceback") or "").strip().splitlines() for entry in entries]
    return "; ".join(sorted({lines[-1].split(":")[0] for lines in traces if lines})) or "no result"
