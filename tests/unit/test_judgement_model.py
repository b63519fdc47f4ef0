"""The parts of the judgement engine against independent computations of the same thing."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

from models.errors import SourceError
from tasks.compute.judgement.forecast import betabinomial_mid
from tasks.compute.judgement.information import months_needed, plan_months
from tasks.compute.judgement.model import Residuals, network, panel, residuals
from tasks.compute.judgement.pool import paule_mandel, storey
from tasks.compute.judgement.posterior import fit, mode
from tasks.compute.judgement.prior import Prior, autocovariance, estimate, shrink
from tests.support.networks import Setting, simulate


@pytest.fixture(scope="module")
def net():
    return simulate(Setting(dealers=150, history=12, after=0), seed=3)


def test_network_model_is_the_binomial_glm_of_the_totals(net):
    p = panel(net.counts)
    totals = net.counts.groupby(["month", "cell"], as_index=False)[["n", "x"]].sum()
    design = pd.get_dummies(totals[["month", "cell"]].astype(str), drop_first=True).astype(float)
    model = sm.GLM(np.c_[totals.x, totals.n - totals.x], sm.add_constant(design), family=sm.families.Binomial()).fit()
    ours = network(p)
    month, cell = totals["month"].to_numpy() - 1, pd.factorize(totals["cell"], sort=True)[0]
    assert ours.month[month] + ours.cell[cell] == pytest.approx(model.predict(which="linear"), abs=0.01)


def test_residuals_are_observed_minus_expected_per_dealer_and_month():
    counts = pd.DataFrame(
        {"dealer_id": ["a", "a", "b"], "region_id": "r", "month": [1, 1, 2], "cell": ["u", "v", "u"], "n": [10, 20, 5]}
    ).assign(x=[4, 3, 5])
    r = residuals(panel(counts), np.log([0.2 / 0.8, 0.1 / 0.9, 0.5 / 0.5]))
    assert r.gap == pytest.approx(np.array([[4 - 2 + 3 - 2, 0], [0, 2.5]]))
    assert r.info == pytest.approx(np.array([[10 * 0.16 + 20 * 0.09, 0], [0, 1.25]]))
    assert r.logit == pytest.approx(np.array([[3 / 3.4, 0], [0, 2]]))


def test_region_of_a_dealer_is_that_of_its_latest_month():
    counts = pd.DataFrame({"dealer_id": "a", "region_id": ["new", "old"], "month": [2, 1], "cell": "c", "n": 5, "x": 1})
    p = panel(counts)
    assert p.regions[p.region[0]] == "new"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"n": [-1]}, "judge.frame.not_whole"),
        ({"x": [0.5]}, "judge.frame.not_whole"),
        ({"x": [9]}, "judge.frame.more_events"),
        ({"n": [np.nan]}, "judge.frame.not_whole"),
        ({"n": ["many"]}, "judge.frame.not_whole"),
        ({"month": [0]}, "judge.frame.not_whole"),
        ({"month": [202401]}, "judge.frame.month_too_large"),
    ],
)
def test_impossible_counts_are_refused_with_row_and_column(change, key):
    counts = pd.DataFrame({"dealer_id": ["a"], "region_id": ["r"], "month": [1], "cell": ["c"], "n": [5], "x": [1]})
    with pytest.raises(SourceError) as error:
        panel(counts.assign(**change))
    assert error.value.key == key
    assert error.value.params["row"] == 1
    assert error.value.text("en")
    assert error.value.text("zh_CN")


def test_missing_column_is_named():
    with pytest.raises(SourceError, match="cell"):
        panel(pd.DataFrame({"dealer_id": [], "region_id": [], "month": [], "n": [], "x": []}))


def test_autocovariance_finds_planted_levels_movement_and_noise():
    rng = np.random.default_rng(1)
    dealers, months = 4000, 12
    truth = Prior(0.05, 0.03, 0.6, 0.02)
    k = truth.between(range(months), range(months))
    theta = rng.multivariate_normal(np.zeros(months), k, dealers)
    info = np.full(theta.shape, 20.0)
    r = Residuals((theta + rng.normal(0, 20**-0.5, theta.shape)) * info, info)
    c, _ = autocovariance(r)
    assert c[:3] == pytest.approx([0.10, 0.068, 0.0608], abs=0.005)
    found = estimate(r)
    assert found.tau2 == pytest.approx(0.05, abs=0.01)
    assert found.rho == pytest.approx(0.6, abs=0.1)
    assert found.total == pytest.approx(0.10, abs=0.006)


def test_a_network_of_equal_dealers_has_next_to_no_prior_variance():
    flat = Setting(tau2=0, sigma2=0, nu2=0, region_sd=0, region_month_sd=0, history=12, after=0)
    fitted = fit(simulate(flat, 5).counts)
    assert fitted.prior.total < 0.004  # against 0.08 in the ordinary setting


def test_the_typical_dealer_lies_further_out_than_the_average_rate():
    rng = np.random.default_rng(0)
    prior = Prior(0.3, 0.0, 0.5, 0.1)
    for average in (0.05, 0.15, 0.5, 0.8):
        typical = prior.typical(np.log(average / (1 - average)))
        rates = 1 / (1 + np.exp(-typical - rng.normal(0, prior.total**0.5, 200_000)))
        assert rates.mean() == pytest.approx(average, rel=0.02)


def test_posterior_mode_is_the_maximum_of_likelihood_times_prior(net):
    p = panel(net.counts)
    logit = network(p).logit(p)
    prior = Prior(0.05, 0.02, 0.7, 0.01)
    theta, score, _ = mode(p, logit, prior)
    k = prior.between(range(12), range(12))
    assert theta == pytest.approx(score @ k, abs=1e-6)  # theta = K g
    one = p.d == 7

    def loss(values):
        eta = logit[one] + values[p.t[one]]
        return -(p.x[one] * eta - p.n[one] * np.logaddexp(0, eta)).sum() + values @ np.linalg.solve(k, values) / 2

    best = optimize.minimize(loss, np.zeros(12), method="BFGS")
    assert theta[7] == pytest.approx(best.x, abs=2e-3)


def test_forecast_of_levels_is_the_textbook_formula(net):
    fitted = fit(net.counts)
    mean, covariance = fitted.predict([13, 15])
    k, cross = fitted.prior.between(range(1, 13), range(1, 13)), fitted.prior.between(range(1, 13), [13, 15])
    w = np.diag(fitted.info[4])
    inner = np.linalg.inv(np.eye(12) + k @ w)
    assert mean[4] == pytest.approx(cross.T @ np.linalg.solve(k, fitted.theta[4]), abs=1e-6)
    assert covariance[4] == pytest.approx(fitted.prior.between([13, 15], [13, 15]) - cross.T @ w @ inner @ cross)


def test_betabinomial_mid_p_agrees_with_scipy():
    n = np.array([1, 10, 50, 400, 400, 3000.0])
    x = np.array([0, 9, 25, 60, 399, 450.0])
    a, b = np.array([0.5, 3, 80, 15, 700, 1500.0]), np.array([0.7, 1, 70, 85, 4, 8500.0])
    exact = stats.betabinom.cdf(x, n, a, b) - stats.betabinom.pmf(x, n, a, b) / 2
    assert betabinomial_mid(x, n, a, b) == pytest.approx(exact, rel=1e-6)


def test_shrunk_group_effects_keep_more_where_more_is_known():
    found = shrink(np.array([0.5, -0.5, 0.4, -0.4, 0.3]), np.array([0.01, 0.01, 0.2, 0.2, np.inf]))
    kept = np.abs(found.value) / np.array([0.5, 0.5, 0.4, 0.4, 0.3])
    assert kept[0] > 0.9 > kept[2] > 0.3
    assert found.value[4] == 0
    assert found.variance[4] == pytest.approx(found.between)


def test_storey_q_values_by_hand():
    p = np.array([0.001, 0.01, 0.02, 0.6, np.nan, 0.9])
    # two of five above .5: pi0 = 3 / 2.5 > 1, so Benjamini-Hochberg
    assert storey(p) == pytest.approx([0.005, 0.025, 1 / 30, 0.75, np.nan, 0.9], nan_ok=True)
    assert storey(np.full(10, 0.04)) == pytest.approx(np.full(10, 0.3 * 0.04))


def test_paule_mandel_agrees_with_statsmodels():
    rng = np.random.default_rng(2)
    v = rng.uniform(0.5, 4, 15)
    y = rng.normal(2, np.sqrt(v + 1.5))
    ours = paule_mandel(y, v)
    theirs = combine_effects(y, v, method_re="iterated", use_t=True)
    assert ours.mean == pytest.approx(theirs.mean_effect_re, abs=1e-3)
    assert ours.between == pytest.approx(theirs.tau2, abs=1e-3)
    assert ours.se >= theirs.sd_eff_w_re_hksj - 1e-6


def test_months_needed_fall_with_leads_and_target():
    # verification.md: 80 % power takes 5.0 points at 3 months, 4.2 at 6 with 100-200 leads a month; 3.2, 3.0 above 400
    needed = months_needed([20, 150, 150, 150, 700, 700], 0.15, [3, 5.5, 4.6, 3, 3.3, 2])
    assert needed.tolist()[1:3] == [3, 6]
    assert needed[4] in (2, 3)
    assert needed.isna().tolist() == [True, False, False, True, False, True]


def test_plan_months_from_a_fit_leave_unknown_dealers_open(net):
    table = plan_months(fit(net.counts), pd.Series({"D0001": 4.0, "D0002": 40.0, "elsewhere": 4.0})).set_index(
        "dealer_id"
    )
    assert table.loc["D0002", "months_needed"] == 1
    assert pd.isna(table.loc["elsewhere", "months_needed"])
    assert table.loc["D0001", "se_points_3"] > 0
