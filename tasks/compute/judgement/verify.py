"""Did a measure work: effect against the forecast, verdict over the network (verification.md steps 4-10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from models.enums import EffectVerdict
from models.errors import SourceError
from models.facts import Effect
from tasks.compute.judgement.doubts import no_verdict, noted
from tasks.compute.judgement.forecast import Forecast, forecast, interval, p_values
from tasks.compute.judgement.information import first_enough, standard_errors
from tasks.compute.judgement.model import Bools, Floats, Panel, panel
from tasks.compute.judgement.pool import shrunk, storey
from tasks.compute.judgement.posterior import Fit, Options, active, fit_panel, predict

PLAN_COLUMNS = ("dealer_id", "measure_id", "target_points", "start")
PASSED = (  # columns of the plans handed through when present
    "plan_id",
    "measure",
    "reason",
    "indicator",
    "execution",
    "execution_because",
    "process_indicator",
    "process_points",
    "process_lo90",
    "process_hi90",
    "process_least",
)
EFFECT_COLUMNS = [
    "dealer_id",
    "measure_id",
    "region_id",
    "start",
    "months",
    "executed",
    "numerator",
    "denominator",
    "value",
    "expected",
    "effect_points",
    "lo90",
    "hi90",
    "shrunk_points",
    "se_points",
    "own_se_points",
    "nation_se_points",
    "region_se_points",
    "p_up",
    "p_down",
    "q_up",
    "q_down",
    "verdict",
    "reason_key",
    "target_points",
    "target_reached",
    "months_needed",
    "pull_points",
    "untreated",
    "history_months",
    "inflation",
    "df",
    "notes",
]


def verify(
    counts: pd.DataFrame,
    plans: pd.DataFrame,
    *,
    looks: Sequence[int] = (3, 6),
    higher_is_better: bool = True,
    alone: bool = False,
    every_look: bool = False,
    options: Options | None = None,
) -> pd.DataFrame:
    """The effect of every planned measure on one indicator, one row per measure and look.

    ``counts``: see ``model.panel``; history before the plans, and the months after. ``plans``: dealer_id, measure_id,
    target_points (promised improvement), start (first whole month after execution); optional: executed (True, False,
    missing = unknown), issued_after (last month known when the dealer was chosen, default start - 1), target (rate
    that was promised), judge (False: marks the dealer as treated, but gives no row), execution (``partly``: never
    called without effect; handed through, like plan_id, measure, reason and indicator). ``alone``: judge each look as
    if it were the only one (p <= .10); otherwise p <= .03 at each look, and a measure with a verdict at one look has
    no row at later ones, unless ``every_look`` (then ``until_settled`` drops them later).

    Returns EFFECT_COLUMNS. Effects, intervals and standard errors are percentage points, positive = better, also where
    a lower rate is better; value and expected are rates as counted; pull_points says how far shrinkage moved the
    forecast from the dealer's own history (effect + pull: the effect against its own level). A measure that cannot be
    judged has empty figures, the verdict not_enough_evidence and in ``reason_key`` the message that says why; ``notes``
    holds message keys of what weakens the comparison, and what weakens it too much (``doubts``) withholds "effective"
    and "worse". Raises SourceError for impossible counts, an unknown dealer, or a
    plan after the end.
    """
    options = options or Options()
    p = panel(counts, higher_is_better=higher_is_better)
    table = _plan_table(plans, p)
    frames = [
        rows
        for _, cohort in table.groupby(["issued_after", "start"])
        for rows in _cohort(p, table, cohort, looks, options)
    ]
    passed = [column for column in PASSED if column in table.columns]
    if not frames:
        return pd.DataFrame(columns=[*EFFECT_COLUMNS, *passed])
    effects = pd.concat(frames, ignore_index=True)
    effects = _decided(effects, options, options.p_alone if alone else options.p_look)
    if not alone and not every_look:
        effects = until_settled(effects)
    order = pd.Series(range(len(table)), index=table["measure_id"])
    effects = effects.assign(_order=effects["measure_id"].map(order)).sort_values(["_order", "months"], kind="stable")
    return effects[[*EFFECT_COLUMNS, *passed]].reset_index(drop=True)


def _plan_table(plans: pd.DataFrame, p: Panel) -> pd.DataFrame:
    missing = [column for column in PLAN_COLUMNS if column not in plans.columns]
    if missing:
        raise SourceError("judge.frame.missing_column", column=missing[0], columns=", ".join(PLAN_COLUMNS))
    table = plans.reset_index(drop=True)
    if "executed" not in table:
        table["executed"] = pd.NA
    table["executed"] = table["executed"].astype("boolean")
    if "issued_after" not in table:
        table["issued_after"] = table["start"] - 1
    if "judge" not in table:
        table["judge"] = True
    place = pd.Index(p.dealers).get_indexer(pd.Index(table["dealer_id"]))
    for row in np.flatnonzero(place < 0):
        raise SourceError("judge.frame.unknown_dealer", row=int(row) + 1, dealer=table["dealer_id"].iloc[row])
    for row in np.flatnonzero(table["issued_after"].to_numpy() > p.months):
        raise SourceError(
            "judge.frame.after_last", row=int(row) + 1, month=int(table["issued_after"].iloc[row]), last=p.months
        )
    return table.assign(_place=place)


def _cohort(
    p: Panel, table: pd.DataFrame, cohort: pd.DataFrame, looks: Sequence[int], options: Options
) -> Iterator[pd.DataFrame]:
    """The rows of all measures that start together, per look reached (or the first, when none is)."""
    due = cohort[cohort["judge"].astype(bool)]
    if due.empty:
        return
    start, end = int(due["start"].iloc[0]), int(due["issued_after"].iloc[0])
    elapsed = p.months - start + 1
    reached = [look for look in sorted(looks) if look <= elapsed]
    if not reached:
        yield _no_verdict(p, due, max(elapsed, 0), "judge.why.too_early")
        return
    begin = max(1, end - options.history + 1)
    history = fit_panel(_anew(p, table, end).between(begin, end)) if end >= 1 else None
    for look in reached:
        if history is None:
            yield _no_verdict(p, due, look, "judge.why.nothing_to_compare")
            continue
        after = p.between(start, start + look - 1)
        untreated = _untreated(p, table, start, look, options) & active(history.panel, options.minimum_history)
        untreated &= after.by_dealer(after.n) > 0
        if untreated.sum() < options.minimum_untreated:
            yield _no_verdict(p, due, look, "judge.why.few_untreated").assign(untreated=int(untreated.sum()))
            continue
        found = forecast(history, after, start - end, untreated)
        yield _judged(history, after, found, due, table, untreated, options)


def _anew(p: Panel, table: pd.DataFrame, end: int) -> Panel:
    """The panel without what a dealer did before an earlier measure: its level has been another one since."""
    earlier = table[table["start"] <= end]
    if earlier.empty:
        return p
    first = np.ones(len(p.dealers), np.intp)
    np.maximum.at(first, earlier["_place"].to_numpy(), earlier["start"].to_numpy(np.intp))
    keep = p.t + 1 >= first[p.d]
    return replace(p, d=p.d[keep], t=p.t[keep], c=p.c[keep], n=p.n[keep], x=p.x[keep])


def _untreated(p: Panel, table: pd.DataFrame, start: int, look: int, options: Options) -> Bools:
    """Dealers without a measure on this indicator from ``settle_months`` before the start to the end of the look."""
    near = table["start"].between(start - options.settle_months, start + look - 1)
    untreated = np.ones(len(p.dealers), bool)
    untreated[table.loc[near, "_place"].to_numpy()] = False
    return untreated


def _frame(p: Panel, due: pd.DataFrame, months: int) -> pd.DataFrame:
    kept = [
        column for column in ("dealer_id", "measure_id", "start", "executed", "target_points", *PASSED) if column in due
    ]
    frame = due[kept].reset_index(drop=True)
    place = due["_place"].to_numpy()
    frame["region_id"] = pd.Series(p.regions[p.region[place]], dtype="str")
    return frame.assign(months=months, notes="")


def _no_verdict(p: Panel, due: pd.DataFrame, months: int, why: str) -> pd.DataFrame:
    frame = _frame(p, due, months)
    start = int(due["start"].iloc[0])
    after = p.between(start, start + months - 1)
    place = due["_place"].to_numpy()
    n, x = after.by_dealer(after.n)[place], after.by_dealer(after.x)[place]
    frame["numerator"] = np.where(p.turned, n - x, x).astype(np.int64)
    frame["denominator"] = n.astype(np.int64)
    return frame.assign(reason_key=why)


def _judged(
    history: Fit,
    after: Panel,
    found: Forecast,
    due: pd.DataFrame,
    table: pd.DataFrame,
    untreated: Bools,
    options: Options,
) -> pd.DataFrame:
    at = due["_place"].to_numpy()
    frame = _frame(after, due, after.months)
    up, down = p_values(found)
    low, high = interval(found)
    n, x = found.n[at], found.x[at]
    months_known = (history.panel.by_dealer_month(history.panel.n) > 0).sum(1)[at]
    why = no_verdict(history.panel, after, options.minimum_history)[at]
    known = why == ""

    def shown(values: Floats, scale: float = 1.0) -> Floats:
        return np.where(known, scale * values[at], np.nan)

    def turned(rate: Floats) -> Floats:
        return 1 - rate if after.turned else rate

    with np.errstate(invalid="ignore"):
        observed = np.where(n > 0, turned(x / np.maximum(n, 1)), np.nan)
    frame = frame.assign(
        numerator=np.where(after.turned, n - x, x).astype(np.int64),
        denominator=n.astype(np.int64),
        value=observed,
        expected=turned(shown(found.expected)),
        effect_points=shown(found.effect, 100),
        lo90=shown(low, 100),
        hi90=shown(high, 100),
        se_points=shown(np.sqrt(found.variance + found.binomial), 100),
        own_se_points=shown(np.sqrt(found.inflation * (found.own + found.binomial)), 100),
        nation_se_points=shown(np.sqrt(found.inflation * found.nation), 100),
        region_se_points=shown(np.sqrt(found.inflation * found.region), 100),
        p_up=shown(up),
        p_down=shown(down),
        reason_key=why,
        target_reached=_target_reached(history.panel, due, observed),
        months_needed=_needed(history, found, due, after.months, options),
        pull_points=shown(_pull(history, found), 100),
        untreated=int(untreated.sum()),
        history_months=months_known,
        inflation=found.inflation,
        df=found.df,
    )
    found_notes, withheld = noted(history.panel, after, at, int(due["start"].iloc[0]), table, untreated)
    return frame.assign(notes=found_notes, withheld=withheld)


def _pull(history: Fit, found: Forecast) -> Floats:
    """How far each forecast (rate) was shrunk from the level of the dealer's own history towards its peers'."""
    info = history.info.sum(1)
    away = np.divide(history.score.sum(1), info, out=np.zeros_like(info), where=info > 0)
    return np.asarray(-away * found.expected * (1 - found.expected))


def _target_reached(history: Panel, due: pd.DataFrame, observed: Floats) -> pd.Series[bool]:
    """Whether the rate reached what was promised: ``target``, else the last three months before plus target_points.

    A plain fact beside the verdict, not evidence: the worst dealers reach their targets by chance often.
    """
    at = due["_place"].to_numpy()
    sign = -1 if history.turned else 1
    if "target" in due and due["target"].notna().all():
        promised = due["target"].to_numpy(float)
    else:
        recent = history.between(max(1, history.months - 2), history.months)
        n, x = recent.by_dealer(recent.n)[at], recent.by_dealer(recent.x)[at]
        before = np.divide(n - x if history.turned else x, n, out=np.full_like(n, np.nan), where=n > 0)
        promised = before + sign * due["target_points"].to_numpy(float) / 100
    known = ~(np.isnan(promised) | np.isnan(observed))
    return pd.Series(sign * (observed - promised) >= -1e-12, dtype="boolean").where(known)


def _needed(history: Fit, found: Forecast, due: pd.DataFrame, look: int, options: Options) -> pd.Series[int]:
    """Months a verdict would take, more than those looked at; missing when it would take too long."""
    at = due["_place"].to_numpy()
    ahead = history.panel.months + int(due["start"].iloc[0] - due["issued_after"].iloc[0])
    longest = max(options.longest_months, look + 1)
    _, covariance = predict(history.prior, history.score[at], history.info[at], ahead + np.arange(longest))
    shared = (found.nation + found.region)[at]
    se = standard_errors(covariance, found.n[at] / look, found.expected[at], shared, found.inflation)
    needed = first_enough(se, due["target_points"].to_numpy(float), np.arange(look + 1, longest + 1))
    return needed.where(pd.Series(found.n[at] > 0))


def _decided(effects: pd.DataFrame, options: Options, p_limit: float) -> pd.DataFrame:
    """Adds q-values and shrunk effects (per look, over the network) and the verdict in the order of verification.md."""
    withheld = effects["withheld"].fillna("") if "withheld" in effects else pd.Series("", index=effects.index)
    effects = effects.reindex(columns=[*EFFECT_COLUMNS, *[c for c in PASSED if c in effects.columns]])
    idle = effects["executed"].eq(False).fillna(False).to_numpy(bool)
    for column in ("q_up", "q_down", "shrunk_points", "p_up", "p_down", "lo90", "hi90", "effect_points", "se_points"):
        effects[column] = effects[column].astype(float)
    for rows in effects.groupby("months").groups.values():
        counted = ~idle[rows]
        part = effects.loc[rows]
        for q, p in (("q_up", "p_up"), ("q_down", "p_down")):
            effects.loc[rows, q] = storey(np.where(counted, part[p], np.nan))
        effects.loc[rows, "shrunk_points"] = shrunk(
            part["effect_points"].to_numpy(float), part["se_points"].to_numpy(float), counted
        )
    known = effects["effect_points"].notna() & ~idle
    up = known & (effects["q_up"] <= options.fdr) & (effects["p_up"] <= p_limit)
    down = known & (effects["q_down"] <= options.fdr) & (effects["p_down"] <= p_limit)
    nothing = known & (effects["hi90"] < effects["target_points"])
    partly = nothing & (effects["execution"].eq("partly") if "execution" in effects else False)
    held = (up | down) & withheld.ne("")
    up, down, nothing = up & ~held, down & ~held, nothing & ~partly & ~held
    ordered = [EffectVerdict.EFFECTIVE.value, EffectVerdict.WORSE.value, EffectVerdict.NO_EFFECT.value]
    effects["verdict"] = np.select([up, down, nothing], ordered, EffectVerdict.NOT_ENOUGH.value)
    open_ended = effects["months_needed"].isna()
    told = np.select(
        [up, down, held, nothing, partly, idle, open_ended],
        [
            *(f"judge.verdict.{v}" for v in ordered[:2]),
            withheld,
            f"judge.verdict.{ordered[2]}",
            "judge.why.partly",
            "judge.why.not_executed",
            "judge.verdict.pool_only",
        ],
        "judge.verdict.not_enough_evidence",
    )
    unjudged = effects["reason_key"].fillna("").ne("") & ~idle
    effects["reason_key"] = pd.Series(np.where(unjudged, effects["reason_key"], told), index=effects.index, dtype="str")
    undecided = effects["verdict"].eq(EffectVerdict.NOT_ENOUGH.value) & ~idle & ~held & ~partly
    effects["months_needed"] = effects["months_needed"].astype("Int64").where(undecided)
    return effects


def until_settled(effects: pd.DataFrame) -> pd.DataFrame:
    """Without the looks that come after the one that settled the matter."""
    ordered = effects.sort_values(["measure_id", "months"], kind="stable")
    settled = ordered["verdict"].ne(EffectVerdict.NOT_ENOUGH.value).astype(int)
    before = settled.groupby(ordered["measure_id"]).cumsum() - settled
    return effects[(before == 0).reindex(effects.index)]


def unjudged(plans: Sequence[Mapping[str, object]], why: str) -> pd.DataFrame:
    """Rows as those of ``verify`` for measures of whose indicator there are no counts; ``why`` is the message.

    ``plans`` as for ``verify``, with region_id and the months since the start.
    """
    frame = pd.DataFrame(plans).assign(reason_key=why, notes="", numerator=0, denominator=0)
    frame["executed"] = frame["executed"].astype("boolean")
    options = Options()
    return _decided(frame, options, options.p_look)


def facts(effects: pd.DataFrame) -> list[Effect]:
    """The rows of ``verify`` as facts for the ledger; ``plan_id`` is empty where the plans had none."""

    def number(value: object) -> float | None:
        return None if pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]

    def truth(value: object) -> bool | None:
        return None if pd.isna(value) else bool(value)  # type: ignore[call-overload]

    return [
        Effect(
            plan_id=str(row.get("plan_id", "")),
            measure_id=str(row["measure_id"]),
            months=int(row["months"]),
            executed=truth(row["executed"]),
            effect_points=number(row["effect_points"]),
            lo90=number(row["lo90"]),
            hi90=number(row["hi90"]),
            shrunk_points=number(row["shrunk_points"]),
            verdict=EffectVerdict(row["verdict"]),
            reason_key=str(row["reason_key"]),
            target_reached=truth(row["target_reached"]),
            months_needed=None if pd.isna(row["months_needed"]) else int(row["months_needed"]),
            numerator=int(row["numerator"]),
            denominator=int(row["denominator"]),
        )
        for row in effects.to_dict("records")
    ]
