"""Mapping files as written: what is refused, with file, key and remedy; and the schema kept in docs."""

from pathlib import Path

import pytest

from models import mapping as language
from models.errors import MappingError
from models.messages import LOCALES, text
from tasks.mapping_tools import load_mapping, parse_mapping, schema_text

ROOT = Path(__file__).parents[2]
WHOLE = """
inputs.d.files = "d.csv"
[tables.dealers]
from = "d"
distinct = true
fields = { dealer_id = "d", name = "d", region_id = "r" }
[[tables.leads]]
from = "d"
[tables.leads.fields]
lead_id = "id"
dealer_id = "d"
phone = { absent = true }
series = "s"
created_at = "at"
status = "st"
[tables.defeats]
from = "d"
fields = { lead_id = "id", defeated_at = "at" }
"""


def written(tmp_path, content):
    file = tmp_path / "source.toml"
    file.write_text(content, "utf-8")
    return file


def test_the_schema_in_docs_is_current():
    assert (ROOT / "docs" / "mapping.schema.json").read_text("utf-8") == schema_text(), (
        "the models changed: write tasks.mapping_tools.schema_text() to docs/mapping.schema.json"
    )


@pytest.mark.parametrize("file", sorted((ROOT / "examples" / "sources").glob("*.toml")), ids=lambda file: file.stem)
def test_every_example_loads(file):
    assert load_mapping(file).tables


def test_every_key_of_the_language_is_documented():
    page = (ROOT / "docs" / "mapping.md").read_text("utf-8")
    for model in (
        language.InputSpec,
        language.Feed,
        language.Value,
        language.Join,
        language.Fold,
        language.Check,
        language.Condition,
    ):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}" in page or f"{field.alias or name} =" in page, f"{model.__name__}.{name}"


def test_a_whole_mapping_loads(tmp_path):
    mapping = load_mapping(written(tmp_path, WHOLE))
    assert mapping.tables["dealers"][0].distinct
    assert mapping.tables["leads"][0].fields["series"].column == ["s"]


TWICE = """
[tables.revisits]
from = "d"
join = [{ input = "d", on = "id" }, { input = "d", on = "id" }]
fields = { lead_id = "id", called_at = "at", reached = "r" }
"""
REFUSED = [
    ("inputs = 3 =", "TOML"),
    (WHOLE.replace('lead_id = "id"\ndealer_id', 'lead_id = { colum = "id" }\ndealer_id'), "colum"),
    (WHOLE.replace('series = "s"', 'series = { column = "s", constant = "x" }'), "series"),
    (WHOLE.replace('series = "s"', 'series = { column = "s", extract = "(" }'), "regular expression"),
    (WHOLE.replace('series = "s"', 'seris = "s"'), "series"),
    (WHOLE.replace("[tables.defeats]", "[tables.defeat]"), "defeats"),
    (WHOLE.replace('status = "st"\n', ""), "status"),
    (WHOLE.replace('[[tables.leads]]\nfrom = "d"', '[[tables.leads]]\nfrom = "e"'), "from"),
    (WHOLE.replace('inputs.d.files = "d.csv"', 'inputs.d.url = "sqlite://"'), "query"),
    (WHOLE + '[[inputs.d.checks]]\ncolumn = "x"\n', "present"),
    (WHOLE + '[[inputs.d.checks]]\ncolumn = "x"\nknown_in = "products.p"\n', "products"),
    (WHOLE + TWICE, "as"),
]


@pytest.mark.parametrize(("content", "named"), REFUSED)
def test_a_faulty_mapping_is_refused_by_name(tmp_path, content, named):
    with pytest.raises(MappingError) as error:
        load_mapping(written(tmp_path, content))
    assert "source.toml" in error.value.text("en")
    assert named in error.value.text("en")
    assert error.value.text("zh_CN")


def test_a_missing_mapping_file_says_how_to_get_one(tmp_path):
    with pytest.raises(MappingError, match="rematch map suggest"):
        parse_mapping(tmp_path / "no.toml")


RULES = {
    "source_check": {"column": "c", "value": "v", "limits": "l", "label": "x"},
    "source_value": {"column": "c", "value": "v", "nearest": "n", "label": "x"},
    "source_blank": {"column": "c", "value": "", "label": "x"},
    "source_repeated": {"column": "c", "value": "v", "label": "x"},
    "unmapped_value": {"column": "c", "value": "v"},
    "unmatched_lookup": {"column": "c", "value": "v", "input": "i", "nearest": "n"},
    "unused_lookup": {"column": "c", "value": "v"},
    "ambiguous_lookup": {"column": "c", "value": "v"},
    "unmatched_event": {"column": "c", "value": "v"},
    "conflicting_values": {"column": "c", "value": "v", "field": "f", "table": "t"},
    "exact_duplicate": {"column": "", "value": ""},
}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_says_what_is_wrong_and_how_to_mend_it(rule):
    for locale in LOCALES:
        assert text(f"rule.{rule}.wrong", locale, **RULES[rule])
        assert text(f"rule.{rule}.mend", locale, **RULES[rule])
