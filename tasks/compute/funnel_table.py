"""How far customers came, month by month and scope by scope: the counts of funnels and trends (domain.md section 8).

Closing-month base, leads that count in rates; the steps are counted as the indicators ``lead_to_visit``,
``visit_to_test_drive``, ``test_drive_to_order`` and ``close_rate`` declare them.
"""

from __future__ import annotations

import pandas as pd

from models.enums import Scope
from tasks.compute.indicators import NATION

FUNNEL_COUNTS = ["leads", "visited", "visited_driven", "driven", "driven_won", "won"]
FUNNEL_COLUMNS = ["scope", "scope_id", "month", *FUNNEL_COUNTS]
_KEYS = {Scope.NATION: None, Scope.REGION: "region_id", Scope.DEALER: "dealer_id", Scope.SERIES: "series"}


def funnel_table(closed: pd.DataFrame) -> pd.DataFrame:
    """One row per scope and month with closed leads, for nation, region, dealer and series; empty ids are left out.

    ``closed`` of tasks.compute.closings.closed_leads. Columns FUNNEL_COLUMNS: leads; visited; visited_driven (visited
    and drove); driven; driven_won (drove and ordered); won. All are counts of leads and add up over scopes and months.
    """
    cells = _cells(closed)
    tables = [
        _added(cells.assign(scope=scope.value, scope_id=NATION if key is None else cells[key]))
        for scope, key in _KEYS.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[table["scope_id"] != ""].reset_index(drop=True)


def funnel_of(closed: pd.DataFrame, scope: str, scope_id: str) -> pd.DataFrame:
    """The same rows for one scope that is made of all of ``closed``: a named scene."""
    return _added(_cells(closed).assign(scope=scope, scope_id=scope_id))


def _cells(closed: pd.DataFrame) -> pd.DataFrame:
    """Counts per month, region, dealer and series."""
    visited, driven, won = (
        closed["visited_at"].notna(),
        closed["test_drive_at"].notna(),
        closed["won"].astype("bool"),
    )
    keys = ["month", "region_id", "dealer_id", "series"]
    rows = closed[keys].astype("str").fillna("")
    rows = rows.assign(
        leads=1,
        visited=visited,
        visited_driven=visited & driven,
        driven=driven,
        driven_won=driven & won,
        won=won,
    )
    return rows.astype(dict.fromkeys(FUNNEL_COUNTS, "int64")).groupby(keys, as_index=False)[FUNNEL_COUNTS].sum()


def _added(rows: pd.DataFrame) -> pd.DataFrame:
    keys = ["scope", "scope_id", "month"]
    added = rows.groupby(keys, as_index=False)[FUNNEL_COUNTS].sum()
    return added[FUNNEL_COLUMNS].astype(dict.fromkeys(keys, "str"))
