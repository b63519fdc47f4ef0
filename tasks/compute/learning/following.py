"""What follows on the verdicts of a cycle: one row per measure that was judged, by the rules of ``follow_ups.toml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pandas as pd

from models.catalogue.follow_ups import FollowUps, next_step
from models.enums import EffectVerdict
from models.facts import Cycle

FOLLOW_COLUMNS = [
    "cycle",
    "plan_id",
    "measure_id",
    "dealer_id",
    "region_id",
    "measure",
    "reason",
    "verdict",
    "step",
    "owner",
    "due_on",
    "consent",
    "next_measure",
]


def following(
    looks: pd.DataFrame,
    order: Mapping[str, Sequence[str]],
    tried: Mapping[tuple[str, str], frozenset[str]],
    rules: FollowUps,
    cycle: Cycle,
) -> pd.DataFrame:
    """What follows on each look, FOLLOW_COLUMNS.

    ``looks``: rows of ``verify`` that were a look at all; ``order``: measures of each reason as they are proposed now;
    ``tried``: measures already proposed to (dealer, reason). ``step`` names the entry of the rules; next_measure is
    filled where the next measure of the scheme is to be tried and one is left.
    """
    rows = []
    for look in looks.to_dict("records"):
        executed = None if pd.isna(look["executed"]) else bool(look["executed"])
        left = int(look["months"]) < rules.look_months[-1]
        name = next_step(
            EffectVerdict(look["verdict"]), looks_left=left, executed=executed, partly=look.get("execution") == "partly"
        )
        step = rules.steps[name]
        dealer, reason = str(look["dealer_id"]), str(look["reason"])
        known = tried.get((dealer, reason), frozenset()) | {str(look["measure"])}
        others = (measure for measure in order.get(reason, ()) if measure not in known)
        rows.append(
            {column: look.get(column) for column in FOLLOW_COLUMNS}
            | {
                "cycle": cycle.name,
                "step": name,
                "owner": step.owner.value,
                "due_on": pd.Timestamp(cycle.ends + timedelta(days=step.days)),
                "consent": step.consent,
                "next_measure": next(others, "") if step.measure in ("next", "withdraw") else "",
            }
        )
    return pd.DataFrame(rows, columns=FOLLOW_COLUMNS)
