"""`rematch run`: one cycle or several, with the embedded server, progress on the screen and the account of rows."""

from __future__ import annotations

import os
import re
import signal
from datetime import datetime, time
from pathlib import Path

from flows.commands.screen import console, say, t
from flows.commands.workspace import opened
from flows.locking import refuse_when_busy
from flows.reader import reader_locale
from flows.server import prefect_api
from models.errors import ExitCode, NotAvailableError, SourceError, UserError
from models.home import HOME_VARIABLE
from models.workspace import Workspace

_CYCLE = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def cycles_named(cycle: str) -> list[str]:
    """The cycles of ``YYYY-MM``, ``YYYY-MM..YYYY-MM`` or nothing (one empty name: the data decides).

    Raises SourceError for anything else.
    """
    if not cycle:
        return [""]
    ends = cycle.split("..")
    if len(ends) > 2 or not all(_CYCLE.fullmatch(end) for end in ends) or ends[0] > ends[-1]:
        raise SourceError("run.bad_cycle", cycle=cycle)
    first, last = (int(end[:4]) * 12 + int(end[5:]) - 1 for end in (ends[0], ends[-1]))
    return [f"{month // 12}-{month % 12 + 1:02d}" for month in range(first, last + 1)]


def moment_named(as_of: str) -> datetime | None:
    """The end of the day ``YYYY-MM-DD``, None for nothing; raises SourceError for anything else."""
    if not as_of:
        return None
    try:
        return datetime.combine(datetime.strptime(as_of, "%Y-%m-%d").date(), time(23, 59, 59))
    except ValueError:
        raise SourceError("run.bad_day", day=as_of) from None


def run_cycles(home: Path, source: Path | None, mapping: Path | None, cycle: str, as_of: str) -> int:
    """Run the named cycles one after the other; answers the worst exit code.

    What can be known to be wrong is said before a server is started: the source, the settings, the database, another
    run in the workspace.
    """
    cycles, moment = cycles_named(cycle), moment_named(as_of)
    for path in (source, mapping):
        if path is not None and not path.exists():
            raise SourceError("run.source_missing", source=path)
    workspace = opened(home)
    _refuse_standards(workspace)
    if source is None and not workspace.settings.cycle_source:
        raise NotAvailableError("run.no_source")
    refuse_when_busy(home)
    if source is not None:
        _refuse_unusable(source, mapping)
    os.environ[HOME_VARIABLE] = str(home)
    signal.signal(signal.SIGTERM, interrupt)
    code = ExitCode.OK
    with prefect_api(workspace) as server:
        say("run.pages", url=server.ui)
        for name in cycles:
            code = max(code, run_one(home, str(source.absolute()) if source else "", mapping, name, moment))
    return int(code)


def _refuse_standards(workspace: Workspace) -> None:
    """CatalogueError when the OEM's own standards cannot be used."""
    from tasks.standards import check_standards  # noqa: PLC0415

    check_standards(workspace.standards)


def _refuse_unusable(source: Path, mapping: Path | None) -> None:
    """SourceError or MappingError when the source or its mapping cannot be used as a whole."""
    from tasks.mapping_tools import load_mapping  # noqa: PLC0415
    from tasks.sources import contract_sources  # noqa: PLC0415

    chosen = mapping or (source if source.suffix == ".toml" and source.is_file() else None)
    if chosen is not None:
        load_mapping(chosen)
    else:
        contract_sources(source)


def interrupt(_number: int, _frame: object) -> None:
    """SIGTERM ends a command as Ctrl-C does: finished steps are kept, the embedded server is stopped."""
    raise KeyboardInterrupt


def run_one(home: Path, source: str, mapping: Path | None, cycle: str, as_of: datetime | None) -> ExitCode:
    """One cycle, its steps on the screen as they end; a Prefect API must be in use."""
    from flows.closed_loop import closed_loop  # noqa: PLC0415
    from flows.progress import show_step  # noqa: PLC0415
    from flows.records import listening  # noqa: PLC0415

    with listening(show_step):
        state = closed_loop(
            cycle=cycle,
            source=source,
            as_of=as_of,
            mapping=str(mapping.absolute()) if mapping else "",
            return_state=True,
        )
    if state.is_failed() or state.is_crashed() or state.is_cancelled():
        error = state.result(raise_on_failure=False)
        if isinstance(error, UserError):
            console().print(error.text(reader_locale()), style="red", markup=False)
            return error.exit_code
        raise error if isinstance(error, BaseException) else RuntimeError(str(state))
    ref = state.result()
    say("run.done", cycle=ref.cycle, page=home / "reports" / ref.cycle / f"index.{reader_locale()}.html")
    if state.name == "CompletedWithProblems":
        console().print(t("run.problems"), style="yellow", markup=False)
        return ExitCode.WITH_PROBLEMS
    return ExitCode.OK
