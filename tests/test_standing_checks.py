"""Standing looked up: the same answer by every way, at once after every change, from whichever process."""

import json
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from lifecycle import engagements, graces, standing, timetable, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import withdraw
from lifecycle.errors import NotFound
from lifecycle.models import Grace, User, Version
from lifecycle.states import Decision, EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, ZONE, add_user, engage, next_version, published_terms, settles, tell

ALLOW, WARN, BLOCK = Decision.ALLOW, Decision.WARN, Decision.BLOCK


def settle(session: Session) -> None:
    _, first = published_terms(session)
    for name in ("ada", "bob", "eve"):
        engage(session, add_user(session, name), first, EngagementKind.ACCEPTED)


def check(database: Database, name: str = "ada", *, at=NOW) -> standing.Standing:
    return standing.check(database, name, zone=ZONE, now=at)


def to_lines(database: Database, names: Iterable[str]) -> Iterator[bytes]:
    return standing.to_lines(database, names, zone=ZONE, now=NOW)


def plainly(session: Session, name: str, at: datetime) -> standing.Standing:
    return standing.standing(session, users.user(session, name), zone=ZONE, now=at)


def ask(session: Session, *, deadline_days: int = 5, now=NOW) -> Version:
    """A version 2 that ada, who is told, must accept."""
    version = next_version(session, Mode.EXPLICIT, deadline_days=deadline_days, now=now)
    tell(session, users.user(session, "ada"), version, at=now)
    return version


def test_check_and_stream_answer_as_standing_does(database: Database) -> None:
    database.run(settle)
    database.run(ask)
    for at in (NOW, NOW + 5 * DAY, NOW + 6 * DAY):
        names = ["eve", "ada", "nobody", "bob", "ada"]
        found = list(standing.stream(database, names, zone=ZONE, now=at))
        assert [name for name, _ in found] == names
        for name, streamed in found:
            if name == "nobody":
                assert streamed is None
                continue
            meant = database.read(plainly, name, at)
            assert streamed == meant == check(database, name, at=at)
    assert check(database, at=NOW + 6 * DAY).decision is BLOCK


def test_what_is_kept_of_others_hides_no_grace_of_ones_own(database: Database) -> None:
    """Neither eve nor bob was told; only bob is exempt, and eve was looked up before."""
    database.run(settle)
    version = database.run(ask).id
    assert check(database, "eve").documents[0].state == "not_told"

    def exempt(session: Session) -> None:
        bob, about = users.user(session, "bob"), session.get_one(Version, version)
        graces.give(session, about, user=bob, until=None, reason="A holiday.", now=NOW)

    database.run(exempt)
    assert check(database, "bob").documents[0].state == "exempt"
    assert database.read(plainly, "bob", NOW) == check(database, "bob")
    lines = b"".join(standing.to_lines(database, ["eve", "bob", "eve"], zone=ZONE, now=NOW)).splitlines()
    assert [b'"exempt"' in line for line in lines] == [False, True, False]
    assert check(database, "eve").documents[0].state == "not_told"


def test_who_is_not_known_is_told_so(database: Database) -> None:
    with pytest.raises(NotFound, match="There is no user 'ada'"):
        check(database)
    assert list(standing.stream(database, ["ada"], zone=ZONE, now=NOW)) == [("ada", None)]


def test_a_user_without_any_fact_stands_somewhere_too(database: Database) -> None:
    database.run(published_terms)
    database.run(add_user)
    [document] = check(database).documents
    assert (document.state, document.bound_version, document.due_version) == ("not_told", None, 1)


def test_what_another_process_publishes_or_withdraws_counts_at_once(database: Database) -> None:
    other = Database(database.url)
    database.run(settle)
    assert check(database).documents[0].in_force_version == 1
    made = other.run(ask)
    assert check(database).documents[0].due_version == 2
    other.run(lambda s: withdraw(s, s.get_one(Version, made.id), reason="A mistake.", now=NOW + HOUR))
    assert check(database, at=NOW + HOUR).documents[0].in_force_version == 1
    other.close()


def test_a_publication_that_is_rolled_back_was_never_there(database: Database) -> None:
    database.run(settle)

    def fail(session: Session) -> None:
        ask(session)
        inside = standing.standing(session, users.user(session, "ada"), zone=ZONE, now=NOW)
        assert inside.documents[0].due_version == 2
        raise IntegrityError("the connection went away", None, Exception())

    with pytest.raises(IntegrityError):
        database.run(fail)
    assert check(database).documents[0].in_force_version == 1
    database.run(lambda s: next_version(s, Mode.EDITORIAL))
    assert check(database).documents[0].in_force_version == 2, "the next change must not wear the lost one's mark"


def test_a_version_comes_in_force_between_two_checks_without_a_write(database: Database) -> None:
    database.run(settle)
    database.run(lambda s: next_version(s, Mode.EDITORIAL, effective_at=NOW + DAY))
    before, after = check(database, at=NOW + DAY - timedelta(microseconds=1)), check(database, at=NOW + DAY)
    assert (before.documents[0].in_force_version, before.documents[0].upcoming_versions) == (1, (2,))
    assert (after.documents[0].in_force_version, after.documents[0].upcoming_versions) == (2, ())


def test_every_change_of_what_is_kept_changes_the_mark(database: Database) -> None:
    database.run(settle)

    def mark() -> int:
        return database.read(timetable.token_now)

    def changes(work) -> bool:
        before = mark()
        database.run(work)
        return mark() != before

    assert changes(lambda s: store.create_document(s, "privacy", title="Privacy", now=NOW))
    assert changes(ask)
    grace = Grace(version_id=2, until=NOW + 9 * DAY, reason="A holiday.", actor="staff", decided_at=NOW)
    assert changes(lambda s: s.add(grace))
    assert not changes(lambda s: add_user(s, "zoe"))
    assert not changes(lambda s: engagements.bound(s, s.get_one(User, 1), store.document(s, "terms"), at=NOW))


def test_no_timetable_is_kept_under_a_mark_that_was_overtaken(database: Database) -> None:
    database.run(settle)
    before = database.read(timetable.token_now)
    made = database.run(ask)
    assert database.read(timetable.timetable, before) is None
    assert timetable.kept(before) is None
    found = database.read(lambda s: timetable.timetable(s, timetable.token_now(s)))
    assert found is not None
    assert [version.id for version in found.chains["terms"]] == [1, made.id]


def test_the_stream_is_ndjson_with_a_problem_for_who_is_not_known(database: Database) -> None:
    database.run(settle)
    names = ["ada", "nobody", *["bob"] * standing.STREAMED]
    lines = b"".join(standing.to_lines(database, names, zone=ZONE, now=NOW)).splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["user"] for one in found] == names
    assert found[0]["decision"] == "allow"
    assert found[0]["documents"][0]["bound_since"] == "2026-03-02T09:00:00Z"
    assert found[1] == {"user": "nobody", "problem": "There is no user 'nobody'."}


def test_a_stream_of_many_look_ups_keeps_the_order_and_says_who_is_not_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "STREAMED", 2)
    database.run(settle)
    names = ["eve", "nobody", "ada", "ada", "none", "nil", "bob", "eve", "nobody"]
    found = list(standing.stream(database, names, zone=ZONE, now=NOW))
    assert [name for name, _ in found] == names
    assert all((streamed is None) == name.startswith("n") for name, streamed in found)
    assert all(streamed == check(database, name) for name, streamed in found if streamed)
    lines = [json.loads(line) for line in b"".join(to_lines(database, names)).splitlines()]
    assert [one["user"] for one in lines] == names
    assert all(("problem" in one) == one["user"].startswith("n") for one in lines)


def test_an_error_in_the_midst_of_a_stream_reaches_the_reader_after_all_before_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "STREAMED", 2)
    database.run(settle)

    def names() -> Iterator[str]:
        yield from ("ada", "bob", "eve", "ada")
        raise OSError("the disk is gone")

    streamed = to_lines(database, names())
    assert [json.loads(line)["user"] for _ in range(2) for line in next(streamed).splitlines()] == [
        *("ada", "bob"),
        *("eve", "ada"),
    ]
    with pytest.raises(OSError, match="the disk is gone"):
        next(streamed)


def test_a_stream_that_is_not_read_to_its_end_leaves_no_thread_and_no_connection(
    two_processes: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "STREAMED", 1)
    ours, theirs = two_processes
    ours.run(settle)
    streamed, threads = to_lines(ours, ["ada", "bob", "eve"]), {*threading.enumerate()}
    assert json.loads(next(streamed))["user"] == "ada"
    del streamed
    assert {*threading.enumerate()} == threads
    assert check(ours).decision is ALLOW
    ours.close()
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with theirs.engine.connect() as connection:
        assert settles(lambda: connection.exec_driver_sql(others).scalar_one() == 0)


def test_a_connection_that_the_server_cut_is_replaced(two_processes: tuple[Database, Database]) -> None:
    ours, theirs = two_processes
    ours.run(settle)
    check(ours)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    with theirs.engine.begin() as connection:
        connection.exec_driver_sql(others + "pg_backend_pid()")
    assert check(ours).decision is ALLOW


def test_a_look_up_cannot_write(sqlite: Database) -> None:
    with pytest.raises(Exception, match="readonly"):
        sqlite.look_up("DELETE FROM users")
