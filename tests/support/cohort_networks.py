"""Counts of cohorts with known truth: dealers win and lose at paces of their own, cohorts scatter by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.compute.cohorts import SUM_KEYS, merge_cohort_sums

WON = (0.06, 0.05, 0.03, 0.02, 0.01, 0.005)
LOST = (0.10, 0.15, 0.20, 0.20, 0.15, 0.10)
FIRST = "2025-01"


def counts(rows: list[tuple[str, int, str, str, str, int, int, int]]) -> pd.DataFrame:
    """Counts of tasks.compute.cohorts from rows of SUM_KEYS, leads, won, lost."""
    frame = pd.DataFrame(rows, columns=[*SUM_KEYS, "leads", "won", "lost"]).astype({"age": "str"})
    return merge_cohort_sums([frame.astype(dict.fromkeys(("leads", "won", "lost"), "int32"))])


def network(seed: int, dealers: int = 60, cohorts: int = 14, leads: int = 60, scatter: float = 0.1) -> pd.DataFrame:
    """The whole truth of a network: every cohort followed over all ages, one series, six regions."""
    rng = np.random.default_rng(seed)
    pace = np.exp(rng.normal(0, 0.25, (2, dealers)))
    months = [str(month) for month in pd.period_range(FIRST, periods=cohorts, freq="M")]
    market = np.exp(rng.normal(0, scatter, (2, cohorts)))
    rows = []
    for number, month in enumerate(months):
        size = rng.poisson(leads, dealers)
        still = size.copy()
        rows += [(month, 0, f"D{dealer:03d}", f"R{dealer % 6}", "S", size[dealer], 0, 0) for dealer in range(dealers)]
        for age, hazards in enumerate(zip(WON, LOST, strict=True), 1):
            chance = np.array(hazards)[:, None] * pace * market[:, number : number + 1]
            won = rng.binomial(still, chance[0])
            lost = rng.binomial(still - won, chance[1] / (1 - chance[0]))
            still = still - won - lost
            rows += [
                (month, age, f"D{dealer:03d}", f"R{dealer % 6}", "S", 0, won[dealer], lost[dealer])
                for dealer in range(dealers)
            ]
    return counts(rows)


def seen_at(truth: pd.DataFrame, last: str) -> pd.DataFrame:
    """What of the truth was known at the end of month ``last``."""
    month = pd.PeriodIndex(truth["cohort"].astype("str"), freq="M")
    age = truth["age"].astype("str").astype("int64").to_numpy()
    event = month + np.maximum(age - 1, 0)
    return truth[event <= pd.Period(last, "M")].reset_index(drop=True)
