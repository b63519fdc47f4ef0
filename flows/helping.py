"""Help pages and usage errors in the reader's language, wrapped for any width of terminal.

Typer's own pages are English, cut Chinese sentences (which have no blanks to break at) with an ellipsis, and take a
tenth of a second to import what draws their boxes.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from difflib import get_close_matches
from typing import Any

import click
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from flows.reader import reader_locale
from models.errors import UserError
from models.messages import text

WIDEST = 100
NARROWEST_PAIR = 30  # columns left for the meaning below which it goes on a line of its own
#: What may not be torn apart: blanks, words, a wide character with the punctuation around it.
_UNITS = re.compile(r"\n|[^\S\n]+|[(“《]*[⺀-￿][,。;:)”》、!?…]*|[^\s⺀-￿]+")
_ABOUT = {
    "NoSuchOption": "no_option",
    "BadOptionUsage": "no_value",
    "MissingParameter": "missing",
    "BadParameter": "bad_value",
}


def _t(key: str, **params: object) -> str:
    return text(f"cli.usage.{key}", reader_locale(), **params)


def cells(line: str) -> int:
    """How many columns of a terminal ``line`` takes: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def wrapped(words: str, width: int) -> list[str]:
    """``words`` in lines of at most ``width`` columns; a single word longer than that stays whole."""
    lines = [""]
    for unit in _UNITS.findall(words):
        if unit == "\n":
            lines.append("")
        elif cells(lines[-1]) + cells(unit.rstrip()) > width and lines[-1].strip():
            lines.append(unit.lstrip())
        else:
            lines[-1] += unit
    return [line.rstrip() for line in lines]


def _pairs(rows: list[tuple[str, str]], width: int) -> list[str]:
    """Names with their meanings beside them, or below them where the terminal is narrow."""
    margin = max((cells(name) for name, _ in rows), default=0) + 4
    beside = width - margin >= NARROWEST_PAIR
    indent = margin if beside else 6
    lines = []
    for name, meaning in rows:
        told = wrapped(meaning, width - indent)
        first = f"  {name}"
        if beside:
            lines.append(first + " " * (margin - cells(first)) + told[0])
            told = told[1:]
        else:
            lines.append(first)
        lines += [" " * indent + line for line in told]
    return lines


def expected(parameter: Any, context: Any) -> str:
    """What a parameter takes: the range of a number, else its placeholder; nothing for a flag."""
    low, high = parameter.min, parameter.max
    if low is not None or high is not None:
        return f"{'' if low is None else low}..{'' if high is None else high}"
    if getattr(parameter, "is_flag", False):
        return ""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = str(parameter.display_type_rich(ctx=context) or "").strip("<>")
    return {"str": "TEXT", "int": "NUMBER"}.get(kind, kind.upper())


def _option(parameter: Any, context: Any) -> tuple[str, str]:
    """Names and meaning of one option."""
    names = ", ".join(sorted(parameter.opts, key=len))
    return f"{names} {expected(parameter, context)}".rstrip(), _meaning(parameter)


def _meaning(parameter: Any) -> str:
    notes = [parameter.help or ""]
    if parameter.required and parameter.param_type_name == "option":
        notes.append(_t("required"))
    if isinstance(parameter.default, int | str) and parameter.default not in ("", False):
        notes.append(_t("default", value=parameter.default))
    if parameter.envvar:
        notes.append(_t("variable", name=parameter.envvar))
    return " ".join(note for note in notes if note)


def help_page(command: Any, context: Any) -> str:
    """The help page of a command: usage, what it does, arguments, options, commands, an example."""
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    pieces = [_t("options_here"), *(each.name.upper() for each in arguments)]
    commands = getattr(command, "commands", {})
    pieces += [_t("command_here")] if commands else []
    lines = [*wrapped(_t("line", command=context.command_path, pieces=" ".join(pieces)), width), ""]
    lines += wrapped(command.help or "", width)
    rows = {
        "arguments": [(each.name.upper(), _meaning(each)) for each in arguments],
        "options": [*(_option(each, context) for each in options), (", ".join(context.help_option_names), _t("help"))],
        "commands": [(name, each.help or "") for name, each in commands.items() if not each.hidden],
    }
    for part, its in rows.items():
        if its:
            lines += ["", _t(part), *_pairs(its, width)]
    if command.epilog:
        lines += ["", *wrapped(command.epilog, width)]
    return "\n".join(lines) + "\n"


class Command(TyperCommand):
    """A command with our help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page; Typer calls this."""
        formatter.write(help_page(self, ctx))


class Group(TyperGroup):
    """A group of commands with our help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page; Typer calls this."""
        formatter.write(help_page(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run; raises UsageMistakeError naming near ones when there is none of that name."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.commands, n=2)
            raise UsageMistakeError(
                "cli.usage.no_command", name=args[0], near=", ".join(near) or "-", command=ctx.command_path
            )
        return super().resolve_command(ctx, args)


class UsageMistakeError(UserError):
    """A command line that names what there is not."""


def usage_error(error: TyperException) -> str:
    """What is wrong with the command line as typed, and where the right one is shown."""
    context: Any = getattr(error, "ctx", None)
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        return str(context.get_help())
    parameter: Any = getattr(error, "param", None)
    takes = expected(parameter, context) if parameter is not None else ""
    name = getattr(error, "option_name", "") or (_named(parameter) if parameter is not None else "")
    near = ", ".join(getattr(error, "possibilities", None) or ()) or "-"
    key = _ABOUT.get(kind, "other")
    said = _t(key, name=name, near=near, takes=takes or "-", problem=click.unstyle(error.format_message()))
    return said + _t("see", command=context.command_path if context else "rematch")


def _named(parameter: Any) -> str:
    return parameter.name.upper() if parameter.param_type_name == "argument" else max(parameter.opts, key=len)
