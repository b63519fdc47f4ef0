"""How a suite is written: native expectations whose ``meta`` says which rule of ``rules.toml`` they stand for."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any

from expectations.rules import Dimension, rules
from models.catalogue.contract import contract
from models.catalogue.own_expectations import OwnExpectation
from models.enums import Role, Severity
from models.messages import text

# The native severities are fewer and mean something else to Great Expectations' own reports.
NATIVE_SEVERITY = {Severity.BLOCK: "critical", Severity.QUARANTINE: "warning", Severity.WARN: "info"}

# Tables somebody else keeps than the dealers' own people.
OWNER_OF_TABLE = {"dealers": Role.OEM}


@cache
def great_expectations() -> ModuleType:
    """Great Expectations, imported on first use (seconds, hundreds of megabytes), its usage statistics off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports modules that Python 3.11 deprecates
        import great_expectations as gx  # noqa: PLC0415
        import great_expectations.expectations  # noqa: PLC0415
    return gx


class Suite:
    """Collects the native expectations of one table; every method adds one per column.

    ``column`` in the metadata is the contract's column a person has to look at, also where the expectation itself
    works on a helper column (``expectations.helpers``).
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.expectations: list[Any] = []
        self._native = great_expectations().expectations

    def rows(self, rule: str = "empty_table") -> None:
        """The table has at least one row."""
        self._add("ExpectTableRowCountToBeBetween", rule, "", min_value=1)

    def present(self, rule: str, *columns: str) -> None:
        """The cells are not empty."""
        for column in columns:
            self._add("ExpectColumnValuesToNotBeNull", rule, column, column=column)

    def unique(self, rule: str, *columns: str) -> None:
        """No two rows agree in all these columns."""
        if len(columns) == 1:
            self._add("ExpectColumnValuesToBeUnique", rule, columns[0], column=columns[0])
        else:
            self._add(
                "ExpectCompoundColumnsToBeUnique",
                rule,
                columns[0],
                column_list=list(columns),
                ignore_row_if="any_value_is_missing",
            )

    def between(self, rule: str, *columns: str, shown: str = "", **bounds: object) -> None:
        """The values lie within ``min_value`` and ``max_value`` (``strict_min``, ``strict_max``)."""
        for column in columns:
            self._add("ExpectColumnValuesToBeBetween", rule, shown or column, column=column, **bounds)

    def words(self, rule: str, *columns: str) -> None:
        """The values are codes of the column's closed set in the contract."""
        fields = contract().tables[self.table].fields
        for column in columns:
            self.among(rule, column, contract().codes(fields[column].kind))

    def among(self, rule: str, column: str, values: Iterable[object], shown: str = "") -> None:
        """The values are among ``values``."""
        self._add("ExpectColumnValuesToBeInSet", rule, shown or column, column=column, value_set=list(values))

    def holds(self, rule: str, helper: str, shown: str) -> None:
        """The yes-or-no helper column says yes."""
        self.among(rule, helper, [1.0], shown)

    def after(self, rule: str, later: str, earlier: str, shown: str) -> None:
        """``later`` is not before ``earlier``; ``later`` is given as the last moment it may mean."""
        self._add(
            "ExpectColumnPairValuesAToBeGreaterThanB",
            rule,
            shown,
            column_A=later,
            column_B=earlier,
            or_equal=True,
            ignore_row_if="either_value_is_missing",
        )

    def rows_between(self, rule: str, low: int, high: int) -> None:
        """The number of rows lies within these."""
        self._add("ExpectTableRowCountToBeBetween", rule, "", min_value=low, max_value=high)

    def filled(self, rule: str, column: str, **bounds: object) -> None:
        """The share of filled cells lies within ``min_value`` and ``max_value``."""
        self._add("ExpectColumnProportionOfNonNullValuesToBeBetween", rule, column, column=column, **bounds)

    def median(self, rule: str, column: str, low: float, high: float) -> None:
        """The median lies within these."""
        self._add("ExpectColumnMedianToBeBetween", rule, column, column=column, min_value=low, max_value=high)

    def varied(self, rule: str, column: str) -> None:
        """The cells are not all the same."""
        self._add("ExpectColumnUniqueValueCountToBeBetween", rule, column, column=column, min_value=2)

    def known_words(self, rule: str, column: str, words: Iterable[str]) -> None:
        """All words of the column are among ``words``."""
        self._add("ExpectColumnDistinctValuesToBeInSet", rule, column, column=column, value_set=list(words))

    def own(self, rule: str, entry: OwnExpectation) -> None:
        """An expectation an OEM declares itself."""
        self._add(entry.type, rule, entry.column, **entry.arguments)

    def _add(self, kind: str, rule: str, shown: str, **arguments: object) -> None:
        said = rules()[rule]
        meta = {
            "id": f"{self.table}.{rule}.{shown}" if shown else f"{self.table}.{rule}",
            "rule": rule,
            "column": shown.removesuffix("_key"),
            "severity": said.severity.value,
            "action": said.action.value,
            "dimension": Dimension(said.dimension).value,
            "owner": OWNER_OF_TABLE.get(self.table, said.owner).value,
            "wrong": said.wrong(rule),
            "mend": said.mend(rule),
        }
        self.expectations.append(
            getattr(self._native, kind)(
                **arguments,
                meta=meta,
                severity=NATIVE_SEVERITY[said.severity],
                description=text(f"rule.{rule}.title", "en"),
            )
        )
