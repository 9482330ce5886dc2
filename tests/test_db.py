"""The database: both engines, one schema, one transaction a call, and clear words when it cannot be used."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlmodel
from sqlalchemy import insert, literal, select, text
from sqlmodel import Session, col

from lifecycle import users
from lifecycle.columns import UTCDateTime, later_by
from lifecycle.db import Database, migrations, open_database
from lifecycle.errors import ConfigurationError, DatabaseError, InvalidInput
from lifecycle.inserting import insert_once
from lifecycle.models import User
from lifecycle.notices import claiming, keeping, outbox
from lifecycle.rows import among, as_given, as_tuple, execute, fetch, given, parameters
from lifecycle.settings import Settings
from lifecycle.states import Purpose
from tests.conftest import NOW
from tests.helpers import add_user, published_terms


def test_migrations_go_up_agree_with_the_models_and_go_down(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    for _ in range(2):
        database.upgrade()
        database.check()
        database.downgrade("base")
        assert database.revision() is None
    database.close()


def test_messages_and_what_is_on_its_way_come_through_the_migrations_and_back(
    database: Database, make_settings: Callable[..., Settings]
) -> None:
    """Compressed ones with their form, and a hand-over under way when the old release was stopped."""
    database.run(_hand_over_one, make_settings())
    exact = database.read(keeping.message, 1)
    database.downgrade("0016")
    old = text("SELECT status, message, form_id, outcome FROM notices JOIN attempts ON notice_id = notices.id")
    [(status, message, form_id, outcome)] = database.read(lambda s: s.execute(old).all())
    assert (status, form_id, outcome) == ("sending", 1, "started")
    assert len(message) < len(exact or b"")
    database.upgrade()
    assert database.read(keeping.message, 1) == exact
    assert database.read(lambda s: (outbox.notice(s, 1).begun_at, outbox.attempts(s, outbox.notice(s, 1)))) == (NOW, [])


def _hand_over_one(session: Session, settings: Settings) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    outbox.owe(session, Purpose.VERSION_PUBLISHED, "version:1", user=user, version_id=version.id, now=NOW)
    assert len(claiming.claim(session, limit=1, settings=settings, now=NOW)) == 1


def test_an_empty_database_is_set_up_at_first_use(
    empty_database_url: str, make_settings: Callable[..., Settings]
) -> None:
    database = open_database(make_settings(database_url=empty_database_url))
    assert database.revision() == migrations()[-1]
    database.close()


def test_a_database_of_a_newer_release_is_refused_and_left_alone(database: Database) -> None:
    database.run(lambda s: s.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    for attempt in (database.require_current, database.upgrade):
        with pytest.raises(DatabaseError, match=r"is from a newer release of Assent .at 9999"):
            attempt()
    assert database.revision() == "9999"


def test_an_older_database_asks_to_be_migrated(database: Database) -> None:
    database.downgrade("0001")
    with pytest.raises(
        DatabaseError, match=rf"is at 0001, this release needs {migrations()[-1]}: run `assent migrate`"
    ):
        database.require_current()


def test_a_data_folder_that_cannot_be_written_is_named(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"data folder .*file/data.* Set ASSENT_DATA_DIR"):
        open_database(make_settings(data_dir=tmp_path / "file" / "data"))


def test_an_unreachable_server_is_said_without_its_password() -> None:
    database = Database("postgresql+psycopg://u:secret@127.0.0.1:1/x")
    with pytest.raises(DatabaseError, match="cannot be used") as refused:
        database.revision()
    assert "secret" not in str(refused.value)
    database.close()


def test_a_failed_call_leaves_nothing_behind(database: Database) -> None:
    def half(session):
        users.upsert(session, "u1", now=NOW)
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        database.run(half)
    assert database.read(users.count) == 0


def test_many_writers_at_once_all_commit(database: Database) -> None:
    def add(number: int) -> None:
        database.run(lambda s: users.upsert(s, f"u{number}", now=NOW))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(80)))
    assert database.read(users.count) == 80


def test_sqlite_is_set_up_to_lose_nothing(sqlite: Database) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "secure_delete": 1}
    found = sqlite.read(lambda s: {name: s.execute(text(f"PRAGMA {name}")).scalar() for name in wanted})
    assert found == wanted
    tables = sqlite.read(lambda s: s.execute(text("SELECT name, strict FROM pragma_table_list")).all())
    loose = {name for name, strict in tables if not strict}
    assert loose == {"alembic_version", "sqlite_schema", "sqlite_temp_schema"}


def test_an_instant_without_a_zone_is_refused(sqlite: Database) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        sqlite.run(lambda s: users.upsert(s, "u1", now=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_instants_of_other_zones_are_the_same_instants(database: Database) -> None:
    tokyo = datetime(2026, 3, 2, 18, 0, tzinfo=timezone(timedelta(hours=9)))
    database.run(lambda s: users.upsert(s, "u1", now=tokyo))
    found = database.read(users.user, "u1").created_at
    assert (found, found.tzinfo) == (NOW, UTC)


@pytest.mark.parametrize("seconds", [0, 0.5, 3600.25, 1_000_000])
def test_instants_can_be_moved_in_sql(database: Database, seconds: float) -> None:
    moved = database.read(lambda s: s.execute(select(later_by(literal(NOW, UTCDateTime()), literal(seconds)))).scalar())
    assert moved is not None
    assert abs(moved - (NOW + timedelta(seconds=seconds))) < timedelta(milliseconds=1)


def test_inserting_a_known_key_again_adds_nothing(database: Database) -> None:
    row = {"external_id": "u1", "email": "", "locale": "", "time_zone": "", "created_at": NOW}
    assert database.run(insert_once, User, [row]) == 1
    assert database.run(insert_once, User, [row, {**row, "external_id": "u2"}]) == 1
    assert database.read(users.count) == 2


def test_rows_are_fetched_by_any_number_of_ids_as_the_mapper_would_read_them(database: Database) -> None:
    columns = (col(User.id), col(User.external_id), col(User.email_bounced_at), col(User.discord_id))
    some = select(*columns).where(among(col(User.id), "ids")).order_by(col(User.id))
    same = {"email": "", "locale": "", "time_zone": "", "created_at": NOW}

    def work(session: Session) -> None:
        insert_once(session, User, [{"external_id": f"u{n}", "email_bounced_at": NOW, **same} for n in range(5)])
        ids = {user.external_id: user.id for user in session.exec(sqlmodel.select(User))}
        wanted = [ids["u1"], ids["u3"]]
        found = fetch(session, as_tuple, some, ids=wanted)
        assert found == [(ids[name], name, NOW, None) for name in ("u1", "u3")]
        assert fetch(session, as_tuple, some, ids=[]) == []
        session.get_one(User, ids["u1"]).external_id = "renamed"
        assert [row[1] for row in fetch(session, as_tuple, some, ids=wanted)] == ["renamed", "u3"]

    database.run(work)


ELSEWHERE = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))  # the same instant


def test_many_rows_go_to_the_database_as_one_value_and_stand_there_as_the_mapper_writes_them(
    database: Database,
) -> None:
    awkward, soon = "\"'\\ \u2028 \U0001f600 %s ? :x [1]", NOW.replace(microsecond=1)
    rows = [("u1", awkward, NOW, None), ("u2", "", ELSEWHERE, soon)]
    early = select(col(User.external_id)).where(col(User.created_at) == NOW).order_by(col(User.external_id))

    def work(session: Session) -> None:
        execute(session, WRITE_USERS, given=as_given(session, rows), locale="de", time_zone="")
        found = session.exec(sqlmodel.select(User).order_by(col(User.external_id))).all()
        assert [(u.external_id, u.email, u.created_at, u.email_bounced_at, u.locale) for u in found] == [
            ("u1", awkward, NOW, None, "de"),
            ("u2", "", NOW, soon, "de"),
        ]
        assert list(session.execute(early).scalars()) == ["u1", "u2"]

    database.run(work)


OWN, SAME = ("external_id", "email", "created_at", "email_bounced_at"), ("locale", "time_zone")
WRITE_USERS = insert(User).from_select([*OWN, *SAME], select(*given(User, *OWN), *parameters(User, *SAME)))
