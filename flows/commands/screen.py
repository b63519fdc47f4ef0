"""What commands print: messages of the catalogue in the reader's language, tables by Rich; no personal data."""

from __future__ import annotations

from functools import cache

from rich.console import Console
from rich.table import Table

from flows.reader import reader_locale
from models.messages import text


@cache
def console() -> Console:
    """The screen; wide enough for tables when the output is a file."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=120)


def t(key: str, **params: object) -> str:
    """The message ``cli.<key>`` in the reader's language."""
    return text(f"cli.{key}", reader_locale(), **params)


def say(key: str, **params: object) -> None:
    """Print the message ``cli.<key>``."""
    console().print(t(key, **params), markup=False, soft_wrap=True)  # a command to copy stays on its line


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a small table; columns and cells are already in the reader's language."""
    console().print(title, style="bold", markup=False)
    table = Table(show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)
