"""`rematch sample` writes files in contract form, and the truth beside them points at what is in them."""

import hashlib

import pandas as pd
import pytest

from models.catalogue.contract import contract
from models.catalogue.playbook import playbook
from models.errors import SourceError, UserError
from tasks.compute.simulation.dirt import KINDS
from tasks.sample import FORMATS, Sample, file_name, write_month, write_sample

MONTHS = ("2025-11", "2025-12", "2026-01")
DIRT = 0.03


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "exports"
    return folder, write_sample(folder, 16, 3, 21, end_month="2026-01", dirt=DIRT)


def _read(folder, table, month=""):
    """A file as text, the way any receiver would read it."""
    file = folder / file_name(table, month)
    form = FORMATS[table]
    if form == "xlsx":
        return pd.read_excel(file, dtype="str", engine="calamine")
    if form == "parquet":
        return pd.read_parquet(file)
    encoding = {"csv_gb18030": "gb18030", "csv_bom": "utf-8-sig", "csv": "utf-8"}[form]
    return pd.read_csv(file, dtype="str", encoding=encoding, keep_default_na=False)


def _truth(folder, name):
    return pd.read_csv(folder / "truth" / f"{name}.csv", dtype={"row_key": "str"}, keep_default_na=False)


def _digests(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".xlsx"
    }


def test_files_are_in_contract_form(written):
    folder, report = written
    for table in FORMATS:
        for month in [""] if table == "dealers" else MONTHS:
            assert list(_read(folder, table, month).columns) == list(contract().tables[table].fields)
    assert report.months == MONTHS
    rows = sum(len(_read(folder, "leads", month)) for month in MONTHS)
    assert report.rows["leads"] == rows > 2_000
    assert sum(report.verdicts.values()) == len(_truth(folder, "leads"))


def test_the_same_arguments_write_the_same_files(written, tmp_path):
    folder, _ = written
    write_sample(tmp_path / "again", 16, 3, 21, end_month="2026-01", dirt=DIRT)
    assert _digests(tmp_path / "again") == _digests(folder)
    pd.testing.assert_frame_equal(_read(folder, "dealers"), _read(tmp_path / "again", "dealers"))


def test_every_kind_of_dirt_is_there_and_counted(written):
    folder, report = written
    dirty = _truth(folder, "dirty")
    assert {kind.kind for kind in KINDS} | {"late_filing"} == set(dirty["type"])
    assert dirty["type"].value_counts().to_dict() == report.dirty
    spoilt = dirty[dirty["type"] != "late_filing"]
    assert not spoilt.duplicated(["file", "row_number"]).any()


def test_dirty_rows_are_where_the_list_says(written):
    folder, _ = written
    dealers = set(_read(folder, "dealers")["dealer_id"])
    leads = set(pd.concat([_read(folder, "leads", month) for month in MONTHS])["lead_id"])
    for (table, month), marks in _truth(folder, "dirty").groupby(["table", "month"]):
        frame = _read(folder, table, month)
        key = {"sales": "sale_id", "service_visits": "visit_id"}.get(table, "lead_id")
        shown = frame.iloc[marks["row_number"] - 1].reset_index(drop=True)
        assert shown[key].tolist() == marks["row_key"].tolist()
        for kind, part in shown.groupby(marks["type"].to_numpy()):
            column = marks.loc[marks["type"] == kind, "column"].to_numpy()
            _check_kind(kind, part, column, frame, key, dealers, leads, month)


def _check_kind(kind, part, column, frame, key, dealers, leads, month):
    cells = pd.Series([row[c] if c else "" for (_, row), c in zip(part.iterrows(), column, strict=True)])
    match kind:
        case "missing_required":
            wrong = cells == ""
        case "unknown_dealer":
            wrong = ~part["dealer_id"].isin(dealers)
        case "malformed_phone":
            wrong = ~part["phone"].str.fullmatch(r"1[3-9]\d{9}")
        case "status_against_timestamps":
            wrong = (part["status"] == "won") == (part["defeated_at"] != "")
        case "defeated_before_created":
            wrong = part["defeated_at"] < part["created_at"]
        case "future_date" | "implausible_date":
            wrong = cells >= "2035"
        case "unknown_status" | "unknown_purchase_type" | "unknown_destination":
            wrong = cells.str.contains(r"^(?:\d|[^a-z]+)$")
        case "digits_lost":
            wrong = cells.str.fullmatch(r"2\.\d+E\+16")
        case "out_of_range":
            wrong = ~cells.astype(float).between(1, 80_000) | cells.astype(float).eq(95)
        case "unusual_price":
            wrong = part["quoted_price"].astype(float) > 5 * part["list_price"].astype(float)
        case "contact_before_created":
            wrong = part["first_contact_at"] < part["created_at"]
        case "ordered_before_created":
            wrong = part["ordered_at"] < part["created_at"]
        case "delivered_before_ordered":
            wrong = part["delivered_at"] < part["ordered_at"]
        case "reviewed_before_filed":
            wrong = part["reviewed_at"] < part["defeated_at"]
        case "revisit_before_defeat":
            wrong = cells < "2025-09"
        case "finished_before_visit":
            wrong = part["finished_at"] < part["visited_at"]
        case "parts_above_total":
            wrong = part["parts_amount"] > part["amount"]
        case "same_customer_again":
            wrong = part.apply(lambda row: (frame["phone"] == row["phone"]).sum() > 1, axis=1)
        case "age_out_of_range":
            wrong = part["age"].isin(["7", "160"])
        case "non_positive_price":
            wrong = cells.astype(float) <= 0
        case "test_drive_before_visit":
            wrong = part["test_drive_at"] < part["visited_at"]
        case "duplicate_id":
            wrong = frame[frame[key].isin(part[key])].drop_duplicates().groupby(key).size() == 2
        case "exact_duplicate":
            wrong = part.apply(lambda row: (frame == row).all(axis=1).sum() == 2, axis=1)
        case "unknown_reason":
            wrong = ~cells.str.contains("_")
        case "orphan":
            wrong = ~part["lead_id"].isin(leads)
        case "late_filing":
            wrong = part["defeated_at"].str[:7] < month
    assert wrong.all(), kind


def test_rows_not_listed_are_clean(written):
    folder, _ = written
    dealers = set(_read(folder, "dealers")["dealer_id"])
    dirty = _truth(folder, "dirty")
    for month in MONTHS:
        frame = _read(folder, "leads", month)
        listed = dirty[(dirty["file"] == f"leads_{month}.csv")]["row_number"] - 1
        clean = frame.drop(index=listed)
        assert clean["lead_id"].is_unique
        assert clean["dealer_id"].isin(dealers).all()
        assert clean["phone"].str.fullmatch(r"1[3-9]\d{9}").all()
        assert ((clean["status"] == "defeated") == (clean["defeated_at"] != "")).all()
        assert (clean[["series", "created_at", "status"]] != "").all(axis=None)


def test_truth_knows_dealers_and_measures(written):
    folder, _ = written
    assert set(_truth(folder, "dealers")["dealer_id"]) == set(_read(folder, "dealers")["dealer_id"])
    effects = _truth(folder, "effects")
    assert set(effects["measure"]) == set(playbook().measures)
    filed = pd.concat([_read(folder, "defeats", month) for month in MONTHS])
    assert set(_truth(folder, "leads")["lead_id"]) <= set(filed["lead_id"])


def test_a_month_can_be_added_with_measures_at_work(tmp_path):
    write_sample(tmp_path, 10, 1, 3, end_month="2026-01", dirt=0.0)
    dealers = _read(tmp_path, "dealers")["dealer_id"]
    effects = {(dealer, "process_follow_up"): 6.0 for dealer in dealers}
    without = write_month(tmp_path, "2026-02")
    first = (tmp_path / "leads_2026-02.csv").read_bytes()
    with_effects = write_month(tmp_path, "2026-02", effects)
    assert (tmp_path / "leads_2026-02.csv").read_bytes() != first
    assert sum(with_effects.verdicts.values()) < sum(without.verdicts.values())
    truth = _truth(tmp_path, "leads")
    assert (truth["month"] == "2026-02").sum() == sum(with_effects.verdicts.values())
    assert set(truth["month"]) == {"2026-01", "2026-02"}
    assert len(_truth(tmp_path, "executed")) == len(dealers)
    # what the measures did stays done when a later process adds the next month
    won = _won(tmp_path, "2026-02")
    Sample.open(tmp_path).write_month("2026-03")
    again = _read(tmp_path, "leads", "2026-03").set_index("lead_id")["status"]
    kept = again[again.index.isin(won)]
    assert len(kept) > 5
    assert set(kept) == {"won"}
    assert Sample.open(tmp_path).months() == ("2026-01", "2026-02", "2026-03")


def _won(folder, month):
    """Leads ordered in the month; an order without a sale may still be cancelled."""
    leads = _read(folder, "leads", month)
    return set(leads.loc[leads["status"] == "won", "lead_id"]) & set(_read(folder, "sales", month)["lead_id"])


def test_an_earlier_sample_is_replaced(tmp_path):
    write_sample(tmp_path, 8, 2, 1, end_month="2026-02", dirt=0.0)
    write_sample(tmp_path, 8, 1, 2, end_month="2026-02", dirt=0.0)
    assert Sample.open(tmp_path).months() == ("2026-02",)
    assert set(_truth(tmp_path, "leads")["month"]) == {"2026-02"}


def test_other_contents_are_never_overwritten(tmp_path):
    (tmp_path / "leads.csv").write_text("mine")
    with pytest.raises(SourceError) as error:
        write_sample(tmp_path, 8, 1, 1)
    assert error.value.key == "sample.not_empty"
    assert (tmp_path / "leads.csv").read_text() == "mine"


def test_foreign_files_beside_a_sample_are_kept(tmp_path):
    write_sample(tmp_path, 8, 1, 1, dirt=0.0)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SourceError):
        write_sample(tmp_path, 8, 1, 1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_no_sample_to_open(tmp_path):
    with pytest.raises(SourceError) as error:
        Sample.open(tmp_path)
    assert error.value.key == "sample.no_sample"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"dealers": 0}, "sample.bad_size"),
        ({"months": 0}, "sample.bad_size"),
        ({"dealers": 10**6}, "sample.bad_size"),
        ({"end_month": "2026-13"}, "sample.bad_month"),
        ({"end_month": "October"}, "sample.bad_month"),
        ({"dirt": 0.9}, "sample.bad_dirt"),
        ({"seed": -1}, "sample.bad_seed"),
    ],
)
def test_senseless_arguments_are_refused_in_words(tmp_path, arguments, key):
    with pytest.raises(UserError) as error:
        write_sample(tmp_path, **{"dealers": 8, "months": 1, "seed": 1} | arguments)
    assert error.value.key == key
    for locale in ("zh_CN", "en"):
        assert error.value.text(locale)
    assert not any(tmp_path.iterdir())
