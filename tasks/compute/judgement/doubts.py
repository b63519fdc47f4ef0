"""What puts a comparison in doubt: why a dealer cannot be judged at all, what is noted, what withholds a verdict.

The limits are data (``models/catalogue/doubts.toml``). Everything here is read off the counts and the list of measures.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.catalogue.doubts import Doubts, doubts
from tasks.compute.judgement.model import Bools, Floats, Ints, Panel, sums

WHOLE_REGION = "judge.note.whole_region"


def no_verdict(history: Panel, after: Panel, least_history: int, limits: Doubts | None = None) -> np.ndarray:
    """Why each dealer cannot be judged, as a message key; empty where it can.

    No cases after the measure; too short a history; cases in some months of the look only, where the dealer usually has
    them (closed or merged when the last month is among the missing); or many times more or fewer cases than before,
    against the network (merged or split). Months in which nobody has a case are no gap.
    """
    limits = limits or doubts()
    before, since = history.by_dealer_month(history.n), after.by_dealer_month(after.n)
    known = (before > 0).sum(1)
    usual = before.sum(1) / np.maximum(known, 1)
    gap = (since == 0) & (since.sum(0) > 0) & (usual >= limits.gaps.usual_cases)[:, None]
    too_many = gap.sum(1) > limits.gaps.months
    conditions = {
        "judge.why.no_cases": since.sum(1) == 0,
        "judge.why.short_history": known < least_history,
        "judge.why.stopped": too_many & gap[:, -1],
        "judge.why.months_missing": too_many,
        "judge.why.other_size": _other_size(before, since, limits),
    }
    return np.select(list(conditions.values()), list(conditions), "")


def _other_size(before: Floats, since: Floats, limits: Doubts) -> Bools:
    """Dealers whose cases a month changed by a factor that no market moves; needs enough cases on both sides.

    Beyond the factor by more than chance: the number of cases itself scatters.
    """
    n0, n1 = before.sum(1), since.sum(1)
    months0, months1 = np.maximum((before > 0).sum(1), 1), np.maximum((since > 0).sum(1), 1)
    enough = (n0 / months0 * months1 >= limits.other_size.cases) | (n1 >= limits.other_size.cases)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log((n1 + 0.5) / months1) - np.log((n0 + 0.5) / months0)
    usual = np.median(change[enough]) if enough.any() else 0.0
    chance = 2 * np.sqrt(1 / (n0 + 0.5) + 1 / (n1 + 0.5))
    return np.asarray(enough & (np.abs(change - usual) - chance > np.log(limits.other_size.factor)))


def mix_moved(history: Panel, after: Panel) -> Floats:
    """The share of each dealer's cases in other cells than before, less what chance moves; 0 without cases.

    Half the sum of absolute differences of both mixes; expected by chance: each cell's share p differs by
    sqrt(2/pi p(1-p)(1/n0 + 1/n1)) on average.
    """
    cells = len(after.cells)

    def mix(p: Panel) -> Floats:
        return sums(p.d * cells + p.c, p.n, len(p.dealers) * cells).reshape(-1, cells)

    before, since = mix(history), mix(after)
    n0, n1 = before.sum(1), since.sum(1)
    known = (n0 > 0) & (n1 > 0)
    inverse = 1 / np.maximum(n0, 1) + 1 / np.maximum(n1, 1)
    pooled = (before + since) / np.maximum(n0 + n1, 1)[:, None]
    chance = np.sqrt(2 / np.pi * pooled * (1 - pooled) * inverse[:, None])
    moved = np.abs(since / np.maximum(n1, 1)[:, None] - before / np.maximum(n0, 1)[:, None])
    return np.where(known, np.maximum(0.5 * (moved - chance).sum(1), 0.0), 0.0)


def noted(
    history: Panel, after: Panel, at: Ints, start: int, table: pd.DataFrame, untreated: Bools
) -> tuple[pd.Series[str], pd.Series[str]]:
    """Of the dealers ``at``: notes (message keys joined by ``;``), and what withholds "effective" and "worse".

    ``table``: all measures with ``_place`` of the dealer, start, executed; ``untreated``: dealers without a measure
    near the look. Measures known not to be carried out are none.
    """
    limits = doubts()
    done = table[~table["executed"].eq(False).fillna(False).to_numpy(bool)]
    near = done[done["start"].between(start - after.months + 1, start + after.months - 1)]
    several = near["_place"].value_counts()
    earlier = np.isin(at, done.loc[done["start"] <= start - after.months, "_place"].to_numpy())
    gaps = (after.by_dealer_month(after.n) == 0).any(1)
    sisters = np.bincount(after.region, untreated, len(after.regions))[after.region]
    size = np.bincount(after.region, after.by_dealer(after.n) > 0, len(after.regions))[after.region]
    whole = (sisters == 0) & (size >= limits.whole_region.dealers) & (len(after.regions) > 1)
    facts = {
        "judge.note.several_measures": pd.Series(at).map(several).to_numpy() > 1,
        "judge.note.repeated": earlier,
        "judge.note.months_missing": gaps[at],
        "judge.note.mix_moved": mix_moved(history, after)[at] > limits.mix_moved.share,
        WHOLE_REGION: whole[at],
    }
    notes = [";".join(key for key, holds in facts.items() if holds[i]) for i in range(len(at))]
    withheld = np.where(whole[at], "judge.why.whole_region", "")
    return pd.Series(notes, dtype="str"), pd.Series(withheld, dtype="str")
