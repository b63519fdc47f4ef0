"""`rematch init`, `status`, `standards`, `indicators`: the workspace and what is in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from flows.commands.quality_status import show_quality
from flows.commands.screen import console, say, show_table, t
from flows.reader import reader_locale
from models.errors import SettingsError
from models.settings import KEY_FILE, SETTINGS_FILE, Settings
from models.workspace import EXAMPLE_SCENES, EXAMPLE_STANDARDS, STANDARDS, Workspace


def existing(home: Path) -> Workspace:
    """The workspace at ``home``; raises SettingsError with the remedy when there is none."""
    if not home.is_dir() or not any(home.iterdir()):
        raise SettingsError("settings.no_workspace", home=home)
    return Workspace.open(home)


def opened(home: Path) -> Workspace:
    """The workspace at ``home`` with what it lacks made, its key and its database tried.

    Raises SettingsError naming what cannot be written, read or reached.
    """
    from models.database import Database  # noqa: PLC0415

    workspace = Workspace.open(home)
    _made(workspace)
    workspace.key()
    Database.of(workspace).migrate()
    return workspace


def _made(workspace: Workspace) -> list[Path]:
    """Make what the workspace lacks; a lost key is not replaced by another, which would fit none of its data."""
    file = workspace.home / KEY_FILE
    if workspace.settings.secret_key is None and not file.exists() and any(workspace.lake.glob("*/*/manifest.json")):
        raise SettingsError("settings.key_lost", file=file)
    try:
        return workspace.create()
    except OSError as error:
        raise SettingsError("settings.not_writable", home=workspace.home, problem=error.strerror or error) from error


def settings_text() -> str:
    """A settings file that changes nothing: every setting with its meaning and default, commented out."""
    lines = [f"# {t('init.settings')}", ""]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        value = f'"{default}"' if isinstance(default, str) or default is None else str(default)
        lines += [f"# {field.description}", f"# {name} = {value.replace('None', '')}", ""]
    return "\n".join(lines)


def init_workspace(home: Path) -> None:
    """Make the folders, key, settings file and state database that are missing."""
    from models.database import Database  # noqa: PLC0415

    workspace = Workspace.open(home)
    made = _made(workspace)
    file = home / SETTINGS_FILE
    if not file.exists():
        file.write_text(settings_text(), "utf-8")
        made.append(file)
    made += [*_example_standards(workspace), *_example_scenes(workspace)]
    Database.of(workspace).migrate()
    for path in made:
        say("init.made", path=path)
    say("init.ready", home=home)


def _example_standards(workspace: Workspace) -> list[Path]:
    """The example of an OEM's own standards, all of it comments, where the workspace has no such folder yet."""
    if workspace.standards is not None:
        return []
    folder = workspace.home / STANDARDS
    shutil.copytree(EXAMPLE_STANDARDS, folder)
    return [folder]


def _example_scenes(workspace: Workspace) -> list[Path]:
    """The example of a named scene, where the workspace has no such folder yet."""
    if workspace.scenes.is_dir():
        return []
    shutil.copytree(EXAMPLE_SCENES, workspace.scenes)
    return [workspace.scenes]


def show_standards(home: Path) -> None:
    """The OEM's own standards, checked: how many entries of which file are laid over those shipped."""
    from tasks.standards import check_standards  # noqa: PLC0415

    folder = existing(home).standards
    if folder is None:
        say("standards.none", folder=home / STANDARDS)
        return
    found = check_standards(folder)
    rows = [[name, str(entries)] for name, entries in found.items() if entries]
    if rows:
        show_table(t("standards.title", folder=folder), [t("standards.file"), t("standards.entries")], rows)
    say("standards.good", folder=folder, entries=sum(found.values()))


def show_status(home: Path) -> None:
    """The key points of the latest runs: what is done, what is late, what failed and for whom."""
    from flows.sweeping import dead_runs  # noqa: PLC0415
    from models import ledger  # noqa: PLC0415
    from models.database import Database  # noqa: PLC0415
    from models.enums import PointState  # noqa: PLC0415
    from models.ledger.frames import outcomes_frame  # noqa: PLC0415
    from models.messages import text  # noqa: PLC0415

    locale = reader_locale()
    db = Database.of(existing(home))
    db.migrate()
    runs, dead = ledger.runs(db), dead_runs(db)
    if not runs:
        say("status.none")
        return
    for cycle in sorted({run.cycle for run in runs}):
        points = ledger.key_points(db, cycle)
        show_table(
            t("status.title", cycle=cycle),
            [t(f"status.{name}") for name in ("step", "owner", "state", "started", "finished", "late")],
            [
                [
                    point.step.label(locale),
                    point.owner.label(locale),
                    point.state.label(locale),
                    f"{db.local(point.started_at):%m-%d %H:%M:%S}" if point.started_at else "",
                    f"{db.local(point.finished_at):%m-%d %H:%M:%S}" if point.finished_at else "",
                    t("status.is_late") if point.late else "",
                ]
                for point in points
            ],
        )
        failed = outcomes_frame(db, cycle)
        for row in failed[~failed["ok"].astype(bool)].itertuples():
            console().print(f"  {row.dealer_id}: {text(row.message, locale, **row.params)}", markup=False)
        last = [run for run in runs if run.cycle == cycle][-1]
        if last in dead:
            say("status.dead", pid=last.pid)
        elif last.state is PointState.RUNNING:
            say("status.running", pid=last.pid, since=f"{db.local(last.started_at):%m-%d %H:%M:%S}")
        elif last.state is PointState.FAILED:
            say("status.failed", reason=last.message)
    latest = max(run.cycle for run in runs)
    show_quality(existing(home), latest, ledger.key_points(db, latest))


def list_indicators(*, only_missing: bool) -> None:
    """The indicator system, or the part of it that is not computed yet with what it needs."""
    from models.catalogue.indicators import indicators  # noqa: PLC0415

    locale = reader_locale()
    rows = [
        [entry.code, entry.label.text(locale), entry.group, entry.needs.text(locale) if entry.needs else ""]
        for entry in indicators().indicators.values()
        if not (only_missing and entry.computed)
    ]
    show_table(t("indicators.title"), [t(f"indicators.{name}") for name in ("code", "name", "group", "needs")], rows)
