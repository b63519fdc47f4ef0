"""Does the loop work: what it brought, how far its verdicts can be trusted, what it cost, what is to be done now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from models.catalogue.follow_ups import follow_ups
from models.enums import EffectVerdict, Role
from models.messages import text
from reports.verdicts import because
from reports.verification_figures import Duty, LoopFigures, Row
from reports.words import Words

CHECKS = ("aa_false", "placebo_z", "inconclusive", "hold_back")
COSTS = ("hours_per_closed_plan", "hours_per_extra_deal", "cost_per_extra_deal")
OWNERS = (Role.REGION, Role.OEM, Role.DEALER)
MOST_NAMED = 20
COLOURS = {EffectVerdict.EFFECTIVE: "better", EffectVerdict.WORSE: "worse"}
Table = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class RecordLine:
    """A measure's record over all dealers; ``because`` where it is proposed first."""

    reason: str
    rank: str
    measure: str
    dealers: str
    executed: str
    effect: str
    verdict: str
    standing: str
    because: str


@dataclass(frozen=True)
class DutyLine:
    """What one of the owners has to do about some dealers' measures: (address, dealer, measure) of each, by when."""

    owner: str
    link: str
    what: str
    due: str
    count: str
    dealers: tuple[tuple[str, str, str], ...]
    more: str


@dataclass(frozen=True)
class LoopPart:
    """The section "Does the loop work?" in words of one language."""

    headline: str
    verdicts: Table  # verdict, measures
    checks: Table  # what, value, good, verdict
    costs: tuple[str, ...]
    record: tuple[RecordLine, ...]  # of reasons with a pooled effect
    waiting: str  # how many measures tried have none yet
    duties: tuple[DutyLine, ...]


def loop_part(
    figures: LoopFigures,
    words: Words,
    links: Mapping[str, str],
    regions: Mapping[str, tuple[str, str]],
) -> LoopPart:
    """The section of the overview; ``links``: dealers' pages by id; ``regions``: name and address by region id."""
    page = _Builder(figures, words)
    return LoopPart(
        page.headline(),
        page.verdicts(),
        page.checks(),
        page.costs(),
        page.record(),
        page.waiting(),
        page.duties(links, regions),
    )


class _Builder:
    def __init__(self, figures: LoopFigures, words: Words) -> None:
        self.figures, self.words, self.f, self.locale = figures, words, words.f, words.locale

    def t(self, key: str, **params: object) -> str:
        return text(f"loop_part.{key}", self.locale, **params)

    def check(self, name: str, what: str = "value") -> float | None:
        row = self.figures.checks.get(name)
        return None if row is None else _number(row[what])

    # ---- what it brought

    def headline(self) -> str:
        """The network's close rate with and without the loop, and whether the difference is more than chance."""
        gained, deals = self.check("programme_network"), self.check("extra_deals")
        if gained is None or deals is None:
            return self.t("headline.missing")
        low, high = self.check("programme_network", "lo90") or 0.0, self.check("programme_network", "hi90") or 0.0
        word = "gained" if low > 0 else "lost" if high < 0 else "not_sure"
        ends = [self.check("extra_deals", "lo90"), self.check("extra_deals", "hi90")]
        return self.t(
            f"headline.{word}",
            with_loop=self._rate("close_rate_with"),
            without=self._rate("close_rate_without"),
            interval=self.f.interval(low, high),
            points=self.f.number(gained, 1, signed=True),
            deals=self.f.number(abs(deals)),
            least=self.f.number(min((abs(one) for one in ends if one is not None), default=None)),
            most=self.f.number(max((abs(one) for one in ends if one is not None), default=None)),
        )

    def _rate(self, name: str) -> str:
        value = self.check(name)
        return self.f.percent(None if value is None else value / 100)

    def verdicts(self) -> Table:
        figures = self.figures
        every = [(one.label(self.locale), figures.judged.get(one, 0)) for one in EffectVerdict]
        every += [(self.t("not_executed"), figures.not_executed), (self.t("too_early"), figures.too_early)]
        if not any(count for _, count in every):
            return ()
        return tuple((label, self.f.number(count)) for label, count in every)

    # ---- how far it can be trusted

    def checks(self) -> Table:
        return tuple(self._check(name) for name in CHECKS)

    def _check(self, name: str) -> tuple[str, ...]:
        row = self.figures.checks.get(name)
        what, good = text(f"learning.check.{name}", self.locale), self.t(f"good.{name}")
        if row is None:
            return what, "–", good, self.t("off" if name == "hold_back" else "not_made")
        value, low, high = (_number(row[column]) for column in ("value", "lo90", "hi90"))
        shown = "–" if value is None else self._valued(name, value, low, high, int(str(row["cases"])))
        return what, shown, good, text(str(row["verdict"]), self.locale)

    def _valued(self, name: str, value: float, low: float | None, high: float | None, cases: int) -> str:
        if name == "hold_back":
            written, ends = self.f.points(value), self.f.interval(low, high)
        elif name == "placebo_z":
            written, ends = self.f.number(value, 2), self._between(self.f.number(low, 2), self.f.number(high, 2))
        else:
            written, ends = self.f.percent(value), self._between(self.f.percent(low), self.f.percent(high))
        return self.t(f"valued.{name}", value=written, interval=ends, cases=self.f.number(cases))

    def _between(self, low: str, high: str) -> str:
        return text("format.interval", self.locale, low=low, high=high)

    # ---- what it cost

    def costs(self) -> tuple[str, ...]:
        """A line per figure; where all lack the same, one line says what is missing."""
        rows = [(name, row) for name in COSTS if (row := self.figures.checks.get(name)) is not None]
        if not rows:
            return ()
        lacking = {str(row["verdict"]) for _, row in rows}
        if len(lacking) == 1 and all(_number(row["value"]) is None for _, row in rows):
            return (self.t("costs.missing", why=text(lacking.pop(), self.locale)),)
        return tuple(self._cost(name, row) for name, row in rows)

    def _cost(self, name: str, row: Row) -> str:
        what, value = text(f"learning.check.{name}", self.locale), _number(row["value"])
        why = text(str(row["verdict"]), self.locale)
        if value is None:
            return self.t("costs.none", what=what, why=why)
        low, high = _number(row["lo90"]), _number(row["hi90"])
        if low is None:
            return self.t("costs.plain", what=what, value=self.f.number(value, 1))
        most = why if high is None else self.f.number(high, 1)
        return self.t("costs.line", what=what, value=self.f.number(value, 1), least=self.f.number(low, 1), most=most)

    # ---- which measures work

    def record(self) -> tuple[RecordLine, ...]:
        known = {row["reason"] for row in self.figures.record if _number(row["effect_points"]) is not None}
        return tuple(self._recorded(row) for row in self.figures.record if row["reason"] in known)

    def waiting(self) -> str:
        tried = [row for row in self.figures.record if int(str(row["dealers"])) > 0]
        open_ones = sum(_number(row["effect_points"]) is None for row in tried)
        return self.t("record.waiting", measures=self.f.number(open_ones)) if open_ones else ""

    def _recorded(self, row: Row) -> RecordLine:
        effect, verdict = _number(row["effect_points"]), EffectVerdict(str(row["verdict"]))
        reported, tried = row["basis"] != "unknown", int(str(row["dealers"])) > 0
        found = verdict.label(self.locale) if effect is not None else self.t("record.open" if tried else "record.new")
        return RecordLine(
            reason=self.words.reason(str(row["reason"])),
            rank=self.f.number(_number(row["rank"])),
            measure=self.words.measure(str(row["measure"])),
            dealers=self.f.number(_number(row["dealers"])),
            executed=self.f.number(_number(row["executed"])) if reported else self.t("record.unreported"),
            effect="–" if effect is None else self._pooled(row, effect),
            verdict=found,
            standing=COLOURS.get(verdict, ""),
            because=because(row, self.locale),
        )

    def _pooled(self, row: Row, effect: float) -> str:
        return self.t(
            "record.effect",
            indicator=self.words.indicator(str(row["indicator"])),
            effect=self.f.points(effect),
            interval=self.f.interval(_number(row["lo90"]), _number(row["hi90"])),
            pooled=self.f.number(_number(row["pooled"])),
        )

    # ---- what is to be done

    def duties(self, links: Mapping[str, str], regions: Mapping[str, tuple[str, str]]) -> tuple[DutyLine, ...]:
        """By owner (a region each for itself) and step, regions first."""
        groups: dict[tuple[int, str, str, date], list[Duty]] = {}
        for one in self.figures.duties:
            region = one.region_id if one.owner is Role.REGION else ""
            due = one.due or date.max
            groups.setdefault((OWNERS.index(one.owner), region, one.step or "", due), []).append(one)
        return tuple(
            self._duty(group, links, *regions.get(region, (region, "")))
            for (_, region, _, _), group in sorted(groups.items())
        )

    def _duty(self, group: Sequence[Duty], links: Mapping[str, str], region: str, address: str) -> DutyLine:
        first = group[0]
        ordered = sorted(group, key=lambda one: (one.name, one.dealer_id, one.measure))
        role = first.owner.label(self.locale)
        steps = follow_ups().steps
        more = len(ordered) - MOST_NAMED
        return DutyLine(
            owner=self.t("duties.owner", role=role, region=region) if first.owner is Role.REGION else role,
            link=address if first.owner is Role.REGION else "",
            what=steps[first.step].title.text(self.locale) if first.step else self.t("duties.approve"),
            due=self.f.day(first.due),
            count=self.f.number(len(ordered)),
            dealers=tuple(
                (links.get(one.dealer_id, ""), one.name, self.words.measure(one.measure) if one.measure else "")
                for one in ordered[:MOST_NAMED]
            ),
            more=self.t("duties.more", count=more) if more > 0 else "",
        )


def _number(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]
