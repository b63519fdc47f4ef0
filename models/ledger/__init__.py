"""The only writer of the state: every change is state, history and outbox in one transaction.

Writing functions take the instant ``at`` (aware) from the caller, so that nothing depends on a hidden clock, and may be
repeated with the same business key without changing anything. What they answer are frozen facts, never rows.
Tables for export are in ``models.ledger.frames`` (which needs pandas, and so is imported where it is used).
"""

from models.ledger.actions import ReportedAction, import_actions
from models.ledger.drafts import measure_id, plan_id, save_plan_drafts
from models.ledger.effects import (
    Settled,
    carry,
    close,
    open_measures,
    record_effects,
    settle,
    settle_short,
    verify,
)
from models.ledger.outbox import enqueue, mark_failed, mark_sent, remind, waiting
from models.ledger.practice import answer_consent, ask_consent, consents, request_change
from models.ledger.reading import key_points, plan, plans, published, runs
from models.ledger.records import (
    close_run,
    open_run,
    publish_result,
    record_dealer_outcomes,
    record_dealers,
    record_loads,
    record_point,
    record_quality,
    record_scores,
)
from models.ledger.steps import (
    approve,
    file,
    finish,
    issue,
    issue_cycle,
    report,
    return_,
    start,
    withdraw,
)

__all__ = [
    "ReportedAction",
    "Settled",
    "answer_consent",
    "approve",
    "ask_consent",
    "carry",
    "close",
    "close_run",
    "consents",
    "enqueue",
    "file",
    "finish",
    "import_actions",
    "issue",
    "issue_cycle",
    "key_points",
    "mark_failed",
    "mark_sent",
    "measure_id",
    "open_measures",
    "open_run",
    "plan",
    "plan_id",
    "plans",
    "publish_result",
    "published",
    "record_dealer_outcomes",
    "record_dealers",
    "record_effects",
    "record_loads",
    "record_point",
    "record_quality",
    "record_scores",
    "remind",
    "report",
    "request_change",
    "return_",
    "runs",
    "save_plan_drafts",
    "settle",
    "settle_short",
    "start",
    "verify",
    "waiting",
    "withdraw",
]
