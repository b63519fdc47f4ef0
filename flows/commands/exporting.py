"""`rematch export` and `rematch judge`: tables for others."""

from __future__ import annotations

from pathlib import Path

from flows.commands.screen import console, say
from flows.commands.workspace import existing
from flows.reader import reader_locale


def export_table(home: Path, what: str, cycle: str, dealer: str, file_format: str, out: Path) -> None:
    """Write one table of a published cycle to ``out``."""
    from tasks.exporting import export_frame, write_export  # noqa: PLC0415

    frame = export_frame(existing(home), what, cycle, dealer)
    write_export(frame, out, file_format)
    say("export.done", rows=len(frame), out=out)


def judge_counts(counts: Path, plans: Path | None, reasons: Path | None, out: Path) -> None:
    """Judge dealers and measures from counts alone; writes verdicts, ranking and drivers to ``out``."""
    from tasks.judge import judge  # noqa: PLC0415

    done = judge(counts, out, plans=plans, reasons=reasons)
    for file in done:
        say("judge.wrote", file=file)
    for notice in done.notices:
        console().print(notice.text(reader_locale()), markup=False, soft_wrap=True)
