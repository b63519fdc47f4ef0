"""A small network with planted dirt, its check as the cycle keeps it, and a dealer filling in its workbook."""

from datetime import datetime

import openpyxl

from models.database import Database
from models.facts import Cycle
from tasks.gating import check
from tasks.ingest import ingest
from tasks.job import Job
from tasks.results import Results

CYCLE = Cycle("2025-03", datetime(2025, 4, 30))
DEALERS = "dealer_id,name,region_id,region_name\nD1,Store 1,R1,North\nD2,Store 2,R1,North\nD3,Store 3,R2,South\n"
COLUMNS = "lead_id,dealer_id,customer_name,phone,series,created_at,status,ordered_at,defeated_at,age,budget"
LEADS = f"""{COLUMNS},consultant_id,source
L1,D1,张三,13800000001,S1,2025-03-01,open,,,30,,C1,web
L2,D1,李四,13800000002,S1,2025-03-02,defeated,,2025-03-20,300,-5,C1,web
L3,D1,王五,13800000003,=S1+1,2025-03-03 10:20:30,won,,,31,,C1,web
L4,D9,赵六,13800000004,S1,2025-03-04,open,,,32,,C1,web
L5,D2,钱七,12,S1,2025-03-05,open,,,33,,C2,web
L7,D2,孙八,13800000007,S1,2025-03-07,open,,,34,,C2,web
L7,D2,孙八,13800000007,S2,2025-03-07,open,,,34,,C2,web
,D2,周九,13800000009,S1,2025-03-09,open,,,35,,C2,web
L8,D2,吴十,13800000008,S1,31-31-2025,open,,,36,,C2,web
L9,D3,郑一,13800000010,S1,2025-03-10,open,,,37,,C3,web
"""
DEFEATS = """lead_id,defeated_at,reason_code,destination
L2,2025-03-20,no_such_reason,competitor
L3,2025-03-20,process_follow_up,competitor
LX,2025-03-20,process_follow_up,competitor
"""
FILES = {"dealers": DEALERS, "leads": LEADS, "defeats": DEFEATS}


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, "utf-8")
    return folder


def checked(workspace, folder=None, version="v1", cycle=CYCLE):
    """The job of a cycle after ingest (when a folder is given) and check, published."""
    if folder is not None:
        ingest(workspace, folder)
    job = Job(workspace, cycle, Results(workspace.results, cycle.name, version), "")
    Database.of(workspace).migrate()
    check(job)
    job.results.publish(cycle)
    return job


def sheets(path):
    return openpyxl.load_workbook(path)


def lines(sheet):
    """The lines of a sheet of rows: cells by field code."""
    codes = [cell.value for cell in sheet[2]]
    return [dict(zip(codes, row, strict=True)) for row in sheet.iter_rows(min_row=4)]


def fill_in(path, out, *edits):
    """Save ``path`` as ``out`` with edits (sheet, column and value that choose a line, column to change, new value)."""
    book = sheets(path)
    for sheet, by, value, column, new in edits:
        found = [line for line in lines(book[sheet]) if str(line[by].value or "") == value]
        assert found, f"no line with {by} = {value} in {sheet}"
        found[0][column].value = new
    book.save(out)
    return out
