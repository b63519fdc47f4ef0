"""Pages of the manual that follow from code: ``python -m flows.manual`` writes them, a test checks them."""

from __future__ import annotations

import os
from pathlib import Path

from models.errors import ExitCode
from models.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
GENERATED = "<!-- written by `python -m flows.manual`; edit the code it comes from -->\n\n"

_EXIT_CODES = {
    ExitCode.OK: "done",
    ExitCode.DEFECT: "a defect of Rematch; its traceback is in `<workspace>/logs/defects.log`",
    ExitCode.BAD_INPUT: "usage, settings, mapping or files that the user can mend; the message says how",
    ExitCode.WITH_PROBLEMS: "the run is complete, but some dealers or files failed and are named",
    ExitCode.FAILED: "the run stopped; running again continues after the last finished step",
    ExitCode.BUSY: "another run holds the workspace",
}


def settings_page() -> str:
    """docs/settings.md: every setting with its variable, default and meaning."""
    lines = [
        "# Settings\n",
        GENERATED.rstrip(),
        "",
        "A setting is read from `rematch.toml` in the workspace, or from its variable, which wins. The workspace itself is",
        "`--home`, else `REMATCH_HOME`, else `./.rematch`; the language of the screen is `REMATCH_LOCALE`, else the system's.",
        "",
        "| setting | variable | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `{name}` | `REMATCH_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def command_page() -> str:
    """docs/command-line.md: the help of every command, and the exit codes."""
    import typer.main  # noqa: PLC0415

    from flows.cli import app  # noqa: PLC0415

    group = typer.main.get_command(app)
    lines = ["# Command line\n", GENERATED.rstrip(), "", str(group.help), ""]
    for name, command in _commands(group):
        lines += [f"## rematch {name}", "", str(command.help), ""]
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            lines += ["| argument | meaning |", "|---|---|", *rows, ""]
        if command.epilog:
            lines += [command.epilog, ""]
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code.value} | {_EXIT_CODES[code]} |" for code in ExitCode]
    return "\n".join(lines) + "\n"


def _commands(group: object, prefix: str = "") -> list[tuple[str, object]]:
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            found += _commands(command, f"{prefix}{name} ")
        else:
            found.append((f"{prefix}{name}", command))
    return found


def _parameter(parameter: object) -> str:
    options = getattr(parameter, "opts", [])
    names = ", ".join(f"`{option}`" for option in options)
    meaning = getattr(parameter, "help", "") or ""
    default = getattr(parameter, "default", None)
    shown = f" (default {default})" if isinstance(default, int | str) and default not in ("", False) else ""
    return f"| {names} | {meaning}{shown} |"


def exports_page() -> str:
    """docs/exports.md: every table that can be taken out, its columns, and what is not there yet."""
    from models.messages import text  # noqa: PLC0415
    from tasks.exporting import EXPORTS  # noqa: PLC0415

    lines = [
        "# What can be taken out\n",
        GENERATED.rstrip(),
        "",
        "`rematch export WHAT --cycle YYYY-MM [--dealer ID] [--format csv|parquet|json] --out FILE`",
        "",
        "Column names are a public contract, changed only with a note in the changelog. Ids are those of the input. CSV is UTF-8",
        "with a header; ISO dates, rates 0-1, effects and gaps in percentage points, booleans true/false, empty = not available.",
        "`row_number` counts data rows from 1; `row_key` is the id; the nation's `scope_id` is `all`; `measure`, `reason`,",
        "`indicator` are stable codes. `indicators` has one row per indicator and scope for the cycle's month, closing-month base.",
        "`reasons.driver_rank` is given for level-2 rows of dealers. `rejected.severity`: quarantine rows are set apart; warn rows",
        "stay, with the cell emptied where the rule says so; a row that repeats another (`exact_duplicate`, `replaced`) is dropped and",
        "listed with severity warn. `verdicts` has a row per measure and look, also for measures not executed.",
        "",
        "| WHAT | one row per | columns |",
        "|---|---|---|",
    ]
    for what, export in EXPORTS.items():
        lines.append(f"| {what} | {export.row} | {', '.join(export.columns)} |")
    missing = [(what, export) for what, export in EXPORTS.items() if export.read is None]
    lines += ["", "Not there yet: the command answers with what is missing, not with an empty file.", ""]
    lines += [f"- {text(f'export.needs.{export.needs}', 'en', what=what)}" for what, export in missing]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "command-line.md": command_page, "exports.md": exports_page}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    os.environ["REMATCH_LOCALE"] = "en"
    main()
