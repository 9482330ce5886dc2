"""Erasing people: they leave every table and file, the proof that notice was given stays, and nobody else changes."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope
from sqlalchemy import text
from sqlmodel import Session, select
from starlette.testclient import TestClient

from lifecycle import effects, engagements, erasure, history, identity, jobs, requests, terminations, users
from lifecycle.api import api
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import Conflict, InvalidInput, NotFound, RuleRefused
from lifecycle.models import Erasure, Notice, Request, User, Version
from lifecycle.notices import keeping, outbox
from lifecycle.notices.delivery import Dispatcher
from lifecycle.notices.keeping import Packed
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Initiator, Mode, NoticeStatus, RequestKind, RequestOutcome
from tests.conftest import NOW, Mailbox, migrated
from tests.erasure_world import (
    STEMS,
    arrive,
    doomed_ids,
    encodings,
    leave_all_marks,
    of_people,
    rows,
    traces,
    traces_in,
)
from tests.helpers import DAY, HOUR, ZONE, add_user, engage, published_terms


def erase(session: Session, /, name: str = "ada", *, now=NOW, **facts: Any) -> Erasure:
    given = {"cause": erasure.BY_STAFF, **facts}
    return erasure.erase(session, users.user(session, name), zone=ZONE, now=now, **given)


def ask_to_erase(session: Session, name: str = "ada", **facts: Any) -> Request:
    usual = {"subject": "Delete me", "source": "email", "now": NOW}
    return requests.open_request(session, RequestKind.ERASURE, user=users.user(session, name), **{**usual, **facts})


# -- many people -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", STEMS.values())
@pytest.mark.parametrize("around", [("", ""), ("x", "yz"), ("ab", ""), ("1234567", "89")])
def test_the_search_finds_every_encoding_wherever_it_stands(stem: str, around: tuple[str, str]) -> None:
    whole = stem.join(around)
    for how, coded in encodings(whole):
        assert traces(b"\0" + coded + b"\0"), how


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """What is logged goes to a file in the data folder; not what the test's own relay and client say of themselves."""
    (tmp_path / "data").mkdir(exist_ok=True)
    path = tmp_path / "data" / "assent.log"
    handler, root = logging.FileHandler(path), logging.getLogger()
    handler.addFilter(lambda record: not record.name.startswith(("mail.", "httpx2")))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield path
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


def relay_says(envelope: Envelope) -> str:
    """A relay that names whom it speaks of, takes most mails, defers some and refuses some."""
    address = envelope.rcpt_tos[0]
    last = address.partition("@")[0][-1]
    return {"5": f"451 <{address}> is busy", "0": f"550 <{address}> is unknown"}.get(
        last, f"250 queued for <{address}>"
    )


SIZE = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 100


def test_a_fifth_of_the_people_leave_no_trace_and_nobody_else_changes(
    tmp_path: Path, mailbox: Mailbox, make_settings: Callable[..., Settings], log: Path
) -> None:
    folder = tmp_path / "data"
    database = Database(migrated(folder / "assent.sqlite3"))
    settings = make_settings(data_dir=folder, smtp_url=mailbox.url, time_zone="Europe/Berlin")
    mailbox.answer = relay_says
    crowd = database.run(arrive, SIZE)
    _, first = database.run(published_terms)
    for start in range(0, SIZE, 100):
        database.run(leave_all_marks, [*crowd.doomed, *crowd.others][start : start + 100], first, start)
    database.run(_publish_second)
    jobs.plan_campaigns(database, settings, NOW + DAY)
    asyncio.run(_deliver(database, settings))
    _speak_over_http(database, settings, [*crowd.doomed[:20], *crowd.others[:20]])
    _ask_and_prove(database, settings, crowd.doomed)
    logging.getLogger("assent.test").info("The log is being written.")

    before, gone = database.read(rows), database.read(doomed_ids, crowd)
    theirs = of_people(before, gone)
    found = traces((folder / "assent.sqlite3").read_bytes() + (folder / "assent.sqlite3-wal").read_bytes())
    assert {kind for kind, _ in found} == set(STEMS)
    assert {"raw", "quoted-printable"} <= {how for _, how in found}

    later = NOW + 30 * DAY
    assert jobs.erase_people(database, settings, later) == len(gone) == SIZE // 5
    assert jobs.scrub(database, settings, later) == SIZE // 5

    assert traces_in(folder) == {}
    assert log.stat().st_size > 0
    after = database.read(rows)
    assert traces(str(after).encode()) == set()
    assert _over_http(database, settings) == set()
    for name, kept in before.items():
        others = {key: row for key, row in kept.items() if key not in theirs.get(name, set())}
        if name == "idempotency_keys":
            assert len(others) - len(after[name]) == 20
            others = {key: row for key, row in others.items() if not traces(str(row).encode())}
        assert {key: after[name].get(key) for key in others} == others, name
    assert not [row for row in after["notices"].values() if row["user_id"] in gone and _queued(row)]
    assert database.read(history.verify) == []
    database.close()


def _queued(row: dict[str, Any]) -> bool:
    return row["status"] in {NoticeStatus.OWED, NoticeStatus.DEFERRED, NoticeStatus.UNKNOWN, NoticeStatus.SENDING}


def _publish_second(session: Session) -> Version:
    document = store.document(session, "terms")
    second = store.draft_version(session, document, {"en": "# Terms\n\nNew.\n", "de": "# AGB\n\nNeu.\n"}, now=NOW + DAY)
    return publish(session, second, Publication(Mode.EXPLICIT, deadline_days=14), zone=ZONE, now=NOW + DAY)


async def _deliver(database: Database, settings: Settings) -> None:
    dispatcher = Dispatcher(database, settings, clock=lambda: NOW + DAY)
    await dispatcher.drain()
    await dispatcher.stop()


def _speak_over_http(database: Database, settings: Settings, names: list[str]) -> None:
    headers = {"Authorization": "Bearer test-token"}
    with TestClient(api(settings, database, lambda: NOW + 29 * DAY), headers=headers) as client:
        for n, name in enumerate(names):
            words = STEMS["words"] if name.startswith(STEMS["name"]) else "plain"
            asked = {"kind": "question", "subject": f"{words} {n}", "user": name}
            done = client.post("/requests", json=asked, headers={"Idempotency-Key": f"key-{n}"})
            assert done.status_code == 201, done.text


def _ask_and_prove(database: Database, settings: Settings, names: list[str]) -> None:
    def one(session: Session, name: str) -> None:
        asked = ask_to_erase(session, name, subject=f"Forget {STEMS['words']}")
        head = identity.prove(session, asked, by=f"{name} was here", actor="staff", now=NOW)
        identity.schedule_erasure(session, head, settings, actor="staff", now=NOW)

    for start in range(0, len(names), 50):
        database.run(lambda s, some: list(map(partial(one, s), some)), names[start : start + 50])


def _over_http(database: Database, settings: Settings) -> set[tuple[str, str]]:
    """What is left in what the API tells of notices and requests."""
    headers = {"Authorization": "Bearer test-token"}
    told = b""
    with TestClient(api(settings, database, lambda: NOW + 30 * DAY), headers=headers) as client:
        for path in ("/notices", "/requests?all=true"):
            told += client.get(path, params={"limit": 200}).content
    return traces(told)


# -- one person --------------------------------------------------------------------------------------------------------


def test_what_was_bound_and_told_can_still_be_shown_under_a_random_name(database: Database) -> None:
    def live_and_go(session: Session) -> tuple[Erasure, User]:
        user = add_user(session, discord_id="42", locale="de")
        _, version = published_terms(session)
        engage(session, user, version, EngagementKind.ACCEPTED, ip="203.0.113.9", user_agent="Browser")
        return erase(session, now=NOW + DAY), user

    made, user = database.run(live_and_go)
    assert user.external_id.startswith("erased-")
    assert len(user.external_id) > 20
    assert (user.email, user.discord_id, user.locale, user.erased_at) == ("", None, "", NOW + DAY)
    with pytest.raises(NotFound):
        database.read(users.user, "ada")
    terms = database.read(store.document, "terms")
    bound = database.read(lambda s: engagements.bound(s, user, terms, at=NOW + DAY))
    assert bound is not None
    assert (bound.version.number, bound.proof.kind) == (1, EngagementKind.ACCEPTED)
    assert made.report["went"]["traces"] == 1
    [stayed] = [count for what, count in made.report["stayed"].items() if what.startswith("engagements: which version")]
    assert stayed == 1


def test_the_hash_of_each_message_stays_and_queued_ones_are_cancelled(sqlite: Database) -> None:
    def live_and_go(session: Session) -> list[Notice]:
        user = add_user(session)
        cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
        terminations.terminate(session, user, cause, zone=ZONE, now=NOW)
        [notice] = outbox.notices(session)
        keeping.keep(session, [(notice.id, Packed(b"Dear Ada"))])
        erase(session)
        return outbox.notices(session)

    notices = sqlite.run(live_and_go)
    assert {notice.status for notice in notices} <= {NoticeStatus.CANCELLED, NoticeStatus.SKIPPED}
    first = notices[0]
    assert (sqlite.read(keeping.message, first.id), first.address) == (None, "")
    assert first.message_sha256 == hashlib.sha256(b"Dear Ada").hexdigest()


def test_an_erased_account_has_ended(sqlite: Database) -> None:
    def go(session: Session) -> tuple[str, Any]:
        user = add_user(session)
        erase(session, now=NOW + HOUR)
        ended = terminations.latest(session, user)
        return ended.initiated_by, ended.took_effect_at

    assert sqlite.run(go) == (Initiator.USER, NOW + HOUR)


def test_a_suspension_gives_way_to_the_end(sqlite: Database) -> None:
    def go(session: Session) -> tuple[bool, int]:
        user = add_user(session)
        cause = terminations.Cause(Initiator.PROVIDER, "Spam.", ends_at=NOW + 30 * DAY)
        terminations.terminate(session, user, cause, zone=ZONE, now=NOW)
        erase(session, now=NOW + HOUR)
        ended = terminations.latest(session, user)
        return ended.is_whole and ended.in_effect(NOW + 60 * DAY), ended.id

    assert sqlite.run(go) == (True, 2)


def test_under_a_legal_hold_nothing_goes_until_it_is_released(sqlite: Database, make_settings: Any) -> None:
    def hold(session: Session) -> None:
        user = add_user(session)
        request = identity.prove(session, ask_to_erase(session), by="Known", now=NOW)
        identity.schedule_erasure(session, request, make_settings(), at=NOW, actor="staff", now=NOW)
        erasure.hold(session, user, "Case 7", now=NOW)
        outbox.cancel(session, Notice.user_id == user.id, reason="test", now=NOW)

    sqlite.run(hold)
    with pytest.raises(RuleRefused, match=r"Case 7\). Release it first"):
        sqlite.run(erase)
    assert jobs.erase_people(sqlite, make_settings(), NOW + DAY) == 0
    with pytest.raises(Conflict, match="held already"):
        sqlite.run(lambda s: erasure.hold(s, users.user(s, "ada"), "Again", now=NOW))
    with pytest.raises(InvalidInput, match="why the hold ends"):
        sqlite.run(lambda s: erasure.release(s, users.user(s, "ada"), " ", now=NOW))
    sqlite.run(lambda s: erasure.release(s, users.user(s, "ada"), "Settled", now=NOW + DAY))
    assert jobs.erase_people(sqlite, make_settings(), NOW + DAY) == 1
    assert sqlite.read(requests.request, 1).outcome is RequestOutcome.ERASED


def test_a_notice_on_its_way_keeps_the_person_until_it_has_arrived(sqlite: Database) -> None:
    def under_way(session: Session) -> None:
        user = add_user(session)
        ask_to_erase(session)
        [notice] = outbox.notices(session, user=user)
        outbox.move(notice, NoticeStatus.SENDING)
        session.add(notice)

    sqlite.run(under_way)
    with pytest.raises(Conflict, match="Notice 1 is on its way"):
        sqlite.run(erase)


def test_nobody_is_erased_twice(sqlite: Database) -> None:
    name = sqlite.run(lambda s: (add_user(s), erase(s))[0].external_id)
    with pytest.raises(Conflict, match="was erased at"):
        sqlite.run(erase, name)


def test_a_person_goes_a_set_time_after_access_ended(sqlite: Database, make_settings: Any) -> None:
    def leave(session: Session) -> None:
        cause = terminations.Cause(Initiator.USER, "Bye.")
        ended = terminations.terminate(session, add_user(session), cause, zone=ZONE, now=NOW)
        effects.take_effect(session, ended, now=NOW)

    sqlite.run(leave)
    never, after = make_settings(), make_settings(erase_after_termination_days=30)
    assert jobs.erase_people(sqlite, never, NOW + 400 * DAY) == 0
    assert jobs.erase_people(sqlite, after, NOW + 30 * DAY - timedelta(seconds=1)) == 0
    assert jobs.erase_people(sqlite, after, NOW + 30 * DAY) == 1
    assert sqlite.read(erasure.erasures)[0].cause == erasure.AFTER_TERMINATION


def test_nobody_goes_before_the_last_word_has_left(sqlite: Database, make_settings: Any) -> None:
    def schedule(session: Session) -> None:
        add_user(session)
        request = identity.prove(session, ask_to_erase(session), by="Known", now=NOW)
        identity.schedule_erasure(session, request, make_settings(), at=NOW + HOUR, actor="staff", now=NOW)

    sqlite.run(schedule)
    assert jobs.erase_people(sqlite, make_settings(), NOW + 2 * HOUR) == 0
    assert jobs.erase_people(sqlite, make_settings(), NOW + 4 * DAY) == 1


def test_where_others_wrote_about_the_person_is_reported_not_rewritten(sqlite: Database) -> None:
    def tell_on(session: Session) -> Erasure:
        add_user(session, "zaunkoenig")
        add_user(session, "bob")
        ask_to_erase(session, "bob", subject="zaunkoenig insulted me")
        return erase(session, "zaunkoenig")

    assert sqlite.run(tell_on).report["mentioned"] == {"requests": [1]}
    assert sqlite.read(requests.request, 1).subject == "zaunkoenig insulted me"


def test_the_files_are_scrubbed_at_most_once_an_hour(sqlite: Database, make_settings: Any) -> None:
    scrub = lambda now: jobs.scrub(sqlite, make_settings(), now)  # noqa: E731
    assert scrub(NOW) == 0
    sqlite.run(lambda s: (add_user(s), erase(s)))
    assert scrub(NOW) == 1
    sqlite.run(lambda s: (add_user(s, "bob"), erase(s, "bob")))
    assert scrub(NOW + HOUR - timedelta(seconds=1)) == 0
    assert scrub(NOW + HOUR) == 1


def test_a_reader_that_holds_the_log_makes_the_scrub_wait(sqlite: Database, make_settings: Any) -> None:
    sqlite.run(lambda s: add_user(s))
    with sqlite.engine.execution_options(assent_read=True).connect() as reader:
        reader.execute(select(User)).all()
        sqlite.run(erase)
        assert jobs.scrub(sqlite, make_settings(), NOW) == 0
    assert jobs.scrub(sqlite, make_settings(), NOW) == 1


def test_on_postgresql_a_thorough_scrub_leaves_the_tables_files_clean(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    crowd = database.run(arrive, 20)
    _, first = database.run(published_terms)
    names = [*crowd.doomed, *crowd.others]
    database.run(leave_all_marks, names, first)
    with database.engine.connect() as connection:
        where = connection.execute(text("SHOW data_directory")).scalar_one()
        oid = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    files = Path(str(where)) / "base" / str(oid)
    _checkpoint(database)
    assert traces_in(files)
    for name in crowd.doomed:
        database.run(erase, name, now=NOW + 2 * DAY)
    assert traces(str(database.read(rows)).encode()) == set()
    assert database.scrub() is False
    assert database.scrub(thorough=True) is True
    _checkpoint(database)
    assert traces_in(files) == {}
    database.close()


def _checkpoint(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
