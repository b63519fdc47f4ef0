"""How fast and how large ingest is: 1,000,000 leads x 41 columns from GB18030 CSV to the lake, personal data protected.

Run: ``python tests/bench/bench_ingest.py [--rows N] [--rounds R]``. Every measured phase runs in a process of its own;
the ratio is between phases of the same run: ``pyarrow.csv`` reading the same file with all columns as strings, and
everything Rematch does from that file to protected Parquet.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from models.workspace import Workspace
from tasks.ingest import ingest

ROOT = Path(__file__).resolve().parents[2]
DEALERS = 500
CHUNK = 100_000


def _pick(rng: np.random.Generator, words: list[str], count: int, missing: float = 0.0) -> pa.Array:
    codes = pa.array(rng.integers(0, len(words), count), mask=rng.random(count) < missing)
    return pa.array(words).take(codes)


def _times(start: np.ndarray, hours: np.ndarray, missing: np.ndarray) -> pa.Array:
    moments = start + (hours * 3600).astype("timedelta64[s]")
    return pa.array(np.char.replace(np.datetime_as_string(moments), "T", " "), mask=missing)


def leads(first: int, count: int, rng: np.random.Generator) -> pa.Table:
    """``count`` plausible leads: 31 contract columns and 10 the contract does not have."""
    number = np.arange(first, first + count)
    created = np.datetime64("2025-01-01T00:00:00") + rng.integers(0, 450 * 86400, count).astype("timedelta64[s]")
    status = rng.choice(["open", "成交", "战败"], count, p=[0.15, 0.2, 0.65])
    steps = np.sort(rng.exponential(200, (5, count)), axis=0)
    none = rng.random((5, count))
    names = [
        family + given for family in "王李张刘陈杨黄赵吴周" for given in ("伟", "芳", "秀英", "建国", "子涵", "磊")
    ]
    columns = {
        "lead_id": pc.binary_join_element_wise("L", pa.array(number).cast(pa.string()), ""),
        "dealer_id": _pick(rng, [f"D{dealer:04d}" for dealer in range(DEALERS)], count),
        "customer_name": _pick(rng, names, count),
        "phone": pa.array(13_000_000_000 + rng.permutation(count) * 977 + first).cast(pa.string()),
        "consultant_id": _pick(rng, [f"C{consultant:05d}" for consultant in range(5000)], count),
        "source": _pick(rng, ["自然到店", "官网", "垂媒", "车展", "转介绍", "直播"], count),
        "series": _pick(rng, ["星途", "远景", "锐行", "海纳"], count),
        "model": _pick(
            rng, [f"{year}款 {grade}" for year in (2024, 2025) for grade in ("豪华版", "尊享版", "运动版")], count
        ),
        "created_at": _times(created, np.zeros(count), np.zeros(count, bool)),
        "first_contact_at": _times(created, steps[0] / 50, none[0] < 0.05),
        "visited_at": _times(created, steps[1], none[1] < 0.5),
        "test_drive_at": _times(created, steps[2], none[2] < 0.7),
        "quoted_at": _times(created, steps[3], none[3] < 0.6),
        "ordered_at": _times(created, steps[4], status != "成交"),
        "delivered_at": _times(created, steps[4] + 300, status != "成交"),
        "defeated_at": _times(created, steps[4], status != "战败"),
        "status": pa.array(status),
        "contact_count": pa.array(rng.integers(0, 12, count)).cast(pa.string()),
        "last_contact_at": _times(created, steps[3], none[0] < 0.05),
        "next_contact_at": _times(created, steps[4] + 48, none[4] < 0.8),
        "quoted_price": pa.array(rng.integers(80_000, 300_000, count)).cast(pa.string()),
        "list_price": pa.array(rng.integers(100, 320, count) * 1000).cast(pa.string()),
        "budget": _pick(rng, ["100000", "150000", "200000", "250000"], count, 0.3),
        "age": pa.array(rng.integers(18, 70, count)).cast(pa.string()),
        "gender": _pick(rng, ["男", "女"], count),
        "occupation": _pick(rng, ["企业职工", "个体经营", "公务员", "教师", "自由职业"], count, 0.2),
        "owned_brand": _pick(rng, ["大众", "丰田", "比亚迪", "吉利"], count, 0.5),
        "owned_series": _pick(rng, ["朗逸", "卡罗拉", "秦", "帝豪"], count, 0.5),
        "purchase_type": _pick(rng, ["首购", "增购", "换购"], count),
        "purpose": _pick(rng, ["家用", "商用", "代步"], count, 0.2),
        "intent_level": _pick(rng, ["H", "A", "B", "C"], count),
    }
    extra = {f"扩展字段{place}": _pick(rng, ["是", "否", "待定", "无"], count, 0.2) for place in range(1, 11)}
    return pa.table(columns | extra)


def make_source(folder: Path, rows: int) -> Path:
    """The leads as GB18030 CSV, with the dealers and a defeats table that make the folder complete."""
    rng = np.random.default_rng(20261121)
    file = folder / "leads.csv"
    with file.open("wb") as out:
        for first in range(0, rows, CHUNK):
            sink = pa.BufferOutputStream()
            options = pacsv.WriteOptions(include_header=first == 0, quoting_style="none")
            pacsv.write_csv(leads(first, min(CHUNK, rows - first), rng), sink, options)
            out.write(bytes(sink.getvalue()).decode("utf-8").encode("gb18030"))
    dealers = "".join(f"D{dealer:04d},门店{dealer},R{dealer % 8}\n" for dealer in range(DEALERS))
    (folder / "dealers.csv").write_text("dealer_id,name,region_id\n" + dealers, "utf-8")
    (folder / "defeats.csv").write_text("lead_id,defeated_at\n", "utf-8")
    return file


def read_as_strings(file: Path) -> int:
    """The yardstick: pyarrow.csv, every column a string."""
    names = pacsv.open_csv(file, read_options=pacsv.ReadOptions(encoding="gb18030")).schema.names
    table = pacsv.read_csv(
        file,
        read_options=pacsv.ReadOptions(encoding="gb18030"),
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return len(table)


def ingest_source(file: Path) -> int:
    """Everything: read, type, protect, fold, write."""
    workspace = Workspace.open(file.parent / f"workspace-{time.monotonic_ns()}", secret_key="5a" * 32)
    workspace.create()
    return ingest(workspace, file.parent).total("received")


PHASES = {"pyarrow.csv as strings": read_as_strings, "ingest to lake": ingest_source}


def measure(phase: str, file: Path) -> dict[str, float]:
    """One phase in a process of its own: wall and CPU seconds of the work itself, peak memory of the process."""
    command = [sys.executable, __file__, "--phase", phase, "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def run_phase(phase: str, file: Path) -> None:
    """What the process of one phase does; prints its figures as JSON."""
    wall, cpu = time.perf_counter(), time.process_time()
    rows = PHASES[phase](file)
    figures = {"rows": rows, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures | {"peak_mb": peak}))


def main() -> None:
    """Make the source, measure the phases in turn, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--phase")
    arguments.add_argument("--file", type=Path)
    given = arguments.parse_args()
    if given.phase:
        run_phase(given.phase, given.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = make_source(Path(folder), given.rows)
        print(f"{given.rows:,} rows, {file.stat().st_size / 2**20:,.0f} MB GB18030, best of {given.rounds}")
        rounds = [{phase: measure(phase, file) for phase in PHASES} for _ in range(given.rounds)]
    print("| phase | wall s | CPU s | peak MB |\n|---|---|---|---|")
    best = {phase: min((figures[phase] for figures in rounds), key=lambda each: each["wall"]) for phase in PHASES}
    for phase, figures in best.items():
        print(f"| {phase} | {figures['wall']:.2f} | {figures['cpu']:.2f} | {figures['peak_mb']:,.0f} |")
    base, ours = best.values()
    print(f"ratio: wall {ours['wall'] / base['wall']:.1f}, CPU {ours['cpu'] / base['cpu']:.1f} (limit 8)")


if __name__ == "__main__":
    main()
