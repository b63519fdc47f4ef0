"""The figures pages show, gathered once per cycle from its results: per dealer and for the nation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from models.enums import DefeatVerdict, Destination, EffectVerdict, Gate, PlanKind
from models.messages import text
from models.schemas import Plan
from reports.effects import effect_sentence
from reports.national_page import CompetitorLine, DealerLine, NationalFigures, RegionFigures
from reports.plan_page import DealerFigures, Figure, problem_title
from tasks.compute.defeat_filter import defeats_of_cycle, lacking_evidence
from tasks.job import Job

MOST_REASONS = 8
Trend = tuple[tuple[str, float | None, float | None], ...]


def _number(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]


@dataclass(frozen=True)
class CycleFigures:
    """Everything the pages of one cycle are made from; frames are read once and kept."""

    job: Job

    @cached_property
    def dealers(self) -> pd.DataFrame:
        """The dealers of the cycle, by id."""
        return self.job.lake.read("accepted", "dealers").set_index("dealer_id", drop=False)

    @cached_property
    def _indicators(self) -> dict[tuple[str, str], dict[str, Figure]]:
        frame = self.job.results.read("indicators")
        wanted = frame[frame["scope"].isin(["nation", "region", "dealer"])]
        found: dict[tuple[str, str], dict[str, Figure]] = {}
        for row in wanted.to_dict("records"):
            figure = Figure(
                str(row["indicator"]),
                _number(row["numerator"]),
                _number(row["denominator"]),
                _number(row["value"]),
                _number(row["expected"]),
                _number(row["previous"]),
            )
            found.setdefault((str(row["scope"]), str(row["scope_id"])), {})[figure.indicator] = figure
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
    def _quality(self) -> dict[str, tuple[float | None, str]]:
        frame = self.job.results.read("quality", ["dealer_id", "score", "gate"])
        rows = zip(frame["dealer_id"], frame["score"], frame["gate"], strict=True)
        return {str(dealer): (_number(score), str(gate)) for dealer, score, gate in rows}

    @cached_property
    def _monthly(self) -> pd.DataFrame:
        """numerator and denominator by indicator, dealer, month, of what trends show."""
        sums = self.job.results.read("sums", where={"indicator": ["close_rate", "defeat_rate_filtered"]})
        shown = sums[sums["indicator"].isin(["close_rate", "defeat_rate_filtered"])]
        keys = ["indicator", "dealer_id", "month"]
        return shown.groupby(keys, observed=True)[["numerator", "denominator"]].sum()

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
    def _effects(self) -> dict[str, list[dict[str, object]]]:
        frame = self.job.results.read("effects")
        return {str(dealer): part.to_dict("records") for dealer, part in frame.groupby("dealer_id")}

    def dealer(self, dealer_id: str, locale: str) -> DealerFigures:
        """What the plan page of ``dealer_id`` shows besides the plan."""
        figures = self._indicators.get(("dealer", dealer_id), {})
        close = figures.get("close_rate")
        row = self.dealers.loc[dealer_id]
        verdicts = self._verdicts.loc[dealer_id] if dealer_id in self._verdicts.index else pd.Series(dtype="int64")
        score, gate = self._quality.get(dealer_id, (None, ""))
        return DealerFigures(
            name=str(row["name"]),
            region=str(row["region_name"] if pd.notna(row["region_name"]) else row["region_id"]),
            closed=int(close.denominator or 0) if close else 0,
            won=int(close.numerator or 0) if close else 0,
            filed=int(verdicts.sum()),
            true=int(verdicts.get(DefeatVerdict.TRUE, 0)),
            quasi=int(verdicts.get(DefeatVerdict.QUASI, 0)),
            false=int(verdicts.get(DefeatVerdict.FALSE, 0)),
            figures=figures,
            reasons=self._reasons.get(("dealer", dealer_id), ())[:MOST_REASONS],
            score=score,
            gate=gate,
            trend=self._trend(self._rates("close_rate", dealer_id), self._nation_close),
            effects=tuple(effect_sentence(effect, locale) for effect in self._effects.get(dealer_id, [])),
        )

    def _regions(self) -> list[RegionFigures]:
        names = self.dealers.drop_duplicates("region_id").set_index("region_id")["region_name"]
        found = []
        for (scope, region), figures in sorted(self._indicators.items()):
            close = figures.get("close_rate")
            if scope != "region" or close is None:
                continue
            name = names.get(region)
            found.append(
                RegionFigures(
                    region,
                    str(name) if pd.notna(name) else region,
                    int(close.denominator or 0),
                    int(close.numerator or 0),
                    close.value,
                    close.previous,
                )
            )
        return found

    def _line(self, plan: Plan, locale: str, link: str) -> DealerLine:
        row = self.dealers.loc[plan.dealer_id]
        score, gate = self._quality.get(plan.dealer_id, (None, ""))
        return DealerLine(
            plan.dealer_id,
            str(row["name"]),
            str(row["region_name"] if pd.notna(row["region_name"]) else row["region_id"]),
            plan.kind,
            plan.state,
            problem_title(plan.problems[0], locale) if plan.problems else "",
            sum(problem.deals_at_stake for problem in plan.problems)
            if plan.kind in (PlanKind.RECTIFY, PlanKind.COACHING)
            else 0.0,
            Gate(gate) if gate else None,
            score,
            link,
        )

    def _competitors(self) -> list[CompetitorLine]:
        frame = self.job.results.read("competitors").head(30)
        return [
            CompetitorLine(
                str(row.series),
                str(row.competitor_brand),
                int(row.defeats),
                None if pd.isna(row.defeats_previous) else int(row.defeats_previous),
                tuple(code for code in str(row.top_reasons).split(";") if code and code != "nan"),
            )
            for row in frame.itertuples()
        ]

    def nation(
        self, plans: tuple[Plan, ...], links: Mapping[str, str], failures: tuple[str, ...], locale: str
    ) -> NationalFigures:
        """What the overview shows; ``links`` lead to the dealers' pages."""
        verdicts, destinations = (self.defeats[name].value_counts() for name in ("verdict", "destination"))
        effects = self.job.results.read("effects", ["verdict", "executed"])
        idle = effects["executed"].eq(False).fillna(False).astype(bool)
        judged = effects.loc[~idle, "verdict"].value_counts()
        account = self.job.results.read("account")
        return NationalFigures(
            nation=self._indicators.get(("nation", "all"), {}),
            verdicts={word: int(verdicts.get(word.value, 0)) for word in DefeatVerdict},
            destinations={word: int(destinations.get(word.value, 0)) for word in Destination},
            reasons=self._reasons.get(("nation", "all"), ()),
            regions=self._regions(),
            dealers=[self._line(plan, locale, links[plan.dealer_id]) for plan in plans if plan.dealer_id in links],
            competitors=self._competitors(),
            effects={word: int(judged.get(word.value, 0)) for word in EffectVerdict},
            not_executed=int(idle.sum()),
            rows=[
                (str(r.table), int(r.rows), int(r.accepted), int(r.quarantined), int(r.held), int(r.duplicates))
                for r in account.itertuples()
            ],
            failures=failures,
            missing=self._missing(locale),
            trend=self._trend(self._nation_close, self._rates("defeat_rate_filtered")),
        )

    def _missing(self, locale: str) -> list[str]:
        lacking = lacking_evidence(self.defeats)
        return [
            text("national_page.lacking", locale, what=text(f"filter.lacking.{name}", locale), filings=count)
            for name, count in lacking.items()
        ]
