"""What honest dealers look like in one sign, learnt from all of them, and how improbable one dealer's count is then.

Dealer d has x of n rows with the sign; x is binomial with log-odds ``offset + theta``, theta normal over dealers
(mean eta, standard deviation s): dealers differ honestly, and the normal on the log-odds has heavier tails towards
many than the beta distribution. (eta, s) is not fixed at one estimate but averaged by its posterior on a grid, so that
few dealers mean a wide answer. Dealers that embellish must not widen it: a count in the top part of the network says
in the likelihood only that it is at least that high (censoring), which is right for honest dealers and indifferent to
how far the others went.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betainc, expit

from models.catalogue.signals import PeerTest

_STEP = 0.06
_THETA = np.arange(-13.0, 9.0, _STEP)
_ETA = np.arange(-11.0, 6.0, 2 * _STEP)
_SPREADS = 9
_LEARN_FROM = 400  # dealers; more do not sharpen what honest dealers look like
_MOST_ROWS = 4_000  # a dealer's rows count at most so many: the grid is no finer, and nobody needs more to be found
_TOP = 0.85  # counts above this quantile are censored
_NOTHING = 1e-150  # less decides nothing, and products of denormal numbers take ten times as long


@dataclass(frozen=True)
class Peers:
    """The distribution of honest dealers' log-odds: ``weight`` on the grid ``theta``."""

    theta: np.ndarray
    weight: np.ndarray

    def rate(self, offset: np.ndarray) -> np.ndarray:
        """Share of rows with the sign to be expected of a dealer with this offset."""
        return expit(offset[:, None] + self.theta) @ self.weight

    def tail(self, x: np.ndarray, n: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """Mid-p value: the chance that an honest dealer shows more than x of n, half of x itself included."""
        x, n = _capped(x, n)
        chance = expit(offset[:, None] + self.theta)
        more = 0.5 * (_above(x, n, chance) + _above(x - 1, n, chance))
        return np.clip(more @ self.weight, 0.0, 1.0)


def learn(x: np.ndarray, n: np.ndarray, offset: np.ndarray, test: PeerTest) -> Peers:
    """The peers as the dealers with counts ``x`` of ``n`` (n > 0) show them."""
    if len(x) > _LEARN_FROM:
        chosen = np.linspace(0, len(x) - 1, _LEARN_FROM).astype(int)
        x, n, offset = x[chosen], n[chosen], offset[chosen]
    censor = _censor(x, n, offset)
    x, n = _capped(x, n)
    censor = np.minimum(censor, n)
    logit = offset[:, None] + _THETA
    # log p and log (1 - p) without loss at either end
    below = x[:, None] * -np.logaddexp(0, -logit) + (n - x)[:, None] * -np.logaddexp(0, logit)
    likelihood = np.exp(below - below.max(axis=1, keepdims=True))
    top = x > censor
    likelihood[top] = _above(censor[top], n[top], expit(logit[top]))
    likelihood[likelihood < _NOTHING] = 0.0
    mixing, prior = _kernel(test.spread_low, test.spread_usual, test.spread_high)
    seen = np.log(np.maximum(likelihood @ mixing, 1e-300)).sum(axis=0) + prior
    posterior = np.exp(seen - seen.max())
    weight = mixing @ (posterior / posterior.sum())
    kept = weight > 1e-13
    return Peers(_THETA[kept], weight[kept] / weight[kept].sum())


def _capped(x: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.minimum(1.0, _MOST_ROWS / np.maximum(n, 1))
    return x * scale, n * scale


def _above(x: np.ndarray, n: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """P(X > x) for X binomial(n, chance), dealers x grid."""
    first, second = np.maximum(x + 1, 1e-9)[:, None], np.maximum(n - x, 1e-9)[:, None]
    found = betainc(first, second, chance)
    found[x < 0] = 1.0
    found[x >= n] = 0.0
    return found


def _censor(x: np.ndarray, n: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Per dealer the count above which it is only known to be high: the network's top ratio of seen to expected."""
    low, high = -25.0, 25.0
    for _ in range(60):
        middle = (low + high) / 2
        if (n * expit(offset + middle)).sum() < x.sum():
            low = middle
        else:
            high = middle
    expected = np.maximum(n * expit(offset + (low + high) / 2), 1e-12)
    return np.maximum(1.0, np.floor(np.quantile(x / expected, _TOP) * expected))


@lru_cache(maxsize=4)
def _kernel(low: float, usual: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """theta x (eta, s): how theta spreads for each pair, and the log prior of the pairs (half-normal in s)."""
    spreads = np.linspace(low, high, _SPREADS)
    distance = _THETA[:, None] - _ETA[None, :]
    blocks = [np.exp(-0.5 * (distance / s) ** 2) for s in spreads]
    mixing = np.concatenate([block / block.sum(axis=0) for block in blocks], axis=1)
    mixing[mixing < _NOTHING] = 0.0
    return mixing, np.repeat(-0.5 * (spreads / usual) ** 2, len(_ETA))
