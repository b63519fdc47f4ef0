"""One row per lead with everything indicators sum (names: ``[facts]`` of models/catalogue/indicators.toml).

Where the data hold no time of a kind at all (no visits, no first contacts, ...), the facts about it stay 0 in numerator
and denominator: an indicator without data is empty, never zero (domain.md section 4).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.catalogue.filter_rules import FilterRules
from models.catalogue.reasons import catalogue, level1_reasons
from models.enums import Destination
from tasks.compute.days import days_between, month_of
from tasks.compute.filings import UNASSIGNED, regions
from tasks.compute.known import Tables
from tasks.compute.places import places
from tasks.compute.revisits import calls_of

#: The cells figures are summed by, beside the month; missing values are the empty text.
CELLS = ("dealer_id", "region_id", "consultant_id", "series", "source")
REASONS = ("declared_reason", "confirmed_reason", "reason")
_DESTINATION_FACTS = {
    "to_competitor": Destination.COMPETITOR,
    "to_same_brand": Destination.SAME_BRAND,
    "to_not_purchased": Destination.NOT_PURCHASED,
    "to_unknown": Destination.UNKNOWN,
}
_FILING_WORDS = ("filed_month", "verdict", "destination", *REASONS)
_FILING_FLAGS = ("counted", "premature", "reactivated")
#: What ``lead_facts`` reads of the filter's verdicts.
OF_DEFEATS = ("lead_id", "filed_at", "reviewed_at", "last_filing", *_FILING_FLAGS, *_FILING_WORDS)
_VERDICT_FACTS = {"true_defeat": "true", "quasi_defeat": "quasi", "false_defeat": "false"}

Flags = npt.NDArray[np.bool_]
Facts = dict[str, npt.NDArray[np.float64] | Flags]


def lead_facts(
    tables: Tables,
    defeats: pd.DataFrame,
    rules: FilterRules,
    as_of: pd.Timestamp,
    history_from: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """One row per lead that is open, or was closed, created or filed from ``history_from`` on (all when None).

    ``tables`` as known at ``as_of``; ``defeats`` of tasks.compute.defeat_filter.judge_defeats for the same tables and
    history. Columns: ``lead_id``; CELLS and REASONS as categories; ``created_at, closed_at, last_contact_at`` and
    ``created_month, closed_month, filed_month`` (``YYYY-MM``, missing where there is none; a won lead closes at
    ``ordered_at``, a defeated one at its last filing, ``filed_month`` is that of the first filing); ``counted`` (False:
    leaves numerator and denominator of all rates) and ``filed_counted`` (the same for the base "filed"); then the facts
    of the indicator catalogue: counts as 0/1, hours, days and contacts as numbers, 0 where the denominator's fact is 0.
    """
    leads = tables["leads"]
    filing = _last_filing(leads, defeats)
    closed_at = leads["ordered_at"].where(leads["status"] == "won")
    own_close = leads["defeated_at"].where(leads["status"] == "defeated")
    closed_at = closed_at.fillna(filing["filed_at"]).fillna(own_close)
    dealer = leads["dealer_id"].fillna(UNASSIGNED).astype("category")
    cells = {
        "dealer_id": dealer,
        "region_id": dealer.map(regions(tables).to_dict()),
        "consultant_id": leads["consultant_id"],
        "series": leads["series"],
        "source": leads["source"],
    }
    first = _first_filing(leads, defeats)
    result = pd.DataFrame(
        {"lead_id": leads["lead_id"]}
        | {name: _cell(values) for name, values in cells.items()}
        | {name: filing[name] for name in REASONS}
        | {"created_at": leads["created_at"], "closed_at": closed_at, "last_contact_at": leads["last_contact_at"]}
        | {
            "created_month": month_of(leads["created_at"]),
            "closed_month": month_of(closed_at),
            "filed_month": first["filed_month"],
            "counted": filing["counted"].fillna(True).to_numpy(dtype=bool),
            "filed_counted": first["counted"].fillna(False).to_numpy(dtype=bool),
        }
    )
    defeated = filing["filed_at"].notna().to_numpy()
    facts = _funnel_facts(leads, closed_at, rules)
    facts |= _contact_facts(leads, filing, defeated, rules, as_of, _holds(tables["defeats"], "reviewed_at"))
    facts |= _verdict_facts(filing, defeated)
    facts |= _revisit_facts(tables, defeats, filing, leads, rules)
    facts |= _filed_facts(leads, first)
    columns = {name: _compact(values) for name, values in facts.items()}
    result = pd.concat([result, pd.DataFrame(columns, index=leads.index)], axis=1)
    return _from(result, history_from)


def _cell(values: pd.Series) -> pd.Series:
    """A key of the cells as category, missing values as the empty text."""
    coded = values.astype("category")
    if not coded.isna().any():
        return coded
    return coded.cat.add_categories([word for word in ("",) if word not in coded.cat.categories]).fillna("")


def _from(facts: pd.DataFrame, history_from: pd.Timestamp | None) -> pd.DataFrame:
    if history_from is None:
        return facts.reset_index(drop=True)
    month = history_from.strftime("%Y-%m")
    recent = facts["closed_at"].isna() | (facts["closed_at"] >= history_from)
    recent |= (facts["created_month"].astype("str") >= month) | (facts["filed_month"].astype("str") >= month)
    return facts[recent].reset_index(drop=True)


def _compact(values: npt.NDArray[np.float64] | Flags) -> npt.NDArray[np.float64] | npt.NDArray[np.int8]:
    return values.astype("int8") if values.dtype == bool else values.astype("float64")


def _of_leads(leads: pd.DataFrame, filings: pd.DataFrame) -> pd.DataFrame:
    """What facts need of one filing per lead, in the order of ``leads``; missing where a lead has none."""
    place = places(filings["lead_id"], leads["lead_id"])
    words = {name: filings[name].astype("category") for name in _FILING_WORDS}
    flags = {name: filings[name].astype("boolean") for name in _FILING_FLAGS}
    times = {name: filings[name] for name in ("filed_at", "reviewed_at")}
    numbered = pd.DataFrame(words | flags | times).assign(filing=filings.index).reset_index(drop=True)
    return numbered.reindex(place).set_axis(leads.index)


def _last_filing(leads: pd.DataFrame, defeats: pd.DataFrame) -> pd.DataFrame:
    return _of_leads(leads, defeats[defeats["last_filing"]])


def _first_filing(leads: pd.DataFrame, defeats: pd.DataFrame) -> pd.DataFrame:
    return _of_leads(leads, defeats.drop_duplicates("lead_id"))


def _holds(frame: pd.DataFrame, column: str) -> bool:
    """Whether the data hold this column at all."""
    return bool(frame[column].notna().any())


def _funnel_facts(leads: pd.DataFrame, closed_at: pd.Series, rules: FilterRules) -> Facts:
    every = np.ones(len(leads), dtype=bool)
    visited, driven, quoted = (leads[time].notna().to_numpy() for time in ("visited_at", "test_drive_at", "quoted_at"))
    ordered, responded = leads["ordered_at"].notna().to_numpy(), leads["first_contact_at"].notna().to_numpy()
    hours = (days_between(leads["created_at"], leads["first_contact_at"]) * 24).clip(lower=0).fillna(0).to_numpy()
    return {
        "lead": every,
        "closed": closed_at.notna().to_numpy(),
        "won": (leads["status"] == "won").to_numpy(),
        "defeated": (leads["status"] == "defeated").to_numpy(),
        "visited": visited,
        "visit_recorded": every & _holds(leads, "visited_at"),
        "visited_test_driven": visited & driven,
        "visited_drive_recorded": visited & _holds(leads, "test_drive_at"),
        "test_driven": driven,
        "test_driven_ordered": driven & ordered,
        "quoted": quoted,
        "quote_recorded": every & _holds(leads, "quoted_at"),
        "response_hours": hours,
        "responded": responded,
        "responded_in_time": responded & (hours <= rules.limits.first_response_hours),
        "response_recorded": every & _holds(leads, "first_contact_at"),
    }


def _contact_facts(
    leads: pd.DataFrame,
    filing: pd.DataFrame,
    defeated: Flags,
    rules: FilterRules,
    as_of: pd.Timestamp,
    reviews: bool,
) -> Facts:
    counted = defeated & leads["contact_count"].notna().to_numpy()
    contacts = leads["contact_count"].fillna(0).to_numpy(dtype="float64")
    silent = days_between(leads["last_contact_at"], filing["filed_at"]).clip(lower=0)
    silent_known = silent.notna().to_numpy()
    limit = rules.limits.reviewed_within_days
    until_review = days_between(filing["filed_at"], filing["reviewed_at"])
    waited = days_between(filing["filed_at"], pd.Series(as_of, index=filing.index, dtype="datetime64[us]"))
    return {
        "defeat_contacts": np.where(counted, contacts, 0.0),
        "defeat_contacts_known": counted,
        "silent_days": silent.fillna(0).to_numpy(),
        "silent_days_known": silent_known,
        "premature": filing["premature"].fillna(False).to_numpy(dtype=bool),
        "premature_recorded": defeated & _holds(leads, "contact_count"),
        "filed_in_time": silent_known & (silent <= rules.limits.filed_within_days).to_numpy(),
        "reviewed_in_time": (until_review <= limit).to_numpy(),
        "review_due": defeated & reviews & (until_review.notna() | (waited > limit)).to_numpy(),
    }


def _verdict_facts(filing: pd.DataFrame, defeated: Flags) -> Facts:
    facts: Facts = {name: (filing["verdict"] == word).to_numpy() for name, word in _VERDICT_FACTS.items()}
    facts["with_destination"] = filing["destination"].notna().to_numpy()
    facts |= {name: (filing["destination"] == word.value).to_numpy() for name, word in _DESTINATION_FACTS.items()}
    levels: Mapping[str, str] = {code: reason.level1 for code, reason in catalogue().items()}
    level1 = filing["reason"].map(levels)
    facts["with_reason"] = defeated & filing["reason"].notna().to_numpy()
    facts |= {f"reason_{code}": (level1 == code).to_numpy() for code in level1_reasons()}
    both = (filing["declared_reason"].notna() & filing["confirmed_reason"].notna()).to_numpy()
    facts["reason_both"] = both
    facts["reason_differs"] = both & reasons_differ(filing["declared_reason"], filing["confirmed_reason"])
    return facts


def reasons_differ(declared: pd.Series, confirmed: pd.Series) -> Flags:
    """Whether two reasons differ: as codes, or only by level 1 when one of them names no more than its level 1."""
    d, c = (pd.factorize(codes)[0] for codes in (declared, confirmed))
    # a million rows, a few hundred different pairs
    _, first, place = np.unique((d + 1) * (len(c) + 1) + c, return_index=True, return_inverse=True)
    return _pairs_differ(declared.iloc[first], confirmed.iloc[first])[place]


def _pairs_differ(declared: pd.Series, confirmed: pd.Series) -> Flags:
    known = catalogue()
    levels = {code: reason.level1 for code, reason in known.items()}
    bare = [code for code, reason in known.items() if reason.level == 1]
    coarse = declared.isin(bare) | confirmed.isin(bare)
    same_level1 = declared.astype("str").map(levels) == confirmed.astype("str").map(levels)
    same = declared.astype("str") == confirmed.astype("str")
    return (~(same | (coarse & same_level1))).to_numpy(dtype=bool)


def _revisit_facts(
    tables: Tables, defeats: pd.DataFrame, filing: pd.DataFrame, leads: pd.DataFrame, rules: FilterRules
) -> Facts:
    defeated = filing["filed_at"].notna().to_numpy()
    none = np.zeros(len(leads), dtype=bool)
    revisits = tables.get("revisits", pd.DataFrame())
    names = (
        *("revisited", "revisit_recorded", "revisit_reached", "revisit_in_time"),
        *("questionnaire_recorded", "questionnaire_complete"),
    )
    if not len(revisits):
        return dict.fromkeys(names, none)
    calls = calls_of(defeats, revisits)
    first_call = filing["filing"].map(calls.groupby("filing")["called_at"].min()).astype("datetime64[us]")
    reached = calls[calls["reached"].fillna(False).astype(bool)]
    always, driving = list(rules.questionnaire.required), list(rules.questionnaire.required_after_test_drive)
    complete = reached[reached[always].notna().all(axis=1)]
    driven = leads["test_drive_at"].notna().to_numpy()
    after_drive = complete[complete[driving].notna().all(axis=1)]
    # An answer nobody ever gave is one the source does not hold: nothing to be complete, not a share of nought.
    held = bool(reached[always].notna().any().all())
    asked = np.where(driven, held and bool(reached[driving].notna().any().all()), held)
    in_time = days_between(filing["filed_at"], first_call) <= rules.limits.revisited_within_days
    number = filing["filing"]
    full = np.where(driven, number.isin(after_drive["filing"]), number.isin(complete["filing"]))
    spoken = number.isin(reached["filing"]).to_numpy()
    values = (first_call.notna(), defeated, spoken, in_time, asked & spoken & defeated, asked & full & defeated)
    return {name: np.asarray(value, dtype=bool) for name, value in zip(names, values, strict=True)}


def _filed_facts(leads: pd.DataFrame, first: pd.DataFrame) -> Facts:
    filed = first["filed_at"].notna().to_numpy()
    return {
        "filed": filed,
        "reactivated": first["reactivated"].fillna(False).to_numpy(dtype=bool),
        "won_back": filed & (leads["status"] == "won").to_numpy(),
    }


def open_facts(facts: pd.DataFrame, months: tuple[str, ...], as_of: pd.Timestamp, rules: FilterRules) -> pd.DataFrame:
    """One row per lead and month at whose end it was open: CELLS, ``month``, ``counted`` and the facts of open leads.

    ``facts`` of ``lead_facts``. A month's end is ``as_of`` while the month still runs; months that begin after it have
    no rows. The last contact is known as of ``as_of`` only: a lead contacted after a month's end is not silent then.
    """
    recorded = _holds(facts, "last_contact_at")
    parts = [_open_at(facts, month, as_of, recorded, rules) for month in months if pd.Timestamp(month) <= as_of]
    columns = [
        *CELLS,
        "month",
        "counted",
        "open_lead",
        "open_age_days",
        "open_too_long",
        "silent_lead",
        "contact_recorded",
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _open_at(facts: pd.DataFrame, month: str, as_of: pd.Timestamp, recorded: bool, rules: FilterRules) -> pd.DataFrame:
    end = min(pd.Timestamp(month) + pd.offsets.MonthBegin(1) - pd.Timedelta(microseconds=1), as_of)
    still = (facts["created_at"] <= end) & ~(facts["closed_at"] <= end)
    rows = facts.loc[still, [*CELLS, "created_at", "last_contact_at", "counted"]]
    moment = pd.Series(end, index=rows.index, dtype="datetime64[us]")
    age = days_between(rows["created_at"], moment)
    silence = days_between(rows["last_contact_at"].fillna(rows["created_at"]), moment)
    return rows[list(CELLS)].assign(
        month=month,
        counted=rows["counted"],
        open_lead=np.int8(1),
        open_age_days=age,
        open_too_long=(age > rules.limits.unclosed_days).astype("int8"),
        silent_lead=((silence > rules.limits.silent_days) & recorded).astype("int8"),
        contact_recorded=np.int8(recorded),
    )
