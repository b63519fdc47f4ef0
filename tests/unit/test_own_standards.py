"""An OEM's own standards folder: what it may say, what is refused and how, and that it is in force everywhere."""

import re
import shutil

import pytest

from expectations import suites, texts
from expectations.rules import Action, rules
from expectations.scoring import weights
from expectations.standard import limits
from models.catalogue.deadlines import deadlines
from models.catalogue.indicators import indicators
from models.catalogue.playbook import playbook
from models.catalogue.reasons import find_code, valid_codes
from models.enums import Severity
from models.errors import CatalogueError, SettingsError
from models.in_force import folder_version, put_in_force
from models.messages import has
from models.workspace import EXAMPLE_STANDARDS, Workspace
from tasks.settling import standards_fingerprint
from tasks.standards import FILES, check_standards

BUDGET = """
[leads.budget_plausible]
type = "ExpectColumnValuesToBeBetween"
column = "budget"
params = { min_value = 30000, max_value = 2000000 }
owner = "sales_consultant"
title = { zh_CN = "预算合理", en = "the budget is plausible" }
wrong = { zh_CN = "「{column}」过低", en = "{column} is too low" }
mend = { zh_CN = "请核对", en = "check it" }
"""


def folder_with(tmp_path, **files):
    folder = tmp_path / "standards"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content, "utf-8")
    return folder


def test_the_example_says_nothing_until_its_comments_are_removed_and_is_right_then(tmp_path):
    folder = tmp_path / "standards"
    shutil.copytree(EXAMPLE_STANDARDS, folder)
    assert set(check_standards(folder).values()) == {0}
    for file in folder.rglob("*.toml"):
        file.write_text(re.sub(r"^# (?=[\[a-z])", "", file.read_text("utf-8"), flags=re.M), "utf-8")
    put_in_force(folder)
    assert check_standards(folder) == {
        "expectations.toml": 1,
        "playbook/own.toml": 1,
        "reasons.toml": 1,
        "rules.toml": 1,
    }
    assert rules()["unusual_price"].action is Action.DROP
    assert "supply_licence_plate" in valid_codes()
    assert find_code("没有指标") == "supply_licence_plate"
    assert "lead_bell" in playbook().measures


def test_every_catalogue_file_we_ship_may_be_overridden():
    shipped = {file.name for room in ("models/catalogue", "expectations") for file in _root(room).glob("*.toml")}
    own = {"contract.toml"}  # the contract is ours: a source mapping takes any export to it
    assert shipped - own <= set(FILES)


def _root(room):
    return EXAMPLE_STANDARDS.parents[1] / room


def test_what_is_in_force_answers_without_being_asked_for(tmp_path):
    folder = folder_with(
        tmp_path,
        limits="age_to = 90\n",
        scoring="[points]\ndrop = 150.0\n",
        deadlines="[escalation]\nregion_after_days = 1\noem_after_days = 9\n",
        indicators='[indicators.close_rate.label]\nzh_CN = "成交比例"\nen = "deals"\n',
    )
    before = limits().age_to, deadlines().escalation.oem_after_days
    put_in_force(folder)
    assert (limits().age_to, weights().points[Action.DROP], deadlines().escalation.oem_after_days) == (90, 150.0, 9)
    assert indicators().indicators["close_rate"].label.en == "deals"
    put_in_force(None)
    assert (limits().age_to, deadlines().escalation.oem_after_days) == before


def test_other_content_is_another_version_and_is_read_anew(tmp_path):
    folder, shipped = folder_with(tmp_path, limits="age_to = 90\n"), (standards_fingerprint(), suites.version())
    put_in_force(folder)
    first = folder_version(folder), standards_fingerprint(), suites.version()
    assert limits().age_to == 90
    folder_with(tmp_path, limits="age_to = 80\n")
    put_in_force(folder)
    assert limits().age_to == 80
    second = folder_version(folder), standards_fingerprint(), suites.version()
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert first[1:] != shipped


def test_opening_a_workspace_puts_its_folder_in_force(tmp_path, workspace):
    shutil.copytree(folder_with(tmp_path, expectations=BUDGET), workspace.home / "standards")
    Workspace.open(workspace.home)
    assert rules()["budget_plausible"].severity is Severity.WARN
    assert has("rule.budget_plausible.mend")
    assert texts.wrong("budget_plausible", "leads", "budget", {}, "en") == "budget is too low"
    shutil.rmtree(workspace.home / "standards")
    Workspace.open(workspace.home)
    assert "budget_plausible" not in rules()
    assert not has("rule.budget_plausible.mend")


def test_a_folder_may_lie_elsewhere_but_must_be_there(tmp_path, workspace):
    folder_with(tmp_path, limits="age_to = 90\n")
    Workspace.open(workspace.home, standards="../standards")
    assert limits().age_to == 90
    with pytest.raises(SettingsError, match="standards"):
        Workspace.open(workspace.home, standards="nowhere")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("leads.budget", "cars.budget", "no table"),
        ('column = "budget"', 'column = "budgett"', "budgett.*Known columns"),
        ('column = "budget"', 'column = "phone"', "phone_key"),
        ("ExpectColumnValuesToBeBetween", "ExpectColumnMeanToBeBetween", "ExpectColumnMeanToBeBetween.*Known types"),
        ("max_value = 2000000", "max_values = 2000000", "max_values.*Known parameters"),
        ("min_value = 30000, max_value = 2000000", "", "bounds do not fit"),
        ("min_value = 30000", "min_value = 2025-01-01", "bounds do not fit"),
        ("min_value = 30000", "min_value = 3000000", "bounds do not fit"),
        ("max_value = 2000000", 'strict_min = "yes"', "strict_min is true or false"),
        ('column = "budget"', 'column = "series"', "bounds do not fit"),
        ("{column} is too low", "{colum} is too low", "wrong.en.*colum"),
        ("{column} is too low", "{column is too low", "wrong.en"),
        ('owner = "sales_consultant"', 'owner = "nobody"', "leads.budget_plausible.owner"),
        ('owner = "sales_consultant"', 'owner = "oem"\nseverity = "block"', "severity"),
        ('owner = "sales_consultant"', 'owner = "oem"\naction = "drop"', 'action "drop" does not go with'),
        ('mend = { zh_CN = "请核对", en = "check it" }', "", "leads.budget_plausible.mend"),
        ('en = "check it" }', 'en = "check it"', "line 9"),
        ("leads.budget_plausible", "leads.Budget", "lower-case"),
        ("leads.budget_plausible", "leads.unusual_price", "shipped one"),
    ],
)
def test_a_faulty_expectation_is_named_with_file_entry_and_remedy(tmp_path, old, new, said):
    assert BUDGET.count(old)
    with pytest.raises(CatalogueError) as error:
        check_standards(folder_with(tmp_path, expectations=BUDGET.replace(old, new)))
    told = error.value.text("en")
    assert re.search(said, told), told
    assert "expectations.toml" in told
    assert error.value.text("zh_CN") != told


@pytest.mark.parametrize(
    ("kind", "column", "params", "said"),
    [
        ("ExpectColumnValuesToBeInSet", "status", '{ value_set = ["open", "lost"] }', "unknown code lost"),
        ("ExpectColumnValuesToBeInSet", "source", "{ value_set = [] }", "at least one value"),
        ("ExpectColumnValuesToBeInSet", "source", "{}", "lacks the parameter value_set"),
        ("ExpectColumnValuesToMatchRegex", "source", '{ regex = "(" }', "not a regular expression"),
        ("ExpectColumnValuesToMatchRegex", "budget", '{ regex = "1" }', "holds no text"),
        (
            "ExpectColumnPairValuesAToBeGreaterThanB",
            "budget",
            '{ column_A = "budget", column_B = "created_at" }',
            "cannot be compared",
        ),
        (
            "ExpectColumnPairValuesAToBeGreaterThanB",
            "budget",
            '{ column_A = "budget", column_B = "cost" }',
            "the column cost",
        ),
    ],
)
def test_parameters_fit_what_the_column_holds(tmp_path, kind, column, params, said):
    declared = BUDGET.replace("ExpectColumnValuesToBeBetween", kind).replace('"budget"', f'"{column}"')
    declared = re.sub(r"params = .*", lambda _: f"params = {params}", declared)
    with pytest.raises(CatalogueError, match=said):
        check_standards(folder_with(tmp_path, expectations=declared))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[unusual_prices]\nseverity = "warn"', "no rule unusual_prices"),
        ('[unknown_dealer]\nseverity = "warn"', "unknown_dealer cannot be changed"),
        ('[bad_date]\nseverity = "quarantine"', "bad_date cannot be changed"),
        ('[unusual_price]\nseverity = "block"', "does not go with action"),
        ('[unusual_price]\naction = "drop"', "does not go with action"),
        ('[unusual_price]\nowners = "oem"', "owners"),
        ("unusual_price = 1", "unusual_price"),
    ],
)
def test_shipped_rules_change_only_within_what_later_steps_allow(tmp_path, content, said):
    with pytest.raises(CatalogueError, match=said):
        check_standards(folder_with(tmp_path, rules=content))


def test_owner_and_dimension_of_any_rule_may_change(tmp_path):
    folder = folder_with(tmp_path, rules='[unknown_dealer]\nowner = "region"\n')
    assert check_standards(folder) == {"rules.toml": 1}
    changed = rules(folder)["unknown_dealer"]
    assert (changed.owner, changed.severity, changed.action) == ("region", Severity.QUARANTINE, Action.DROP)


def test_a_file_of_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(CatalogueError, match=r"expectation\.toml.*Known names"):
        check_standards(folder_with(tmp_path, expectation=BUDGET))
