"""The direction of imports of docs/architecture.md, read from the code itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("flows", "tasks", "expectations", "models", "reports")
MAY_IMPORT = {
    "models": {"models"},
    "expectations": {"expectations", "models"},
    "reports": {"reports", "models"},
    "tasks/compute": {
        "tasks.compute",
        "models.enums",
        "models.facts",
        "models.catalogue",
        "models.errors",
        "models.mapping",
        "models.messages",
    },
    "tasks": {"tasks", "expectations", "reports", "models"},
    "flows": {"flows", "tasks", "expectations", "reports", "models"},
}
HEAVY = {"prefect", "sqlmodel", "sqlalchemy", "great_expectations", "alembic"}


def _room(file: Path) -> str:
    path = file.relative_to(ROOT).as_posix()
    return max((room for room in MAY_IMPORT if path.startswith(room + "/")), key=len)


def _imports(file: Path):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _files():
    return sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("file", _files(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_imports_follow_the_direction(file):
    allowed = MAY_IMPORT[_room(file)]
    ours = [name for name in _imports(file) if name.split(".")[0] in ROOMS]
    wrong = [name for name in ours if not any(name == room or name.startswith(room + ".") for room in allowed)]
    assert not wrong


@pytest.mark.parametrize("file", [f for f in _files() if "compute" in f.parts], ids=lambda f: f.name)
def test_compute_is_pure(file):
    assert not {name.split(".")[0] for name in _imports(file)} & (HEAVY | {"pathlib", "os", "time", "random"})


def test_no_file_is_too_long():
    written = [f for f in _files() if "versions" not in f.parts]  # migrations are written by Alembic, once
    long = {f.name: n for f in written if (n := len(f.read_text("utf-8").splitlines())) > 450}
    assert not long
