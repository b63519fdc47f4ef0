"""The delivered pages in a real browser: nothing overflows, nothing complains, every link leads somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from support.delivered import FAILS, FORMULA, KEEP, RECTIFY, SCRIPT

from tasks.delivering import folder_name

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (390, 1280)
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"NO CHROMIUM at {CHROMIUM}: pages are not looked at. Install it: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    """Opens a page at a width; fails at the end when anything reached the console."""
    complaints, page = [], browser.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))

    def go(path, width=1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(path.as_uri())
        return page

    yield go
    page.close()
    assert not complaints


def all_pages(job):
    return sorted(job.pages.rglob("*.html"))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_screen(delivered, visit, width):
    for path in all_pages(delivered):
        page = visit(path, width)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        cut = """[...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll, .hidden, svg'))
                 .filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML)"""
        assert page.evaluate(cut) == [], path.name


def test_every_link_leads_to_a_file_or_a_part_of_the_page(delivered, visit):
    for path in all_pages(delivered):
        page = visit(path)
        addresses = page.evaluate("[...document.querySelectorAll('a')].map(one => one.href)")
        assert addresses
        for address in addresses:
            target = urlparse(address)
            assert target.scheme == "file"
            assert Path(unquote(target.path)).is_file(), address
            if target.fragment:
                assert page.locator(f"[id='{target.fragment}']").count() == 1


def test_the_overview_leads_to_every_dealer_in_its_language_and_back(delivered, visit):
    for locale, other in (("zh_CN", "en"), ("en", "zh_CN")):
        page = visit(delivered.pages / f"index.{locale}.html")
        dealers = page.locator("td a[href^='dealers/']").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert {Path(unquote(link)).name for link in dealers} == {f"plan.{locale}.html"}
        assert len({Path(unquote(link)).parent for link in dealers}) == 6
        page.locator(f"a[href$='{folder_name(RECTIFY)}/plan.{locale}.html']").first.click()
        assert SCRIPT in page.locator("h1").inner_text()
        page.locator("nav a[hreflang]").click()
        assert page.url.endswith(f"/plan.{other}.html")
        page.locator("nav a").first.click()
        assert page.url.endswith(f"/index.{other}.html")


def test_keep_dealers_are_folded_and_failures_stand_on_top(delivered, visit):
    page = visit(delivered.pages / "index.en.html")
    kept = page.locator("details td a", has_text="苏州立成店")
    assert not kept.is_visible()
    page.get_by_text("The other 4 dealers").click()
    assert kept.is_visible()
    failed, headline = page.locator(".failed"), page.locator(".lead").first
    assert FAILS in failed.inner_text()
    assert failed.bounding_box()["y"] < headline.bounding_box()["y"]


def test_hostile_names_are_shown_as_they_are_written(delivered, visit):
    page = visit(delivered.pages / "index.zh_CN.html")
    assert page.locator("main script").count() == 0
    assert SCRIPT in page.locator("main").inner_text()
    page = visit(delivered.pages / "dealers" / folder_name(FORMULA) / "plan.zh_CN.html")
    assert FORMULA in page.locator("main").inner_text()


def test_charts_say_in_words_what_they_show(delivered, visit):
    page = visit(delivered.pages / "dealers" / folder_name(KEEP) / "plan.en.html")
    charts = page.locator("svg")
    assert charts.count() >= 5
    for number in range(charts.count()):
        assert charts.nth(number).locator("title").inner_html()
        assert "%" in charts.nth(number).locator("desc").inner_html()


def test_a_page_prints_on_a4_with_nothing_folded_away(delivered, visit):
    page = visit(delivered.pages / "dealers" / folder_name(RECTIFY) / "plan.zh_CN.html", 794)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert not page.locator("nav").is_visible()
    assert page.locator(".ids").first.bounding_box()["height"] > 0
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
