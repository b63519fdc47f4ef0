"""Write a proposed mapping as TOML, each guess with its confidence and reason as a comment, for a person to correct."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from models.catalogue.contract import ContractField, contract
from tasks.compute.mapping.profile import CLOSED, code_of, guess_code, likeness, state_like
from tasks.compute.mapping.rows import shown, squeezed
from tasks.compute.mapping.suggest import SURE, Link, Placed, Proposal, Sheet, TablePlan, distinct_values

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CLOSING = ("close", "clos", "end", "结束", "关闭", "结案", "result")
_IN_TEN_THOUSANDS = re.compile(r"[(（\[【/_]\s*万元?\s*[)）\]】]?")  # 报价（万元）
_SCALES = ((5.0, 1.0), (10.0, 1.0), (100.0, 0.0))  # highest value seen -> the scale it is probably on


def write(proposal: Proposal) -> str:
    """The TOML text; it loads as it is, and ``rematch map check`` names what is still open."""
    lines = [
        "# Proposed by `rematch map suggest` from headers and values. Every line is a guess with its confidence (0-1):",
        "# read them, correct them, then run `rematch map check`. docs/mapping.md explains every key.",
        "",
    ]
    sheets = {one.name: one for one in proposal.sheets}
    for one in proposal.sheets:
        lines += [f"[inputs.{key(one.name)}]", f"files = {text(list(one.files))}"]
        if one.na:
            lines.append(f"na = {text(list(one.na))}")
        unplaced = proposal.unplaced[one.name]
        if unplaced:
            lines.append(f"# nothing found for: {', '.join(clean(name) for name in unplaced)}")
        lines.append("")
    for plan in proposal.tables:
        lines += [*_table(plan, sheets), ""]
    absent = [name for name in contract().tables if name not in {plan.table.name for plan in proposal.tables}]
    lines.append(f"# tables nothing was found for: {', '.join(absent)}")
    return "\n".join(lines) + "\n"


def key(name: str) -> str:
    """A TOML key."""
    return name if _BARE.fullmatch(name) else text(name)


def text(value: object) -> str:
    """A TOML value; JSON texts and lists are valid TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def clean(name: str) -> str:
    """A header as a comment may hold it."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", name)


def _table(plan: TablePlan, sheets: dict[str, Sheet]) -> Iterator[str]:
    name = plan.table.name
    yield f"[[tables.{name}]]"
    yield f"from = {text(plan.source)}"
    if plan.distinct:
        yield "distinct = true"
    status = _status(plan, sheets)
    if plan.lost_only and status is not None:
        lost = [value for value, code in status.items() if code == "defeated"]
        yield f"where = {{ column = {text(_status_column(sheets, plan.source))}, in = {text(lost)} }}"
    for link in plan.links:
        yield from _link(name, link, sheets)
    yield f"[tables.{name}.fields]"
    later: list[str] = []
    for field in plan.table.fields.values():
        item = plan.placed.get(field.name)
        if item is not None:
            if item.also:
                yield from _spread(item)
            block = _dictionary(plan, field, item, sheets)
            later += block
            if not block:
                yield _field(plan, field, item, status, sheets)
        elif field.required:
            yield _missing(plan, field)
    if name == "leads":
        yield from _closing(plan, status, sheets)
    yield from later


def _status_column(sheets: dict[str, Sheet], source: str) -> str:
    field = contract().tables["leads"].fields["status"]
    ranked = sorted((likeness(item, field), name) for name, item in sheets[source].profiles.items())
    return (
        ranked[-1][1]
        if ranked and ranked[-1][0] >= SURE and state_like(sheets[source].profiles[ranked[-1][1]].values)
        else ""
    )


def _status(plan: TablePlan, sheets: dict[str, Sheet]) -> dict[str, str | None] | None:
    """What each value of the state column probably means; None without such a column in the table's own input."""
    item = plan.placed.get("status")
    column = item.column if item and "." not in item.column else _status_column(sheets, plan.source)
    if not column or column not in sheets[plan.source].profiles:
        return None
    values = sheets[plan.source].profiles[column].values
    return {value: guess_code(value, "status", values) for value in values}


def _link(table: str, link: Link, sheets: dict[str, Sheet]) -> Iterator[str]:
    on = text(link.here) if link.here == link.there else f"{{ {key(link.here)} = {text(link.there)} }}"
    share = f"{link.share:.0%} of the keys here stand there"
    if not link.events:
        yield from ("", f"[[tables.{table}.join]]", f"input = {text(link.input)}", f"on = {on} # {share}")
        if link.unused:
            yield f'unused = "warn" # about {link.unused} of its rows are asked for by none'
        return
    order = link.times[0] if link.times else None
    yield from (
        "",
        f"[[tables.{table}.fold]]",
        f"input = {text(link.input)}",
        f"on = {on} # {share}; several rows each",
    )
    if order is not None:
        formats = sheets[link.input].profiles[order].formats
        yield f"order_by = {text(order)}"
        if formats:
            yield f"formats = {text(list(formats))}"
    yield f"[tables.{table}.fold.columns]"
    yield 'count = { take = "count" }'
    if order is not None:
        yield f'first_at = {{ take = "first", column = {text(order)} }}'
        yield f'last_at = {{ take = "last", column = {text(order)} }}'


def _field(
    plan: TablePlan, field: ContractField, item: Placed, status: dict[str, str | None] | None, sheets: dict[str, Sheet]
) -> str:
    parts = [_source(item)]
    note = f"{item.confidence:.2f}"
    if item.profile.formats and field.kind in ("date", "datetime"):
        parts.append(f"formats = {text(list(item.profile.formats))}")
        note += ", day and month could be the other way round" if item.profile.ambiguous else ""
    if field.kind == "money" and _IN_TEN_THOUSANDS.search(item.column):
        parts.append("multiply = 10000")
        note += ", the header says 万元"
    if field.kind == "score" and item.profile.number > 0.9:
        highest = max((float(value) for value in item.profile.values if _numeric(value)), default=10.0)
        top, low = next((scale for scale in _SCALES if highest <= scale[0]), (highest, 0.0))
        if top != 10.0:
            parts.append(f"scale = {{ from = [{low:g}, {top:g}], to = [1, 10] }}")
    state = _status_column(sheets, plan.source) if plan.table.name == "leads" else ""
    codes = {"ordered_at": "won", "defeated_at": "defeated"}
    if state and status is not None and field.name in codes and _closing_like(item.column):
        wanted = [value for value, code in status.items() if code == codes[field.name]]
        parts.append(f"when = {{ column = {text(state)}, in = {text(wanted)} }}")
        note += ", the day the deal was closed"
    value = text(item.column) if len(parts) == 1 and not item.also else f"{{ {', '.join(parts)} }}"
    return f"{field.name} = {value} # {note}"


def _spread(item: Placed) -> Iterator[str]:
    """Columns of which a row fills one: which one it was is worth keeping too."""
    yield f"# one of several columns is filled: which = {text([item.column, *item.also])} tells which one"


def _source(item: Placed) -> str:
    return f"coalesce = {text([item.column, *item.also])}" if item.also else f"column = {text(item.column)}"


def _numeric(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None


def _closing_like(column: str) -> bool:
    return any(word in squeezed(column) for word in _CLOSING)


def _closing(plan: TablePlan, status: dict[str, str | None] | None, sheets: dict[str, Sheet]) -> Iterator[str]:
    """One closing date for won and lost deals fills the other of the two fields too."""
    pair = [("ordered_at", "defeated_at", "defeated"), ("defeated_at", "ordered_at", "won")]
    for have, lack, code in pair:
        item = plan.placed.get(have)
        if item is None or lack in plan.placed or status is None or not _closing_like(item.column):
            continue
        wanted = [value for value, meant in status.items() if meant == code]
        state = text(_status_column(sheets, plan.source))
        formats = f", formats = {text(list(item.profile.formats))}" if item.profile.formats else ""
        when = f"when = {{ column = {state}, in = {text(wanted)} }}"
        yield f"{lack} = {{ column = {text(item.column)}{formats}, {when} }} # the same closing date"


def _dictionary(plan: TablePlan, field: ContractField, item: Placed, sheets: dict[str, Sheet]) -> list[str]:
    """A value dictionary where a closed set is written in the source's own words; empty when none is needed."""
    if field.kind not in contract().words and field.kind != "reason":
        return []
    source, _, column = item.column.rpartition(".")
    one = sheets.get(source)
    one, column = (one, column) if one is not None else (sheets[plan.source], item.column)
    counts = distinct_values(one, [column, *item.also], CLOSED)
    if all(code_of(str(value), field.kind) == value for value in counts.index):
        return []
    lines = [
        "",
        f"[tables.{plan.table.name}.fields.{field.name}] # {item.confidence:.2f}",
        _source(item),
        'otherwise = "warn"',
        f"[tables.{plan.table.name}.fields.{field.name}.values]",
    ]
    for value, count in counts.items():
        word = str(value)
        if shown(word) != word:
            continue
        code = guess_code(word, field.kind, item.profile.values)
        guess = code or ("open" if field.kind == "status" else None)
        sure = "" if code_of(word, field.kind) else ", a guess" if code else ", not understood"
        lead = "" if guess else "# "
        lines.append(f"{lead}{text(word)} = {text(guess or '?')} # {count} rows{sure}")
    return lines


def _missing(plan: TablePlan, field: ContractField) -> str:
    candidates = ", ".join(f"{clean(one.column)} {one.confidence:.2f}" for one in plan.candidates.get(field.name, []))
    filled = _SUBSTITUTES.get((plan.table.name, field.name))
    if field.kind == "phone":
        return f"{field.name} = {{ absent = true }} # no column looks like phone numbers: persons cannot be joined"
    if plan.table.name == "dealers" and field.name == "name" and "dealer_id" in plan.placed:
        return f"{field.name} = {text(plan.placed['dealer_id'].column)} # no name found"
    if filled is not None:
        return f"{field.name} = {filled} # nothing found; candidates: {candidates or 'none'}"
    return f'# {field.name} = "?" # required, nothing found; candidates: {candidates or "none"}'


# What stands in for a required field nothing was found for, where that does no harm and is reported.
_ALL = '{ constant = "ALL", because = "the files name none" }'
_SUBSTITUTES = {
    ("dealers", "dealer_id"): _ALL,
    ("dealers", "name"): _ALL,
    ("dealers", "region_id"): _ALL,
    ("leads", "dealer_id"): _ALL,
    ("leads", "lead_id"): '{ template = "{_row}" }',
    ("defeats", "lead_id"): '{ template = "{_row}" }',
}
