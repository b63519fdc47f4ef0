"""Why deals are lost: price split, profile, reliability of reasons, gap decomposition (domain.md sections 5, 8)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pandas as pd

from models.catalogue.filter_rules import filter_rules
from models.catalogue.price_rules import price_rules
from models.catalogue.profile_rules import profile_rules
from models.catalogue.reasons import catalogue
from models.enums import Gate
from tasks.compute.closings import closed_leads
from tasks.compute.decomposition import decompose
from tasks.compute.funnel_table import funnel_table
from tasks.compute.known import Tables
from tasks.compute.price import LACKING, price_cases, price_split
from tasks.compute.product_feedback import product_feedback
from tasks.compute.profile import profile_table
from tasks.compute.reliability import agreement_table, confusion_table, corrected_shares, filings_for_reliability
from tasks.job import Job, Outcome
from tasks.measuring import YEAR, known_tables
from tasks.planning import months_back, quality
from tasks.scenes import OUTPUTS as SCENE_OUTPUTS
from tasks.scenes import Material, analyse_scenes
from tasks.sums import read_reason_sums

# No analysis uses these, but what was known at a moment is told by them (tasks.compute.known).
_TIMES = ("first_contact_at", "delivered_at", "last_contact_at", "contact_count", "next_contact_at")
#: What the analyses read of each accepted table; nothing personal but the phone's key.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "dealers": ("dealer_id", "region_id"),
    "leads": (
        "lead_id",
        "dealer_id",
        "phone_key",
        "source",
        "series",
        "model",
        "created_at",
        "visited_at",
        "test_drive_at",
        "quoted_at",
        "ordered_at",
        "defeated_at",
        "status",
        "quoted_price",
        "list_price",
        "budget",
        "age",
        "gender",
        "occupation",
        "owned_brand",
        "purchase_type",
        "purpose",
        "intent_level",
        *_TIMES,
    ),
    "defeats": ("lead_id", "defeated_at", "destination", "reviewed_at", "reviewed_by"),
    "revisits": ("lead_id", "called_at", "reached", "price_paid"),
    "sales": ("sale_id", "dealer_id", "phone_key", "lead_id", "sold_at", "price", "customer_type"),
}
#: What the price split alone reads of a lead, and what tells only what was known when: no closed lead carries it along.
_PRICE_ALONE = ("phone_key", "created_at", "quoted_at", "quoted_price", "list_price", *_TIMES)
#: What the analyses read of the filter's verdicts.
_DEFEATS = (
    "cycle",
    "lead_id",
    "dealer_id",
    "region_id",
    "series",
    "source",
    "filed_at",
    "filed_month",
    "destination",
    "competitor_brand",
    "declared_reason",
    "confirmed_reason",
    "reason",
    "counted",
    "last_filing",
)
#: One row per thing an analysis could not judge: message ``key`` with ``params`` (JSON).
NOTE_COLUMNS = ["analysis", "key", "params"]
OUTPUTS = (
    "price_cases",
    "price_split",
    "profile",
    "reliability",
    "reliability_confusion",
    "reliability_agreement",
    "decomposition",
    "funnel",
    "product_feedback",
    "analysis_notes",
    *SCENE_OUTPUTS,
)

Note = tuple[str, str, Mapping[str, object]]


def analyse(job: Job) -> Outcome:
    """The analyses of a cycle, after the comparison of dealers (docs/analysis.md); writes OUTPUTS.

    Price split and decomposition look at the window of months dealers are judged on, the profile at the cycle's month,
    reliability learns from the history, the counts of the funnel reach back a year beyond it. What can't be judged is a
    row of ``analysis_notes``, never a guess.
    """
    settings = job.workspace.settings
    window = months_back(job.cycle, settings.window_months)
    history = months_back(job.cycle, settings.history_months + YEAR)
    defeats = job.results.read("defeats", list(_DEFEATS))
    tables = known_tables(job, COLUMNS)
    priced = list(_price(job, tables, defeats, window))
    tables = _after_price(tables)  # a million leads: what is done with goes before the next begins
    filings = filings_for_reliability(defeats, _declared_destination(tables["defeats"], defeats))
    every = closed_leads(tables, defeats, history)
    del tables
    closed = every[every["month"].isin(window)].reset_index(drop=True)
    notes = [
        *priced,
        *_profile(job, closed),
        *_reliability(job, filings, window),
        *_decomposition(job, closed),
        *_text_coding(job),
    ]
    _product_feedback(job, defeats, window)
    rows = [(analysis, key, json.dumps(dict(params), ensure_ascii=False)) for analysis, key, params in notes]
    scenes, problems = analyse_scenes(job, every, lambda: _material(job, every, defeats, filings, window))
    job.results.write("funnel", pd.concat([funnel_table(every), scenes], ignore_index=True))
    job.results.write("analysis_notes", pd.DataFrame(rows, columns=NOTE_COLUMNS).astype("str"))
    counts = {"price_defeats": len(job.results.read("price_cases", ["lead_id"])), "notes": len(notes)}
    return Outcome(OUTPUTS, counts, problems=problems)


def _after_price(tables: Tables) -> dict[str, pd.DataFrame]:
    """What the analyses after the price split read of the tables."""
    return {
        "dealers": tables["dealers"],
        "leads": tables["leads"].drop(columns=list(_PRICE_ALONE)),
        "defeats": tables["defeats"],
    }


def _material(
    job: Job, closed: pd.DataFrame, defeats: pd.DataFrame, filings: pd.DataFrame, window: list[str]
) -> Material:
    """What the named scenes are cut from; their reasons are learnt from the history, as everybody's are."""
    last = defeats[defeats["last_filing"]].reset_index(drop=True)
    history = months_back(job.cycle, job.workspace.settings.history_months)
    learnt = filings.assign(lead_id=last["lead_id"])
    return Material(
        closed=closed,
        filings=learnt[learnt["filed_month"].isin(history)].reset_index(drop=True),
        brands=last.set_index("lead_id")["competitor_brand"],
        window=window,
        history=sorted(closed["month"].unique()) or window,
    )


def _price(job: Job, tables: Tables, defeats: pd.DataFrame, window: list[str]) -> Iterable[Note]:
    cases = price_cases(tables, defeats, window, price_rules(), filter_rules())
    job.results.write("price_cases", cases)
    job.results.write("price_split", price_split(cases, job.cycle.name))
    mine = cases[cases["cycle"] == job.cycle.name]
    if not len(mine):
        yield "price_split", "analysis.note.no_price_defeats", {}
        return
    if tables["leads"]["dealer_id"].nunique() < 2:
        yield "price_split", "analysis.note.one_dealer", {}
    if tables["leads"]["series"].nunique() < 2:
        yield "price_split", "analysis.note.one_series", {}
    gaps = mine["lacking"].str.split(";").explode().value_counts()
    for name in LACKING:
        if count := int(gaps.get(name, 0)):
            params = {"rows": len(mine), "count": count, "what": f"analysis.price.lacking.{name}"}
            yield "price_split", "analysis.note.price_lacking", params


def _profile(job: Job, closed: pd.DataFrame) -> Iterable[Note]:
    month = closed[closed["month"] == job.cycle.name].reset_index(drop=True)
    job.results.write("profile", profile_table(month, job.cycle.name, profile_rules()))
    if not len(month):
        yield "profile", "analysis.note.no_closings", {}


def _reliability(job: Job, filings: pd.DataFrame, window: list[str]) -> Iterable[Note]:
    history = filings["filed_month"].isin(months_back(job.cycle, job.workspace.settings.history_months))
    learnt = filings[history].reset_index(drop=True)
    shown = filings[filings["filed_month"].isin(window)].reset_index(drop=True)
    job.results.write("reliability", corrected_shares(learnt, shown))
    job.results.write("reliability_confusion", confusion_table(learnt))
    job.results.write("reliability_agreement", agreement_table(learnt))
    if not learnt["confirmed"].notna().any():
        yield "reliability", "analysis.note.no_revisits", {}


def _declared_destination(filed: pd.DataFrame, defeats: pd.DataFrame) -> pd.Series:
    """What each filing itself says of the destination; the index of ``defeats``."""
    keys = ["lead_id", "filed_at"]
    said = filed[["lead_id", "defeated_at", "destination"]].rename(columns={"defeated_at": "filed_at"})
    said = said.dropna(subset=keys).drop_duplicates(keys, keep="last")
    return defeats[keys].merge(said, on=keys, how="left")["destination"].set_axis(defeats.index)


def _product_feedback(job: Job, defeats: pd.DataFrame, window: list[str]) -> None:
    """What dealers cannot fix, per series, for the OEM's product, pricing and supply teams."""
    reasons, cases = read_reason_sums(job.results, window), job.results.read("price_cases")
    table = product_feedback(reasons, defeats, cases, window, job.cycle.name, catalogue())
    job.results.write("product_feedback", table)


def _text_coding(job: Job) -> Iterable[Note]:
    """Why free text is coded by keywords alone, where it is (the step filter learns and measures the model)."""
    for row in job.results.read("text_coding", ["missing", "have", "need"]).head(1).itertuples():
        if row.missing:
            yield "text_coding", str(row.missing), {"have": float(row.have), "need": float(row.need)}


def _decomposition(job: Job, closed: pd.DataFrame) -> Iterable[Note]:
    comparisons = job.results.read("comparisons", ["dealer_id", "indicator", "gap_points", "lo90", "hi90"])
    failed = [dealer for dealer, entry in quality(job).items() if entry.gate is Gate.FAIL]
    parts = decompose(closed, comparisons, failed)
    job.results.write("decomposition", parts)
    if parts["dealer_id"].nunique() < 2:
        yield "decomposition", "analysis.note.one_dealer", {}
    if len(parts) and not (parts["kind"] == "step").any():
        yield "decomposition", "analysis.note.no_steps", {}
    if len(parts) and not (parts["basis"] == "posterior").any():
        yield "decomposition", "analysis.note.no_posterior", {}
