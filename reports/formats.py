"""How figures and dates are written; "not available" is a word of its own, never a zero."""

from __future__ import annotations

import math
from datetime import date, datetime

from models.messages import DEFAULT_LOCALE, text


class Formatter:
    """Numbers, rates and dates as the reader's language writes them."""

    def __init__(self, locale: str = DEFAULT_LOCALE) -> None:
        self.locale = locale
        self.missing = text("format.missing", locale)

    def _is_missing(self, value: float | None) -> bool:
        return value is None or (isinstance(value, float) and math.isnan(value))

    def number(self, value: float | None, digits: int = 0) -> str:
        """A count or amount with thousands separators."""
        return self.missing if value is None or self._is_missing(value) else f"{value:,.{digits}f}"

    def percent(self, value: float | None, digits: int = 1) -> str:
        """A rate 0-1 as percent."""
        return self.missing if value is None or self._is_missing(value) else f"{100 * value:.{digits}f}%"

    def points(self, value: float | None, digits: int = 1) -> str:
        """A difference in percentage points, with its sign."""
        if value is None or self._is_missing(value):
            return self.missing
        return text("format.points", self.locale, value=f"{value:+.{digits}f}")

    def value(self, value: float | None, unit: str) -> str:
        """A value of an indicator in its own unit (share, hours, days, count)."""
        if unit == "share":
            return self.percent(value)
        written = self.number(value, 0 if unit == "count" else 1)
        has_unit = unit in ("hours", "days") and written != self.missing
        return text(f"format.{unit}", self.locale, value=written) if has_unit else written

    def gap(self, value: float | None, unit: str) -> str:
        """A difference of two values of an indicator."""
        if unit == "share":
            return self.points(None if value is None else 100 * value)
        return self.value(value, unit)

    def day(self, value: date | datetime | None) -> str:
        """A calendar day."""
        if value is None:
            return self.missing
        return text("format.day", self.locale, year=value.year, month=value.month, day=value.day)

    def month(self, name: str) -> str:
        """A cycle ``YYYY-MM`` as people say it."""
        return text("format.month", self.locale, year=int(name[:4]), month=int(name[5:7]))

    def words(self, parts: list[str] | tuple[str, ...]) -> str:
        """An enumeration."""
        return text("format.comma", self.locale).join(parts)
