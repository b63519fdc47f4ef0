"""A simulator of dealer networks with known truth, to judge the judgement engine by.

A dealer's level on the logit scale is persistent (tau2) + slowly moving, AR(1) (sigma2, rho) + monthly noise (nu2); its
customers are a mix of cells (series x source) that differ in base rate. Regions have levels and monthly shocks, the
market has a season and a drift. Plans go to the dealers with the worst raw rate of the last three months before the
plan: that is what fools before/after comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Setting:
    """What a simulated network is like; months 1..history are before the plans, the rest after."""

    dealers: int = 300
    regions: int = 10
    history: int = 15
    after: int = 6
    planned: float = 1 / 3
    base: float = 0.15
    leads: float = 130.0  # median leads a month
    spread: float = 0.7  # sd of log leads
    tau2: float = 0.08
    sigma2: float = 0.01
    rho: float = 0.9
    nu2: float = 0.002
    region_sd: float = 0.1
    region_month_sd: float = 0.03
    series: int = 4
    sources: int = 4
    cell_sd: float = 0.4
    season: float = 0.12
    drift: float = 0.0  # logit a year
    jump_share: float = 0.0  # dealers whose level jumps once in the history
    jump_sd: float = 0.4
    mix_shift: float = 0.0  # how far the mix moves in the months after the plans, 0-1
    region_shock: float = 0.0  # logit sd of a regional shock that starts with the plans
    volume_drop: float = 0.0  # share of leads lost after the plans
    effect_points: float = 0.0  # planted in every planned dealer
    effect_choices: tuple[float, ...] = ()  # points; each planned dealer draws one of them instead
    worst_first: bool = True


@dataclass(frozen=True)
class Network:
    """Counts with the truth beside them; arrays are dealers x months x cells unless said otherwise."""

    setting: Setting
    counts: pd.DataFrame  # dealer_id, region_id, month, cell, n, x
    plans: pd.DataFrame  # dealer_id, measure_id, target_points, start, executed
    n: np.ndarray
    x: np.ndarray
    without: np.ndarray  # success probability had no measure been taken
    chance: np.ndarray  # as it was, effects included
    level: np.ndarray  # dealers x months, logit, region included
    own: np.ndarray  # dealers x months, logit, region not included
    planned: np.ndarray  # dealers, bool

    @property
    def ids(self) -> np.ndarray:
        """Dealer ids in the order of the arrays."""
        return np.array([f"D{i:04d}" for i in range(self.setting.dealers)])

    def effect(self, months: int) -> np.ndarray:
        """True effect per dealer over the first months after the plans, in points on the dealer's own mix."""
        span = slice(self.setting.history, self.setting.history + months)
        leads = self.n[:, span]
        gained = (leads * (self.chance - self.without)[:, span]).sum((1, 2))
        return 100 * gained / np.maximum(leads.sum((1, 2)), 1)


def simulate(setting: Setting, seed: int) -> Network:
    """One network drawn from ``setting``; the same seed gives the same network."""
    rng = np.random.default_rng(seed)
    s = setting
    months = s.history + s.after
    cells = s.series * s.sources
    region = rng.integers(s.regions, size=s.dealers)
    own = _levels(rng, s, months)
    region_part = rng.normal(0, s.region_sd, s.regions)[:, None] + rng.normal(0, s.region_month_sd, (s.regions, months))
    region_part[:, s.history :] += rng.normal(0, 1, s.regions)[:, None] * s.region_shock
    month = np.arange(months)
    nation = np.log(s.base / (1 - s.base)) + s.season * np.sin(2 * np.pi * month / 12) + s.drift * month / 12
    level = own + region_part[region]
    cell = rng.normal(0, s.cell_sd, cells)
    n = _leads(rng, s, months, cells)
    without = _expit((nation + level)[:, :, None] + cell)
    x = rng.binomial(n, without)
    planned = _selected(rng, s, n, x)
    effect = planned * rng.choice(s.effect_choices or (s.effect_points,), s.dealers) / 100
    chance = without.copy()
    chance[:, s.history :] = np.clip(chance[:, s.history :] + effect[:, None, None], 0.002, 0.998)
    x[:, s.history :] = rng.binomial(n[:, s.history :], chance[:, s.history :])
    ids = np.array([f"D{i:04d}" for i in range(s.dealers)])
    return Network(s, _frame(ids, region, n, x), _plans(ids, planned, s), n, x, without, chance, level, own, planned)


def _expit(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def _levels(rng: np.random.Generator, s: Setting, months: int) -> np.ndarray:
    moving = np.empty((s.dealers, months))
    moving[:, 0] = rng.normal(0, np.sqrt(s.sigma2), s.dealers)
    for t in range(1, months):
        moving[:, t] = s.rho * moving[:, t - 1] + rng.normal(0, np.sqrt(s.sigma2 * (1 - s.rho**2)), s.dealers)
    own = rng.normal(0, np.sqrt(s.tau2), s.dealers)[:, None] + moving
    own += rng.normal(0, np.sqrt(s.nu2), (s.dealers, months))
    jumps = rng.random(s.dealers) < s.jump_share
    when = rng.integers(2, max(3, s.history), s.dealers)
    size = rng.normal(0, s.jump_sd, s.dealers) * jumps
    return own + size[:, None] * (np.arange(months) >= when[:, None])


def _leads(rng: np.random.Generator, s: Setting, months: int, cells: int) -> np.ndarray:
    volume = s.leads * np.exp(rng.normal(0, s.spread, s.dealers))
    common = rng.dirichlet(np.full(cells, 3.0))
    mix = np.stack([rng.dirichlet(common * 25) for _ in range(s.dealers)])
    later = np.stack([rng.dirichlet(common * 25) for _ in range(s.dealers)])
    shares = np.repeat(mix[:, None, :], months, axis=1)
    shares[:, s.history :] = (1 - s.mix_shift) * shares[:, s.history :] + s.mix_shift * later[:, None, :]
    volumes = np.repeat(volume[:, None], months, axis=1) * np.exp(rng.normal(0, 0.1, (s.dealers, months)))
    volumes[:, s.history :] *= 1 - s.volume_drop
    return rng.poisson(volumes[:, :, None] * shares)


def _selected(rng: np.random.Generator, s: Setting, n: np.ndarray, x: np.ndarray) -> np.ndarray:
    span = slice(s.history - 3, s.history)
    raw = x[:, span].sum((1, 2)) / np.maximum(n[:, span].sum((1, 2)), 1)
    order = np.argsort(raw if s.worst_first else rng.random(s.dealers), kind="stable")
    planned = np.zeros(s.dealers, bool)
    planned[order[: round(s.planned * s.dealers)]] = True
    return planned


def _frame(ids: np.ndarray, region: np.ndarray, n: np.ndarray, x: np.ndarray) -> pd.DataFrame:
    d, t, c = np.nonzero(n)
    return pd.DataFrame(
        {
            "dealer_id": ids[d],
            "region_id": np.array([f"R{g:02d}" for g in region])[d],
            "month": t + 1,
            "cell": np.array([f"cell{k:02d}" for k in range(n.shape[2])])[c],
            "n": n[d, t, c],
            "x": x[d, t, c],
        }
    )


def _plans(ids: np.ndarray, planned: np.ndarray, s: Setting) -> pd.DataFrame:
    chosen = ids[planned]
    return pd.DataFrame(
        {"dealer_id": chosen, "measure_id": [f"{i}:m" for i in chosen], "target_points": 3.0, "start": s.history + 1}
    ).assign(executed=True)


def reason_network(
    seed: int, reasons: int = 12, background: float = 0.12, planted: tuple[float, float] = (0.2, 0.9), **changes: object
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Defeats by reason with one true driver a dealer: (counts with a column per reason, truth, reason columns).

    A dealer deviates in each reason (lasting, log sd ``background``; monthly noise), and in one of them by a further
    draw from the range ``planted`` (log). The truth names, per dealer, the reason with the largest true excess of
    defeats per lead over what its mix would give at the peers' level.
    """
    s = replace(Setting(dealers=200, history=12, after=0), **changes)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    cells = s.series * s.sources
    n = _leads(rng, s, s.history, cells)
    share = 0.6 * rng.dirichlet(np.full(reasons, 2.0))
    cell = rng.normal(0, 0.35, (reasons, cells))
    common = np.log(np.maximum(share, 0.004))[:, None] + cell
    weight = rng.normal(0, background, (s.dealers, reasons))
    driver = rng.integers(reasons, size=s.dealers)
    weight[np.arange(s.dealers), driver] += rng.uniform(*planted, s.dealers)
    monthly = rng.normal(0, 0.05, (s.dealers, s.history, reasons))
    rate = np.exp(common.T[None, None] + weight[:, None, None, :] + monthly[:, :, None, :])
    peers = np.exp(common.T + (weight.mean(0)))
    rate /= np.maximum(1, rate.sum(-1, keepdims=True) / 0.95)
    rest = 1 - rate.sum(-1, keepdims=True)
    drawn = rng.multinomial(n, np.concatenate([rate, rest], axis=-1))[..., :reasons]
    leads = n.sum((1, 2))[:, None]
    excess = ((rate - peers) * n[..., None]).sum((1, 2)) / np.maximum(leads, 1)
    ids = np.array([f"D{i:04d}" for i in range(s.dealers)])
    names = [f"reason_{k:02d}" for k in range(reasons)]
    frame = _frame(ids, rng.integers(s.regions, size=s.dealers), n, drawn[..., 0]).drop(columns="x")
    d, t, c = np.nonzero(n)
    frame = frame.assign(**{name: drawn[d, t, c, k] for k, name in enumerate(names)})
    truth = pd.DataFrame(
        {"dealer_id": ids, "driver": [names[k] for k in excess.argmax(1)], "excess": 100 * excess.max(1)}
    )
    return frame, truth, names
