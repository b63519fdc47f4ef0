"""`make bench`: all benchmarks, or those named: ``python -m tests.bench cycle``; figures are in docs/benchmarks.md."""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
KNOWN = {path.stem.removeprefix("bench_"): path for path in sorted(FOLDER.glob("bench_*.py"))}


def main() -> int:
    """Run each benchmark in a process of its own, one after the other, so that none measures another's memory."""
    chosen = sys.argv[1:] or list(KNOWN)
    unknown = [name for name in chosen if name not in KNOWN]
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(KNOWN)}", file=sys.stderr)
        return 2
    failed = []
    for name in chosen:
        print(f"== {name}", flush=True)
        started = time.perf_counter()
        done = subprocess.run([sys.executable, str(KNOWN[name])], cwd=FOLDER.parents[1], check=False)
        print(f"== {name}: {time.perf_counter() - started:.0f} s\n", flush=True)
        failed += [name] if done.returncode else []
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
