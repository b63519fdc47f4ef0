"""The state database: SQLite embedded, PostgreSQL in production, behaving alike (design.md section 3 "State").

Times are instants: aware in, aware (UTC) out, on both. ``as_of`` alone is a local time without zone, as all times
of the lake are. Readers see one consistent snapshot; writers wait for each other instead of failing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, DateTime, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.types import TypeDecorator

from models.errors import SettingsError

if TYPE_CHECKING:
    from models.workspace import Workspace

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 60  # a writer waits this long for another one; a bulk write of a whole network takes about a second
_MIGRATION_LOCK = 7_362_001  # PostgreSQL advisory lock: two processes never migrate at once

_engines: dict[str, Engine] = {}
_engines_lock = threading.Lock()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: refuses naive values, stores UTC, gives aware UTC back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC for the database; ValueError for a time without zone, which would mean another instant elsewhere."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without zone cannot be stored: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class LocalDateTime(TypeDecorator[datetime]):
    """A local time without zone, as the lake keeps them; refuses aware values."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The value as it is; ValueError for a time with zone."""
        if value is not None and value.tzinfo is not None:
            raise ValueError(f"a local time is stored without zone: {value!r}")
        return value


def normalised(url: str) -> URL:
    """``url`` with our driver: psycopg for any PostgreSQL URL; SettingsError for what is not a usable URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError("database.bad_url") from error
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError("database.unknown_kind", kind=parsed.drivername)
    return parsed


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late to take the write lock
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_SECONDS * 1000}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reader = connection.get_execution_options().get("reader", False)
        connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")


def engine(url: str) -> Engine:
    """The engine for ``url``, one per process and URL; SettingsError when the URL cannot be used."""
    with _engines_lock:
        if url not in _engines:
            parsed = normalised(url)
            try:
                if parsed.get_backend_name() == "sqlite":
                    _engines[url] = create_engine(parsed)
                    _tune_sqlite(_engines[url])
                else:
                    _engines[url] = create_engine(parsed, pool_pre_ping=True)
            except (NoSuchModuleError, ModuleNotFoundError) as error:
                raise SettingsError("database.unknown_kind", kind=parsed.drivername) from error
        return _engines[url]


def dispose(url: str) -> None:
    """Close all connections of ``url``; the next use opens new ones."""
    with _engines_lock:
        known = _engines.pop(url, None)
    if known is not None:
        known.dispose()


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        # Other errors of the family are defects of ours; a file that is no database has no class of its own.
        if not isinstance(error, OperationalError) and "not a database" not in str(error.orig):
            raise
        where = normalised(url).render_as_string(hide_password=True)
        problem = str(error.orig or error).strip().splitlines()[0]
        raise SettingsError("database.unreachable", where=where, problem=problem) from error


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any error."""
    with _reachable(url), engine(url).begin() as connection:
        yield connection


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """One consistent snapshot to read from; never waits for a writer."""
    base = engine(url)
    options: dict[str, Any] = {"reader": True}
    if base.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with _reachable(url), base.execution_options(**options).connect() as connection:
        yield connection


def migrate(url: str) -> bool:
    """Bring the database to the newest revision; says whether anything had to be done. Safe to repeat.

    SettingsError when the database cannot be reached, or when a newer version of Rematch has already migrated it.
    """
    # Alembic takes a fifth of a second to import, which only this function needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    with reading(url) as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return False
    with writing(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        current = MigrationContext.configure(connection).get_current_revision()
        if current == head:  # another process was quicker
            return False
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise SettingsError("database.newer", revision=current)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


@dataclass(frozen=True)
class Database:
    """Where the state lies and the zone in which its instants become days."""

    url: str
    zone: ZoneInfo

    @classmethod
    def of(cls, workspace: Workspace) -> Database:
        """The state database of a workspace."""
        return cls(workspace.database_url, ZoneInfo(workspace.settings.timezone))

    def migrate(self) -> bool:
        """See :func:`migrate`."""
        return migrate(self.url)

    def local(self, at: datetime) -> datetime:
        """The instant ``at`` as local time without zone."""
        return at.astimezone(self.zone).replace(tzinfo=None)

    def day(self, at: datetime) -> date:
        """The local day of the instant ``at``."""
        return at.astimezone(self.zone).date()

    def instant(self, local: datetime) -> datetime:
        """A local time without zone as an instant."""
        return local.replace(tzinfo=self.zone)
