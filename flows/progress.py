"""What a run shows on the screen: one line a step as it ends, and below it what the reader must know of it."""

from __future__ import annotations

from flows.commands.screen import console, t
from flows.reader import reader_locale
from flows.records import RunRef, StepReport
from models.enums import PointState

_MARKS = {PointState.FINISHED: "✓", PointState.SKIPPED: "·", PointState.WITH_PROBLEMS: "!"}


NOTICES_SHOWN = 6
_said: set[str] = set()  # a command that runs several cycles says each notice once


def show_step(ref: RunRef, report: StepReport) -> None:
    """One line: step, time, figures; below it what could not be served."""
    locale = reader_locale()
    figures = t(f"progress.{report.step}", **report.counts) if report.state is not PointState.SKIPPED else ""
    state = t("progress.kept") if report.state is PointState.SKIPPED else f"{report.seconds:.1f} s"
    mark = _MARKS.get(report.state, "✗")
    console().print(f"{mark} {ref.cycle:7} {report.step.label(locale)}  {state}  {figures}", markup=False)
    for problem in report.problems:
        console().print(f"    {problem}", style="yellow", markup=False)
    _notices(report)
    for failure in report.failures:
        console().print(f"    {failure.dealer_id}: {t('progress.failed_dealer')}", style="yellow", markup=False)


def _notices(report: StepReport) -> None:
    """The first few notices, a line each; all of them stand in the record of the step."""
    fresh = [notice for notice in report.notices if notice not in _said]
    _said.update(fresh)
    for notice in fresh[:NOTICES_SHOWN]:
        console().print(f"    {notice}", style="dim", markup=False, no_wrap=True, overflow="ellipsis")
    if len(fresh) > NOTICES_SHOWN:
        more = len(fresh) - NOTICES_SHOWN
        console().print(f"    {t('progress.more', count=more, step=report.step)}", style="dim", markup=False)
