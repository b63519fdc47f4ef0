"""The facts of the text commentary, gathered from a cycle's results: for the nation, a region or a dealer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from models.catalogue.commentary import commentary_rules
from models.catalogue.playbook import REASON_PREFIX
from models.catalogue.reasons import excluded_codes
from models.enums import DefeatVerdict, Gate
from reports.commentary import CommentaryFacts, Contrast, Share
from reports.figures import Comparison
from tasks.compute.changes import changes
from tasks.compute.defeat_filter import defeats_of_cycle
from tasks.compute.destinations import COMPETITOR_COLUMNS, competitor_table
from tasks.compute.filings import UNASSIGNED
from tasks.compute.indicators import earlier_months
from tasks.job import Job
from tasks.sums import indicator_sums, read_reason_sums

_CELLS = ["month", "dealer_id", "region_id", "series"]
_NO_FLOWS = pd.DataFrame(columns=COMPETITOR_COLUMNS)  # of series with too few leads for any flow to be told
_LEADS = ["month", *_CELLS[1:], "won", "leads"]


@dataclass(frozen=True)
class Commenting:
    """What the commentary of one cycle is written from; frames are read once and kept.

    ``dealers``: the only ones asked for, so that a part of the network reads its own rows; empty: every scope.
    """

    job: Job
    dealers: tuple[str, ...] = ()

    @cached_property
    def _closings(self) -> pd.DataFrame:
        """Leads closed and won per month, dealer, region and series: the cycle, and the months beside it."""
        months = (self.job.cycle.name, *earlier_months(self.job.cycle.name))
        found = indicator_sums(self.job.results, ("close_rate",), _CELLS, months).get("close_rate")
        if found is None:
            return pd.DataFrame(columns=_LEADS)
        named = found.rename(columns={"numerator": "won", "denominator": "leads"})
        return self._mine(named[_LEADS].astype(dict.fromkeys(_CELLS, "str")))

    @cached_property
    def _reasons(self) -> pd.DataFrame:
        months = (self.job.cycle.name, *earlier_months(self.job.cycle.name))
        sums = read_reason_sums(self.job.results, months).astype(dict.fromkeys((*_CELLS, "reason"), "str"))
        return self._mine(sums[~sums["reason"].isin(excluded_codes())])

    def _mine(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["dealer_id"].isin(self.dealers)] if self.dealers else frame

    @cached_property
    def _defeats(self) -> pd.DataFrame:
        return self.job.results.read("defeats", where={"dealer_id": self.dealers} if self.dealers else None)

    @cached_property
    def _quality(self) -> pd.DataFrame:
        return self.job.results.read("quality", ["dealer_id", "rows", "quarantined", "held", "gate"])

    @cached_property
    def _regions(self) -> dict[str, str]:
        dealers = self.job.lake.read("accepted", "dealers", columns=["region_id", "region_name"])
        named = dealers.dropna().drop_duplicates("region_id")
        return dict(zip(named["region_id"], named["region_name"], strict=True))

    def nation(self, months: int) -> CommentaryFacts:
        """The facts of the nation; ``months``: length of the window of comparisons."""
        every = list(self._quality["dealer_id"])
        gates = self._quality.loc[self._quality["dealer_id"] != UNASSIGNED, "gate"]
        gate = Share(int((gates == Gate.FAIL.value).sum()), len(gates))
        return self._facts("", months, self._closings, self._reasons, self._defeats, every, gate=gate)

    def region(self, region_id: str, months: int) -> CommentaryFacts:
        """The facts of a region: its own changes."""
        dealers = sorted(set(self._closings.loc[self._closings["region_id"] == region_id, "dealer_id"]))
        name = self._regions.get(region_id, region_id)
        closings, reasons, defeats = (
            frame[frame["region_id"] == region_id] for frame in (self._closings, self._reasons, self._defeats)
        )
        return self._facts(name, months, closings, reasons, defeats, dealers)

    def dealer(self, dealer_id: str, name: str, months: int, comparisons: Iterable[Comparison] = ()) -> CommentaryFacts:
        """The facts of a dealer: its own changes, and where it stands against its peers over the window."""
        closings, reasons, defeats = (
            frame[frame["dealer_id"] == dealer_id] for frame in (self._closings, self._reasons, self._defeats)
        )
        peers = tuple(_against_peers(comparisons))
        return self._facts(name, months, closings, reasons, defeats, [dealer_id], peers)

    def _facts(
        self,
        scope: str,
        months: int,
        closings: pd.DataFrame,
        reasons: pd.DataFrame,
        defeats: pd.DataFrame,
        dealers: list[str],
        peers: tuple[Contrast, ...] = (),
        gate: Share | None = None,
    ) -> CommentaryFacts:
        cycle = self.job.cycle.name
        month, rules = closings[closings["month"] == cycle], commentary_rules()
        large = [series for series, leads in month.groupby("series")["leads"].sum().items() if leads >= rules.min_cases]
        flows = competitor_table(defeats[defeats["series"].isin(large)], cycle) if large else _NO_FLOWS
        table = changes(closings, reasons, flows, cycle, rules)
        verdicts = defeats_of_cycle(defeats, cycle)["verdict"].value_counts()
        quality = self._quality[self._quality["dealer_id"].isin(dealers)]
        apart = int(quality[["quarantined", "held"]].sum().sum())
        return CommentaryFacts(
            cycle=cycle,
            months=months,
            scope=scope,
            closed=Share(int(month["won"].sum()), int(month["leads"].sum())),
            contrasts=(*peers, *(self._contrast(row) for row in table.to_dict("records"))),
            verdicts={word: int(verdicts.get(word.value, 0)) for word in DefeatVerdict},
            rows=Share(apart, int(quality["rows"].sum())),
            gate=gate,
        )

    def _contrast(self, row: dict[str, object]) -> Contrast:
        number = {name: float(str(row[name])) for name in ("points", "lo90", "hi90", "q_value")}
        counts = {name: int(str(row[name])) for name in ("cases", "of", "other_cases", "other_of")}
        region = str(row["region_id"])
        return Contrast(
            kind=str(row["kind"]),
            now=Share(counts["cases"], counts["of"]),
            other=Share(counts["other_cases"], counts["other_of"]),
            reason=str(row["reason"]),
            series=str(row["series"]),
            brand=str(row["brand"]),
            region=self._regions.get(region, region),
            **number,
        )


def _against_peers(comparisons: Iterable[Comparison]) -> Iterator[Contrast]:
    """Close rate and reasons of a dealer beside its peers; what lacks cases or peers is left out."""
    for one in comparisons:
        reason = one.indicator.removeprefix(REASON_PREFIX) if one.indicator.startswith(REASON_PREFIX) else ""
        known = (one.gap_points, one.lo90, one.hi90, one.q_value, one.expected)
        if not one.enough or None in known or not (reason or one.indicator == "close_rate"):
            continue
        points, lo90, hi90, q_value, expected = (float(value) for value in known if value is not None)
        yield Contrast(
            kind="reason_peers" if reason else "close_rate_peers",
            now=Share(one.numerator, one.denominator),
            points=points,
            lo90=lo90,
            hi90=hi90,
            q_value=q_value,
            expected=expected,
            peers=one.peers,
            reason=reason,
        )
