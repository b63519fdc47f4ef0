"""`rematch demo`: a sample network, three consecutive cycles, simulated dealers that answer, and where to look."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.commands.run import run_one
from flows.commands.screen import say, show_table, t
from flows.reader import reader_locale
from flows.server import prefect_api
from models.errors import ExitCode, SourceError
from models.workspace import HOME_VARIABLE, Workspace

if TYPE_CHECKING:
    from tasks.sample import Sample
    from tasks.simulated_dealers import SimulatedDealers

CYCLES = 3
END_MONTH = "2026-10"
MARK = "demo.json"


def run_demo(home: Path, dealers: int, months: int, seed: int) -> int:
    """Run the demonstration in ``home``, which is emptied first when an earlier demonstration made it."""
    started = time.monotonic()
    _fresh(home, dealers, months, seed)
    workspace = Workspace.open(home / "workspace")
    workspace.create()
    os.environ[HOME_VARIABLE] = str(workspace.home)
    code = ExitCode.OK
    with prefect_api(workspace):
        from models.database import Database  # noqa: PLC0415
        from tasks.sample import Sample  # noqa: PLC0415
        from tasks.simulated_dealers import SimulatedDealers  # noqa: PLC0415

        calendar = _months(months)
        say("demo.start", dealers=dealers, months=months, cycles=CYCLES)
        sample = Sample.create(home / "exports", dealers, seed, calendar[0])
        db = Database.of(workspace)
        people = SimulatedDealers(db, seed)
        for month in calendar:
            sample.write_month(month, people.effects_in(month))
            if month in calendar[-CYCLES:]:
                code = max(code, _cycle(workspace, sample, people, month))
        _summary(workspace, calendar[-CYCLES:])
    say("demo.done", seconds=round(time.monotonic() - started))
    say("demo.look", page=workspace.reports / calendar[-1] / f"index.{reader_locale()}.html", home=workspace.home)
    return int(code)


def _months(count: int) -> list[str]:
    last = int(END_MONTH[:4]) * 12 + int(END_MONTH[5:]) - 1
    return [f"{month // 12}-{month % 12 + 1:02d}" for month in range(last - count + 1, last + 1)]


def _fresh(home: Path, dealers: int, months: int, seed: int) -> None:
    mark = home / MARK
    if home.exists() and any(home.iterdir()):
        if not mark.is_file():
            raise SourceError("demo.not_empty", home=home)
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"dealers": dealers, "months": months, "seed": seed}), "utf-8")


def _cycle(workspace: Workspace, sample: Sample, people: SimulatedDealers, month: str) -> ExitCode:
    """One cycle on what the network exported; before it people do what was due, after it they get their plans."""
    from models import ledger  # noqa: PLC0415

    people.live_until(people.db.instant(_end_of(month)))
    code = run_one(workspace.home, str(sample.directory.absolute()), None, month, None)
    answers = people.take(ledger.plans(people.db, month), month)
    filed = sum(answer.filed_days is not None for answer in answers)
    say("demo.answers", plans=len(answers), filed=filed)
    return code


def _end_of(month: str) -> datetime:
    year, number = int(month[:4]), int(month[5:])
    return datetime(year + number // 12, number % 12 + 1, 1)


def _summary(workspace: Workspace, cycles: list[str]) -> None:
    """What happened, a line a cycle."""
    from models import ledger  # noqa: PLC0415
    from models.database import Database  # noqa: PLC0415
    from models.enums import EffectVerdict, PlanKind  # noqa: PLC0415
    from models.ledger.frames import verdicts_frame  # noqa: PLC0415
    from tasks.exporting import export_frame  # noqa: PLC0415

    locale, db = reader_locale(), Database.of(workspace)
    rows = []
    for cycle in cycles:
        plans = ledger.plans(db, cycle)
        kinds = Counter(plan.kind for plan in plans)
        looks = verdicts_frame(db, cycle)
        found = Counter(looks["verdict"])
        nation = export_frame(workspace, "indicators", cycle)
        nation = nation[(nation["scope"] == "nation") & (nation["indicator"] == "close_rate")]
        rows.append(
            [
                cycle,
                f"{100 * float(nation['value'].iloc[0]):.1f}%",
                *(str(kinds[kind]) for kind in (PlanKind.RECTIFY, PlanKind.COACHING, PlanKind.KEEP, PlanKind.DATA)),
                str(sum(plan.filed_at is not None for plan in plans)),
                str(sum(measure.executed is True for plan in plans for measure in plan.measures)),
                ", ".join(f"{word.label(locale)} {found[word.value]}" for word in EffectVerdict if found[word.value]),
            ]
        )
    heads = ("cycle", "close_rate", "rectify", "coaching", "keep", "data", "filed", "executed", "verdicts")
    show_table(t("demo.summary"), [t(f"demo.head.{name}") for name in heads], rows)
