"""Each authenticity signal on a network of honest dealers in which one dealer does what the signal is about."""

import numpy as np
import pandas as pd
import pytest

from expectations.authenticity.find import DETECTORS
from expectations.authenticity.phones import phone_marks
from models.catalogue.signals import signals
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


def reached_without_answers(tables):
    revisits = tables["revisits"]
    rows = rows_of(tables, "revisits", DEALER, 0.25, ~revisits["reached"].astype(bool))
    revisits.loc[rows, "reached"] = True
    revisits.loc[rows, [name for name in revisits if name.startswith("satisfaction_")]] = np.nan
    return "revisit_success_improbable", set(revisits.loc[rows, "_row"])


def reached_and_called_again(tables):
    revisits = tables["revisits"]
    rows = rows_of(tables, "revisits", DEALER, 0.15, revisits["reached"].astype(bool))
    again = revisits.loc[rows].assign(reached=False, _row=range(9001, 9001 + len(rows)))
    again["called_at"] += pd.Timedelta(days=1)
    tables["revisits"] = pd.concat([revisits, again], ignore_index=True).astype(revisits.dtypes)
    return "revisit_success_improbable", set(revisits.loc[rows, "_row"])


def two_talks_at_once(tables):
    revisits = tables["revisits"]
    rows = rows_of(tables, "revisits", DEALER, 0.25, revisits["reached"].astype(bool))
    revisits.loc[rows, "agent_id"] = "A1"
    minutes = np.arange(len(rows)).astype("timedelta64[m]")
    revisits.loc[rows, "called_at"] = np.datetime64("2025-05-14T10:00:07", "us") + minutes
    revisits.loc[rows, "duration_s"] = 90
    return "revisit_success_improbable", set(revisits.loc[rows, "_row"])


def one_caller_reaches_everybody(tables):
    revisits = tables["revisits"]
    own = revisits["agent_id"] == "A1"
    rows = rows_of(tables, "revisits", DEALER, 1.0, own)
    revisits.loc[rows, "reached"] = True
    others = rows_of(tables, "revisits", DEALER, 0.6, ~own)
    revisits.loc[others, "reached"] = False
    return "revisit_success_improbable", set(revisits.loc[rows, "_row"])


def one_consultants_reason(tables):
    consultant = tables["defeats"]["lead_id"].map(tables["leads"].set_index("lead_id")["consultant_id"])
    mine = consultant == f"{DEALER}-2"
    tables["defeats"].loc[mine, "reason_code"] = "supply_no_stock"
    return "one_reason", set(tables["defeats"].loc[mine, "_row"])


def one_reason_in_one_day(tables):
    rows = rows_of(tables, "defeats", DEALER, 0.2)
    tables["defeats"].loc[rows, "reason_code"] = "supply_no_stock"
    times = np.datetime64("2025-05-14T09:01:07", "us") + (31 * np.arange(len(rows))).astype("timedelta64[m]")
    tables["defeats"].loc[rows, "defeated_at"] = times
    return "one_reason", set(tables["defeats"].loc[rows, "_row"])


def one_consultants_sudden_reason(tables):
    defeats = tables["defeats"]
    consultant = defeats["lead_id"].map(tables["leads"].set_index("lead_id")["consultant_id"])
    late = defeats["defeated_at"] >= pd.Timestamp("2025-04-01")
    first = (consultant == f"{DEALER}-1") | (consultant == f"{DEALER}-2")
    tables["leads"].loc[tables["leads"]["consultant_id"] == f"{DEALER}-2", "consultant_id"] = f"{DEALER}-1"
    defeats.loc[first & late, "reason_code"] = "supply_no_stock"
    defeats.loc[first & ~late, "reason_code"] = "product_power"
    return "reason_shift", set(defeats.loc[first & late, "_row"])


CROWDS = (
    reached_without_answers, reached_and_called_again, two_talks_at_once, one_caller_reaches_everybody,
    one_consultants_reason, one_reason_in_one_day, one_consultants_sudden_reason,
)  # fmt: skip


@pytest.fixture
def staffed(tables):
    """With three callers at every dealer."""
    tables["revisits"]["agent_id"] = [f"A{number % 3}" for number in range(len(tables["revisits"]))]
    return tables


def test_honest_callers_are_left_alone(staffed):
    assert flagged(found(staffed)) == set()


@pytest.mark.parametrize("planting", CROWDS, ids=lambda planting: planting.__name__)
def test_a_crowd_is_found_where_the_dealers_own_share_says_little(staffed, planting):
    signal, rows = planting(staffed)
    signals = found(staffed)
    assert (DEALER, signal) in flagged(signals)
    assert {dealer for dealer, _ in flagged(signals)} == {DEALER}
    named = set(signals.evidence.loc[signals.evidence["signal"] == signal, "row_number"])
    assert rows <= named
    assert len(named - rows) <= len(named) / 3, "the evidence is mostly what was planted"


def test_a_dealer_that_truly_loses_more_for_one_reason_is_left_alone(tables):
    """A tenth of its filings more, evenly over consultants and days: a weakness, nothing to suspect."""
    rows = np.random.default_rng(4).permutation(rows_of(tables, "defeats", DEALER))
    tables["defeats"].loc[rows[: len(rows) // 10], "reason_code"] = "supply_no_stock"
    assert flagged(found(tables)) == set()


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


SAID = {
    "price_too_high": "the price was more than he wanted to pay",
    "product_power": "he said the engine had no power on the hill",
    "supply_no_stock": "not in stock and he needed a car this week",
    "customer_plan_postponed": "he has put off buying a car until next year",
}


def test_the_words_for_a_reason_in_the_staffs_own_language_are_no_copies(tables):
    """Four dealers write English, one sentence a reason; one of them loses a third of its deals for the same reason."""
    defeats = tables["defeats"]
    rng = np.random.default_rng(8)
    more = rng.permutation(rows_of(tables, "defeats", DEALER))
    defeats.loc[more[: len(more) // 5], "reason_code"] = "supply_no_stock"
    for dealer in ("D02", "D05", DEALER, "D11"):
        own = rng.permutation(rows_of(tables, "defeats", dealer))
        half = own[: len(own) // 2]
        defeats.loc[half, "reason_text"] = defeats.loc[half, "reason_code"].map(SAID)
    own = defeats.loc[rows_of(tables, "defeats", DEALER), "reason_text"]
    assert (own == SAID["supply_no_stock"]).mean() > signals()["copied_text"].limits["share"]
    assert flagged(found(tables)) == set()


def test_copies_in_the_staffs_own_language_are_found(tables):
    defeats = tables["defeats"]
    for dealer in ("D02", "D05", DEALER, "D11"):
        own = rows_of(tables, "defeats", dealer, 0.5)
        defeats.loc[own, "reason_text"] = defeats.loc[own, "reason_code"].map(SAID)
    rows = rows_of(tables, "defeats", DEALER, 0.2)
    defeats.loc[rows, "reason_text"] = "customer is not interested, will keep in touch with him"
    assert flagged(found(tables)) == {(DEALER, "copied_text")}


def test_bare_dates_are_no_burst(tables):
    tables["defeats"]["defeated_at"] = tables["defeats"]["defeated_at"].dt.normalize()
    tables["leads"]["defeated_at"] = tables["leads"]["defeated_at"].dt.normalize()
    assert flagged(found(tables)) == set()
