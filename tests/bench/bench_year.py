"""What a simulated year of the loop brings, on networks with known truth (docs/benchmarks.md, The simulated year).

Run as ``python tests/bench/bench_year.py [--networks N] [--first SEED] [--explore]``; results are printed as they grow.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core

import pandas as pd

from tasks.compute.simulation_year.world import Setting
from tasks.compute.simulation_year.year import simulate_year, summary


def main() -> None:
    """Runs the networks one by one and prints the means so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--explore", action="store_true")
    arguments = parser.parse_args()
    loops = ("naive", "rematch", *(("rematch_exploring",) if arguments.explore else ()))
    started, years = time.process_time(), []
    for seed in range(arguments.first, arguments.first + arguments.networks):
        years.append(simulate_year(Setting(), [seed], loops))
        year = pd.concat(years, ignore_index=True)
        print(f"\n{len(years)} networks, CPU {time.process_time() - started:.0f} s")
        print(summary(year).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
