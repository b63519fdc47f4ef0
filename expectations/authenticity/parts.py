"""A part of a signal: which rows were looked at and which of them show the sign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from expectations.authenticity.records import Rows


@dataclass(frozen=True)
class Part:
    """One way a sign can show. ``looked`` and ``evidence`` are masks over ``rows`` (evidence within looked).

    ``offset``: log-odds per dealer that are known beforehand; ``allowed``: dealers whose alarm this part may raise
    (an effect large enough to matter); ``tests``: among how many like this it was chosen (0: those of the signal);
    ``least_rows``, ``least_evidence``: rows a dealer needs here, and rows with the sign an alarm needs, where they are
    others than the signal's.
    """

    rows: Rows
    looked: np.ndarray
    evidence: np.ndarray
    offset: np.ndarray | None = None
    allowed: np.ndarray | None = None
    tests: float = 0
    least_rows: float = 0
    least_evidence: float = 0

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


def clustered(
    whole: np.ndarray, cell: np.ndarray, level: np.ndarray, limits: Mapping[str, float], chance: float
) -> np.ndarray:
    """Rows whose ``level`` crowds into one ``cell`` (a consultant, a day) of its ``whole`` (a dealer) beyond chance.

    The three are integers per row, -1: not looked at. Given how many rows of the whole are in the cell and how many
    have the level, the number with both is hypergeometric when the cell has nothing to do with the level: a dealer
    whose customers differ from others' is no exception to that. A crowd needs ``cell_rows`` rows, ``cell_share`` of
    the cell, and a probability under ``chance``.
    """
    rows = np.flatnonzero((whole >= 0) & (cell >= 0) & (level >= 0))
    found = np.zeros(len(whole), bool)
    if not len(rows):
        return found
    cells, wide = int(cell[rows].max()) + 1, int(level[rows].max()) + 1
    in_cell = whole[rows] * cells + cell[rows]
    _, at_cell, of_cell = np.unique(in_cell, return_inverse=True, return_counts=True)
    _, at_level, of_level = np.unique(whole[rows] * wide + level[rows], return_inverse=True, return_counts=True)
    _, first, at_both, of_both = np.unique(
        in_cell * wide + level[rows], return_index=True, return_inverse=True, return_counts=True
    )
    m, k, n = of_cell[at_cell[first]], of_level[at_level[first]], np.bincount(whole[rows])[whole[rows][first]]
    crowd = (of_both >= limits["cell_rows"]) & (of_both >= limits["cell_share"] * m)
    some = np.flatnonzero(crowd)
    crowd[some] = hypergeom.sf(of_both[some] - 1, n[some], k[some], m[some]) < chance
    found[rows] = crowd[at_both]
    return found
