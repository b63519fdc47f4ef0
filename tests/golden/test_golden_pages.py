"""Pages as they were looked at and found good; a change shows as a difference of text.

``REMATCH_REGENERATE=1 pytest tests/golden`` writes them anew: look at the difference, and at the
pages, before committing. The style sheet is left out, the version of the network's results is fixed.
"""

import os
import re
from pathlib import Path

import pytest
from support.delivered import COACHING, DATA, FEW, KEEP, RECTIFY, UNDER_WAY

from tasks.delivering import folder_name

PAGES = Path(__file__).parent / "pages"


def _of(dealer, stem):
    return f"dealers/{folder_name(dealer)}/{stem}"


SHOWN = {
    "overview": "index",
    "product": "product",
    "rectify": _of(RECTIFY, "plan"),
    "under_way": _of(UNDER_WAY, "plan"),
    "data": _of(DATA, "plan"),
    "keep": _of(KEEP, "plan"),
    "coaching": _of(COACHING, "plan"),
    "analysis_nation": "analysis/nation",
    "analysis_region": "analysis/region-R1",
    "analysis_dealer": _of(RECTIFY, "analysis"),
    "analysis_dealer_few": _of(FEW, "analysis"),
    "analysis_series_few": "analysis/series-二单",
    "analysis_scene": "analysis/scene-show",
    "analysis_scene_lost": "analysis/scene-lost",
    "analysis_needs": "analysis/needs",
}


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
@pytest.mark.parametrize("name", SHOWN)
def test_pages_are_as_they_were_looked_at(delivered, name, locale):
    page = (delivered.pages / f"{SHOWN[name]}.{locale}.html").read_text("utf-8")
    page = re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.DOTALL)
    page = "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"
    golden = PAGES / f"{name}.{locale}.html"
    if os.environ.get("REMATCH_REGENERATE") == "1":
        golden.write_text(page, "utf-8")
    assert golden.is_file(), "no golden page yet: run with REMATCH_REGENERATE=1 and look at it"
    assert page == golden.read_text("utf-8"), (
        f"{golden.name} differs; if the change is meant: REMATCH_REGENERATE=1 pytest tests/golden, and look at it"
    )
