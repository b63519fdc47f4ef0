"""The geometry of charts is that of their figures, and every picture says in words what it shows."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.analysis_figures import (
    Age,
    Cohort,
    Counted,
    DealerPoint,
    FunnelPlot,
    Moments,
    Month,
    Part,
    ProfileValue,
    ReasonShare,
)
from reports.analysis_words import AnalysisWords
from reports.charts.cohorts import cohorts, maturity
from reports.charts.flows import SLOT, flows
from reports.charts.plots import funnel_plot, trend
from reports.charts.rows import drivers, funnel, lifts, reason_ranking, shares, waterfall
from reports.charts.shapes import Scale, round_steps
from reports.figures import Comparison

LOCALES = ("zh_CN", "en")
EVERY = settings(deadline=None)  # the first chart reads the message catalogues
EN = AnalysisWords("en")
points = st.floats(-30, 30, allow_nan=False).filter(lambda value: abs(value) > 0.01)


def span(mark):
    """From where to where a bar reaches, as drawn."""
    left, right = re.fullmatch(r"M(-?[\d.]+),[\d.]+H(-?[\d.]+)V.*Z", mark.path).groups()
    return float(left), float(right)


def bars(row, kind="bar"):
    return [mark for mark in row.marks if mark.kind.split()[0] == kind]


def place(mark):
    x, y = re.fullmatch(r"M(-?[\d.]+),(-?[\d.]+)h0", mark.path).groups()
    return float(x), float(y)


def part(kind, value, code="", half=None, chance=None):
    low, high = (None, None) if half is None else (value - half, value + half)
    return Part(kind, code, value, 2 * value, low, high, chance)


@EVERY
@given(st.lists(points, min_size=1, max_size=6))
def test_the_bars_of_a_waterfall_add_up_to_the_gap(values):
    chart = waterfall([*(part("mix", value) for value in values), part("gap", sum(values))], EN)
    drawn = [span(bars(row)[0]) for row in chart.rows]
    zero = float(re.match(r"M(-?[\d.]+)", chart.rows[0].marks[0].path).group(1))
    at = [zero]  # where the bars begin and end, in the direction of their figures
    for (left, right), value in zip(drawn[:-1], values, strict=True):
        start, end = (left, right) if value > 0 else (right, left)
        assert start == pytest.approx(at[-1], abs=0.02)
        at.append(end)
    whole = drawn[-1][0] + drawn[-1][1] - zero  # the last bar reaches from zero to the gap
    assert at[-1] == pytest.approx(whole, abs=0.02)
    lengths = [abs(b - a) for a, b in pairwise(at)]
    ratio = sum(lengths) / sum(abs(value) for value in values)
    assert lengths == pytest.approx([ratio * abs(value) for value in values], abs=0.03)


@EVERY
@given(st.lists(points, min_size=1, max_size=5), st.floats(0, 20))
def test_everything_drawn_stays_inside_its_picture(values, half):
    some = [part("reason", value, "product_power", half, chance=abs(value) <= half) for value in values]
    for chart in (drivers(some, EN), waterfall([*some, part("gap", sum(values), "", half)], EN)):
        for row in chart.rows:
            for mark in row.marks:
                numbers = [float(x) for x in re.findall(r"[MLH](-?[\d.]+)", mark.path)]
                assert all(-0.01 <= x <= 100.01 for x in numbers), (mark, values)


def test_parts_say_how_sure_they_are_by_form_and_in_words():
    some = [part("reason", -3, "product_power", 1, False), part("reason", -1, "product_power", 2, True),
            part("reason", 2, "product_power", 1, False), part("reason", 1, "product_power")]  # fmt: skip
    chart = drivers(some, EN)
    assert [bars(row)[0].kind for row in chart.rows] == ["bar costs", "bar chance", "bar gains", "bar unjudged"]
    assert [row.cells[-1].text for row in chart.rows] == ["costs deals", "may be chance", "wins deals", "not judged"]
    assert [row.cells[0].text for row in chart.rows] == ["-3.0 pts", "-1.0 pts", "+2.0 pts", "+1.0 pts"]


def step(indicator, did, could, expected, enough=True):
    value = did / could if could else None
    gap = 100 * (value - expected) if enough else None
    return Comparison(indicator, did, could, value, expected if enough else None, gap, gap and gap - 1, gap and gap + 1,
                      None, 5, enough, "" if enough else "judge.missing.few_cases")  # fmt: skip


def test_the_funnel_draws_counts_as_shares_of_all_leads_and_peers_on_the_same_leads():
    steps = [step("lead_to_visit", 120, 200, 0.5), step("visit_to_test_drive", 60, 120, 0.4),
             step("close_rate", 30, 200, 0.2)]  # fmt: skip
    chart = funnel(200, steps, "peers", EN)
    assert [span(bars(row)[0])[1] for row in chart.rows] == [100, 60, 30, 15]
    assert [span(bars(row)[1])[1] for row in chart.rows[1:]] == [50, 20, 20]  # 0.5; 0.5 x 0.4; of all leads
    assert [row.cells[0].text for row in chart.rows] == ["200", "120", "60", "30"]
    assert bars(chart.rows[3])[0].kind == "bar costs"  # clearly worse
    few = funnel(4, [step("close_rate", 1, 4, 0.2, enough=False)], "peers", EN)
    assert len(bars(few.rows[1])) == 1, "nothing is drawn for peers that were not compared"
    assert few.rows[1].cells[3].text == "too few cases in the period"


@EVERY
@given(st.lists(st.integers(0, 500), min_size=1, max_size=9).filter(any))
def test_the_bands_of_a_flow_add_up_and_never_overlap_at_their_ends(counts):
    ends = [(f"brand {number}", Moments(count, None, count)) for number, count in enumerate(counts)]
    chart = flows(ends, "title", EN)
    blocks = [mark for mark in chart.marks if mark.kind == "block"]
    heights = [[float(y) for y in re.findall(r"[,V]([\d.]+)", mark.path)][:2] for mark in blocks]
    whole, parts = heights[0], heights[1:]
    assert sum(bottom - top for top, bottom in parts) == pytest.approx(whole[1] - whole[0], abs=0.01 * (len(parts) + 1))
    assert all(later[0] >= earlier[1] for earlier, later in pairwise(parts))
    assert chart.height == SLOT * len(counts)
    assert whole[0] >= 0
    assert whole[1] <= chart.height
    assert [end.cells[0] for end in chart.ends] == [f"{count:,}" for count in counts]
    assert all(end.cells[2] == "not available" for end in chart.ends), "a month before the data is no zero"


@EVERY
@given(st.lists(st.tuples(st.integers(1, 5000), st.floats(-6, 6)), min_size=2, max_size=30), st.floats(0, 0.3))
def test_a_dealer_is_drawn_outside_the_limits_if_and_only_if_it_was_judged_outside(dealers, between):
    some = tuple(
        DealerPoint(str(number), str(number), cases, 0.2, 0.2, z, outside=abs(z) > 1.96)
        for number, (cases, z) in enumerate(dealers)
    )
    plot = FunnelPlot(0.2, between, some)
    for point in some:
        reach = plot.limit * plot.sd(point.cases)
        assert (abs(plot.place(point) - plot.rate) > reach) == point.outside or abs(abs(point.z) - 1.96) < 1e-9
    chart = funnel_plot(plot, "dealers", EN)
    dots = [mark for mark in chart.marks if mark.kind.startswith("dot")]
    assert sorted(mark.kind for mark in dots) == sorted(
        "dot outside" if point.outside else "dot inside-dot" for point in some
    )
    assert sorted(row[1] for row in chart.rows) == sorted(f"{cases:,}" for cases, _ in dealers)
    assert all(0 <= place(mark)[0] <= 100 for mark in dots)


def test_limits_widen_where_cases_are_few_and_never_close_between_dealers_that_truly_differ():
    plot = FunnelPlot(0.2, 0.05, ())
    assert plot.sd(10) > plot.sd(100) > plot.sd(10**9) == pytest.approx((0.05 * 0.16**2) ** 0.5)


def month(name, won, of, before=0):
    return Month(name, Counted(won, of), Counted(2 * won, 2 * of), Counted(before, of if before else 0))


def test_a_trend_breaks_where_a_month_has_no_figures():
    months = [month("2026-01", 10, 50), month("2026-02", 0, 0), month("2026-03", 20, 50, 5), month("2026-04", 25, 50)]
    chart = trend(months, "own", "others", EN)
    own = [mark for mark in chart.marks if mark.kind.split()[0] == "own"]
    assert [mark.kind for mark in own] == ["own dot", "own"], "a month alone is a dot, not a line through nothing"
    heights = [float(y) for y in re.findall(r",([\d.]+)", own[1].path)]
    top = 0.5 * 1.1
    assert heights == pytest.approx([100 - 100 * 0.4 / top, 100 - 100 * 0.5 / top], abs=0.01)
    assert [row[2] for row in chart.rows] == ["20.0%", "not available", "40.0%", "50.0%"]
    assert [row[1] for row in chart.rows] == ["10 of 50", "0 of 0", "20 of 50", "25 of 50"]


def test_maturity_tells_what_is_still_moving_from_what_is_settled():
    ages = [Age(1, 0.1, False, 200), Age(2, 0.18, False, 150), Age(3, 0.19, True, 20), Age(4, 0.2, True, 5)]
    chart = maturity(ages, EN)
    drawn = {mark.kind: [float(x) for x in re.findall(r"[ML]([\d.]+)", mark.path)] for mark in chart.marks[-2:]}
    assert drawn == {"last": [25, 50, 75], "own": [75, 100]}, "the two lines meet"
    assert [row[-1] for row in chart.rows] == ["still moving", "still moving", "mature", "mature"]
    assert chart.says == "19.0% of leads are won by month 3."
    assert "No cohort" in maturity([Age(1, None, False)], EN).says


def test_recent_cohorts_are_dashed_with_their_interval_and_never_drawn_as_settled():
    plain = {"leads": 50, "share": 0.1}
    found = [Cohort(f"2026-0{n}", **plain, completeness=1.0, mature=True, projected=0.2, lo90=0.2, hi90=0.2)
             for n in (1, 2)]  # fmt: skip
    found += [Cohort(f"2026-0{n}", **plain, completeness=0.4, mature=False, projected=0.2, lo90=0.15, hi90=0.3)
              for n in (3, 4)]  # fmt: skip
    chart = cohorts(found, EN)
    at: dict[str, list[float]] = {}
    for mark in chart.marks:
        at.setdefault(mark.kind, []).extend(float(x) for x in re.findall(r"[ML]([\d.]+)", mark.path))
    assert at["own"] == pytest.approx([0, 33.33])
    assert at["last"] == pytest.approx([33.33, 66.67, 100])
    assert sorted(set(at["interval"])) == pytest.approx([66.67, 100])
    assert len(at["peer"]) == 4
    assert chart.rows[-1] == ("2026-04", "50", "10.0%", "40%", "20.0%", "15.0% to 30.0%", "still moving")


def test_a_lift_beyond_the_edge_is_drawn_to_it_and_written_in_full():
    chart = lifts([ProfileValue("gender", "x", 50, 40, 0.8, 5.0, 4.0, 7.5, 0.01)], "t", EN)
    assert max(span(bars(chart.rows[0])[0])) <= 100
    assert chart.rows[0].cells[1].text == "5.00"


def test_shares_are_as_long_as_their_share():
    chart = shares([("a", 30), ("b", 10)], "t", "h", EN)
    assert [span(bars(row)[0])[1] for row in chart.rows] == [75, 25]
    assert shares([("a", 0)], "t", "h", EN).rows[0].cells[0].text == "0.0%"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_chart_says_in_words_what_it_shows(locale):
    words = AnalysisWords(locale)
    reason = ReasonShare("product_power", 5, 2, 4, 0.5, 0.6, 0.4, True, 0.45, 0.3, 0.6)
    rows = (
        waterfall([part("mix", -1), part("gap", -1)], words),
        drivers([part("reason", -1, "product_power", 2, True)], words),
        funnel(10, [step("close_rate", 3, 10, 0.2)], "beside", words),
        reason_ranking([reason], words),
        shares([("a", 1)], "t", "h", words),
        lifts([ProfileValue("gender", "x", 5, 2, 0.4, 1.1, 0.9, 1.3, 0.5)], "t", words),
    )
    for chart in rows:
        assert chart.title
        assert all(row.says and row.label and row.marks for row in chart.rows)
        assert all(len(row.cells) == len(chart.head) for row in chart.rows)
    points = (DealerPoint("a", "a", 10, 0.2, 0.2, 0.0, outside=False),)
    plots = (
        trend([month("2026-01", 1, 5), month("2026-02", 2, 5)], "own", "other", words),
        funnel_plot(FunnelPlot(0.2, 0.0, points), "dealers", words),
        maturity([Age(1, 0.5, True, 5)], words),
    )
    for chart in plots:
        assert chart.title
        assert chart.says
        assert chart.x_name
        assert chart.y_name
        assert all(len(row) == len(chart.head) for row in chart.rows)
    assert flows([("a", Moments(1, 2, 3))], "t", words).says


@EVERY
@given(st.floats(0.001, 1e7))
def test_ticks_are_round_few_and_on_the_axis(high):
    ticks = round_steps(high)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 11
    assert ticks[-1] <= high * 1.000001


@EVERY
@given(st.lists(st.floats(-1e3, 1e3), min_size=1))
def test_a_scale_covers_all_it_shows(values):
    scale = Scale.over(values)
    assert all(-1e-6 <= scale.at(value) <= 100 + 1e-6 for value in [0.0, *values])
