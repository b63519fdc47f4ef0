"""Random hold-back: some eligible dealers get no measures for half a year, if the OEM chooses so (verification.md).

Chosen by chance among those who would have got a plan, they show what becomes of such dealers without one: the best
outside check on every verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from tasks.compute.learning.record import stable_number

PERIOD_MONTHS = 6


def period(cycle: str) -> int:
    """The number of the half-year a cycle (YYYY-MM) lies in."""
    return (int(cycle[:4]) * 12 + int(cycle[5:7]) - 1) // PERIOD_MONTHS


def held_back(dealers: Iterable[str], cycle: str, share: float, seed: int = 0) -> tuple[str, ...]:
    """Those of ``dealers`` that chance holds back in ``cycle``: each with probability ``share``, for a half-year.

    It follows from dealer, half-year and ``seed`` alone, so nobody can choose and a repeated run holds back the same.
    """
    limit = share * 2.0**64
    return tuple(dealer for dealer in dealers if stable_number("hold back", seed, period(cycle), dealer) < limit)
