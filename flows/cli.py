"""The command line: what can be asked for, in which words; the work is in ``flows.commands``, imported when called.

Only Typer and the message catalogues are imported here, so that ``rematch --help`` answers at once.
"""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.exceptions import Abort, TyperException

from flows.helping import Command, Group, usage_error
from flows.reader import reader_locale
from models.errors import ExitCode, UserError
from models.home import HOME_VARIABLE, home_from
from models.messages import text

INTERRUPTED = 130  # what shells answer for Ctrl-C


def _t(key: str) -> str:
    return text(f"cli.{key}", reader_locale())


def _told(command: str) -> dict[str, Any]:
    """Help and example of a command, from the catalogue."""
    return {"help": _t(f"{command}.help"), "epilog": _t(f"{command}.example"), "cls": Command}


app = typer.Typer(
    name="rematch",
    cls=Group,
    help=_t("help"),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
map_app = typer.Typer(cls=Group, help=_t("map.help"), no_args_is_help=True, rich_markup_mode=None)
app.add_typer(map_app, name="map")

Home = Annotated[Path | None, typer.Option("--home", help=_t("option.home"), envvar=HOME_VARIABLE, show_envvar=True)]
Cycle = Annotated[str, typer.Option("--cycle", "-c", metavar="YYYY-MM", help=_t("option.cycle"))]


@app.command(**_told("init"))
def init(home: Home = None) -> None:  # noqa: D103  the help text is the documentation
    from flows.commands.workspace import init_workspace  # noqa: PLC0415

    init_workspace(home_from(home))


@app.command(**_told("sample"))
def sample(  # noqa: D103
    directory: Annotated[Path, typer.Argument(help=_t("sample.directory"))],
    dealers: Annotated[int, typer.Option(min=1, max=5000, help=_t("sample.dealers"))] = 60,
    months: Annotated[int, typer.Option(min=1, max=60, help=_t("sample.months"))] = 15,
    seed: Annotated[int, typer.Option(min=0, help=_t("sample.seed"))] = 1,
    end: Annotated[str, typer.Option("--end", metavar="YYYY-MM", help=_t("sample.end"))] = "2026-10",
) -> None:
    from flows.commands.sources import make_sample  # noqa: PLC0415

    make_sample(directory, dealers, months, seed, end)


@map_app.command("suggest", **_told("map.suggest"))
def map_suggest(  # noqa: D103
    files: Annotated[list[Path], typer.Argument(help=_t("map.suggest.files"))],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=_t("map.suggest.out"))] = None,
) -> None:
    from flows.commands.sources import suggest  # noqa: PLC0415

    suggest(files, out)


@map_app.command("check", **_told("map.check"))
def map_check(  # noqa: D103
    source: Annotated[Path, typer.Argument(help=_t("option.source"))],
    mapping: Annotated[Path | None, typer.Option("--mapping", "-m", help=_t("option.mapping"))] = None,
) -> None:
    from flows.commands.sources import check  # noqa: PLC0415

    check(source, mapping)


@app.command(**_told("run"))
def run(  # noqa: D103
    source: Annotated[Path | None, typer.Option("--source", "-s", help=_t("option.source"))] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", "-m", help=_t("option.mapping"))] = None,
    cycle: Annotated[str, typer.Option("--cycle", "-c", metavar="YYYY-MM", help=_t("run.cycle"))] = "",
    as_of: Annotated[str, typer.Option("--as-of", metavar="YYYY-MM-DD", help=_t("run.as_of"))] = "",
    home: Home = None,
) -> None:
    from flows.commands.run import run_cycles  # noqa: PLC0415

    raise typer.Exit(run_cycles(home_from(home), source, mapping, cycle, as_of))


@app.command(**_told("status"))
def status(home: Home = None) -> None:  # noqa: D103
    from flows.commands.workspace import show_status  # noqa: PLC0415

    show_status(home_from(home))


@app.command(**_told("corrections"))
def corrections(  # noqa: D103
    files: Annotated[list[Path], typer.Argument(help=_t("corrections.files"), metavar="FILE...")],
    dealer: Annotated[str, typer.Option("--dealer", help=_t("corrections.dealer"))] = "",
    actor: Annotated[str, typer.Option("--actor", help=_t("corrections.actor"))] = "",
    home: Home = None,
) -> None:
    from flows.commands.corrections import take_corrections  # noqa: PLC0415

    raise typer.Exit(take_corrections(home_from(home), files, dealer, actor or "platform"))


@app.command(**_told("export"))
def export(  # noqa: D103
    what: Annotated[str, typer.Argument(help=_t("export.what"))],
    out: Annotated[Path, typer.Option("--out", "-o", help=_t("export.out"))],
    cycle: Cycle = "",
    dealer: Annotated[str, typer.Option("--dealer", help=_t("export.dealer"))] = "",
    file_format: Annotated[str, typer.Option("--format", "-f", help=_t("export.format"))] = "",
    home: Home = None,
) -> None:
    from flows.commands.exporting import export_table  # noqa: PLC0415

    export_table(home_from(home), what, cycle, dealer, file_format, out)


@app.command(**_told("judge"))
def judge(  # noqa: D103
    counts: Annotated[Path, typer.Option("--counts", help=_t("judge.counts"))],
    out: Annotated[Path, typer.Option("--out", "-o", help=_t("judge.out"))],
    plans: Annotated[Path | None, typer.Option("--plans", help=_t("judge.plans"))] = None,
    reasons: Annotated[Path | None, typer.Option("--reasons", help=_t("judge.reasons"))] = None,
) -> None:
    from flows.commands.exporting import judge_counts  # noqa: PLC0415

    judge_counts(counts, plans, reasons, out)


@app.command("simulate-year", **_told("simulate_year"))
def simulate_year(  # noqa: D103
    networks: Annotated[int, typer.Option(min=1, max=1000, help=_t("simulate_year.networks"))] = 4,
    dealers: Annotated[int, typer.Option(min=60, max=2000, help=_t("simulate_year.dealers"))] = 150,
    seed: Annotated[int, typer.Option(min=0, help=_t("simulate_year.seed"))] = 1,
    explore: Annotated[bool, typer.Option("--explore", help=_t("simulate_year.explore"))] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help=_t("simulate_year.out"))] = None,
) -> None:
    from flows.commands.simulate import simulate  # noqa: PLC0415

    simulate(networks, dealers, seed, explore=explore, out=out)


@app.command(**_told("standards"))
def standards(home: Home = None) -> None:  # noqa: D103
    from flows.commands.workspace import show_standards  # noqa: PLC0415

    show_standards(home_from(home))


@app.command(**_told("indicators"))
def indicators(  # noqa: D103
    missing: Annotated[bool, typer.Option("--missing", help=_t("indicators.missing"))] = False,
) -> None:
    from flows.commands.workspace import list_indicators  # noqa: PLC0415

    list_indicators(only_missing=missing)


@app.command(**_told("demo"))
def demo(  # noqa: D103
    dealers: Annotated[int, typer.Option(min=20, max=1000, help=_t("sample.dealers"))] = 60,
    months: Annotated[int, typer.Option(min=6, max=36, help=_t("sample.months"))] = 15,
    seed: Annotated[int, typer.Option(min=0, help=_t("sample.seed"))] = 1,
    home: Home = None,
) -> None:
    from flows.commands.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(home_from(home or Path("demo")), dealers, months, seed))


@app.command(**_told("serve"))
def serve(  # noqa: D103
    port: Annotated[int, typer.Option(min=0, max=65535, help=_t("serve.port"))] = 4200,
    host: Annotated[str, typer.Option(help=_t("serve.host"))] = "127.0.0.1",
    home: Home = None,
) -> None:
    from flows.commands.serve import serve_schedules  # noqa: PLC0415

    serve_schedules(home_from(home), host, port)


def _say(message: str) -> None:
    click.secho(message, err=True, fg="red")


def run_command_line(arguments: list[str]) -> int:
    """Run one command; the exit code is an ``ExitCode``, or 130 when it was interrupted.

    A UserError is printed in the reader's language. Anything else is a defect of ours: its traceback goes to the
    workspace's log, the reader gets one sentence that says where.
    """
    locale = reader_locale()
    try:
        answer = app(arguments, prog_name="rematch", standalone_mode=False)
    except UserError as error:
        _say(error.text(locale))
        return int(error.exit_code)
    except TyperException as error:
        _say(usage_error(error))
        return int(ExitCode.BAD_INPUT)
    except (KeyboardInterrupt, Abort):
        answer = INTERRUPTED
    except Exception:
        _say(text("cli.defect", locale, log=_write_defect()))
        return int(ExitCode.DEFECT)
    if answer == INTERRUPTED:  # Typer turns Ctrl-C into this answer
        _say(text("cli.interrupted", locale))
    return answer if isinstance(answer, int) else int(ExitCode.OK)


def _write_defect() -> Path:
    """Append the traceback to the workspace's log; without a workspace, to one in the folder for temporary files."""
    home = home_from()
    file = (home / "logs" if home.is_dir() else Path(tempfile.gettempdir())) / "defects.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        log = file.open("a", encoding="utf-8")
    except OSError:
        file = Path(tempfile.gettempdir()) / "rematch-defects.log"
        log = file.open("a", encoding="utf-8")
    with log:
        traceback.print_exc(file=log)
    return file
