"""The life cycle of a rectification plan as one table, and pure questions about it (domain.md section 9).

Nothing here writes or knows the time: the ledger asks, then writes state and history together.
docs/lifecycle.md is generated from this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models.catalogue.deadlines import Deadlines
from models.enums import EffectVerdict, PlanKind, PlanState, Role, Step, Word
from models.errors import LifecycleError
from models.facts import Cycle
from models.messages import DEFAULT_LOCALE, text
from models.schemas import OEM, Actor, Measure, Plan


class Action(Word):
    """What somebody does with a plan."""

    DRAFT = "draft"
    ISSUE = "issue"
    FILE = "file"
    APPROVE = "approve"
    RETURN = "return"
    START = "start"
    REPORT = "report"
    ADOPT = "adopt"
    FINISH = "finish"
    VERIFY = "verify"
    CLOSE = "close"
    CARRY = "carry"
    WITHDRAW = "withdraw"
    REFIX = "refix"
    ASK = "ask"
    CONSENT = "consent"
    DECLINE = "decline"


class StepRefusedError(LifecycleError):
    """A step the table does not allow; words among the parameters are shown by their labels."""

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """What is wrong and what is possible instead, in ``locale``."""
        shown = {name: _labels(value, locale) for name, value in self.params.items()}
        return text(self.key, locale, **shown)


def _labels(value: object, locale: str) -> object:
    if isinstance(value, tuple):
        joint = ", " if locale == "en" else "、"
        none = text("lifecycle.nothing", locale)
        return joint.join(str(_labels(part, locale)) for part in value) or none
    return value.label(locale) if isinstance(value, Word) else value


@dataclass(frozen=True)
class Transition:
    """One line of the table: who may take which kinds of plan from where to where, and what follows."""

    action: Action
    sources: tuple[PlanState | None, ...]  # None: the plan does not exist yet
    to: PlanState | None  # None: the plan stays in its state
    roles: tuple[Role, ...]
    kinds: tuple[PlanKind, ...] = tuple(PlanKind)
    note_needed: bool = False
    sets: str = ""  # the time of the plan that is set
    tells: tuple[Role, ...] = ()  # whose organisation gets a message
    offered: bool = True  # False: a page does not offer it


_S = PlanState
FINAL = (_S.CLOSED, _S.CARRIED, _S.WITHDRAWN)
OPEN = tuple(state for state in _S if state not in FINAL)
_FULL = (PlanKind.RECTIFY, PlanKind.COACHING)
_DATA = (PlanKind.DATA,)
_KEEP = (PlanKind.KEEP,)
_SYSTEM, _OEM, _REGION, _DEALER = Role.SYSTEM, Role.OEM, Role.REGION, Role.DEALER
_UNSTARTED = (_S.ISSUED, _S.FILED, _S.RETURNED, _S.APPROVED)
_BOTH = (_DEALER, _REGION)
_JUDGED = (_S.APPROVED, _S.IN_PROGRESS, _S.DONE)

# The order of the lines is the order in which a page offers them.
TRANSITIONS = (
    Transition(Action.DRAFT, (None, _S.DRAFTED), _S.DRAFTED, (_SYSTEM,)),
    Transition(Action.ISSUE, (_S.DRAFTED,), _S.ISSUED, (_OEM,), sets="issued_at", tells=(_DEALER,)),
    Transition(Action.FILE, (_S.ISSUED, _S.RETURNED), _S.FILED, (_DEALER,), _FULL, sets="filed_at", tells=(_REGION,)),
    Transition(Action.APPROVE, (_S.FILED,), _S.APPROVED, (_REGION,), _FULL, sets="approved_at", tells=(_DEALER,)),
    Transition(Action.RETURN, (_S.FILED,), _S.RETURNED, (_REGION,), _FULL, True, "returned_at", (_DEALER,)),
    Transition(Action.START, (_S.APPROVED,), _S.IN_PROGRESS, (_DEALER,), _FULL, sets="started_at"),
    Transition(Action.START, (_S.ISSUED,), _S.IN_PROGRESS, (_DEALER,), _DATA, sets="started_at"),
    # A dealer that works in its own system reports by the table `actions`; the note says where that comes from.
    Transition(Action.ADOPT, _UNSTARTED, _S.IN_PROGRESS, (_SYSTEM,), _FULL, True, "started_at", (_REGION,)),
    Transition(Action.REPORT, (_S.IN_PROGRESS,), None, (_DEALER, _SYSTEM), (*_FULL, *_DATA)),
    Transition(
        Action.FINISH, (_S.IN_PROGRESS,), _S.DONE, (_DEALER, _SYSTEM), (*_FULL, *_DATA), False, "done_at", (_REGION,)
    ),
    # Verification looks at the figures, whether or not the dealer has reported that it is done.
    Transition(
        Action.VERIFY,
        _JUDGED,
        _S.VERIFIED,
        (_SYSTEM,),
        _FULL,
        sets="verified_at",
        tells=_BOTH,
    ),
    Transition(
        Action.VERIFY,
        (_S.ISSUED, _S.IN_PROGRESS, _S.DONE),
        _S.VERIFIED,
        (_SYSTEM,),
        _DATA,
        sets="verified_at",
        tells=_BOTH,
    ),
    Transition(Action.CLOSE, (_S.VERIFIED,), _S.CLOSED, (_SYSTEM, _OEM), (*_FULL, *_DATA), sets="closed_at"),
    Transition(Action.CLOSE, (_S.ISSUED,), _S.CLOSED, (_SYSTEM, _OEM), _KEEP, sets="closed_at"),
    Transition(Action.CARRY, (_S.VERIFIED,), _S.CARRIED, (_SYSTEM, _OEM), (*_FULL, *_DATA), sets="closed_at"),
    # What was never answered is taken up again too, and the note says so.
    Transition(
        Action.CARRY,
        (_S.ISSUED, _S.FILED, _S.RETURNED),
        _S.CARRIED,
        (_SYSTEM, _OEM),
        _FULL,
        note_needed=True,
        sets="closed_at",
    ),
    # Asking to change what was fixed at approval changes nothing: the history keeps who asked and that it was refused.
    Transition(Action.REFIX, _JUDGED, None, (_OEM, _REGION, _DEALER), _FULL, note_needed=True, offered=False),
    # What worked may be shown to others under the dealer's name only if it agrees; it may change its mind.
    Transition(Action.ASK, (_S.CLOSED,), None, (_SYSTEM, _OEM), _FULL, tells=(_DEALER,)),
    Transition(Action.CONSENT, (_S.CLOSED,), None, (_DEALER,), _FULL),
    Transition(Action.DECLINE, (_S.CLOSED,), None, (_DEALER,), _FULL),
    Transition(Action.WITHDRAW, OPEN, _S.WITHDRAWN, (_OEM,), tuple(PlanKind), True, "closed_at", _BOTH),
)


def leaving(state: PlanState | None, kind: PlanKind) -> tuple[Transition, ...]:
    """The transitions a plan of ``kind`` in ``state`` can make, whoever acts."""
    return tuple(line for line in TRANSITIONS if state in line.sources and kind in line.kinds)


def allowed(state: PlanState, role: Role, kind: PlanKind = PlanKind.RECTIFY) -> tuple[Action, ...]:
    """What ``role`` may do with a plan of ``kind`` in ``state``, in the order a page offers it."""
    return tuple(line.action for line in leaving(state, kind) if role in line.roles and line.offered)


def organisation(plan: Plan, role: Role) -> str:
    """The id of the organisation that plays ``role`` for the plan."""
    return {Role.DEALER: plan.dealer_id, Role.REGION: plan.region_id, Role.OEM: OEM, Role.SYSTEM: ""}[role]


def check(plan: Plan, action: Action, actor: Actor, note: str = "") -> Transition:
    """The transition ``action`` makes; StepRefusedError when the table forbids it to this plan or this actor.

    A dealer or region acts only on its own plans; a step that needs a note is refused without one.
    """
    lines = leaving(plan.state, plan.kind)
    line = next((line for line in lines if line.action is action), None)
    where: dict[str, object] = {"plan": plan.plan_id, "action": action}
    if line is None:
        raise StepRefusedError(
            "lifecycle.not_allowed", **where, state=plan.state, possible=tuple(line.action for line in lines)
        )
    if actor.role not in line.roles:
        raise StepRefusedError("lifecycle.not_your_role", **where, role=actor.role, roles=line.roles)
    if actor.role in _BOTH and actor.organisation != organisation(plan, actor.role):
        raise StepRefusedError("lifecycle.not_your_plan", **where)
    if line.note_needed and not note.strip():
        raise StepRefusedError("lifecycle.note_needed", **where)
    return line


# ---- deadlines ----


@dataclass(frozen=True)
class Due:
    """What a plan waits for, from whom, and the last day for it."""

    action: Action
    owner: Role
    on: date


@dataclass(frozen=True)
class Overdue:
    """What is late, since which day, for how many days, and the highest level that is told."""

    action: Action
    owner: Role
    since: date
    days: int
    level: Role


_LEVELS = (Role.DEALER, Role.REGION, Role.OEM)


def _moment(plan: Plan, name: str, zone: ZoneInfo) -> date | None:
    if name == "measures_due":
        waiting = [measure.due for measure in plan.measures if measure.executed is None]
        return min(waiting) if waiting else max((measure.due for measure in plan.measures), default=None)
    at: datetime | None = plan.created_at if name == "drafted" else getattr(plan, f"{name}_at")
    return None if at is None else at.astimezone(zone).date()


def deadline(plan: Plan, deadlines: Deadlines, zone: ZoneInfo) -> Due | None:
    """What the plan waits for and until when; None when no deadline runs (drafted, done, final, "keep")."""
    for line in leaving(plan.state, plan.kind):
        rule = deadlines.plan.get(line.action.value)  # type: ignore[call-overload]
        if rule is None:
            continue
        days = [
            moment + timedelta(days=clause.days)
            for clause in rule.clauses
            if (moment := _moment(plan, clause.after, zone)) is not None
        ]
        return Due(line.action, rule.owner, max(days)) if days else None
    return None


def overdue(plan: Plan, at: datetime, deadlines: Deadlines, zone: ZoneInfo) -> Overdue | None:
    """Whether the plan is late at the instant ``at``: what, since when, and how far it has escalated."""
    due = deadline(plan, deadlines, zone)
    days = 0 if due is None else (at.astimezone(zone).date() - due.on).days
    if due is None or days <= 0:
        return None
    reached = sum(
        days > limit for limit in (deadlines.escalation.region_after_days, deadlines.escalation.oem_after_days)
    )
    level = _LEVELS[max(_LEVELS.index(due.owner), reached)]
    return Overdue(due.action, due.owner, due.on + timedelta(days=1), days, level)


def measure_overdue(plan: Plan, measure: Measure, at: datetime, zone: ZoneInfo) -> bool:
    """Whether a measure of an approved or running plan is past its day and nothing was reported of it."""
    running = plan.state in {_S.APPROVED, _S.IN_PROGRESS}
    return running and measure.executed is None and measure.due < at.astimezone(zone).date()


def step_due(step: Step, cycle: Cycle, deadlines: Deadlines, zone: ZoneInfo) -> tuple[Role, datetime]:
    """Who answers for a step of the cycle, and the instant (end of a local day) until which it is due."""
    rule = deadlines.key_points[step]
    day = cycle.ends + timedelta(days=rule.days)
    return rule.owner, datetime.combine(day, time.min, zone)


# ---- verification ----

CONCLUSIVE = (EffectVerdict.EFFECTIVE, EffectVerdict.NO_EFFECT, EffectVerdict.WORSE)


def month_after(day: date) -> str:
    """The first whole month after ``day``: YYYY-MM."""
    return f"{day.year + day.month // 12:04d}-{day.month % 12 + 1:02d}"


def months_through(first: str, last: str) -> int:
    """How many months from ``first`` to ``last``, both included; 0 or less when ``last`` is before ``first``."""

    def number(month: str) -> int:
        return int(month[:4]) * 12 + int(month[5:7])

    return number(last) - number(first) + 1


TOO_EARLY = "judge.why.too_early"  # the reason of a look before the first month a verdict may be taken


@dataclass(frozen=True)
class Look:
    """One look at a measure: after how many whole months, what was found, and the message that says why."""

    months: int
    verdict: EffectVerdict
    reason_key: str


def looked_at(looks: Iterable[Look]) -> frozenset[int]:
    """The months after execution a measure was judged at; coming too early, or again at the same months, is no look."""
    return frozenset(look.months for look in looks if look.reason_key != TOO_EARLY)


def concluded(looks: Sequence[Look], deadlines: Deadlines, last_month: int) -> bool:
    """Whether a measure needs no further look: the evidence decided, or the looks are used up.

    They are used up with the look after ``last_month`` months, and at the limit of the deadlines.
    """
    months = looked_at(looks)
    decided = any(look.verdict in CONCLUSIVE for look in looks)
    return decided or len(months) >= deadlines.verification.limit_cycles or max(months, default=0) >= last_month


def plan_verdict(verdicts: Iterable[EffectVerdict]) -> EffectVerdict:
    """The verdict on a plan from its measures': worse before effective before no effect; else not enough evidence.

    "No effect" only where every measure has it: an undecided one keeps the plan undecided.
    """
    found = set(verdicts)
    for decisive in (EffectVerdict.WORSE, EffectVerdict.EFFECTIVE):
        if decisive in found:
            return decisive
    return EffectVerdict.NO_EFFECT if found == {EffectVerdict.NO_EFFECT} else EffectVerdict.NOT_ENOUGH
