"""What the analysis pages say: nothing unsaid, nothing invented, figures of pictures and tables the same."""

import re
from dataclasses import replace
from datetime import datetime
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from support.analysed import NOTES
from support.delivered import DATA, FEW, KEEP, NAMES, RECTIFY, SCRIPT

from models.enums import DefeatVerdict
from models.messages import LOCALES, text
from reports.analysis_figures import Cohort, Counted, Kind, Month, ProfileValue, Reasons, ReasonShare, ScopeFigures
from reports.analysis_page import analysis_page
from reports.commentary import CommentaryFacts, Contrast, Share, commentary
from reports.figures import Comparison
from reports.html import links, render
from reports.needs_page import needs_page
from tasks.analysis_figures import AnalysisFigures
from tasks.analysis_pages import write_analyses
from tasks.figures import CycleFigures
from tasks.folders import folder_name

UPPER = ("nation", "region-R1", "region-R2", "series-二单", "scene-show", "scene-lost", "needs")


class _Pictures(HTMLParser):
    """The alternative texts of all pictures of a page, and what is wrong with it."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.pictures = [], [], 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "svg":
            self.pictures += 1
            assert attrs["role"] == "img"
            self.texts.append({})
        assert tag != "script"
        self.open.append(tag)

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("title", "desc") and "svg" in self.open:
            self.texts[-1][self.open[-1]] = data.strip()


def dealer_file(job, dealer, locale):
    return job.pages / "dealers" / folder_name(dealer) / f"analysis.{locale}.html"


def files(job, locale):
    yield from (job.pages / "analysis" / f"{stem}.{locale}.html" for stem in UPPER)
    yield from (dealer_file(job, dealer, locale) for dealer in NAMES)


def words(page):
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def read(path):
    return path.read_text("utf-8")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_picture_has_a_title_and_an_alternative_text(delivered, locale):
    seen = 0
    for path in files(delivered, locale):
        parser = _Pictures()
        parser.feed(re.sub(r"<(meta|link|br)[^>]*>", "", read(path)))
        assert all(one.get("title") and one.get("desc") for one in parser.texts), path.name
        seen += parser.pictures
    assert seen > 100


@pytest.mark.parametrize("locale", LOCALES)
def test_no_page_shows_a_missing_figure_as_something_else(delivered, locale):
    for path in files(delivered, locale):
        page = read(path)
        assert not re.search(r"\b(nan|NaN|None|inf|NaT)\b", words(page)), path.name
        assert not re.search(r"nan|None|inf", " ".join(re.findall(r' d="([^"]*)"', page))), path.name
        assert "{" not in words(page)


def test_both_languages_have_the_same_sections_pictures_and_tables(delivered):
    for chinese, english in zip(files(delivered, "zh_CN"), files(delivered, "en"), strict=True):
        pages = [read(path) for path in (chinese, english)]
        for part in (r'<section id="([^"]+)"', r"<path [^>]+>", r"<(?:t[rd]|th)\b"):
            assert re.findall(part, pages[0]) == re.findall(part, pages[1]), (english.name, part)


def test_english_pages_are_english(delivered):
    """Chinese is only what the data say: names of dealers, series, brands, sources, and notes of interviews."""
    told = set("杭州宏图店苏州立成店南京宝源店华东骋远二单竞品车展中文" + NOTES)
    for path in files(delivered, "en"):
        assert set(re.findall(r"[\u4e00-\u9fff]", words(read(path)))) <= told, path.name


def test_hostile_names_stay_words(delivered):
    page = read(dealer_file(delivered, RECTIFY, "en"))
    assert SCRIPT not in page
    assert SCRIPT in unescape(page)


def test_a_dealers_page_says_gap_parts_drivers_and_where_each_figure_is_from(delivered):
    page = words(read(dealer_file(delivered, RECTIFY, "en")))
    assert "200 leads closed, 37 won, close rate 18.5%" in page
    assert "mix of customers and series 90 % interval -2.0 to -1.0 -1.5 pts -3.0" in page
    assert "visit to test drive 90 % interval -1.0 to +2.0 +0.5 pts +1.0 may be chance" in page
    assert "gap to the network's close rate 90 % interval -9.0 to -3.0 -6.0 pts -12.0" in page
    assert "Reasons that surely cost more deals than elsewhere: follow-up too late or too rare." in page
    assert "clearly other than the usual 80.0%: check the declared reasons" in page
    assert "苏州立成店 2" in page  # bought at the sister dealer over the window
    assert "rule: docs/analysis.md" in page
    assert "20261031-0123456789ab" in page
    assert "Nationwide: Of 5 price defeats, 3 have this gap: no quote." in page


def test_what_a_dealer_has_no_figures_for_is_said(delivered):
    few = words(read(dealer_file(delivered, FEW, "en")))
    assert "No comparison: too few cases in the period." in few
    assert "There are no parts of a gap" in few
    assert "No defeat with a reason in 2026-08 to 2026-10." in few
    assert "Fewer than two months of data" in few
    data = words(read(dealer_file(delivered, DATA, "en")))
    assert "The data quality score is 41.5, under the limit for comparison" in data


def test_a_scene_of_lost_customers_has_no_close_rate(delivered):
    page = words(read(delivered.pages / "analysis" / "scene-lost.en.html"))
    assert "it has no close rate" in page
    assert "close rate of the month" not in page
    assert "competitor: <i>竞品</i>" in page


def test_a_region_leads_to_its_dealers_and_the_nation_to_all(delivered):
    nation = read(delivered.pages / "analysis" / "nation.en.html")
    for stem in ("region-R1", "region-R2", "scene-show", "scene-lost", "needs"):
        assert f'href="{stem}.en.html"' in nation
    region = read(delivered.pages / "analysis" / "region-R2.en.html")
    assert f'href="../dealers/{folder_name(KEEP)}/analysis.en.html"' in region
    assert f"dealers/{folder_name(RECTIFY)}/" not in region


def test_pages_of_scopes_that_went_are_removed(delivered):
    folder = delivered.pages / "analysis"
    old, before = folder / "scene-gone.en.html", {path: read(path) for path in folder.glob("*.html")}
    old.write_text("x", "utf-8")
    written = write_analyses(delivered, AnalysisFigures.of(CycleFigures(delivered)), list(NAMES))
    assert not old.exists()
    assert {path: read(path) for path in folder.glob("*.html")} == before
    assert written == len(before)


def figures(kind, **more):
    plain = {"scope_id": "X", "name": "X", "cycle": "2026-10", "as_of": datetime(2026, 10, 31), "version": "v",
             "months": ("2026-10",)}  # fmt: skip
    return ScopeFigures(kind=kind, **(plain | more))


def page_of(scope, locale):
    return render("analysis.html.j2", analysis_page(scope, locale), locale, links("x", locale))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", list(Kind))
def test_a_scope_without_anything_says_so_in_every_section(kind, locale):
    scope = figures(kind)
    page = analysis_page(scope, locale)
    assert all(section.missing for section in page.sections)
    assert not any(section.charts for section in page.sections)
    assert page_of(scope, locale)


@pytest.mark.parametrize("locale", LOCALES)
def test_one_month_one_reason_and_no_peers(locale):
    """One dealer, one month, one reason, no defeats, no revisits, no prices: shown as far as it goes."""
    close = Comparison("close_rate", 1, 2, 0.5, None, None, None, None, None, 1, False, "judge.missing.few_dealers")
    month = Month("2026-10", Counted(1, 2), Counted(0, 0), Counted(0, 0), 0.1, 0.9)
    reason = ReasonShare("product_power", 1, 0, 1, 1.0, None, 1.0, False, 1.0, 0.3, 1.0)
    missing = "analysis.reliability.missing.few_revisits"
    scope = figures(Kind.DEALER, leads=2, funnel=(close,), month=month, trend=(month,),
                    reasons=Reasons(1, 0, (reason,), missing, 10))  # fmt: skip
    page = {section.anchor: section for section in analysis_page(scope, locale).sections}
    assert page["funnel"].charts
    assert page["funnel"].missing
    assert page["reasons"].charts[0].rows[0].cells[0].text == "100.0%"
    assert "10" in page["reasons"].says[-1]
    assert page["trend"].missing
    assert not re.search(r"nan|None", words(page_of(scope, locale)))


def test_needs_name_only_what_is_sure():
    sure = ProfileValue("gender", "男", 60, 30, 0.5, 1.6, 1.2, 2.0, 0.01)
    rest = replace(sure, value="女", q_value=0.6, lift=0.9)
    untested = ProfileValue("purpose", "x", 2, 1, 0.5, 1.0, None, None, None, "analysis.profile.missing.few_cases")
    nation = figures(Kind.NATION, profile=(sure, rest, untested))
    page = needs_page(nation, [replace(nation, kind=Kind.SERIES, name="S1")], "en", [])
    assert page.findings == ("Buy more often: gender: 男.",)
    assert [row[:2] for row in page.sections[-1].tables[0].rows] == [("S1", "gender: 男")]
    assert page.sections[1].missing == "No value of this attribute can be tested: too few cases."
    empty = needs_page(figures(Kind.NATION), [], "zh_CN", [])
    assert empty.findings == ()


@pytest.mark.parametrize("locale", LOCALES)
def test_interviews_stand_beside_the_figures_of_their_scope_only(delivered, locale):
    for path in files(delivered, locale):
        shown = "八位客户中三位说<上坡没劲>。" in words(read(path))
        assert shown == (path.name.startswith("region-") or path.parent.parent.name == "dealers"), path.name


def test_cards_stand_on_the_dealer_s_page_or_it_says_that_there_are_none(delivered):
    told = words(read(dealer_file(delivered, RECTIFY, "en")))
    assert f"骋远A6 lost to {SCRIPT} for “power”: 2" in told
    assert all(word in told for word in ("Fact", "Concern", "View"))
    assert "no true defeat to a competitor for a reason that has a card" in words(
        read(dealer_file(delivered, FEW, "en"))
    )


def contrast(kind, points):
    return Contrast(
        kind, Share(20, 100), points, points - 2, points + 2, 0.01, other=Share(40, 100), reason="product_power"
    )


@pytest.mark.parametrize("locale", LOCALES)
def test_the_commentary_tells_what_changed_and_repeats_nothing(locale):
    facts = CommentaryFacts("2026-10", 3, "华东", Share(20, 100), (contrast("reason_peers", 5.0),),
                            {DefeatVerdict.TRUE: 5, DefeatVerdict.QUASI: 2}, Share(3, 500))  # fmt: skip
    quiet = analysis_page(figures(Kind.DEALER, commentary=facts), locale).changes
    assert quiet == (
        text("analysis_page.changes.none", locale),
        text("commentary.set_apart", locale, of="500", cases="3", rate="0.6%"),
    )
    moved = replace(facts, contrasts=(*facts.contrasts, contrast("close_rate_previous", -20.0)))
    told = analysis_page(figures(Kind.DEALER, commentary=moved), locale).changes
    assert len(told) == 2
    assert told[0] == next(one for one in commentary(moved, locale) if "40/100" in one)
    assert analysis_page(figures(Kind.DEALER), locale).changes == ()


def test_a_month_that_is_not_over_is_said(delivered):
    months = tuple(Cohort(name, 60, 0.1, 0.5, False, 0.2, 0.1, 0.3) for name in ("2026-09", "2026-10"))

    def said(as_of):
        page = analysis_page(replace(figures(Kind.DEALER, cohorts=months), as_of=as_of), "en")
        return next(part for part in page.sections if part.anchor == "cohorts").says

    assert said(datetime(2026, 10, 31)) == said(datetime(2026, 11, 5)) == ()
    assert said(datetime(2026, 10, 30, 12)) == (
        "The data end on 2026-10-30 and 2026-10 is not over: what closed in it is not counted yet, "
        "and its leads stand as open.",
    )


def test_the_nation_s_page_says_which_indicators_lack_data(delivered):
    line = "win-back 2 (lacking the second-contact list and its outcomes, the cost of winning back"
    assert line in words(read(delivered.pages / "analysis" / "nation.en.html"))
    assert not any(line in words(read(path)) for path in files(delivered, "en") if not path.name.startswith("nation"))


@pytest.mark.parametrize("locale", LOCALES)
def test_the_overview_leads_to_every_analysis_and_each_leads_back(delivered, locale):
    index = delivered.pages / f"index.{locale}.html"
    linked = {unquote(href) for href in re.findall(r'href="([^"#]+)"', read(index))}
    for stem in UPPER:
        assert f"analysis/{stem}.{locale}.html" in linked
        assert f'href="../{index.name}"' in read(delivered.pages / "analysis" / f"{stem}.{locale}.html")
    assert f"product.{locale}.html" in linked
    assert f'href="{index.name}"' in read(delivered.pages / f"product.{locale}.html")
    page = read(dealer_file(delivered, RECTIFY, locale))
    assert f'href="../../{index.name}"' in page
    assert f'href="../../analysis/region-R1.{locale}.html"' in page
