"""How figures and dates are written; "not available" is a word of its own, never a zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime

from models.catalogue.indicators import Unit
from models.messages import DEFAULT_LOCALE, text

#: Digits after the point of a value in its unit; shares are written as percent.
_DIGITS = {Unit.COUNT: 0, Unit.MONEY: 0}


class Formatter:
    """Numbers, rates and dates as the reader's language writes them."""

    def __init__(self, locale: str = DEFAULT_LOCALE) -> None:
        self.locale = locale
        self.missing = text("format.missing", locale)

    def _t(self, key: str, **params: object) -> str:
        return text(f"format.{key}", self.locale, **params)

    def number(self, value: float | None, digits: int = 0, *, signed: bool = False) -> str:
        """A count or amount with thousands separators; what rounds to zero has no sign."""
        if value is None or not math.isfinite(value):
            return self.missing
        rounded = round(float(value), digits) + 0.0  # -0.0 + 0.0 is 0.0
        return f"{rounded:{'+' if signed and rounded else ''},.{digits}f}"

    def percent(self, value: float | None, digits: int = 1) -> str:
        """A rate 0-1 as percent."""
        written = self.number(None if value is None else 100 * value, digits)
        return written if written == self.missing else f"{written}%"

    def points(self, value: float | None, digits: int = 1) -> str:
        """A difference in percentage points, with its sign."""
        return self._in("points", self.number(value, digits, signed=True))

    def value(self, value: float | None, unit: str) -> str:
        """A value of an indicator in its own unit (``models.catalogue.indicators.Unit``)."""
        if unit == Unit.SHARE:
            return self.percent(value)
        return self._in(Unit(unit).value, self.number(value, _DIGITS.get(Unit(unit), 1)))

    def gap(self, value: float | None, unit: str) -> str:
        """A difference of two values of an indicator, with its sign; of shares in percentage points."""
        if unit == Unit.SHARE:
            return self.points(None if value is None else 100 * value)
        return self._in(Unit(unit).value, self.number(value, _DIGITS.get(Unit(unit), 1), signed=True))

    def interval(self, low: float | None, high: float | None) -> str:
        """An interval in percentage points, without the unit."""
        return self._t("interval", low=self.number(low, 1, signed=True), high=self.number(high, 1, signed=True))

    def day(self, value: date | datetime | None) -> str:
        """A calendar day."""
        return self.missing if value is None else self._t("day", year=value.year, month=value.month, day=value.day)

    def month(self, name: str) -> str:
        """A cycle ``YYYY-MM`` as people say it."""
        return self._t("month", year=int(name[:4]), month=int(name[5:7]))

    def months(self, names: Sequence[str]) -> str:
        """A run of months: first to last."""
        if len(names) < 2:
            return self.words([self.month(name) for name in names])
        return self._t("interval", low=self.month(names[0]), high=self.month(names[-1]))

    def words(self, parts: Sequence[str]) -> str:
        """An enumeration."""
        return self._t("comma").join(parts)

    def _in(self, unit: str, written: str) -> str:
        return written if written == self.missing else self._t(unit, value=written)
