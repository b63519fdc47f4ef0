"""What the suites say of themselves: complete metadata, texts in both languages, the page in step, GX kept away."""

import subprocess
import sys

import pytest
from support.quality_frames import AS_OF

from expectations import handbook, problems
from expectations.declare import great_expectations
from expectations.masks import MASKS, WHOLE_TABLE, columns_used
from expectations.rules import Action, CheckOutcome, Dimension, rules
from expectations.scoring import QUALITY_COLUMNS, weights
from expectations.standard import limits, standard_until
from expectations.suites import TABLES, declared, version
from models.catalogue.contract import contract
from models.enums import Severity
from models.messages import has
from tasks.compute.frames import PROBLEM_DTYPES
from tasks.exporting import EXPORTS

ALL = [(table, expectation) for table in TABLES for expectation in declared(table, standard_until(AS_OF))]


def test_every_table_but_actions_has_a_suite():
    assert set(TABLES) == set(contract().tables) - {"actions"}


def test_ids_are_unique_and_the_native_suite_keeps_every_expectation():
    ids = [expectation.meta["id"] for _, expectation in ALL]
    assert len(ids) == len(set(ids))
    for table in TABLES:
        expected = [expectation for name, expectation in ALL if name == table]
        suite = great_expectations().ExpectationSuite(name=table, expectations=expected)
        assert len(suite.expectations) == len(expected)


@pytest.mark.parametrize(("table", "expectation"), ALL, ids=lambda value: getattr(value, "meta", {}).get("id"))
def test_metadata(table, expectation):
    meta = expectation.meta
    rule = rules()[meta["rule"]]
    assert Severity(meta["severity"]) is rule.severity
    assert Dimension(meta["dimension"]) is rule.dimension
    assert has(meta["wrong"])
    assert has(meta["mend"])
    assert meta["column"] in {"", *contract().tables[table].fields}
    assert type(expectation).__name__ in {*MASKS, *WHOLE_TABLE}
    assert bool(columns_used(expectation)) is (type(expectation).__name__ in MASKS)


def test_every_required_field_is_asked_for():
    asked = {(table, each.meta["column"]) for table, each in ALL if each.meta["rule"] == "missing_required"}
    assert asked == {(name, field) for name in TABLES for field in contract().tables[name].required}


def test_every_closed_set_is_asked_for():
    asked = {(table, each.meta["column"]) for table, each in ALL if "code" in each.meta["rule"]}
    closed = {
        (name, field.name) for name in TABLES for field in contract().tables[name].fields.values()
        if contract().codes(field.kind)
    }  # fmt: skip
    assert closed == asked


def test_every_rule_has_its_texts_and_the_severity_its_action_needs():
    for code, rule in rules().items():
        for part in ("title", "wrong", "mend"):
            assert has(f"rule.{code}.{part}"), (code, part)
        assert (rule.severity is Severity.QUARANTINE) == (rule.action is Action.DROP), code
        assert (rule.severity is Severity.BLOCK) == (rule.action is Action.STOP), code


def test_words_of_quality_have_labels():
    for word in (*Dimension, *CheckOutcome):
        for locale in ("zh_CN", "en"):
            assert word.label(locale)


def test_data_files_load():
    assert limits().age_from == 16
    assert set(weights().points) == set(Action)
    assert set(weights().tables) == set(TABLES)
    assert len(version()) == 12


def test_formats_are_those_of_the_contract_between_rooms():
    assert problems.PROBLEM_DTYPES == PROBLEM_DTYPES
    assert EXPORTS["quality"].columns == QUALITY_COLUMNS


def test_the_page_is_current():
    assert handbook.PAGE.read_text("utf-8") == handbook.page(), "run: python -m expectations.handbook"


def test_great_expectations_is_not_imported_before_it_is_needed():
    modules = "expectations.texts, expectations.scoring, expectations.runner, expectations.suites, tasks.check"
    code = f"import sys, {modules}; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
