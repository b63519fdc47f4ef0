"""Tables, columns, rules and signs of the data checks as people say them; a name no standard knows stays as it is.

Points lost to authenticity signs stand among the losses as rows of the table ``signals``, their rule being the sign.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.catalogue.contract import contract
from models.catalogue.signals import signals
from models.messages import has, messages, text
from reports.formats import Formatter

SIGNALS = "signals"
_DASH = "—"


def table_label(table: str, locale: str) -> str:
    """A table of the contract, or what stands for all signs."""
    if table == SIGNALS:
        return text("quality_page.signs.table", locale)
    tables = contract().tables
    return tables[table].label.text(locale) if table in tables else table


def column_label(table: str, column: str, locale: str) -> str:
    """A field of a table of the contract."""
    tables = contract().tables
    fields = tables[table].fields if table in tables else {}
    return fields[column].label.text(locale) if column in fields else column


def rule_title(rule: str, locale: str) -> str:
    """What should hold by a rule; of a sign what it is called."""
    known = signals().signals
    if rule in known:
        return known[rule].label.text(locale)
    return text(f"rule.{rule}.title", locale) if has(f"rule.{rule}.title") else rule


def rule_words(table: str, rule: str, columns: Sequence[str], locale: str) -> str:
    """A rule with the cells it is about."""
    names = [column_label(table, column, locale) for column in columns if column]
    title = rule_title(rule, locale)
    return text("quality_page.about", locale, columns=Formatter(locale).words(names), rule=title) if names else title


class _Plain(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return _DASH


def how_to_mend(rule: str, locale: str, columns: Sequence[str] = ()) -> str:
    """How to mend a rule, without the particulars of a row, or to check a sign; empty where no words say how."""
    known = signals().signals
    if rule in known:
        return known[rule].check.text(locale)
    key = f"rule.{rule}.mend"
    return messages()[key][locale].format_map(_Plain(column=Formatter(locale).words(columns))) if has(key) else ""
