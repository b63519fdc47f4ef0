"""Fixtures for all tests: a fresh workspace, and a migrated state database of both kinds."""

import os
import shutil
import uuid
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql

from models.database import Database, dispose, migrate
from models.in_force import put_in_force
from models.settings import Settings
from models.workspace import Workspace

POSTGRES = os.environ.get("REMATCH_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432").rstrip("/")


def _server(database="postgres"):
    url = f"{POSTGRES.replace('+psycopg', '')}/{database}"
    return psycopg.connect(url, autocommit=True, connect_timeout=5)


class _Postgres:
    """Databases of our own on the test server, copied from one migrated template and dropped again."""

    def __init__(self):
        self.template = self._create()
        url = self.url(self.template)
        migrate(url)
        dispose(url)

    @staticmethod
    def url(name):
        return f"{POSTGRES}/{name}"

    @staticmethod
    def _create(template="template1"):
        name = f"rematch_test_{uuid.uuid4().hex[:12]}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with _server() as server:
            server.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def new(self, *, migrated):
        return self._create(self.template) if migrated else self._create()

    def drop(self, name):
        dispose(self.url(name))
        with _server() as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres():
    try:
        with _server():
            pass
    except psycopg.OperationalError as error:
        pytest.skip(
            f"NO POSTGRESQL at {POSTGRES.rsplit('@', 1)[-1]}: half of the state tests do not run. Start a server "
            f"or set REMATCH_TEST_POSTGRES ({str(error).strip().splitlines()[0]})"
        )
    server = _Postgres()
    yield server
    server.drop(server.template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    file = tmp_path_factory.mktemp("template") / "state.db"
    url = f"sqlite:///{file}"
    migrate(url)
    dispose(url)
    return file


def _database(request, tmp_path, *, migrated):
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = server.new(migrated=migrated)
        yield server.url(name)
        server.drop(name)
        return
    file = tmp_path / "state.db"
    if migrated:
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
    url = f"sqlite:///{file}"
    yield url
    dispose(url)


@pytest.fixture(autouse=True)
def shipped_standards():
    """No test sees the standards that another one put in force."""
    put_in_force(None)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """URL of a migrated, empty state database; every test that uses it runs on both databases."""
    yield from _database(request, tmp_path, migrated=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request, tmp_path):
    """URL of a database without any table, on both databases."""
    yield from _database(request, tmp_path, migrated=False)


@pytest.fixture
def db(database_url):
    """The state database as the ledger takes it, in the zone of the defaults."""
    return Database(database_url, ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A fresh workspace with its folders and key, untouched by the caller's REMATCH_ variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REMATCH_{name.upper()}", raising=False)
    fresh = Workspace.open(tmp_path / "workspace")
    fresh.create()
    yield fresh
    dispose(fresh.database_url)


@pytest.fixture(scope="session")
def delivered(tmp_path_factory):
    """The job of a small network made by hand (``support.delivered``), its pages and workbooks written."""
    from support.delivered import build

    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(f"REMATCH_{name.upper()}", raising=False)
        job = build(tmp_path_factory.mktemp("delivered") / "workspace")
    yield job
    dispose(job.workspace.database_url)
