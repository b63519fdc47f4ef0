"""The times, contacts and prices of leads on their way to the end that is set for them."""

from __future__ import annotations

import numpy as np

from tasks.compute.simulation import fates
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.draws import Array, Draws, Floats, Ints
from tasks.compute.simulation.network import Network

DAY = 86_400
NEVER = np.int64(2**60)
_TIMES = ("created", "first_contact", "visited", "test_drive", "quoted", "ordered", "delivered", "defeated", "close",
          "last_contact", "filed_before", "reopened", "bought_at")  # fmt: skip
# time of day as drawn -> as people work: the night's events happen first thing in the morning, in order
_DRAWN, _WORKED = (0, 9 * 3600, 21 * 3600, DAY), (9 * 3600, 9.7 * 3600, 20.3 * 3600, 21 * 3600)


def month_start(network: Network, month: int) -> int:
    """The first second of a month."""
    start = np.datetime64(network.first_month, "M") + np.timedelta64(month, "M")
    return int(start.astype("datetime64[s]").astype(np.int64))


def in_opening_hours(times: Ints) -> Ints:
    """The same days, with the times of day between 9 and 21 o'clock; keeps the order of events."""
    day, second = np.divmod(times, DAY)
    moved = day * DAY + np.interp(second, _DRAWN, _WORKED).astype(np.int64)
    return np.where(times >= NEVER // 2, times, moved)


def add_timeline(network: Network, draws: Draws, leads: dict[str, Array]) -> None:
    """Adds stages and their times, contacts, prices to ``leads`` (see the docstring of ``cohorts``)."""
    n = len(leads["fate"])
    stage = _stages(leads["fate"], draws.uniform("stage", n))
    stage[leads["hasty"]] = 0
    walk_in = np.array([source.walk_in for source in words.SOURCES])[leads["source"]]
    stage = np.where(walk_in & (stage == 0), 1, stage)
    won = leads["fate"] == fates.WON
    drives = draws.uniform("drives", n) < np.where(won, 0.86, 0.7)
    no_drive = leads["fate"] == fates.FATE_OF["process_no_test_drive"]
    end = np.where(leads["close"] == NEVER, leads["created"] + 60 * DAY, leads["close"])
    first = _first_contact(network, draws, leads, end, walk_in)
    visited = np.maximum(first, _between(leads["created"], end, draws.uniform("visit", n, 0.05, 0.5)))
    visited = np.where(walk_in, np.minimum(first + 300, end), visited)
    driven = _between(visited, end, draws.uniform("drive", n, 0.01, 0.3))
    quoted = _between(driven, end, draws.uniform("quote", n, 0.01, 0.6))
    ordered = _between(quoted, end, draws.uniform("order", n, 0.1, 0.5))
    leads["stage"] = stage
    leads["first_contact"] = first
    leads["visited"] = np.where(stage >= 1, visited, NEVER)
    leads["test_drive"] = np.where((stage >= 2) & ((stage == 2) | drives) & ~no_drive, driven, NEVER)
    leads["quoted"] = np.where(stage >= 3, quoted, NEVER)
    closed = leads["close"] != NEVER
    leads["ordered"] = np.where(won & closed, leads["close"], np.where(stage == 4, ordered, NEVER))
    waits = (draws.uniform("wait", n, 2, 38) * DAY).astype(np.int64)
    leads["delivered"] = np.where(won & closed, leads["close"] + waits, NEVER)
    leads["defeated"] = np.where(won, NEVER, leads["close"])
    _contacts(draws, leads, end, walk_in)
    _reopenings(draws, leads)
    for name in _TIMES:
        leads[name] = in_opening_hours(leads[name])
    _prices(network, draws, leads)


def _between(start: Ints, end: Ints, share: Floats) -> Ints:
    return np.asarray(start + (share * np.maximum(end - start, 0)).astype(np.int64))


def _stages(fate: Ints, uniform: Floats) -> Ints:
    edges = np.cumsum(fates.stage_shares(), axis=1)[:, :-1]
    return np.asarray((uniform[:, None] > edges[fate] + 1e-12).sum(axis=1))


def _first_contact(network: Network, draws: Draws, leads: dict[str, Array], end: Ints, walk_in: Array) -> Ints:
    """First attempt: hours after the lead, later at slow dealers and with leads lost for lack of follow-up."""
    n = len(end)
    late = np.where(leads["fate"] == fates.FATE_OF["process_follow_up"], 5.0, 1.0)
    hours = network.dealers.response[leads["dealer"]] * late * np.exp(1.1 * draws.normal("response", n))
    hours = np.where(walk_in, 0.05 + 0.1 * draws.uniform("greet", n), hours)
    latest = leads["created"] + (0.6 * (end - leads["created"])).astype(np.int64)
    return np.asarray(np.minimum(leads["created"] + (hours * 3600).astype(np.int64) + 60, latest))


def _contacts(draws: Draws, leads: dict[str, Array], end: Ints, walk_in: Array) -> None:
    """How often and until when customers were contacted."""
    n, fate = len(end), leads["fate"]
    days = (end - leads["created"]) / DAY
    mean = 1.2 + 0.9 * leads["stage"] + np.minimum(days, 60) / 14
    mean = np.where(fate == fates.FATE_OF["process_follow_up"], 0.5, mean)
    count = 1 + draws.rng("contacts").poisson(mean)
    tried = draws.uniform("tried", n)
    count = np.where(fate == fates.FATE_OF["record_out_of_reach"], np.where(tried < 0.65, 4 + count % 4, 2), count)
    once = leads["hasty"] | (np.isin(fate, fates.EXCLUDED))
    count = np.where(once, (tried < 0.85).astype(np.int64), count)
    none = (count == 0) & ~walk_in
    leads["contacts"] = np.where(walk_in, np.maximum(count, 1), count)
    leads["first_contact"] = np.where(none, NEVER, leads["first_contact"])
    last = _between(np.minimum(leads["first_contact"], end), end, draws.uniform("last", n, 0.6, 0.98))
    last = np.where(leads["contacts"] == 1, leads["first_contact"], last)
    leads["last_contact"] = np.where(none, NEVER, last)


def _reopenings(draws: Draws, leads: dict[str, Array]) -> None:
    """Some leads were filed once already and taken up again before they ended."""
    n = len(leads["fate"])
    span = leads["close"] - leads["created"]
    early = leads["created"] + (0.4 * span).astype(np.int64)
    progress = np.where(leads["visited"] == NEVER, leads["first_contact"], leads["visited"])
    known = (leads["close"] != NEVER) & (span > 20 * DAY) & (early > progress)
    known &= (np.where(leads["quoted"] == NEVER, early + 1, leads["quoted"]) > early) & (leads["stage"] < 4)
    known &= (
        (leads["kind"] == 0)
        & (leads["twist"] == 0)
        & ~np.isin(leads["fate"], fates.EXCLUDED)
        & draws.happens("reopened", n, 0.06)
    )
    leads["filed_before"] = np.where(known, early, NEVER)
    leads["reopened"] = np.where(known, early + (0.25 * span).astype(np.int64), NEVER)
    # the deal goes on after the reopening: what follows the first filing is pressed behind it
    for name in ("test_drive", "quoted"):
        rows = np.flatnonzero(known & (leads[name] != NEVER) & (leads[name] > early))
        share = (leads[name][rows] - early[rows]) / np.maximum(leads["close"][rows] - early[rows], 1)
        leads[name][rows] = _between(leads["reopened"][rows], leads["close"][rows], share)


def _prices(network: Network, draws: Draws, leads: dict[str, Array]) -> None:
    """List price, quote and budget; price reasons show in them (docs/sample.md)."""
    n, fate = len(leads["fate"]), leads["fate"]
    table = np.array([[price for _, price in series.trims] for series in words.SERIES])
    listed = table[leads["series"], leads["trim"]]
    house = np.clip(0.935 + 0.015 * draws.normal("house", n) + _house_level(network)[leads["dealer"]], 0.85, 1.0)
    factor = np.where(fate == fates.FATE_OF["price_dealer_markup"], draws.uniform("markup", n, 1.02, 1.07), house)
    tight = draws.uniform("tight", n, 0.985, 1.0)
    factor = np.where(fate == fates.FATE_OF["price_discount_too_small"], tight, factor)
    chaos = network.dealers.cause == fates.FATE_OF["price_inconsistent_promotion"]
    swing = np.where(draws.uniform("swing", n) < 0.5, -0.06, 0.06)
    swings = (fate == fates.FATE_OF["price_inconsistent_promotion"]) | (chaos[leads["dealer"]] & (fate > 0))
    factor = np.where(swings, house + swing, factor)
    budget = listed * (1 + 0.09 * draws.normal("budget", n))
    far = listed * draws.uniform("far", n, 0.5, 0.68)
    leads["list_price"] = listed
    leads["quoted_price"] = np.rint(listed * factor / 100) * 100
    leads["budget"] = np.rint(
        np.where(fate == fates.FATE_OF["process_needs_not_understood"], far, budget) / 5000
    ) * 5000  # fmt: skip


def _house_level(network: Network) -> Floats:
    return Draws(network.seed, 0, "prices").normal("house", network.size) * 0.01


def settle(
    network: Network, leads: dict[str, Array], month: int, effects: dict[int, Floats], horizon: int
) -> dict[str, Array]:
    """The cohort of ``month`` as measures changed it: a changed copy of the columns that differ.

    ``effects[m]`` is dealer x fate in points for leads closing in month m (``network.Effects`` as an array); a saved
    lead is won when it would have been lost and goes through its stages in the month it closes.
    """
    turned = dict(leads)
    for later in range(month, month + horizon + 1):
        if later not in effects or not effects[later].any():
            continue
        begin, finish = month_start(network, later), month_start(network, later + 1)
        points = effects[later][leads["dealer"]] / 100
        closing = (leads["close"] >= begin) & (leads["close"] < finish) & (leads["kind"] == 0)
        own = points[np.arange(len(closing)), leads["fate"]]
        saved = closing & (leads["fate"] != fates.WON) & (leads["luck"] < np.minimum(own / leads["chance"], 0.95))
        lost = np.maximum(-points, 0.0)
        lost[:, fates.WON] = 0
        edges = np.cumsum(lost, axis=1) / leads["chance"][:, None]
        falls = closing & (leads["fate"] == fates.WON) & (leads["luck"] < np.minimum(edges[:, -1], 0.95))
        _quicken(turned, points[:, fates.FATE_OF["process_follow_up"]] * 100, begin, finish)
        _turn(turned, np.flatnonzero(saved), begin, finish)
        _spoil(turned, np.flatnonzero(falls), edges)
    return turned


def _quicken(leads: dict[str, Array], points: Floats, begin: int, finish: int) -> None:
    """A measure that works on follow-up shows in all leads made while it acts: called sooner, not given up at once."""
    made = (leads["created"] >= begin) & (leads["created"] < finish) & (points > 0)
    rows = np.flatnonzero(made & (leads["first_contact"] != NEVER))
    wait = (leads["first_contact"][rows] - leads["created"][rows]) * np.exp(-0.25 * points[rows])
    once = leads["contacts"][rows] == 1
    kept = once & leads["hasty"][rows] & (leads["luck"][rows] < 0.12 * points[rows])
    changes = {
        "first_contact": leads["created"][rows] + np.maximum(wait, 60).astype(np.int64),
        "contacts": np.where(kept, 3, leads["contacts"][rows]),
    }
    # who was called once was called last when first
    changes["last_contact"] = np.where(once & ~kept, changes["first_contact"], leads["last_contact"][rows])
    _change(leads, rows, changes)


def _turn(leads: dict[str, Array], rows: Ints, begin: int, finish: int) -> None:
    """Leads that a measure saved."""
    if not len(rows):
        return
    close = leads["close"][rows]
    start = np.maximum(leads["created"][rows], begin)
    span = close - start
    first = np.minimum(leads["first_contact"][rows], start + (0.1 * span).astype(np.int64))
    changes = {
        "fate": np.zeros(len(rows), np.int64),
        "first_contact": first,
        "visited": np.minimum(leads["visited"][rows], start + (0.3 * span).astype(np.int64)),
        "test_drive": start + (0.5 * span).astype(np.int64),
        "quoted": start + (0.8 * span).astype(np.int64),
        "ordered": close,
        "delivered": np.where(close + 2 * DAY < finish, close + 2 * DAY, NEVER),
        "defeated": np.full(len(rows), NEVER),
        "contacts": np.maximum(leads["contacts"][rows], 4),
        "last_contact": np.maximum(first, close - np.minimum(span, DAY) // 2),
        "stage": np.full(len(rows), 3),
    }
    changes["quoted"] = np.maximum(changes["quoted"], changes["visited"])
    changes["test_drive"] = np.clip(changes["test_drive"], changes["visited"], changes["quoted"])
    _change(leads, rows, changes)


def _spoil(leads: dict[str, Array], rows: Ints, edges: Floats) -> None:
    """Leads lost to a measure that does harm."""
    if not len(rows):
        return
    fate = (leads["luck"][rows][:, None] >= edges[rows]).sum(axis=1)
    never = np.full(len(rows), NEVER)
    _change(leads, rows, {"fate": fate, "defeated": leads["close"][rows], "ordered": never, "delivered": never})


def _change(leads: dict[str, Array], rows: Ints, changes: dict[str, Array]) -> None:
    for name, values in changes.items():
        column = leads[name].copy()
        column[rows] = values
        leads[name] = column
