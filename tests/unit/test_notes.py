"""Qualitative notes: their form, what is refused, and which are shown where."""

from __future__ import annotations

from datetime import date

import pytest

from models.enums import NoteKind
from models.messages import LOCALES
from models.notes import Note, notes_about, read_notes
from models.settings import Settings
from models.workspace import Workspace
from tasks.settling import notes_fingerprint

DAY = date(2026, 10, 31)
GOOD = """[[notes]]
kind = "interview"
on = 2026-10-12
series = "骋远S7"
reason = "price_positioned_high"
text = "两位客户都说标价比同级贵，但愿意为七座多付一些。"
tags = ["七座"]
"""


def write(folder, name, content):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content, "utf-8")
    return read_notes(folder)


def note(day=1, **more):
    return Note(kind=NoteKind.INTERVIEW, on=date(2026, 10, day), text="…", **more)


def test_toml_and_csv_say_the_same(tmp_path):
    by_toml = write(tmp_path / "a", "x.toml", GOOD)
    header = "kind,on,series,reason,text,tags\n"
    row = "interview,2026-10-12,骋远S7,price_positioned_high,两位客户都说标价比同级贵，但愿意为七座多付一些。,七座\n"
    by_csv = write(tmp_path / "b", "x.csv", header + row)
    assert by_toml.notes == by_csv.notes
    assert not by_toml.refused
    assert not by_csv.refused
    assert by_toml.notes[0].kind.label("en") == "in-depth interview"


def test_no_folder_is_no_notes(tmp_path):
    assert read_notes(tmp_path / "none").notes == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("请打 13812345678", "phone"),
        ("电话 138-1234-5678。", "phone"),
        ("１３８１２３４５６７８", "phone"),
        ("+86 13812345678", "phone"),
        ("021-61234567", "phone"),
        ("身份证 11010119900307123X", "identity"),
        ("写信到 someone@example.com", "mail"),
    ],
)
@pytest.mark.parametrize("locale", LOCALES)
def test_personal_data_refuses_the_whole_file_and_is_not_repeated(tmp_path, text, what, locale):
    found = write(tmp_path / "n", "x.toml", GOOD + GOOD.replace("两位客户都说", text))
    assert found.notes == ()
    (error,) = found.refused
    assert error.key == f"notes.personal.{what}"
    said = error.text(locale)
    assert "x.toml" in said
    assert "2" in said
    assert "text" in said
    assert text not in said
    assert "5678" not in said


@pytest.mark.parametrize(
    "text", ["差价 12800 元", "2026-10-12 来店三次", "订单 1381234", "落地价 138000 元, 贷款 36 期"]
)
def test_figures_are_not_taken_for_phones(tmp_path, text):
    assert not write(tmp_path / "n", "x.toml", GOOD.replace("两位客户都说", text)).refused


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("x.toml", "not toml", "unreadable"),
        ("x.toml", "[note]\nkind = 1", "no_list"),
        ("x.toml", GOOD.replace('kind = "interview"', 'kind = "gossip"'), "kind"),
        ("x.toml", GOOD.replace("on = 2026-10-12\n", ""), "missing"),
        ("x.toml", GOOD.replace("2026-10-12", '"autumn"'), "value"),
        ("x.toml", GOOD.replace("price_positioned_high", "price_magic"), "unknown_reason"),
        ("x.toml", GOOD.replace("series", "modell"), "unknown_column"),
        ("x.toml", GOOD.replace("两位", "很" * 600), "too_long"),
        ("x.csv", "kind,on,text\ninterview,2026-10-01,a,b\n", "ragged"),
    ],
)
def test_a_faulty_file_is_refused_with_what_to_mend_and_stops_no_other(tmp_path, name, content, key):
    write(tmp_path / "n", "good.toml", GOOD)
    found = write(tmp_path / "n", name, content)
    assert [error.key for error in found.refused] == [f"notes.{key}"]
    assert len(found.notes) == 1
    for locale in LOCALES:
        assert name in found.refused[0].text(locale)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes("kind,on,text\ninterview,2026-10-01,贵\n".encode("gb18030"))
    assert [error.key for error in read_notes(tmp_path).refused] == ["notes.unreadable"]


def test_a_scope_sees_its_own_notes_and_those_about_all():
    every = [note(), note(region_id="R1"), note(region_id="R2"), note(region_id="R1", dealer_id="D1"),
             note(dealer_id="D1"), note(region_id="R1", dealer_id="D2")]  # fmt: skip
    about = [
        [every.index(one) for one in notes_about(every, DAY, most=9, **scope)]
        for scope in ({}, {"region": "R1"}, {"dealer": "D1", "region": "R1"})
    ]
    assert [sorted(part) for part in about] == [[0, 1, 2, 3, 4, 5], [0, 1, 3, 5], [0, 1, 3, 4]]


def test_notes_fit_series_and_reason_and_the_most_special_come_first():
    plain, series = note(day=9), note(day=2, series="S7")
    both, other = note(series="S7", reason="price"), note(series="S7", reason="product_noise")
    asked = {"series": "S7", "reasons": ("price_positioned_high",)}
    assert notes_about([plain, series, both, other, note(series="S5")], DAY, **asked) == (both, series, plain)
    assert notes_about([plain, series, both], DAY, most=1, **asked) == (both,)


def test_what_was_not_known_yet_is_not_shown():
    assert notes_about([note(day=20)], date(2026, 10, 19)) == ()


def test_a_changed_note_is_another_version_of_the_results(tmp_path):
    workspace = Workspace(tmp_path, Settings())
    seen = {notes_fingerprint(workspace)}
    write(workspace.notes, "x.toml", GOOD)
    seen.add(notes_fingerprint(workspace))
    write(workspace.notes, "x.toml", GOOD.replace("七座", "五座"))
    assert len(seen | {notes_fingerprint(workspace)}) == 3
