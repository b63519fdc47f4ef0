"""The closed sets of words the system decides with (glossary: domain.md section 3; codes: section 14).

Open sets (source, tier, intent level, brands) stay text; reason and indicator codes come from the catalogue.
Labels are messages ``enum.<ClassName>.<value>``.
"""

from __future__ import annotations

from enum import StrEnum

from models.messages import DEFAULT_LOCALE, text


class Word(StrEnum):
    """A code with a label in every language."""

    def label(self, locale: str = DEFAULT_LOCALE) -> str:
        """The word as people read it."""
        return text(f"enum.{type(self).__name__}.{self.value}", locale)


class LeadStatus(Word):
    """What the dealer says became of a lead."""

    OPEN = "open"
    WON = "won"
    DEFEATED = "defeated"


class DefeatVerdict(Word):
    """What the defeat filter says of a filed defeat (domain.md section 7)."""

    TRUE = "true"
    QUASI = "quasi"
    FALSE = "false"


class Destination(Word):
    """Where a defeated customer went."""

    COMPETITOR = "competitor"
    SAME_BRAND = "same_brand_other_dealer"
    NOT_PURCHASED = "not_purchased"
    UNKNOWN = "unknown"


class LossStage(Word):
    """The stage at which a deal was lost (domain.md section 5 and 14)."""

    ONLINE = "online"
    BEFORE_VISIT = "before_visit"
    RECEPTION = "reception"
    VIEWING = "viewing"
    TEST_DRIVE = "test_drive"
    NEGOTIATION = "negotiation"
    WAITING = "waiting_for_delivery"


class Severity(Word):
    """What a failed expectation does: stop the table, set the row apart, null the cell and say so, or only say so."""

    BLOCK = "block"
    QUARANTINE = "quarantine"
    WARN = "warn"


class RowFate(Word):
    """How a row that came in ended; rows in = accepted + quarantined + held + duplicate."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    HELD = "held"
    DUPLICATE = "duplicate"


class Gate(Word):
    """Whether a dealer's data is good enough to be compared."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"


class Scope(Word):
    """The level a figure is computed at."""

    NATION = "nation"
    REGION = "region"
    DEALER = "dealer"
    CONSULTANT = "consultant"
    SERIES = "series"
    SOURCE = "source"


class PlanKind(Word):
    """What a dealer gets in a cycle (domain.md section 9)."""

    RECTIFY = "rectify"
    KEEP = "keep"
    DATA = "data"
    COACHING = "coaching"


class PlanState(Word):
    """The states of a rectification plan (domain.md section 9)."""

    DRAFTED = "drafted"
    ISSUED = "issued"
    FILED = "filed"
    RETURNED = "returned"
    APPROVED = "approved"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    VERIFIED = "verified"
    CLOSED = "closed"
    CARRIED = "carried"
    WITHDRAWN = "withdrawn"


class Role(Word):
    """Who acts: each step of the process has one owner."""

    SYSTEM = "system"
    OEM = "oem"
    REGION = "region"
    DEALER = "dealer"


class OwnerRole(Word):
    """Who can fix a reason or carries out a measure."""

    SALES_MANAGER = "sales_manager"
    SALES_CONSULTANT = "sales_consultant"
    CUSTOMER_SERVICE = "customer_service"
    GENERAL_MANAGER = "general_manager"
    REGION = "region"
    OEM_PRODUCT = "oem_product"
    OEM_PRICING = "oem_pricing"
    OEM_SUPPLY = "oem_supply"
    NONE = "none"


class ExecutionState(Word):
    """How far a measure was carried out, by report and process evidence (domain.md section 3: not executed)."""

    EXECUTED = "executed"
    PARTLY = "partly"
    NOT = "not"
    UNKNOWN = "unknown"


class Consent(Word):
    """Whether a dealer agreed that its good practice is shown to other dealers under its name."""

    NOT_ASKED = "not_asked"
    ASKED = "asked"
    GIVEN = "given"
    DECLINED = "declined"


class NoteKind(Word):
    """Where a qualitative note comes from (domain.md section 8)."""

    INTERVIEW = "interview"
    FOCUS_GROUP = "focus_group"
    VISIT = "visit"


class EffectVerdict(Word):
    """What follow-up verification says of a measure (domain.md section 10)."""

    EFFECTIVE = "effective"
    NO_EFFECT = "no_effect"
    WORSE = "worse"
    NOT_ENOUGH = "not_enough_evidence"


class Step(Word):
    """The steps of a cycle, in their order (design.md section 1)."""

    INGEST = "ingest"
    CHECK = "check"
    FILTER = "filter"
    MEASURE = "measure"
    VERIFY = "verify"
    DIAGNOSE = "diagnose"
    PLAN = "plan"
    DELIVER = "deliver"


class PointState(Word):
    """The state of a key point of the process."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    WITH_PROBLEMS = "finished_with_problems"
    FAILED = "failed"
    SKIPPED = "skipped"
