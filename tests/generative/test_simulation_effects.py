"""Whatever measures do, the simulated rows stay possible and everybody else's rows stay as they were."""

import itertools

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.compute.simulation import fates
from tasks.compute.simulation.months import Simulation
from tasks.compute.simulation.network import Network

_DEALERS = 5
_STEPS = ("created_at", "visited_at", "test_drive_at", "quoted_at", "ordered_at", "delivered_at")

_acting = st.dictionaries(
    st.tuples(st.sampled_from([f"D{number + 1:04d}" for number in range(_DEALERS)]), st.sampled_from(fates.FATES[1:])),
    st.floats(-15, 15),
    max_size=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31), acting=_acting, before=_acting)
def test_rows_stay_possible_under_any_effects(seed, acting, before):
    simulation = Simulation(Network.build(_DEALERS, seed, "2026-01"))
    tables = simulation.month(2, acting, {1: before})
    leads = tables["leads"].set_index("lead_id")
    assert leads.index.is_unique
    for earlier, later in itertools.combinations(_STEPS, 2):
        assert not (leads[earlier] > leads[later]).any()
    assert not (leads["first_contact_at"] > leads["last_contact_at"]).any()
    assert not (leads["created_at"] > leads["first_contact_at"]).any()
    assert not (leads["created_at"] > leads["defeated_at"]).any()
    assert ((leads["status"] == "defeated") == leads["defeated_at"].notna()).all()
    assert leads.loc[leads["status"] == "won", "ordered_at"].notna().all()
    truth = simulation.truth(2, acting, {1: before})
    assert (
        truth[["lead_id", "filed_at"]]
        .reset_index(drop=True)
        .equals(tables["defeats"][["lead_id", "defeated_at"]].rename(columns={"defeated_at": "filed_at"}))
    )
    assert not (truth["known_from"] < pd.Timestamp("2025-12-25")).any()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31), points=st.floats(-10, 10), cause=st.sampled_from(fates.CAUSES))
def test_other_regions_do_not_notice(seed, points, cause):
    network = Network.build(24, seed, "2026-01")
    dealer, region = network.dealers.ids[0], network.dealers.region
    simulation = Simulation(network)
    far = set(network.dealers.ids[region != region[0]])
    before = simulation.month(1)
    after = simulation.month(1, {(dealer, cause): points})
    for table in ("leads", "service_visits", "interactions"):
        kept = [
            tables[table][tables[table]["dealer_id"].isin(far)].reset_index(drop=True) for tables in (before, after)
        ]
        pd.testing.assert_frame_equal(*kept)
