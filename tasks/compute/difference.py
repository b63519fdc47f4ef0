"""Two rates beside each other, and what a change here is beyond the change elsewhere; 90 % intervals."""

from __future__ import annotations

from math import sqrt

Z90 = 1.6448536269514722


def wilson(cases: int, of: int) -> tuple[float, float] | None:
    """The 90 % interval of a rate by Wilson's score; None without any case."""
    if not of:
        return None
    rate, z2 = cases / of, Z90**2
    middle = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = Z90 / (1 + z2 / of) * sqrt(rate * (1 - rate) / of + z2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(*signed: tuple[int, int, int]) -> tuple[float, float, float] | None:
    """A sum of rates with signs: estimate and 90 % interval in percentage points; None where one has no case.

    ``signed``: (sign, cases, of) of independent samples: two for a difference, four for a difference of differences.
    The interval is Agresti and Caffo's: one success and one failure added to each sample, so that it holds for few
    cases too; the estimate is that of the plain rates.
    """
    if any(not of for _, _, of in signed):
        return None
    plain = sum(sign * cases / of for sign, cases, of in signed)
    smooth = [(sign, (cases + 1) / (of + 2), of + 2) for sign, cases, of in signed]
    middle = sum(sign * rate for sign, rate, _ in smooth)
    half = Z90 * sqrt(sum(rate * (1 - rate) / of for _, rate, of in smooth))
    return 100 * plain, 100 * (middle - half), 100 * (middle + half)
