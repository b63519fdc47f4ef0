"""Named random streams, so that one change moves nothing else (common random numbers).

Every quantity of a month has a stream of its own, seeded by (seed, month, name): drawing one more quantity, or changing
the effect of a measure, leaves all other numbers as they were.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MONTH_OFFSET = 1_000  # months before the sample are negative, seeds may not be


class Draws:
    """The random streams of one month of one part of the simulation."""

    def __init__(self, seed: int, month: int, part: str) -> None:
        self._seed, self._month, self._part = seed, month, part

    def rng(self, name: str) -> np.random.Generator:
        """The stream ``name``, from its beginning."""
        return np.random.default_rng([self._seed, self._month + _MONTH_OFFSET, crc32(f"{self._part}.{name}".encode())])

    def uniform(self, name: str, size: int | tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Floats:
        """Uniform numbers in [low, high)."""
        return self.rng(name).uniform(low, high, size)

    def normal(self, name: str, size: int | tuple[int, ...]) -> Floats:
        """Standard normal numbers."""
        return self.rng(name).standard_normal(size)

    def pick(self, name: str, size: int, shares: Floats | tuple[float, ...]) -> Ints:
        """Indices drawn with ``shares``."""
        edges = np.cumsum(np.asarray(shares, float))
        return np.searchsorted(edges / edges[-1], self.uniform(name, size), side="right").astype(np.int64)

    def happens(self, name: str, size: int, chance: float | Floats) -> Flags:
        """True with ``chance``."""
        return np.asarray(self.uniform(name, size) < chance)


def hashed(values: Ints, salt: int) -> Floats:
    """A fixed uniform number in [0, 1) per value: a lasting trait of a person, without remembering anything."""
    mixed = values.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) / 2.0**53
