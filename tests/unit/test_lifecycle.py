"""The life cycle as data: who may do what, deadlines, escalation, months and verdicts."""

import pickle
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from support.plans import CYCLE, MONDAY, OEM, day, dealer, draft, region

from models import enums, lifecycle
from models.catalogue.deadlines import FILE, deadlines, load_deadlines
from models.enums import EffectVerdict, PlanKind, PlanState, Role, Step, Word
from models.errors import CatalogueError, LifecycleError
from models.lifecycle import Action, allowed, check, deadline, month_after, months_through, overdue, plan_verdict
from models.lifecycle_page import PAGE, page
from models.messages import LOCALES
from models.schemas import SYSTEM, Measure, Plan

ZONE = ZoneInfo("Asia/Shanghai")
S = PlanState
NOTE_FREE = {"issued_at": None, "filed_at": None, "returned_at": None, "approved_at": None, "started_at": None}


def plan(state=S.ISSUED, kind=PlanKind.RECTIFY, due=date(2026, 11, 30), executed=None, **times):
    drafted = draft(kind=kind)
    measures = tuple(
        Measure(
            measure_id=f"2026-10-D001-{number}",
            own=False,
            planned_on=None,
            responsible=None,
            own_text="",
            executed=executed,
            partly=False,
            executed_on=None,
            evidence="",
            registration=None,
            **{name: getattr(entry, name) for name in entry.__dataclass_fields__} | {"due_on": due},
        )
        for number, entry in enumerate(drafted.measures, 1)
    )
    values = NOTE_FREE | {"done_at": None, "verified_at": None, "closed_at": None, "issued_at": MONDAY} | times
    return Plan(
        plan_id="2026-10-D001",
        cycle="2026-10",
        dealer_id="D001",
        region_id="R1",
        kind=kind,
        state=state,
        note="plan.note",
        note_params={},
        as_of=CYCLE.as_of,
        version=1,
        verdict=None,
        carried_into=None,
        created_at=MONDAY,
        problems=drafted.problems,
        not_fixable=(),
        measures=measures,
        **values,
    )


# who may do what: state, kind -> role -> actions (domain.md section 9)
@pytest.mark.parametrize(
    ("state", "kind", "role", "actions"),
    [
        (S.DRAFTED, PlanKind.RECTIFY, Role.OEM, ["issue", "withdraw"]),
        (S.DRAFTED, PlanKind.RECTIFY, Role.DEALER, []),
        (S.ISSUED, PlanKind.RECTIFY, Role.DEALER, ["file"]),
        (S.ISSUED, PlanKind.RECTIFY, Role.REGION, []),
        (S.ISSUED, PlanKind.KEEP, Role.DEALER, []),
        (S.ISSUED, PlanKind.KEEP, Role.OEM, ["close", "withdraw"]),
        (S.ISSUED, PlanKind.DATA, Role.DEALER, ["start"]),
        (S.ISSUED, PlanKind.COACHING, Role.DEALER, ["file"]),
        (S.FILED, PlanKind.RECTIFY, Role.REGION, ["approve", "return"]),
        (S.FILED, PlanKind.RECTIFY, Role.DEALER, []),
        (S.RETURNED, PlanKind.RECTIFY, Role.DEALER, ["file"]),
        (S.APPROVED, PlanKind.RECTIFY, Role.DEALER, ["start"]),
        (S.IN_PROGRESS, PlanKind.RECTIFY, Role.DEALER, ["report", "finish"]),
        (S.DONE, PlanKind.RECTIFY, Role.SYSTEM, ["verify"]),
        (S.DONE, PlanKind.RECTIFY, Role.DEALER, []),
        (S.VERIFIED, PlanKind.RECTIFY, Role.SYSTEM, ["close", "carry"]),
        (S.CLOSED, PlanKind.RECTIFY, Role.OEM, ["ask"]),
        (S.CLOSED, PlanKind.RECTIFY, Role.DEALER, ["consent", "decline"]),
        (S.CLOSED, PlanKind.KEEP, Role.OEM, []),
        (S.APPROVED, PlanKind.RECTIFY, Role.OEM, ["withdraw"]),  # a change of what was fixed is not offered
        (S.CARRIED, PlanKind.RECTIFY, Role.OEM, []),
        (S.WITHDRAWN, PlanKind.RECTIFY, Role.OEM, []),
    ],
)
def test_who_may_do_what(state, kind, role, actions):
    assert [action.value for action in allowed(state, role, kind)] == actions


def test_the_oem_withdraws_from_every_open_state_and_from_no_final_one():
    for state in S:
        for kind in PlanKind:
            assert (Action.WITHDRAW in allowed(state, Role.OEM, kind)) == (state in lifecycle.OPEN)


def test_only_the_region_approves_and_only_the_dealer_files():
    roles = {line.action: line.roles for line in lifecycle.TRANSITIONS}
    assert roles[Action.APPROVE] == (Role.REGION,)
    assert roles[Action.RETURN] == (Role.REGION,)
    assert roles[Action.FILE] == (Role.DEALER,)
    assert roles[Action.ISSUE] == roles[Action.WITHDRAW] == (Role.OEM,)
    assert roles[Action.VERIFY] == (Role.SYSTEM,)


def test_every_state_is_reached_and_every_open_one_is_left():
    assert {line.to for line in lifecycle.TRANSITIONS} - {None} == set(S)
    for kind in PlanKind:
        reached, new = set(), {S.DRAFTED}
        while new - reached:
            reached |= new
            new = {line.to or state for state in reached for line in lifecycle.leaving(state, kind)}
        assert set(lifecycle.FINAL) & reached
        for state in reached & set(lifecycle.OPEN):
            assert {line.action for line in lifecycle.leaving(state, kind)} - {Action.WITHDRAW}, (state, kind)


@pytest.mark.parametrize(
    ("state", "action", "actor", "note", "key"),
    [
        (S.ISSUED, Action.APPROVE, region(), "", "lifecycle.not_allowed"),
        (S.FILED, Action.APPROVE, dealer(), "", "lifecycle.not_your_role"),
        (S.FILED, Action.APPROVE, region("R2"), "", "lifecycle.not_your_plan"),
        (S.ISSUED, Action.FILE, dealer("D002"), "", "lifecycle.not_your_plan"),
        (S.FILED, Action.RETURN, region(), "  ", "lifecycle.note_needed"),
        (S.ISSUED, Action.WITHDRAW, OEM, "", "lifecycle.note_needed"),
        (S.CLOSED, Action.WITHDRAW, OEM, "why", "lifecycle.not_allowed"),
    ],
)
def test_a_forbidden_step_says_why(state, action, actor, note, key):
    with pytest.raises(LifecycleError) as error:
        check(plan(state), action, actor, note)
    assert error.value.key == key
    assert "2026-10-D001" in error.value.text("en")


def test_a_refusal_names_words_by_their_labels_in_both_languages_and_survives_pickling():
    with pytest.raises(LifecycleError) as error:
        check(plan(S.FILED), Action.FILE, dealer())
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301  our own error, as a worker process hands it back
    assert "Possible now: approve, return, " in again.text("en")
    assert "已报备" in again.text("zh_CN")
    assert "批准、退回" in again.text("zh_CN")


def local(*parts):
    return datetime(*parts, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("case", "action", "owner", "on"),
    [
        (plan(S.ISSUED), "file", Role.DEALER, date(2026, 11, 7)),
        (plan(S.RETURNED, filed_at=day(4), returned_at=day(6)), "file", Role.DEALER, date(2026, 11, 13)),
        (plan(S.FILED, filed_at=day(4)), "approve", Role.REGION, date(2026, 11, 9)),
        (plan(S.APPROVED, approved_at=day(5)), "start", Role.DEALER, date(2026, 11, 12)),
        # a region that approves late leaves the dealer two days
        (plan(S.APPROVED, approved_at=day(20)), "start", Role.DEALER, date(2026, 11, 24)),
        (plan(S.IN_PROGRESS), "finish", Role.DEALER, date(2026, 11, 30)),
        (plan(S.ISSUED, PlanKind.DATA), "start", Role.DEALER, date(2026, 11, 12)),
    ],
)
def test_deadlines(case, action, owner, on):
    due = deadline(case, deadlines(), ZONE)
    assert (due.action.value, due.owner, due.on) == (action, owner, on)


@pytest.mark.parametrize(
    "case",
    [plan(S.DRAFTED), plan(S.DONE), plan(S.CLOSED), plan(S.ISSUED, PlanKind.KEEP), plan(S.IN_PROGRESS, PlanKind.DATA)],
)
def test_where_no_deadline_runs_nothing_is_ever_late(case):
    assert deadline(case, deadlines(), ZONE) is None
    assert overdue(case, local(2030, 1, 1), deadlines(), ZONE) is None


@pytest.mark.parametrize(
    ("at", "days", "level"),
    [
        (local(2026, 11, 7, 23, 59), None, None),
        (local(2026, 11, 8, 0, 0), 1, Role.DEALER),
        (local(2026, 11, 10), 3, Role.DEALER),
        (local(2026, 11, 11), 4, Role.REGION),
        (local(2026, 11, 14), 7, Role.REGION),
        (local(2026, 11, 15), 8, Role.OEM),
    ],
)
def test_overdue_escalates_from_dealer_to_region_to_oem(at, days, level):
    late = overdue(plan(S.ISSUED), at, deadlines(), ZONE)
    assert (late and late.days, late and late.level) == (days, level)
    assert late is None or late.since == date(2026, 11, 8)


def test_what_the_region_owes_is_never_escalated_to_the_dealer():
    late = overdue(plan(S.FILED, filed_at=day(0)), local(2026, 11, 6), deadlines(), ZONE)
    assert (late.owner, late.level) == (Role.REGION, Role.REGION)


def test_a_measure_reported_of_is_not_overdue():
    late, done = (
        plan(S.IN_PROGRESS, due=date(2026, 11, 10)),
        plan(S.IN_PROGRESS, due=date(2026, 11, 10), executed=False),
    )
    at = local(2026, 11, 11)
    assert lifecycle.measure_overdue(late, late.measures[0], at, ZONE)
    assert not lifecycle.measure_overdue(late, late.measures[0], local(2026, 11, 10, 23), ZONE)
    assert not lifecycle.measure_overdue(done, done.measures[0], at, ZONE)


def test_a_step_of_the_cycle_is_due_days_after_its_month():
    owner, due = lifecycle.step_due(Step.INGEST, CYCLE, deadlines(), ZONE)
    assert owner is Role.OEM
    assert due == local(2026, 11, 6)  # the end of the fifth day of November


@pytest.mark.parametrize(
    ("day_", "month"),
    [
        (date(2026, 11, 1), "2026-12"),  # a month that has begun is not whole any more
        (date(2026, 11, 30), "2026-12"),
        (date(2026, 12, 31), "2027-01"),
    ],
)
def test_the_first_whole_month_after_a_day(day_, month):
    assert month_after(day_) == month


def test_months_through_counts_both_ends():
    assert months_through("2026-12", "2026-12") == 1
    assert months_through("2026-12", "2027-02") == 3
    assert months_through("2027-01", "2026-12") == 0


E, N, W, Q = EffectVerdict.EFFECTIVE, EffectVerdict.NO_EFFECT, EffectVerdict.WORSE, EffectVerdict.NOT_ENOUGH


@pytest.mark.parametrize(
    ("verdicts", "verdict"), [([E, N], E), ([E, W], W), ([N, N], N), ([N, Q], Q), ([Q], Q), ([], Q), ([Q, E], E)]
)
def test_the_verdict_on_a_plan(verdicts, verdict):
    assert plan_verdict(verdicts) is verdict


@pytest.mark.parametrize(
    ("looks", "over"), [([], False), ([Q, Q], False), ([Q, Q, Q], True), ([N], True), ([Q, E], True)]
)
def test_looks_end_with_evidence_or_at_the_limit(looks, over):
    seen = [lifecycle.Look(month, verdict, "") for month, verdict in enumerate(looks, 1)]
    assert lifecycle.concluded(seen, deadlines(), 6) is over


def test_a_look_that_comes_too_early_or_again_uses_none_and_the_last_month_ends_them():
    early = [lifecycle.Look(month, Q, lifecycle.TOO_EARLY) for month in (1, 2)]
    again = [lifecycle.Look(3, Q, "")] * 3
    assert not lifecycle.concluded([*early, *again], deadlines(), 6)
    assert lifecycle.concluded([*early, *again, lifecycle.Look(6, Q, "")], deadlines(), 6)


# ---- catalogue and texts ----


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("days = 3 }]", "days = -3 }]", "plan.approve.clauses.0.days"),
        ('owner = "region"', 'owner = "nobody"', "plan.approve.owner"),
        ("oem_after_days = 7", "oem_after_days = 1", "oem_after_days"),
        ('deliver = { owner = "oem", days = 8 }', "", "deliver"),
        ("[plan.start]", "[plan.begin]", "plan.begin"),
    ],
)
def test_a_broken_deadline_names_file_and_entry(tmp_path, old, new, names):
    content = FILE.read_text("utf-8")
    assert old in content
    broken = tmp_path / "deadlines.toml"
    broken.write_text(content.replace(old, new), "utf-8")
    with pytest.raises(CatalogueError) as error:
        load_deadlines(broken)
    assert str(broken) in error.value.text("en")
    assert names in error.value.text("en")


WORDS = [
    word
    for module in (enums, lifecycle)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Word) and kind is not Word and kind.__module__ == module.__name__
    for word in kind
]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{type(word).__name__}.{word.value}")
def test_every_word_has_a_label_in_both_languages(word):
    assert all(word.label(locale).strip() for locale in LOCALES)


def test_the_page_of_the_life_cycle_is_current():
    assert PAGE.read_text("utf-8") == page(), "run: python -m models.lifecycle_page"


def test_the_system_may_never_issue_or_approve():
    for state in S:
        for kind in PlanKind:
            assert not {Action.ISSUE, Action.APPROVE, Action.FILE} & set(allowed(state, SYSTEM.role, kind))
