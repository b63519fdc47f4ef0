"""The sections of an analysis page: each its findings, charts, tables, and what its figures rest on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.enums import DefeatVerdict, Destination
from reports.analysis_figures import Kind, Moments, Part, ScopeFigures
from reports.analysis_words import AnalysisWords
from reports.argument_cards import CardView, card_views
from reports.charts.cohorts import cohorts, maturity
from reports.charts.flows import flows
from reports.charts.plots import funnel_plot, trend
from reports.charts.rows import drivers, funnel, lift_kind, lifts, part_kind, reason_ranking, shares, waterfall
from reports.charts.shapes import Chart
from reports.note_words import quoted

MOST_LIFTS, MOST_FLOWS, MOST_BRANDS = 10, 7, 12


@dataclass(frozen=True)
class Table:
    """A plain table; ``numbers``: places of the columns that hold figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    title: str = ""
    links: tuple[str, ...] = ()  # of the first cell of each row


@dataclass(frozen=True)
class Section:
    """A part of the page; ``finding``: its one sentence at the head of the page; ``missing``: why nothing is shown."""

    anchor: str
    title: str
    says: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    note: str = ""
    missing: str = ""
    finding: str = ""
    cards: tuple[CardView, ...] = ()
    quotes: tuple[tuple[str, str], ...] = ()  # about, text


def sections(figures: ScopeFigures, words: AnalysisWords) -> tuple[Section, ...]:
    """The sections that say something of the scope, in the order of the page."""
    found = _Sections(figures, words)
    every = (
        found.funnel(),
        found.gap(),
        found.drivers(),
        found.reasons(),
        found.destinations(),
        found.cards(),
        found.price(),
        found.profile(),
        found.filter(),
        found.trend(),
        found.cohorts(),
        found.place(),
    )
    return tuple(section for section in every if section is not None)


class _Sections:
    def __init__(self, figures: ScopeFigures, words: AnalysisWords) -> None:
        self.figures, self.words = figures, words
        self.f = words.f
        self.months = words.f.months(figures.months)
        self.cycle = words.f.month(figures.cycle)

    def t(self, key: str, **params: object) -> str:
        return self.words.page(key, **params)

    def funnel(self) -> Section:
        title, figures = self.t("funnel.title"), self.figures
        if not figures.leads:
            return Section("funnel", title, missing=self.t("nothing_closed", months=self.months))
        steps = [
            one
            for one in figures.funnel
            if not (self.figures.lost_only and one.indicator in ("close_rate", "test_drive_to_order"))
        ]
        beside = self.words.beside(figures.kind)
        missing = "" if any(one.indicator == "lead_to_visit" for one in steps) else self.t("funnel.no_steps")
        return Section(
            "funnel",
            title,
            charts=(funnel(figures.leads, steps, beside, self.words),),
            note=self.t(f"funnel.note.{'lost' if figures.lost_only else figures.kind}", months=self.months),
            missing=missing,
        )

    def gap(self) -> Section | None:
        figures = self.figures
        if figures.kind not in (Kind.DEALER, Kind.REGION):
            return None
        title = self.t("gap.title")
        whole = [part for part in figures.parts if part.kind == "gap"]
        if not whole:
            return Section("gap", title, missing=self.t("gap.missing"))
        gap = whole[0]
        said = self.t(
            "gap.says",
            months=self.months,
            gap=self.f.points(gap.points),
            deals=self.f.number(abs(gap.deals), 1),
            way=self.t("gap.less" if gap.points < 0 else "gap.more"),
        )
        return Section(
            "gap",
            title,
            says=(said,),
            charts=(waterfall(figures.parts, self.words),),
            note=self.t(f"gap.note.{figures.kind}"),
            finding=self._weakest([part for part in figures.parts if part.kind in ("step", "remaining", "own", "mix")]),
        )

    def _weakest(self, parts: list[Part]) -> str:
        sure = [part for part in parts if part_kind(part) == "costs"]
        if not any(part.chance is not None for part in parts):
            return ""
        if not sure:
            return self.t("gap.finding_none")
        worst = min(sure, key=lambda part: part.points)
        name = self.words.part(worst.kind, worst.code)
        key = "gap.finding_mix" if worst.kind == "mix" else "gap.finding"
        return self.t(key, part=name, points=self.f.points(worst.points), deals=self.f.number(abs(worst.deals), 1))

    def drivers(self) -> Section | None:
        if self.figures.kind is not Kind.DEALER:
            return None
        parts, title = self.figures.drivers, self.t("drivers.title")
        if not parts:
            return Section("drivers", title, missing=self.t("drivers.missing"))
        sure = [part for part in parts if part_kind(part) == "costs"]
        names = self.f.words([self.words.part(part.kind, part.code) for part in sure[:3]])
        finding = self.t("drivers.finding", reasons=names) if sure else self.t("drivers.finding_none")
        return Section(
            "drivers",
            title,
            charts=(drivers(parts, self.words),),
            note=self.t("drivers.note", months=self.months),
            finding=finding,
        )

    def reasons(self) -> Section:
        reasons, title = self.figures.reasons, self.t("reasons.title")
        if reasons is None or not reasons.shares:
            quotes = quoted(self.figures.interviews, self.words)
            return Section("reasons", title, missing=self.t("reasons.missing", months=self.months), quotes=quotes)
        f = self.f
        says = [
            self.t(
                "reasons.counts",
                months=self.months,
                defeats=f.number(reasons.defeats),
                confirmed=f.number(reasons.confirmed),
            )
        ]
        if reasons.agreement is not None:
            key = "reasons.differs" if reasons.differs else "reasons.agreement"
            says.append(
                self.t(
                    key,
                    agreed=self.words.cases(reasons.agreement),
                    rate=f.percent(reasons.agreement.rate),
                    interval=self.words.span(reasons.agreement_lo90, reasons.agreement_hi90),
                    expected=f.percent(reasons.agreement_expected),
                )
            )
        if reasons.missing:
            says.append(self.t("reasons.not_corrected", why=self.words.message(reasons.missing, least=reasons.least)))
        first = reasons.shares[0]
        finding = ""
        if self.figures.kind is not Kind.DEALER:
            finding = self.t("reasons.finding", reason=self.words.reason(first.code), share=f.percent(first.share))
        return Section(
            "reasons",
            title,
            says=tuple(says),
            charts=(reason_ranking(reasons.shares, self.words),),
            note=self.t("reasons.note", months=self.months),
            finding=finding,
            quotes=quoted(self.figures.interviews, self.words),
        )

    def destinations(self) -> Section:
        defeats, title = self.figures.defeats, self.t("destinations.title", cycle=self.cycle)
        charts: list[Chart] = []
        tables = []
        ends = [(Destination(code).label(self.words.locale), moments) for code, moments in defeats.destinations]
        if any(moments.now for _, moments in ends):
            charts.append(flows(sorted(ends, key=lambda end: -end[1].now), self.t("destinations.chart"), self.words))
        brands = self._brands()
        if brands:
            charts.append(flows(brands, self.t("competitors.chart"), self.words))
            head = ("brand", "now", "previous", "last_year", "reasons")
            rows = tuple(
                (
                    self.words.brand(one.name),
                    *(self.f.number(n) for n in (one.defeats.now, one.defeats.previous, one.defeats.last_year)),
                    self.f.words([self.words.reason(code) for code in one.reasons]) or "–",
                )
                for one in defeats.brands[:MOST_BRANDS]
            )
            names = tuple(self.t(f"head.competitors.{name}") for name in head)
            tables.append(Table(names, rows, (1, 2, 3), self.t("competitors.table")))
        if defeats.sisters:
            rows = tuple((name, self.f.number(count)) for name, count in defeats.sisters)
            head = (self.t("head.sisters.dealer"), self.t("head.sisters.count"))
            tables.append(Table(head, rows, (1,), self.t("sisters.title", months=self.months)))
        missing = "" if charts else self.t("destinations.missing", cycle=self.cycle)
        finding = ""
        first = next((one for one in defeats.brands if one.name and one.defeats.now), None)
        if first is not None and not self.figures.lost_only:
            total = sum(moments.now for _, moments in ends)
            finding = self.t(
                "competitors.finding",
                brand=first.name,
                count=self.f.number(first.defeats.now),
                total=self.f.number(total),
                cycle=self.cycle,
            )
        note = self.t("destinations.note", cycle=self.cycle)
        return Section("destinations", title, (), tuple(charts), tuple(tables), note, missing, finding)

    def _brands(self) -> list[tuple[str, Moments]]:
        """The brands of the flow, the small ones together: widths add up to all defeats to competitors."""
        listed = [one for one in self.figures.defeats.brands if one.defeats.now]
        shown, rest = listed[:MOST_FLOWS], [one.defeats for one in listed[MOST_FLOWS:]]
        found = [(self.words.brand(one.name), one.defeats) for one in shown]
        if rest:
            before = [None if any(n is None for n in counts) else sum(counts) for counts in
                      ([one.previous for one in rest], [one.last_year for one in rest])]  # fmt: skip
            found.append(
                (self.t("competitors.others", count=len(rest)), Moments(sum(one.now for one in rest), *before))
            )
        return found

    def cards(self) -> Section | None:
        """The argument cards for the dealer's main flows to competitors."""
        if self.figures.kind is not Kind.DEALER:
            return None
        title, views = self.words.message("argument_cards.title"), card_views(self.figures.cards, self.words.locale)
        if not views:
            return Section("cards", title, missing=self.words.message("argument_cards.missing", months=self.months))
        return Section("cards", title, cards=views, note=self.words.message("argument_cards.note", months=self.months))

    def price(self) -> Section:
        title, counts = self.t("price.title"), self.figures.price
        months = self.f.months(self.figures.price_months) or self.months
        if not counts:
            return Section("price", title, missing=self.t("price.missing", months=months))
        named = [(self.words.message(f"analysis.price.class.{name}"), count) for name, count in counts]
        total = sum(count for _, count in counts)
        says = self.t("price.says", total=self.f.number(total), months=months)
        chart = shares(named, self.t("price.title"), self.t("head.price"), self.words)
        return Section("price", title, (says,), (chart,), note=self.t("price.note"))

    def profile(self) -> Section | None:
        title, values = self.t("profile.title"), self.figures.profile
        if self.figures.lost_only:
            return None
        known = [one for one in values if one.q_value is not None]
        if not known:
            return Section("profile", title, missing=self.t("profile.missing"))
        ranked = sorted(known, key=lambda one: (one.q_value or 0.0, -one.leads))[:MOST_LIFTS]
        sure = [one for one in ranked if lift_kind(one) in ("costs", "gains")]
        says = self.t("profile.says_some", count=len(sure), tested=len(known)) if sure else self.t(
            "profile.says_none", tested=len(known)
        )  # fmt: skip
        labelled = self.words.with_attribute(ranked)
        return Section(
            "profile",
            title,
            (says,),
            (lifts(labelled, title, self.words),),
            note=self.t("profile.note", cycle=self.months if self.figures.kind is Kind.SCENE else self.cycle),
        )

    def filter(self) -> Section | None:
        if self.figures.lost_only:
            return None
        defeats, title, f = self.figures.defeats, self.t("filter.title", cycle=self.cycle), self.f
        if not defeats.filed:
            return Section("filter", title, missing=self.t("filter.missing", cycle=self.cycle))
        again = sum(defeats.verdicts.get(word, 0) for word in (DefeatVerdict.QUASI, DefeatVerdict.FALSE))
        says = [self.t("filter.says", filed=f.number(defeats.filed), again=f.number(again))]
        if defeats.filed_rate is not None and defeats.filtered_rate is not None:
            rates = {"filed": f.percent(defeats.filed_rate), "filtered": f.percent(defeats.filtered_rate)}
            says.append(self.t("filter.rates", **rates))
        if defeats.premature:
            says.append(self.t("filter.premature", count=f.number(defeats.premature)))
        counts = [(word.label(self.words.locale), defeats.verdicts.get(word, 0)) for word in DefeatVerdict]
        tables = ()
        if defeats.people and self.figures.kind is Kind.DEALER:
            head = tuple(self.t(f"head.people.{name}") for name in ("person", "filed", "true", "quasi", "false"))
            rows = tuple((one[0], *(f.number(count) for count in one[1:])) for one in defeats.people)
            tables = (Table(head, rows, (1, 2, 3, 4), self.t("filter.people")),)
        finding = self.t("filter.finding", again=f.number(again), cycle=self.cycle) if again else ""
        return Section(
            "filter",
            title,
            tuple(says),
            (shares(counts, title, self.t("head.verdict"), self.words),),
            tables,
            self.t("filter.note"),
            finding=finding,
        )

    def trend(self) -> Section | None:
        if self.figures.lost_only:
            return None
        months, title = self.figures.trend, self.t("trend.title")
        if sum(one.own.of > 0 for one in months) < 2:
            return Section("trend", title, missing=self.t("trend.missing"))
        return Section(
            "trend",
            title,
            says=(self._change(),),
            charts=(trend(months, self.words.own(self.figures), self.words.other(self.figures.kind), self.words),),
            note=self.t("trend.note"),
        )

    def _change(self) -> str:
        change, f = self.figures.change, self.f
        if change is None:
            return self.t("trend.no_year", months=self.months)
        own = self.t("trend.own", months=self.months, points=f.points(change.own_points))
        if change.other_points is None or change.beyond is None or change.lo90 is None or change.hi90 is None:
            interval = f.interval(change.lo90, change.hi90)
            return own + self.t("trend.own_interval", interval=interval)
        chance = change.lo90 <= 0 <= change.hi90
        return own + self.t(
            "trend.beyond",
            other=self.words.other(self.figures.kind),
            market=f.points(change.other_points),
            beyond=f.points(change.beyond),
            interval=f.interval(change.lo90, change.hi90),
            verdict=self.t("standing.chance" if chance else f"trend.{'better' if change.beyond > 0 else 'worse'}"),
        )

    def cohorts(self) -> Section | None:
        figures, title = self.figures, self.t("cohorts.title")
        if figures.kind is Kind.SCENE:
            return None
        if len(figures.cohorts) < 2:
            why = self.words.message(figures.cohorts_missing) if figures.cohorts_missing else self.t("cohorts.missing")
            return Section("cohorts", title, missing=why)
        charts: list[Chart] = [cohorts(figures.cohorts, self.words)]
        if len(figures.ages) > 1:
            charts.append(maturity(figures.ages, self.words))
        return Section("cohorts", title, self._running(), tuple(charts), note=self.t("cohorts.note"))

    def _running(self) -> tuple[str, ...]:
        """That the last month of the data is not over: what closed in it is not counted yet."""
        last, running = self.figures.cohorts[-1].name, f"{self.figures.as_of:%Y-%m}"
        if last != running or (self.figures.as_of + timedelta(days=1)).day == 1:
            return ()
        return (self.t("cohorts.running", day=self.f.day(self.figures.as_of), month=self.f.month(running)),)

    def place(self) -> Section | None:
        if self.figures.kind not in (Kind.NATION, Kind.REGION):
            return None
        plot, title = self.figures.place, self.t("place.title")
        own = [] if plot is None else [point for point in plot.points if point.here]
        if plot is None or not own:
            return Section("place", title, missing=self.t("place.missing"))
        here = self.t("place.here" if len(own) < len(plot.points) else "place.all")
        outside = [point for point in own if point.outside]
        low = self.f.words([point.name for point in outside if point.z < 0]) or self.t("place.none")
        high = self.f.words([point.name for point in outside if point.z > 0]) or self.t("place.none")
        finding = self.t(
            "place.finding",
            dealers=len(own),
            low=sum(point.z < 0 for point in outside),
            high=sum(point.z > 0 for point in outside),
        )
        return Section(
            "place",
            title,
            says=(self.t("place.low", dealers=low), self.t("place.high", dealers=high)),
            charts=(funnel_plot(plot, here, self.words),),
            note=self.t("place.note", months=self.months),
            finding=finding,
        )
