"""The figures of the analysis pages, gathered once per cycle from its results: per scope, in no language."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from models.catalogue.price_rules import CLASSES
from reports.analysis_figures import (
    Age,
    Cohort,
    Counted,
    DealerPoint,
    FunnelPlot,
    Kind,
    Part,
    ProfileValue,
    Reasons,
    ReasonShare,
    ScopeFigures,
)
from reports.figures import Comparison, DealerFigures
from tasks import analysis_counts as counting
from tasks.analysis_counts import Filing
from tasks.analysis_tables import PART_KINDS, AnalysisTables, SceneFacts, number
from tasks.commenting import Commenting
from tasks.compute.cohorts import CohortRules
from tasks.compute.difference import wilson
from tasks.compute.indicators import NATION, earlier_months
from tasks.compute.reliability import LEAST_CONFIRMED, LEAST_CONFIRMED_DEALER
from tasks.figures import CycleFigures
from tasks.job import Job

MOST_REASONS, MOST_DRIVERS = 12, 8
PRICE_CLASSES = (*CLASSES, "unexplained")


@dataclass(frozen=True)
class AnalysisFigures:
    """What the analysis pages of one cycle are made from; ``cycle`` has what the plans' pages share with them."""

    tables: AnalysisTables
    cycle: CycleFigures

    @classmethod
    def of(cls, cycle: CycleFigures, dealers: Sequence[str] = ()) -> AnalysisFigures:
        """The figures of ``cycle``; ``dealers``: the only ones asked for, empty: every scope."""
        return cls(AnalysisTables(cycle.job, tuple(dealers)), cycle)

    @property
    def job(self) -> Job:
        """The cycle."""
        return self.tables.job

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The regions with closed leads in the window, in order."""
        return self._scopes(Kind.REGION)

    @cached_property
    def series(self) -> tuple[str, ...]:
        """The series with closed leads in the window, the most first."""
        return self._scopes(Kind.SERIES)

    def _scopes(self, kind: Kind) -> tuple[str, ...]:
        sizes = {
            scope_id: counting.added(funnel, self.cycle.months, "leads")
            for (scope, scope_id), funnel in self.tables.funnels.items()
            if scope == kind
        }
        return tuple(sorted((one for one, size in sizes.items() if size), key=lambda one: (-sizes[one], one)))

    @cached_property
    def _commenting(self) -> Commenting:
        return Commenting(self.job, self.tables.dealers)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return dict(self.cycle.dealers["name"].astype("str"))

    def region_name(self, region_id: str) -> str:
        """What a region is called: its name where the dealers tell it, else its id."""
        rows = self.cycle.dealers[self.cycle.dealers["region_id"] == region_id]["region_name"].dropna()
        return str(rows.iloc[0]) if len(rows) else region_id

    def nation(self) -> ScopeFigures:
        """The nation; beside it stands the nation a year before."""
        return self._figures(Kind.NATION, NATION, "", self.cycle.months, place=self.place())

    def region(self, region_id: str) -> ScopeFigures:
        """A region."""
        name = self.region_name(region_id)
        figures = self._figures(Kind.REGION, region_id, name, self.cycle.months, place=self.place(region_id))
        told = self._commenting.region(region_id, len(self.cycle.months))
        return replace(figures, commentary=told, interviews=self.tables.interviews(region=region_id))

    def one_series(self, series: str) -> ScopeFigures:
        """A series."""
        figures = self._figures(Kind.SERIES, series, series, self.cycle.months)
        return replace(figures, interviews=self.tables.interviews(series=series))

    def dealer(self, dealer_id: str, figures: DealerFigures) -> ScopeFigures:
        """A dealer; ``figures``: what its plan's page shows, whose comparisons the funnel is made of."""
        found = self._figures(
            Kind.DEALER,
            dealer_id,
            figures.name,
            self.cycle.months,
            region=figures.region,
            compared=figures.comparisons,
        )
        compared = figures.comparisons.values()
        region_id = self.cycle.dealers.loc[dealer_id, "region_id"]
        return replace(
            found,
            commentary=self._commenting.dealer(dealer_id, figures.name, len(self.cycle.months), compared),
            cards=figures.cards,
            interviews=self.tables.interviews(dealer=dealer_id, region="" if pd.isna(region_id) else str(region_id)),
        )

    def scene(self, scene: SceneFacts) -> ScopeFigures:
        """A named scene over its own months; its name is its code."""
        return self._figures(Kind.SCENE, scene.code, scene.code, scene.months, filters=scene.filters)

    def _figures(
        self,
        kind: Kind,
        scope_id: str,
        name: str,
        months: tuple[str, ...],
        *,
        region: str = "",
        place: FunnelPlot | None = None,
        filters: tuple[tuple[str, tuple[str, ...]], ...] = (),
        compared: Mapping[str, Comparison] | None = None,
    ) -> ScopeFigures:
        own, nation = self.tables.funnel(kind, scope_id), self.tables.funnel(Kind.NATION, NATION)
        cycle, lost = self.job.cycle.name, "competitor" in dict(filters)
        alone = lost or kind is Kind.NATION  # lost customers are not set beside all customers, the nation beside nobody
        other: counting.Funnel = {} if alone else counting.without(nation, own)
        previous = counting.rate_of(own, [earlier_months(cycle)[0]], self.tables.known)
        history = self.tables.known[-self.job.workspace.settings.history_months :]
        score, gate = self.tables.scores.get(scope_id, (None, None)) if kind is Kind.DEALER else (None, None)
        drivers = self._drivers(scope_id) if kind is Kind.DEALER else ()
        found = self.tables.cohorts.of(kind, scope_id)
        cohort_months = set(history) if found and not found[0]["lacking"] else set()
        return ScopeFigures(
            kind=kind,
            scope_id=scope_id,
            name=name,
            region=region,
            filters=filters,
            cycle=cycle,
            as_of=self.job.cycle.as_of,
            version=self.job.results.version,
            months=months,
            month=counting.month_figures(own, other, cycle, self.tables.known),
            previous=previous.rate,
            leads=counting.added(own, months, "leads"),
            funnel=tuple(self._funnel(kind, own, other, months, compared or {})),
            change=None if lost else counting.change(own, other, months, self.tables.known),
            trend=() if lost else tuple(counting.month_figures(own, other, one, self.tables.known) for one in history),
            parts=self._parts(kind, scope_id),
            drivers=drivers,
            cohorts=tuple(one for one in map(_cohort, found) if one.name in cohort_months),
            ages=tuple(_age(row) for row in self.tables.maturity.of(kind, scope_id)),
            cohorts_missing=str(found[0]["lacking"] or "") if found else "",
            place=place,
            reasons=self._reason_shares(kind, scope_id),
            defeats=counting.defeat_figures(
                self._defeats_of(kind, scope_id),
                cycle,
                months,
                self.tables.known,
                self._names,
                self._filter_rates(kind, scope_id),
            ),
            price=self._price(kind, scope_id, months),
            price_months=tuple(month for month in months if month in self.cycle.months),
            profile=tuple(_profile_value(row) for row in self.tables.profile.of(kind, scope_id)),
            score=score,
            gate=gate,
            notes=self.tables.notes,
        )

    def _funnel(
        self,
        kind: Kind,
        own: counting.Funnel,
        other: counting.Funnel,
        months: Sequence[str],
        compared: Mapping[str, Comparison],
    ) -> Sequence[Comparison]:
        least = self.job.workspace.settings.minimum_leads
        if compared:
            return [compared[code] for code in counting.STEPS if code in compared]
        if kind is not Kind.NATION:
            return counting.beside(own, months, other, months, least)
        before = counting.year_before(months)
        return counting.beside(own, months, own, before if set(before) <= set(self.tables.known) else [], least)

    def _parts(self, kind: Kind, scope_id: str) -> tuple[Part, ...]:
        """The gap and its parts in the order of the waterfall; without steps what is the scope's own as one part."""
        if kind is Kind.REGION:
            rows = self.tables.region_parts.of(scope_id)
        elif kind is Kind.DEALER:
            rows = [row for row in self.tables.decomposition.of(scope_id) if row["kind"] in PART_KINDS]
        else:
            return ()
        stepwise = any(row["kind"] == "step" for row in rows)
        left_out = "own" if stepwise else "remaining"
        ordered = [_part(row) for row in rows if row["kind"] != left_out]
        return tuple(sorted(ordered, key=lambda part: (PART_KINDS.index(part.kind), _step_place(part.code))))

    def _drivers(self, dealer_id: str) -> tuple[Part, ...]:
        rows = [row for row in self.tables.decomposition.of(dealer_id) if row["kind"] == "reason" and row["code"]]
        return tuple(_part(row) for row in sorted(rows, key=lambda row: row["rank"])[:MOST_DRIVERS])

    def _reason_shares(self, kind: Kind, scope_id: str) -> Reasons | None:
        rows = self.tables.reasons.of(kind, scope_id)
        if not rows:
            return None
        shares = [_reason_share(row) for row in rows]
        ranked = sorted(shares, key=lambda one: (-(one.share or 0.0), one.code))
        found = self.tables.agreement.of(kind, scope_id)
        agreed = found[0] if found and found[0]["compared"] else None
        return Reasons(
            defeats=int(rows[0]["defeats"]),
            confirmed=sum(one.confirmed for one in shares),
            shares=tuple(one for one in ranked if one.share)[:MOST_REASONS],
            missing=str(rows[0]["missing"] or ""),
            least=LEAST_CONFIRMED_DEALER if kind is Kind.DEALER else LEAST_CONFIRMED,
            agreement=Counted(int(agreed["agreed"]), int(agreed["compared"])) if agreed else None,
            agreement_lo90=number(agreed["lo90"]) if agreed else None,
            agreement_hi90=number(agreed["hi90"]) if agreed else None,
            agreement_expected=number(agreed["expected"]) if agreed else None,
            differs=bool(agreed["differs"]) if agreed and not pd.isna(agreed["differs"]) else False,
        )

    def _defeats_of(self, kind: Kind, scope_id: str) -> list[Filing]:
        if kind is Kind.NATION:
            return self.tables.filings
        if kind is Kind.SCENE:
            mine = self.tables.scene_leads.get(scope_id, set())
            return [one for one in self.tables.filings if one.lead_id in mine]
        return self.tables.filings_of.get((kind, scope_id), [])

    def _filter_rates(self, kind: Kind, scope_id: str) -> tuple[float | None, float | None]:
        found = self.tables.rates.get((kind.value, scope_id), {})
        return found.get("defeat_rate_filed"), found.get("defeat_rate_filtered")

    def _price(self, kind: Kind, scope_id: str, months: Sequence[str]) -> tuple[tuple[str, int], ...]:
        counts = self.tables.price_counts.get((kind.value, scope_id), {})
        if kind is Kind.SCENE:
            mine = self.tables.prices["lead_id"].isin(self.tables.scene_leads.get(scope_id, set()))
            counts = {
                str(name): int(count) for name, count in self.tables.prices["price_class"][mine].value_counts().items()
            }
        found = [(name, counts[name]) for name in PRICE_CLASSES if counts.get(name)]
        return tuple(sorted(found, key=lambda item: (item[0] == "unexplained", -item[1])))

    def place(self, region_id: str = "") -> FunnelPlot | None:
        """Dealers by size, those of ``region_id`` (empty: all) as the scope's own; None where none can be compared."""
        rows = self.tables.close_rates
        if len(rows) < 2 or not (rate := rows["numerator"].sum() / rows["denominator"].sum()):
            return None
        points = tuple(
            DealerPoint(
                dealer_id=str(row.dealer_id),
                name=self._names.get(str(row.dealer_id), str(row.dealer_id)),
                cases=int(row.denominator),
                value=number(row.value),
                expected=number(row.expected),
                z=float(row.funnel_z),
                outside=bool(row.funnel_outside),
                here=not region_id or row.region_id == region_id,
            )
            for row in rows.itertuples()
        )
        return FunnelPlot(float(rate), float(rows["funnel_between"].iloc[0]), points)


def _step_place(code: str) -> int:
    return list(counting.STEPS).index(code) if code in counting.STEPS else 0


def _part(row: Mapping[Hashable, Any]) -> Part:
    judged = "chance" in row and not pd.isna(row["chance"])
    return Part(
        kind=str(row["kind"]),
        code=str(row["code"] or ""),
        points=float(row["points"]),
        deals=float(row["deals"]),
        lo90=number(row.get("lo90")),
        hi90=number(row.get("hi90")),
        chance=bool(row["chance"]) if judged else None,
        basis=str(row.get("basis", "")),
    )


def _cohort(row: Mapping[Hashable, Any]) -> Cohort:
    return Cohort(
        name=str(row["cohort"]),
        leads=int(row["leads"]),
        share=number(row["share_by_age"]),
        completeness=number(row["completeness"]),
        mature=bool(row["mature"]),
        projected=number(row["projected"]),
        lo90=number(row["lo90"]),
        hi90=number(row["hi90"]),
    )


def _age(row: Mapping[Hashable, Any]) -> Age:
    complete = number(row["completeness"])
    mature = complete is not None and complete >= CohortRules().mature
    return Age(int(row["age_months"]), number(row["share"]), mature, int(row["at_risk"]))


def _reason_share(row: Mapping[Hashable, Any]) -> ReasonShare:
    corrected = number(row["corrected_share"])
    share, low, high = corrected, number(row["lo90"]), number(row["hi90"])
    if corrected is None:
        share = number(row["used_share"])
        low, high = wilson(int(row["used"]), int(row["defeats"])) or (None, None)
    return ReasonShare(
        code=str(row["reason"]),
        declared=int(row["declared"]),
        confirmed=int(row["confirmed"]),
        used=int(row["used"]),
        declared_share=number(row["declared_share"]),
        confirmed_share=number(row["confirmed_share"]),
        used_share=number(row["used_share"]),
        corrected=corrected is not None,
        share=share,
        lo90=low,
        hi90=high,
    )


def _profile_value(row: Mapping[Hashable, Any]) -> ProfileValue:
    return ProfileValue(
        attribute=str(row["attribute"]),
        value=str(row["value"]),
        leads=int(row["leads"]),
        won=int(row["won"]),
        close_rate=number(row["close_rate"]),
        lift=number(row["lift"]),
        lo90=number(row["lift_lo90"]),
        hi90=number(row["lift_hi90"]),
        q_value=number(row["q_value"]),
        missing="" if pd.isna(row["missing"]) else str(row["missing"]),
    )
