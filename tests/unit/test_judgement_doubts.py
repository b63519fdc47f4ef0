"""What puts a comparison in doubt, planted: gaps, other sizes, mixes, whole regions, repetition, part execution."""

import numpy as np
import pandas as pd
import pytest

from models.catalogue.doubts import FILE, doubts
from models.errors import CatalogueError
from models.messages import LOCALES
from reports.verdicts import notes, sentence
from tasks.compute.judgement.doubts import mix_moved
from tasks.compute.judgement.model import panel
from tasks.compute.judgement.pool import pool
from tasks.compute.judgement.verify import verify
from tests.support.networks import Setting, simulate

SMALL = Setting(dealers=120, planned=0.5)


@pytest.fixture(scope="module")
def net():
    return simulate(SMALL, 2)


def large_planned(net):
    """A planned dealer with many cases every month."""
    cases = net.n.sum((1, 2)) * net.planned
    return net.ids[int(np.argmax(cases))]


def judged(counts, plans, dealer, **changes):
    return verify(counts, plans, alone=True, **changes).query("dealer_id == @dealer").set_index("months")


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ([18], "judge.why.stopped"),  # closed or merged before the look ends
        ([17, 18, 19, 20, 21], "judge.why.stopped"),
        ([17], "judge.why.months_missing"),
        ([16, 17, 18, 19, 20, 21], "judge.why.no_cases"),
    ],
)
def test_a_dealer_closed_merged_or_silent_mid_plan_gets_no_verdict(net, missing, why):
    one = large_planned(net)
    gone = net.counts["dealer_id"].eq(one) & net.counts["month"].isin(missing)
    look = judged(net.counts[~gone], net.plans, one).loc[3]
    assert look["reason_key"] == why
    assert look["verdict"] == "not_enough_evidence"
    assert np.isnan(look["effect_points"])
    for locale in LOCALES:
        assert sentence(look.to_dict(), locale)


def test_a_month_nobody_has_and_an_empty_month_of_a_tiny_dealer_are_no_gaps(net):
    everywhere = net.counts[net.counts["month"] != 17]
    assert verify(everywhere, net.plans, alone=True)["effect_points"].notna().all()
    tiny = net.counts.copy()
    one = net.ids[net.planned][0]
    its = tiny["dealer_id"].eq(one)
    tiny.loc[its, ["n", "x"]] = 0
    first = tiny[its].drop_duplicates("month").index
    tiny.loc[first, "n"] = 2  # two cases a month, none in month 17
    tiny = tiny[~(its & tiny["month"].eq(17))]
    look = judged(tiny, net.plans, one).loc[3]
    assert not np.isnan(look["effect_points"])
    assert "judge.note.months_missing" in look["notes"]


@pytest.mark.parametrize("factor", [4, 0.2])
def test_a_dealer_merged_or_split_is_not_judged_but_a_shrinking_market_is(net, factor):
    one = large_planned(net)
    after = net.counts["month"] > 15
    its = after & net.counts["dealer_id"].eq(one)
    grown = net.counts.copy()
    grown.loc[its, ["n", "x"]] = (grown.loc[its, ["n", "x"]] * factor).astype(int)
    assert set(judged(grown, net.plans, one)["reason_key"]) == {"judge.why.other_size"}
    smaller = net.counts.copy()
    smaller.loc[after, ["n", "x"]] = smaller.loc[after, ["n", "x"]] // 3
    assert "judge.why.other_size" not in set(verify(smaller, net.plans, alone=True)["reason_key"])


def test_the_mix_is_noted_where_it_moved_and_not_where_chance_moves_it():
    still = simulate(SMALL, 3)
    assert not verify(still.counts, still.plans)["notes"].str.contains("mix_moved").any()
    moved = still.counts.copy()
    one = large_planned(still)
    its = moved["dealer_id"].eq(one) & moved["month"].gt(15)
    moved.loc[its, "cell"] = "cell00"
    looks = verify(moved, still.plans).set_index("dealer_id")
    assert looks.loc[[one], "notes"].str.contains("judge.note.mix_moved").all()
    assert looks["notes"].str.contains("mix_moved").sum() == len(looks.loc[[one]])


def test_the_move_of_a_mix_is_the_share_that_changed_cell():
    def counts(month, cells):
        return [("D", "R", month, cell, n, 0) for cell, n in cells.items()]

    rows = counts(1, {"a": 6000, "b": 4000}) + counts(2, {"a": 3000, "b": 7000})
    both = panel(pd.DataFrame(rows, columns=["dealer_id", "region_id", "month", "cell", "n", "x"]))
    assert mix_moved(both.between(1, 1), both.between(2, 2)) == pytest.approx([0.30], abs=0.01)
    assert mix_moved(both.between(1, 1), both.between(1, 1)).tolist() == [0.0]


def test_a_measure_of_a_whole_region_is_neither_effective_nor_worse_at_a_dealer():
    net = simulate(Setting(dealers=120, leads=400, effect_points=8, planned=0.3, worst_first=False), 5)
    region = net.counts.drop_duplicates("dealer_id").set_index("dealer_id")["region_id"]
    whole = region.index[region == "R00"]
    counts = net.counts.copy()
    some = net.plans[~net.plans["dealer_id"].isin(whole)]
    plans = pd.concat(
        [some, pd.DataFrame({"dealer_id": whole, "measure_id": whole, "target_points": 3.0, "start": 16})]
    )
    after = counts["dealer_id"].isin(whole) & counts["month"].gt(15)
    counts.loc[after, "x"] = np.minimum(counts.loc[after, "n"], counts.loc[after, "x"] * 2)  # a region's boom
    looks = verify(counts, plans, looks=(3,), alone=True).set_index("dealer_id")
    there = looks.loc[whole]
    assert there["p_up"].le(0.1).mean() > 0.5  # it would have been called effective
    assert not there["verdict"].isin(["effective", "worse"]).any()
    assert there.loc[there["p_up"].le(0.02), "reason_key"].eq("judge.why.whole_region").all()
    assert there["notes"].str.contains("judge.note.whole_region").all()
    assert looks.drop(index=whole)["verdict"].eq("effective").mean() > 0.5
    assert sentence(there.iloc[0].to_dict(), "zh_CN")


def test_a_region_of_two_dealers_is_no_whole_region(net):
    counts = net.counts.assign(region_id=net.counts["dealer_id"])  # every dealer a region of its own
    looks = verify(counts, net.plans, alone=True)
    assert not looks["notes"].str.contains("whole_region").any()


def test_an_earlier_measure_on_the_indicator_is_noted(net):
    one = large_planned(net)
    again = pd.DataFrame(
        {"dealer_id": [one], "measure_id": ["early"], "target_points": 3.0, "start": 5, "judge": False}
    )
    looks = verify(net.counts, pd.concat([net.plans.assign(judge=True), again], ignore_index=True), alone=True)
    noted = looks.set_index("dealer_id")["notes"].str.contains("judge.note.repeated")
    assert noted[one].all()
    assert noted.sum() == 2


def test_what_was_left_undone_shares_no_effect(net):
    one = large_planned(net)
    idle = pd.DataFrame(
        {"dealer_id": [one], "measure_id": ["idle"], "target_points": 3.0, "start": 16, "executed": False}
    )
    looks = verify(net.counts, pd.concat([net.plans, idle], ignore_index=True), alone=True)
    assert not looks["notes"].str.contains("several_measures").any()


def test_done_in_part_is_never_without_effect():
    net = simulate(Setting(dealers=120, leads=600, planned=0.4), 3)
    plans = net.plans.assign(target_points=6.0)
    whole = verify(net.counts, plans, looks=(3,), alone=True)
    part = verify(net.counts, plans.assign(execution="partly"), looks=(3,), alone=True)
    nothing = whole["verdict"].eq("no_effect").to_numpy()
    assert nothing.mean() > 0.5
    assert part.loc[nothing, "verdict"].eq("not_enough_evidence").all()
    assert part.loc[nothing, "reason_key"].eq("judge.why.partly").all()
    assert part.loc[~nothing, "verdict"].tolist() == whole.loc[~nothing, "verdict"].tolist()
    assert sentence(part[nothing].iloc[0].to_dict(), "en")


def test_the_pool_takes_what_was_carried_out_alone_and_says_so():
    net = simulate(Setting(dealers=150, planned=0.4, effect_points=3), 8)
    plans = net.plans.assign(
        reason="process_follow_up", measure="call", executed=pd.array([True] * 60, dtype="boolean")
    )
    plans["execution_because"] = "judge.execution.reported"
    plans.loc[:9, "executed"] = False
    plans.loc[10:19, "executed"] = pd.NA
    plans.loc[20:29, "execution_because"] = "judge.execution.reported_partly"
    second = plans.iloc[30:40].assign(measure="roster", measure_id=lambda part: part["measure_id"] + "2")
    looks = verify(net.counts, pd.concat([plans, second], ignore_index=True), looks=(3,), alone=True)
    looks["execution_because"] = looks["measure_id"].map(plans.set_index("measure_id")["execution_because"])
    table = pool(looks).set_index("measure")
    assert table.loc["call", ["dealers", "executed", "pooled", "shared"]].tolist() == [60, 40, 20, 10]
    assert table.loc["call", "basis"] == "executed"
    alone = looks[looks["measure_id"].isin(plans["measure_id"].iloc[40:])]
    assert table.loc["call", "effect_points"] == pytest.approx(pool(alone)["effect_points"].iloc[0])
    assert table.loc["roster", ["dealers", "pooled", "shared"]].tolist() == [10, 0, 10]
    assert np.isnan(table.loc["roster", "effect_points"])
    nobody = pool(looks.assign(executed=pd.array([pd.NA] * len(looks), dtype="boolean"))).set_index("measure")
    assert nobody.loc["call", "basis"] == "unknown"
    idle = pool(looks.assign(executed=False)).set_index("measure")
    assert np.isnan(idle.loc["call", "effect_points"])
    assert idle.loc["call", "basis"] == ""


def test_revised_months_are_told_with_their_figures():
    row = {"notes": "judge.note.revised", "revised_months": 2, "revised_cases": 17}
    for locale in LOCALES:
        assert "2" in notes(row, locale)[0]
        assert "17" in notes(row, locale)[0]


def test_the_limits_are_data_that_an_oem_may_edit(tmp_path):
    (tmp_path / FILE.name).write_text("[whole_region]\ndealers = 5\n", "utf-8")
    assert doubts(tmp_path).whole_region.dealers == 5
    assert doubts(tmp_path).gaps == doubts().gaps
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE.name).write_text("[recoding]\nshare = 3\n", "utf-8")
    with pytest.raises(CatalogueError) as error:
        doubts(tmp_path / "bad")
    assert "recoding.share" in error.value.text("en")
