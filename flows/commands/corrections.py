"""`rematch corrections`: take back what dealers corrected."""

from __future__ import annotations

from pathlib import Path

from flows.commands.screen import console
from flows.commands.workspace import existing
from flows.locking import workspace_lock
from flows.reader import reader_locale
from models.errors import ExitCode
from models.messages import text


def take_corrections(home: Path, files: list[Path], dealer: str, actor: str) -> int:
    """Take these workbooks into the workspace and say what became of each; answers the exit code.

    Several files are taken one by one: one that cannot be read is told and does not stop the others.
    """
    from tasks.corrections import take_back  # noqa: PLC0415

    locale = reader_locale()
    workspace = existing(home)
    with workspace_lock(home):
        outcomes = take_back(workspace, files, actor, locale, dealer)
    for outcome in outcomes:
        if outcome.error is not None:
            console().print(outcome.error.text(locale), style="red", markup=False)
            continue
        wrong = {(each.table, each.row_key) for each in outcome.wrong}
        told = {"file": outcome.file, "dealer": outcome.dealer_id, "rows": outcome.rows, "cells": outcome.cells}
        told |= {"known": outcome.known, "refused": len(outcome.refused), "wrong": len(wrong)}
        console().print(text("corrections.done", locale, **told), markup=False)
        for refusal in outcome.refused:
            console().print(f"  {refusal.text(locale)}", style="yellow", markup=False)
        for each in outcome.wrong:
            params = {"table": each.table, "row_key": each.row_key, "sentence": each.sentence}
            console().print(text("corrections.still", locale, **params), markup=False)
    if any(outcome.rows for outcome in outcomes):
        console().print(text("corrections.next", locale), markup=False)
    if all(outcome.error is not None for outcome in outcomes):
        return int(ExitCode.BAD_INPUT)
    partial = any(outcome.error is not None or outcome.refused or outcome.wrong for outcome in outcomes)
    return int(ExitCode.WITH_PROBLEMS if partial else ExitCode.OK)
