"""Signs to be checked: counted by scope and history as by hand, told without accusing, untested told as untested."""

import re

import pandas as pd
import pytest
from support.quality_pages import DEALER, REGION

from expectations import scoring
from expectations.data_docs import NATION, SIGN_COLUMNS, signs
from models.catalogue.signals import signals
from models.enums import OwnerRole
from models.messages import LOCALES, messages
from reports.quality_docs import docs_page
from reports.quality_page import quality_page
from reports.quality_signs import MOST_ROWS, NotTested, Sign, signs_view
from reports.quality_words import SIGNALS, how_to_mend, rule_title, table_label

ACCUSING = re.compile(r"fraud|fake|cheat|forg|fabricat|dishonest|造假|虚假|作弊|欺诈|伪造|弄虚|舞弊", re.IGNORECASE)


def found(*rows):
    columns = ["dealer_id", "signal", "evidence_rows", "flagged"]
    return pd.DataFrame(rows, columns=columns).astype({"dealer_id": "str", "signal": "str", "flagged": "boolean"})


def counted(now, earlier=(), regions=None):
    told = signs(now, list(earlier), regions or {"A": "R1", "B": "R1", "C": "R2"}, "2026-10")
    assert tuple(told.columns) == SIGN_COLUMNS
    return {(line.scope, line.signal): line for line in told.itertuples()}


def test_dealers_are_counted_by_scope():
    now = found(
        ("A", "x", 7, True), ("B", "x", 3, False), ("C", "x", 5, True), ("C", "y", 4, None), ("Z", "x", 9, True)
    )
    told = counted(now)
    nation, first, second = told[NATION, "x"], told["R1", "x"], told["R2", "x"]
    assert (nation.tested, nation.dealers, nation.rows) == (4, 3, 21), "Z belongs to no region but to the nation"
    assert (first.tested, first.dealers, first.rows) == (2, 1, 7)
    assert (second.tested, second.dealers, second.rows) == (1, 1, 5)
    assert (told["R2", "y"].tested, told["R2", "y"].dealers) == (0, 0)
    assert pd.isna(first.dealers_before), "no last cycle: not known, not zero"
    assert (first.first_seen, told["R2", "y"].first_seen) == ("2026-10", "")


def test_history_knows_the_first_time_the_last_cycle_and_who_is_still_there():
    august, september = (
        found(("A", "x", 2, True), ("C", "x", 2, False)),
        found(("B", "x", 2, True), ("C", "x", 2, True)),
    )
    now = found(("A", "x", 7, True), ("B", "x", 3, True), ("C", "x", 0, False))
    told = counted(now, [("2026-08", august), ("2026-09", september)])
    first, second = told["R1", "x"], told["R2", "x"]
    assert (first.dealers, first.dealers_before, first.still, first.first_seen) == (2, 1, 1, "2026-08")
    assert (second.dealers, second.dealers_before, second.still, second.first_seen) == (0, 1, 0, "2026-09")


@pytest.mark.parametrize("locale", LOCALES)
def test_a_sign_says_seen_against_expected_which_rows_who_looks(locale):
    view = signs_view(DEALER.signs, DEALER.untested, "2026-10", locale)
    first, second = view.signs
    assert {"259", "400"} <= set(re.findall(r"\d+", first.seen)), "furthest from its peers first"
    assert {"12", "90", "3.4"} <= set(re.findall(r"[\d.]+\d|\d+", second.seen))
    assert first.who == signals()["shared_phone"].who.label(locale)
    (label, some, more, beyond) = first.rows[0]
    assert "259" in label
    assert len(some.split()) + len(more.split()) == MOST_ROWS
    assert "59" in beyond, "what is left out is counted"
    assert "revisits.csv:12" in second.rows[0][1], "a row without an id is named by file and row"


@pytest.mark.parametrize("locale", LOCALES)
def test_what_could_not_be_tested_is_told_with_the_reason(locale):
    view = signs_view((), DEALER.untested, "2026-10", locale)
    assert str(len(signals().signals) - len(DEALER.untested)) in view.none
    assert len(view.untested) == 3, "two signs share a reason"
    assert not re.search(r"\{|phone_key|few_rows|_", " ".join(view.untested))
    whole = tuple(NotTested(code, "no_rows", {}) for code in signals().signals)
    assert signs_view((), whole, "2026-10", locale).none != view.none, "nothing looked for is not nothing found"


@pytest.mark.parametrize("locale", LOCALES)
def test_no_word_accuses_anybody(locale):
    every = tuple(Sign(code, 100, 20, 1.0, "2026-10", (("leads", "L1"),), 1.0) for code in signals().signals)
    views = signs_view(every, (), "2026-10", locale).signs
    said = [word for view in views for word in (view.title, view.seen, view.meaning, view.check)]
    said += [words[locale] for key, words in messages().items() if key.startswith(("signals.", "quality_page.signs"))]
    assert not [words for words in said if ACCUSING.search(words)]


def test_every_sign_names_somebody_at_the_dealer_to_look():
    at_dealer = {OwnerRole.GENERAL_MANAGER, OwnerRole.SALES_MANAGER, OwnerRole.CUSTOMER_SERVICE}
    assert {signal.who for signal in signals().signals.values()} <= at_dealer
    revisits = [signal for code, signal in signals().signals.items() if "revisits" in signal.tables]
    assert all(signal.who is not OwnerRole.CUSTOMER_SERVICE for signal in revisits), "not those who made the calls"


def test_points_lost_to_signs_are_words_everywhere():
    assert SIGNALS == scoring.SIGNALS
    page = quality_page(DEALER, "en")
    (part,) = [part for part in page.parts if part.label == "authenticity"]
    assert part.lost == "-11.8"
    assert "one number, many customers" in part.why
    assert not [view for view in page.first if "one number" in view.title], "signs are checked, not mended"
    for locale in LOCALES:
        assert table_label(SIGNALS, locale) != SIGNALS
        for code, signal in signals().signals.items():
            assert rule_title(code, locale) == signal.label.text(locale)
            assert how_to_mend(code, locale) == signal.check.text(locale)


def test_a_region_tells_untested_signs_apart_from_quiet_ones():
    page = docs_page(REGION, "en")
    assert [view.label for view in page.signs] == [
        "one number, many customers",
        "revisit in seconds",
        "straight top marks",
    ]
    assert [view.label for view in page.quiet] == ["defeated without contact"]
    assert len(page.untested) == 1
    assert "number changed" in page.untested[0]
    assert page.signs[2].first_seen.endswith("gone now")
    assert "Dealers with signs to be checked: 2" in page.signs_note
