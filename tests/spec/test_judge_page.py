"""docs/judge.md does what it says: its commands run on the example it names and give what it shows."""

import re
import runpy
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.cli import run_command_line

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "judge.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for _, block in BLOCKS for line in block.splitlines() if line.startswith("rematch ")]
HELPED = ["D06", "D10", "D21", "D24", "D29"]  # as examples/judge/make.py draws them


@pytest.fixture
def place(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "judge", tmp_path / "examples" / "judge")
    for file in (ROOT / "examples" / "judge").glob("*.csv"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REMATCH_LOCALE", "en")
    return tmp_path


def test_every_command_of_the_page_runs(place, capsys):
    assert len(COMMANDS) == 2
    for command in COMMANDS:
        shutil.rmtree(place / "judged", ignore_errors=True)
        assert run_command_line(shlex.split(command)[1:]) == 0, capsys.readouterr().err
        assert {file.name for file in (place / "judged").iterdir()} == {"verdicts.csv", "ranking.csv", "drivers.csv"}


def test_the_example_gives_what_the_page_shows(place, capsys):
    run_command_line(shlex.split(COMMANDS[-1])[1:])
    printed = capsys.readouterr().out
    written = (place / "judged" / "verdicts.csv").read_text("utf-8").splitlines()
    shown = {kind: block.strip().splitlines() for kind, block in BLOCKS if kind in ("csv", "text")}
    assert set(shown["csv"]) <= set(written)
    assert all(line in printed for line in shown["text"])
    verdicts = pd.read_csv(place / "judged" / "verdicts.csv")
    effective = verdicts[verdicts["verdict"] == "effective"]
    assert sorted(effective["dealer_id"].unique()) == HELPED
    assert len(effective) == 2 * len(HELPED)


def test_the_example_is_what_its_maker_draws(place):
    before = {file.name: file.read_bytes() for file in (place / "examples" / "judge").glob("*.csv")}
    script = place / "examples" / "judge" / "make.py"
    runpy.run_path(str(script), run_name="__main__")
    assert {file.name: file.read_bytes() for file in script.parent.glob("*.csv")} == before
