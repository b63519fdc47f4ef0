"""A part of a signal: which rows were looked at and which of them show the sign."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from expectations.authenticity.records import Rows


@dataclass(frozen=True)
class Part:
    """One way a sign can show. ``looked`` and ``evidence`` are masks over ``rows`` (evidence within looked).

    ``offset``: log-odds per dealer that are known beforehand; ``allowed``: dealers whose alarm this part may raise
    (an effect large enough to matter); ``tests``: among how many like this it was chosen (0: those of the signal);
    ``least_rows``: rows a dealer needs here, where they are others than the signal's.
    """

    rows: Rows
    looked: np.ndarray
    evidence: np.ndarray
    offset: np.ndarray | None = None
    allowed: np.ndarray | None = None
    tests: float = 0
    least_rows: float = 0

    def counts(self, dealers: int) -> tuple[np.ndarray, np.ndarray]:
        """(rows with the sign, rows looked at) per dealer."""
        return per_dealer(self.rows, self.evidence, dealers), per_dealer(self.rows, self.looked, dealers)


def per_dealer(rows: Rows, mask: np.ndarray, dealers: int) -> np.ndarray:
    """How many rows of ``mask`` each dealer has."""
    return np.bincount(rows.dealer[mask & (rows.dealer >= 0)], minlength=dealers).astype(float)


def concentrated(
    rows: Rows, levels: np.ndarray, dealers: int, least_rows: int, gap: float, share: float = 0.0
) -> Iterator[Part]:
    """Dealers at which one of the ``levels`` (integers, -1: not looked at) is far more frequent than in the network.

    One part per level that anywhere reaches ``share`` and lies ``gap`` above the network; all levels count as tests.
    Where none does, the network's most frequent level with no dealer allowed: looked at, nothing found.
    """
    looked = (levels >= 0) & (rows.dealer >= 0)
    if not looked.any():
        return
    many = int(levels.max()) + 1
    counts = np.bincount(rows.dealer[looked] * many + levels[looked], minlength=dealers * many).reshape(dealers, many)
    total = counts.sum(axis=1)
    shares = counts / np.maximum(total, 1)[:, None]
    network = counts.sum(axis=0) / counts.sum()
    striking = (shares >= np.maximum(share, network + gap)) & (total >= least_rows)[:, None]
    tests = int((counts.sum(axis=0) > 0).sum())
    for level in np.flatnonzero(striking.any(axis=0)) if striking.any() else [int(network.argmax())]:
        yield Part(rows, looked, looked & (levels == level), allowed=striking[:, level], tests=tests)
