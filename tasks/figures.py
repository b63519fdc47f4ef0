"""The figures pages show, gathered once per cycle from its results: per dealer and for the nation."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from models import ledger
from models.catalogue.competitors import competitors
from models.catalogue.deadlines import deadlines
from models.catalogue.playbook import playbook
from models.database import Database
from models.enums import DefeatVerdict, Destination, Gate, Severity
from models.facts import ChosenCard
from models.lifecycle import overdue
from models.schemas import Plan
from reports.figures import Comparison, DealerFigures, EarlierMeasure, Figure, Loss, Quality, RejectedRow, Trend
from reports.national_figures import (
    CompetitorFigures,
    DealerFacts,
    Failure,
    LatePlan,
    NationalFigures,
    RegionFigures,
)
from reports.words import lower_is_better
from tasks.commenting import Commenting
from tasks.compute.argument_cards import choose_cards
from tasks.compute.defeat_filter import defeats_of_cycle, lacking_evidence
from tasks.compute.diagnosis import DiagnosisRules
from tasks.compute.planning import UNDER_WAY
from tasks.job import Job
from tasks.planning import months_back
from tasks.sums import indicator_sums
from tasks.verification_figures import VerificationFigures

MOST_REASONS = 8
MOST_ROWS = 40  # failing rows in one dealer's plan workbook; its correction workbook has them all
UNASSIGNED = "_unassigned"


def _number(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]


def _word(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def _likely(row: Mapping[Hashable, Any]) -> bool:
    """Whether diagnosis counts the row as worse than peers by its q value."""
    worse = (row["gap_points"] > 0) == lower_is_better(str(row["indicator"]))
    return bool(row["enough"] and worse and row["q_value"] <= DiagnosisRules().q_limit)


@dataclass(frozen=True)
class CycleFigures:
    """Everything the pages of one cycle are made from; frames are read once and kept."""

    job: Job

    @cached_property
    def dealers(self) -> pd.DataFrame:
        """The dealers of the cycle, by id."""
        return self.job.lake.read("accepted", "dealers").set_index("dealer_id", drop=False)

    @cached_property
    def months(self) -> tuple[str, ...]:
        """The window dealers are compared over."""
        return tuple(months_back(self.job.cycle, self.job.workspace.settings.window_months))

    @cached_property
    def _indicators(self) -> dict[tuple[str, str], dict[str, Figure]]:
        frame = self.job.results.read("indicators")
        wanted = frame[frame["scope"].isin(["nation", "region", "dealer"])]
        found: dict[tuple[str, str], dict[str, Figure]] = {}
        for row in wanted.to_dict("records"):
            figures = (_number(row[name]) for name in ("numerator", "denominator", "value", "previous"))
            figure = Figure(str(row["indicator"]), *figures)
            found.setdefault((str(row["scope"]), str(row["scope_id"])), {})[figure.indicator] = figure
        return found

    @cached_property
    def _comparisons(self) -> dict[str, dict[str, Comparison]]:
        found: dict[str, dict[str, Comparison]] = {}
        for row in self.job.results.read("comparisons").to_dict("records"):
            one = Comparison(
                indicator=str(row["indicator"]),
                numerator=int(row["numerator"]),
                denominator=int(row["denominator"]),
                value=_number(row["value"]),
                expected=_number(row["expected"]),
                gap_points=_number(row["gap_points"]),
                lo90=_number(row["lo90"]),
                hi90=_number(row["hi90"]),
                q_value=_number(row["q_value"]),
                peers=int(row["peers"]),
                enough=bool(row["enough"]),
                missing=_word(row["missing"]),
                likely=_likely(row),
            )
            found.setdefault(str(row["dealer_id"]), {})[one.indicator] = one
        return found

    @cached_property
    def defeats(self) -> pd.DataFrame:
        """The defeats filed in the cycle's month."""
        return defeats_of_cycle(self.job.results.read("defeats"), self.job.cycle.name)

    @cached_property
    def _verdicts(self) -> pd.DataFrame:
        return self.defeats.groupby(["dealer_id", "verdict"], observed=True).size().unstack(fill_value=0)

    @cached_property
    def _reasons(self) -> dict[tuple[str, str], tuple[tuple[str, int, int], ...]]:
        frame = self.job.results.read("reasons")
        level2 = frame[(frame["level"] == 2) & ((frame["defeats"] > 0) | (frame["declared"] > 0))]
        ordered = level2.sort_values(["defeats", "declared", "reason"], ascending=[False, False, True])
        return {
            (str(scope), str(name)): tuple(
                (str(code), int(used), int(declared))
                for code, used, declared in zip(part["reason"], part["defeats"], part["declared"], strict=True)
            )
            for (scope, name), part in ordered.groupby(["scope", "scope_id"], observed=True, sort=False)
        }

    @cached_property
    def _scores(self) -> dict[str, dict[str, object]]:
        frame = self.job.results.read("quality")
        return {str(row["dealer_id"]): {str(k): v for k, v in row.items()} for row in frame.to_dict("records")}

    @cached_property
    def _losses(self) -> dict[str, pd.DataFrame]:
        frame = self.job.results.read("losses").sort_values(["points", "table", "rule"], ascending=[False, True, True])
        return {str(dealer): part for dealer, part in frame.groupby("dealer_id", sort=False)}

    @cached_property
    def _all_rejected(self) -> pd.DataFrame:
        return self.job.results.read("rejected")

    @cached_property
    def _rejected(self) -> dict[str, pd.DataFrame]:
        frame = self._all_rejected
        return {str(dealer): part for dealer, part in frame.groupby("dealer_id", sort=False)}

    @cached_property
    def _monthly(self) -> pd.DataFrame:
        """numerator and denominator by indicator, dealer, month, of what trends show."""
        keys = ["dealer_id", "month"]
        shown = indicator_sums(self.job.results, ("close_rate", "defeat_rate_filtered"), keys)
        named = [counts.astype(dict.fromkeys(keys, "str")).assign(indicator=code) for code, counts in shown.items()]
        frame = pd.concat(named) if named else pd.DataFrame(columns=["indicator", *keys, "numerator", "denominator"])
        return frame.set_index(["indicator", *keys]).sort_index()

    def _rates(self, indicator: str, dealer: str | None = None) -> dict[str, float | None]:
        if indicator not in self._monthly.index.get_level_values(0):
            return {}
        rows = self._monthly.loc[indicator]
        if dealer is not None:
            if dealer not in rows.index.get_level_values(0):
                return {}
            rows = rows.loc[[dealer]]
        total = rows.groupby(level="month", observed=True).sum()
        rate = total["numerator"] / total["denominator"].where(total["denominator"] > 0)
        return {str(month): _number(value) for month, value in rate.items()}

    def _trend(self, own: Mapping[str, float | None], other: Mapping[str, float | None]) -> Trend:
        last = self.job.workspace.settings.history_months
        months = sorted(month for month in set(own) | set(other) if month <= self.job.cycle.name)[-last:]
        return tuple((month, own.get(month), other.get(month)) for month in months)

    @cached_property
    def _nation_close(self) -> dict[str, float | None]:
        return self._rates("close_rate")

    @cached_property
    def verification(self) -> VerificationFigures:
        """What became of earlier measures, and whether the loop works."""
        return VerificationFigures(self.job, self.dealers["name"], self._earlier_plans)

    @cached_property
    def _earlier_plans(self) -> tuple[Plan, ...]:
        return tuple(plan for plan in ledger.plans(Database.of(self.job.workspace)) if plan.cycle < self.job.cycle.name)

    @cached_property
    def _earlier(self) -> dict[str, dict[str, EarlierMeasure]]:
        found: dict[str, dict[str, EarlierMeasure]] = {}
        for plan in self._earlier_plans:
            for one in plan.measures:
                found.setdefault(plan.dealer_id, {})[one.measure_id] = EarlierMeasure(
                    one.measure_id,
                    plan.cycle,
                    one.measure,
                    one.own_text,
                    one.reason,
                    plan.state,
                    one.due,
                    open=plan.state in UNDER_WAY and one.executed is not False,
                )
        return found

    def dealer(self, dealer_id: str) -> DealerFigures:
        """What the plan page of ``dealer_id`` shows besides the plan; raises KeyError for a dealer nobody knows."""
        name, _, region = self._names(dealer_id)
        verdicts = self._verdicts.loc[dealer_id] if dealer_id in self._verdicts.index else pd.Series(dtype="int64")
        return DealerFigures(
            name=name,
            region=region,
            version=self.job.results.version,
            months=self.months,
            month=self._indicators.get(("dealer", dealer_id), {}),
            comparisons=self._comparisons.get(dealer_id, {}),
            filed=int(verdicts.sum()),
            true=int(verdicts.get(DefeatVerdict.TRUE, 0)),
            quasi=int(verdicts.get(DefeatVerdict.QUASI, 0)),
            false=int(verdicts.get(DefeatVerdict.FALSE, 0)),
            reasons=self._reasons.get(("dealer", dealer_id), ())[:MOST_REASONS],
            quality=self._quality(dealer_id),
            trend=self._trend(self._rates("close_rate", dealer_id), self._nation_close),
            verification=self.verification.dealer(dealer_id),
            earlier=self._earlier.get(dealer_id, {}),
            cards=self._cards(dealer_id),
        )

    @cached_property
    def _lost(self) -> dict[str, pd.DataFrame]:
        """Leads lost to competitors over the window, each by its last filing, per dealer."""
        columns = ["dealer_id", "series", "competitor_brand", "reason", "destination", "verdict", "counted"]
        where = {"filed_month": self.months, "destination": [Destination.COMPETITOR.value]}
        frame = self.job.results.read("defeats", [*columns, "last_filing"], where)
        last = frame[frame["last_filing"]]
        return {str(dealer): part for dealer, part in last.groupby("dealer_id", observed=True)}

    def _cards(self, dealer_id: str) -> tuple[ChosenCard, ...]:
        lost = self._lost.get(dealer_id)
        return () if lost is None else choose_cards(lost, playbook(), competitors())

    def _names(self, dealer_id: str) -> tuple[str, str, str]:
        """(name, region id, name of the region) of a dealer."""
        row = self.dealers.loc[dealer_id]
        region = _word(row["region_id"])
        return str(row["name"]), region, _word(row["region_name"]) or region

    def _gate(self, dealer_id: str) -> tuple[float | None, Gate | None]:
        row = self._scores.get(dealer_id)
        return (None, None) if row is None else (_number(row["score"]), Gate(str(row["gate"])))

    def _quality(self, dealer_id: str) -> Quality:
        score, gate = self._gate(dealer_id)
        counts = {name: int(_number(value) or 0) for name, value in self._scores.get(dealer_id, {}).items()
                  if name in ("rows", "quarantined", "held")}  # fmt: skip
        rows = self._rejected.get(dealer_id, self._all_rejected.head(0))
        columns = rows.groupby(["table", "rule"])["column"].agg(lambda names: tuple(sorted(set(names.dropna()) - {""})))
        losses = self._losses.get(dealer_id)
        lost = () if losses is None else tuple(
            Loss(row.table, row.rule, int(row.failed), int(row.rows), float(row.points),
                 columns.get((row.table, row.rule), ()))
            for row in losses.itertuples()
        )  # fmt: skip
        return Quality(
            score=score,
            gate=gate,
            limit=self.job.workspace.settings.gate_fail_below,
            rows=counts.get("rows", 0),
            set_apart=counts.get("quarantined", 0) + counts.get("held", 0),
            losses=lost,
            rejected=_dearest_first(rows, lost),
            rejected_total=len(rows),
        )

    def _regions(self, links: Mapping[str, str]) -> list[RegionFigures]:
        names = self.dealers.drop_duplicates("region_id").set_index("region_id")["region_name"]
        found = []
        for (scope, region), figures in sorted(self._indicators.items()):
            close = figures.get("close_rate")
            if scope == "region" and close is not None:
                name = _word(names.get(region)) or region
                counts = int(close.denominator or 0), int(close.numerator or 0)
                found.append(RegionFigures(region, name, *counts, close.value, close.previous, links.get(region, "")))
        return found

    def _competitors(self) -> list[CompetitorFigures]:
        return [
            CompetitorFigures(
                str(row.series),
                _word(row.competitor_brand),
                int(row.defeats),
                None if pd.isna(row.defeats_previous) else int(row.defeats_previous),
                tuple(code for code in _word(row.top_reasons).split(";") if code),
            )
            for row in self.job.results.read("competitors").itertuples()
        ]

    def _late(self, plans: Iterable[Plan]) -> list[LatePlan]:
        """Plans past a deadline at ``as_of``, of this cycle and of earlier ones."""
        db, standard = Database.of(self.job.workspace), deadlines()
        at, found = db.instant(self.job.cycle.as_of), []
        for plan in (*self._earlier_plans, *plans):
            late = overdue(plan, at, standard, db.zone)
            if late is not None:
                name = str(self.dealers["name"].get(plan.dealer_id, plan.dealer_id))
                found.append(LatePlan(plan, name, late.action, late.owner, late.days, late.level))
        return found

    def nation(
        self,
        plans: tuple[Plan, ...],
        links: Mapping[str, str],
        failures: tuple[Failure, ...],
        regions: Mapping[str, str],
    ) -> NationalFigures:
        """What the overview shows; ``links`` lead from it to the dealers' pages, ``regions`` to the regions' analyses.

        A dealer or region without a page has none.
        """
        verdicts, destinations = (self.defeats[name].value_counts() for name in ("verdict", "destination"))
        account = self.job.results.read("account")
        stray = self._scores.get(UNASSIGNED, {})
        return NationalFigures(
            version=self.job.results.version,
            months=self.months,
            nation=self._indicators.get(("nation", "all"), {}),
            verdicts={word: int(verdicts.get(word.value, 0)) for word in DefeatVerdict},
            destinations={word: int(destinations.get(word.value, 0)) for word in Destination},
            reasons=self._reasons.get(("nation", "all"), ()),
            regions=self._regions(regions),
            dealers=[self._facts(plan, links.get(plan.dealer_id, "")) for plan in plans],
            competitors=self._competitors(),
            loop=self.verification.nation(plans),
            late=self._late(plans),
            rows=[
                (str(r.table), int(r.rows), int(r.accepted), int(r.quarantined), int(r.held), int(r.duplicates))
                for r in account.itertuples()
            ],
            unassigned=int(_number(stray.get("rows")) or 0),
            failures=failures,
            lacking=lacking_evidence(self.defeats),
            trend=self._trend(self._nation_close, self._rates("defeat_rate_filtered")),
            commentary=Commenting(self.job).nation(len(self.months)),
        )

    def _facts(self, plan: Plan, link: str) -> DealerFacts:
        known = plan.dealer_id in self.dealers.index
        name, region, _ = self._names(plan.dealer_id) if known else (plan.dealer_id, plan.region_id, "")
        score, gate = self._gate(plan.dealer_id)
        return DealerFacts(name, region, plan, gate, score, link)


def _dearest_first(rows: pd.DataFrame, losses: Iterable[Loss]) -> tuple[RejectedRow, ...]:
    """A dealer's failing rows, those of the rules that cost most points first, then as they stand in their files."""
    place = {(one.table, one.rule): number for number, one in enumerate(losses)}
    rank = [place.get(pair, len(place)) for pair in zip(rows["table"], rows["rule"], strict=True)]
    ordered = rows.assign(_rank=rank).sort_values(["_rank", "table", "source_file", "row_number"], kind="stable")
    return tuple(
        RejectedRow(
            str(row.table),
            _word(row.source_file),
            None if pd.isna(row.row_number) else int(row.row_number),
            _word(row.row_key),
            str(row.rule),
            _word(row.column),
            Severity(row.severity).value,
        )
        for row in ordered.head(MOST_ROWS).itertuples()
    )
