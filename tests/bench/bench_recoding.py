"""How often re-coded defeats are still called an effect, and real effects no longer (docs/benchmarks.md, Re-coding).

Run as ``python tests/bench/bench_recoding.py [--networks N]``.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core

from tests.support.recoding import KINDS, planted


def main() -> None:
    """Prints, per kind and size, how many measures look effective by their reason alone and how many remain so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=8)
    networks = parser.parse_args().networks
    for leads in (130.0, 250.0):
        for kind in KINDS:
            before = after = 0
            for seed in range(100, 100 + networks):
                found = planted(seed, kind, leads)
                before += int(found.before["verdict"].eq("effective").sum())
                after += int(found.after["verdict"].eq("effective").sum())
            share = f"{after / before:.2f}" if before else "-"
            print(
                f"{leads:.0f} leads, {kind}: effective {before} of {40 * networks}, left {after} ({share})", flush=True
            )


if __name__ == "__main__":
    main()
