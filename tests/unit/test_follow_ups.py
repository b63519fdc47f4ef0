"""What follows on a verdict: the shipped rules, how a broken edit is refused, and the table of a cycle."""

from datetime import datetime

import pandas as pd
import pytest

from models.catalogue.follow_ups import FILE, STEPS, follow_ups, load_follow_ups, next_step
from models.enums import EffectVerdict
from models.errors import CatalogueError
from models.facts import Cycle
from models.messages import LOCALES
from tasks.compute.learning.following import following

E, N, W, Q = EffectVerdict.EFFECTIVE, EffectVerdict.NO_EFFECT, EffectVerdict.WORSE, EffectVerdict.NOT_ENOUGH


@pytest.mark.parametrize(
    ("verdict", "left", "executed", "partly", "step"),
    [
        (E, True, True, False, "effective"),
        (N, True, None, False, "no_effect"),
        (W, False, True, False, "worse"),
        (Q, True, True, False, "extend"),
        (Q, False, None, False, "pool_only"),
        (N, False, False, False, "not_executed"),
        (Q, True, False, False, "not_executed"),
        (Q, True, True, True, "extend"),
        (Q, False, True, True, "partly"),
        (E, True, True, True, "effective"),
    ],
)
def test_the_verdict_decides_and_what_was_not_done_is_never_without_effect(verdict, left, executed, partly, step):
    assert next_step(verdict, looks_left=left, executed=executed, partly=partly) == step


def test_the_shipped_rules_are_those_of_the_process():
    rules = follow_ups()
    assert rules.look_months == (3, 6)
    assert {name: (step.plan, step.measure) for name, step in rules.steps.items()} == {
        "effective": ("close", "share"),
        "no_effect": ("carry", "next"),
        "worse": ("carry", "withdraw"),
        "extend": ("wait", "keep"),
        "pool_only": ("carry", "keep"),
        "partly": ("carry", "again"),
        "not_executed": ("carry", "again"),
    }
    assert rules.steps["effective"].consent
    assert all(
        step.title.text(locale) and step.text.text(locale) for step in rules.steps.values() for locale in LOCALES
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[steps.worse]", "[steps.worst]", "steps"),
        ("look_months = [3, 6]", "look_months = [6, 3]", "look_months"),
        ('plan = "wait"', 'plan = "carry"', "extend"),
        ('owner = "region"', 'owner = "nobody"', "owner"),
    ],
)
def test_a_broken_edit_is_refused_and_named(tmp_path, old, new, problem):
    file = tmp_path / "follow_ups.toml"
    file.write_text(FILE.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(CatalogueError) as error:
        load_follow_ups(file)
    assert "follow_ups.toml" in error.value.text("en")
    assert problem in error.value.text("en")


def test_the_table_of_a_cycle_names_step_owner_day_and_the_next_measure():
    looks = pd.DataFrame(
        [
            ("P1", "P1-1", "D1", "call", "no_effect", 3, True),
            ("P2", "P2-1", "D2", "roster", "no_effect", 6, pd.NA),
            ("P3", "P3-1", "D3", "call", "not_enough_evidence", 6, True),
        ],
        columns=["plan_id", "measure_id", "dealer_id", "measure", "verdict", "months", "executed"],
    ).assign(region_id="R", reason="slow")
    tried = {("D2", "slow"): frozenset({"call", "roster"})}
    table = following(looks, {"slow": ["alert", "call"]}, tried, follow_ups(), Cycle("2026-10", datetime(2026, 11, 1)))
    assert table["step"].tolist() == ["no_effect", "no_effect", "pool_only"]
    assert table["next_measure"].tolist() == ["alert", "alert", ""]
    assert table["due_on"].dt.strftime("%m-%d").tolist() == ["11-16", "11-16", "12-01"]
    assert set(STEPS) == set(follow_ups().steps)
