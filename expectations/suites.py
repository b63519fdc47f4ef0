"""What good data is: one native Great Expectations suite per table of the contract (domain.md sections 12 and 14).

Each suite is declared against the ``Standard`` of the run. An expectation's id is ``table.rule.column``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from expectations.declare import Suite
from expectations.standard import Standard
from models.catalogue.own_expectations import own_expectations
from models.in_force import in_force

#: The closings that may stand beside each status; a cancelled order (ordered, then defeated) is legal.
LEGAL_CLOSINGS = (
    "open",
    "won+order",
    "won+order+delivery",
    "defeated+defeat",
    "defeated+order+defeat",
)


def dealers(suite: Suite, standard: Standard) -> None:
    """The dealer list: who there is, and where."""
    suite.rows()
    suite.present("missing_required", "dealer_id", "name", "region_id")
    suite.unique("duplicate_id", "dealer_id")
    suite.between(
        "implausible_date", "opened_on", min_value=standard.earliest_opening, max_value=standard.planning_horizon
    )


def leads(suite: Suite, standard: Standard) -> None:
    """Leads: required cells, known dealer, status against times, order of the funnel, plausible values."""
    limits = standard.limits
    suite.rows()
    suite.present("missing_required", "lead_id", "dealer_id", "phone_key", "series", "created_at", "status")
    suite.present("missing_expected", "consultant_id", "source")
    suite.unique("duplicate_id", "lead_id")
    suite.holds("unknown_dealer", "dealer_known", "dealer_id")
    suite.words("unknown_required_code", "status")
    suite.words("unknown_code", "purchase_type")
    suite.between(
        "impossible_date",
        *("created_at", "first_contact_at", "visited_at", "test_drive_at", "quoted_at"),
        *("ordered_at", "defeated_at", "last_contact_at"),
        min_value=standard.earliest,
        max_value=standard.horizon,
    )
    # A delivery may be planned like a next contact; the order behind it is a fact and must not be lost for it.
    suite.between(
        "implausible_date",
        *("delivered_at", "next_contact_at"),
        min_value=standard.earliest,
        max_value=standard.planning_horizon,
    )
    suite.among("status_against_times", "status_times", LEGAL_CLOSINGS, "status")
    suite.after("defeated_before_created", "defeated_at_until", "created_at", "defeated_at")
    suite.after("ordered_before_created", "ordered_at_until", "created_at", "ordered_at")
    suite.after("delivered_before_ordered", "delivered_at_until", "ordered_at", "delivered_at")
    suite.after("contact_before_created", "first_contact_at_until", "created_at", "first_contact_at")
    suite.after("test_drive_before_visit", "test_drive_at_until", "visited_at", "test_drive_at")
    suite.between("age_out_of_range", "age", min_value=limits.age_from, max_value=limits.age_to)
    suite.between("out_of_range", "contact_count", min_value=0, max_value=limits.contacts_at_most)
    suite.between("non_positive_price", "quoted_price", "list_price", "budget", min_value=0, strict_min=True)
    suite.between(
        "unusual_price",
        "price_ratio",
        shown="quoted_price",
        min_value=limits.price_ratio_from,
        max_value=limits.price_ratio_to,
    )
    suite.between(
        "same_customer_again", "same_customer_days", shown="phone", min_value=limits.same_customer_days, strict_min=True
    )


def defeats(suite: Suite, standard: Standard) -> None:
    """Filed defeats: their lead, their times, known reason and destination, filed and reviewed in time."""
    deadlines = standard.deadlines
    suite.rows("no_rows")
    suite.present("missing_required", "lead_id", "defeated_at")
    suite.present("missing_expected", "reason_code")
    suite.unique("duplicate_id", "lead_id", "defeated_at")
    suite.holds("unknown_lead", "lead_known", "lead_id")
    suite.holds("held_with_lead", "lead_accepted", "lead_id")
    suite.between(
        "impossible_date", "defeated_at", "reviewed_at", min_value=standard.earliest, max_value=standard.horizon
    )
    suite.after("defeated_before_created", "defeated_at_until", "lead_created_at", "defeated_at")
    suite.after("reviewed_before_filed", "reviewed_at_until", "defeated_at", "reviewed_at")
    suite.words("unknown_code", "destination")
    suite.among("unknown_reason", "reason_code", standard.reasons)
    suite.between("filed_late", "filed_days", shown="defeated_at", max_value=deadlines.filed_within_days)
    suite.between("late_filing", "unseen_days", shown="defeated_at", max_value=standard.filing_days)
    suite.between("reviewed_late", "reviewed_days", shown="reviewed_at", max_value=deadlines.reviewed_within_days)


def revisits(suite: Suite, standard: Standard) -> None:
    """Revisit calls: their lead, their times, answers within their scales, made in time."""
    limits = standard.limits
    suite.rows("no_rows")
    suite.present("missing_required", "lead_id", "called_at", "reached")
    suite.unique("duplicate_id", "lead_id", "called_at")
    suite.holds("unknown_lead", "lead_known", "lead_id")
    suite.holds("held_with_lead", "lead_accepted", "lead_id")
    suite.between("impossible_date", "called_at", "bought_at", min_value=standard.earliest, max_value=standard.horizon)
    suite.after("revisit_before_defeat", "called_at_until", "lead_filed_at", "called_at")
    suite.words("unknown_code", "destination")
    suite.holds("unknown_reason", "reason_codes_known", "reason_codes")
    suite.between(
        "out_of_range",
        *(f"satisfaction_{topic}" for topic in ("reception", "presentation", "test_drive", "price", "follow_up")),
        min_value=limits.score_from,
        max_value=limits.score_to,
    )
    suite.between("non_positive_price", "price_paid", min_value=0, strict_min=True)
    suite.between("out_of_range", "attempt", min_value=1, max_value=limits.contacts_at_most)
    suite.between("out_of_range", "duration_s", min_value=0, max_value=limits.call_seconds_at_most)
    suite.between(
        "out_of_range", "planned_purchase_within_days", min_value=0, max_value=limits.purchase_plan_days_at_most
    )
    suite.between(
        "revisited_late", "revisited_days", shown="called_at", max_value=standard.deadlines.revisited_within_days
    )


def sales(suite: Suite, standard: Standard) -> None:
    """Sales: who sold what to whom and when; a sale of a lead unknown to us is only said."""
    suite.rows("no_rows")
    suite.present("missing_required", "sale_id", "dealer_id", "phone_key", "series", "sold_at")
    suite.unique("duplicate_id", "sale_id")
    suite.holds("unknown_dealer", "dealer_known", "dealer_id")
    suite.holds("sale_without_lead", "lead_known", "lead_id")
    suite.between("impossible_date", "sold_at", min_value=standard.earliest, max_value=standard.horizon)
    suite.between("non_positive_price", "price", min_value=0, strict_min=True)
    suite.words("unknown_code", "customer_type", "referral_kind")


def service_visits(suite: Suite, standard: Standard) -> None:
    """Workshop visits: who came when, for what, at what amount."""
    suite.rows("no_rows")
    suite.present("missing_required", "visit_id", "dealer_id", "phone_key", "visited_at")
    suite.unique("duplicate_id", "visit_id")
    suite.holds("unknown_dealer", "dealer_known", "dealer_id")
    suite.between(
        "impossible_date", "visited_at", "finished_at", min_value=standard.earliest, max_value=standard.horizon
    )
    suite.after("finished_before_visit", "finished_at_until", "visited_at", "finished_at")
    suite.words("unknown_code", "kind")
    suite.between("out_of_range", "mileage", min_value=0, max_value=standard.limits.mileage_at_most)
    suite.between("out_of_range", "amount", "parts_amount", min_value=0)
    suite.after("parts_above_total", "amount", "parts_amount", "parts_amount")


def interactions(suite: Suite, standard: Standard) -> None:
    """Contacts with owners: with whom, how and when."""
    suite.rows("no_rows")
    suite.present("missing_required", "phone_key", "dealer_id", "kind", "at")
    suite.holds("unknown_dealer", "dealer_known", "dealer_id")
    suite.between("impossible_date", "at", min_value=standard.earliest, max_value=standard.horizon)
    suite.words("unknown_required_code", "kind")
    suite.between("out_of_range", "brought_buyers", min_value=0, max_value=standard.limits.contacts_at_most)


#: In the order they are checked: later tables ask whether the dealer and the lead of a row were accepted.
TABLES: Mapping[str, Callable[[Suite, Standard], None]] = {
    "dealers": dealers,
    "leads": leads,
    "defeats": defeats,
    "revisits": revisits,
    "sales": sales,
    "service_visits": service_visits,
    "interactions": interactions,
}


def declared(table: str, standard: Standard) -> list[Any]:
    """The native expectations of ``table``, an OEM's own last; each ``meta`` holds id, rule, column, severity,
    dimension, owner, texts."""
    suite = Suite(table)
    TABLES[table](suite, standard)
    for rule, entry in own_expectations().get(table, {}).items():
        suite.own(rule, entry)
    return suite.expectations


def version() -> str:
    """A fingerprint of the suites: rules, limits, declarations, how they are carried out, an OEM's own standards."""
    own = in_force().version
    return f"{_shipped_version()}-{own}" if own else _shipped_version()


@cache
def _shipped_version() -> str:
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in ("rules.toml", "limits.toml", "suites.py", "helpers.py", "masks.py"):
        digest.update(folder.joinpath(name).read_bytes())
    return digest.hexdigest()[:12]
