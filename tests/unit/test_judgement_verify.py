"""Verification and diagnosis on small simulated networks with known truth (the large runs: tests/bench)."""

import numpy as np
import pandas as pd
import pytest

from models.enums import EffectVerdict
from models.errors import SourceError
from models.messages import LOCALES
from reports.verdicts import notes, sentence
from tasks.compute.judgement.compare import adjust, compare, ranking
from tasks.compute.judgement.drivers import drivers
from tasks.compute.judgement.pool import pool
from tasks.compute.judgement.posterior import Options
from tasks.compute.judgement.verify import facts, verify
from tests.support.networks import Setting, reason_network, simulate

SMALL = Setting(dealers=120, planned=0.5)


def planned_rows(net, effects, months):
    rows = effects[effects["months"] == months].set_index("dealer_id").loc[net.ids[net.planned]]
    return rows, net.effect(months)[net.planned]


@pytest.fixture(scope="module")
def useless():
    nets = [simulate(SMALL, seed) for seed in range(8)]
    return [(net, verify(net.counts, net.plans, alone=True)) for net in nets]


@pytest.fixture(scope="module")
def helpful():
    net = simulate(Setting(dealers=150, leads=300, effect_points=5), 4)
    return net, verify(net.counts, net.plans.assign(reason="process_follow_up", measure="call_in_an_hour"))


def test_useless_plans_to_the_worst_dealers_seldom_look_effective(useless):
    tails, covered, naive = [], [], []
    for net, effects in useless:
        rows, truth = planned_rows(net, effects, 3)
        tails.append(rows["p_up"] <= 0.05)
        covered.append(rows["lo90"].le(truth) & rows["hi90"].ge(truth))
        after, before = (net.x[:, s].sum((1, 2)) / net.n[:, s].sum((1, 2)) for s in (slice(15, 18), slice(12, 15)))
        spread = np.sqrt(
            after * (1 - after) / net.n[:, 15:18].sum((1, 2)) + before * (1 - before) / net.n[:, 12:15].sum((1, 2))
        )
        naive.append((((after - before) / spread) > 1.645)[net.planned])
    assert np.mean(tails) < 0.065  # 480 plans
    assert np.mean(naive) > 0.10
    assert 0.86 < np.mean(covered) < 0.96


def test_no_useless_plan_passes_the_network_wide_verdict(useless):
    called = pd.concat(effects for _, effects in useless)["verdict"].eq("effective")
    assert called.mean() < 0.02


def test_five_points_are_found_and_shown_shrunk(helpful):
    net, effects = helpful
    last = effects.drop_duplicates("measure_id", keep="last")
    assert last["verdict"].eq("effective").mean() > 0.65
    assert not effects["verdict"].isin(["worse"]).any()
    rows, truth = planned_rows(net, effects[effects["months"] == 3], 3)
    assert np.sqrt(np.mean((rows["shrunk_points"] - truth) ** 2)) < np.sqrt(
        np.mean((rows["effect_points"] - truth) ** 2)
    )


def test_a_settled_measure_has_no_further_look(helpful):
    _, effects = helpful
    settled = effects[effects["verdict"] != "not_enough_evidence"].groupby("measure_id")["months"].min()
    later = effects["months"] > effects["measure_id"].map(settled).fillna(99)
    assert not later.any()


def test_harmful_measures_are_called_worse_and_never_effective():
    net = simulate(Setting(dealers=150, leads=300, effect_points=-5), 4)
    effects = verify(net.counts, net.plans, alone=True)
    assert effects["verdict"].eq("worse").mean() > 0.5
    assert not effects["verdict"].eq("effective").any()


def test_lower_is_better_is_the_mirror_image():
    net = simulate(SMALL, 9)
    mirrored = net.counts.assign(x=net.counts["n"] - net.counts["x"])
    plain, turned = verify(net.counts, net.plans), verify(mirrored, net.plans, higher_is_better=False)
    assert turned["effect_points"].to_numpy() == pytest.approx(plain["effect_points"].to_numpy())
    assert turned["verdict"].tolist() == plain["verdict"].tolist()
    assert turned["value"].to_numpy() == pytest.approx(1 - plain["value"].to_numpy())
    assert turned["target_reached"].tolist() == plain["target_reached"].tolist()
    up, down = compare(net.counts), compare(mirrored, higher_is_better=False)
    assert down["gap_points"].to_numpy() == pytest.approx(-up["gap_points"].to_numpy())
    assert down["flagged"].tolist() == up["flagged"].tolist()
    assert (down["lo90"] <= down["gap_points"]).all()


def test_everyone_treated_gives_no_verdict_and_says_why():
    net = simulate(SMALL, 1)
    everyone = pd.DataFrame({"dealer_id": net.ids, "measure_id": net.ids, "target_points": 3.0, "start": 16})
    effects = verify(net.counts, everyone, alone=True)
    assert set(effects["verdict"]) == {EffectVerdict.NOT_ENOUGH}
    assert set(effects["reason_key"]) == {"judge.why.few_untreated"}
    assert effects["effect_points"].isna().all()
    assert effects["untreated"].eq(0).all()


def test_too_early_closed_and_new_dealers_are_told_apart():
    net = simulate(SMALL, 2)
    planned = net.ids[net.planned]
    closed, new = planned[0], planned[1]
    counts = net.counts[~((net.counts.dealer_id == closed) & (net.counts.month > 15))]
    counts = counts[~((counts.dealer_id == new) & (counts.month < 15))]
    plans = net.plans.copy()
    plans.loc[plans.dealer_id == planned[2], "start"] = 20
    effects = verify(counts, plans, alone=True).set_index("dealer_id")
    assert effects.loc[closed, "reason_key"].unique().tolist() == ["judge.why.no_cases"]
    assert effects.loc[closed, "denominator"].eq(0).all()
    assert effects.loc[new, "reason_key"].unique().tolist() == ["judge.why.short_history"]
    assert effects.loc[planned[2], "reason_key"] == "judge.why.too_early"
    assert effects.loc[planned[3], "effect_points"].notna().all()


def test_not_executed_is_never_no_effect():
    net = simulate(SMALL, 3)
    plans = net.plans.assign(executed=[False] * 30 + [True] * 30)
    effects = verify(net.counts, plans, alone=True)
    idle = effects[effects["executed"].eq(False)]
    assert set(idle["verdict"]) == {"not_enough_evidence"}
    assert set(idle["reason_key"]) == {"judge.why.not_executed"}
    assert idle["effect_points"].notna().all()
    assert idle["q_up"].isna().all()


def test_two_measures_at_once_and_a_whole_region_are_noted():
    net = simulate(SMALL, 5)
    region = net.counts.drop_duplicates("dealer_id").set_index("dealer_id")["region_id"]
    whole = region.index[region == "R00"]
    plans = pd.DataFrame({"dealer_id": [*whole, whole[0]], "target_points": 3.0, "start": 16})
    plans["measure_id"] = [f"m{i}" for i in range(len(plans))]
    effects = verify(net.counts, plans).set_index("measure_id")
    assert effects["notes"].str.contains("judge.note.whole_region").all()
    assert effects.loc[["m0"], "notes"].str.contains("judge.note.several_measures").all()
    assert not effects.loc[["m1"], "notes"].str.contains("judge.note.several_measures").any()
    assert notes(effects.iloc[0].to_dict(), "en")


def test_target_reached_is_a_fact_beside_the_verdict():
    net = simulate(SMALL, 6)
    before = net.x[:, 12:15].sum((1, 2)) / net.n[:, 12:15].sum((1, 2))
    after = net.x[:, 15:18].sum((1, 2)) / net.n[:, 15:18].sum((1, 2))
    rows, _ = planned_rows(net, verify(net.counts, net.plans, alone=True), 3)
    assert rows["target_reached"].tolist() == (after - before >= 0.03)[net.planned].tolist()
    promised = verify(net.counts, net.plans.assign(target=0.2), alone=True)
    rows, _ = planned_rows(net, promised, 3)
    assert rows["target_reached"].tolist() == (after >= 0.2)[net.planned].tolist()


def test_plans_of_other_cycles_only_mark_their_dealers():
    net = simulate(SMALL, 7)
    plans = net.plans.assign(judge=[True] * 10 + [False] * 50)
    effects = verify(net.counts, plans, alone=True)
    assert effects["dealer_id"].nunique() == 10
    assert effects["untreated"].eq(60).all()


def test_unknown_dealer_and_a_plan_after_the_data_are_refused():
    net = simulate(SMALL, 7)
    with pytest.raises(SourceError, match="nobody"):
        verify(net.counts, net.plans.assign(dealer_id="nobody"))
    with pytest.raises(SourceError, match="30"):
        verify(net.counts, net.plans.assign(start=31))


def test_every_row_has_a_sentence_in_both_languages(useless, helpful):
    rows = pd.concat([useless[0][1], helpful[1]]).drop_duplicates("reason_key")
    assert len(rows) >= 3
    for row in rows.to_dict("records"):
        for locale in LOCALES:
            assert "nan" not in sentence(row, locale)
    harm = {"reason_key": "judge.verdict.worse", "shrunk_points": -3.44, "lo90": -6.7, "hi90": -1.5, "months": 3}
    assert "about 3.4 percentage points worse" in sentence(harm, "en")
    assert "−6.7" in sentence(harm, "zh_CN")
    found = facts(helpful[1])
    assert {fact.verdict for fact in found} >= {EffectVerdict.EFFECTIVE}
    assert all(fact.effect_points is None or isinstance(fact.effect_points, float) for fact in found)


def test_pooling_finds_what_single_dealers_cannot():
    net = simulate(Setting(dealers=200, planned=0.5, effect_points=2), 8)
    plans = net.plans.assign(reason="process_follow_up", measure=np.resize(["a", "b", "c", "d"], len(net.plans)))
    effects = verify(net.counts, plans, looks=(3,), alone=True)
    assert effects["verdict"].eq("effective").mean() < 0.5
    pooled = pool(effects)
    assert pooled["dealers"].tolist() == [25, 25, 25, 25]
    assert pooled["verdict"].eq("effective").sum() >= 3
    assert sorted(pooled["rank"]) == [1, 2, 3, 4]
    assert pooled["shrunk_points"].std() <= pooled["effect_points"].std()


def test_pool_of_one_dealer_says_not_enough():
    net = simulate(SMALL, 8)
    effects = verify(net.counts, net.plans.head(1).assign(reason="r", measure="m"), alone=True)
    pooled = pool(effects)
    assert pooled["verdict"].tolist() == ["not_enough_evidence"]
    assert pooled["executed"].tolist() == [1]


def test_ranking_beats_the_raw_rate():
    better = []
    for seed in range(4):
        net = simulate(Setting(dealers=200, after=0), seed)
        table = ranking(net.counts).set_index("dealer_id")["score"].loc[net.ids]
        recent = slice(12, 15)
        truth = pd.Series(net.level[:, recent].mean(1)).rank()
        raw = pd.Series(net.x[:, recent].sum((1, 2)) / net.n[:, recent].sum((1, 2)))
        better.append(table.rank().reset_index(drop=True).corr(truth) - raw.rank().corr(truth))
    assert np.mean(better) > 0.05


def test_a_network_without_differences_flags_nobody():
    flat = Setting(dealers=200, tau2=0, sigma2=0, nu2=0, region_sd=0, region_month_sd=0, history=12, after=0)
    frames = {str(seed): compare(simulate(flat, seed).counts) for seed in range(5)}
    assert not any(frame["flagged"].any() for frame in adjust(frames).values())


def test_mix_is_not_held_against_a_dealer():
    rng = np.random.default_rng(0)
    rows = []
    for dealer in range(60):
        hard = 0.9 if dealer == 0 else 0.3  # dealer 0 sells the difficult series; it sells it as well as anyone
        for month in range(1, 13):
            for cell, share, rate in (("hard", hard, 0.08), ("easy", 1 - hard, 0.25)):
                n = round(100 * share)
                rows.append((f"D{dealer:02d}", "R", month, cell, n, rng.binomial(n, rate)))
    counts = pd.DataFrame(rows, columns=["dealer_id", "region_id", "month", "cell", "n", "x"])
    frame = compare(counts).set_index("dealer_id")
    assert frame.loc["D00", "value"] < 0.12 < frame["value"].median()
    assert frame.loc["D00", "expected"] == pytest.approx(0.097, abs=0.01)
    assert abs(frame.loc["D00", "gap_points"]) < 1.5
    assert not frame.loc["D00", "flagged"]


@pytest.mark.parametrize(
    ("spoil", "missing"),
    [
        (lambda c: c[c.dealer_id == "D0000"], "judge.missing.few_dealers"),
        (lambda c: c.assign(x=0), "judge.missing.no_variation"),
        (lambda c: c.assign(x=c.n), "judge.missing.no_variation"),
        (lambda c: c.assign(n=0, x=0), "judge.missing.no_cases"),
        (
            lambda c: c.groupby(["dealer_id", "month"]).head(1).assign(n=1, x=lambda f: f.month % 2),
            "judge.missing.few_cases",
        ),
    ],
)
def test_what_cannot_be_judged_says_why_and_shows_no_estimate(spoil, missing):
    counts = simulate(Setting(dealers=40, history=12, after=0), 1).counts
    frame = compare(spoil(counts))
    assert set(frame["missing"]) == {missing}
    assert not frame["enough"].any()
    assert not frame["flagged"].any()
    assert frame["q_value"].isna().all()
    if missing != "judge.missing.few_cases":
        assert frame["gap_points"].isna().all()


@pytest.mark.parametrize("months", [1, 2])
def test_short_histories_and_one_cell_still_compare(months):
    counts = simulate(Setting(dealers=40, history=months, after=0, series=1, sources=1), 1).counts
    frame = compare(counts)
    assert frame["gap_points"].notna().all()
    assert np.isfinite(frame[["lo90", "hi90", "level"]]).all(axis=None)


def test_a_dealer_that_closed_is_not_ranked():
    counts = simulate(Setting(dealers=40, history=12, after=0), 1).counts
    frame = compare(counts[~((counts.dealer_id == "D0003") & (counts.month > 8))]).set_index("dealer_id")
    assert frame.loc["D0003", "missing"] == "judge.missing.no_cases"
    assert pd.isna(frame.loc["D0003", "gap_points"])
    assert frame["peers"].eq(39).all()


def test_drivers_name_the_planted_reason_and_raw_gaps_add_up():
    counts, truth, names = reason_network(1, dealers=100, reasons=8)
    found = drivers(counts, names)
    first = found[found["rank"] == 1].set_index("dealer_id")["reason"]
    right = (first.reindex(truth["dealer_id"]).to_numpy() == truth["driver"].to_numpy()).mean()
    shares = counts.groupby("dealer_id")[names].sum().idxmax(axis=1).reindex(truth["dealer_id"])
    assert right > 0.75
    assert (shares.to_numpy() == truth["driver"].to_numpy()).mean() < 0.5
    assert found.groupby("dealer_id")["rank"].apply(lambda r: sorted(r) == list(range(1, 9))).all()
    lost = counts.assign(lost=counts[names].sum(axis=1)).groupby("dealer_id")[["lost", "n"]].sum()
    gaps = (found["value"] - found["expected"]).groupby(found["dealer_id"]).sum()
    expected = found.groupby("dealer_id")["expected"].sum()
    assert (lost["lost"] / lost["n"] - expected).to_numpy() == pytest.approx(gaps.to_numpy())


def test_one_shared_fdr_over_indicators_is_stricter_than_each_alone_on_average():
    weak = compare(simulate(Setting(dealers=100, after=0), 1).counts)
    flat = compare(simulate(Setting(dealers=100, after=0, tau2=0, sigma2=0, nu2=0), 2).counts)
    joint = adjust({"weak": weak, "flat": flat})
    assert list(joint["weak"].columns) == list(weak.columns)
    assert joint["weak"]["flagged"].sum() > 0
    together = pd.concat(joint.values())
    assert together.loc[together["flagged"], "p_value"].mean() <= 0.10


def test_options_move_the_limits():
    counts = simulate(Setting(dealers=30, history=12, after=0), 1).counts
    assert not compare(counts, options=Options(minimum_dealers=31))["enough"].any()
    assert compare(counts, options=Options(minimum_dealers=30))["enough"].any()
