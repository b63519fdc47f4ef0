"""What a dealer's gap to the network's close rate is made of (domain.md section 8): mix, funnel steps, reasons.

Two ways to take the same gap apart, each adding up to it exactly, in percentage points and in deals:

- gap = mix + lead to visit + visit to test drive + test drive to order + remaining
- gap = mix + the reasons: what the dealer loses to each beyond what the network loses on the dealer's own mix

Closing-month base. The mix is what the network's rates per cell (series x source) would give on the dealer's customers,
against the network's own rate: not the dealer's doing. The steps share what is left by their Shapley values: the
average over all orders in which the dealer's rates could take the place of the expected ones; no order is preferred.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Floats = npt.NDArray[np.float64]

DECOMPOSITION_COLUMNS = [
    "dealer_id",
    "region_id",
    "kind",
    "code",
    "leads",
    "observed",
    "expected",
    "points",
    "deals",
    "lo90",
    "hi90",
    "shrunk_points",
    "chance",
    "basis",
    "rank",
]
#: Steps of the funnel by their indicator; the rates of orders without test drive or without visit are what remains.
STEPS = ("lead_to_visit", "visit_to_test_drive", "test_drive_to_order")
_RATES = (*STEPS, "visit_to_order", "lead_to_order")
NO_REASON = ""
_CELL_PRIOR = 20.0  # leads at the network's rate added to each cell, so that a cell of two cases proves little
_Z90 = float(stats.norm.ppf(0.95))


@dataclass(frozen=True)
class _Counts:
    """Per row (cell, or dealer): how many could take each step, and how many did."""

    could: Floats  # rows x rates
    did: Floats

    def rates(self, otherwise: Floats) -> Floats:
        """The share that took each step; where none could, ``otherwise``."""
        return np.divide(self.did, self.could, out=otherwise.copy(), where=self.could > 0)


def decompose(closed: pd.DataFrame, comparisons: pd.DataFrame, excluded: Collection[str] = ()) -> pd.DataFrame:
    """The parts of every dealer's gap over the months of ``closed`` (tasks.compute.closings.closed_leads).

    ``comparisons`` of tasks.planning (columns of judgement.compare and ``indicator``), for intervals; may be empty.
    ``excluded`` dealers (quality gate) are in neither side. Columns, one row per dealer and part:

    - kind, code: ``gap``, ``mix``, ``own`` (gap - mix), ``step`` (code: its indicator), ``remaining`` (orders without a
      visit or a test drive), ``reason`` (code of the used reason, empty where none was filed)
    - leads: closed leads; observed, expected: the dealer's rate and the one on its own mix (the network's for gap and
      mix); for a reason defeats per lead
    - points: effect on the close rate in percentage points, negative = costs deals; deals = points / 100 x leads.
      gap = mix + steps + remaining = mix + reasons, to rounding
    - lo90, hi90: interval of the effect in points; ``basis`` posterior: shrunk_points and interval by the comparison of
      dealers (region and own mix); sampling: the dealer's own sample, or for mix the network's
    - chance: the interval holds 0: not distinguishable from chance; rank: 1 = costs most, among steps with remaining
      and among reasons
    """
    known = closed[~closed["dealer_id"].isin(list(excluded))]
    if not len(known):
        return _typed(pd.DataFrame(columns=DECOMPOSITION_COLUMNS))
    dealer, dealers = pd.factorize(known["dealer_id"], sort=True)
    series, source = (known[name].astype("str").fillna("") for name in ("series", "source"))
    cell, cells = pd.factorize(series + "|" + source)
    pair, place = np.unique(dealer.astype("int64") * len(cells) + cell, return_inverse=True)
    of = np.divmod(pair, len(cells))  # dealer and cell of each pair that occurs
    steps = _steps(known)
    counts = _Counts(*(_added(part, place, len(pair)) for part in steps))
    network = _shrunk(counts, of[1], len(cells))
    n = np.bincount(dealer, minlength=len(dealers)).astype("float64")
    expected = _expected(counts, network, of, len(dealers))
    own = _by(counts, of[0], len(dealers)).rates(expected)
    parts = _step_parts(known, n, own, expected, _by(counts, of[0], len(dealers)).could)
    parts |= _whole_parts(known, n, dealer, expected, counts, network, of)
    frames = [_frame(kind, code, n, part) for (kind, code), part in parts.items()]
    frames.append(_reasons(known, dealer, cell, n, 1 - _close_rate(expected)))
    table = pd.concat(frames, ignore_index=True)
    table["dealer_id"] = dealers.to_numpy(dtype=object)[table.pop("dealer")]
    region = known.drop_duplicates("dealer_id", keep="last").set_index("dealer_id")["region_id"]
    table["region_id"] = region.reindex(table["dealer_id"]).to_numpy()
    return _typed(_ranked(_with_posterior(table, comparisons)))


@dataclass(frozen=True)
class _Part:
    """One part of the gap, per dealer; rates 0-1."""

    observed: Floats
    expected: Floats
    effect: Floats
    sd: Floats
    slope: Floats  # effect on the close rate of one point more of the rate


def _steps(known: pd.DataFrame) -> tuple[Floats, Floats]:
    """Per rate: which leads could take the step, which did. A test drive without a visit time counts as a visit."""
    drove = known["test_drive_at"].notna().to_numpy()
    visited = known["visited_at"].notna().to_numpy() | drove
    won = known["won"].to_numpy(dtype=bool)
    could = (np.ones(len(known), dtype=bool), visited, drove, visited & ~drove, ~visited)
    did = (visited, drove, drove & won, visited & ~drove & won, ~visited & won)
    return np.stack(could, axis=1).astype("float64"), np.stack(did, axis=1).astype("float64")


def _by(counts: _Counts, key: npt.NDArray[np.int64], size: int) -> _Counts:
    """The counts added up by ``key``."""
    return _Counts(*(_added(part, key, size) for part in (counts.could, counts.did)))


def _added(values: Floats, key: npt.NDArray[np.int64], size: int) -> Floats:
    return np.stack([np.bincount(key, column, size) for column in values.T], axis=1).astype("float64")


def _shrunk(counts: _Counts, key: npt.NDArray[np.int64], size: int) -> Floats:
    """The network's rates per cell, cells of few leads drawn to the network's rate over all."""
    cells = _by(counts, key, size)
    whole = _Counts(cells.could.sum(0), cells.did.sum(0)).rates(np.zeros(len(_RATES)))
    return np.asarray((cells.did + _CELL_PRIOR * whole) / (cells.could + _CELL_PRIOR))


def _expected(
    counts: _Counts, network: Floats, of: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], dealers: int
) -> Floats:
    """The rates the network would have on each dealer's own mix: they multiply to its expected close rate exactly."""
    visit, drive, order, plain, unseen = network[of[1]].T
    n = counts.could[:, 0]
    flows = np.stack(
        [
            n,
            n * visit,
            n * visit * drive,
            n * visit * (1 - drive),
            n * (1 - visit),
            n * visit * drive * order,
            n * visit * (1 - drive) * plain,
            n * (1 - visit) * unseen,
        ],
        axis=1,
    )
    leads, visits, drives, undriven, unvisited, ordered, ordered_plain, ordered_unseen = _added(flows, of[0], dealers).T
    could = np.stack([leads, visits, drives, undriven, unvisited], axis=1)
    did = np.stack([visits, drives, ordered, ordered_plain, ordered_unseen], axis=1)
    return _Counts(could, did).rates(np.zeros((dealers, len(_RATES))))


def _close_rate(rates: Floats) -> Floats:
    visit, drive, order, plain, unseen = rates.T
    return np.asarray(visit * (drive * order + (1 - drive) * plain) + (1 - visit) * unseen)


def _slopes(own: Floats, expected: Floats) -> Floats:
    """Shapley weight of each rate: its partial derivative, averaged over all sets of rates already replaced.

    The close rate is linear in each rate alone, so that slope x (own - expected) summed over the rates is exactly the
    difference of the two close rates.
    """
    size = len(_RATES)
    slopes = np.zeros_like(own)
    for rate in range(size):
        others = [place for place in range(size) if place != rate]
        for chosen in (some for count in range(size) for some in combinations(others, count)):
            weight = factorial(len(chosen)) * factorial(size - 1 - len(chosen)) / factorial(size)
            mixed = expected.copy()
            mixed[:, list(chosen)] = own[:, list(chosen)]
            mixed[:, rate] = 1.0
            high = _close_rate(mixed)
            mixed[:, rate] = 0.0
            slopes[:, rate] += weight * (high - _close_rate(mixed))
    return slopes


def _step_parts(
    known: pd.DataFrame, n: Floats, own: Floats, expected: Floats, could: Floats
) -> dict[tuple[str, str], _Part]:
    slopes = _slopes(own, expected)
    effects = slopes * (own - expected)
    smooth = np.clip(expected, 1e-9, 1 - 1e-9)
    variance = slopes**2 * np.divide(smooth * (1 - smooth), could, out=np.zeros_like(could), where=could > 0)
    recorded = {
        "lead_to_visit": known["visited_at"].notna().any(),
        "visit_to_test_drive": known["test_drive_at"].notna().any(),
        "test_drive_to_order": known["test_drive_at"].notna().any(),
    }
    parts = {
        ("step", name): _Part(
            own[:, place], expected[:, place], effects[:, place], np.sqrt(variance[:, place]), slopes[:, place]
        )
        for place, name in enumerate(STEPS)
        if recorded[name]
    }
    nothing = np.full(len(n), np.nan)
    rest = [place for place, name in enumerate(_RATES) if not recorded.get(name, False)]
    effect, sd = effects[:, rest].sum(1), np.sqrt(variance[:, rest].sum(1))
    parts["remaining", ""] = _Part(nothing, nothing, effect, sd, nothing)
    return parts


def _whole_parts(
    known: pd.DataFrame,
    n: Floats,
    dealer: npt.NDArray[np.int64],
    expected: Floats,
    counts: _Counts,
    network: Floats,
    of: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> dict[tuple[str, str], _Part]:
    """Gap, mix, and what is the dealer's own."""
    won = np.bincount(dealer, known["won"].to_numpy(dtype="float64"), len(n))
    observed, on_mix = won / n, _close_rate(expected)
    rate = float(won.sum() / n.sum())
    cell_rate, cell_n = _close_rate(network), np.bincount(of[1], counts.could[:, 0], len(network))
    share = counts.could[:, 0] / n[of[0]]
    spread = cell_rate * (1 - cell_rate) / (cell_n + _CELL_PRIOR)
    # the dealer's share of each cell against the network's; cells it has no customers in count by the network's share
    total = cell_n / cell_n.sum()
    variance = float((total**2 * spread).sum()) + np.bincount(
        of[0], ((share - total[of[1]]) ** 2 - total[of[1]] ** 2) * spread[of[1]], len(n)
    )
    chance = np.sqrt(on_mix * (1 - on_mix) / n)
    network_rate, one = np.full(len(n), rate), np.ones(len(n))
    mix_sd = np.sqrt(np.maximum(variance, 0.0))
    return {
        ("gap", ""): _Part(observed, network_rate, observed - rate, np.sqrt(rate * (1 - rate) / n), one),
        ("mix", ""): _Part(on_mix, network_rate, on_mix - rate, mix_sd, one),
        ("own", ""): _Part(observed, on_mix, observed - on_mix, chance, one),
    }


def _frame(kind: str, code: str, n: Floats, part: _Part) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dealer": np.arange(len(n)),
            "kind": kind,
            "code": code,
            "leads": n,
            "observed": part.observed,
            "expected": part.expected,
            "points": 100 * part.effect,
            "deals": part.effect * n,
            "lo90": 100 * (part.effect - _Z90 * part.sd),
            "hi90": 100 * (part.effect + _Z90 * part.sd),
            "slope": part.slope,
        }
    )


def _reasons(
    known: pd.DataFrame, dealer: npt.NDArray[np.int64], cell: npt.NDArray[np.int64], n: Floats, defeats: Floats
) -> pd.DataFrame:
    """Defeats per lead by reason against the network's on the dealer's own mix; expectations add up to ``defeats``."""
    lost = ~known["won"].to_numpy(dtype=bool)
    reason, codes = pd.factorize(known["reason"].where(lost).astype("str").fillna(NO_REASON), sort=True)
    width, cells = len(codes), int(cell.max()) + 1
    observed = np.bincount(dealer[lost] * width + reason[lost], minlength=len(n) * width).reshape(-1, width)
    by_cell = np.bincount(cell[lost] * width + reason[lost], minlength=cells * width).reshape(-1, width)
    cell_n = np.bincount(cell, minlength=cells).astype("float64")
    rates = (by_cell + _CELL_PRIOR * by_cell.sum(0) / cell_n.sum()) / (cell_n + _CELL_PRIOR)[:, None]
    mix = np.bincount(dealer.astype("int64") * cells + cell, minlength=len(n) * cells).reshape(-1, cells)
    expected = (mix @ rates) / n[:, None]
    whole = expected.sum(1)
    expected *= np.divide(defeats, whole, out=np.zeros_like(whole), where=whole > 0)[:, None]
    frames: list[pd.DataFrame] = []
    for place, code in enumerate(codes):
        rate, own = expected[:, place], observed[:, place] / n
        part = _Part(own, rate, rate - own, np.sqrt(np.clip(rate * (1 - rate), 0, None) / n), np.full(len(n), -1.0))
        frames.append(_frame("reason", str(code), n, part)[(rate > 0) | (own > 0)])
    return pd.DataFrame(pd.concat(frames, ignore_index=True))


def _with_posterior(table: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Intervals by the comparison of dealers, where it judged the dealer."""
    name = table["code"].where(table["kind"] == "step", "")
    name = name.mask(table["kind"] == "own", "close_rate").mask(table["kind"] == "reason", "reason:" + table["code"])
    figures = comparisons[["dealer_id", "indicator", "gap_points", "lo90", "hi90"]]
    judged = figures[figures["gap_points"].notna()].rename(columns={"lo90": "low", "hi90": "high"})
    joined = table.assign(indicator=name).merge(judged, on=["dealer_id", "indicator"], how="left")
    sure = joined["gap_points"].notna().to_numpy()
    ends = [(joined["slope"] * joined[end]).to_numpy() for end in ("low", "high")]
    down = (joined["slope"] < 0).to_numpy()
    return table.assign(
        shrunk_points=(joined["slope"] * joined["gap_points"]).to_numpy(),
        lo90=np.where(sure, np.where(down, ends[1], ends[0]), table["lo90"]),
        hi90=np.where(sure, np.where(down, ends[0], ends[1]), table["hi90"]),
        basis=np.where(sure, "posterior", "sampling"),
    )


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Adds ``chance`` and ``rank``; by the shrunk effect where there is one."""
    drivers = table["kind"].isin(["step", "remaining", "reason"])
    costs = table["shrunk_points"].fillna(table["points"])
    group = [table["dealer_id"], table["kind"] == "reason"]
    rank = costs.where(drivers).groupby(group).rank(method="first")
    return table.assign(chance=(table["lo90"] <= 0) & (table["hi90"] >= 0), rank=rank)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    order = {"gap": 0, "mix": 1, "own": 2, "step": 3, "remaining": 4, "reason": 5}
    place = table["kind"].map(order)
    ordered: pd.DataFrame = table.assign(_place=place)
    ordered = ordered.sort_values(["dealer_id", "_place", "rank"], kind="stable", ignore_index=True)
    text = dict.fromkeys(("dealer_id", "region_id", "kind", "code", "basis"), "str")
    numbers = dict.fromkeys(("observed", "expected", "points", "deals", "lo90", "hi90", "shrunk_points"), "float64")
    return ordered[DECOMPOSITION_COLUMNS].astype(
        text | numbers | {"leads": "int64", "chance": "boolean", "rank": "Int64"}
    )
