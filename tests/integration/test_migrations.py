"""Migrations: from nothing to the tables of the code, on both databases, repeated, at once and from anywhere."""

import subprocess
import sys
import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Enum, inspect, text

from models.database import MIGRATIONS, dispose, migrate, reading, writing
from models.errors import SettingsError
from models.tables import State


def test_migrating_gives_exactly_the_tables_of_the_code(empty_database_url):
    assert migrate(empty_database_url) is True
    with reading(empty_database_url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), State.metadata) == []


def test_migrated_constraints_are_those_of_the_code(empty_database_url):
    migrate(empty_database_url)
    with reading(empty_database_url) as connection:
        found = inspect(connection)
        for name, table in State.metadata.tables.items():
            declared = {str(rule.name) for rule in table.constraints if isinstance(rule, CheckConstraint)}
            checks = {check["name"]: check["sqltext"] for check in found.get_check_constraints(name)}
            assert {rule.removeprefix(f"ck_{name}_") for rule in declared} == {
                rule.removeprefix(f"ck_{name}_") for rule in checks
            }
            for column in table.columns:
                if isinstance(column.type, Enum):
                    rule = checks[f"ck_{name}_{column.name}"]
                    assert all(f"'{word}'" in rule for word in column.type.enums), (name, column.name)


def test_migrating_again_changes_nothing(empty_database_url):
    migrate(empty_database_url)
    with writing(empty_database_url) as connection:
        connection.execute(
            text(
                "INSERT INTO outbox (key, kind, recipient, payload, created_at, attempts) VALUES "
                "('k', 'k', 'D1', '{}', '2026-11-01 00:00:00', 0)"
            )
        )
    assert migrate(empty_database_url) is False
    with reading(empty_database_url) as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 1


def test_two_that_migrate_at_once_do_it_once(empty_database_url):
    done, failures = [], []

    def run():
        try:
            done.append(migrate(empty_database_url))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(done) == [False, False, True]


def test_a_database_of_a_newer_version_is_refused_with_the_remedy(empty_database_url):
    migrate(empty_database_url)
    with writing(empty_database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError) as error:
        migrate(empty_database_url)
    assert error.value.key == "database.newer"


def test_downgrading_leaves_nothing_behind(empty_database_url):
    migrate(empty_database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with writing(empty_database_url) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with reading(empty_database_url) as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    dispose(empty_database_url)
    assert migrate(empty_database_url) is True


def test_migrating_works_from_any_folder(tmp_path):
    program = f"from models.database import migrate; print(migrate('sqlite:///{tmp_path}/s.db'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
