"""Quality page and Data Docs as they were looked at, from facts made by hand; see ``test_golden_pages``."""

import pytest
from support.looked_at import assert_as_looked_at
from support.quality_pages import DEALER, NATION, REGION

from reports.html import Links, links, render
from reports.quality_docs import docs_page
from reports.quality_page import quality_page


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_the_quality_page_is_as_it_was_looked_at(locale):
    page = render("quality.html.j2", quality_page(DEALER, locale), locale, links("quality", locale))
    assert_as_looked_at(page, f"quality.{locale}.html")


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
@pytest.mark.parametrize(("name", "facts"), [("docs_nation", NATION), ("docs_region", REGION)])
def test_data_docs_are_as_they_were_looked_at(name, facts, locale):
    page = render("quality_docs.html.j2", docs_page(facts, locale), locale, Links(()))
    assert_as_looked_at(page, f"{name}.{locale}.html")
