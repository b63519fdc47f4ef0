"""One check or headline figure of a cycle, as a row of ``self_checks``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HALF_90 = 1.645
CHECK_COLUMNS = ["check", "value", "lo90", "hi90", "expected", "cases", "verdict"]


@dataclass(frozen=True)
class Check:
    """One check: value with 90 % interval, what it should be (NaN: nothing set), cases behind it, verdict message."""

    check: str
    value: float
    lo90: float
    hi90: float
    expected: float
    cases: int
    verdict: str


def missing(check: str, expected: float = np.nan, cases: int = 0, verdict: str = "too_few") -> Check:
    """A check without a value; ``verdict`` says why."""
    return Check(check, np.nan, np.nan, np.nan, expected, cases, f"learning.verdict.{verdict}")


def gained(low: float, high: float) -> str:
    """The verdict on a gain by its interval."""
    return f"learning.verdict.{'gained' if low > 0 else 'lost' if high < 0 else 'not_sure'}"
