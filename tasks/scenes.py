"""Named scenes of a workspace: the figures of the leads that belong to each (domain.md section 8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from models.catalogue.profile_rules import profile_rules
from models.catalogue.scenes import Scene, check_values, load_scene
from models.enums import Scope
from models.errors import CatalogueError
from tasks.compute.funnel_table import funnel_of
from tasks.compute.profile import PROFILE_COLUMNS, profile_table
from tasks.compute.reliability import SHARE_COLUMNS, corrected_shares
from tasks.compute.scenes import known_values, members, months_of
from tasks.job import Job

SCENE = "scene"
OUTPUTS = ("scenes", "scene_leads", "scene_profile", "scene_reasons")
SCENE_COLUMNS = ["scene", "kind", "name_zh_CN", "name_en", "filters", "months"]


@dataclass(frozen=True)
class Material:
    """What scenes are cut from: closed leads of the history, filings reasons are learnt from, competitor brands."""

    closed: pd.DataFrame
    filings: pd.DataFrame  # of tasks.compute.reliability.filings_for_reliability, with ``lead_id``
    brands: pd.Series  # by lead id
    window: Sequence[str]
    history: Sequence[str]


@dataclass
class _Found:
    """The rows of all scenes, collected one by one."""

    index: list[dict[str, str]] = field(default_factory=list)
    leads: list[pd.DataFrame] = field(default_factory=list)
    profile: list[pd.DataFrame] = field(default_factory=list)
    reasons: list[pd.DataFrame] = field(default_factory=list)
    funnel: list[pd.DataFrame] = field(default_factory=list)


def analyse_scenes(
    job: Job, closed: pd.DataFrame, material_of: Callable[[], Material]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The figures of every scene; writes OUTPUTS, answers the funnel rows of all scenes and what is wrong with which.

    A scene that cannot be used is said and left out; the others and the cycle go on. Per scene: ``scenes`` (its filters
    and months), ``scene_leads`` (scene, lead_id, month of its closed leads in the history), ``scene_profile`` and
    ``scene_reasons`` (the columns of profile and reliability, scope ``scene``) over its months. ``closed``: the leads
    of the material, which is asked for only where there is a scene.
    """
    found = _Found()
    files = sorted(job.workspace.scenes.glob("*.toml"))
    problems = _cut_all(job, files, material_of(), found) if files else ()
    empty = {
        "scenes": SCENE_COLUMNS,
        "scene_leads": ["scene", "lead_id", "month"],
        "scene_profile": PROFILE_COLUMNS,
        "scene_reasons": SHARE_COLUMNS,
    }
    frames = {
        "scenes": [pd.DataFrame(found.index)] if found.index else [],
        "scene_leads": found.leads,
        "scene_profile": found.profile,
        "scene_reasons": found.reasons,
    }
    for name, columns in empty.items():
        rows = [frame for frame in frames[name] if len(frame)]
        job.results.write(name, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns))
    funnel = pd.concat(found.funnel, ignore_index=True) if found.funnel else funnel_of(closed.head(0), SCENE, "")
    return funnel, problems


def _cut_all(job: Job, files: Sequence[Path], material: Material, found: _Found) -> tuple[str, ...]:
    """Every scene of the files into ``found``; answers what is wrong with those that cannot be used."""
    problems, there = [], known_values(material.closed, material.brands)
    for file in files:
        try:
            scene = load_scene(file)
            check_values(scene, there, file)
        except CatalogueError as error:
            problems.append(error.text(job.workspace.settings.locale))
        else:
            _cut(job, scene, material, found)
    return tuple(problems)


def _cut(job: Job, scene: Scene, material: Material, found: _Found) -> None:
    mine = members(material.closed, material.brands, scene)
    months = months_of(scene, material.window, material.history)
    shown = mine[mine["month"].isin(months)].reset_index(drop=True)
    filters = {name: list(values) for name, values in scene.filter.values().items()}
    found.index.append(
        {
            "scene": scene.code,
            "kind": scene.kind,
            "name_zh_CN": scene.name.zh_CN,
            "name_en": scene.name.en,
            "filters": json.dumps(filters, ensure_ascii=False),
            "months": ";".join(months),
        }
    )
    found.leads.append(mine[["lead_id", "month"]].assign(scene=scene.code)[["scene", "lead_id", "month"]])
    found.funnel.append(funnel_of(mine, SCENE, scene.code))
    if "competitor" not in filters:  # all of them were lost: there is nothing to compare
        profile = profile_table(shown, job.cycle.name, profile_rules(), (Scope.NATION,))
        found.profile.append(profile.assign(scope=SCENE, scope_id=scene.code))
    asked = material.filings[material.filings["lead_id"].isin(shown["lead_id"])].reset_index(drop=True)
    reasons = corrected_shares(material.filings.drop(columns="lead_id"), asked.drop(columns="lead_id"))
    nation = reasons[reasons["scope"] == Scope.NATION.value]
    found.reasons.append(nation.assign(scope=SCENE, scope_id=scene.code))
