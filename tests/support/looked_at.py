"""Comparing a page with the one that was looked at and found good."""

import os
import re
from pathlib import Path

PAGES = Path(__file__).parents[1] / "golden" / "pages"


def assert_as_looked_at(page, name):
    """``page`` without its style sheets is the golden file ``name``; ``REMATCH_REGENERATE=1`` writes it anew."""
    page = re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.DOTALL)
    page = "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"
    golden = PAGES / name
    if os.environ.get("REMATCH_REGENERATE") == "1":
        golden.write_text(page, "utf-8")
    assert golden.is_file(), "no golden page yet: run with REMATCH_REGENERATE=1 and look at it"
    assert page == golden.read_text("utf-8"), (
        f"{name} differs; if the change is meant: REMATCH_REGENERATE=1 pytest tests/golden, and look at it"
    )
