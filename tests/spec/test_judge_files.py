"""`rematch judge` on files: what is written, and what is said about input that cannot be used."""

import numpy as np
import pandas as pd
import pytest

from models.errors import SourceError
from models.messages import LOCALES
from tasks.judge import judge as judge_files
from tests.support.networks import Setting, reason_network, simulate


def as_file(counts):
    """Counts in the columns of exports.md."""
    number = counts["cell"].str[-2:].astype(int)
    table = counts.rename(columns={"region_id": "region", "n": "leads", "x": "won"}).drop(columns="cell")
    return table.assign(series="s" + (number // 4).astype(str), source="q" + (number % 4).astype(str))


def judge(counts, plans, reasons, out):
    return judge_files(counts, out, plans=plans, reasons=reasons)


@pytest.fixture(scope="module")
def network():
    net = simulate(Setting(dealers=60, leads=80, after=6), 2)
    plans = net.plans.assign(indicator="close_rate", issued_after_month=15)
    return as_file(net.counts), plans[["dealer_id", "indicator", "target_points", "issued_after_month"]]


def written(folder, counts=None, plans=None, reasons=None):
    paths = []
    for name, table in (("counts", counts), ("plans", plans), ("reasons", reasons)):
        path = None if table is None else folder / f"{name}.csv"
        if path is not None:
            table.to_csv(path, index=False)
        paths.append(path)
    return paths


def test_verdicts_and_ranking_follow_the_published_columns(network, tmp_path):
    counts, plans = network
    done = judge(*written(tmp_path, counts, plans), tmp_path / "out")
    verdicts = pd.read_csv(tmp_path / "out/verdicts.csv")
    columns = ["dealer_id", "months", "effect_points", "lo90", "hi90", "shrunk_points", "verdict"]
    assert verdicts.columns.tolist() == columns
    assert verdicts["months"].tolist() == [3, 6] * len(plans)
    assert verdicts["dealer_id"].tolist() == plans["dealer_id"].repeat(2).tolist()
    assert (verdicts["lo90"] < verdicts["effect_points"]).all()
    ranking = pd.read_csv(tmp_path / "out/ranking.csv")
    assert ranking.columns.tolist() == ["dealer_id", "score"]
    assert sorted(ranking["dealer_id"]) == sorted(counts["dealer_id"].unique())
    assert ranking["score"].is_monotonic_increasing
    assert not (tmp_path / "out/drivers.csv").exists()
    assert [path.name for path in done] == ["verdicts.csv", "ranking.csv"]
    assert {path.name: rows for path, rows in done.files.items()} == {"verdicts.csv": len(verdicts), "ranking.csv": 60}


def test_the_months_after_the_plan_do_not_move_the_ranking(network, tmp_path):
    counts, plans = network
    judge(*written(tmp_path, counts, plans), tmp_path / "a")
    judge(*written(tmp_path, counts[counts["month"] <= 15]), tmp_path / "b")
    assert (tmp_path / "a/ranking.csv").read_text() == (tmp_path / "b/ranking.csv").read_text()


def test_the_same_input_gives_the_same_bytes_in_any_row_order(network, tmp_path):
    counts, plans = network
    judge(*written(tmp_path, counts, plans), tmp_path / "a")
    judge(*written(tmp_path, counts.sample(frac=1, random_state=1), plans), tmp_path / "b")
    for name in ("verdicts.csv", "ranking.csv"):
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()


def test_reasons_alone_give_drivers_and_a_ranking(tmp_path):
    counts, truth, names = reason_network(3, dealers=80, reasons=6)
    rng = np.random.default_rng(0)
    table = as_file(counts.assign(x=0)).rename(columns={name: f"def_{name}" for name in names})
    left = table["leads"] - table[[f"def_{name}" for name in names]].sum(axis=1)
    judge(*written(tmp_path, reasons=table.assign(won=rng.binomial(left, 0.4))), tmp_path / "out")
    drivers = pd.read_csv(tmp_path / "out/drivers.csv")
    assert drivers.columns.tolist() == ["dealer_id", "reason", "gap_points", "rank"]
    assert set(drivers["reason"]) == set(names)
    first = drivers[drivers["rank"] == 1].set_index("dealer_id")["reason"]
    assert (first.reindex(truth["dealer_id"]).to_numpy() == truth["driver"].to_numpy()).mean() > 0.6
    assert len(pd.read_csv(tmp_path / "out/ranking.csv")) == 80


def test_gb18030_semicolons_and_chinese_ids_are_read(network, tmp_path):
    counts, _ = network
    counts = counts.assign(dealer_id="店" + counts["dealer_id"], region="华东")
    counts.to_csv(tmp_path / "c.csv", index=False, sep=";", encoding="gb18030")
    judge(tmp_path / "c.csv", None, None, tmp_path / "out")
    assert pd.read_csv(tmp_path / "out/ranking.csv")["dealer_id"].str.startswith("店").all()


@pytest.mark.parametrize("locale", LOCALES)
def test_everyone_treated_is_said_not_guessed(network, tmp_path, locale):
    counts, _ = network
    everyone = pd.DataFrame({"dealer_id": counts["dealer_id"].unique(), "indicator": "close_rate", "target_points": 3})
    done = judge(*written(tmp_path, counts, everyone.assign(issued_after_month=15)), tmp_path / "out")
    verdicts = pd.read_csv(tmp_path / "out/verdicts.csv")
    assert set(verdicts["verdict"]) == {"not_enough_evidence"}
    assert verdicts["effect_points"].isna().all()
    assert len(verdicts) == 120
    told = " ".join(notice.text(locale) for notice in done.notices)
    assert "120" in told
    assert "15" in told


def test_a_plan_in_the_last_month_waits(network, tmp_path):
    counts, plans = network
    done = judge(*written(tmp_path, counts, plans.head(3).assign(issued_after_month=21)), tmp_path / "out")
    verdicts = pd.read_csv(tmp_path / "out/verdicts.csv")
    assert verdicts["verdict"].tolist() == ["not_enough_evidence"] * 6
    assert any("Too early" in notice.text("en") for notice in done.notices)


def test_months_missing_for_the_whole_network_are_named(network, tmp_path):
    counts, plans = network
    done = judge(*written(tmp_path, counts[~counts["month"].isin([4, 17])], plans), tmp_path / "out")
    assert any("4, 17" in notice.text("en") for notice in done.notices)
    assert pd.read_csv(tmp_path / "out/verdicts.csv")["effect_points"].notna().all()


def test_a_dealer_that_closed_has_rows_without_figures(network, tmp_path):
    counts, plans = network
    closed = plans["dealer_id"].iloc[0]
    counts = counts[~((counts["dealer_id"] == closed) & (counts["month"] > 10))]
    done = judge(*written(tmp_path, counts, plans), tmp_path / "out")
    verdicts = pd.read_csv(tmp_path / "out/verdicts.csv").set_index("dealer_id")
    assert verdicts.loc[closed, "effect_points"].isna().all()
    assert len(verdicts) == 2 * len(plans)
    assert pd.read_csv(tmp_path / "out/ranking.csv").set_index("dealer_id")["score"].isna().sum() == 1
    assert any("could not be ranked" in notice.text("en") for notice in done.notices)


def largest(counts, plans):
    """The planned dealer with most leads, whose every month has many."""
    leads = counts[counts["dealer_id"].isin(plans["dealer_id"])].groupby("dealer_id")["leads"].sum()
    return leads.idxmax()


@pytest.mark.parametrize(
    ("months", "said"),
    [([17], "months after the measure have no case"), ([17, 18, 19, 20, 21], "closed, merged or no longer reporting")],
)
def test_months_missing_at_a_dealer_give_no_verdict_and_say_why(network, tmp_path, months, said):
    counts, plans = network
    one = largest(counts, plans)
    kept = counts[~(counts["dealer_id"].eq(one) & counts["month"].isin(months))]
    done = judge(*written(tmp_path, kept, plans), tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out/verdicts.csv").set_index("dealer_id")
    assert rows.loc[one, "effect_points"].isna().all()
    assert set(rows.loc[one, "verdict"]) == {"not_enough_evidence"}
    assert rows.drop(index=one)["effect_points"].notna().all()
    assert any(said in notice.text("en") for notice in done.notices)
    assert all(notice.text("zh_CN") for notice in done.notices)


def test_a_dealer_that_took_over_another_is_not_judged(network, tmp_path):
    counts, plans = network
    one = largest(counts, plans)
    grown = counts.copy()
    its = grown["dealer_id"].eq(one) & grown["month"].gt(15)
    grown.loc[its, ["leads", "won"]] *= 4
    done = judge(*written(tmp_path, grown, plans), tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out/verdicts.csv").set_index("dealer_id")
    assert rows.loc[one, "effect_points"].isna().all()
    assert any("merged, split or counted otherwise" in notice.text("en") for notice in done.notices)


@pytest.mark.parametrize(("untreated", "judged"), [(14, False), (15, True)])
def test_fewer_than_fifteen_untreated_give_no_verdict(network, tmp_path, untreated, judged):
    counts, _ = network
    dealers = counts["dealer_id"].unique()[untreated:]
    plans = pd.DataFrame(
        {"dealer_id": dealers, "indicator": "close_rate", "target_points": 3, "issued_after_month": 15}
    )
    done = judge(*written(tmp_path, counts, plans), tmp_path / "out")
    assert pd.read_csv(tmp_path / "out/verdicts.csv")["effect_points"].notna().any() == judged
    assert any("at least 15" in notice.text("en") for notice in done.notices) != judged


def test_a_region_with_no_untreated_dealer_is_noted_and_gets_no_effective(network, tmp_path):
    counts, _ = network
    south = counts.drop_duplicates("dealer_id").groupby("region")["dealer_id"].apply(list).loc["R00"]
    boom = counts.copy()
    its = boom["dealer_id"].isin(south) & boom["month"].gt(15)
    boom.loc[its, "won"] = np.minimum(boom.loc[its, "leads"], boom.loc[its, "won"] * 3)
    plans = pd.DataFrame({"dealer_id": south, "indicator": "close_rate", "target_points": 3, "issued_after_month": 15})
    done = judge(*written(tmp_path, boom, plans), tmp_path / "out")
    assert not pd.read_csv(tmp_path / "out/verdicts.csv")["verdict"].isin(["effective", "worse"]).any()
    told = " ".join(notice.text("en") for notice in done.notices)
    assert "no untreated dealer" in told
    assert "every dealer of the region" in told


def test_another_indicator_is_told(network, tmp_path):
    counts, plans = network
    done = judge(*written(tmp_path, counts, plans.assign(indicator="lead_to_visit")), tmp_path / "out")
    assert any("lead_to_visit" in notice.text("en") for notice in done.notices)


def test_one_dealer_one_month_is_ranked_by_nobody(network, tmp_path):
    counts, _ = network
    judge(*written(tmp_path, counts[counts["month"] == 1].groupby("dealer_id").head(1).head(1)), tmp_path / "out")
    assert pd.read_csv(tmp_path / "out/ranking.csv")["score"].isna().all()


def change(table, row, **cells):
    table = table.reset_index(drop=True).astype(object)
    for column, value in cells.items():
        table.loc[row - 1, column] = value
    return table


BAD_COUNTS = {
    "negative": (lambda c: change(c, 3, leads=-4), "judge.file.not_whole", {"row": 3, "column": "leads"}),
    "fractional": (lambda c: change(c, 4, won=0.5), "judge.file.not_whole", {"row": 4, "column": "won"}),
    "text": (lambda c: change(c, 4, won="无"), "judge.file.not_whole", {"row": 4, "value": "无"}),
    "empty": (lambda c: change(c, 4, won=""), "judge.file.not_whole", {"row": 4, "column": "won"}),
    "infinite": (lambda c: change(c, 4, leads="inf"), "judge.file.not_whole", {"row": 4, "column": "leads"}),
    "won > leads": (lambda c: change(c, 5, leads=1, won=2), "judge.file.more_won", {"row": 5, "won": 2, "leads": 1}),
    "duplicate": (lambda c: pd.concat([c, c.iloc[[6]]]), "judge.file.duplicate_row", {"first": 7}),
    "month as date": (lambda c: change(c, 2, month=202401), "judge.file.not_whole", {"row": 2, "column": "month"}),
    "month zero": (lambda c: change(c, 2, month=0), "judge.file.not_whole", {"row": 2, "column": "month"}),
    "no dealer": (lambda c: change(c, 2, dealer_id=""), "judge.file.blank", {"row": 2, "column": "dealer_id"}),
    "two regions": (lambda c: change(c, 2, region="elsewhere"), "judge.file.two_regions", {"second": "elsewhere"}),
    "no column": (lambda c: c.drop(columns="source"), "judge.file.missing_column", {"column": "source"}),
    "no rows": (lambda c: c.head(0), "judge.file.no_rows", {}),
}


@pytest.mark.parametrize("case", BAD_COUNTS)
def test_bad_counts_are_named_by_file_row_and_column(network, tmp_path, case):
    spoil, key, params = BAD_COUNTS[case]
    with pytest.raises(SourceError) as error:
        judge(*written(tmp_path, spoil(network[0]), network[1]), tmp_path / "out")
    assert error.value.key == key
    assert {name: error.value.params[name] for name in params} == params
    assert all("counts.csv" in error.value.text(locale) for locale in LOCALES)
    assert not (tmp_path / "out").exists()


BAD_PLANS = {
    "unknown dealer": (lambda p: change(p, 2, dealer_id="X9"), "judge.file.unknown_dealer", {"row": 2, "dealer": "X9"}),
    "after the data": (lambda p: change(p, 3, issued_after_month=22), "judge.file.after_last", {"row": 3, "last": 21}),
    "negative target": (lambda p: change(p, 1, target_points=-3), "judge.file.not_positive", {"row": 1}),
    "no target": (lambda p: change(p, 1, target_points=""), "judge.file.not_positive", {"row": 1}),
    "twice": (lambda p: pd.concat([p, p.iloc[[0]]]), "judge.file.duplicate_row", {"first": 1}),
    "no column": (lambda p: p.drop(columns="indicator"), "judge.file.missing_column", {"column": "indicator"}),
}


@pytest.mark.parametrize("case", BAD_PLANS)
def test_bad_plans_are_named_by_file_row_and_column(network, tmp_path, case):
    spoil, key, params = BAD_PLANS[case]
    with pytest.raises(SourceError) as error:
        judge(*written(tmp_path, network[0], spoil(network[1])), tmp_path / "out")
    assert error.value.key == key
    assert {name: error.value.params[name] for name in params} == params
    assert all("plans.csv" in error.value.text(locale) for locale in LOCALES)
    assert not (tmp_path / "out").exists()


def test_defeats_beyond_the_leads_and_files_without_reasons_are_refused(network, tmp_path):
    counts, _ = network
    with pytest.raises(SourceError, match="def_") as error:
        judge(*written(tmp_path, reasons=counts), tmp_path / "out")
    assert error.value.key == "judge.file.no_reasons"
    with pytest.raises(SourceError) as error:
        judge(*written(tmp_path, reasons=counts.assign(def_price=counts["leads"] + 1)), tmp_path / "out")
    assert error.value.key == "judge.file.more_defeats"


def test_unusable_files_and_calls(network, tmp_path):
    counts, plans = network
    _, plan_file, _ = written(tmp_path, plans=plans)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "out.txt").touch()
    good, _, _ = written(tmp_path, counts)
    for arguments, key in (
        ((None, None, None, tmp_path / "out"), "judge.file.nothing_given"),
        ((None, plan_file, None, tmp_path / "out"), "judge.file.plans_alone"),
        ((tmp_path / "nowhere.csv", None, None, tmp_path / "out"), "judge.file.not_found"),
        ((tmp_path / "empty.csv", None, None, tmp_path / "out"), "ingest.empty_file"),
        ((good, None, None, tmp_path / "out.txt"), "judge.file.out_is_file"),
    ):
        with pytest.raises(SourceError) as error:
            judge(*arguments)
        assert error.value.key == key
    (tmp_path / "ragged.csv").write_text((tmp_path / "counts.csv").read_text() + "D1,R1,3\n", encoding="utf-8")
    with pytest.raises(SourceError) as error:
        judge(tmp_path / "ragged.csv", None, None, tmp_path / "out")
    assert error.value.key == "judge.file.ragged_row"
    assert error.value.params["row"] == len(counts) + 1
