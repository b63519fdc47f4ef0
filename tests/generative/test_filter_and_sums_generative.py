"""What holds for any network: verdicts and sums do not depend on row order, and parts add up to the whole."""

from __future__ import annotations

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.catalogue.filter_rules import filter_rules
from models.catalogue.indicators import Base, indicators
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.fact_sums import MONTH_COLUMN, by_month, fact_sums, facts_of, merge_sums
from tasks.compute.indicators import indicator_table
from tasks.compute.known import as_known
from tasks.compute.lead_facts import lead_facts, open_facts
from tasks.compute.reason_table import merge_reason_sums, reason_sums
from tests.support.filter_tables import tables
from tests.support.stored_sums import sums_of

AS_OF = pd.Timestamp("2025-04-30 23:59:59")
MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04")
SUMMED = indicators().summed
RARE = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])

hours = st.integers(0, 24 * 110)
phone = st.sampled_from(["p1", "p2", "p3", None])
dealer = st.sampled_from(["A", "B", "C"])


def at(hour: int) -> str:
    return str(pd.Timestamp("2025-01-02") + pd.Timedelta(hours=hour))


@st.composite
def networks(draw) -> dict[str, pd.DataFrame]:
    leads, defeats, revisits = [], [], []
    for number in range(draw(st.integers(1, 9))):
        created, wait = draw(hours), draw(st.integers(1, 600))
        status = draw(st.sampled_from(["open", "won", "defeated", "defeated", "defeated"]))
        close = {"won": {"ordered_at": at(created + wait)}, "defeated": {"defeated_at": at(created + wait)}}
        lead = {
            "lead_id": f"L{number}", "dealer_id": draw(dealer), "phone_key": draw(phone), "created_at": at(created),
            "status": status, "contact_count": draw(st.sampled_from([0, 1, 4, None])),
            "consultant_id": draw(st.sampled_from(["K1", "K2", None])), "source": draw(st.sampled_from(["官网", None])),
            "visited_at": draw(st.sampled_from([at(created + 1), None])),
        }  # fmt: skip
        leads.append(lead | close.get(status, {}))
        if draw(st.booleans()) and status != "won":
            filed = {
                "lead_id": lead["lead_id"], "defeated_at": at(created + wait),
                "destination": draw(st.sampled_from(["competitor", "not_purchased", "unknown", None])),
                "reason_code": draw(st.sampled_from(["price_too_high", "record_duplicate", "supply", None])),
                "reason_text": draw(st.sampled_from(["没有现车", None])),
            }  # fmt: skip
            defeats.append(filed)
            if draw(st.booleans()):
                answer = {"purchased": draw(st.sampled_from([True, False, None])), "reached": draw(st.booleans())}
                revisits.append({"lead_id": lead["lead_id"], "called_at": at(created + wait + 30)} | answer)
    count = draw(st.integers(0, 4))
    sales = [
        {"sale_id": f"V{n}", "dealer_id": draw(dealer), "phone_key": draw(phone), "sold_at": at(draw(hours))}
        for n in range(count)
    ]
    return as_known(tables(leads=leads, defeats=defeats, revisits=revisits, sales=sales), AS_OF)


def measured(known: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    defeats = judge_defeats(known, filter_rules())
    facts = lead_facts(known, defeats, filter_rules(), AS_OF)
    return defeats, facts, open_facts(facts, MONTHS, AS_OF, filter_rules())


@RARE
@given(networks(), st.randoms(use_true_random=False))
def test_verdicts_and_sums_do_not_depend_on_row_order(known, chance):
    shuffled = {name: rows.iloc[chance.sample(range(len(rows)), len(rows))] for name, rows in known.items()}
    defeats, facts, still_open = measured(known)
    defeats_again, facts_again, still_open_again = measured(
        {name: rows.reset_index(drop=True) for name, rows in shuffled.items()}
    )
    pd.testing.assert_frame_equal(defeats, defeats_again)
    again = sums_of(facts_again, still_open_again)
    for base, sums in sums_of(facts, still_open).items():
        pd.testing.assert_frame_equal(sums, again[base])


@RARE
@given(networks())
def test_every_filing_has_one_verdict_and_false_ones_no_destination(known):
    defeats, facts, _ = measured(known)
    assert set(defeats["verdict"]) <= {"true", "quasi", "false"}
    assert ((defeats["verdict"] == "false") == defeats["destination"].isna()).all()
    assert (
        defeats.loc[defeats["rule"] == "sale_here", "bought_dealer_id"]
        == defeats["dealer_id"].where(defeats["rule"] == "sale_here").dropna()
    ).all()
    assert not defeats.duplicated(["lead_id", "filed_at"]).any()
    closed = facts[facts["closed_month"].notna()]
    assert (closed["won"] + closed["defeated"] == 1).all()
    assert (closed["true_defeat"] + closed["quasi_defeat"] + closed["false_defeat"] == closed["defeated"]).all()


@RARE
@given(networks())
def test_parts_add_up_to_the_whole(known):
    _, facts, still_open = measured(known)
    whole = sums_of(facts, still_open)
    for base in MONTH_COLUMN:
        rows, names = still_open if base is Base.MONTH_END else facts, facts_of(base, SUMMED)
        by_dealer = [fact_sums(rows[rows["dealer_id"] == name], base, names) for name in "ABC"]
        monthly = [fact_sums(part, base, names) for _, part in by_month(rows, base)]
        assert all(part["month"].nunique() <= 1 for part in monthly)
        for parts in (by_dealer, monthly, [whole[base]]):
            pd.testing.assert_frame_equal(merge_sums([*parts, whole[base].head(0)]), whole[base])


@RARE
@given(networks())
def test_scopes_add_up_to_the_nation_and_reasons_of_parts_to_the_whole(known):
    _, facts, still_open = measured(known)
    table = indicator_table(sums_of(facts, still_open), "2025-03")
    total = table.groupby(["scope", "indicator"])[["numerator", "denominator"]].sum()
    for scope in ("region", "dealer", "series"):
        if scope in total.index:
            pd.testing.assert_frame_equal(total.loc[scope], total.loc["nation"])
    parts = [reason_sums(facts[facts["dealer_id"] == name]) for name in "ABC"]
    pd.testing.assert_frame_equal(merge_reason_sums(parts), reason_sums(facts))
