"""The simulated network: dealers with planted causes, measures of unknown effect, and what the counts show of it.

A lead is won, lost for one of the reasons, or lost for something else. A dealer's chance to win moves as in real
networks (lasting level, slow and monthly movement, region, season, kinds of customers); about half of the dealers have
one cause: a reason that takes so many points of close rate. Each reason has a scheme of measures, of which one does
nothing, one a little and one a lot, in an order nobody knows. A measure repairs part of the cause it is meant for,
where it is carried out and the dealer has that cause, and does nothing elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.compute.judgement.model import Floats, Ints, expit


@dataclass(frozen=True)
class Setting:
    """What a simulated network is like; levels and movement as in the benchmarks of judgement."""

    dealers: int = 150
    regions: int = 8
    history: int = 15  # months before the year
    year: int = 12
    leads: float = 130.0  # median a month
    spread: float = 0.6  # sd of log leads
    base: float = 0.17  # close rate without any cause
    cells: int = 2
    reasons: int = 5
    fixable: float = 0.5  # share of defeats with one of the reasons
    with_cause: float = 0.5
    cause: tuple[float, float] = (0.02, 0.06)  # close rate a cause takes
    repairs: tuple[float, ...] = (0.0, 0.3, 0.8)  # part of a cause the measures of a scheme repair, in unknown order
    executed: float = 0.8
    capacity: float = 0.04  # new plans a month, part of the dealers
    tau2: float = 0.05
    sigma2: float = 0.01
    rho: float = 0.9
    nu2: float = 0.002
    region_sd: float = 0.08
    region_month_sd: float = 0.03
    cell_sd: float = 0.3
    season: float = 0.12
    drift: float = 0.1  # log-odds a year


@dataclass(frozen=True)
class World:
    """One network: everything that does not depend on what the loop does."""

    setting: Setting
    seed: int
    ids: tuple[str, ...]
    region: Ints  # dealers
    chance: Floats  # dealers x months x cells: close rate without cause
    leads: Floats  # dealers x months x cells, whole numbers
    lost_for: Floats  # dealers x months x reasons: share of the lost, without cause
    cause: Ints  # dealers: reason, -1 = none
    size: Floats  # dealers: close rate the cause takes
    repair: Floats  # reasons x measures

    @property
    def reasons(self) -> list[str]:
        """Codes of the reasons."""
        return [f"reason_{number}" for number in range(self.setting.reasons)]

    @property
    def schemes(self) -> dict[str, list[str]]:
        """The playbook: measures of each reason in the order nobody has tested."""
        return {reason: [f"{reason}_measure_{n}" for n in range(self.repair.shape[1])] for reason in self.reasons}

    def taken(self, repaired: Floats) -> Floats:
        """Close rate taken by the cause, dealers x months, where ``repaired`` (same shape, 0-1) of it is mended."""
        left = self.size[:, None] * (1 - repaired)
        return np.asarray(np.minimum(left, 0.8 * self.chance.min(2)))

    def close_rate(self, repaired: Floats) -> Floats:
        """True chance to win, dealers x months x cells."""
        return np.asarray(self.chance - self.taken(repaired)[:, :, None])

    def month(self, month: int, repaired: Floats) -> pd.DataFrame:
        """Counts of one month (number from 1): dealer_id, region_id, month, cell, n, x = won, and lost per reason.

        ``repaired`` per dealer. Drawn from a generator of the month's own, so that loops differ only by what they do.
        """
        t = month - 1
        rng = np.random.default_rng([self.seed, month])
        taken = np.minimum(self.size * (1 - repaired), 0.8 * self.chance[:, t].min(1))
        won = self.chance[:, t] - taken[:, None]
        lost = (1 - self.chance[:, t])[:, :, None] * self.lost_for[:, t][:, None, :]
        has = self.cause >= 0
        lost[has, :, self.cause[has]] += taken[has, None]
        rest = np.maximum(1 - won - lost.sum(-1), 0.0)
        shares = np.concatenate([won[..., None], lost, rest[..., None]], axis=-1)
        n = self.leads[:, t].astype(np.int64)
        drawn = rng.multinomial(n, shares / shares.sum(-1, keepdims=True))
        dealers, cells = n.shape
        frame = pd.DataFrame(
            {
                "dealer_id": np.repeat(np.array(self.ids, object), cells),
                "region_id": np.repeat([f"R{number}" for number in self.region], cells),
                "month": month,
                "cell": np.tile([f"cell{number}" for number in range(cells)], dealers),
                "n": n.ravel(),
                "x": drawn[..., 0].ravel(),
            }
        )
        by_reason = {reason: drawn[..., number + 1].ravel() for number, reason in enumerate(self.reasons)}
        return frame.assign(**by_reason)


def create(setting: Setting, seed: int) -> World:
    """The network of ``seed``."""
    s = setting
    rng = np.random.default_rng(seed)
    months = s.history + s.year
    region = rng.integers(s.regions, size=s.dealers)
    month = np.arange(months)
    nation = np.log(s.base / (1 - s.base)) + s.season * np.sin(2 * np.pi * month / 12) + s.drift * month / 12
    regional = rng.normal(0, s.region_sd, (s.regions, 1)) + rng.normal(0, s.region_month_sd, (s.regions, months))
    level = _levels(rng, s, months) + regional[region] + nation
    chance = expit(level[:, :, None] + rng.normal(0, s.cell_sd, s.cells))
    volume = s.leads * np.exp(rng.normal(0, s.spread, s.dealers))
    mix = rng.dirichlet(np.full(s.cells, 4.0), s.dealers)
    moving = volume[:, None] * np.exp(rng.normal(0, 0.1, (s.dealers, months)))
    share = np.log(s.fixable * rng.dirichlet(np.full(s.reasons, 4.0)))
    habits = rng.normal(0, 0.12, (s.dealers, 1, s.reasons)) + rng.normal(0, 0.05, (s.dealers, months, s.reasons))
    has = rng.random(s.dealers) < s.with_cause
    return World(
        setting=s,
        seed=seed,
        ids=tuple(f"D{number:04d}" for number in range(s.dealers)),
        region=region,
        chance=chance,
        leads=rng.poisson(moving[:, :, None] * mix[:, None, :]).astype(float),
        lost_for=np.exp(share + habits),
        cause=np.where(has, rng.integers(s.reasons, size=s.dealers), -1),
        size=np.where(has, rng.uniform(*s.cause, s.dealers), 0.0),
        repair=np.array([rng.permutation(s.repairs) for _ in range(s.reasons)]),
    )


def _levels(rng: np.random.Generator, s: Setting, months: int) -> Floats:
    moving = np.empty((s.dealers, months))
    moving[:, 0] = rng.normal(0, np.sqrt(s.sigma2), s.dealers)
    for t in range(1, months):
        moving[:, t] = s.rho * moving[:, t - 1] + rng.normal(0, np.sqrt(s.sigma2 * (1 - s.rho**2)), s.dealers)
    lasting = rng.normal(0, np.sqrt(s.tau2), (s.dealers, 1))
    return np.asarray(lasting + moving + rng.normal(0, np.sqrt(s.nu2), (s.dealers, months)))
