"""Codes of the standards as people say them: reasons, indicators, measures, problems, in one language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from models.catalogue.indicators import Better, Unit, indicators
from models.catalogue.playbook import REASON_PREFIX, playbook
from models.catalogue.reasons import catalogue
from models.facts import Problem
from models.messages import text
from reports.formats import Formatter


def lower_is_better(indicator: str) -> bool:
    """Whether little of ``indicator`` is good; defeats for a reason always are."""
    if indicator.startswith(REASON_PREFIX):
        return True
    return indicators().indicators[indicator].better is Better.LOWER


def unit(indicator: str) -> Unit:
    """What the value of an indicator, or of ``reason:<code>``, is counted in."""
    return Unit.SHARE if indicator.startswith(REASON_PREFIX) else indicators().indicators[indicator].unit


@dataclass(frozen=True)
class Words:
    """The standards' codes in the reader's language; a code no standard knows stays as it is."""

    locale: str

    @cached_property
    def f(self) -> Formatter:
        """Figures in the same language."""
        return Formatter(self.locale)

    def reason(self, code: str) -> str:
        """A reason."""
        entry = catalogue().get(code)
        return entry.label.text(self.locale) if entry else code

    def reason_owner(self, code: str) -> str:
        """Who can fix a reason first."""
        entry = catalogue().get(code)
        return entry.owners[0].label(self.locale) if entry else ""

    def indicator(self, code: str) -> str:
        """An indicator, or ``reason:<code>`` as the share of leads lost for that reason."""
        if code.startswith(REASON_PREFIX):
            return text("words.lost_for", self.locale, reason=self.reason(code.removeprefix(REASON_PREFIX)))
        entry = indicators().indicators.get(code)
        return entry.label.text(self.locale) if entry else code

    def counted(self, code: str) -> tuple[str, str]:
        """What numerator and denominator of an indicator count."""
        standard = indicators()
        if code.startswith(REASON_PREFIX):
            closed = standard.facts[standard.indicators["close_rate"].denominator].text(self.locale)
            return text("words.lost", self.locale), closed
        entry = standard.indicators[code]
        return standard.facts[entry.numerator].text(self.locale), standard.facts[entry.denominator].text(self.locale)

    def definition(self, code: str) -> str:
        """How an indicator is defined."""
        if code.startswith(REASON_PREFIX):
            return text("words.lost_for_definition", self.locale)
        return indicators().indicators[code].definition.text(self.locale)

    def measure(self, code: str, own_text: str = "") -> str:
        """A measure of the playbook, else the dealer's own words for it."""
        entry = playbook().measures.get(code)
        return entry.title.text(self.locale) if entry else own_text or code

    def problem(self, problem: Problem) -> str:
        """A problem in a few words, named by the direction that is bad."""
        reason = self.reason(problem.reason)
        if problem.indicator.startswith(REASON_PREFIX):
            return text("words.problem.reason", self.locale, reason=reason)
        key = "too_high" if lower_is_better(problem.indicator) else "too_low"
        indicator = self.indicator(problem.indicator)
        return text(f"words.problem.{key}", self.locale, indicator=indicator, reason=reason)
