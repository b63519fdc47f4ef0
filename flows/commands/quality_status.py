"""The data quality of the last cycle in three lines: gates, signs to be checked, corrections out and back."""

from __future__ import annotations

from collections.abc import Sequence

from flows.commands.screen import say
from models.enums import Step
from models.schemas import KeyPoint
from models.workspace import Workspace

_GATES = ("gate_pass", "gate_warn", "gate_fail")
_SIGNS = ("signals_to_check", "dealers_to_check", "signals_not_checked")


def show_quality(workspace: Workspace, cycle: str, points: Sequence[KeyPoint]) -> None:
    """Say how many dealers passed the gate of ``cycle``, what is to be checked, and where corrections stand.

    What was not counted (the check has not ended, or an earlier version ran it) is left out.
    """
    from tasks.correction_tokens import state  # noqa: PLC0415

    counts = next((point.counts for point in points if point.step is Step.CHECK), {})
    if all(name in counts for name in _GATES):
        say("status.gates", cycle=cycle, **{name: counts[name] for name in _GATES})
    if all(name in counts for name in _SIGNS):
        say("status.signs", **{name: counts[name] for name in _SIGNS})
    corrections = state(workspace, cycle)
    if corrections.issued:
        figures = {"issued": corrections.issued, "listed": corrections.listed, "returned": corrections.returned}
        say("status.corrections", **figures)
    if corrections.returned:
        say("status.returned", rows=corrections.rows, refused=corrections.refused, wrong=corrections.wrong)
