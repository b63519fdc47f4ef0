"""The text model on sentences written by hand, apart from the sample's phrases and the catalogue's keywords."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.filter_tables import tables

from models.catalogue.reasons import reasons
from models.catalogue.text_rules import text_rules
from models.errors import CatalogueError
from models.messages import has
from tasks.compute.loss import used_reason
from tasks.compute.reviewed_texts import reviewed_texts
from tasks.compute.revisits import asked_customers
from tasks.compute.simulation import phrases
from tasks.compute.text_coding import code_texts, coder, spoken
from tasks.compute.text_model import ACCURACY_DTYPES, _wordings, learn, score

SENTENCES = Path(__file__).parents[1] / "data" / "consultant_sentences.tsv"
RULES = text_rules().model


def sentences():
    return pd.read_csv(SENTENCES, sep="\t", dtype=str, keep_default_na=False)


def sample_phrases():
    pairs = [(text, code) for code in phrases.SENTENCES for text in phrases.variants(code)]
    return pd.DataFrame(pairs, columns=["text", "reason"])


@pytest.fixture(scope="module")
def halves():
    """The model of each half of the sentences with a reason (and the sample's phrases), and what it saw nothing of."""
    single = sentences().query("reason != ''").reset_index(drop=True)
    known = sample_phrases()
    return [
        (learn(pd.concat([known, single[single.index % 2 == part][["text", "reason"]]]), RULES, coder()), unseen)
        for part in (0, 1)
        for unseen in [single[single.index % 2 != part]]
    ]


def codes(texts, model=None):
    coded = code_texts(texts, coder(), model)
    return coded["code"].astype(object).where(coded["code"].notna(), None).to_numpy(), coded


def test_the_sentences_cover_every_reason_a_text_can_answer():
    told = sentences().query("reason != ''")["reason"].value_counts()
    answerable = {code for code, entry in reasons().items() if not entry.excluded} - {"price_too_high"}
    assert set(told.index) == answerable
    assert told.min() >= 4
    assert told.sum() >= 150


def test_the_model_codes_unseen_sentences_that_keywords_miss(halves):
    true, alone, both, own = [], [], [], []
    for learnt, unseen in halves:
        found, coded = codes(unseen["text"], learnt.model)
        true.append(unseen["reason"].to_numpy(object))
        alone.append(codes(unseen["text"])[0])
        both.append(found)
        own.append((coded["origin"] == "model").to_numpy())
    true, alone, both, own = map(np.concatenate, (true, alone, both, own))
    once = np.ones(len(true))
    rules_f1, both_f1 = (score(true, found, once, "")[0]["f1"] for found in (alone, both))
    assert both_f1 > rules_f1 + 0.15
    assert own.sum() >= 40
    assert (both == true)[own].mean() >= 0.7


def test_what_says_nothing_stays_unknown(halves):
    silent = sentences().query("kind == 'nothing'")["text"]
    for learnt, _ in halves:
        assert [code for code in codes(silent, learnt.model)[0] if code] == []


def test_the_model_is_asked_only_where_no_keyword_was_found(halves):
    several = pd.Series(["噪音大,也没现车", "价格没问题,没现车", "太贵了", "空号"])
    found, coded = codes(several, halves[0][0].model)
    assert found.tolist() == [None, "supply_no_stock", None, None]
    assert coded["origin"].dropna().tolist() == ["text"]


def test_every_answer_says_how_it_was_made(halves):
    _, coded = codes(sentences()["text"], halves[0][0].model)
    by_text, by_model = coded[coded["origin"] == "text"], coded[coded["origin"] == "model"]
    assert by_text["phrase"].notna().all()
    assert by_text["probability"].isna().all()
    assert by_model["phrase"].isna().all()
    assert by_model["probability"].between(RULES.threshold, 1).all()
    assert coded["code"].isna().equals(coded["origin"].isna())


def test_learning_twice_gives_the_same(halves):
    single = sentences().query("reason != ''").reset_index(drop=True)
    material = pd.concat([sample_phrases(), single[single.index % 2 == 0][["text", "reason"]]])
    again = learn(material.sample(frac=1, random_state=5), RULES, coder())
    pd.testing.assert_frame_equal(again.accuracy, halves[0][0].accuracy)
    texts = sentences()["text"].tolist()
    assert [code for code, _ in again.model.answers(texts)] == [code for code, _ in halves[0][0].model.answers(texts)]


def test_accuracy_is_of_all_three_coders_and_adds_up(halves):
    table = halves[0][0].accuracy
    assert list(table.columns) == list(ACCURACY_DTYPES)
    assert table["used"].all()
    for _, part in table.groupby("coder"):
        whole, each = part[part["reason"] == ""].iloc[0], part[part["reason"] != ""]
        assert whole["right"] == each["right"].sum()
        assert whole["f1"] == pytest.approx(each["f1"].mean())


def test_texts_that_differ_in_a_few_letters_are_one_wording():
    wordings = _wordings(["嫌提速慢,油耗还高", "客户说嫌提速慢,油耗还高。", "进店半天没人接待"], RULES.same_wording)
    assert wordings[0] == wordings[1] != wordings[2]


@pytest.mark.parametrize(
    ("reviewed", "missing"),
    [
        (pd.DataFrame(columns=["text", "reason"]), "texts"),
        (pd.DataFrame({"text": ["没现车"] * 500, "reason": "supply_no_stock"}), "texts"),
        (pd.DataFrame({"text": [f"没现车{n}" for n in range(500)], "reason": "supply_no_stock"}), "wordings"),
        (sample_phrases().query("reason.str.startswith('supply')"), "texts"),
    ],
)
def test_without_enough_reviewed_texts_keywords_are_used_alone(reviewed, missing):
    learnt = learn(reviewed, RULES, coder())
    assert learnt.model is None
    row = learnt.accuracy.iloc[0]
    assert row["missing"] == f"text_coding.missing.{missing}"
    assert row["have"] < row["need"]
    assert not learnt.accuracy["used"].any()


def test_a_model_of_reasons_by_lot_is_not_believed():
    known = pd.concat([sample_phrases(), sentences().query("reason != ''")[["text", "reason"]]], ignore_index=True)
    easy = RULES.model_copy(update={"threshold": 0.02, "min_answers": 5})
    by_lot = known.assign(reason=np.random.default_rng(1).permutation(known["reason"]))
    learnt = learn(by_lot, easy, coder())
    assert learnt.model is None
    assert learnt.accuracy["missing"].iloc[0] == "text_coding.missing.precision"


def test_every_reason_for_no_model_has_a_message():
    names = ("texts", "wordings", "reasons", "silent", "answers", "precision")
    assert all(has(f"text_coding.missing.{name}") for name in names)


def test_where_keywords_find_something_in_every_text_no_model_is_learnt():
    keywords = coder()
    spoken_of = sample_phrases()
    found = spoken_of[[not keywords.read(text).silent for text in spoken_of["text"]]]
    learnt = learn(found, RULES, keywords)
    row = learnt.accuracy.iloc[0]
    assert learnt.model is None
    assert (row["missing"], row["have"], row["need"]) == ("text_coding.missing.silent", 0, RULES.min_answers)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("价格没问题,就是没有现车", "没有现车"),
        ("不是价格的原因，是没人接待", "是没人接待"),
        ("The price was fine, but too noisy", "too noisy"),
        ("不满意价格", "不满意价格"),
        ("价格不能接受", "价格不能接受"),
        ("ＡＢＣ太吵", "abc太吵"),
    ],
)
def test_clauses_that_deny_are_not_read(text, left):
    assert spoken(text) == left


def test_the_used_reason_takes_the_model_after_keywords_and_before_the_declared():
    class Sure:
        def answers(self, texts):
            return [("process_follow_up", 0.9)] * len(texts)

    declared = pd.Series(["price_too_high", None, "supply_no_stock", "record_misjudged"], dtype="str")
    confirmed = pd.Series([None, None, None, "product_power"], dtype="str")
    told = pd.Series(["咕噜咕噜", "没现车", "咕噜咕噜", "咕噜咕噜"], dtype="str")
    used = used_reason(declared, confirmed, told, Sure())
    assert used["reason"].tolist() == ["process_follow_up", "supply_no_stock", "supply_no_stock", "product_power"]
    assert used["reason_source"].tolist() == ["model", "text", "declared", "confirmed"]
    assert used["reason_probability"].fillna(0).tolist() == [0.9, 0, 0, 0]


def test_reviewed_texts_are_the_filings_and_the_agents_own():
    told = {"reached": True, "reason_codes": "product_power;supply_no_stock", "reason_text": "没劲", "lead_id": "L1"}
    known = tables(
        leads=[{"lead_id": "L1"}, {"lead_id": "L2"}],
        defeats=[{"lead_id": "L1", "reason_text": "嫌贵"}, {"lead_id": "L2", "reason_text": "没回访过"}],
        revisits=[told | {"called_at": "2025-03-12"}],
    )
    found = reviewed_texts(asked_customers(known))
    assert set(map(tuple, found.to_numpy())) == {
        ("嫌贵", "product_power"),
        ("没劲", "product_power"),
    }
    assert reviewed_texts(asked_customers(known | {"revisits": known["revisits"].head(0)})).empty


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ('precedence = ["confirmed", "text", "declared"]', "text_coding.precedence"),
        ('[open_to_text]\ncodes = ["price_magic"]', "text_coding.unknown_reason"),
        ('[clauses]\nbreaks = "("', "catalogue.invalid"),
    ],
)
def test_an_own_rules_file_is_checked(tmp_path, own, key):
    (tmp_path / "text_rules.toml").write_text(own, "utf-8")
    with pytest.raises(CatalogueError) as caught:
        text_rules(tmp_path)
    assert caught.value.key == key
    assert "text_rules.toml" in caught.value.text("en")


def test_scikit_learn_is_not_loaded_before_a_model_is_learnt():
    asked = "import sys, tasks.compute.text_model, tasks.measuring; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
