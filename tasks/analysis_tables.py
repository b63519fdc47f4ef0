"""The results of a cycle that analysis pages are made from, read once and laid out by scope."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from models.enums import Gate
from models.notes import Note as Interview
from models.notes import notes_about, read_notes
from reports.analysis_figures import Kind, Note
from tasks.analysis_counts import Filing, Funnel, known_months
from tasks.compute.indicators import NATION, earlier_months
from tasks.job import Job
from tasks.planning import months_back

PART_KINDS = ("mix", "step", "remaining", "own", "gap")
SCOPE_COLUMN = {Kind.REGION: "region_id", Kind.DEALER: "dealer_id", Kind.SERIES: "series"}
Rows = list[dict[str, Any]]


def number(value: object) -> float | None:
    """A figure of a result, None where it is missing."""
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]


class Groups:
    """Rows of a result by the value of some columns, as plain dicts."""

    def __init__(self, frame: pd.DataFrame, by: list[str]) -> None:
        self.columns = {str(name): frame[name].to_numpy(dtype=object) for name in frame.columns}
        self.places: Mapping[Hashable, Any] = frame.groupby(by, observed=True).indices if len(frame) else {}

    def of(self, *key: str) -> Rows:
        """The rows of a key, none where it has none."""
        places = self.places.get(key if len(key) > 1 else key[0], ())
        return [{name: values[place] for name, values in self.columns.items()} for place in places]


@dataclass(frozen=True)
class SceneFacts:
    """A named scene as it was cut: names by language, filters, months of its figures."""

    code: str
    names: Mapping[str, str]
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    months: tuple[str, ...]


@dataclass(frozen=True)
class AnalysisTables:
    """The results of one cycle by scope.

    ``dealers``: the only dealers asked for, so that no more is read than they need; empty: every scope.
    """

    job: Job
    dealers: tuple[str, ...] = ()

    @cached_property
    def funnels(self) -> dict[tuple[str, str], dict[str, dict[str, int]]]:
        """The counts of ``tasks.compute.funnel_table`` by scope and month."""
        found: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
        for row in self.job.results.read("funnel").to_dict("records"):
            counts = {
                str(name): int(value) for name, value in row.items() if name not in ("scope", "scope_id", "month")
            }
            found.setdefault((str(row["scope"]), str(row["scope_id"])), {})[str(row["month"])] = counts
        return found

    def funnel(self, kind: str, scope_id: str) -> Funnel:
        """The counts of a scope by month."""
        return self.funnels.get((kind, scope_id), {})

    @cached_property
    def known(self) -> list[str]:
        """The months the data cover."""
        return known_months(self.funnel(Kind.NATION, NATION))

    @property
    def _mine(self) -> dict[str, list[str]]:
        """The filter of results by dealer."""
        return {"dealer_id": list(self.dealers)} if self.dealers else {}

    @cached_property
    def filings(self) -> list[Filing]:
        """The filings of all months the pages show, a scene's included."""
        scenes = [] if self.dealers else [month for scene in self.scenes for month in scene.months]
        window = months_back(self.job.cycle, self.job.workspace.settings.window_months)
        months = {
            self.job.cycle.name,
            *earlier_months(self.job.cycle.name),
            *window,
            *scenes,
        }
        where = {"filed_month": sorted(months)} | self._mine
        frame = self.job.results.read("defeats", list(Filing._fields), where)
        texts = [name for name in Filing._fields if frame[name].dtype != "bool"]
        columns = frame.assign(**{name: frame[name].astype("object").fillna("") for name in texts})
        return list(map(Filing._make, zip(*(columns[name].tolist() for name in Filing._fields), strict=True)))

    @cached_property
    def filings_of(self) -> dict[tuple[Kind, str], list[Filing]]:
        """The filings by region, dealer and series."""
        found: dict[tuple[Kind, str], list[Filing]] = {}
        for one in self.filings:
            for kind, column in SCOPE_COLUMN.items():
                found.setdefault((kind, getattr(one, column)), []).append(one)
        return found

    @cached_property
    def decomposition(self) -> Groups:
        """The parts of each dealer's gap."""
        return Groups(self.job.results.read("decomposition", where=self._mine or None), ["dealer_id"])

    @cached_property
    def region_parts(self) -> Groups:
        """The parts of a region's gap: those of its dealers added up by their leads."""
        frame = self.job.results.read("decomposition")
        frame = frame[frame["kind"].isin(PART_KINDS)]
        added = frame.groupby(["region_id", "kind", "code"], as_index=False, sort=False)[["deals", "leads"]].sum()
        return Groups(added.assign(points=100 * added["deals"] / added["leads"]), ["region_id"])

    @cached_property
    def reasons(self) -> Groups:
        """The shares of reasons by scope."""
        return self._scoped("reliability", "scene_reasons")

    @cached_property
    def agreement(self) -> Groups:
        """How often customers confirm what was declared, by scope."""
        return Groups(self.job.results.read("reliability_agreement"), ["scope", "scope_id"])

    @cached_property
    def cohorts(self) -> Groups:
        """What was won of the leads of each month of creation, by scope."""
        where = {"outcome": ["won"]} | ({"scope": ["dealer"], "scope_id": list(self.dealers)} if self.dealers else {})
        return Groups(self.job.results.read("cohorts", where=where), ["scope", "scope_id"])

    @cached_property
    def maturity(self) -> Groups:
        """The curve of leads won by age, of nation and series."""
        return Groups(self.job.results.read("maturity", where={"outcome": ["won"]}), ["scope", "scope_id"])

    @cached_property
    def close_rates(self) -> pd.DataFrame:
        """The comparison of dealers by close rate, those with limits of the funnel plot."""
        columns = ["dealer_id", "region_id", "numerator", "denominator", "value", "expected"]
        columns += ["funnel_z", "funnel_outside", "funnel_between", "indicator"]
        frame = self.job.results.read("comparisons").reindex(columns=columns)
        limits = frame["funnel_z"].notna() & frame["funnel_between"].notna()
        return frame[(frame["indicator"] == "close_rate") & limits]

    @cached_property
    def profile(self) -> Groups:
        """The profile by scope."""
        return self._scoped("profile", "scene_profile")

    def _scoped(self, name: str, of_scenes: str) -> Groups:
        """A result with the rows of the named scenes, by scope."""
        if self.dealers:
            mine = self.job.results.read(name, where={"scope": ["dealer"], "scope_id": self.dealers})
            return Groups(mine, ["scope", "scope_id"])
        frames = [self.job.results.read(one) for one in (name, of_scenes)]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        return Groups(pd.concat(filled, ignore_index=True), ["scope", "scope_id"])

    @cached_property
    def prices(self) -> pd.DataFrame:
        """The price defeats of the window with their class."""
        columns = ["cycle", "lead_id", "dealer_id", "region_id", "series", "price_class"]
        return self.job.results.read("price_cases", columns, self._mine or None)

    @cached_property
    def price_counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """The classes of the price split by scope."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        frames = {Kind.NATION: pd.Series(NATION, index=self.prices.index)}
        for kind, ids in (frames | {kind: self.prices[column] for kind, column in SCOPE_COLUMN.items()}).items():
            for (scope_id, name), count in self.prices.groupby([ids, "price_class"]).size().items():
                found.setdefault((kind.value, str(scope_id)), {})[str(name)] = int(count)
        return found

    @cached_property
    def rates(self) -> dict[tuple[str, str], dict[str, float | None]]:
        """The defeat rates of the cycle as filed and filtered, by scope."""
        wanted = {"indicator": ["defeat_rate_filed", "defeat_rate_filtered"]}
        frame = self.job.results.read("indicators", ["scope", "scope_id", "indicator", "value"], wanted)
        found: dict[tuple[str, str], dict[str, float | None]] = {}
        for row in frame.itertuples():
            found.setdefault((str(row.scope), str(row.scope_id)), {})[str(row.indicator)] = number(row.value)
        return found

    @cached_property
    def scores(self) -> dict[str, tuple[float | None, Gate]]:
        """Each dealer's quality score and gate."""
        frame = self.job.results.read("quality", ["dealer_id", "score", "gate"])
        return {str(row.dealer_id): (number(row.score), Gate(str(row.gate))) for row in frame.itertuples()}

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """What the analyses could not judge."""
        frame = self.job.results.read("analysis_notes")
        return tuple(Note(str(r.analysis), str(r.key), json.loads(str(r.params))) for r in frame.itertuples())

    @cached_property
    def scenes(self) -> tuple[SceneFacts, ...]:
        """The named scenes of the cycle."""
        return tuple(
            SceneFacts(
                str(row.scene),
                {"zh_CN": str(row.name_zh_CN), "en": str(row.name_en)},
                tuple((name, tuple(values)) for name, values in json.loads(str(row.filters)).items()),
                tuple(month for month in str(row.months).split(";") if month),
            )
            for row in self.job.results.read("scenes").itertuples()
        )

    @cached_property
    def scene_leads(self) -> dict[str, set[str]]:
        """The leads of each scene."""
        frame = self.job.results.read("scene_leads", ["scene", "lead_id"])
        return {str(scene): set(part["lead_id"]) for scene, part in frame.groupby("scene")}

    @cached_property
    def _interviews(self) -> tuple[Interview, ...]:
        return read_notes(self.job.workspace.notes).notes

    def interviews(self, *, dealer: str = "", region: str = "", series: str = "") -> tuple[Interview, ...]:
        """The qualitative notes about a dealer of a region, a region or a series, known at ``as_of``."""
        until = self.job.cycle.as_of.date()
        return notes_about(self._interviews, until, dealer=dealer, region=region, series=series)
