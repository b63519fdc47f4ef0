"""The command line: what can be asked for, in which words; the work is in ``flows.commands``, imported when called.

Only Typer and the message catalogues are imported here, so that ``rematch --help`` answers at once.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Annotated

import click
import typer

from flows.reader import reader_locale
from models.errors import ExitCode, UserError
from models.messages import text
from models.workspace import HOME_VARIABLE, home_from

EXPORT_FORMATS = ("csv", "parquet", "json")


def _t(key: str) -> str:
    return text(f"cli.{key}", reader_locale())


app = typer.Typer(
    name="rematch",
    help=_t("help"),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
map_app = typer.Typer(help=_t("map.help"), no_args_is_help=True)
app.add_typer(map_app, name="map")

Home = Annotated[Path | None, typer.Option("--home", help=_t("option.home"), envvar=HOME_VARIABLE, show_envvar=True)]
Cycle = Annotated[str, typer.Option("--cycle", "-c", metavar="YYYY-MM", help=_t("option.cycle"))]


@app.command(help=_t("init.help"), epilog=_t("init.example"))
def init(home: Home = None) -> None:  # noqa: D103  the help text is the documentation
    from flows.commands.workspace import init_workspace  # noqa: PLC0415

    init_workspace(home_from(home))


@app.command(help=_t("sample.help"), epilog=_t("sample.example"))
def sample(  # noqa: D103
    directory: Annotated[Path, typer.Argument(help=_t("sample.directory"))],
    dealers: Annotated[int, typer.Option(min=1, max=5000, help=_t("sample.dealers"))] = 60,
    months: Annotated[int, typer.Option(min=1, max=60, help=_t("sample.months"))] = 15,
    seed: Annotated[int, typer.Option(min=0, help=_t("sample.seed"))] = 1,
    end: Annotated[str, typer.Option("--end", metavar="YYYY-MM", help=_t("sample.end"))] = "2026-10",
) -> None:
    from flows.commands.sources import make_sample  # noqa: PLC0415

    make_sample(directory, dealers, months, seed, end)


@map_app.command("suggest", help=_t("map.suggest.help"), epilog=_t("map.suggest.example"))
def map_suggest(  # noqa: D103
    files: Annotated[list[Path], typer.Argument(help=_t("map.suggest.files"))],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=_t("map.suggest.out"))] = None,
) -> None:
    from flows.commands.sources import suggest  # noqa: PLC0415

    suggest(files, out)


@map_app.command("check", help=_t("map.check.help"), epilog=_t("map.check.example"))
def map_check(  # noqa: D103
    source: Annotated[Path, typer.Argument(help=_t("option.source"))],
    mapping: Annotated[Path | None, typer.Option("--mapping", "-m", help=_t("option.mapping"))] = None,
) -> None:
    from flows.commands.sources import check  # noqa: PLC0415

    check(source, mapping)


@app.command(help=_t("run.help"), epilog=_t("run.example"))
def run(  # noqa: D103
    source: Annotated[Path | None, typer.Option("--source", "-s", help=_t("option.source"))] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", "-m", help=_t("option.mapping"))] = None,
    cycle: Annotated[str, typer.Option("--cycle", "-c", metavar="YYYY-MM", help=_t("run.cycle"))] = "",
    as_of: Annotated[str, typer.Option("--as-of", metavar="YYYY-MM-DD", help=_t("run.as_of"))] = "",
    home: Home = None,
) -> None:
    from flows.commands.run import run_cycles  # noqa: PLC0415

    raise typer.Exit(run_cycles(home_from(home), source, mapping, cycle, as_of))


@app.command(help=_t("status.help"), epilog=_t("status.example"))
def status(home: Home = None) -> None:  # noqa: D103
    from flows.commands.workspace import show_status  # noqa: PLC0415

    show_status(home_from(home))


@app.command(help=_t("export.help"), epilog=_t("export.example"))
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


@app.command(help=_t("judge.help"), epilog=_t("judge.example"))
def judge(  # noqa: D103
    counts: Annotated[Path, typer.Option("--counts", help=_t("judge.counts"))],
    out: Annotated[Path, typer.Option("--out", "-o", help=_t("judge.out"))],
    plans: Annotated[Path | None, typer.Option("--plans", help=_t("judge.plans"))] = None,
    reasons: Annotated[Path | None, typer.Option("--reasons", help=_t("judge.reasons"))] = None,
) -> None:
    from flows.commands.exporting import judge_counts  # noqa: PLC0415

    judge_counts(counts, plans, reasons, out)


@app.command(help=_t("indicators.help"), epilog=_t("indicators.example"))
def indicators(  # noqa: D103
    missing: Annotated[bool, typer.Option("--missing", help=_t("indicators.missing"))] = False,
) -> None:
    from flows.commands.workspace import list_indicators  # noqa: PLC0415

    list_indicators(only_missing=missing)


@app.command(help=_t("demo.help"), epilog=_t("demo.example"))
def demo(  # noqa: D103
    dealers: Annotated[int, typer.Option(min=20, max=1000, help=_t("sample.dealers"))] = 60,
    months: Annotated[int, typer.Option(min=6, max=36, help=_t("sample.months"))] = 15,
    seed: Annotated[int, typer.Option(min=0, help=_t("sample.seed"))] = 1,
    home: Home = None,
) -> None:
    from flows.commands.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(home_from(home or Path("demo")), dealers, months, seed))


@app.command(help=_t("serve.help"), epilog=_t("serve.example"))
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
    """Run one command; the exit code is an ``ExitCode`` or Click's own 2 for usage.

    A UserError is printed in the reader's language. Anything else is a defect of ours: its traceback goes to the
    workspace's log, the reader gets one sentence that says where.
    """
    locale = reader_locale()
    try:
        answer = app(arguments, standalone_mode=False)
    except UserError as error:
        _say(error.text(locale))
        return int(error.exit_code)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return int(ExitCode.BAD_INPUT)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _say(text("cli.interrupted", locale))
        return 130
    except Exception:
        _say(text("cli.defect", locale, log=_write_defect()))
        return int(ExitCode.DEFECT)
    return answer if isinstance(answer, int) else int(ExitCode.OK)


def _write_defect() -> Path | str:
    folder = home_from() / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "defects.log").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
    except OSError:
        return traceback.format_exc()
    return folder / "defects.log"
