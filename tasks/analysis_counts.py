"""Counts for the analysis pages: months of a scope, its defeats by destination, brand, sister dealer and consultant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.catalogue.commentary import commentary_rules
from models.enums import DefeatVerdict, Destination
from reports.analysis_figures import Brand, Change, Counted, Defeats, Moments, Month
from reports.figures import Comparison
from tasks.compute.difference import difference, wilson
from tasks.compute.indicators import earlier_months

#: Month -> counts of ``tasks.compute.funnel_table``.
Funnel = Mapping[str, Mapping[str, int]]
#: Steps of the funnel by their indicator: who could take it, who did.
STEPS = {
    "lead_to_visit": ("leads", "visited"),
    "visit_to_test_drive": ("visited", "visited_driven"),
    "test_drive_to_order": ("driven", "driven_won"),
    "close_rate": ("leads", "won"),
}
MOST_SISTERS, MOST_PEOPLE, MOST_REASONS = 6, 12, 3


class Filing(NamedTuple):
    """A filed defeat: the columns of the result ``defeats`` that are counted; what is missing is the empty text."""

    lead_id: str
    dealer_id: str
    region_id: str
    series: str
    consultant_id: str
    filed_month: str
    verdict: str
    destination: str
    bought_dealer_id: str
    competitor_brand: str
    reason: str
    counted: bool
    last_filing: bool
    premature: bool


def known_months(nation: Funnel) -> list[str]:
    """The months the data cover: those in which the nation closed ``least_share`` of what it does in a usual month.

    The first months of an export hold early orders only: rates of them would be those of no month. The share is the
    commentary's, which leaves out the same months.
    """
    if not nation:
        return []
    least = commentary_rules().least_share
    usual = sorted(counts["leads"] for counts in nation.values())[len(nation) // 2]
    return sorted(month for month, counts in nation.items() if counts["leads"] >= usual * least)


def added(funnel: Funnel, months: Sequence[str], name: str) -> int:
    """A count over some months."""
    return sum(funnel[month][name] for month in months if month in funnel)


def year_before(months: Sequence[str]) -> list[str]:
    """The same months a year earlier."""
    return [earlier_months(month)[1] for month in months]


def rate_of(funnel: Funnel, months: Sequence[str], known: Sequence[str]) -> Counted:
    """Leads won of those closed over ``months``, nothing where one of them is before the data."""
    if not set(months) <= set(known):
        return Counted(0, 0)
    return Counted(added(funnel, months, "won"), added(funnel, months, "leads"))


def month_figures(funnel: Funnel, other: Funnel, month: str, known: Sequence[str]) -> Month:
    """A month of a scope and of what stands beside it."""
    own = rate_of(funnel, [month], known)
    interval = wilson(own.cases, own.of)
    before = rate_of(funnel, year_before([month]), known)
    beside = rate_of(other, [month], known)
    return Month(month, own, beside, before, *(interval or (None, None)))


def beside(funnel: Funnel, months: Sequence[str], other: Funnel, others: Sequence[str], least: int) -> list[Comparison]:
    """The steps of a scope against another: the difference of two independent samples; steps nobody recorded left out.

    A step after one that is not recorded is left out too: its customers are not known to come from the one before.
    """
    found = []
    for indicator, (could, did) in STEPS.items():
        n, x = added(funnel, months, could), added(funnel, months, did)
        base_n, base_x = added(other, others, could), added(other, others, did)
        if indicator != "close_rate" and not (x or base_x):
            continue
        gap = difference((1, x, n), (-1, base_x, base_n)) if n >= least and base_n >= least else None
        missing = "" if gap else "judge.missing.few_cases" if base_n else "analysis_page.nothing_beside"
        found.append(
            Comparison(
                indicator=indicator,
                numerator=x,
                denominator=n,
                value=x / n if n else None,
                expected=base_x / base_n if gap else None,
                gap_points=gap[0] if gap else None,
                lo90=gap[1] if gap else None,
                hi90=gap[2] if gap else None,
                q_value=None,
                peers=0,
                enough=gap is not None,
                missing=missing,
            )
        )
    return found


def without(whole: Funnel, part: Funnel) -> dict[str, dict[str, int]]:
    """The counts of all that are not in ``part``."""
    nothing: dict[str, int] = {}
    return {
        month: {name: count - part.get(month, nothing).get(name, 0) for name, count in counts.items()}
        for month, counts in whole.items()
    }


def change(funnel: Funnel, other: Funnel, months: Sequence[str], known: Sequence[str]) -> Change | None:
    """The close rate of ``months`` against a year before, here and beside; None where the data do not reach back."""
    now, then = rate_of(funnel, months, known), rate_of(funnel, year_before(months), known)
    own = difference((1, now.cases, now.of), (-1, then.cases, then.of))
    if own is None:
        return None
    there, before = rate_of(other, months, known), rate_of(other, year_before(months), known)
    market = difference((1, there.cases, there.of), (-1, before.cases, before.of))
    if market is None:
        return Change(own[0], None, None, own[1], own[2])
    samples = ((1, now), (-1, then), (-1, there), (1, before))
    beyond = difference(*((sign, one.cases, one.of) for sign, one in samples))
    return Change(own[0], market[0], *(beyond or (None, None, None)))


def defeat_figures(
    filings: Sequence[Filing],
    cycle: str,
    window: Sequence[str],
    known: Sequence[str],
    names: Mapping[str, str],
    rates: tuple[float | None, float | None],
) -> Defeats:
    """The defeats of a scope from its ``filings``; ``names``: of dealers; ``rates``: of defeat as filed and filtered.

    Verdicts count the filings of the cycle's month, one per lead, as the export ``defeats`` does; destinations and
    brands leads closed by their last filing, those out of the rates left out, as the export ``competitors``; purchases
    at sister dealers are those of the window.
    """
    filed = list({one.lead_id: one for one in filings if one.filed_month == cycle}.values())
    verdicts = Counter(one.verdict for one in filed)
    moments = (cycle, *earlier_months(cycle))
    lost = [one for one in filings if one.last_filing and one.counted]
    shown = [one for one in lost if one.filed_month in moments]
    months = set(window)
    sisters = Counter(
        one.bought_dealer_id
        for one in lost
        if one.destination == Destination.SAME_BRAND and one.bought_dealer_id and one.filed_month in months
    )
    return Defeats(
        filed=len(filed),
        verdicts={word: verdicts.get(word.value, 0) for word in DefeatVerdict},
        premature=sum(one.premature for one in filed),
        destinations=_destinations(shown, moments, known),
        brands=_brands(shown, moments, known),
        sisters=tuple((names.get(one, one), count) for one, count in _most(sisters, MOST_SISTERS)),
        people=_people(filed),
        filed_rate=rates[0],
        filtered_rate=rates[1],
    )


def _destinations(
    lost: Sequence[Filing], months: Sequence[str], known: Sequence[str]
) -> tuple[tuple[str, Moments], ...]:
    counts = Counter((one.destination, one.filed_month) for one in lost)
    found = [(word.value, _moments(counts, word.value, months, known)) for word in Destination]
    return tuple((name, one) for name, one in found if one.now or one.previous or one.last_year)


def _brands(shown: Sequence[Filing], months: Sequence[str], known: Sequence[str]) -> tuple[Brand, ...]:
    lost = [one for one in shown if one.destination == Destination.COMPETITOR]
    counts = Counter((one.competitor_brand, one.filed_month) for one in lost)
    reasons: dict[str, Counter[str]] = {}
    for one in lost:
        if one.filed_month == months[0] and one.reason:
            reasons.setdefault(one.competitor_brand, Counter())[one.reason] += 1
    found = [
        Brand(
            name,
            _moments(counts, name, months, known),
            tuple(code for code, _ in _most(reasons.get(name, Counter()), MOST_REASONS)),
        )
        for name in {brand for brand, _ in counts}
    ]
    return tuple(sorted(found, key=lambda one: (-one.defeats.now, -(one.defeats.previous or 0), one.name)))


def _moments(counts: Mapping[tuple[str, str], int], name: str, months: Sequence[str], known: Sequence[str]) -> Moments:
    """This month's count, and the earlier ones where the data reach back to them."""
    now, *before = months
    previous, last_year = (counts.get((name, month), 0) if month in known else None for month in before)
    return Moments(counts.get((name, now), 0), previous, last_year)


def _people(filed: Sequence[Filing]) -> tuple[tuple[str, int, int, int, int], ...]:
    """Per consultant the filings and what the filter said, those with most to call again first."""
    told: dict[str, Counter[str]] = {}
    for one in filed:
        if one.consultant_id:
            told.setdefault(one.consultant_id, Counter())[one.verdict] += 1
    rows = [(name, found.total(), found["true"], found["quasi"], found["false"]) for name, found in told.items()]
    return tuple(sorted(rows, key=lambda row: (-(row[3] + row[4]), -row[1], row[0]))[:MOST_PEOPLE])


def _most(counts: Counter[str], at_most: int) -> list[tuple[str, int]]:
    """The most frequent first, then by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:at_most]
