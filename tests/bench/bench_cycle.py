"""Where the time of the demonstration goes: `rematch demo` in a fresh folder, its key points read from the ledger.

python tests/bench/bench_cycle.py [DEALERS MONTHS]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from models import ledger
from models.database import Database
from models.enums import Step
from models.workspace import Workspace

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print seconds per step and cycle, and what is outside the steps (server, sample, people, draining)."""
    dealers, months = sys.argv[1:3] if len(sys.argv) > 2 else ("60", "15")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "demo"
        command = [sys.executable, "-m", "flows", "demo", "--home", str(home), "--dealers", dealers, "--months", months]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        total = time.perf_counter() - started
        workspace = Workspace.open(home / "workspace")
        cycles = sorted(path.parent.name for path in workspace.results.glob("*/current.json"))
        db = Database.of(workspace)
        took = {(cycle, point.step): _seconds(point) for cycle in cycles for point in ledger.key_points(db, cycle)}
    print(f"| step | {' | '.join(cycles)} |")
    print(f"|---|{'---|' * len(cycles)}")
    for step in Step:
        print(f"| {step} | {' | '.join(f'{took[cycle, step]:.1f}' for cycle in cycles)} |")
    inside = sum(took.values())
    print(f"\n{dealers} dealers, {months} months: {total:.0f} s in all, {inside:.0f} s of it in steps; the rest is the")
    print("start and draining of Prefect's server, the sample and the simulated answers of dealers.")


def _seconds(point) -> float:
    return (point.finished_at - point.started_at).total_seconds()


if __name__ == "__main__":
    main()
