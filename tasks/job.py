"""What a step of a cycle works on and what it answers: the shells of this room take a ``Job``, give an ``Outcome``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from models.facts import Cycle
from models.workspace import Workspace
from tasks.lake import Lake
from tasks.results import Results


@dataclass(frozen=True)
class Job:
    """One cycle of one workspace, judged with what was known at ``cycle.as_of``."""

    workspace: Workspace
    cycle: Cycle
    results: Results
    source: str

    @cached_property
    def lake(self) -> Lake:
        """The workspace's lake."""
        return Lake(self.workspace.lake, self.workspace.key())

    @property
    def pages(self) -> Path:
        """Where the cycle's pages and workbooks go."""
        return self.workspace.reports / self.cycle.name


@dataclass(frozen=True)
class DealerFailure:
    """A dealer a step could not serve: said, counted and shown, never hidden (no personal data)."""

    dealer_id: str
    key: str  # message key
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a step answers: result files it wrote, figures for its key point, dealers that failed or were served."""

    outputs: tuple[str, ...] = ()
    counts: Mapping[str, object] = field(default_factory=dict)
    failures: tuple[DealerFailure, ...] = ()
    dealers: int = 0  # dealers tried, the denominator of the failed share
    problems: tuple[str, ...] = ()  # messages about broken files and the like; they make the run end "with problems"
    notices: tuple[str, ...] = ()  # what the reader should know and nobody need mend: tables that are not there, ...


def together(*outcomes: Outcome) -> Outcome:
    """What several parts of one step answer, as one; figures of later parts win where names repeat."""
    return Outcome(
        outputs=tuple(name for outcome in outcomes for name in outcome.outputs),
        counts={name: value for outcome in outcomes for name, value in outcome.counts.items()},
        failures=tuple(failure for outcome in outcomes for failure in outcome.failures),
        dealers=max((outcome.dealers for outcome in outcomes), default=0),
        problems=tuple(problem for outcome in outcomes for problem in outcome.problems),
        notices=tuple(notice for outcome in outcomes for notice in outcome.notices),
    )
