"""Both databases behave alike: instants, constraints, snapshots, writers that wait, errors a user can mend."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from support.plans import MONDAY

from models.database import dispose, engine, migrate, normalised, reading, writing
from models.errors import SettingsError
from models.tables import OutboxRow, PublishedRow, table

OUTBOX = table(OutboxRow)


def message(key="a", at=MONDAY, **changes):
    row = {"key": key, "kind": "k", "recipient": "D1", "payload": {"n": 1}, "created_at": at, "sent_at": None}
    return row | {"attempts": 0} | changes


def test_an_instant_comes_back_as_the_same_instant_in_utc(database_url):
    in_shanghai = datetime(2026, 11, 2, 7, 30, 15, 123456, tzinfo=timezone(timedelta(hours=8)))
    with writing(database_url) as connection:
        connection.execute(insert(OUTBOX), [message(at=in_shanghai)])
    with reading(database_url) as connection:
        found = connection.execute(select(OUTBOX.c.created_at)).scalar_one()
    assert found == in_shanghai
    assert found.utcoffset() == timedelta(0)


def test_instants_compare_as_instants_whatever_zone_they_were_written_in(database_url):
    east = datetime(2026, 11, 2, 1, 0, tzinfo=timezone(timedelta(hours=8)))
    with writing(database_url) as connection:
        connection.execute(
            insert(OUTBOX), [message("east", east), message("utc", datetime(2026, 11, 1, 20, tzinfo=UTC))]
        )
    with reading(database_url) as connection:
        assert connection.execute(select(OUTBOX.c.key).order_by(OUTBOX.c.created_at)).scalars().all() == ["east", "utc"]


def test_a_time_without_zone_is_refused_and_a_local_time_with_zone_too(database_url):
    published = {
        "cycle": "2026-10",
        "name": "defeats",
        "version": 1,
        "as_of": MONDAY,
        "path": "p",
        "checksum": "c",
        "row_count": 1,
        "published_at": MONDAY,
    }
    with pytest.raises(StatementError, match="without zone"), writing(database_url) as connection:
        connection.execute(insert(OUTBOX), [message(at=datetime(2026, 11, 1))])
    with pytest.raises(StatementError, match="without zone"), writing(database_url) as connection:
        connection.execute(insert(table(PublishedRow)), [published])


def score(**changes):
    row = {"cycle": "2026-10", "dealer_id": "D1", "row_count": 1, "accepted": 1, "duplicates": 0, "quarantined": 0}
    row |= {"held": 0, "warned": 0, "score": 99, "gate": "pass"}
    return ("dealer_scores", row | changes)


PROBLEM = {"plan_id": "none", "position": 1, "fixable": True, "dealer_id": "D1", "indicator": "i", "reason": "r"}
PROBLEM |= {"numerator": 1, "denominator": 1, "peers": 1, "months": "[]", "lead_ids": "[]", "also": "[]"}


def put(url, name, row):
    """Insert by plain SQL, past every check of ours."""
    names = ", ".join(row)
    with writing(url) as connection:
        connection.execute(text(f"INSERT INTO {name} ({names}) VALUES (:{names.replace(', ', ', :')})"), row)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        score(gate="PASS"),  # words are stored by value, not by name
        score(cycle="October"),
        score(score=101),
        score(accepted=None),
        ("plan_problems", PROBLEM),  # of a plan that does not exist
    ],
)
def test_the_database_itself_refuses_wrong_words_and_orphans(database_url, name, row):
    with pytest.raises(IntegrityError):
        put(database_url, name, row)
    put(database_url, *score())


def test_an_error_rolls_the_whole_transaction_back(database_url):
    with pytest.raises(IntegrityError), writing(database_url) as connection:
        connection.execute(insert(OUTBOX), [message("first"), message("second"), message("first")])
    with reading(database_url) as connection:
        assert connection.execute(select(OUTBOX)).all() == []


def test_a_reader_sees_one_snapshot_while_a_writer_commits(database_url):
    with reading(database_url) as connection:
        assert connection.execute(select(OUTBOX)).all() == []
        with writing(database_url) as other:
            other.execute(insert(OUTBOX), [message()])
        assert connection.execute(select(OUTBOX)).all() == []


def test_writers_wait_for_each_other(database_url):
    failures = []

    def write(number):
        try:
            for turn in range(10):
                with writing(database_url) as connection:
                    connection.execute(select(OUTBOX.c.key)).all()
                    connection.execute(insert(OUTBOX), [message(f"{number}:{turn}")])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reading(database_url) as connection:
        assert len(connection.execute(select(OUTBOX)).all()) == 40


def test_one_engine_per_url(database_url):
    first = engine(database_url)
    assert engine(database_url) is first
    dispose(database_url)
    assert engine(database_url) is not first


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_postgresql_url_uses_psycopg(scheme):
    assert normalised(f"{scheme}://u:p@h:1/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("not a url", "database.bad_url"),
        ("mysql://u@h/d", "database.unknown_kind"),
        ("sqlite:////no/such/folder/state.db", "database.unreachable"),
        ("postgresql://user:secret-word@127.0.0.1:1/none", "database.unreachable"),
    ],
)
def test_an_unusable_url_is_an_error_the_user_can_mend_without_the_password(url, key):
    with pytest.raises(SettingsError) as error:
        migrate(url)
    assert error.value.key == key
    for locale in ("zh_CN", "en"):
        assert "secret-word" not in error.value.text(locale)
    dispose(url)
