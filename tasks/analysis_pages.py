"""The analysis pages of a cycle: nation, regions, series, scenes and customers' needs, and a dealer's own page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from models.messages import LOCALES, text
from reports.analysis_figures import Counted, Kind, ScopeFigures
from reports.analysis_page import Leaf, analysis_page
from reports.html import Links, links, page_name, render
from reports.needs_page import needs_page
from tasks.analysis_counts import added
from tasks.analysis_figures import AnalysisFigures
from tasks.folders import folder_name
from tasks.job import Job
from tasks.results import write_text

STEM, FOLDER, TEMPLATE = "analysis", "analysis", "analysis.html.j2"
NATION, NEEDS = "nation", "needs"
#: Name of a page's message, address.
Around = list[tuple[str, str]]


def dealer_page(figures: ScopeFigures, locale: str, around: Mapping[str, str]) -> bytes:
    """A dealer's analysis in ``locale``; ``around``: addresses of the pages beside it, by the name of their message."""
    beside = [(_name(name, locale), address) for name, address in around.items() if address]
    return render(TEMPLATE, analysis_page(figures, locale, beside), locale, links(STEM, locale)).encode("utf-8")


def write_analyses(job: Job, analysis: AnalysisFigures, dealers: Sequence[str]) -> int:
    """All pages above the dealers; ``dealers``: those that have a page of their own. Answers how many were written.

    Pages of scopes that are no longer there (a scene taken away, the run of another version) are removed.
    """
    folder = job.pages / FOLDER
    nation, series = analysis.nation(), [analysis.one_series(one) for one in analysis.series]
    regions = [analysis.region(one) for one in analysis.regions]
    scenes = [(scene, analysis.scene(scene)) for scene in analysis.tables.scenes]
    made: set[Path] = set()
    for locale in LOCALES:
        named = [replace(figures, name=scene.names[locale]) for scene, figures in scenes]
        below = {Kind.REGION: regions, Kind.SERIES: series, Kind.SCENE: named}
        for stem, content in _pages(analysis, nation, below, set(dealers), locale):
            path = folder / page_name(stem, locale)
            write_text(path, content)
            made.add(path)
    for path in set(folder.glob("*.html")) - made:
        path.unlink()
    return len(made)


def overview_links(analysis: AnalysisFigures, locale: str) -> Links:
    """The links of the overview to the analyses: nation, customers' needs, every region, series and scene."""
    names = {
        Kind.REGION: [(one, analysis.region_name(one)) for one in analysis.regions],
        Kind.SERIES: [(one, one) for one in analysis.series],
        Kind.SCENE: [(scene.code, scene.names[locale]) for scene in analysis.tables.scenes],
    }
    further = tuple(
        (
            text(f"analysis_page.index.{kind}", locale),
            tuple((name, f"{FOLDER}/{quote(page_name(_named(kind, code), locale))}") for code, name in listed),
        )
        for kind, listed in names.items()
        if listed
    )
    nation, needs = (f"{FOLDER}/{page_name(stem, locale)}" for stem in (NATION, NEEDS))
    return links("index", locale, further, analysis=nation, needs=needs)


def region_link(region_id: str, locale: str) -> str:
    """The address of a region's analysis, from the cycle's folder of pages."""
    return quote(f"{FOLDER}/{page_name(_named(Kind.REGION, region_id), locale)}")


def _pages(
    analysis: AnalysisFigures,
    nation: ScopeFigures,
    below: Mapping[Kind, Sequence[ScopeFigures]],
    dealers: set[str],
    locale: str,
) -> Iterator[tuple[str, str]]:
    """Every page above the dealers in ``locale``: its stem and its content."""
    overview = (_name("overview", locale), f"../{page_name('index', locale)}")
    up = (_name("nation", locale), page_name(NATION, locale))
    needs = (_name("needs", locale), page_name(NEEDS, locale))
    further = [(kind.value, [_leaf(analysis, one, locale) for one in listed]) for kind, listed in below.items()]
    yield NATION, _rendered(NATION, nation, locale, [overview, needs], further)
    for one in chain.from_iterable(below.values()):
        mine = _dealers(analysis, one, dealers, locale) if one.kind is Kind.REGION else []
        stem = _stem(one)
        yield stem, _rendered(stem, one, locale, [overview, up], [("dealer", mine)])
    page = needs_page(nation, below[Kind.SERIES], locale, [overview, up])
    yield NEEDS, render(TEMPLATE, page, locale, links(NEEDS, locale))


def _rendered(
    stem: str, figures: ScopeFigures, locale: str, around: Around, further: Sequence[tuple[str, Sequence[Leaf]]]
) -> str:
    page = analysis_page(figures, locale, around, further)
    return render(TEMPLATE, page, locale, links(stem, locale))


def _leaf(analysis: AnalysisFigures, figures: ScopeFigures, locale: str) -> Leaf:
    close = _close(analysis, figures.kind, figures.scope_id, figures.months)
    return Leaf(figures.name, quote(page_name(_stem(figures), locale)), close, rated=not figures.lost_only)


def _close(analysis: AnalysisFigures, kind: Kind, scope_id: str, months: Sequence[str]) -> Counted:
    """Leads won of those closed over ``months``."""
    funnel = analysis.tables.funnel(kind, scope_id)
    return Counted(added(funnel, months, "won"), added(funnel, months, "leads"))


def _dealers(analysis: AnalysisFigures, region: ScopeFigures, dealers: set[str], locale: str) -> list[Leaf]:
    """The dealers of a region that have a page, by name."""
    rows = analysis.cycle.dealers
    mine = rows[(rows["region_id"] == region.scope_id) & rows["dealer_id"].isin(dealers)]
    return [
        Leaf(
            str(row["name"]),
            quote(f"../dealers/{folder_name(str(row['dealer_id']))}/{page_name(STEM, locale)}"),
            _close(analysis, Kind.DEALER, str(row["dealer_id"]), region.months),
        )
        for row in mine.sort_index().to_dict("records")
    ]


def _stem(figures: ScopeFigures) -> str:
    return _named(figures.kind, figures.scope_id)


def _named(kind: Kind, scope_id: str) -> str:
    return f"{kind}-{folder_name(scope_id)}"


def _name(key: str, locale: str) -> str:
    return text(f"analysis_page.nav.{key}", locale)
