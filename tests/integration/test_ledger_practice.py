"""Consent to be named, and refused changes of what was fixed, on both databases: state, history, who may."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from support.plans import OEM, day, dealer, drive, region

from models import ledger
from models.database import writing
from models.enums import Consent
from models.errors import LifecycleError
from models.ledger.drafts import MEASURES
from models.ledger.frames import history_frame
from models.messages import LOCALES

PLAN = "2026-10-D001"


def test_consent_is_not_asked_by_default_and_the_last_answer_counts(db):
    drive(db, ledger, "closed")
    assert ledger.consents(db) == {}
    ledger.ask_consent(db, PLAN, actor=OEM, at=day(102))
    assert ledger.consents(db) == {PLAN: Consent.ASKED}
    ledger.answer_consent(db, PLAN, given=True, actor=dealer(), at=day(103))
    assert ledger.consents(db) == {PLAN: Consent.GIVEN}
    ledger.answer_consent(db, PLAN, given=False, actor=dealer(), at=day(104))
    assert ledger.consents(db) == {PLAN: Consent.DECLINED}
    events = history_frame(db, plan_id=PLAN).tail(3)
    assert events["role"].tolist() == ["oem", "dealer", "dealer"]
    assert events["from_state"].eq("closed").all()
    assert events["to_state"].eq("closed").all()


def test_only_the_dealer_itself_consents_and_only_to_what_is_closed(db):
    drive(db, ledger, "verified")
    for actor, key in ((dealer(), "lifecycle.not_allowed"), (dealer("D002"), "lifecycle.unknown_plan")):
        with pytest.raises(LifecycleError) as error:
            ledger.answer_consent(db, PLAN, given=True, actor=actor, at=day(101))
        assert error.value.key == key
    ledger.close(db, PLAN, actor=OEM, at=day(101))
    for actor in (OEM, region()):
        with pytest.raises(LifecycleError) as error:
            ledger.answer_consent(db, PLAN, given=True, actor=actor, at=day(102))
        assert error.value.key == "lifecycle.not_your_role"
    assert ledger.consents(db) == {}


@pytest.mark.parametrize("change", [{"indicator": "lead_to_visit"}, {"target_points": 0.5}, {"horizon_months": 6}])
def test_a_change_of_what_was_fixed_is_refused_and_in_the_history(db, change):
    before = drive(db, ledger, "approved")
    request = {"actor": OEM, "at": day(6), "note": "改目标", **change}
    for _ in range(2):  # repeated, it is one line
        with pytest.raises(LifecycleError) as error:
            ledger.request_change(db, PLAN, f"{PLAN}-1", **request)
        assert error.value.key == "lifecycle.fixed_at_approval"
        assert all(next(iter(change)) in error.value.text(locale) for locale in LOCALES)
    after = ledger.plan(db, PLAN)
    assert after.measures == before.measures
    assert after.version == before.version + 1
    last = history_frame(db, plan_id=PLAN).iloc[-1]
    assert (last["actor"], last["from_state"], last["to_state"]) == ("oem-user", "approved", "approved")
    ((name, value),) = change.items()
    assert f"refused: {PLAN}-1: {name}={value}" in last["note"]


def test_before_approval_or_by_strangers_nothing_is_recorded(db):
    plan = drive(db, ledger, "filed")
    tried = (
        (f"{PLAN}-1", OEM, "为何", "lifecycle.not_allowed"),
        (f"{PLAN}-9", OEM, "为何", "lifecycle.unknown_measure"),
    )
    for measure, actor, note, key in tried:
        with pytest.raises(LifecycleError) as error:
            ledger.request_change(db, PLAN, measure, actor=actor, at=day(6), note=note, indicator="quote_rate")
        assert error.value.key == key
    ledger.approve(db, PLAN, actor=region(), at=day(5))
    for actor, note, key in ((dealer("D002"), "为何", "lifecycle.not_your_plan"), (OEM, " ", "lifecycle.note_needed")):
        with pytest.raises(LifecycleError) as error:
            ledger.request_change(db, PLAN, f"{PLAN}-1", actor=actor, at=day(6), note=note, indicator="quote_rate")
        assert error.value.key == key
    assert ledger.plan(db, PLAN).version == plan.version + 1  # the approval


@pytest.mark.parametrize("column", ["registered_indicator", "registered_target", "registered_horizon"])
def test_the_database_itself_refuses_the_change(db, column):
    drive(db, ledger, "approved")
    value = "quote_rate" if column == "registered_indicator" else 1
    statement = update(MEASURES).where(MEASURES.c.measure_id == f"{PLAN}-1").values({column: value})
    with pytest.raises(IntegrityError, match="fixed at approval"), writing(db.url) as connection:
        connection.execute(statement)
