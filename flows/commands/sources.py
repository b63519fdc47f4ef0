"""`rematch sample`, `rematch map suggest`, `rematch map check`: data to start from."""

from __future__ import annotations

from pathlib import Path

from flows.commands.screen import console, say, show_table, t
from flows.reader import reader_locale


def make_sample(directory: Path, dealers: int, months: int, seed: int, end: str) -> None:
    """Write a plausible OEM's exports with the known truth beside them."""
    from tasks.sample import write_sample  # noqa: PLC0415

    report = write_sample(directory, dealers, months, seed, end_month=end)
    show_table(
        t("sample.title", directory=directory),
        [t("sample.table"), t("sample.rows")],
        [[table, f"{rows:,}"] for table, rows in report.rows.items()],
    )
    say("sample.next", directory=directory)


def suggest(files: list[Path], out: Path | None) -> None:
    """Propose a mapping for ``files``, on the screen or into ``out``."""
    from tasks.mapping_tools import suggest_mapping  # noqa: PLC0415

    text = suggest_mapping(files)
    if out is None:
        console().print(text, markup=False, soft_wrap=True)
        return
    out.write_text(text, "utf-8")
    say("map.wrote", out=out, source=files[0].parent)


def check(source: Path, mapping: Path | None) -> None:
    """Hold a mapping against its files; findings on the screen."""
    from tasks.mapping_tools import check_mapping  # noqa: PLC0415

    report = check_mapping(source, mapping)
    locale = reader_locale()
    for finding in report.findings:
        console().print(f"- {finding.text(locale)}", markup=False)
    say("map.findings", count=len(report.findings))
