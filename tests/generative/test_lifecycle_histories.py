"""Whatever anybody tries in whatever order: no plan leaves the table, and its history replays to where it stands."""

import itertools
from datetime import date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from support.plans import CYCLE, OEM, day, dealer, draft, executions, filing, region

from models import ledger
from models.database import Database, reading
from models.enums import EffectVerdict, PlanKind, PlanState, Role
from models.errors import LifecycleError
from models.ledger import ReportedAction
from models.lifecycle import FINAL, TRANSITIONS, Action, leaving
from models.schemas import SYSTEM
from models.tables import OutboxRow, PlanEventRow, table

ACTORS = {"oem": OEM, "system": SYSTEM}
SETS = {line.action: line.sets for line in TRANSITIONS if line.sets}
EVENTS = table(PlanEventRow)
KINDS = (PlanKind.RECTIFY, PlanKind.RECTIFY, PlanKind.RECTIFY, PlanKind.COACHING, PlanKind.DATA, PlanKind.KEEP)


def _machine(db, numbers):
    class Plans(RuleBasedStateMachine):
        """One plan per example; every step is tried by every role, allowed or not."""

        @initialize(kind=st.sampled_from(KINDS), path=st.lists(st.integers(0, 9), min_size=2, max_size=8))
        def propose(self, kind, path):
            self.dealer = f"G{next(numbers):05d}"
            self.plan_id = f"2026-10-{self.dealer}"
            self.kind = kind
            self.at = day(0)
            ledger.save_plan_drafts(db, CYCLE, [draft(self.dealer, kind)], at=self.at)
            for choice in path:  # most chance sequences would never get past the draft
                self.onward(choice)

        @rule(choice=st.integers(0, 9))
        def onward(self, choice):
            """A step the table allows, by who may take it; it must succeed unless a measure is still unreported."""
            plan = ledger.plan(db, self.plan_id)
            lines = [line for line in leaving(plan.state, self.kind) if line.action is not Action.DRAFT]
            if not lines:
                return
            # Mostly the usual way, which comes first; the last line withdraws.
            line = lines[-1] if choice == 9 else lines[max(choice - 4, 0) % max(len(lines) - 1, 1)]
            self.at += timedelta(hours=7)
            actor = {Role.DEALER: dealer(self.dealer), Role.REGION: region()}.get(
                line.roles[0], OEM if line.roles[0] is Role.OEM else SYSTEM
            )
            shared = {"actor": actor, "at": self.at}
            steps = {
                Action.FILE: lambda: ledger.file(db, self.plan_id, filing(plan), **shared),
                Action.RETURN: lambda: ledger.return_(db, self.plan_id, note="补充", **shared),
                Action.WITHDRAW: lambda: ledger.withdraw(db, self.plan_id, note="停业", **shared),
                Action.REPORT: lambda: ledger.report(db, self.plan_id, executions(plan, date(2026, 11, 1)), **shared),
                Action.ADOPT: lambda: ledger.import_actions(db, [self._action(None)], at=self.at, note="actions.csv"),
                Action.VERIFY: lambda: ledger.verify(db, self.plan_id, EffectVerdict.NOT_ENOUGH, **shared),
                Action.CARRY: lambda: ledger.carry(db, self.plan_id, into="2026-11", note="未完成", **shared),
            }
            usual = {Action.ISSUE: ledger.issue, Action.APPROVE: ledger.approve, Action.START: ledger.start}
            usual |= {Action.FINISH: ledger.finish, Action.CLOSE: ledger.close, Action.ASK: ledger.ask_consent}
            steps |= {
                answer: partial(ledger.answer_consent, db, self.plan_id, given=answer is Action.CONSENT, **shared)
                for answer in (Action.CONSENT, Action.DECLINE)
            }
            steps[Action.REFIX] = partial(
                ledger.request_change,
                db,
                self.plan_id,
                f"{self.plan_id}-1",
                note="改指标",
                indicator="quote_rate",
                **shared,
            )
            try:
                steps.get(line.action, lambda: usual[line.action](db, self.plan_id, **shared))()
            except LifecycleError as error:
                fixed = line.action is Action.REFIX
                assert error.key == f"lifecycle.{'fixed_at_approval' if fixed else 'not_reported'}"  # noqa: PT017  nothing else may refuse it

        def _action(self, on):
            return ReportedAction(self.plan_id, f"{self.plan_id}-1", self.dealer, on)

        def _try(self, role, step):
            own = {"dealer": dealer(self.dealer), "region": region(), "stranger": dealer("elsewhere")}
            self.at += timedelta(hours=7)
            before = ledger.plan(db, self.plan_id)
            try:
                step((ACTORS | own)[role])
            except LifecycleError:
                assert repr(ledger.plan(db, self.plan_id)) == repr(before)

        @rule(
            role=st.sampled_from(["oem", "region", "dealer", "system", "stranger"]),
            name=st.sampled_from(["issue", "approve", "return_", "start", "finish", "close", "withdraw"]),
            note=st.sampled_from(["", "说明"]),
        )
        def step(self, role, name, note):
            self._try(role, lambda actor: getattr(ledger, name)(db, self.plan_id, actor=actor, at=self.at, note=note))

        @rule(role=st.sampled_from(["dealer", "region"]), text=st.sampled_from(["早会检查", "店总负责"]))
        def file(self, role, text):
            plan = ledger.plan(db, self.plan_id)
            self._try(role, lambda actor: ledger.file(db, self.plan_id, filing(plan, text), actor=actor, at=self.at))

        @rule(role=st.sampled_from(["dealer", "system", "oem"]), on=st.dates(date(2026, 10, 1), date(2026, 11, 2)))
        def report(self, role, on):
            done = executions(ledger.plan(db, self.plan_id), on)
            self._try(role, lambda actor: ledger.report(db, self.plan_id, done, actor=actor, at=self.at))

        @rule(verdict=st.sampled_from(list(EffectVerdict)))
        def verify(self, verdict):
            self._try("system", lambda actor: ledger.verify(db, self.plan_id, verdict, actor=actor, at=self.at))

        @rule(role=st.sampled_from(["system", "oem", "dealer"]), note=st.sampled_from(["", "未报备"]))
        def carry(self, role, note):
            self._try(
                role,
                lambda actor: ledger.carry(db, self.plan_id, actor=actor, at=self.at, into="2026-11", note=note),
            )

        @rule(on=st.none() | st.dates(date(2026, 10, 1), date(2026, 11, 2)))
        def actions(self, on):
            self._try("system", lambda _: ledger.import_actions(db, [self._action(on)], at=self.at, note="actions.csv"))

        @rule(measures=st.integers(1, 3))
        def propose_again(self, measures):
            self.at += timedelta(hours=7)
            ledger.save_plan_drafts(db, CYCLE, [draft(self.dealer, self.kind, measures=measures)], at=self.at)

        @invariant()
        def history_replays_to_the_plan(self):
            plan = ledger.plan(db, self.plan_id)
            with reading(db.url) as connection:
                wanted = select(EVENTS).where(EVENTS.c.plan_id == self.plan_id).order_by(EVENTS.c.sequence)
                events = connection.execute(wanted).mappings().all()
                outbox = table(OutboxRow)
                keys = select(outbox.c.key).where(outbox.c.key.like(f"plan:{self.plan_id}:%"))
                told = set(connection.execute(keys).scalars())
            state, times, tells = None, {}, set()
            for number, event in enumerate(events, 1):
                action = Action(event["action"])
                lines = [
                    line
                    for line in TRANSITIONS
                    if line.action is action
                    and state in line.sources
                    and self.kind in line.kinds
                    and event["role"] in line.roles
                    and (line.to or state) is event["to_state"]
                    and (event["note"] or not line.note_needed)
                ]
                assert lines, f"no line of the table allows {dict(event)}"
                assert (event["from_state"], event["sequence"]) == (state, number)
                assert state not in FINAL or lines[0].to is None  # what is over may still be talked about
                state = event["to_state"]
                times[SETS.get(action, "")] = event["at"]
                tells |= {f"plan:{self.plan_id}:{number}:{role}" for role in lines[0].tells}
            times.pop("", None)
            assert (plan.state, plan.version) == (state, len(events))
            named = ("issued_at", "filed_at", "returned_at", "approved_at", "started_at", "done_at", "verified_at")
            assert {name: getattr(plan, name) for name in (*named, "closed_at") if getattr(plan, name)} == times
            assert told == tells

        @invariant()
        def what_is_measured_is_fixed_exactly_from_approval_on(self):
            plan = ledger.plan(db, self.plan_id)
            fixed = [entry.registration is not None for entry in plan.measures]
            if plan.state in {PlanState.DRAFTED, PlanState.ISSUED, PlanState.FILED, PlanState.RETURNED}:
                assert not any(fixed)
            if plan.state in {PlanState.APPROVED, PlanState.DONE, PlanState.VERIFIED}:
                assert all(fixed)

    return Plans


def test_no_sequence_of_steps_leaves_the_table(database_url):
    machine = _machine(Database(database_url, ZoneInfo("Asia/Shanghai")), itertools.count())
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60 if database_url.startswith("sqlite") else 20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
