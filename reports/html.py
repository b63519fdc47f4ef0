"""HTML pages from contexts: one environment, everything escaped, every name in a template must exist."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.messages import text
from reports.formats import Formatter

TEMPLATES = Path(__file__).parent / "templates"


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


def render(template: str, page: Any, locale: str) -> str:
    """The page ``template`` (a file in ``templates/``) for the context ``page``, in ``locale``."""
    return _environment(locale).get_template(template).render(page=page)
