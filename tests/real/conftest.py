"""Each public set is taken once through the real command, as a user would, in a process of its own."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.workspace import Workspace

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("REMATCH_REAL_DATA", ROOT.parent / "shared" / "data"))
#: Folder, cycles, and until when events count (one lead of edtech was lost on the day after the others).
SETS = {
    "edtech_leads": ("edtech_leads", "2022-01..2022-03", "2022-03-31"),
    "maven_crm": ("maven_crm", "2017-03..2017-12", ""),
    "huashu2021_ev": ("huashu2021_ev_customers", "", ""),
}


def real(folder):
    """The folder of a set; the test is skipped, loudly, where it is absent."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"REAL DATA ABSENT: {DATA / folder} is NOT verified. Set REMATCH_REAL_DATA")
    return DATA / folder


@pytest.fixture(scope="session")
def ran(tmp_path_factory, run_command):
    """``ran(name)`` answers the workspace of a set and what was printed; run once, whichever process asks."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def run(name):
        folder, cycles, as_of = SETS[name]
        source = real(folder)
        home, printed = shared / f"real-{name}", shared / f"real-{name}.txt"
        with (shared / f"real-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not printed.is_file():
                mapping = ROOT / "examples" / "sources" / f"{name}.toml"
                arguments = ["run", "--source", source, "--mapping", mapping, "--home", home]
                process = run_command(*arguments, "--cycle", cycles, "--as-of", as_of)
                assert process.returncode == 0, process.stdout + process.stderr
                assert process.stderr == "", "no warning, no line that is not ours"
                printed.write_text(process.stdout, "utf-8")
        return Workspace.open(home), printed.read_text("utf-8")

    return run


@pytest.fixture(scope="session")
def run_command():
    def run(*arguments):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "REMATCH_"))}
        return subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-m", "flows", *map(str, arguments)],
            cwd=ROOT,
            env=kept | {"REMATCH_LOCALE": "en", "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return run
