"""HTML pages from contexts: one environment, everything escaped, every name in a template must exist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.messages import LOCALES, text
from reports.formats import Formatter

TEMPLATES = Path(__file__).parent / "templates"
#: How each language is called in itself, with its tag of the web.
LANGUAGES = {"zh_CN": ("zh-CN", "中文"), "en": ("en", "English")}
#: Groups of pages further down: the group's title, name and address of each page.
Further = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Links:
    """Where a page leads: itself in the other languages, and what stands around it, empty where it is not there."""

    languages: tuple[tuple[tuple[str, str], str], ...]  # (tag, name), address
    overview: str = ""
    workbook: str = ""
    quality: str = ""
    analysis: str = ""
    product: str = ""
    needs: str = ""
    further: Further = ()


def page_name(stem: str, locale: str) -> str:
    """The file of a page in a language."""
    return f"{stem}.{locale}.html"


def links(stem: str, locale: str, further: Further = (), **around: str) -> Links:
    """The links of page ``stem`` in ``locale``; ``around``: overview, workbook, quality, analysis, product, needs."""
    others = [other for other in LOCALES if other != locale]
    return Links(tuple((LANGUAGES[other], page_name(stem, other)) for other in others), further=further, **around)


@cache
def _environment(locale: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # select_autoescape() would leave out .html.j2
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(t=partial(text, locale=locale), f=Formatter(locale), locale=locale)
    return environment


def render(template: str, page: Any, locale: str, links: Links) -> str:
    """The page ``template`` (a file in ``templates/``) for the context ``page``, in ``locale``."""
    return _environment(locale).get_template(template).render(page=page, links=links)
