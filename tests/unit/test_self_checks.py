"""The checks of a cycle on itself, on small networks with known truth."""

import numpy as np
import pandas as pd
import pytest

from models.messages import LOCALES, text
from tasks.compute.judgement.verify import verify
from tasks.compute.learning.self_checks import CHECK_COLUMNS, programme, self_checks
from tests.support.networks import Setting, simulate

SMALL = Setting(dealers=150, planned=0.3)


def treated(net):
    return net.plans.assign(issued_after=net.plans["start"] - 1)


def checked(net, **changes):
    looks = verify(net.counts, net.plans, looks=(6,))
    return self_checks(net.counts, treated(net), looks, **changes).set_index("check")


@pytest.fixture(scope="module")
def helped():
    return simulate(Setting(dealers=150, planned=0.3, effect_points=3), 1)


def test_the_programmes_effect_is_found_for_the_treated_and_for_the_network(helped):
    table = checked(helped)
    assert [*table.columns] == CHECK_COLUMNS[1:]
    leads = helped.n[:, helped.setting.history :].sum((1, 2))
    network = (helped.effect(6) * leads).sum() / leads.sum()
    for check, truth in (("programme_treated", 3.0), ("programme_network", network)):
        assert table.loc[check, "lo90"] < truth < table.loc[check, "hi90"]
        assert table.loc[check, "verdict"] == "learning.verdict.gained"


def test_a_sound_engine_passes_its_own_checks(helped):
    table = checked(helped)
    assert table.loc[["aa_false", "placebo_z"], "verdict"].eq("learning.verdict.as_expected").all()
    assert 0.7 < table.loc["placebo_z", "value"] < 1.2
    assert 0 <= table.loc["inconclusive", "lo90"] < table.loc["inconclusive", "hi90"] <= 1


def test_dealers_held_back_by_chance_show_the_effect():
    net = simulate(Setting(dealers=150, planned=0.3, effect_points=5, worst_first=False), 2)
    held = frozenset(net.ids[~net.planned][::4])
    row = checked(net, held=held).loc["hold_back"]
    assert row["lo90"] < 5 < row["hi90"]
    assert row["verdict"] == "learning.verdict.gained"


def test_a_second_measure_makes_no_untreated_dealer_of_the_first(helped):
    """Dealers that start again just then cannot show what would have happened anyway."""
    later = treated(helped).assign(start=helped.setting.history + 3, issued_after=helped.setting.history + 2)
    once = programme(helped.counts, treated(helped))[0]
    twice = programme(helped.counts, pd.concat([treated(helped), later]))[0]
    assert (twice.value, twice.cases) == (pytest.approx(once.value), once.cases)


def test_too_little_to_check_is_said():
    net = simulate(Setting(dealers=20, planned=0.5), 3)
    table = checked(net)
    for check in ("aa_false", "placebo_z", "programme_treated"):
        assert table.loc[check, "verdict"] == "learning.verdict.too_few"
        assert np.isnan(table.loc[check, "value"])
    nothing = self_checks(net.counts.iloc[:0], treated(net).iloc[:0], verify(net.counts, net.plans).iloc[:0])
    assert set(nothing["verdict"]) == {"learning.verdict.too_few"}


def test_every_check_and_verdict_has_its_text(helped):
    table = checked(helped, held=frozenset(helped.ids[~helped.planned][:20])).reset_index()
    for locale in LOCALES:
        for row in table.itertuples():
            assert text(f"learning.check.{row.check}", locale)
            assert text(row.verdict, locale)
