"""The simulated brand: same seed same rows, truth that the rows bear out, rates as in the trade."""

import itertools

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from pandas.testing import assert_frame_equal

from models.catalogue.contract import contract
from models.catalogue.filter_rules import filter_rules
from models.catalogue.reasons import valid_codes
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.simulation import fates, filings, phrases
from tasks.compute.simulation.months import Simulation
from tasks.compute.simulation.network import SIGNALS, Network
from tasks.compute.simulation.truth import dealer_truth

MONTHS = 6


@pytest.fixture(scope="module")
def network():
    return Network.build(40, 5, "2025-01", fakery=0.0)


@pytest.fixture(scope="module")
def exported(network):
    """The months one after another as a receiver holds them: the later row of a lead wins."""
    simulation = Simulation(network)
    months = [simulation.month(number) for number in range(MONTHS)]
    tables = {name: pd.concat([month[name] for month in months], ignore_index=True) for name in months[0]}
    tables["leads"] = tables["leads"].drop_duplicates("lead_id", keep="last").reset_index(drop=True)
    tables["dealers"] = months[0]["dealers"]
    return tables


@pytest.fixture(scope="module")
def truth(network):
    simulation = Simulation(network)
    return pd.concat([simulation.truth(number) for number in range(MONTHS)], ignore_index=True)


def test_the_same_seed_gives_the_same_rows_in_any_order():
    forwards = Simulation(Network.build(12, 3, "2025-01"))
    forwards.month(1)
    backwards = Simulation(Network.build(12, 3, "2025-01"))
    later, again = forwards.month(2), backwards.month(2)
    for table in later:
        assert_frame_equal(later[table], again[table])
    other = Simulation(Network.build(12, 4, "2025-01")).month(2)
    assert not later["leads"]["phone"].isin(other["leads"]["phone"]).all()


def test_columns_and_types_are_those_of_the_contract(exported):
    kinds = {"int": "Int64", "bool": "boolean", "money": "float64", "score": "float64", "date": "datetime64[us]"}
    kinds["datetime"] = "datetime64[us]"
    for name, frame in exported.items():
        fields = contract().tables[name].fields
        assert list(frame.columns) == list(fields)
        assert {c: str(frame[c].dtype) for c in frame} == {c: kinds.get(fields[c].kind, "str") for c in frame}


@pytest.mark.parametrize("field", ["status", "destination", "purchase_type", "customer_type", "referral_kind"])
def test_closed_words_are_codes_of_the_contract(exported, field):
    holders = [frame[field] for frame in exported.values() if field in frame]
    assert holders
    for column in holders:
        assert set(column.dropna()) <= set(contract().codes(field))


def test_reasons_are_codes_of_the_catalogue(exported):
    confirmed = exported["revisits"]["reason_codes"].dropna().str.split(";").explode()
    assert set(exported["defeats"]["reason_code"].dropna()) | set(confirmed) <= valid_codes()
    assert set(fates.CAUSES) | set(phrases.SENTENCES) <= valid_codes()
    assert {*filings.CODES[1:]} == set(phrases.SENTENCES)


def test_rows_without_dirt_hold_together(exported):
    leads = exported["leads"].set_index("lead_id")
    assert leads.index.is_unique
    steps = ["created_at", "visited_at", "test_drive_at", "quoted_at", "ordered_at", "delivered_at"]
    for earlier, later in itertools.pairwise(["created_at", "first_contact_at", "last_contact_at"]):
        assert not (leads[earlier] > leads[later]).any()
    for earlier, later in itertools.combinations(steps, 2):
        assert not (leads[earlier] > leads[later]).any()
    assert not (leads["created_at"] > leads["defeated_at"]).any()
    assert (leads["defeated_at"].notna() == (leads["status"] == "defeated")).all()
    assert leads.loc[leads["status"] == "won", "ordered_at"].notna().all()
    assert exported["defeats"]["lead_id"].isin(leads.index).all()
    assert exported["revisits"]["lead_id"].isin(leads.index).all()
    assert exported["sales"]["lead_id"].dropna().isin(leads.index).all()
    for table, key in (("sales", "sale_id"), ("service_visits", "visit_id")):
        assert exported[table][key].is_unique
    for table in ("defeats", "revisits", "interactions"):
        key = [column if column != "phone_key" else "phone" for column in contract().tables[table].key]
        assert not exported[table].duplicated(key).any()


def test_months_hold_what_happened_in_them(network):
    tables = Simulation(network).month(3)
    for table, column in (("revisits", "called_at"), ("sales", "sold_at"), ("service_visits", "visited_at")):
        assert set(tables[table][column].dt.strftime("%Y-%m")) == {"2025-04"}
    assert tables["leads"]["created_at"].max() < pd.Timestamp("2025-05-01")
    late = tables["defeats"]["defeated_at"] < pd.Timestamp("2025-04-01")
    assert 0 < late.mean() < 0.05


def test_open_leads_are_known_from_the_first_export_on(exported):
    begin = pd.Timestamp("2025-01-01")
    filed = exported["defeats"].merge(exported["leads"], on="lead_id", suffixes=("", "_lead"))
    assert (filed["created_at"] < begin).any()


def test_rates_are_those_of_the_trade(exported):
    leads = exported["leads"]
    closed = leads["ordered_at"].where(leads["status"] == "won", leads["defeated_at"]) >= pd.Timestamp("2025-01-01")
    assert 0.15 < (leads.loc[closed, "status"] == "won").mean() < 0.20
    mature = leads[(leads["created_at"] >= "2025-01-01") & (leads["created_at"] < "2025-03-01")]
    assert 0.72 < (mature["status"] == "defeated").mean() < 0.85
    offline = mature["source"].isin(["自然到店"])
    assert mature.loc[offline, "visited_at"].notna().all()
    assert mature.loc[~offline, "visited_at"].notna().mean() < 0.65
    declared = exported["defeats"]["reason_code"].value_counts(normalize=True)
    assert declared.index[0] == "price_too_high"  # what consultants blame, however little of it is true


def test_phones_are_valid_and_one_per_person(exported):
    phones = exported["leads"]["phone"]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone, "CN")) for phone in phones.iloc[:500])
    repeated = phones.value_counts()
    assert repeated.max() <= 3
    at_two = exported["leads"].groupby("phone")["dealer_id"].nunique()
    assert (at_two > 1).sum() > 50


def test_every_planted_false_or_sister_defeat_has_its_evidence(exported, truth):
    end = exported["sales"]["sold_at"].max()
    leads = exported["leads"].set_index("lead_id")
    planted = truth[truth["known_from"] <= end]
    sold = planted[planted["evidence"].isin(["sale", "sister_sale"])]
    assert {"sale", "sister_sale"} <= set(sold["evidence"])
    merged = sold.assign(phone=leads.loc[sold["lead_id"], "phone"].to_numpy()).merge(exported["sales"], on="phone")
    merged["apart"] = merged["sold_at"] - merged["filed_at"]
    inside = merged[(merged["apart"] >= pd.Timedelta(days=-7)) & (merged["apart"] <= pd.Timedelta(days=90))]
    proof = inside[inside["dealer_id_y"] == inside["bought_dealer_id"]]
    assert set(zip(sold["lead_id"], sold["filed_at"], strict=True)) == set(
        zip(proof["lead_id_x"], proof["filed_at"], strict=True)
    )
    back = planted[planted["evidence"] == "later_lead"]
    known = exported["leads"].groupby(["phone", "dealer_id"])["created_at"].max()
    pairs = pd.MultiIndex.from_arrays([leads.loc[back["lead_id"], "phone"], back["dealer_id"]])
    assert (known.loc[pairs].to_numpy() > back["filed_at"].to_numpy()).all()


def test_the_defeat_filter_finds_the_planted_truth(exported, truth):
    """The simulation derives verdicts from what it planted, the filter from rows: they must meet."""
    tables = {name: frame.assign(_file=name, _row=np.arange(len(frame)) + 1) for name, frame in exported.items()}
    for name in ("leads", "sales"):
        tables[name]["phone_key"] = tables[name]["phone"]
    tables["sales"]["referrer_phone_key"] = tables["sales"]["referrer_phone"]
    found = judge_defeats(tables, filter_rules())
    both = truth.merge(found, on=["lead_id", "filed_at"], suffixes=("", "_found"), how="left")
    both = both[~(both["known_from"] >= pd.Timestamp("2025-07-01"))]
    assert len(both) > 10_000
    for column in ("verdict", "destination", "bought_dealer_id"):
        assert (both[column].fillna("") == both[f"{column}_found"].fillna("")).mean() > 0.999


def test_weak_dealers_are_truly_weak_at_their_cause():
    network = Network.build(60, 9, "2025-01", fakery=0.0)
    simulation = Simulation(network)
    truth = pd.concat([simulation.truth(month) for month in range(4)], ignore_index=True)
    leads = pd.concat([simulation.month(month)["leads"] for month in range(4)]).drop_duplicates("lead_id", keep="last")
    facts = dealer_truth(network).set_index("dealer_id")
    per_lead = truth.groupby(["dealer_id", "reason"]).size().unstack(fill_value=0)
    won = leads[leads["ordered_at"] >= pd.Timestamp("2025-01-01")].groupby("dealer_id").size()
    per_lead = per_lead.div(truth.groupby("dealer_id").size() + won, axis=0)
    weak = facts[facts["cause"].notna() & (facts["cause"] != "")]
    assert len(weak) == 15
    excess = [per_lead.loc[d, c] - per_lead[c].median() for d, c in weak["cause"].items()]
    assert np.mean(excess) == pytest.approx(weak["points"].mean() / 100, abs=0.015)
    assert np.min(excess) > 0
    assert facts.loc[weak.index, "close_rate"].mean() < facts.drop(weak.index)["close_rate"].mean() - 0.02


def test_mixes_mislead_raw_rates(network):
    mix = network.dealers.source_mix
    assert mix.std(axis=0).max() > 0.08
    assert np.allclose(mix.sum(axis=1), 1)


def _outcomes(network, effects):
    simulation = Simulation(network)
    return simulation.month(2, effects), simulation.truth(2, effects)


def test_an_effect_changes_only_its_dealer_and_cause(network):
    dealer = network.dealers.ids[int(np.argmax(network.dealers.volume))]
    before, truth_before = _outcomes(network, {})
    after, truth_after = _outcomes(network, {(dealer, "customer_plan_postponed"): 3.0})
    changed = pd.concat([before["leads"], after["leads"]]).drop_duplicates(keep=False)
    # further leads of a customer saved here are not made at sister dealers
    assert (changed["dealer_id"] == dealer).mean() > 0.95
    lost = truth_before.merge(truth_after, on=["lead_id", "filed_at"], how="left", indicator=True)
    saved = lost[(lost["_merge"] == "left_only") & (lost["dealer_id_x"] == dealer)]
    assert set(saved["reason_x"]) == {"customer_plan_postponed"}
    for table in ("service_visits", "dealers"):
        assert_frame_equal(before[table], after[table])


@pytest.mark.parametrize("points", [4.0, -4.0])
def test_an_effect_has_its_size(points):
    network = Network.build(8, 2, "2025-01", fakery=0.0)
    effects = dict.fromkeys([(dealer, "process_follow_up") for dealer in network.dealers.ids], points)
    simulation = Simulation(network)

    def close_rate(acting):
        won = closed = 0
        for month in range(3, 7):
            leads = simulation.month(month, acting, dict.fromkeys(range(3, month), acting))["leads"]
            at = leads["ordered_at"].where(leads["status"] == "won", leads["defeated_at"]).dt.strftime("%Y-%m")
            here = at == network.month_name(month)
            won, closed = won + (leads.loc[here, "status"] == "won").sum(), closed + here.sum()
        return won / closed

    assert close_rate(effects) - close_rate({}) == pytest.approx(points / 100, abs=0.012)


def test_earlier_effects_stay_in_later_months(network):
    simulation = Simulation(network)
    dealer = str(network.dealers.ids[0])
    effects = {(dealer, "process_follow_up"): 8.0}
    closing = simulation.month(2, effects)
    won = closing["leads"][closing["leads"]["dealer_id"] == dealer].set_index("lead_id")
    won = won[won.index.isin(closing["sales"]["lead_id"])]  # an order without a sale may still be cancelled
    next_month = simulation.month(3, {}, {2: effects})["leads"].set_index("lead_id")
    both = won.index.intersection(next_month.index)
    assert len(both)
    assert (next_month.loc[both, "status"] == "won").all()


def test_better_follow_up_shows_in_the_response_to_every_lead(network):
    dealer = network.dealers.ids[int(np.argmax(network.dealers.volume))]
    simulation = Simulation(network)

    def hours(effects):
        leads = simulation.month(2, effects)["leads"]
        made = leads[(leads["dealer_id"] == dealer) & (leads["created_at"] >= "2025-03-01")]
        return (made["first_contact_at"] - made["created_at"]).dt.total_seconds().median() / 3600

    assert hours({(dealer, "process_follow_up"): 4.0}) < 0.6 * hours({})
    assert hours({(dealer, "process_reception"): 4.0}) == pytest.approx(hours({}), rel=0.05)


def test_unknown_causes_are_refused(network):
    with pytest.raises(KeyError):
        Simulation(network).month(0, {(network.dealers.ids[0], "bad_luck"): 1.0})


@pytest.fixture(scope="module")
def embellished():
    network = Network.build(48, 6, "2025-01", fakery=1.0)
    simulation = Simulation(network)
    months = [simulation.month(month) for month in range(3)]
    tables = {name: pd.concat([m[name] for m in months], ignore_index=True) for name in months[0]}
    leads = tables["leads"].drop_duplicates("lead_id", keep="last")
    dealer_of = leads.set_index("lead_id")["dealer_id"]
    for name in ("defeats", "revisits"):
        tables[name]["dealer_id"] = tables[name]["lead_id"].map(dealer_of)
    return network, tables | {"leads": leads}


def _of(embellished, signal, table):
    network, tables = embellished
    dealers = [d for d, s in zip(network.dealers.ids, network.dealers.fakery, strict=True) if signal in s]
    has = tables[table]["dealer_id"].isin(dealers)
    assert has.any()
    return tables[table][has], tables[table][~has]


def test_each_sign_of_embellishment_shows_where_it_is_planted(embellished):
    network, _ = embellished
    assert {sign for signs in network.dealers.fakery for sign in signs} == set(SIGNALS)

    def measure(signal, table, figure):
        planted, others = (figure(part) for part in _of(embellished, signal, table))
        return planted, others

    def repeated(leads):
        return leads.duplicated(["dealer_id", "phone"], keep=False).mean()

    for signal in ("shared_phone", "staff_phone"):
        planted, _ = measure(signal, "leads", repeated)
        assert planted > 0.08
    planted, others = measure(
        "sequential_phone", "leads", lambda x: (np.diff(np.sort(x["phone"].astype(int))) < 9).mean()
    )
    assert planted > 0.1 > others
    done = measure("revisit_seconds", "revisits", lambda x: (x.loc[x["reached"], "duration_s"] < 10).mean())
    assert done == (1.0, 0.0)
    scores = [column for column in embellished[1]["revisits"] if column.startswith("satisfaction")]
    planted, others = measure(
        "straight_top_marks", "revisits", lambda x: (x[x["reached"]][scores] == 10).all(axis=1).mean()
    )
    assert planted > 0.7
    assert others < 0.01

    def last_hours(revisits):
        month_end = revisits["called_at"].dt.to_period("M").dt.end_time
        return (month_end - revisits["called_at"] < pd.Timedelta(hours=2)).mean()

    assert measure("deadline_burst", "revisits", last_hours)[0] == 1.0
    planted, others = measure("copied_text", "defeats", lambda x: (x["reason_text"] == phrases.COPIED).mean())
    assert planted > 0.7
    assert others == 0
    planted, others = measure("one_reason", "defeats", lambda x: x["reason_code"].value_counts(normalize=True).max())
    assert planted > 0.85
    assert others < 0.5


@pytest.mark.parametrize("dealers", [1, 2, 9])
def test_small_networks_work(dealers):
    tables = Simulation(Network.build(dealers, 1, "2026-01")).month(0)
    assert tables["leads"]["dealer_id"].nunique() == dealers
    assert set(tables["leads"]["dealer_id"]) == set(tables["dealers"]["dealer_id"])


def test_no_network_without_dealers():
    with pytest.raises(ValueError, match="at least one"):
        Network.build(0, 1)
