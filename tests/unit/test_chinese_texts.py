"""Chinese texts of every catalogue use Chinese punctuation: ，：；（）！？ beside Chinese characters."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import models

FOLDER = Path(models.__file__).parent
#: A half-width sign after or before a Chinese character, closing quote or placeholder.
WRONG = re.compile(r"(?<=[一-鿿”』」》）])\s*[,:;()!?]|[,:;()!?]\s*(?=[一-鿿“《])|}[,:;!?]\s*(?=[一-鿿{“])")
FILES = sorted(FOLDER.rglob("*.toml"))


def chinese(tree: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Every Chinese text under ``tree`` with its place."""
    branches = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, branch in branches:
        if name == "zh_CN":
            yield from ((where, one) for one in (branch if isinstance(branch, list) else [branch]))
        else:
            yield from chinese(branch, f"{where}.{name}")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(FOLDER).as_posix())
def test_a_chinese_text_uses_chinese_punctuation(file):
    texts = chinese(tomllib.loads(file.read_text("utf-8")))
    assert [(where, text) for where, text in texts if WRONG.search(text)] == []


def test_the_rule_sees_half_width_signs_and_leaves_codes_alone():
    wrong = ("缺少列:姓名", "战败(真)", "{file}:第三行", "共 3 家(全部)", "好, 再来")
    assert all(WRONG.search(text) for text in wrong)
    assert not any(
        WRONG.search(text) for text in ("共 3:1", "reason:<原因代码>", "（*.toml）；{cases}/{of}", "{low}, x")
    )


def test_every_catalogue_was_read():
    read = [text for file in FILES for _, text in chinese(tomllib.loads(file.read_text("utf-8")))]
    assert len(FILES) > 50
    assert len(read) > 2000
