"""``rematch map suggest``: a first mapping for files nobody has seen, that loads and says how sure it is."""

import tomllib

import pytest

from models.errors import MappingError
from models.mapping import SourceMapping
from tasks.mapping_tools import check_mapping, suggest_mapping

CHINESE = """序号,线索编号,客户姓名,联系电话,所属门店,门店编码,大区,意向车系,线索渠道,\
留资时间,首次到店时间,试驾日期,跟进状态,战败原因,战败时间,业务员
1,X0001,张三,13800138000,城东店,D01,华东,A6,抖音,2025/3/1 10:00,2025-03-03,,战败,价格太高,2025/3/20,王
2,X0002,李四,13900139001,城西店,D02,华南,A6,门店,2025年3月2日,,,跟进中,,,赵
3,X0003,王五,13700137002,城东店,D01,华东,Q5,抖音,2025/3/4 9:30,2025-03-05,2025-03-05,已成交,,,王
4,X0004,赵六,13600136003,城西店,D02,华南,Q5,车展,2025/3/5 9:30,,,流失,动力不足,2025/4/1,赵
"""
ENGLISH = """LeadID\tDealership\tSalesRep\tCustPhone\tVehicle of Interest\tEnquiry Date\tOutcome\tLost Reason\tClosed On
A-1\tNorth\tAnn\t+1 (415) 555-0101\tCivic\t13-Jan-24\tSold\t\t15-Jan-24
A-2\tNorth\tAnn\t415-555-0102\tCivic\t14-Jan-24\tLost - bought elsewhere\tPrice\t20-Jan-24
A-3\tSouth\tCy\t415-555-0103\tCR-V\t28-Jan-24\tWorking\t\t
"""
BANK = "\n".join(
    [
        '"age";"job";"default";"balance";"contact";"day";"month";"campaign";"y"',
        *(
            f'{30 + n};"services";"no";{n * 317};"cellular";{n + 1};"may";{n % 3};"{"no" if n % 4 else "yes"}"'
            for n in range(20)
        ),
    ]
)


def suggested(tmp_path, **files):
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_text(content, "utf-8")
    text = suggest_mapping([tmp_path])
    return text, SourceMapping.model_validate(tomllib.loads(text))


def fields(mapping, table="leads"):
    return {name: value.column[0] for name, value in mapping.tables[table][0].fields.items() if value.column}


def test_a_chinese_export(tmp_path):
    text, mapping = suggested(tmp_path, **{"线索明细__csv": CHINESE})
    assert fields(mapping) == {
        "lead_id": "线索编号",
        "dealer_id": "门店编码",
        "customer_name": "客户姓名",
        "phone": "联系电话",
        "consultant_id": "业务员",
        "source": "线索渠道",
        "series": "意向车系",
        "created_at": "留资时间",
        "visited_at": "首次到店时间",
        "test_drive_at": "试驾日期",
        "defeated_at": "战败时间",
        "status": "跟进状态",
    }
    assert fields(mapping, "dealers") == {
        "dealer_id": "门店编码", "name": "所属门店", "region_id": "大区", "region_name": "大区"
    }  # fmt: skip
    reasons = mapping.tables["defeats"][0].fields["reason_code"].values
    assert reasons == {"价格太高": "price_too_high", "动力不足": "product_power"}
    assert mapping.tables["defeats"][0].where[0].in_ == ["战败", "流失"]
    assert "13800138000" not in text
    assert "张三" not in text


def test_the_chinese_proposal_passes_the_check_unchanged(tmp_path):
    text, _ = suggested(tmp_path, **{"线索明细__csv": CHINESE})
    (tmp_path / "mapping.toml").write_text(text, "utf-8")
    assert check_mapping(tmp_path, tmp_path / "mapping.toml").ok


def test_an_english_export_with_one_closing_date(tmp_path):
    _, mapping = suggested(tmp_path, leads__tsv=ENGLISH)
    leads = mapping.tables["leads"][0].fields
    assert fields(mapping)["phone"] == "CustPhone"
    assert leads["created_at"].formats == ["%d-%b-%y"]
    assert leads["ordered_at"].column == leads["defeated_at"].column == ["Closed On"]
    assert leads["ordered_at"].when[0].in_ == ["Sold"]
    assert leads["defeated_at"].when[0].in_ == ["Lost - bought elsewhere"]
    assert leads["status"].values == {"Sold": "won", "Lost - bought elsewhere": "defeated", "Working": "open"}


def test_a_file_without_ids_dealers_or_dates_says_what_is_missing(tmp_path):
    text, mapping = suggested(tmp_path, bank__csv=BANK)
    assert mapping.tables["leads"][0].fields["status"].values == {"no": "defeated", "yes": "won"}
    assert mapping.tables["leads"][0].fields["phone"].absent
    assert '# created_at = "?" # required, nothing found' in text
    (tmp_path / "mapping.toml").write_text(text, "utf-8")
    assert not check_mapping(tmp_path, tmp_path / "mapping.toml").ok


def test_events_and_lookups_are_told_apart(tmp_path):
    calls = "lead id,call date\n" + "".join(f"A-{n % 3 + 1},2024-01-{n + 10}\n" for n in range(9))
    reps = "SalesRep,Region\nAnn,East\nCy,West\nNobody,West\n"
    _, mapping = suggested(tmp_path, leads__tsv=ENGLISH, calls__csv=calls, reps__csv=reps)
    [feed] = mapping.tables["leads"]
    assert [link.input for link in feed.join] == ["reps"]
    assert feed.join[0].unused == "warn"
    assert [spec.input for spec in feed.fold] == ["calls"]
    assert fields(mapping)["contact_count"] == "calls.count"


def test_a_reason_spread_over_columns_is_taken_together(tmp_path):
    why = "lead id,reason before visit,reason after drive\nA-1,,NA\nA-2,动力不足,NA\nA-3,NA,价格太高\n"
    _, mapping = suggested(tmp_path, leads__tsv=ENGLISH.replace("Lost Reason", "Note"), defeats__csv=why)
    assert mapping.inputs["defeats"].na == ["NA"]
    reason = mapping.tables["defeats"][0].fields["reason_code"]
    assert reason.coalesce == ["reason before visit", "reason after drive"]


def test_an_amount_in_ten_thousands_by_its_header_is_taken_to_yuan(tmp_path):
    rows = (
        "线索编号,门店编码,联系电话,报价（万元）,预算\nX1,D1,13800138000,12.88,130000\nX2,D2,13900139001,15.8,120000\n"
    )
    _, mapping = suggested(tmp_path, **{"线索__csv": rows})
    values = mapping.tables["leads"][0].fields
    assert (values["quoted_price"].multiply, values["budget"].multiply) == (10_000, None)


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(MappingError, match="No data file"):
        suggest_mapping([tmp_path])
