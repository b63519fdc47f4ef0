"""The pages of the manual that follow from code are current."""

import os
import subprocess
import sys

import pytest

from flows.manual import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name):
    code = f"from flows.manual import PAGES; print(PAGES[{name!r}](), end='')"
    env = {**os.environ, "REMATCH_LOCALE": "en", "PYTHONIOENCODING": "utf-8"}
    written = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert (DOCS / name).read_text("utf-8") == written, "run: python -m flows.manual"
