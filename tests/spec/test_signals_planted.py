"""Each authenticity signal on a network of honest dealers in which one dealer does what the signal is about."""

import numpy as np
import pandas as pd
import pytest

from expectations.authenticity.find import DETECTORS
from expectations.authenticity.phones import phone_marks
from tests.support.signal_cases import UNTIL, flagged, found, network, rows_of

DEALER = "D07"


@pytest.fixture(scope="module")
def honest():
    return network()


@pytest.fixture
def tables(honest):
    return {name: frame.copy() for name, frame in honest.items()}


def _number(tables, rows, numbers):
    tables["leads"].loc[rows, "phone"] = numbers
    tables["leads"].loc[rows, "phone_key"] = ["k" + number for number in numbers]


def shared_phone(tables):
    rows = rows_of(tables, "leads", DEALER, 0.1)
    _number(tables, rows, [f"+8613{number % 3}55550000" for number in range(len(rows))])


def staff_phone(tables):
    who = tables["leads"]["consultant_id"] == f"{DEALER}-1"
    rows = rows_of(tables, "leads", DEALER, 0.5, who)
    _number(tables, rows, ["+8613255550000"] * len(rows))


def sequential_phone(tables):
    rows = rows_of(tables, "leads", DEALER, 0.1)
    _number(tables, rows, [f"+86132{40_000_000 + 3 * number:08d}" for number in range(len(rows))])


def phone_changed(tables):
    tables["sales"].loc[rows_of(tables, "sales", DEALER, 0.5), "phone_key"] = "another"


def revisit_seconds(tables):
    reached = tables["revisits"]["reached"].astype(bool)
    tables["revisits"].loc[rows_of(tables, "revisits", DEALER, 0.2, reached), "duration_s"] = 4


def straight_top_marks(tables):
    marks = [name for name in tables["revisits"] if name.startswith("satisfaction_")]
    reached = tables["revisits"]["reached"].astype(bool)
    tables["revisits"].loc[rows_of(tables, "revisits", DEALER, 0.3, reached), marks] = 10.0


def revisit_success_improbable(tables):
    tables["revisits"].loc[rows_of(tables, "revisits", DEALER), "reached"] = True


def deadline_burst(tables):
    rows = rows_of(tables, "defeats", DEALER, 0.15)
    seconds = np.arange(len(rows)).astype("timedelta64[s]")
    tables["defeats"].loc[rows, "defeated_at"] = np.datetime64("2025-05-31T23:41:07", "us") + seconds


def back_dated(tables):
    rows = rows_of(tables, "defeats", DEALER, 0.15)
    tables["defeats"].loc[rows, "reviewed_at"] += pd.Timedelta(days=30)


def one_reason(tables):
    tables["defeats"].loc[rows_of(tables, "defeats", DEALER, 0.9), "reason_code"] = "price_too_high"


def reason_shift(tables):
    late = tables["defeats"]["defeated_at"] >= pd.Timestamp("2025-04-01")
    tables["defeats"].loc[rows_of(tables, "defeats", DEALER, 1.0, late), "reason_code"] = "supply_no_stock"
    tables["defeats"].loc[rows_of(tables, "defeats", DEALER, 1.0, ~late), "reason_code"] = "price_too_high"


def copied_text(tables):
    rows = rows_of(tables, "defeats", DEALER, 0.15)
    tables["defeats"].loc[rows, "reason_text"] = [f"客户暂无购车意向,后续继续跟进{n}次。" for n in range(len(rows))]


def digit_anomaly(tables):
    tables["leads"].loc[rows_of(tables, "leads", DEALER, 0.3), "quoted_price"] = 128_888.0


def no_contact(tables):
    lost = tables["leads"]["status"] == "defeated"
    tables["leads"].loc[rows_of(tables, "leads", DEALER, 0.15, lost), "contact_count"] = 0


def never_moves(tables):
    rows = rows_of(tables, "leads", DEALER, 0.2)
    tables["leads"].loc[rows, ["first_contact_at", "last_contact_at", "defeated_at", "ordered_at"]] = pd.NaT
    tables["leads"].loc[rows, "status"] = "open"


PLANTINGS = (
    shared_phone, staff_phone, sequential_phone, phone_changed, revisit_seconds, straight_top_marks,
    revisit_success_improbable, deadline_burst, back_dated, one_reason, reason_shift, copied_text, digit_anomaly,
    no_contact, never_moves,
)  # fmt: skip


def test_honest_dealers_are_left_alone(honest):
    signals = found(honest)
    assert flagged(signals) == set()
    assert signals.checked["checked"].all()
    assert signals.evidence.empty


def test_every_signal_has_a_planting():
    assert {planting.__name__ for planting in PLANTINGS} == set(DETECTORS)


@pytest.mark.parametrize("planting", PLANTINGS, ids=lambda planting: planting.__name__)
def test_the_dealer_is_found_with_its_rows(tables, planting):
    planting(tables)
    signals = found(tables)
    assert (DEALER, planting.__name__) in flagged(signals)
    assert {dealer for dealer, _ in flagged(signals)} == {DEALER}
    row = signals.found.set_index(["dealer_id", "signal"]).loc[(DEALER, planting.__name__)]
    evidence = signals.evidence[signals.evidence["signal"] == planting.__name__]
    assert len(evidence) == row["evidence_rows"] > row["expected_rows"]
    assert set(evidence["dealer_id"]) == {DEALER}
    assert not evidence.duplicated(["table", "source_file", "row_number"]).any()


def test_evidence_names_the_planted_rows(tables):
    back_dated(tables)
    rows = rows_of(tables, "defeats", DEALER, 0.15)
    evidence = found(tables).evidence
    assert set(evidence["row_number"]) == set(tables["defeats"].loc[rows, "_row"])
    assert set(evidence["row_key"]) == set(tables["defeats"].loc[rows, "lead_id"])
    assert set(evidence["source_file"]) == {"defeats.csv"}


def test_a_number_changed_since_an_earlier_cycle(tables):
    marks = phone_marks(tables["leads"], UNTIL)
    assert set(marks) == {"lead_id", "phone_mark"}
    lost = tables["leads"]["status"] == "defeated"
    tables["leads"].loc[rows_of(tables, "leads", DEALER, 0.15, lost), "phone_key"] = "another"
    assert (DEALER, "phone_changed") in flagged(found(tables | {"sales": None}, earlier_phones=marks))


def test_one_family_name_on_a_number_is_one_customer(tables):
    rows = rows_of(tables, "leads", DEALER, 0.1)
    pairs = [f"+8613{number // 2 % 10}5555{number // 20:04d}" for number in range(len(rows))]
    _number(tables, rows, pairs)
    tables["leads"].loc[rows, "customer_name"] = ["王先生" if number % 2 else "王强" for number in range(len(rows))]
    assert flagged(found(tables)) == set()


def test_a_phrase_all_dealers_use_is_nobodys_copy(tables):
    rows = tables["defeats"].sample(frac=0.2, random_state=3).index
    tables["defeats"].loc[rows, "reason_text"] = "客户暂无购车意向,后续继续跟进"
    assert flagged(found(tables)) == set()


def test_bare_dates_are_no_burst(tables):
    tables["defeats"]["defeated_at"] = tables["defeats"]["defeated_at"].dt.normalize()
    tables["leads"]["defeated_at"] = tables["leads"]["defeated_at"].dt.normalize()
    assert flagged(found(tables)) == set()
