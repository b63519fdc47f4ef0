"""The source mapping: how any export becomes the canonical tables, as data (domain.md section 4).

A mapping is a TOML file of two parts. ``inputs`` name the files (or queries) an export consists of, with checks on
their own columns; ``tables`` say, per canonical table, from which input its rows come, which look-up and event inputs
stand beside it, and how each field gets its value. docs/mapping.md explains every key with examples;
docs/mapping.schema.json is generated from these models.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

IssueSeverity = Literal["warn", "quarantine"]
SOURCE_KEYS = ("column", "coalesce", "which", "template", "concat", "constant", "rules", "absent")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _regular(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int | float | bool)]
Pattern = Annotated[str, AfterValidator(_regular)]
Names = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str]), Field(min_length=1)]


class FileSpec(_Part):
    """Where the rows of one input come from: files by glob under the source folder, or a SQL query."""

    files: Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str])] = Field(
        default=[], description="globs relative to the source folder; files that match are read in name order"
    )
    format: Literal["csv", "tsv", "excel", "parquet"] | None = Field(None, description="empty: by the file's content")
    encoding: str | None = Field(None, description="empty: detected (UTF-8, UTF-16, GB18030)")
    delimiter: str | None = Field(None, description="empty: detected (comma, semicolon, tab, bar)")
    sheet: str | None = Field(None, description="sheet of a workbook; empty: the first visible with a table")
    header_row: int | None = Field(None, ge=1, description="row of the column names, from 1; empty: below a title")
    url: str | None = Field(None, description="SQLAlchemy URL; ${NAME} takes an environment variable")
    query: str | None = Field(None, description="SQL to run at url")
    na: list[Text] = Field([], description="texts that mean 'no value' in every column of this input")

    @model_validator(mode="after")
    def _one_origin(self) -> FileSpec:
        if bool(self.files) == bool(self.url):
            raise ValueError("give either files or url with query")
        if bool(self.url) != bool(self.query):
            raise ValueError("url and query go together")
        return self


class Condition(_Part):
    """A test on one column of a row; all tests given must hold. A blank cell holds only ``present = false``."""

    column: str | None = None
    is_: Text | None = Field(None, alias="is")
    in_: list[Text] | None = Field(None, alias="in")
    not_in: list[Text] | None = None
    present: bool | None = None
    pattern: Pattern | None = Field(None, description="regular expression found somewhere in the value")
    min: float | None = None
    max: float | None = None
    any: list[Condition] | None = Field(None, description="at least one of these conditions holds")

    @model_validator(mode="after")
    def _tests_something(self) -> Condition:
        tests = (self.is_, self.in_, self.not_in, self.present, self.pattern, self.min, self.max)
        if self.column is not None and all(test is None for test in tests):
            raise ValueError("say what the column must be: is, in, not_in, present, pattern, min or max")
        if self.column is None and not self.any:
            raise ValueError("name a column, or conditions under any")
        return self


Conditions = Annotated[
    list[Condition], BeforeValidator(_as_list, json_schema_input_type=Condition | list[Condition])
]  # all must hold


class Rule(_Part):
    """One line of a rule list: the first whose condition holds gives the value."""

    when: Conditions
    value: Text | None = None
    column: str | None = Field(None, description="take the value of this column instead")

    @model_validator(mode="after")
    def _one_value(self) -> Rule:
        if (self.value is None) == (self.column is None):
            raise ValueError("a rule gives either value or column")
        return self


class Replacement(_Part):
    """A regular expression and what to put in its place."""

    pattern: Pattern
    by: str = ""


class Scale(_Part):
    """Linear change of a scale, for example 0-100 to 1-10; values outside stay outside."""

    source: tuple[float, float] = Field(alias="from")
    target: tuple[float, float] = Field(alias="to")

    @model_validator(mode="after")
    def _not_empty(self) -> Scale:
        if self.source[0] == self.source[1]:
            raise ValueError("the two ends of 'from' must differ")
        return self


class Number(_Part):
    """How numbers are written in the source: '1.234,5' is decimal ',' and thousands '.'."""

    decimal: str = Field(".", min_length=1, max_length=1)
    thousands: str = Field("", max_length=1)


class Value(_Part):
    """How a field (or a computed column) gets its value: one source, then changes in the order listed here."""

    column: Names | None = Field(
        None, description="column name, or several alternative names (first with a value wins)"
    )
    coalesce: list[str] | None = Field(None, min_length=1, description="first of these columns that has a value")
    which: list[str] | None = Field(None, min_length=1, description="name of the first of these columns with a value")
    template: str | None = Field(None, description="text with {column} in it; blank if one of them is blank")
    concat: list[str] | None = Field(None, min_length=1, description="the values present, joined by separator")
    separator: str = " "
    constant: Text | None = None
    rules: list[Rule] | None = Field(None, min_length=1, description="the first rule that holds; none: default")
    absent: Literal[True] | None = Field(None, description="the source does not have it; reported with what follows")
    optional: bool = Field(False, description="the column may be missing from the file")
    when: Conditions = Field([], description="only rows where this holds get the value, the others stay blank")
    na: list[Text] = Field([], description="texts that mean 'no value' in this column")
    trim: bool = True
    extract: Pattern | None = Field(None, description="keep the first group (or the whole match); blank if none")
    replace: list[Replacement] = []
    case: Literal["lower", "upper", "title"] | None = None
    values: dict[str, Text] = Field({}, description="value dictionary: text in the source -> value")
    match: Literal["loose", "exact"] = Field("loose", description="loose: case, width and spaces do not matter")
    otherwise: Literal["keep", "blank", "warn", "quarantine"] = Field(
        "keep", description="a value the dictionary lacks: kept, blanked, kept and reported, or its row set apart"
    )
    number: Number | None = None
    scale: Scale | None = None
    multiply: float | None = None
    add: float | None = None
    round: int | None = Field(None, ge=0, le=9, description="decimals")
    formats: list[str] = Field([], description="strptime formats of a time, tried in this order; empty: ISO")
    default: Text | None = Field(None, description="what a blank becomes; counted and reported")
    because: str = Field("", description="why this constant, default or absence; shown in the report")

    @model_validator(mode="after")
    def _one_source(self) -> Value:
        given = [key for key in SOURCE_KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(SOURCE_KEYS)} (given: {', '.join(given) or 'none'})")
        return self


def _as_value(value: Any) -> Any:
    return {"column": value} if isinstance(value, str | list) else value


ValueSpec = Annotated[Value, BeforeValidator(_as_value, json_schema_input_type=str | list[str] | Value)]


class Check(_Part):
    """A rule on a source column the contract has no field for, or that the field's own rules do not cover."""

    column: str
    when: Conditions = Field([], description="only rows where this holds are checked")
    present: Literal[True] | None = Field(None, description="must not be blank")
    min: float | None = None
    max: float | None = None
    in_: list[Text] | None = Field(None, alias="in")
    pattern: Pattern | None = Field(None, description="the whole value must match")
    at_most: str | None = Field(None, description="another column this one may not exceed (numbers)")
    known_in: str | None = Field(None, description="'input.column' whose values are the allowed ones")
    unique: Literal[True] | None = Field(None, description="no value may stand twice")
    severity: IssueSeverity = "warn"
    label: str = Field("", description="the rule in words, shown with each row that breaks it")

    @model_validator(mode="after")
    def _checks_something(self) -> Check:
        rules = (self.present, self.min, self.max, self.in_, self.pattern, self.at_most, self.known_in, self.unique)
        if all(rule is None for rule in rules):
            raise ValueError("say what to check: present, min, max, in, pattern, at_most, known_in or unique")
        return self


class InputSpec(FileSpec):
    """One input of the source: where it is read, what is computed on it, which rows count, what is checked."""

    columns: dict[str, ValueSpec] = Field({}, description="computed columns, usable like those of the file")
    where: Conditions = Field([], description="only rows where this holds are used; the others are counted")
    checks: list[Check] = []


def _as_keys(value: Any) -> Any:
    if isinstance(value, str):
        return {value: value}
    return {name: name for name in value} if isinstance(value, list) else value


Keys = Annotated[
    dict[str, str],
    BeforeValidator(_as_keys, json_schema_input_type=str | list[str] | dict[str, str]),
    Field(min_length=1, description="column here -> column there; a bare name when both are called the same"),
]


class Join(_Part):
    """A look-up input beside the rows; its columns are then called ``<as>.<column>``. Joins may chain."""

    input: str
    on: Keys
    as_: str | None = Field(None, alias="as", description="name in this table; empty: the input's name")
    match: Literal["loose", "exact"] = "loose"
    unmatched: Literal["ignore", "warn", "quarantine"] = Field("warn", description="a row whose key is not there")
    unused: Literal["ignore", "warn"] = Field("ignore", description="a look-up row no row asked for")

    @property
    def alias(self) -> str:
        """The name its columns carry in this table."""
        return self.as_ or self.input


class FoldColumn(_Part):
    """One column folded from event rows: how many, the first, the last, whether there is one, ..."""

    take: Literal["first", "last", "count", "distinct", "min", "max", "sum", "mean", "any"]
    column: str | None = None
    where: Conditions = []

    @model_validator(mode="after")
    def _has_column(self) -> FoldColumn:
        if self.column is None and self.take not in ("count", "any"):
            raise ValueError(f"take = {self.take!r} needs a column")
        return self


class Fold(_Part):
    """An event input folded to one row per key; exact repetitions of event rows count once and are reported."""

    input: str
    on: Keys
    as_: str | None = Field(None, alias="as")
    match: Literal["loose", "exact"] = "loose"
    order_by: str | None = Field(None, description="column that orders the events; empty: their order in the file")
    formats: list[str] = Field([], description="strptime formats of order_by, and of time columns under min and max")
    where: Conditions = []
    unmatched: Literal["ignore", "warn"] = Field("warn", description="events whose key no row has")
    columns: dict[str, FoldColumn] = Field(min_length=1)

    @property
    def alias(self) -> str:
        """The name its columns carry in this table."""
        return self.as_ or self.input


class Feed(_Part):
    """One way rows come into a canonical table; a table may have several."""

    source: str = Field(alias="from", description="the input whose rows these are")
    where: Conditions = []
    join: list[Join] = []
    fold: list[Fold] = []
    columns: dict[str, ValueSpec] = Field({}, description="computed after joins and folds")
    distinct: bool = Field(False, description="one row per key of the table, for example dealers out of leads")
    fields: dict[str, ValueSpec]


Feeds = Annotated[list[Feed], BeforeValidator(_as_list, json_schema_input_type=Feed | list[Feed]), Field(min_length=1)]


class SourceMapping(_Part):
    """A whole source mapping file."""

    title: str = ""
    description: str = ""
    timezone: str | None = Field(None, description="zone of the source's times; empty: the workspace's")
    inputs: dict[str, InputSpec] = Field(min_length=1)
    tables: dict[str, Feeds] = Field(min_length=1)
