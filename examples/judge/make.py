"""The counts of examples/judge: 40 dealers, 18 months, made up, with a known truth.

Run ``python examples/judge/make.py`` in the checkout to write the three files anew. Plans went to the ten dealers that
looked worst in month 12. Five of them then truly gained eight points of close rate; the other five changed nothing. Two
more things are planted: D09 reports nothing any more after month 14, and all dealers of region "South" got a plan.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent
MONTHS, PLANNED_AFTER = 18, 12
SOUTH = 36  # dealers from this number on are the region South


def main() -> None:
    """Draw the network and write counts.csv, plans.csv and reasons.csv."""
    rng = np.random.default_rng(11)
    dealers = [f"D{number:02d}" for number in range(1, 41)]
    level = rng.normal(0, 0.3, len(dealers))
    leads = rng.integers(150, 500, len(dealers))
    trend = 0.1 * np.sin(np.arange(MONTHS) / 2)
    n = rng.poisson(leads[:, None, None] * np.array([0.6, 0.4]), (len(dealers), MONTHS, 2))
    chance = 1 / (1 + np.exp(1.7 - level[:, None, None] - trend[:, None] - np.array([0.2, -0.3])))
    won = rng.binomial(n, chance)
    recent = slice(PLANNED_AFTER - 3, PLANNED_AFTER)
    raw = won[:SOUTH, recent].sum((1, 2)) / n[:SOUTH, recent].sum((1, 2))
    worst = np.argsort(raw)[:10]
    helped = worst[::2]
    won[helped, PLANNED_AFTER:] = rng.binomial(
        n[helped, PLANNED_AFTER:], np.minimum(chance[helped, PLANNED_AFTER:] + 0.08, 0.9)
    )
    slow = rng.binomial(n - won, np.where(np.isin(np.arange(40), worst), 0.5, 0.3)[:, None, None])
    dear = rng.binomial(n - won - slow, 0.5)
    rows = [
        (dealer, region(d), month + 1, series, "online", *(part[d, month, s] for part in (n, won, slow, dear)))
        for d, dealer in enumerate(dealers)
        for month in range(MONTHS)
        for s, series in enumerate(("sedan", "suv"))
        if not (dealer == "D09" and month + 1 > 14)
    ]
    names = ["dealer_id", "region", "month", "series", "source", "leads", "won", "def_follow_up", "def_price"]
    reasons = pd.DataFrame(rows, columns=names)
    reasons.to_csv(FOLDER / "reasons.csv", index=False, lineterminator="\n")
    reasons[names[:7]].to_csv(FOLDER / "counts.csv", index=False, lineterminator="\n")
    chosen = [dealers[d] for d in sorted({*worst, dealers.index("D09"), *range(SOUTH, 40)})]
    plans = pd.DataFrame({"dealer_id": chosen, "indicator": "close_rate", "target_points": 3})
    plans.assign(issued_after_month=PLANNED_AFTER).to_csv(FOLDER / "plans.csv", index=False, lineterminator="\n")
    print("truly helped:", ", ".join(dealers[d] for d in sorted(helped)))


def region(number: int) -> str:
    """Two regions of eighteen dealers, and a small one."""
    return "South" if number >= SOUTH else ("North" if number % 2 else "East")


if __name__ == "__main__":
    main()
