"""How many months a verdict takes (verification.md step 9), said when a plan is made and while evidence is short."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tasks.compute.judgement.model import Floats, as_text
from tasks.compute.judgement.posterior import Fit, Options, predict
from tasks.compute.judgement.prior import Prior

POWER = 2.49  # 1.645 for one-sided .05 plus .84 for 80 % power, in standard errors
# How dealers differ where no fit is at hand; gives the table of verification.md (effect found with 80 % power by number
# of leads: 5.0 points after three months at 100-200 a month) to within 8 %.
TYPICAL = Prior(tau2=0.05, sigma2=0.0075, rho=0.9, nu2=0.0)


def standard_errors(
    covariance: Floats, cases: Floats, rate: Floats, shared: ArrayLike = 0.0, inflation: float = 1.0
) -> Floats:
    """Standard error of the effect (rate, 0-1) after 1, 2, ... H months: dealers x H.

    ``covariance`` of the levels (dealers x H x H), ``cases`` per month, expected ``rate``, ``shared`` variance of the
    common shifts (rate squared).
    """
    horizon = covariance.shape[1]
    months = np.arange(1, horizon + 1)
    total = np.array([covariance[:, :h, :h].sum((1, 2)) / h**2 for h in months]).T
    spread = (rate * (1 - rate))[:, None]
    sampling = spread / np.maximum(cases[:, None] * months, 1e-9)
    common = np.broadcast_to(np.asarray(shared, float), rate.shape)[:, None]
    return np.asarray(np.sqrt(inflation * (total * spread**2 + common + sampling)))


def first_enough(se: Floats, target_points: ArrayLike, months: ArrayLike) -> pd.Series[int]:
    """First of ``months`` at which an effect of the target would be found with 80 % power; missing when none does."""
    chosen = np.asarray(months)
    enough = POWER * 100 * se[:, chosen - 1] <= np.asarray(target_points, float)[:, None]
    found = pd.Series(chosen[enough.argmax(1)], dtype="Int64")
    return found.where(pd.Series(enough.any(1)))


def months_needed(
    leads_per_month: ArrayLike,
    base_rate: ArrayLike,
    target_points: ArrayLike,
    *,
    prior: Prior = TYPICAL,
    history: int = 12,
    untreated: int = 100,
    horizons: tuple[int, ...] = Options.horizons,
) -> pd.Series[int]:
    """Months after which a measure of this target can be verified for a dealer of this size; missing: only in the pool.

    Works before any fit: ``prior`` says how dealers differ, ``history`` how many months are known, ``untreated`` how
    many dealers (of the same size) show the common shift.
    """
    n, p, target = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, float)) for v in (leads_per_month, base_rate, target_points))
    )
    info = np.repeat((n * p * (1 - p))[:, None], history, axis=1)
    ahead = np.arange(history + 1, history + 1 + max(horizons))
    _, covariance = predict(prior, np.zeros_like(info), info, ahead)
    alone = standard_errors(covariance, n, p)[:, max(horizons) // 2]
    return first_enough(standard_errors(covariance, n, p, alone**2 / max(untreated, 1)), target, horizons)


def plan_months(fit: Fit, target_points: pd.Series[float], options: Options | None = None) -> pd.DataFrame:
    """For every dealer of ``target_points`` (index dealer_id, values in points): months until a verdict, from the fit.

    Columns: dealer_id, cases_per_month, se_points_3 (after three months), months_needed (missing: only in the pool).
    Dealers the fit does not know get no months.
    """
    options = options or Options()
    place = pd.Index(fit.panel.dealers).get_indexer(target_points.index)
    known = place >= 0
    at = place[known]
    months = max(*options.horizons, 3)
    ahead = np.arange(fit.panel.months + 1, fit.panel.months + 1 + months)
    _, covariance = predict(fit.prior, fit.score[at], fit.info[at], ahead)
    by_month = fit.panel.by_dealer_month(fit.panel.n)[at]
    cases = by_month.mean(1)
    rate = np.clip(_rates(fit)[at], 1e-6, 1 - 1e-6)
    others = max(len(fit.panel.dealers) - len(at), 1)
    shared = standard_errors(covariance, cases, rate)[:, 2] ** 2 / others
    se = standard_errors(covariance, cases, rate, shared)
    table = pd.DataFrame({"dealer_id": as_text(target_points.index.to_numpy(object))})
    table.loc[known, "cases_per_month"] = cases
    table.loc[known, "se_points_3"] = 100 * se[:, 2]
    needed = first_enough(se, list(target_points[known]), options.horizons)
    return table.assign(months_needed=needed.set_axis(np.flatnonzero(known)).reindex(table.index))


def _rates(fit: Fit) -> Floats:
    """Fitted mean rate of each dealer over the history; the network's where a dealer has no case."""
    n = fit.panel.by_dealer(fit.panel.n)
    overall = fit.panel.x.sum() / fit.panel.n.sum()
    fitted = fit.panel.by_dealer(fit.panel.x) - fit.score.sum(1)
    return np.asarray(np.where(n > 0, fitted / np.maximum(n, 1), overall))
