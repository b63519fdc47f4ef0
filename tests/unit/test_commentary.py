"""The text commentary: a planted change is told, chance is not, every sentence carries its figure and sample."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.catalogue.commentary import DIFFERENCES, SENTENCES, commentary_rules
from models.enums import DefeatVerdict
from models.errors import CatalogueError
from models.messages import LOCALES, has, messages
from reports.commentary import CommentaryFacts, Contrast, Share, commentary, sentences
from tasks.compute.changes import changes

RULES = commentary_rules()
CYCLE, BEFORE, YEAR = "2026-10", "2026-09", "2025-10"
GOLDEN = Path(__file__).parents[1] / "golden" / "texts"


def closings(*rows):
    frame = pd.DataFrame(rows, columns=["month", "region_id", "series", "leads", "won"])
    return frame.astype(dict.fromkeys(("month", "region_id", "series"), "str"))


def reasons(*rows):
    return pd.DataFrame(rows, columns=["month", "series", "reason", "used"])


def flows(*rows):
    columns = ["series", "competitor_brand", "defeats", "defeats_previous", "defeats_last_year"]
    return pd.DataFrame(rows, columns=columns)


def told(table):
    return {(row.kind, row.reason, row.series, row.brand, row.region_id) for row in table.itertuples()}


def test_a_planted_change_has_the_difference_computed_by_hand():
    table = changes(
        closings((CYCLE, "R1", "S", 400, 120), (BEFORE, "R1", "S", 500, 100)), reasons(), flows(), CYCLE, RULES
    )
    (row,) = table.to_dict("records")
    assert (row["kind"], row["cases"], row["of"], row["other_cases"], row["other_of"]) == (
        "close_rate_previous", 120, 400, 100, 500,
    )  # fmt: skip
    assert row["points"] == pytest.approx(10.0)
    p, q = 121 / 402, 101 / 502
    half = 1.6448536 * np.sqrt(p * (1 - p) / 402 + q * (1 - q) / 502)
    assert (row["lo90"], row["hi90"]) == pytest.approx((100 * (p - q - half), 100 * (p - q + half)))
    assert row["q_value"] < 0.01


def test_regions_reasons_and_flows_stand_beside_what_they_are_compared_with():
    known = closings(
        (CYCLE, "R1", "S", 300, 60), (CYCLE, "R2", "T", 200, 20), (BEFORE, "R1", "S", 300, 60),
        (BEFORE, "R2", "T", 200, 20), (YEAR, "R1", "S", 300, 60),
    )  # fmt: skip
    lost = reasons((CYCLE, "S", "product_power", 40), (BEFORE, "S", "product_power", 10), (CYCLE, "S", "", 0))
    rival = flows(("S", "大众", 30, 10, None), ("S", None, 9, 9, 9))
    table = changes(known, lost, rival, CYCLE, RULES).set_index(["kind", "region_id"])
    region = table.loc[("region", "R1")]
    assert (region["cases"], region["of"], region["other_cases"], region["other_of"]) == (60, 300, 20, 200)
    reason = table.loc[("reason_previous", "")]
    assert (reason["cases"], reason["of"], reason["other_cases"], reason["other_of"]) == (40, 500, 10, 500)
    flow = table.loc[("flow_previous", "")]
    assert (flow["brand"], flow["cases"], flow["of"], flow["other_cases"], flow["other_of"]) == (
        "大众",
        30,
        300,
        10,
        300,
    )
    assert "flow_last_year" not in table.index.get_level_values("kind")


@pytest.mark.parametrize("other", [(29, 10), (0, 0), (90, 20)])
def test_too_few_cases_and_the_first_months_of_an_export_are_no_comparison(other):
    table = changes(
        closings((CYCLE, "R1", "S", 500, 100), (BEFORE, "R1", "S", *other)), reasons(), flows(), CYCLE, RULES
    )
    assert table.empty


def test_nothing_at_all_is_an_empty_table():
    assert changes(closings(), reasons(), flows(), CYCLE, RULES).empty


def facts(**more):
    usual = {"cycle": CYCLE, "months": 3, "scope": "", "closed": Share(1800, 9600)}
    return CommentaryFacts(**{**usual, **more})


def contrast(kind, points=5.0, low=2.0, high=8.0, q=0.01, **more):
    usual = {"now": Share(120, 400), "other": Share(100, 500)}
    return Contrast(kind=kind, points=points, lo90=low, hi90=high, q_value=q, **{**usual, **more})


@pytest.mark.parametrize("kind", DIFFERENCES)
@pytest.mark.parametrize(
    "chance",
    [{"low": -1.0}, {"low": -9.0, "high": 0.0}, {"q": 0.11}, {"q": float("nan")}, {"now": Share(9, 29)}],
    ids=["interval holds zero", "touches zero", "q above the limit", "no q", "few cases"],
)
def test_what_chance_explains_is_left_out(kind, chance):
    plain = contrast(kind, reason="product_power")
    assert [one.name for one in sentences(facts(contrasts=(plain,)), RULES)] == ["level", kind]
    by_chance = contrast(kind, reason="product_power", **chance)
    assert [one.name for one in sentences(facts(contrasts=(by_chance,)), RULES)] == ["level"]


def test_changes_by_chance_alone_are_seldom_told():
    chance = np.random.default_rng(20250301)
    told_texts = 0
    for _ in range(200):
        won = chance.binomial(1000, 0.2, size=3)
        known = closings(
            *((month, "R1", "S", 1000, int(n)) for month, n in zip((CYCLE, BEFORE, YEAR), won, strict=True))
        )
        codes = [f"reason_{number}" for number in range(10)]
        lost = reasons(
            *((month, "S", code, int(chance.binomial(1000, 0.05))) for code in codes for month in (CYCLE, BEFORE, YEAR))
        )
        table = changes(known, lost, flows(), CYCLE, RULES)
        told_texts += bool(((table["q_value"] <= RULES.q_value) & ((table["lo90"] > 0) | (table["hi90"] < 0))).any())
    assert told_texts <= 200 * 0.16  # 10 % expected; 16 % is beyond chance (binomial, p < 0.005)


def whole():
    peers = {"other": None, "expected": 0.25, "peers": 40}
    fell = {"points": -10.0, "low": -15.0, "high": -5.0, "now": Share(100, 500), "other": Share(120, 400)}
    rose = {"points": 10.0, "low": 5.0, "high": 15.0}
    return facts(
        scope="杭州恒通",
        contrasts=(
            contrast("close_rate_peers", **fell | {"points": -4.2, "low": -6.0, "high": -2.1} | peers),
            contrast("close_rate_previous", **rose),
            contrast("close_rate_last_year", **fell),
            contrast("region", **rose, region="华东大区"),
            contrast("reason_peers", 3.1, 1.0, 5.2, reason="process_follow_up", **peers),
            contrast("reason_previous", **rose, reason="product_power"),
            contrast("reason_last_year", **fell, reason="price_too_high"),
            contrast("flow_previous", **rose, series="骋远S5", brand="比亚迪"),
            contrast("flow_last_year", **fell, series="骋远S5", brand="哈弗"),
        ),
        verdicts={DefeatVerdict.TRUE: 700, DefeatVerdict.QUASI: 250, DefeatVerdict.FALSE: 50},
        rows=Share(120, 9600),
        gate=Share(2, 60),
    )


@pytest.mark.parametrize("locale", LOCALES)
def test_every_sentence_carries_its_figure_and_its_sample(locale):
    said = commentary(whole(), locale)
    assert [one.name for one in sentences(whole(), RULES)] == [kind.name for kind in RULES.sentences]
    for sentence, one in zip(said, sentences(whole(), RULES), strict=True):
        assert f"{one.sample.of:,}" in sentence
        assert f"{one.sample.cases:,}" in sentence
        assert "%" in sentence
        assert "{" not in sentence
        if locale == "zh_CN":
            assert sentence.endswith("。")
            assert not re.search(r"[,;:?!](?!\d)", sentence)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_text_is_as_it_was_read_and_found_good(locale):
    golden, said = GOLDEN / f"commentary.{locale}.txt", "\n".join(commentary(whole(), locale)) + "\n"
    if os.environ.get("REMATCH_REGENERATE") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(said, "utf-8")
    assert golden.is_file(), "no golden text yet: run with REMATCH_REGENERATE=1 and read it"
    assert said == golden.read_text("utf-8")


def test_the_largest_differences_come_first_and_no_more_than_the_rules_say():
    many = tuple(contrast("reason_previous", points=float(n), reason=f"r{n}") for n in range(1, 9))
    found = [one.contrast.points for one in sentences(facts(contrasts=many), RULES) if one.contrast]
    assert found == [8.0, 7.0, 6.0]


def test_no_adjectives_in_the_messages():
    judging = ("明显", "大幅", "显著", "优秀", "很", "较差", "good", "bad", "strong", "weak", "clearly", "significant")
    for name in SENTENCES:
        assert has(f"commentary.{name}")
        for said in messages()[f"commentary.{name}"].values():
            assert not [word for word in judging if word in said]


def test_an_own_order_of_sentences_is_followed_and_checked(tmp_path):
    (tmp_path / "commentary.toml").write_text('[[sentences]]\nname = "gate"\nmost = 1\n', "utf-8")
    assert [one.name for one in sentences(whole(), commentary_rules(tmp_path))] == ["gate"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "commentary.toml").write_text('[[sentences]]\nname = "gossip"\nmost = 1\n', "utf-8")
    with pytest.raises(CatalogueError) as caught:
        commentary_rules(other)
    assert "gossip" in caught.value.text("zh_CN")
