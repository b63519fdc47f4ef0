"""The check step with a dealer that embellishes: the sign is found and costs points, and every row keeps its fate."""

import io
from datetime import datetime

import pandas as pd
import pytest
from support.corrections import FILES, checked, write

from expectations.scoring import weights
from expectations.view import UNASSIGNED
from models.database import Database
from models.facts import Cycle
from models.ledger.frames import scores_frame
from models.workspace import Workspace
from tasks.check import ACCEPTED
from tasks.check import check as check_rows
from tasks.ingest import ingest
from tasks.sample import TRUTH, file_name, write_sample

CYCLE = Cycle("2026-01", datetime(2026, 1, 31, 23, 59))
MONTHS = ("2025-12", "2026-01")
COUNTS = ["rows", "accepted", "duplicates", "quarantined", "held", "warned"]
TABLES = ("dealers", "leads", "defeats", "revisits", "sales")


def share_numbers(folder, dealer):
    """Give every tenth lead of ``dealer`` one of three numbers."""
    for month in MONTHS:
        file = folder / file_name("leads", month)
        leads = pd.read_csv(io.BytesIO(file.read_bytes()), dtype="str", keep_default_na=False)
        rows = leads.index[leads["dealer_id"] == dealer][::10]
        leads.loc[rows, "phone"] = [f"139{number % 3}0000123" for number in range(len(rows))]
        leads.to_csv(file, index=False)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Job of the cycle, the rows-only report, the accepted tables before the signals, and who embellishes."""
    home = tmp_path_factory.mktemp("authenticity")
    workspace = Workspace.open(home / "workspace")
    workspace.create()
    write_sample(home / "in", 12, 2, 21, end_month=MONTHS[-1], dirt=0.03)
    truth = pd.read_csv(home / "in" / TRUTH / "dealers.csv", keep_default_na=False)
    honest = truth.loc[truth["fakery"] == "", "dealer_id"]
    share_numbers(home / "in", honest.iloc[0])
    ingest(workspace, home / "in")
    rows = check_rows(workspace, CYCLE)
    job = checked(workspace, cycle=CYCLE)
    return job, rows, honest.iloc[0], truth.set_index("dealer_id")["fakery"]


@pytest.fixture(scope="module")
def quality(network):
    return network[0].results.read("quality").set_index("dealer_id")


def test_who_embellishes_is_found_with_its_rows(network):
    job, _, planted, truth = network
    found = job.results.read("signals")
    flagged = found[found["flagged"].fillna(False).astype(bool)]
    assert (planted, "shared_phone") in set(zip(flagged["dealer_id"], flagged["signal"], strict=True))
    assert set(flagged["dealer_id"]) <= {planted, *truth.index[truth != ""]}
    evidence = job.results.read("signal_evidence")
    mine = evidence[(evidence["dealer_id"] == planted) & (evidence["signal"] == "shared_phone")]
    leads = job.lake.read(ACCEPTED, "leads").set_index(["_file", "_row"])
    behind = leads.loc[list(zip(mine["source_file"], mine["row_number"], strict=True))]
    assert set(behind["dealer_id"]) == {planted}
    assert set(behind["lead_id"]) == set(mine["row_key"])


def test_no_row_changes_its_fate(network, quality):
    job, rows, _, _ = network
    account = job.results.read("account")
    before = pd.DataFrame([vars(fate) for fate in rows.fates])
    pd.testing.assert_frame_equal(account, before[account.columns], check_dtype=False)
    assert (account["rows"] == account[["accepted", "quarantined", "held", "duplicates"]].sum(axis=1)).all()
    for table in TABLES:
        fate = account.set_index("table").loc[table]
        assert len(job.lake.read(ACCEPTED, table)) == fate["accepted"]
    pd.testing.assert_frame_equal(quality[COUNTS], rows.quality.set_index("dealer_id")[COUNTS], check_dtype=False)
    assert len(job.results.read("rejected")) == len(rows.rejected)


def test_losses_explain_every_score(network, quality):
    job, rows, planted, _ = network
    losses = job.results.read("losses")
    lost = losses.groupby("dealer_id")["points"].sum().reindex(quality.index).fillna(0.0)
    scored = quality["score"].notna()
    assert quality.loc[scored, "score"].tolist() == pytest.approx((100 - lost[scored]).clip(lower=0).tolist(), abs=0.01)
    signs = losses[losses["table"] == "signals"]
    assert set(signs["dimension"]) == {"authenticity"}
    cost = signs.groupby("dealer_id")["points"].sum()
    assert cost.max() <= weights().signals.most + 1e-9
    assert quality.loc[planted, "authenticity"] == pytest.approx(100 - cost[planted], abs=0.01)
    before = rows.quality.set_index("dealer_id").loc[planted, "score"]
    assert quality.loc[planted, "score"] == pytest.approx(before - cost[planted], abs=0.02)
    assert (
        quality.drop([planted, UNASSIGNED], errors="ignore")["authenticity"].drop(cost.index, errors="ignore") == 100
    ).all()


def test_the_gate_and_the_ledger_take_the_final_score(network, quality):
    job = network[0]
    settings = job.workspace.settings
    for dealer, line in quality.drop(UNASSIGNED, errors="ignore").iterrows():
        limits = (settings.gate_fail_below, settings.gate_warn_below)
        expected = "fail" if line["score"] < limits[0] else "warn" if line["score"] < limits[1] else "pass"
        assert line["gate"] == expected, dealer
    kept = scores_frame(Database.of(job.workspace)).set_index("dealer_id")
    assert kept.loc[quality.index, "score"].tolist() == pytest.approx(quality["score"].tolist(), nan_ok=True)


def test_a_network_too_small_to_compare_has_no_authenticity(tmp_path):
    workspace = Workspace.open(tmp_path / "workspace")
    workspace.create()
    job = checked(workspace, write(tmp_path / "in", **FILES))
    quality = job.results.read("quality")
    assert quality["authenticity"].isna().all(), "not tested is no full marks"
    assert set(job.results.read("losses")["table"]) <= set(TABLES)
