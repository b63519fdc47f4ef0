"""Is the defeat filter right: the verdicts of a run against the truth of the sample it ran on (docs/benchmarks.md).

Run as ``python tests/bench/bench_filter.py EXPORTS HOME`` after ``rematch sample EXPORTS`` and ``rematch run
--source EXPORTS --home HOME``. Counted are filings whose evidence was there by the end of the run (``known_from``), all
dealers and those that embellish nothing: faked phones hide which customers are the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from models.workspace import Workspace
from tasks.results import Results, published_cycles


def joined(exports: Path, home: Path) -> pd.DataFrame:
    """The last filing of each lead with its verdict and the true one (``_true``), where the evidence was known."""
    root = Workspace.open(home).results
    results = Results.published(root, published_cycles(root)[-1])
    defeats = results.read("defeats", ["lead_id", "dealer_id", "verdict", "destination", "last_filing"])
    truth = pd.read_csv(exports / "truth" / "leads.csv", dtype="str").drop_duplicates("lead_id", keep="last")
    truth = truth[["lead_id", "known_from", "verdict", "destination"]]
    both = defeats[defeats["last_filing"]].merge(truth, on="lead_id", suffixes=("", "_true"))
    late = pd.to_datetime(both["known_from"]) > pd.Timestamp(results.as_of())
    return both[~late].reset_index(drop=True)


def line(name: str, rows: pd.DataFrame) -> str:
    """Filings, F1 of "false", and how many of the known destinations are right."""
    found, true = rows["verdict"] == "false", rows["verdict_true"] == "false"
    placed = rows[rows["destination_true"].notna() & (rows["destination_true"] != "unknown")]
    right = (placed["destination"] == placed["destination_true"]).mean()
    f1 = 2 * (found & true).sum() / (found.sum() + true.sum())
    return f"| {name} | {len(rows):,} | {true.sum():,} | {f1:.3f} | {right:.4f} |"


def main() -> None:
    """Prints the rows of the table in docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exports", type=Path)
    parser.add_argument("home", type=Path)
    asked = parser.parse_args()
    rows = joined(asked.exports, asked.home)
    dealers = pd.read_csv(asked.exports / "truth" / "dealers.csv", dtype="str")
    honest = rows["dealer_id"].isin(dealers.loc[dealers["fakery"].isna(), "dealer_id"])
    print(line("all dealers", rows), line("dealers that embellish nothing", rows[honest]), sep="\n")


if __name__ == "__main__":
    main()
