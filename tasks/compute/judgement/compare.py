"""Who is truly weak, at what: each dealer against its peers on its own mix of customers (verification.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from tasks.compute.judgement.model import TINY, Floats, Panel, as_text, expit, panel, residuals, sums
from tasks.compute.judgement.posterior import Fit, Options, fit_panel

HALF_90 = 1.645
OUTSIDE = 1.96  # funnel limits: 95 %
COMPARE_COLUMNS = [
    "dealer_id",
    "region_id",
    "numerator",
    "denominator",
    "value",
    "expected",
    "level",
    "deviation",
    "gap_points",
    "lo90",
    "hi90",
    "p_value",
    "q_value",
    "flagged",
    "funnel_z",
    "funnel_outside",
    "funnel_between",
    "peers",
    "enough",
    "missing",
]


def compare(
    counts: pd.DataFrame,
    *,
    window: int | None = None,
    history: int | None = None,
    higher_is_better: bool = True,
    options: Options | None = None,
) -> pd.DataFrame:
    """Every dealer against its peers over the last ``window`` months, learnt from the last ``history`` months.

    ``counts``: see ``model.panel``. Returns COMPARE_COLUMNS, one row per dealer in ``counts``, in the indicator's own
    direction:

    - numerator, denominator, value: as counted in the window.
    - expected: the rate network and (shrunk) region would give on the dealer's own mix of cells and months.
    - level: the dealer's level in percentage points on the network's mix (own-mix-free), region included: for ranking.
    - gap_points: shrunk difference from ``expected`` in percentage points, i.e. where the dealer truly stands by the
      posterior, not value - expected; lo90, hi90 its interval.
    - deviation: the same difference in log-odds (its own direction too): compares indicators of different base rate.
    - p_value: posterior probability that the dealer is not worse than expected by ``relevance`` log-odds; q_value:
      expected share of wrongly accused among all dealers at least as sure; flagged: q_value at most ``fdr``.
    - funnel_z, funnel_outside: the funnel plot with additive over-dispersion beside it (Spiegelhalter 2005): is the
      dealer outside what is normal among dealers. funnel_between: that variance between dealers, in squared log-odds;
      the limits at n cases of rate p are p +- OUTSIDE x sqrt(p (1 - p) / n + funnel_between x (p (1 - p))^2).
    - peers: dealers with cases in the window; enough, missing: whether the dealer can be judged, and the message that
      says why not. Without enough dealers, or when all cases are alike, only what was counted is filled.
    """
    options = options or Options()
    p = panel(counts, higher_is_better=higher_is_better)
    return compare_panel(p, window or options.window, history or options.history, options)


def compare_panel(p: Panel, window: int, history: int, options: Options) -> pd.DataFrame:
    """``compare`` on a panel, for callers that judge many indicators of the same counts."""
    known = p.between(max(1, p.months - history + 1), p.months)
    recent = known.between(max(1, known.months - window + 1), known.months)
    n, x = recent.by_dealer(recent.n), recent.by_dealer(recent.x)
    peers = int((n > 0).sum())
    frame = pd.DataFrame(
        {
            "dealer_id": as_text(p.dealers),
            "region_id": as_text(p.regions[p.region]),
            "numerator": (n - x if p.turned else x).astype(np.int64),
            "denominator": n.astype(np.int64),
            "value": np.divide(n - x if p.turned else x, n, out=np.full_like(n, np.nan), where=n > 0),
        }
    )
    fitted = fit_panel(known) if peers >= options.minimum_dealers else None
    place = _place(fitted, recent, n, options.relevance) if fitted else _nowhere(len(n))
    if fitted is None:
        why = "judge.missing.few_dealers" if peers < options.minimum_dealers else "judge.missing.no_variation"
        missing = np.where(n == 0, "judge.missing.no_cases", why)
    else:
        missing = np.select(
            [n == 0, n < options.minimum_cases], ["judge.missing.no_cases", "judge.missing.few_cases"], ""
        )
    sign = -1 if p.turned else 1
    low, high = (place.low, place.high) if sign > 0 else (-place.high, -place.low)
    frame = frame.assign(
        expected=1 - place.expected if p.turned else place.expected,
        level=100 * (1 - place.level if p.turned else place.level),
        gap_points=100 * sign * place.gap,
        lo90=100 * low,
        hi90=100 * high,
        deviation=sign * place.deviation,
        p_value=place.p_value,
        funnel_z=sign * place.funnel,
        funnel_outside=pd.Series(np.abs(place.funnel) > OUTSIDE, dtype="boolean").where(~np.isnan(place.funnel)),
        funnel_between=place.between,
        peers=peers,
        enough=missing == "",
        missing=pd.Series(missing, dtype="str"),
    )
    return adjust({"": frame}, options=options)[""][COMPARE_COLUMNS]


@dataclass(frozen=True)
class _Place:
    """Where dealers stand in the window; rates 0-1 in the turned direction (higher is better); NaN without cases."""

    expected: Floats
    level: Floats
    gap: Floats
    low: Floats
    high: Floats
    deviation: Floats
    p_value: Floats
    funnel: Floats
    between: Floats


def _nowhere(dealers: int) -> _Place:
    nothing = np.full(dealers, np.nan)
    return _Place(*[nothing] * 9)


def _place(fitted: Fit, recent: Panel, n: Floats, margin: float) -> _Place:
    p = fitted.panel
    offset = p.months - recent.months
    region = fitted.regions.per_month()[:, offset:]
    nation = fitted.network.month[offset:]
    base = nation[recent.t] + fitted.network.cell[recent.c]
    peers = base + region[recent.region[recent.d], recent.t]
    theta, covariance = fitted.predict(np.arange(offset + 1, p.months + 1))
    typical = fitted.prior.typical(peers)
    rate = expit(typical + theta[recent.d, recent.t])
    w = recent.by_dealer_month(recent.n * rate * (1 - rate))
    share = np.divide(w, w.sum(1, keepdims=True), out=np.zeros_like(w), where=w.sum(1, keepdims=True) > 0)
    lasting = (share * theta).sum(1)
    common = fitted.regions.nation + fitted.regions.variance[recent.region]
    sd = np.sqrt(np.einsum("dt,dts,ds->d", share, covariance, share) + common)
    cases = np.maximum(n, 1)

    def own_mix(shift: Floats) -> Floats:
        return recent.by_dealer(recent.n * expit(typical + shift[recent.d])) / cases

    expected = recent.by_dealer(recent.n * expit(peers)) / cases
    deviation = lasting + recent.by_dealer(recent.n * (typical - peers)) / cases
    harmless = stats.norm.sf((-margin - deviation) / np.maximum(sd, TINY))
    r = residuals(recent, peers)
    gap, info = r.gap.sum(1), r.info.sum(1)
    found = _Place(
        expected,
        _network_mix(fitted, recent, base, lasting + (share * region[recent.region]).sum(1)),
        own_mix(lasting) - expected,
        own_mix(lasting - HALF_90 * sd) - expected,
        own_mix(lasting + HALF_90 * sd) - expected,
        deviation,
        harmless,
        *_funnel(gap, info),
    )
    seen = n > 0
    return _Place(*(np.where(seen, values, np.nan) for values in vars(found).values()))


def _network_mix(fitted: Fit, recent: Panel, base: Floats, shift: Floats) -> Floats:
    """The rate each dealer's level would give on the network's own mix of cells and months in the window."""
    cells = len(fitted.panel.cells)
    key = recent.t * cells + recent.c
    weight = sums(key, recent.n, recent.months * cells)
    logit = np.zeros(len(weight))
    logit[key] = base
    used = weight > 0
    typical = fitted.prior.typical(logit[used])
    return np.asarray(expit(shift[:, None] + typical) @ weight[used] / weight.sum())


def _funnel(gap: Floats, info: Floats) -> tuple[Floats, Floats]:
    """z of the window's observed minus expected, and the variance between dealers in it (moments of winsorised z)."""
    seen = info > 0
    if not seen.any():
        return np.full_like(gap, np.nan), np.full_like(gap, np.nan)
    z = np.divide(gap, np.sqrt(info), out=np.full_like(gap, np.nan), where=seen)
    low, high = np.quantile(z[seen], [0.1, 0.9])
    phi = float((np.clip(z[seen], low, high) ** 2).mean())
    w = info[seen]
    k = int(seen.sum())
    spread = w.sum() - (w**2).sum() / w.sum()
    between = max(0.0, (k * phi - (k - 1)) / spread) if spread > 0 else 0.0
    return np.asarray(z / np.sqrt(1 + between * info)), np.full_like(gap, between)


def adjust(frames: Mapping[str, pd.DataFrame], *, options: Options | None = None) -> dict[str, pd.DataFrame]:
    """The frames of ``compare`` for several indicators with q_value and flagged decided over all of them at once."""
    options = options or Options()
    together = pd.concat(frames, names=["_of", "_row"])
    p = together["p_value"].where(together["enough"]).to_numpy(float)
    q = sure(p)
    together["q_value"] = q
    together["flagged"] = q <= options.fdr
    return {name: together.loc[[name]].reset_index(drop=True) for name in frames}


def sure(p: Floats) -> Floats:
    """Expected share of errors among all findings at least as sure: running mean of the sorted probabilities."""
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    q[order] = np.cumsum(p[order]) / np.arange(1, len(order) + 1)
    return q


def ranking(
    counts: pd.DataFrame,
    *,
    window: int | None = None,
    higher_is_better: bool = True,
    options: Options | None = None,
) -> pd.DataFrame:
    """Dealers from weak to strong: dealer_id, score (``level`` of compare, turned so that low = bad), gap_points.

    Dealers without cases in the window have no score and come last.
    """
    frame = compare(counts, window=window, higher_is_better=higher_is_better, options=options)
    score = frame["level"] if higher_is_better else 100 - frame["level"]
    table = pd.DataFrame({"dealer_id": frame["dealer_id"], "score": score, "gap_points": frame["gap_points"]})
    return table.sort_values("score", kind="stable", na_position="last").reset_index(drop=True)
