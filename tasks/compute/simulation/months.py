"""The simulated exports month by month (docs/sample.md)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tasks.compute.simulation import fates, filings, owners, rows
from tasks.compute.simulation.cohorts import HORIZON_MONTHS, NO_TWIST, Columns, alive, cohort
from tasks.compute.simulation.draws import Draws, Floats
from tasks.compute.simulation.network import Effects, Network
from tasks.compute.simulation.timeline import NEVER, settle
from tasks.compute.simulation.truth import lead_truth

NO_EFFECTS: Effects = {}
TABLES = ("dealers", "leads", "defeats", "revisits", "sales", "service_visits", "interactions")


class Simulation:
    """The months of a network: a pure function of (network, month, effects), with a memory of recent cohorts."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._cohorts: OrderedDict[tuple[int, object], rows.Settled] = OrderedDict()

    def month(
        self, month: int, effects: Effects = NO_EFFECTS, earlier: Mapping[int, Effects] | None = None
    ) -> dict[str, pd.DataFrame]:
        """The tables exported for ``month`` (0 is the network's first).

        ``leads`` are those created or changed in the month as they stood at its end (a delta: the later file wins),
        ``dealers`` all, the other tables by event month, a few filings one month late. ``effects`` act on leads that
        close in the month, ``earlier[m]`` on those that closed in month m; columns and dtypes are those of the
        contract. Raises KeyError for an effect on an unknown dealer or cause.
        """
        settled = self.settled(month, effects, earlier)
        network = self.network
        return {
            "dealers": network.frame(),
            "leads": rows.lead_rows(network, settled, month),
            "defeats": rows.defeat_rows(network, settled, month),
            "revisits": rows.revisit_rows(network, settled, month),
            "sales": owners.sales(network, month, [rows.sale_facts(network, part, month) for part in settled]),
            "service_visits": owners.service_visits(network, month),
            "interactions": owners.interactions(network, month, settled),
        }

    def truth(
        self, month: int, effects: Effects = NO_EFFECTS, earlier: Mapping[int, Effects] | None = None
    ) -> pd.DataFrame:
        """What is true of every filing exported for ``month`` (columns: ``tasks.compute.simulation.truth``)."""
        return lead_truth(self.network, self.settled(month, effects, earlier), month)

    def settled(
        self, month: int, effects: Effects = NO_EFFECTS, earlier: Mapping[int, Effects] | None = None
    ) -> list[rows.Settled]:
        """The cohorts that can show in ``month``, oldest first, as all measures so far changed them."""
        timeline = {**(earlier or {}), month: effects}
        return [self._settled(born, timeline) for born in range(month - HORIZON_MONTHS, month + 1)]

    def _settled(self, born: int, timeline: Mapping[int, Effects]) -> rows.Settled:
        acting = {
            later: effect for later, effect in timeline.items() if effect and born <= later <= born + HORIZON_MONTHS
        }
        key = (born, frozenset((later, frozenset(effect.items())) for later, effect in acting.items()))
        if key not in self._cohorts:
            leads = cohort(self.network, born)
            arrays = {later: effect_points(self.network, effect) for later, effect in acting.items()}
            self._cohorts[key] = _finish(self.network, born, leads, arrays)
        self._cohorts.move_to_end(key)
        while len(self._cohorts) > HORIZON_MONTHS + 2:
            self._cohorts.popitem(last=False)
        return self._cohorts[key]


def _finish(network: Network, born: int, leads: Columns, effects: dict[int, Floats]) -> rows.Settled:
    """A cohort with the measures' doing and the papers filed about it."""
    settled = settle(network, leads, born, effects, HORIZON_MONTHS) if effects else leads
    exists = alive(leads, settled["fate"])
    changed = settled["fate"] != leads["fate"]
    settled["twist"] = np.where(changed, NO_TWIST, leads["twist"])
    settled["bought_at"] = np.where(changed, NEVER, leads["bought_at"])
    filings.add_filings(network, Draws(network.seed, born, "filings"), settled)
    child = np.maximum(settled["child"], 0)
    for name in ("fate", "created", "ordered", "close"):
        settled[f"child_{name}"] = settled[name][child]
    return rows.Settled(born, settled, exists)


def effect_points(network: Network, effects: Effects) -> Floats:
    """Dealer x fate in points; raises KeyError for an unknown dealer or cause."""
    number = {dealer: position for position, dealer in enumerate(network.dealers.ids)}
    points = np.zeros((network.size, len(fates.FATES)))
    for (dealer, cause), value in effects.items():
        points[number[dealer], fates.FATE_OF[cause]] += value
    return points
