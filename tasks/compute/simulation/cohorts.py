"""The leads of one creation month with everything that will become of them when no measure interferes.

A cohort is a dict of equally long arrays (``Columns``), one entry per lead. Besides the leads created in the month
(``kind`` PRIMARY) it holds the later leads of the same persons (comebacks, leads at sister dealers, owners who
return), which may be created in a following month. Times are seconds since 1970 local time, ``NEVER`` when it does not
happen.
"""

from __future__ import annotations

import numpy as np

from tasks.compute.simulation import fates
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.draws import Array, Draws, Flags, Floats, Ints
from tasks.compute.simulation.network import Network, cell_logits, planted, softmax
from tasks.compute.simulation.timeline import DAY, NEVER, add_timeline, month_start

Columns = dict[str, Array]

#: no event of a cohort lies more than so many months after its creation month
HORIZON_MONTHS = 8

PRIMARY, COMEBACK, SISTER_WON, SISTER_OPEN, SISTER_LOST, OWNER_RETURNS = range(6)

#: what else happens to a customer filed as defeated (``twist``)
NO_TWIST, BOUGHT_HERE, CAME_BACK, SISTER_SALE_LEAD, SISTER_SALE, SISTER_LEAD_OPEN, SISTER_LEAD_LOST = range(7)
_ORDINARY = (0.905, 0.025, 0.020, 0.012, 0.018, 0.006, 0.014)
_BIDDING = (0.150, 0.015, 0.010, 0.425, 0.200, 0.050, 0.150)

#: phone numbers that Chinese operators hand out, by their first three digits
_OPEN_BLOCKS = ((130, 140), (150, 154), (155, 160), (166, 167), (173, 174), (175, 179), (180, 194), (195, 200))
_PREFIXES = np.array([prefix for first, after in _OPEN_BLOCKS for prefix in range(first, after)])
_SPACE = len(_PREFIXES) * 10**8
_MONTH_PERSONS = 2**22  # persons a month may bring; indices of other kinds of persons start above all months
OWNER_PERSONS, OTHER_PERSONS, STAFF_PERSONS = 10**9, 2 * 10**9, 3 * 10**9
_FIRST_MONTH = 40


def phone_numbers(persons: Ints, seed: int) -> Ints:
    """A mobile number per person, different persons having different numbers."""
    code = (persons.astype(np.uint64) * np.uint64(1_000_000_007) + np.uint64(seed * 7919 + 123_456_789)) % np.uint64(
        _SPACE
    )
    prefix = _PREFIXES[(code // np.uint64(10**8)).astype(np.int64)]
    return np.asarray(prefix * 10**8 + (code % np.uint64(10**8)).astype(np.int64))


def month_persons(month: int, count: int) -> Ints:
    """The persons who become customers in a month."""
    return (month + _FIRST_MONTH) * _MONTH_PERSONS + np.arange(count)


def cohort(network: Network, month: int) -> Columns:
    """All leads that began in ``month`` and the later ones of the same persons."""
    draws = Draws(network.seed, month, "cohort")
    leads = _arrivals(network, month, draws)
    _decide(network, month, draws, leads)
    _closings(draws, leads)
    _twists(network, draws, leads)
    leads = _with_linked(network, draws, leads)
    add_timeline(network, Draws(network.seed, month, "timeline"), leads)
    return leads


def _arrivals(network: Network, month: int, draws: Draws) -> Columns:
    d = network.dealers
    volume, _ = network.market(month)
    counts = draws.rng("counts").poisson(d.volume * volume)
    dealer = np.repeat(np.arange(network.size), counts)
    n = len(dealer)
    series = _pick_rows(d.series_mix, dealer, draws.uniform("series", n))
    source = _pick_rows(d.source_mix, dealer, draws.uniform("source", n))
    online = np.array([s.online for s in words.SOURCES])[source]
    begin, end = month_start(network, month), month_start(network, month + 1)
    day = np.floor(draws.uniform("day", n) * ((end - begin) // DAY)).astype(np.int64)
    hour = np.where(online, draws.uniform("hour", n, 7.5, 23.5), draws.uniform("hour_shop", n, 9.0, 19.5))
    person = month_persons(month, n)
    leads: Columns = {
        "kind": np.zeros(n, np.int8),
        "parent": np.full(n, -1),
        "dealer": dealer,
        "consultant": _consultant(network, dealer, draws.uniform("consultant", n)),
        "series": series,
        "source": source,
        "trim": draws.pick("trim", n, (0.35, 0.42, 0.23)),
        "person": person,
        "phone": phone_numbers(person, network.seed),
        "created": begin + day * DAY + (hour * 3600).astype(np.int64),
    }
    _fake_phones(network, draws, leads)
    return leads


def _pick_rows(shares: Floats, rows: Ints, uniform: Floats) -> Ints:
    """One index per entry of ``rows``, drawn with the shares of that row."""
    edges = np.cumsum(shares, axis=1)[:, :-1]
    return np.asarray((uniform[:, None] > edges[rows]).sum(axis=1))


def _consultant(network: Network, dealer: Ints, uniform: Floats) -> Ints:
    """The consultant (numbered over the network) a lead of ``dealer`` is given to."""
    return np.asarray(
        network.consultant_first[dealer] + np.floor(uniform * network.dealers.consultants[dealer]).astype(np.int64)
    )


def _fake_phones(network: Network, draws: Draws, leads: Columns) -> None:
    """The embellished phones of dealers planted for it: one number for many, the staff's own, runs of numbers."""
    dealer, n = leads["dealer"], len(leads["dealer"])
    uniform = draws.uniform("fake_phone", n)

    def at(signal: str, share: float) -> Ints:
        has = np.array([signal in signs for signs in network.dealers.fakery])
        return np.flatnonzero(has[dealer] & (uniform < share))

    rows = at("shared_phone", 0.15)
    leads["phone"][rows] = phone_numbers(STAFF_PERSONS + 10**7 + dealer[rows] * 10 + rows % 5, network.seed)
    rows = at("staff_phone", 0.12)
    leads["phone"][rows] = staff_phones(network, leads["consultant"][rows])
    rows = at("sequential_phone", 0.2)
    start = phone_numbers(STAFF_PERSONS + 2 * 10**7 + dealer[rows], network.seed) // 10**5 * 10**5
    leads["phone"][rows] = start + rows % 10**5


def staff_phones(network: Network, consultants: Ints) -> Ints:
    """The consultants' own mobile numbers."""
    return phone_numbers(STAFF_PERSONS + consultants, network.seed)


def _decide(network: Network, month: int, draws: Draws, leads: Columns) -> None:
    """Draw each lead's fate and keep its chance, so that a measure can move exactly its points."""
    _, close = network.market(month)
    logits = cell_logits()[leads["series"], leads["source"]] + network.deviations(month)[leads["dealer"]]
    quality = network.consultant_quality[leads["consultant"]]
    logits[:, fates.WON] += close + 0.4 * quality
    logits[:, fates.starting_with("process_")] -= quality[:, None]
    d, dealer = network.dealers, leads["dealer"]
    chances = planted(softmax(logits), d.cause[dealer], d.points[dealer])
    edges = np.cumsum(chances, axis=1)[:, :-1]
    n = len(dealer)
    fate = (draws.uniform("fate", n)[:, None] > edges).sum(axis=1)
    leads["fate"] = fate
    leads["chance"] = chances[np.arange(n), fate]
    leads["luck"] = draws.uniform("luck", n)  # decides whether a measure saves this lead


def _closings(draws: Draws, leads: Columns) -> None:
    """When each lead closes; some are closed after a single call, some never."""
    fate, n = leads["fate"], len(leads["fate"])
    won = fate == fates.WON
    gamma = draws.rng("delay").standard_gamma(1.6, n)
    days = np.where(won, gamma * 11, gamma * 16) + 0.15
    hasty = draws.happens("hasty", n, np.where(fate == fates.FATE_OF["record_misjudged"], 0.9, 0.03)) & ~won
    days = np.where(hasty, draws.uniform("hasty_days", n, 0.2, 4.5), np.minimum(days, np.where(won, 60, 120)))
    days = np.where(np.isin(fate, fates.EXCLUDED), np.minimum(days, 12 * draws.uniform("quick", n) + 0.2), days)
    silent = draws.happens("silent", n, 0.05) & ~won & ~hasty
    leads["hasty"] = hasty
    leads["close"] = np.where(silent, NEVER, leads["created"] + (days * DAY).astype(np.int64))


def _twists(network: Network, draws: Draws, leads: Columns) -> None:
    """What filed customers do besides: buy here after all, come back, deal with or buy from a sister dealer."""
    fate, dealer, n = leads["fate"], leads["dealer"], len(leads["fate"])
    uniform = draws.uniform("twist", n)
    bidding = fate == fates.FATE_OF["price_sister_bidding"]
    twist = np.where(bidding, _pick(_BIDDING, uniform), _pick(_ORDINARY, uniform))
    lost = (fate != fates.WON) & (leads["close"] != NEVER) & ~np.isin(fate, fates.EXCLUDED)
    twist[~lost] = NO_TWIST
    twist[(twist == CAME_BACK) & (leads["close"] - leads["created"] > 45 * DAY)] = NO_TWIST
    sister = _sisters(network, dealer, draws.uniform("sister", n))
    twist[(sister < 0) & (twist >= SISTER_SALE_LEAD)] = NO_TWIST
    leads["twist"], leads["sister"] = twist, sister
    # a purchase shows from a few days before the filing (late paperwork) to the end of the window after it
    bought = leads["close"] + (draws.uniform("bought", n, -6.0, 80.0) * DAY).astype(np.int64)
    # what proves a filing of the sample lies in the sample
    begin = month_start(network, 0)
    bought = np.where(leads["close"] >= begin, np.maximum(bought, begin + DAY // 2), bought)
    buys = np.isin(twist, (BOUGHT_HERE, SISTER_SALE_LEAD, SISTER_SALE))
    leads["bought_at"] = np.where(buys, np.maximum(bought, leads["created"] + DAY), NEVER)


def _pick(shares: tuple[float, ...], uniform: Floats) -> Ints:
    return np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right").astype(np.int64)


def _sisters(network: Network, dealer: Ints, uniform: Floats) -> Ints:
    """Another dealer of the same region; -1 where there is none."""
    region = network.dealers.region
    order = np.argsort(region, kind="stable")
    first = np.searchsorted(region[order], region)
    size = np.searchsorted(region[order], region, side="right") - first
    place = np.empty(network.size, np.int64)
    place[order] = np.arange(network.size)
    step = 1 + np.floor(uniform * np.maximum(size[dealer] - 1, 1)).astype(np.int64)
    neighbour = order[first[dealer] + (place[dealer] - first[dealer] + step) % size[dealer]]
    return np.where(size[dealer] > 1, neighbour, -1)


def _with_linked(network: Network, draws: Draws, leads: Columns) -> Columns:
    """The primary leads followed by the further leads of the same persons."""
    twist, n = leads["twist"], len(leads["fate"])
    returning = (leads["fate"] == fates.WON) & draws.happens("returns", n, 0.02)
    groups = [
        (COMEBACK, np.flatnonzero(twist == CAME_BACK)),
        (SISTER_WON, np.flatnonzero(twist == SISTER_SALE_LEAD)),
        (SISTER_OPEN, np.flatnonzero(twist == SISTER_LEAD_OPEN)),
        (SISTER_LOST, np.flatnonzero(twist == SISTER_LEAD_LOST)),
        (OWNER_RETURNS, np.flatnonzero(returning)),
    ]
    parent = np.concatenate([rows for _, rows in groups])
    kind = np.concatenate([np.full(len(rows), code, np.int8) for code, rows in groups])
    linked = {name: values[parent] for name, values in leads.items()}
    m = len(parent)
    at_sister = (kind == SISTER_WON) | (kind == SISTER_OPEN) | (kind == SISTER_LOST)
    linked["kind"], linked["parent"] = kind, parent
    linked["dealer"] = np.where(at_sister, leads["sister"][parent], leads["dealer"][parent])
    linked["consultant"] = _consultant(network, linked["dealer"], draws.uniform("linked_consultant", m))
    linked["source"] = draws.pick("linked_source", m, tuple(source.share for source in words.SOURCES))
    close, created = leads["close"][parent], leads["created"][parent]
    gap = draws.uniform("gap", m)
    after = np.where(kind == COMEBACK, 3 + 70 * gap, 40 + 60 * gap)
    during = created + (gap * 0.8 * (close - created)).astype(np.int64)
    linked["created"] = np.where(at_sister, during, close + (after * DAY).astype(np.int64))
    other = draws.pick("linked_fate", m, tuple(np.where(np.isin(np.arange(len(fates.FATES)), fates.EXCLUDED), 0.0,
                                                        fates.base_shares())))  # fmt: skip
    wins = (kind == SISTER_WON) | ((kind == COMEBACK) & draws.happens("linked_wins", m, 0.4))
    other = np.where((other == fates.WON) & (kind != OWNER_RETURNS), fates.FATE_OF["customer_plan_postponed"], other)
    linked["fate"] = np.where(wins, fates.WON, other)
    linked["chance"] = np.full(m, np.inf)  # measures count on the dealers' own leads only
    days = np.clip(draws.rng("linked_delay").standard_gamma(1.6, m) * 12, 0.5, 38)
    own = linked["created"] + (days * DAY).astype(np.int64)
    bought = np.maximum(leads["bought_at"][parent], linked["created"] + DAY // 4)
    # a sister dealer that also loses the customer files it after the first filing
    linked["close"] = np.select([kind == SISTER_WON, kind == SISTER_OPEN, kind == SISTER_LOST],
                                [bought, np.full(m, NEVER), close + (days * DAY).astype(np.int64)], own)  # fmt: skip
    linked["twist"], linked["sister"] = np.full(m, NO_TWIST), np.full(m, -1)
    linked["bought_at"], linked["hasty"] = np.full(m, NEVER), np.zeros(m, bool)
    joined = {name: np.concatenate([values, linked[name]]) for name, values in leads.items()}
    joined["child"] = np.full(n + m, -1)
    joined["child"][parent] = n + np.arange(m)
    joined["bought_at"][parent[kind == SISTER_WON]] = bought[kind == SISTER_WON]
    return joined


def alive(leads: Columns, fate: Ints) -> Flags:
    """Which leads exist given the settled ``fate``: a further lead needs the parent to end as it did at first."""
    parent = leads["parent"]
    return np.asarray((parent < 0) | (fate[parent] == leads["fate"][parent]))
