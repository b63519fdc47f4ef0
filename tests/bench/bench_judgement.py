"""How right and how fast the judgement engine is, on simulated networks with known truth (docs/benchmarks.md).

Run as ``python tests/bench/bench_judgement.py [--networks N] [--only PART]``; parts: verify, robust, pool, diagnose,
speed. Every method sees the same networks. About three minutes on one core with the default of 40 networks a setting.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core

import numpy as np
import pandas as pd
from scipy import stats

from tasks.compute.judgement.compare import adjust, compare
from tasks.compute.judgement.drivers import drivers
from tasks.compute.judgement.pool import pool
from tasks.compute.judgement.verify import verify
from tests.support.networks import Network, Setting, reason_network, simulate

BANDS = {"<50": (0, 50), "50-100": (50, 100), "100-200": (100, 200), "200-400": (200, 400), ">400": (400, 10**9)}
Result = tuple[np.ndarray, np.ndarray, np.ndarray]  # p of "better", effect and half 90 % interval in points


def rate(net: Network, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Rate and cases per dealer in the months first..last-1 (numbers from 0)."""
    n, x = net.n[:, first:last].sum((1, 2)), net.x[:, first:last].sum((1, 2))
    return x / np.maximum(n, 1), np.maximum(n, 1)


def before_after(net: Network, look: int) -> Result:
    """Two-proportion z of three months before and the months after."""
    h = net.setting.history
    (before, n0), (after, n1) = rate(net, h - 3, h), rate(net, h, h + look)
    return _normal(after - before, before * (1 - before) / n0 + after * (1 - after) / n1)


def target_reached(net: Network, look: int) -> Result:
    """ "Effective" when the rate rose by the promised three points."""
    p, effect, half = before_after(net, look)
    return np.where(effect >= 3, 0.0, np.maximum(p, 0.06)), effect, half


def difference_in_differences(net: Network, look: int) -> Result:
    """Before/after in points, minus the same of the untreated dealers."""
    h = net.setting.history
    (before, n0), (after, n1) = rate(net, h - 3, h), rate(net, h, h + look)
    change, v = after - before, before * (1 - before) / n0 + after * (1 - after) / n1
    others = ~net.planned
    common = np.average(change[others], weights=n1[others])
    return _normal(change - common, v + (v[others] * n1[others] ** 2).sum() / n1[others].sum() ** 2)


def static_bayes(net: Network, look: int) -> Result:
    """Beta-binomial empirical Bayes on six months before, common shift and calibration by untreated dealers."""
    h = net.setting.history
    (before, n0), (after, n1) = rate(net, h - 6, h), rate(net, h, h + look)
    mean = np.average(before, weights=n0)
    spread = np.average((before - mean) ** 2, weights=n0) - mean * (1 - mean) * len(n0) / n0.sum()
    size = mean * (1 - mean) / max(spread, 1e-6) - 1
    level = (before * n0 + size * mean) / (n0 + size)
    others = ~net.planned
    expected = level + np.average((after - level)[others], weights=n1[others])
    v = level * (1 - level) * (1 / (n0 + size + 1) + 1 / n1)
    z = ((after - expected) / np.sqrt(v))[others]
    v = v * max(1.0, 1.24 * float((np.clip(z, *np.quantile(z, [0.05, 0.95])) ** 2).mean()))
    return _normal(after - expected, v)


def _normal(effect: np.ndarray, v: np.ndarray) -> Result:
    se = np.sqrt(np.maximum(v, 1e-12))
    return stats.norm.sf(effect / se), 100 * effect, 164.5 * se


NAIVE: dict[str, Callable[[Network, int], Result]] = {
    "before/after": before_after,
    "reached its target": target_reached,
    "difference in differences": difference_in_differences,
    "static empirical Bayes": static_bayes,
}


def engine(net: Network, look: int, effects: pd.DataFrame) -> Result:
    """The judgement engine's figures in the order of the dealers; NaN for dealers without a plan."""
    rows = effects[effects["months"] == look].set_index("dealer_id").reindex(net.ids)
    half = (rows["hi90"] - rows["lo90"]) / 2
    return rows["p_up"].to_numpy(float), rows["effect_points"].to_numpy(float), half.to_numpy(float)


def measure(setting: Setting, networks: int, methods: Iterable[str], looks: Iterable[int] = (3, 6)) -> pd.DataFrame:
    """One row per method and look: share "effective" at one-sided .05, of the worst networks, bias, RMSE, cover."""
    found: dict[tuple[str, int], list[tuple[float, ...]]] = defaultdict(list)
    for seed in range(networks):
        net = simulate(setting, seed)
        effects = verify(net.counts, net.plans, looks=looks, alone=True)
        for look in looks:
            truth = net.effect(look)
            for method in methods:
                result = engine(net, look, effects) if method == "engine" else NAIVE[method](net, look)
                p, effect, half = (values[net.planned] for values in result)
                seen = ~np.isnan(effect)
                miss = (effect - truth[net.planned])[seen]
                cover = np.abs(miss) <= half[seen]
                found[method, look].append(
                    ((p[seen] <= 0.05).mean(), miss.mean(), np.sqrt((miss**2).mean()), cover.mean())
                )
    rows = []
    for (method, look), values in found.items():
        table = np.array(values)
        effective, bias, rmse, cover = table.mean(0)
        rows.append((method, look, effective, np.quantile(table[:, 0], 0.95), bias, rmse, cover))
    return pd.DataFrame(rows, columns=["method", "months", "effective", "worst 5 %", "bias", "RMSE", "cover"])


def show(title: str, table: pd.DataFrame) -> None:
    """A table as Markdown."""
    print(f"\n{title}\n")
    print("| " + " | ".join(map(str, table.columns)) + " |")
    print("|" + "---|" * len(table.columns))
    for row in table.itertuples(index=False):
        print("| " + " | ".join(_cell(v) for v in row) + " |", flush=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    return str(value)


def bench_verify(networks: int) -> None:
    """Useless plans, real effects, verdicts, power by size."""
    methods = ["engine", *NAIVE]
    show('No effect at all: false "effective"', measure(Setting(), networks, methods))
    rows = []
    for points in (3.0, 5.0, -3.0):
        table = measure(Setting(effect_points=points), networks, ["engine"])
        rows.append(table.assign(true=f"{points:+.0f}")[["true", "months", "effective", "bias", "RMSE", "cover"]])
    show("True effects: power of the engine at one-sided .05", pd.concat(rows))
    show("Power at +5 points by leads a month", power_by_size(networks))
    show("Verdicts in a mixed network (0, +3, +5, -3 points; target +3)", verdicts(networks))


def power_by_size(networks: int) -> pd.DataFrame:
    """Share found at p <= .05 by leads a month."""
    found: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
    for seed in range(networks):
        net = simulate(Setting(effect_points=5.0), seed)
        effects = verify(net.counts, net.plans, alone=True)
        size = net.n[:, : net.setting.history].sum((1, 2)) / net.setting.history
        for look in (3, 6):
            p, _, _ = engine(net, look, effects)
            for band, (low, high) in BANDS.items():
                found[band, look].append(p[net.planned & (size >= low) & (size < high) & ~np.isnan(p)] <= 0.05)
    rows = [(band, *(float(np.concatenate(found[band, look]).mean()) for look in (3, 6))) for band in BANDS]
    return pd.DataFrame(rows, columns=["leads a month", "3 months", "6 months"])


def verdicts(networks: int) -> pd.DataFrame:
    """Share of verdicts by true effect at 6 months, one look; false discoveries; two looks at p < .03 each."""
    parts = []
    for seed in range(networks):
        net = simulate(Setting(effect_choices=(0.0, 0.0, 3.0, 5.0, -3.0)), seed)
        true = pd.Series(np.round(net.effect(6), 1), index=net.ids)
        alone = verify(net.counts, net.plans, alone=True)
        two = verify(net.counts, net.plans).drop_duplicates("measure_id", keep="last")
        for name, table in (("6 months", alone[alone["months"] == 6]), ("3, then 6", two)):
            parts.append(table.assign(looks=name, true=table["dealer_id"].map(true), network=seed))
    table = pd.concat(parts)
    shares = table.groupby(["looks", "true"])["verdict"].value_counts(normalize=True).unstack(fill_value=0.0)
    called = table[table["verdict"] == "effective"]
    wrong = called["true"].le(0).groupby([called["looks"], called["network"]]).mean().groupby("looks").mean()
    useless = pd.DataFrame({"looks": wrong.index, "true": 'share of "effective" that is false', "effective": wrong})
    both = pd.concat([shares.reset_index(), useless])
    return both[["looks", "true", "effective", "no_effect", "worse", "not_enough_evidence"]]


ROBUST = {
    "as above": {},
    "drift +0.3 a year": {"drift": 0.3},
    "level jumps at 20 %": {"jump_share": 0.2},
    "mix moves by half": {"mix_shift": 0.5},
    "region shock sd 0.15": {"region_shock": 0.15},
    "volume -40 %": {"volume_drop": 0.4},
    "90 % planned": {"planned": 0.9},
    "60 dealers": {"dealers": 60},
    "6 months of history": {"history": 6},
    "base rate 30 %": {"base": 0.3},
    "base rate 5 %": {"base": 0.05},
    "more movement (sigma2 .03, rho .8, nu2 .01)": {"sigma2": 0.03, "rho": 0.8, "nu2": 0.01},
    "levels nearly alike (tau2 .02)": {"tau2": 0.02},
}


def bench_robust(networks: int) -> None:
    """False "effective" and cover where the model's assumptions are strained; and that harm is never praised."""
    rows = []
    for name, changes in ROBUST.items():
        setting = replace(Setting(), **changes)
        table = measure(setting, networks, ["engine", "before/after"], (3,)).set_index("method")
        harm = measure(replace(setting, effect_points=-3.0), max(networks // 4, 5), ["engine"], (3,))["effective"].iloc[
            0
        ]
        ours = table.loc["engine"]
        naive = table.loc["before/after", "effective"]
        rows.append((name, ours["effective"], ours["worst 5 %"], ours["bias"], ours["cover"], naive, harm))
    columns = ["setting", "false", "worst 5 %", "bias", "cover", "before/after", "-3 points called effective"]
    show("Strained assumptions, no effect, 3 months", pd.DataFrame(rows, columns=columns))


def bench_pool(networks: int) -> None:
    """Measures pooled over 15 dealers, 3 months: verdict "effective" of the pool by true effect."""
    rows = []
    for points in (0.0, 1.0, 2.0, 3.0):
        found, cover = [], []
        for seed in range(networks):
            net = simulate(Setting(dealers=450, effect_points=points), 1000 + seed)
            plans = net.plans.assign(reason="r", measure=[f"m{i:02d}" for i in np.arange(len(net.plans)) % 10])
            effects = verify(net.counts, plans, looks=(3,), alone=True)
            pooled = pool(effects).set_index("measure")
            truth = pd.Series(net.effect(3)[net.planned]).groupby(plans["measure"].to_numpy()).mean()
            found.append(pooled["verdict"].eq("effective").mean())
            cover.append((pooled["lo90"].le(truth) & pooled["hi90"].ge(truth)).mean())
        rows.append((f"{points:+.0f}", float(np.mean(found)), float(np.quantile(found, 0.95)), float(np.mean(cover))))
    show("Pooled over 15 dealers, 3 months", pd.DataFrame(rows, columns=["true", "effective", "worst 5 %", "cover"]))


def bench_diagnose(networks: int) -> None:
    """Ranking, flags, weakest of six indicators, drivers."""
    rows = []
    large = Setting(leads=250, spread=0.5, after=0)
    for name, setting in (("median 130 leads", Setting(after=0)), ("median 250 leads", large)):
        rows += [(name, *row) for row in ranked(setting, networks)]
    show(
        "Ranking, last 3 months",
        pd.DataFrame(rows, columns=["network", "by", "precision worst 10 %", "rank correlation"]),
    )
    show("Flags and intervals", flags(networks))
    rows = [(name, *weakest(setting, max(networks // 4, 4))) for name, setting in (("130", Setting()), ("250", large))]
    columns = ["median leads", "raw rate", "funnel z", "posterior"]
    show("Weakest of six indicators named first", pd.DataFrame(rows, columns=columns))
    show("Driver named", driven(max(networks // 8, 4)))


def ranked(setting: Setting, networks: int) -> list[tuple[str, float, float]]:
    """Per way of ranking: precision in the worst tenth, rank correlation with the true level."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in range(networks):
        net = simulate(setting, seed)
        frame = compare(net.counts).set_index("dealer_id").reindex(net.ids)
        truth = net.level[:, -3:].mean(1)
        raw, _ = rate(net, setting.history - 3, setting.history)
        scores = {
            "raw rate": raw,
            "funnel z": frame["funnel_z"].to_numpy(),
            "posterior level": frame["level"].to_numpy(),
        }
        worst = round(0.1 * setting.dealers)
        for name, values in scores.items():
            score = np.nan_to_num(values, nan=99.0)
            hit = len(set(np.argsort(score)[:worst]) & set(np.argsort(truth)[:worst])) / worst
            found[name].append((hit, float(stats.spearmanr(score, truth)[0])))
    return [(name, *map(float, np.mean(values, axis=0))) for name, values in found.items()]


def flags(networks: int) -> pd.DataFrame:
    """Shares flagged, share of those that are not really worse, cover of the gap's interval; and on a flat network."""
    flat = {"tau2": 0.0, "sigma2": 0.0, "nu2": 0.0, "region_sd": 0.0, "region_month_sd": 0.0}
    rows = []
    settings = {"ordinary": Setting(after=0), "no real difference": Setting(after=0, **flat)}
    settings["no real difference, 60 dealers"] = Setting(after=0, dealers=60, **flat)
    for name, setting in settings.items():
        values = []
        for seed in range(networks):
            net = simulate(setting, seed)
            frame = compare(net.counts).set_index("dealer_id").reindex(net.ids)
            weight, chance = net.n[:, -3:], net.without[:, -3:]
            cases = np.maximum(weight.sum((1, 2)), 1)
            logit = np.log(chance / (1 - chance)) - net.own[:, -3:, None]
            spread = np.sqrt(setting.tau2 + setting.sigma2 + setting.nu2)
            nodes, share = np.polynomial.hermite_e.hermegauss(9)
            peers = sum(
                s / (1 + np.exp(-(logit + spread * z))) for z, s in zip(nodes, share / share.sum(), strict=True)
            )
            gap = 100 * ((chance - peers) * weight).sum((1, 2)) / cases
            seen = frame["gap_points"].notna()
            cover = frame["lo90"].le(gap) & frame["hi90"].ge(gap)
            flagged = frame["flagged"].to_numpy(bool)
            wrong = (gap[flagged] >= 0).mean() if flagged.any() else 0.0
            outside = frame["funnel_outside"].astype("float").mean()
            values.append((flagged.mean(), flagged.any(), wrong, outside, cover[seen].mean()))
        rows.append((name, *map(float, np.mean(values, axis=0))))
    columns = ["network", "flagged", "any flag", "flagged, not worse", "outside funnel", "cover of gap"]
    return pd.DataFrame(rows, columns=columns)


def weakest(setting: Setting, networks: int) -> tuple[float, float, float]:
    """How often a dealer's truly weakest of six independent indicators is named first, by three ways of naming."""
    hits = np.zeros(3)
    for seed in range(networks):
        truths, names = [], ([], [], [])
        for number, base in enumerate((0.15, 0.2, 0.3, 0.4, 0.5, 0.6)):
            one = replace(setting, base=base, dealers=150, after=0, planned=0)
            net = simulate(one, 10_000 + 10 * seed + number)
            frame = compare(net.counts).set_index("dealer_id").reindex(net.ids)
            raw, _ = rate(net, one.history - 3, one.history)
            middle = raw.mean()
            truths.append(net.own[:, -3:].mean(1))
            scores = ((raw - middle) / (middle * (1 - middle)), frame["funnel_z"], frame["deviation"])
            for name, score in zip(names, scores, strict=True):
                name.append(np.nan_to_num(np.asarray(score, float), nan=99.0))
        right = np.array(truths).argmin(0)
        hits += [(np.array(name).argmin(0) == right).mean() for name in names]
    raw, funnel, posterior = hits / networks
    return float(raw), float(funnel), float(posterior)


def driven(networks: int) -> pd.DataFrame:
    """How often the true driver is named first, and in the first two."""
    settings = {"12 reasons, median 130": {}, "12 reasons, median 300": {"leads": 300.0}, "8 reasons": {"reasons": 8}}
    settings["no planted driver"] = {"background": 0.3, "planted": (0.0, 0.0)}
    rows = []
    for name, changes in settings.items():
        values = []
        for seed in range(networks):
            counts, truth, names = reason_network(seed, **changes)
            right = truth.set_index("dealer_id")["driver"]
            found = drivers(counts, names)
            found["hit"] = found["reason"].to_numpy() == right.reindex(found["dealer_id"]).to_numpy()
            found["raw"] = found["value"] - found["expected"]
            totals = counts.groupby("dealer_id")[names].sum()
            share = (totals.idxmax(axis=1).reindex(right.index) == right).mean()
            raw = found.loc[found.groupby("dealer_id")["raw"].idxmax(), "hit"].mean()
            two = found[found["rank"] <= 2].groupby("dealer_id")["hit"].any().mean()
            values.append((share, raw, found.loc[found["rank"] == 1, "hit"].mean(), two))
        rows.append((name, *map(float, np.mean(values, axis=0))))
    columns = ["network", "largest share", "raw gap per lead", "fit per reason", "fit, in first two"]
    return pd.DataFrame(rows, columns=columns)


def bench_speed(networks: int) -> None:
    """1,000 dealers x 10 indicators, one core, against plain group-bys of the same frames in the same run."""
    del networks
    nets = [simulate(Setting(dealers=1000, planned=0.5, base=base), 7) for base in np.linspace(0.08, 0.6, 10)]
    timings = {}
    for name, work in (
        (
            "plain group-by by dealer, month, cell",
            lambda n: n.counts.groupby(["dealer_id", "month", "cell"])[["n", "x"]].sum(),
        ),
        ("compare", lambda n: compare(n.counts)),
        ("verify, 500 plans, looks 3 and 6", lambda n: verify(n.counts, n.plans)),
    ):
        started = time.process_time()
        results = [work(net) for net in nets]
        if name == "compare":
            adjust({str(number): frame for number, frame in enumerate(results)})
        timings[name] = time.process_time() - started
    rows = list(timings.items())
    rows.append((f"rows per indicator: {len(nets[0].counts):,}", ""))
    show("1,000 dealers x 10 indicators, CPU seconds", pd.DataFrame(rows, columns=["work", "s"]))


PARTS = {
    "verify": bench_verify,
    "robust": bench_robust,
    "pool": bench_pool,
    "diagnose": bench_diagnose,
    "speed": bench_speed,
}


def main() -> None:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--only", choices=PARTS, action="append")
    arguments = parser.parse_args()
    started = time.process_time()
    for part in arguments.only or PARTS:
        PARTS[part](arguments.networks)
    print(f"\nCPU {time.process_time() - started:.0f} s")


if __name__ == "__main__":
    main()
