"""The dealers of the simulated brand and what is true of each (docs/sample.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.compute.simulation import fates
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.draws import Array, Draws, Floats, Ints

#: What executed measures do in a month: (dealer_id, cause) -> percentage points of leads that are won instead of lost
#: for that cause; negative points lose won leads to it.
Effects = Mapping[tuple[str, str], float]

SIGNALS: tuple[str, ...] = (
    "shared_phone",
    "staff_phone",
    "sequential_phone",
    "revisit_seconds",
    "straight_top_marks",
    "deadline_burst",
    "copied_text",
    "one_reason",
)

LEVEL_SPREAD = 0.22  # standard deviation of a dealer's lasting level per reason, log scale (tau)
CLOSE_SPREAD = 0.16  # of its lasting level of closing
WANDER = 0.13  # of the part that comes and goes (sigma), with
MEMORY = 0.8  # this correlation from month to month (rho)
MEMORY_MONTHS = 20
WEAK_SHARE = 0.25
WEAK_POINTS = (5.0, 10.0)  # excess defeats per 100 leads for the planted cause
TAKEN_FROM_WON = 0.6  # how much of the excess would have been won


@dataclass(frozen=True)
class Dealers:
    """One entry per dealer in every array."""

    ids: Array
    names: Array
    region: Ints
    city: Array
    tier: Array
    opened: Array  # datetime64[D]
    volume: Floats  # expected leads a month
    series_mix: Floats  # dealer x series
    source_mix: Floats  # dealer x source
    levels: Floats  # dealer x fate: lasting deviation, log scale
    cause: Ints  # fate planted as weak, 0 when ordinary
    points: Floats  # excess defeats per 100 leads for it
    coverage: Floats  # share of defeats revisited
    response: Floats  # median hours to the first contact
    confusion: Floats  # how readily consultants file another reason than the true one
    consultants: Ints  # how many
    fakery: tuple[frozenset[str], ...]  # authenticity signals planted
    english: Array  # staff write English now and then


@dataclass(frozen=True)
class Network:
    """A car brand's dealers with known truth; ``first_month`` is month 0 as ``YYYY-MM``."""

    seed: int
    first_month: str
    regions: tuple[tuple[str, str], ...]
    dealers: Dealers
    consultant_dealer: Ints
    consultant_first: Ints  # per dealer, index of its first consultant
    consultant_quality: Floats

    @classmethod
    def build(
        cls, dealers: int, seed: int, first_month: str = "2025-08", weak_share: float = WEAK_SHARE, fakery: float = 0.06
    ) -> Network:
        """A brand of ``dealers`` dealers, ``weak_share`` of them weak at one planted cause.

        ``fakery`` is the share of dealers that embellish their records by one sign each. The same arguments give the
        same network. Raises ValueError for fewer than one dealer.
        """
        if dealers < 1:
            raise ValueError("a network needs at least one dealer")
        draws = Draws(seed, 0, "network")
        built = _dealers(dealers, draws, weak_share, fakery)
        count = built.consultants
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        used = sorted(set(built.region.tolist()))
        return cls(
            seed=seed,
            first_month=first_month,
            regions=tuple(words.REGIONS[number][:2] for number in used),
            dealers=built,
            consultant_dealer=np.repeat(np.arange(dealers), count),
            consultant_first=first,
            consultant_quality=draws.normal("consultants", int(count.sum())) * 0.25,
        )

    @property
    def size(self) -> int:
        """How many dealers there are."""
        return len(self.dealers.ids)

    def month_name(self, month: int) -> str:
        """``YYYY-MM`` of month ``month`` (0 is the first)."""
        return str(np.datetime64(self.first_month, "M") + np.timedelta64(month, "M"))

    def month_number(self, name: str) -> int:
        """The number of the month ``YYYY-MM``."""
        return int((np.datetime64(name, "M") - np.datetime64(self.first_month, "M")).astype(int))

    def deviations(self, month: int) -> Floats:
        """Dealer x fate on the log scale: the lasting level and what comes and goes (AR1, stationary)."""
        wandering = np.zeros_like(self.dealers.levels)
        scale = WANDER * np.sqrt(1 - MEMORY**2)
        for back in range(MEMORY_MONTHS):
            shock = Draws(self.seed, month - back, "dynamics").normal("shock", self.dealers.levels.shape)
            wandering += MEMORY**back * scale * shock
        wandering[:, fates.WON] *= 0.6
        return np.asarray(self.dealers.levels + wandering)

    def market(self, month: int) -> tuple[float, float]:
        """What the whole market does in a month: factor of lead volume, shift of closing (log-odds)."""
        calendar = int(self.month_name(month)[5:]) - 1
        drift = sum(float(Draws(self.seed, step, "market").normal("drift", 1)[0]) for step in range(-6, month + 1))
        volume = words.SEASON_VOLUME[calendar] * float(np.exp(0.015 * drift))
        return volume, words.SEASON_CLOSE[calendar] + 0.02 * drift

    def true_close_rate(self) -> Floats:
        """Per dealer: the lasting probability to win a lead of the national mix, free of the dealer's own mix."""
        series = np.repeat(np.arange(len(words.SERIES)), len(words.SOURCES))
        source = np.tile(np.arange(len(words.SOURCES)), len(words.SERIES))
        weight = np.array([words.SERIES[s].share * words.SOURCES[c].share for s, c in zip(series, source, strict=True)])
        rates = np.zeros(self.size)
        levels = self.dealers.levels
        for cell, share in enumerate(weight / weight.sum()):
            logits = levels + cell_logits()[series[cell], source[cell]]
            rates += share * planted(softmax(logits), self.dealers.cause, self.dealers.points)[:, fates.WON]
        return rates

    def frame(self) -> pd.DataFrame:
        """The ``dealers`` table of the contract."""
        d = self.dealers
        return pd.DataFrame(
            {
                "dealer_id": pd.Series(d.ids, dtype="str"),
                "name": pd.Series(d.names, dtype="str"),
                "region_id": pd.Series([words.REGIONS[r][0] for r in d.region], dtype="str"),
                "region_name": pd.Series([words.REGIONS[r][1] for r in d.region], dtype="str"),
                "city": pd.Series(d.city, dtype="str"),
                "tier": pd.Series(d.tier, dtype="str"),
                "opened_on": pd.Series(d.opened.astype("datetime64[us]")),
            }
        )


def cell_logits() -> Floats:
    """Series x source x fate: how leads end by what they are about and where they come from (log scale)."""
    logits = np.tile(np.log(fates.base_shares()), (len(words.SERIES), len(words.SOURCES), 1))
    for number, series in enumerate(words.SERIES):
        logits[number, :, fates.WON] += series.close
        for code, shift in series.weak:
            logits[number, :, fates.FATE_OF[code]] += shift
    unreachable = [*fates.starting_with("record_"), fates.FATE_OF["process_follow_up"]]
    for number, source in enumerate(words.SOURCES):
        logits[:, number, fates.WON] += source.close
        if not source.online:
            logits[:, number, unreachable] -= 0.9
        if source.walk_in:
            logits[:, number, fates.FATE_OF["process_reception"]] += 0.7
    return logits


def softmax(logits: Floats) -> Floats:
    """Row-wise probabilities from log weights."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def planted(chances: Floats, cause: Ints, points: Floats) -> Floats:
    """Fate probabilities with each row's planted excess for ``cause``, taken mostly from won, else from the others."""
    chances = chances.copy()
    rows = np.flatnonzero(cause)
    column = cause[rows]
    excess = points[rows] / 100
    from_won = np.minimum(TAKEN_FROM_WON * excess, 0.6 * chances[rows, fates.WON])
    others = 1 - chances[rows, fates.WON] - chances[rows, column]
    scale = 1 - (excess - from_won) / others
    won, own = chances[rows, fates.WON].copy(), chances[rows, column].copy()
    chances[rows] *= scale[:, None]
    chances[rows, fates.WON] = won - from_won
    chances[rows, column] = own + excess
    return chances


def _dealers(count: int, draws: Draws, weak_share: float, fakery: float) -> Dealers:
    region, city, tier, names = _places(count, draws)
    volume = np.clip(75 * np.exp(0.5 * draws.normal("volume", count)), 30, 300)
    levels = draws.normal("levels", (count, len(fates.FATES))) * LEVEL_SPREAD
    levels[:, fates.WON] *= CLOSE_SPREAD / LEVEL_SPREAD
    region_level = draws.normal("regions", len(words.REGIONS)) * 0.06
    levels[:, fates.WON] += region_level[region]
    weak = draws.rng("weak").permutation(count) < round(weak_share * count)
    causes = np.array([fates.FATE_OF[code] for code in fates.CAUSES])
    cause = np.where(weak, causes[draws.rng("cause").integers(0, len(causes), count)], 0)
    cause = cause * np.array([region.tolist().count(place) > 1 or c != fates.FATE_OF["price_sister_bidding"]
                              for place, c in zip(region.tolist(), cause.tolist(), strict=True)])  # fmt: skip
    slow = np.where(cause == fates.FATE_OF["process_follow_up"], 6.0, 1.0)
    return Dealers(
        ids=np.array([f"D{number + 1:04d}" for number in range(count)], dtype=object),
        names=names,
        region=region,
        city=city,
        tier=tier,
        opened=np.datetime64("2006-03-01") + draws.rng("opened").integers(0, 6500, count).astype("timedelta64[D]"),
        volume=volume,
        series_mix=_mix(draws, "series", count, [series.share for series in words.SERIES], 9.0),
        source_mix=_mix(draws, "source", count, [source.share for source in words.SOURCES], 7.0),
        levels=levels,
        cause=cause,
        points=np.where(cause > 0, draws.uniform("points", count, *WEAK_POINTS), 0.0),
        coverage=np.clip(0.5 + 0.16 * draws.normal("coverage", count), 0.1, 0.95),
        response=slow * 0.8 * np.exp(0.35 * draws.normal("response", count)),
        confusion=np.clip(0.45 + 0.12 * draws.normal("confusion", count), 0.1, 0.8),
        consultants=np.maximum(2, np.rint(volume / 16)).astype(np.int64),
        fakery=_fakery(count, draws, fakery),
        english=draws.uniform("english", count) < 0.1,
    )


def _places(count: int, draws: Draws) -> tuple[Ints, Array, Array, Array]:
    """Region, city, tier and name per dealer; small networks live in few regions so that dealers have neighbours."""
    regions = min(len(words.REGIONS), max(1, count // 8))
    region = np.sort(draws.pick("region", count, tuple(float(len(r[2])) for r in words.REGIONS[:regions])))
    rng = draws.rng("city")
    city, tier, names = [], [], []
    taken: set[str] = set()
    for place in region.tolist():
        cities = words.REGIONS[place][2]
        while True:
            town, level = cities[int(len(cities) * rng.random() ** 1.4)]
            name = f"{town}{words.TRADES[rng.integers(len(words.TRADES))]}{words.BRAND}4S店"
            if name not in taken or len(taken) > 20 * len(cities):
                break
        taken.add(name)
        city.append(town)
        tier.append(level)
        names.append(name)
    return region, np.array(city, object), np.array(tier, object), np.array(names, object)


def _mix(draws: Draws, name: str, count: int, shares: list[float], concentration: float) -> Floats:
    """Shares per dealer around the nation's: mixes differ so much that raw rates mislead."""
    weights = np.asarray(shares) / np.sum(shares)
    return np.asarray(draws.rng(name + "_mix").dirichlet(weights * concentration, count) * 0.97 + weights * 0.03)


def _fakery(count: int, draws: Draws, share: float) -> tuple[frozenset[str], ...]:
    """One sign each for ``share`` of the dealers, signs in turn so that every one occurs in a large network."""
    order = draws.rng("fakery").permutation(count)
    chosen = {int(dealer): SIGNALS[turn % len(SIGNALS)] for turn, dealer in enumerate(order[: round(share * count)])}
    return tuple(frozenset({chosen[dealer]}) if dealer in chosen else frozenset() for dealer in range(count))
