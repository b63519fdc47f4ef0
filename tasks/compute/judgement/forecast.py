"""What a dealer would have done without its measure (verification.md steps 4, 5, 7).

The forecast conditions on the whole history, so choosing the worst dealers for plans does not bias it; what moved
everyone since then is read off the untreated dealers, and so is how far such forecasts miss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.special import gammaln

from tasks.compute.judgement.model import TINY, Bools, Floats, Panel, expit, sums
from tasks.compute.judgement.posterior import Fit
from tasks.compute.judgement.prior import Shrunk, shrink

# Even well-behaved placebo effects get the tails of 30 degrees of freedom: the fit's own variances are estimates.
DF_GRID = np.array([15.0, 20.0, 25.0, 30.0])
WINSORISED = 0.05
# Winsorising takes 17 % off the mean square of a normal variable; a little more makes up for the placebo dealers having
# taken part in the fit (verification.md step 7).
MEAN_SQUARE = 1.24


@dataclass(frozen=True)
class Forecast:
    """Observed and expected of every dealer over the months after a plan; rates 0-1, arrays per dealer.

    ``own`` is the variance of the expected rate from the dealer's own level; ``nation`` and ``region`` come from the
    common shifts and are shared with other dealers.
    """

    n: Floats
    x: Floats
    expected: Floats
    own: Floats
    nation: Floats
    region: Floats
    inflation: float
    df: float

    @property
    def effect(self) -> Floats:
        """Observed minus expected; NaN without cases."""
        return np.divide(self.x, self.n, out=np.full_like(self.n, np.nan), where=self.n > 0) - self.expected

    @property
    def binomial(self) -> Floats:
        """Sampling variance of the observed rate if the expectation holds."""
        return self.expected * (1 - self.expected) / np.maximum(self.n, 1)

    @property
    def variance(self) -> Floats:
        """Calibrated variance of the expected rate: what remains of the inflated total without the sampling part."""
        total = self.own + self.nation + self.region + self.binomial
        return np.asarray(self.inflation * total - self.binomial)


def forecast(history: Fit, after: Panel, ahead: int, untreated: Bools) -> Forecast:
    """The forecast for the panel ``after`` (same dealers and cells, months renumbered from 1).

    ``ahead``: months between the end of the history and the first month of ``after``, plus one (1 = directly after).
    ``untreated`` marks the dealers that show the common shift; they need cases in the months after.
    """
    months = np.arange(after.months)
    mean, covariance = history.predict(history.panel.months + ahead + months)
    region = history.panel.region
    nation = float(np.average(history.network.month, weights=_month_cases(history.panel)))
    peers = nation + history.network.cell[after.c] + history.regions.level[region[after.d]]
    base = history.prior.typical(peers) + mean[after.d, after.t]
    shift = _month_shift(after, base, covariance, untreated)
    logit = base + shift[after.t]
    regional, nation_variance = _region_shift(after, logit, covariance, untreated, region, len(history.panel.regions))
    rate = expit(logit + regional.value[region[after.d]])
    spread = after.n * rate * (1 - rate)
    n = after.by_dealer(after.n)
    scale = np.maximum(n, 1)
    w = after.by_dealer_month(spread) / scale[:, None]
    total = w.sum(1) ** 2
    # without untreated dealers of its own a region's shift is only known to vary as regions do
    result = Forecast(
        n,
        after.by_dealer(after.x),
        after.by_dealer(after.n * rate) / scale,
        np.einsum("dt,dts,ds->d", w, covariance, w),
        total * nation_variance,
        total * regional.variance[region],
        1.0,
        np.inf,
    )
    return _calibrated(result, untreated & (n > 0))


def _month_cases(p: Panel) -> Floats:
    return sums(p.t, p.n, p.months)


def _month_shift(after: Panel, base: Floats, covariance: Floats, untreated: Bools) -> Floats:
    """s_t with sum over untreated of (O - E)/(1 + I S_tt) = 0, by Newton's method."""
    keep = untreated[after.d]
    d, t, n, x, logit = after.d[keep], after.t[keep], after.n[keep], after.x[keep], base[keep]
    own = np.diagonal(covariance, axis1=1, axis2=2)
    size = len(untreated) * after.months
    key = d * after.months + t
    shift = np.zeros(after.months)
    for _ in range(50):
        rate = expit(logit + shift[t])
        gap = np.bincount(key, x - n * rate, size).reshape(own.shape)
        info = np.bincount(key, n * rate * (1 - rate), size).reshape(own.shape)
        weight = 1 / (1 + info * own)
        slope = (weight * info).sum(0)
        step = np.divide((weight * gap).sum(0), slope, out=np.zeros_like(shift), where=slope > TINY)
        shift += np.clip(step, -1.0, 1.0)
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    return np.clip(shift, -20, 20)


def _region_shift(
    after: Panel, logit: Floats, covariance: Floats, untreated: Bools, region: np.ndarray, regions: int
) -> tuple[Shrunk, float]:
    """One shift per region over all months after, shrunk (DerSimonian-Laird); the variance of the national shift."""
    rate = expit(logit)
    gap = after.by_dealer(after.x - after.n * rate)
    by_month = after.by_dealer_month(after.n * rate * (1 - rate))
    info = by_month.sum(1)
    used = untreated & (info > 0)
    w = np.divide(by_month, info[:, None], out=np.zeros_like(by_month), where=info[:, None] > 0)
    own = np.einsum("dt,dts,ds->d", w, covariance, w)
    precise = np.where(used, info / (1 + info * own), 0.0)
    miss = np.divide(gap, info, out=np.zeros_like(gap), where=info > 0)
    total = np.bincount(region, precise, regions)
    mean = np.divide(np.bincount(region, precise * miss, regions), total, out=np.zeros(regions), where=total > 0)
    variance = np.divide(1.0, total, out=np.full(regions, np.inf), where=total > 0)
    return shrink(mean, variance), 1 / max(float(precise.sum()), TINY)


def _calibrated(f: Forecast, placebo: Bools) -> Forecast:
    """The forecast with its variance and tails widened to what the untreated dealers show."""
    total = f.own + f.nation + f.region + f.binomial
    z = f.effect[placebo] / np.sqrt(total[placebo])
    low, high = np.quantile(z, [WINSORISED, 1 - WINSORISED])
    inflation = max(1.0, MEAN_SQUARE * float((np.clip(z, low, high) ** 2).mean()))
    widened = replace(f, inflation=inflation)
    scores = stats.norm.isf(np.clip(_upper(widened, placebo), 1e-12, 1 - 1e-12))
    fits = [stats.t.logpdf(scores, df).sum() for df in DF_GRID]
    return replace(widened, df=float(DF_GRID[int(np.argmax(fits))]))


def p_values(f: Forecast) -> tuple[Floats, Floats]:
    """One-sided p of "better" and of "worse": mid-p of the beta-binomial, then Student-t tails; NaN without cases."""
    seen = f.n > 0
    up = np.full(len(f.n), np.nan)
    score = stats.norm.isf(np.clip(_upper(f, seen), 1e-12, 1 - 1e-12))
    up[seen] = stats.t.sf(score, f.df)
    return up, 1 - up


def interval(f: Forecast) -> tuple[Floats, Floats]:
    """The 90 % interval of the effect, rates 0-1: t-point x sqrt(Var(p_hat) + p~ (1 - p~)/n)."""
    smoothed = (f.x + 4 * f.expected) / (f.n + 4)
    half = stats.t.ppf(0.95, f.df) * np.sqrt(f.variance + smoothed * (1 - smoothed) / np.maximum(f.n, 1))
    return f.effect - half, f.effect + half


def _upper(f: Forecast, which: Bools) -> Floats:
    """Mid-p of at least the observed events under BetaBinomial(n, p k, (1 - p) k)."""
    p = np.clip(f.expected[which], 1e-9, 1 - 1e-9)
    k = np.clip(p * (1 - p) / np.maximum(f.variance[which], TINY) - 1, 0.1, 1e7)
    return 1 - betabinomial_mid(f.x[which], f.n[which], p * k, (1 - p) * k)


def betabinomial_mid(x: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """P(X < x) + P(X = x)/2 for X ~ BetaBinomial(n, a, b), vectorised over cases.

    Sums the probabilities from the nearer end, each from the one before; scipy sums them one case at a time.
    """
    turned = x > n / 2
    x, a, b = np.where(turned, n - x, x), np.where(turned, b, a), np.where(turned, a, b)
    length = x.astype(np.intp) + 1
    start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.intp)
    case = np.repeat(np.arange(len(x)), length)
    j = np.arange(len(case)) - start[case]  # 0..x within each case
    before = np.maximum(j - 1, 0)
    nn, aa, bb = n[case], a[case], b[case]
    ratio = np.log((nn - before) / (before + 1) * (before + aa) / (nn - before - 1 + bb))
    ratio[start] = _log_none(n, a, b)
    total = np.cumsum(ratio)
    log_p = total - np.repeat(total[start] - ratio[start], length)
    probability = np.exp(log_p)
    probability[start + length - 1] *= 0.5
    lower = np.minimum(np.add.reduceat(probability, start), 1.0) if len(start) else np.zeros(0)
    return np.where(turned, 1 - lower, lower)


def _log_none(n: Floats, a: Floats, b: Floats) -> Floats:
    """log P(X = 0) of the beta-binomial."""
    return np.asarray(gammaln(n + b) - gammaln(b) + gammaln(a + b) - gammaln(n + a + b))
