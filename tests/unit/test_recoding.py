"""Defeats filed under another reason instead of avoided: planted without any effect, it is not called effective."""

import pandas as pd
import pytest

from models.messages import LOCALES
from reports.verdicts import notes, sentence
from tasks.compute.judgement.pool import pool
from tasks.compute.judgement.recoding import EXCLUDED, NOTE, UNCLEAR, WHY, against_recoding, other_codes
from tests.support.recoding import KEYS, planted


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("won", (0.80, 1.0)), ("no reason", (0, 0.2)), ("one code", (0, 0.2)), ("excluded", (0, 0.2))],
)
def test_only_customers_kept_count_as_an_effect(kind, kept):
    found = planted(3, kind)
    before, after = found.before, found.after
    effective = before["verdict"].eq("effective")
    assert effective.mean() > 0.8  # by the judged reason alone all of these look effective
    left = after["verdict"].eq("effective").sum() / effective.sum()
    assert kept[0] <= left <= kept[1]
    withheld = after[effective & after["verdict"].ne("effective")]
    assert withheld["reason_key"].eq(WHY).all()
    assert withheld["notes"].str.contains(NOTE, regex=False).all()
    assert after.loc[~effective, "notes"].tolist() == before.loc[~effective, "notes"].tolist()
    for row in withheld.head(1).to_dict("records"):
        for locale in LOCALES:
            assert sentence(row, locale)
            assert notes(row, locale)


def test_nothing_planted_nothing_noted():
    found = planted(4, "nothing")
    before, after = found.before, found.after
    assert not after["notes"].str.contains(NOTE, regex=False).any()
    assert after["verdict"].tolist() == before["verdict"].tolist()


@pytest.mark.parametrize(("kind", "verdict"), [("won", "effective"), ("no reason", "not_enough_evidence")])
def test_the_pool_is_not_taken_in_either(kind, verdict):
    found = planted(5, kind)
    before, after = found.before, found.after
    passed = {"reason": "slow", "measure": "call"}
    assert pool(before.assign(**passed))["verdict"].tolist() == ["effective"]
    assert pool(after.assign(**passed))["verdict"].tolist() == [verdict]


def test_codes_whose_filing_is_to_change_are_not_asked():
    before = planted(3, "no reason").before
    empty = pd.DataFrame(columns=[*KEYS, "x"])
    for code in ("price_too_high", "record_out_of_reach", "unknown_to_the_counts"):
        assert against_recoding(before, pd.DataFrame(), code, empty, {"price_too_high": empty}) is before


def test_all_defeats_are_in_one_code():
    closings = pd.DataFrame([("D", "R", 1, "a", 100, 20), ("D", "R", 1, "b", 10, 1)], columns=[*KEYS, "x"])
    price = pd.DataFrame([("D", "R", 1, "a", 100, 30)], columns=[*KEYS, "x"])
    fake = pd.DataFrame([("D", "R", 1, "b", 0, 4)], columns=[*KEYS, "x"])
    defeats, codes = other_codes(closings, {"price": price}, fake)
    assert defeats[["n", "x"]].to_numpy().tolist() == [[100, 80], [14, 13]]
    assert codes["price"]["x"].tolist() == [30, 0]
    assert codes[UNCLEAR]["x"].tolist() == [50, 9]
    assert codes[EXCLUDED][["n", "x"]].to_numpy().tolist() == [[100, 0], [14, 4]]
