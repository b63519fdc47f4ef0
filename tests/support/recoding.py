"""Networks where defeats for one reason fell at the worst dealers: really won, or only filed otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.compute.judgement.recoding import against_recoding, other_codes
from tasks.compute.judgement.verify import verify
from tests.support.networks import reason_network

KEYS = ["dealer_id", "region_id", "month", "cell", "n"]
KINDS = ("nothing", "won", "no reason", "one code", "all codes", "excluded")


@dataclass(frozen=True)
class Planted:
    """The looks at the measures by the judged reason alone, and after the check against re-coding."""

    before: pd.DataFrame
    after: pd.DataFrame


def planted(seed: int, kind: str, leads: float = 250.0) -> Planted:
    """40 of 120 dealers, worst at a common reason, lose 60 % of its defeats after month 15 to ``kind`` (of KINDS)."""
    counts, _, names = reason_network(seed, dealers=120, reasons=8, history=18, leads=leads)
    rng = np.random.default_rng(seed + 99)
    by_size = counts[names].sum().sort_values().index
    judged, other = by_size[-2], by_size[3]
    counts["won"] = rng.binomial(counts["n"] - counts[names].sum(axis=1), 0.4)
    recent = counts[counts["month"].between(13, 15)].groupby("dealer_id")[[judged, "n"]].sum()
    worst = (recent[judged] / recent["n"]).sort_values().index[-40:]
    there = (counts["dealer_id"].isin(worst) & counts["month"].gt(15)).to_numpy()
    gone = np.where(there, rng.binomial(counts[judged], 0.0 if kind == "nothing" else 0.6), 0)
    counts[judged] -= gone
    if kind == "won":
        counts["won"] += gone
    elif kind == "one code":
        counts[other] += gone
    elif kind == "excluded":
        counts["n"] -= gone
    elif kind == "all codes":
        turn = rng.integers(len(names), size=len(counts))
        for number, name in enumerate(names):
            counts[name] += np.where((turn == number) & (name != judged), gone, 0)
    plans = pd.DataFrame({"dealer_id": worst, "measure_id": worst, "target_points": 2.0, "start": 16, "executed": True})
    reasons = {name: counts[KEYS].assign(x=counts[name]) for name in names}
    out = counts[KEYS].assign(x=gone) if kind == "excluded" else None
    defeats, codes = other_codes(counts[KEYS].assign(x=counts["won"]), reasons, out)
    looks = verify(codes[judged], plans, looks=(3,), alone=True, higher_is_better=False)
    return Planted(looks, against_recoding(looks, plans, judged, defeats, codes, months=(3,)))
