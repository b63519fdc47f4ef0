"""The words of the analysis pages: messages, parts of a gap, values of a profile, in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.catalogue.profile_rules import NOT_RECORDED
from models.messages import has, text
from reports.analysis_figures import Counted, Kind, ProfileValue, ScopeFigures
from reports.words import Words


class AnalysisWords(Words):
    """Words with the messages of the analysis pages."""

    def page(self, key: str, **params: object) -> str:
        """A message of the analysis pages."""
        return text(f"analysis_page.{key}", self.locale, **params)

    def message(self, key: str, **params: object) -> str:
        """Any message."""
        return text(key, self.locale, **params)

    def part(self, kind: str, code: str) -> str:
        """A part of a gap: its reason or step by name, else what it is."""
        if kind == "reason":
            return self.reason(code) if code else self.page("no_reason")
        if kind == "own":
            return self.page("part.own")
        return self.indicator(code) if kind == "step" else self.message(f"analysis.gap.kind.{kind}")

    def value(self, attribute: str, value: str) -> str:
        """A value of an attribute of customers; words of the source stay as they are."""
        if value == NOT_RECORDED:
            return self.page("profile.not_recorded")
        key = f"analysis_page.value.{attribute}.{value}"
        return text(key, self.locale) if has(key) else value

    def cases(self, counted: Counted) -> str:
        """Cases of all of them."""
        return self.message(
            "comparing.sample", numerator=self.f.number(counted.cases), denominator=self.f.number(counted.of)
        )

    def span(self, low: float | None, high: float | None) -> str:
        """An interval of shares."""
        return self.page("to", low=self.f.percent(low), high=self.f.percent(high))

    def beside(self, kind: Kind) -> str:
        """What the funnel of a scope is set beside."""
        return self.page(f"beside.{kind}")

    def own(self, figures: ScopeFigures) -> str:
        """The scope itself, in a legend."""
        return self.page("own_dealer") if figures.kind is Kind.DEALER else figures.name or self.page("nation")

    def other(self, kind: Kind) -> str:
        """What the trend of a scope is set beside."""
        return self.page("nation" if kind is Kind.NATION else "rest")

    def brand(self, name: str) -> str:
        """A competitor brand, or that nobody noted it."""
        return name or self.page("competitors.unnamed")

    def with_attribute(self, values: Sequence[ProfileValue]) -> list[ProfileValue]:
        """Values of several attributes, each named with its attribute."""
        return [
            replace(
                one,
                value=self.page(
                    "profile.named", attribute=self.attribute(one.attribute), value=self.value(one.attribute, one.value)
                ),
            )
            for one in values
        ]

    def attribute(self, code: str) -> str:
        """An attribute of customers; one an OEM added stays as it is."""
        key = f"analysis_page.attribute.{code}"
        return text(key, self.locale) if has(key) else code

    def filter_text(self, filters: Sequence[tuple[str, tuple[str, ...]]]) -> str:
        """The filters of a scene."""
        said = [
            self.page("scene.filter", field=self.page(f"field.{name}"), values=self.f.words(values))
            for name, values in filters
        ]
        return self.page("scene.joined").join(said)

    def meta(self, figures: ScopeFigures) -> str:
        """The line over the title: cycle, where, window."""
        parts = [self.f.month(figures.cycle), figures.region, self.filter_text(figures.filters)]
        parts.append(self.page("window", months=self.f.months(figures.months)))
        return " · ".join(part for part in parts if part)
