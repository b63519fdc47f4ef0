"""How much dealers really differ, and how fast that changes: the prior, from the data (verification.md step 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from tasks.compute.judgement.model import TINY, Floats, Ints, Residuals

RHO_GRID = np.round(np.arange(0.30, 0.971, 0.05), 2)
LOGISTIC = 0.346  # (16 sqrt 3 / 15 pi)^2: a normal curve's width in place of the logistic one
STEADY = 0.05  # added to a residual's variance in its weight, so that large dealers do not decide alone


@dataclass(frozen=True)
class Prior:
    """Variances of a dealer's level in squared log-odds.

    ``tau2`` never changes, ``sigma2`` decays by ``rho`` a month, ``nu2`` belongs to one month alone.
    """

    tau2: float
    sigma2: float
    rho: float
    nu2: float

    @property
    def total(self) -> float:
        """Variance of one month's level."""
        return self.tau2 + self.sigma2 + self.nu2

    def typical(self, logit: Floats) -> Floats:
        """Log-odds of the typical dealer where the average over all dealers has these log-odds.

        An average of rates lies nearer to one half than the rate of the average dealer (Zeger, Liang and Albert 1988).
        """
        return np.asarray(logit * np.sqrt(1.0 + LOGISTIC * self.total))

    def between(self, first: ArrayLike, second: ArrayLike) -> Floats:
        """Covariance matrix of the levels in the months ``first`` x ``second``."""
        lag = np.abs(np.subtract.outer(np.asarray(first), np.asarray(second)))
        return np.asarray(self.tau2 + self.sigma2 * self.rho**lag + self.nu2 * (lag == 0))


def autocovariance(r: Residuals) -> tuple[Floats, Floats]:
    """Covariance C(k) of a dealer's residuals k months apart, sampling variance taken off; the weight behind each."""
    months = r.gap.shape[1]
    seen = r.info > 0
    w = np.divide(r.info, 1.0 + STEADY * r.info, out=np.zeros_like(r.info), where=seen)  # = 1/(v + .05)
    u = r.logit
    products, weights = (w * u).T @ (w * u), w.T @ w
    v = np.where(seen, r.variance, 0.0)
    c, total = np.zeros(months), np.zeros(months)
    for lag in range(months):
        total[lag] = np.trace(weights, lag)
        c[lag] = np.trace(products, lag) / total[lag] if total[lag] > 0 else 0.0
    if total[0] > 0:
        c[0] -= (w * w * v).sum() / total[0]
    return c, total


def estimate(r: Residuals) -> Prior:
    """The prior that fits the autocovariance: C(k) = tau2 + sigma2 rho^k for k >= 1, nu2 the rest of C(0).

    Non-negative least squares for each rho of a grid. With a single month nothing tells lasting from passing levels:
    all of C(0) counts as lasting.
    """
    c, weight = autocovariance(r)
    lags = np.flatnonzero(weight[1:] > 0) + 1
    if not lags.size:
        return Prior(max(float(c[0]), TINY), 0.0, 0.5, 0.0)
    scale = np.sqrt(weight[lags] / weight[lags].sum())
    target = c[lags] * scale
    best, prior = np.inf, Prior(TINY, 0.0, 0.5, 0.0)
    for rho in RHO_GRID:
        design = np.column_stack([np.ones(lags.size), rho**lags]) * scale[:, None]
        (tau2, sigma2), misfit = nnls(design, target)
        if misfit < best - TINY:
            best = misfit
            prior = Prior(float(tau2), float(sigma2), float(rho), max(0.0, float(c[0] - tau2 - sigma2)))
    if prior.total < TINY:
        return Prior(TINY, 0.0, prior.rho, 0.0)
    return prior


@dataclass(frozen=True)
class Shrunk:
    """Group effects shrunk towards zero: estimate, posterior variance, and the variance between groups."""

    value: Floats
    variance: Floats
    between: float


def shrink(y: Floats, v: Floats) -> Shrunk:
    """DerSimonian-Laird: estimates ``y`` of several groups with variances ``v`` (infinite where nothing is known)."""
    known = np.isfinite(v)
    w = np.where(known, 1.0 / np.where(known, np.maximum(v, TINY), 1.0), 0.0)
    if known.sum() < 2:
        return Shrunk(np.zeros_like(y), np.zeros_like(y), 0.0)
    mean = (w * y).sum() / w.sum()
    spread = (w * (y - mean) ** 2).sum() - (known.sum() - 1)
    between = max(0.0, float(spread / (w.sum() - (w**2).sum() / w.sum())))
    return Shrunk(between * w / (between * w + 1) * y, between / (between * w + 1), between)


@dataclass(frozen=True)
class Regions:
    """Shrunk region effects in log-odds: lasting level (with variance), per month; variance of the network's mean."""

    level: Floats  # regions
    variance: Floats  # regions
    month: Floats  # regions x months
    nation: float

    def per_month(self) -> Floats:
        """Level plus month, regions x months."""
        return np.asarray(self.level[:, None] + self.month)


def region_effects(r: Residuals, region: Ints, regions: int, prior: Prior) -> Regions:
    """Levels and monthly shocks of the regions, each shrunk by how much regions differ beyond their dealers.

    ``prior`` is that of the dealers: a region's mean is uncertain by its cases and by which dealers it happens to have.
    """
    months = r.gap.shape[1]
    info = r.info.sum(1)
    w = np.divide(r.info, info[:, None], out=np.zeros_like(r.info), where=info[:, None] > 0)
    k = prior.between(range(months), range(months))
    lasting = np.einsum("dt,ts,ds->d", w, k, w)
    precise = info / (1 + info * lasting)
    mean = np.divide(r.gap.sum(1), info, out=np.zeros_like(info), where=info > 0)
    level = shrink(*_means(region, mean, precise, regions))
    left = r.gap - r.info * level.value[region][:, None]
    # what is left of a dealer's variance in one month once its own mean over the months is taken off
    passing = prior.total - k.mean()
    weight = r.info / (1 + r.info * passing)
    own = np.divide(left.sum(1), info, out=np.zeros_like(info), where=info > 0)
    u = np.divide(left, r.info, out=np.zeros_like(left), where=r.info > 0) - own[:, None]
    key = (region[:, None] * months + np.arange(months)).ravel()
    month = shrink(*_means(key, u.ravel(), weight.ravel(), regions * months))
    nation = 1 / max(float(precise.sum()), TINY)
    return Regions(level.value, level.variance, month.value.reshape(regions, months), nation)


def _means(group: Ints, value: Floats, weight: Floats, groups: int) -> tuple[Floats, Floats]:
    total = np.bincount(group, weight, groups)
    mean = np.divide(np.bincount(group, weight * value, groups), total, out=np.zeros(groups), where=total > 0)
    variance = np.divide(1.0, total, out=np.full(groups, np.inf), where=total > 0)
    return mean, variance
