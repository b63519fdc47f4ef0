"""What is really true of the simulated filings, dealers and measures: the oracle beside the exports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.compute.simulation import columns as make
from tasks.compute.simulation import fates, filings, rows
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.cohorts import (
    BOUGHT_HERE,
    CAME_BACK,
    SISTER_LEAD_LOST,
    SISTER_LEAD_OPEN,
    SISTER_SALE,
    SISTER_SALE_LEAD,
    Columns,
)
from tasks.compute.simulation.draws import Flags, Ints
from tasks.compute.simulation.network import Network
from tasks.compute.simulation.timeline import DAY, NEVER

VERDICTS = ("true", "quasi", "false")
_TRUE, _QUASI, _FALSE = range(3)
EVIDENCE = (
    "sale",
    "later_lead",
    "reactivated",
    "sister_sale",
    "revisit",
    "sister_lead",
    "premature",
    "declared",
    "contacts",
)
FATES_OF_CUSTOMERS = ("competitor", "same_brand_other_dealer", "not_purchased", "unknown", "bought_here", "came_back")
_WINDOW = 90 * DAY


def lead_truth(network: Network, cohorts: Sequence[rows.Settled], month: int) -> pd.DataFrame:
    """One row per filing exported for ``month``.

    ``fate``: what became of the customer; ``reason``: the true one; ``verdict``, ``evidence``, ``destination``,
    ``bought_dealer_id``: what the rules of domain.md section 14 must find once all planted evidence is in (from
    ``known_from`` on; empty when it is there at the filing); ``price_class``: what is behind a price filing;
    ``late``: exported a month late; ``earlier_filing``: the lead was taken up again afterwards.
    """
    c = rows.gather(cohorts, lambda settled: rows.filings_in(network, settled, month))
    at, earlier = c["filed_at"], c["earlier"]
    evidence, verdict, known = _judge(c, at, earlier)
    bought_here = (verdict == _FALSE) & (evidence == EVIDENCE.index("sale"))
    same = (evidence == EVIDENCE.index("sister_sale")) | _revisit_says_sister(c, evidence)
    seller = np.where(bought_here, c["dealer"], np.where(same, c["sister"], -1))
    destination = np.where(verdict == _FALSE, -1, _destination(c, evidence, earlier))
    fate = np.where(c["twist"] == BOUGHT_HERE, 4, np.where(c["twist"] == CAME_BACK, 5, c["destination"]))
    fate = np.where(earlier, np.where(c["fate"] == fates.WON, 4, 5), fate)
    return pd.DataFrame(
        {
            "lead_id": rows.lead_ids(c["number"]),
            "filed_at": make.times(at),
            "dealer_id": rows.dealer_ids(network, c["dealer"]),
            "verdict": make.coded(VERDICTS, verdict),
            "evidence": make.coded(EVIDENCE, evidence),
            "known_from": make.times(known),
            "destination": make.coded(fates.DESTINATIONS, destination),
            "bought_dealer_id": rows.dealer_ids(network, seller),
            "fate": make.coded(FATES_OF_CUSTOMERS, fate),
            "reason": make.coded(fates.FATES, np.where(earlier & (c["fate"] == fates.WON), -1, c["fate"])),
            "declared_reason": make.coded(filings.CODES, c["declared"]),
            "price_class": make.coded(filings.PRICE_CLASSES, c["price_class"], (c["price_class"] == 0) | earlier),
            "late": make.flags(c["late"]),
            "earlier_filing": make.flags(earlier),
        }
    )  # fmt: skip


def _judge(c: Columns, at: Ints, earlier: Flags) -> tuple[Ints, Ints, Ints]:
    """Evidence (index of EVIDENCE), verdict and since when it is known, strongest evidence first."""
    n = len(at)
    evidence, verdict, known = np.full(n, -1), np.full(n, -1), np.full(n, NEVER)

    def decide(which: Flags, name: str, what: int | Ints, since: Ints | np.int64 = NEVER) -> None:
        rows_ = which & (evidence < 0)
        verdict[rows_] = np.broadcast_to(what, n)[rows_]
        known[rows_] = np.broadcast_to(since, n)[rows_]
        evidence[rows_] = EVIDENCE.index(name)

    won_later = earlier & (c["fate"] == fates.WON) & (c["ordered"] <= at + _WINDOW)
    child_won = (c["child"] >= 0) & (c["child_fate"] == fates.WON) & (c["twist"] == CAME_BACK)
    decide(won_later, "sale", _FALSE, c["ordered"])
    decide(earlier, "reactivated", _FALSE, c["reopened"])
    decide(c["twist"] == BOUGHT_HERE, "sale", _FALSE, c["bought_at"])
    decide(child_won & (c["child_ordered"] <= at + _WINDOW), "sale", _FALSE, c["child_ordered"])
    decide(np.isin(c["twist"], (SISTER_SALE, SISTER_SALE_LEAD)), "sister_sale", _TRUE, c["bought_at"])
    decide(c["twist"] == CAME_BACK, "later_lead", _FALSE, c["child_created"])
    call = c["call_times"][np.arange(n), np.maximum(c["reached_at_call"] - 1, 0)]
    told = (c["reached_at_call"] > 0) & (c["said_destination"] >= 0) & (c["said_destination"] != filings.UNKNOWN)
    decide(told, "revisit", _verdict_of(c, c["said_destination"]), call)
    decide(c["twist"] == SISTER_LEAD_OPEN, "sister_lead", _QUASI, at)
    decided_later = np.where(c["twist"] == SISTER_LEAD_LOST, c["child_close"], NEVER)
    premature = (c["contacts"] <= 1) & (at - c["created"] < 5 * DAY)
    decide(premature, "premature", _QUASI, decided_later)
    stated = (c["declared_destination"] >= 0) & (c["declared_destination"] != filings.UNKNOWN)
    decide(stated, "declared", _verdict_of(c, c["declared_destination"]), decided_later)
    decide(np.ones(n, bool), "contacts", np.where(c["contacts"] >= 4, _TRUE, _QUASI), decided_later)
    return evidence, verdict, known


def _verdict_of(c: Columns, destination: Ints) -> Ints:
    bought = (destination == filings.COMPETITOR) | (destination == filings.SAME_BRAND)
    return np.where(bought, _TRUE, np.where(destination == filings.NOT_PURCHASED, _QUASI, _TRUE))


def _revisit_says_sister(c: Columns, evidence: Ints) -> Flags:
    return np.asarray((evidence == EVIDENCE.index("revisit")) & (c["said_destination"] == filings.SAME_BRAND))


def _destination(c: Columns, evidence: Ints, earlier: Flags) -> Ints:
    """The destination that the deciding evidence shows."""
    by_revisit = evidence == EVIDENCE.index("revisit")
    stated = np.where(c["declared_destination"] < 0, filings.UNKNOWN, c["declared_destination"])
    stated = np.where(evidence == EVIDENCE.index("sister_sale"), filings.SAME_BRAND, stated)
    stated = np.where(evidence == EVIDENCE.index("sister_lead"), filings.NOT_PURCHASED, stated)
    premature = (evidence == EVIDENCE.index("premature")) & (stated != filings.NOT_PURCHASED)
    stated = np.where(premature, filings.UNKNOWN, stated)
    return np.where(earlier, -1, np.where(by_revisit, c["said_destination"], stated))


def dealer_truth(network: Network) -> pd.DataFrame:
    """One row per dealer: planted cause and its excess defeats per 100 leads, embellishment, lasting levels.

    ``close_rate`` is the lasting chance to win a lead of the national mix; ``level_<fate>`` the lasting deviation on
    the log scale.
    """
    d = network.dealers
    facts = {
        "dealer_id": d.ids,
        "region_id": [words.REGIONS[region][0] for region in d.region],
        "monthly_leads": d.volume.round(1),
        "close_rate": network.true_close_rate().round(5),
        "cause": ["" if cause == 0 else fates.FATES[cause] for cause in d.cause],
        "points": d.points.round(2),
        "fakery": [";".join(sorted(signs)) for signs in d.fakery],
        "revisit_coverage": d.coverage.round(3),
        "response_hours": d.response.round(2),
    }
    levels = {f"level_{code}": d.levels[:, number].round(4) for number, code in enumerate(fates.FATES)}
    return pd.DataFrame({**facts, **levels})
