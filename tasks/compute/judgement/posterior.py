"""The fit: network, regions, prior and each dealer's level in every month (verification.md steps 1-3)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from models.catalogue.doubts import doubts
from tasks.compute.judgement.model import (
    Bools,
    Floats,
    NetworkModel,
    Panel,
    expit,
    network,
    panel,
    residuals,
)
from tasks.compute.judgement.prior import Prior, Regions, estimate, region_effects


@dataclass(frozen=True)
class Options:
    """What a judgement goes by; the defaults are those of verification.md."""

    history: int = 12  # months of history a fit looks back over
    window: int = 3  # last months a dealer's level is taken over
    minimum_cases: int = 30  # fewest cases in the window to flag a dealer
    minimum_dealers: int = 15  # fewest dealers to compare at all
    #: fewest untreated dealers to verify at all
    minimum_untreated: int = field(default_factory=lambda: doubts().untreated.dealers)
    minimum_history: int = 3  # fewest months with cases before a plan
    fdr: float = 0.10  # accepted share of false findings
    relevance: float = 0.10  # log-odds a flagged dealer is worse by at least: 1.3 points at 15 %, 0.2 points at 2 %
    p_alone: float = 0.10  # largest one-sided p of a verdict when a look is the only one
    p_look: float = 0.03  # largest one-sided p at each of several looks
    settle_months: int = 6  # a dealer with a plan that started so few months before a look, or during it, is treated
    horizons: tuple[int, ...] = (1, 2, 3, 6)  # months after which a measure may be verified
    longest_months: int = 12  # a verdict that takes longer is left to the pool


@dataclass(frozen=True)
class Fit:
    """What one history says of network and dealers; matrices are dealers x months, log-odds."""

    panel: Panel
    network: NetworkModel
    regions: Regions
    prior: Prior
    theta: Floats  # posterior mode of the dealers' deviations from network and region
    score: Floats  # g = O - sum n p at the mode; theta = K g
    info: Floats  # W = sum n p (1 - p) at the mode

    def predict(self, months: ArrayLike) -> tuple[Floats, Floats]:
        """Mean (dealers x months) and covariance (dealers x months x months) of the levels in ``months``.

        Months count from 1, the first of the panel; those after its last are a forecast.
        """
        return predict(self.prior, self.score, self.info, months)


def predict(prior: Prior, score: Floats, info: Floats, months: ArrayLike) -> tuple[Floats, Floats]:
    """m = K*' g and S = K** - K*' W (I + K W)^-1 K* (verification.md step 4)."""
    months = np.asarray(months)
    history = np.arange(1, info.shape[1] + 1)
    cross = prior.between(history, months)
    root = np.sqrt(info)
    inner = root[:, :, None] * prior.between(history, history) * root[:, None, :]
    inner[:, np.arange(len(history)), np.arange(len(history))] += 1.0
    right = root[:, :, None] * cross
    explained = np.swapaxes(right, 1, 2) @ np.linalg.solve(inner, right)
    return score @ cross, prior.between(months, months) - explained


def fit(counts: pd.DataFrame, *, higher_is_better: bool = True, options: Options | None = None) -> Fit | None:
    """The fit on the last ``options.history`` months of ``counts`` (columns: see ``model.panel``).

    None when there is nothing to learn from: no cases, or all of them alike. Raises SourceError for impossible counts.
    """
    options = options or Options()
    p = panel(counts, higher_is_better=higher_is_better)
    return fit_panel(p.between(max(1, p.months - options.history + 1), p.months))


def fit_panel(p: Panel) -> Fit | None:
    """The fit on a panel; None when there are no cases or they are all alike."""
    total, events = p.n.sum(), p.x.sum()
    if total == 0 or events in (0.0, total):
        return None
    model = network(p)
    logit = model.logit(p)
    plain = residuals(p, logit)
    regions = region_effects(plain, p.region, len(p.regions), estimate(plain))
    logit = logit + regions.per_month()[p.region[p.d], p.t]
    prior = estimate(residuals(p, logit))
    theta, score, info = mode(p, prior.typical(logit), prior)
    return Fit(p, model, regions, prior, theta, score, info)


def mode(p: Panel, logit: Floats, prior: Prior) -> tuple[Floats, Floats, Floats]:
    """Posterior mode of the dealers' levels: theta, score g = O - sum n p, information W (verification.md step 3).

    Iterates theta <- (I + K W)^-1 K (W theta + g), all dealers at once.
    """
    months = np.arange(p.months)
    k = prior.between(months, months)
    theta = np.zeros(p.shape)
    for _ in range(30):
        score, info = _score(p, logit, theta)
        root = np.sqrt(info)
        inner = root[:, :, None] * k * root[:, None, :]
        inner[:, months, months] += 1.0
        aim = info * theta + score
        # (I + K W)^-1 K z = K (z - W^1/2 (I + W^1/2 K W^1/2)^-1 W^1/2 K z), symmetric and safe where W = 0
        prior_mean = aim @ k
        correction = root * np.linalg.solve(inner, (root * prior_mean)[:, :, None])[:, :, 0]
        step = np.clip(prior_mean - correction @ k - theta, -1.5, 1.5)
        theta = theta + step
        if np.abs(step).max() < 1e-7:
            break
    score, info = _score(p, logit, theta)
    return theta, score, info


def _score(p: Panel, logit: Floats, theta: Floats) -> tuple[Floats, Floats]:
    rate = expit(logit + theta[p.d, p.t])
    expected = p.n * rate
    return p.by_dealer_month(p.x - expected), p.by_dealer_month(expected * (1 - rate))


def active(p: Panel, minimum: int) -> Bools:
    """Dealers with cases in at least ``minimum`` months."""
    return np.asarray((p.by_dealer_month(p.n) > 0).sum(1) >= minimum)
