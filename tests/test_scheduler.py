"""The clock: it catches up at start, wakes at the very instant, and nothing long or broken holds up what is due."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from lifecycle import history, jobs, terminations, users
from lifecycle.db import Database
from lifecycle.errors import DatabaseError
from lifecycle.models import Termination, User
from lifecycle.notices import claiming, outbox
from lifecycle.scheduler import Clockwork, utc_now
from lifecycle.settings import Settings
from lifecycle.states import Initiator, NoticeStatus, Purpose
from tests.crash.kill_worker import publish_to
from tests.crash.sink import Sink
from tests.helpers import DAY, HOUR, ZONE

PATIENCE_SECONDS = 20.0  # less than the minute between two looks, so that nothing passes by the next look alone
LOOK_SECONDS = 60.0


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


@pytest.fixture
def settings(sink: Sink, make_settings: Callable[..., Settings]) -> Settings:
    """The clock looks at start and, by itself, not again while a test lasts; two connections to the relay."""
    facts = {"poll_seconds": LOOK_SECONDS, "smtp_connections": 2, "smtp_timeout_seconds": PATIENCE_SECONDS}
    return make_settings(smtp_url=sink.url, inactivity_days=30, **facts)


class Clock:
    """The time of day, or as far ahead of it as a test wants to stand."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@asynccontextmanager
async def running(
    database: Database, settings: Settings, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[Clockwork]:
    clockwork = Clockwork(database, settings, clock=clock)
    clockwork.start()
    try:
        yield clockwork
    finally:
        await clockwork.stop()


async def soon(what: Awaitable[Any], seconds: float = PATIENCE_SECONDS) -> None:
    await asyncio.wait_for(what, seconds)


async def look(clockwork: Clockwork) -> None:
    """A whole turn that begins from now on. Another's that is in line already is as good."""
    await clockwork.wake()
    async with clockwork._turn:
        pass


def copies(sink: Sink) -> dict[str, int]:
    return {address.partition("@")[0]: len(found) for address, found in sink.copies.items()}


@pytest.fixture
def gate(sink: Sink) -> Iterator[asyncio.Event]:
    """The relay takes every mail, and answers only once the gate is open."""
    gate = asyncio.Event()

    async def answer(address: str) -> str:
        await gate.wait()
        return "250 Taken"

    sink.answer = answer
    yield gate
    gate.set()


# -- things that fall due ------------------------------------------------------------------------------------------


def add(session: Session, name: str) -> User:
    return users.upsert(session, name, email=f"{name}@example.com", now=utc_now())


def leaves(session: Session, name: str, *, at: datetime) -> Termination:
    """A user who asked for their access to end then, and has been told that it will."""
    cause = terminations.Cause(Initiator.USER, "I leave.")
    user = add(session, name)
    made = terminations.terminate(session, user, cause, effective_at=at, zone=ZONE, now=at - 30 * DAY)
    for notice in outbox.notices(session, user=user):
        notice.status = NoticeStatus.SENT
    return made


def is_owed(session: Session, name: str, *, at: datetime) -> None:
    """A notice that is due then, of a termination a year later."""
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
    terminations.terminate(session, add(session, name), cause, notice_days=365, notice_at=at, zone=ZONE, now=at - DAY)


def is_left_in_doubt(session: Session, name: str, *, settings: Settings) -> None:
    """A notice whose worker died an hour ago while it sent."""
    is_owed(session, name, at=utc_now() - 2 * HOUR)
    assert len(claiming.claim(session, limit=1, settings=settings, now=utc_now() - HOUR)) == 1


def is_idle(session: Session, name: str) -> None:
    users.touch(session, {add(session, name).id: utc_now() - 40 * DAY})


def effects(session: Session) -> int:
    return len(session.exec(select(Termination).where(col(Termination.took_effect_at).is_not(None))).all())


# -- at start ------------------------------------------------------------------------------------------------------


DUE_BEFORE: dict[str, Callable[..., object]] = {
    "a campaign": lambda s, settings: publish_to(s, ["ada"], settings=settings),
    "an effect": lambda s, settings: leaves(s, "ada", at=utc_now() - HOUR),
    "a notice": lambda s, settings: is_owed(s, "ada", at=utc_now() - HOUR),
    "an idle user": lambda s, settings: is_idle(s, "ada"),
}


@pytest.mark.parametrize("prepare", DUE_BEFORE.values(), ids=DUE_BEFORE)
async def test_what_fell_due_while_nothing_ran_is_done_at_start(
    prepare: Callable[..., object], database: Database, settings: Settings, sink: Sink
) -> None:
    database.run(prepare, settings)
    async with running(database, settings):
        await soon(sink.until(lambda: sink.total == 1))
    assert copies(sink) == {"ada": 1}
    assert database.read(effects) == (prepare is DUE_BEFORE["an effect"])


async def test_a_copy_in_doubt_is_repeated_under_its_message_id(
    database: Database, settings: Settings, sink: Sink
) -> None:
    database.run(is_left_in_doubt, "ada", settings=settings)
    kept = database.read(outbox.notice, 1).message_id
    async with running(database, settings):
        await soon(sink.until(lambda: "ada@example.com" in sink.copies))
    notice = database.read(outbox.notice, 1)
    assert (notice.status, notice.doubts, notice.message_id) == (NoticeStatus.SENT, 1, kept)
    assert [copy.message_id for copy in sink.copies["ada@example.com"]] == [kept]


# -- the alarm -----------------------------------------------------------------------------------------------------


def alarm(clockwork: Clockwork) -> datetime | None:
    job = clockwork._scheduler.get_job("due")
    at: datetime | None = job and job.next_run_time
    return at


@pytest.mark.parametrize("falls_due", [is_owed, leaves], ids=["a notice", "an effect"])
async def test_what_falls_due_between_two_looks_is_done_at_its_instant_and_never_before(
    falls_due: Callable[..., object], database: Database, settings: Settings, sink: Sink
) -> None:
    at = utc_now() + timedelta(seconds=0.8)
    database.run(falls_due, "ada", at=at)
    async with running(database, settings):
        await soon(sink.until(lambda: sink.total == 1))
    [copy] = sink.copies["ada@example.com"]
    assert copy.at >= at


async def test_the_alarm_is_set_to_the_earliest_instant(sqlite: Database, settings: Settings, sink: Sink) -> None:
    now = utc_now()
    clock = Clock()
    sqlite.run(leaves, "left", at=now + 3 * DAY)
    async with running(sqlite, settings, clock) as clockwork:
        await look(clockwork)
        assert alarm(clockwork) == now + 3 * DAY
        sqlite.run(is_owed, "warned", at=now + 2 * DAY)
        await look(clockwork)
        assert alarm(clockwork) == now + 2 * DAY
        clock.ahead = 2 * DAY
        await look(clockwork)
        await soon(sink.until(lambda: "warned@example.com" in sink.copies))
        assert clockwork._draining is not None
        await clockwork._draining
        await look(clockwork)
        assert alarm(clockwork) == now + 3 * DAY


async def test_the_alarm_is_set_while_mail_waits_for_a_connection(
    sqlite: Database, settings: Settings, sink: Sink, gate: asyncio.Event
) -> None:
    ends_at = utc_now() + DAY
    sqlite.run(publish_to, [f"u{n}" for n in range(6)], settings=settings)
    sqlite.run(leaves, "left", at=ends_at)
    async with running(sqlite, settings) as clockwork:
        await soon(sink.until(lambda: sink.total == settings.smtp_connections))
        await look(clockwork)
        found = alarm(clockwork)
        gate.set()
    assert found == ends_at


async def test_what_is_due_far_ahead_is_not_touched(sqlite: Database, settings: Settings, sink: Sink) -> None:
    sqlite.run(leaves, "left", at=utc_now() + DAY)
    sqlite.run(is_owed, "warned", at=utc_now() + DAY)
    async with running(sqlite, settings) as clockwork:
        await look(clockwork)
    assert copies(sink) == {}
    assert sqlite.read(effects) == 0


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("terminations", "The clock goes on after: The database"),
        ("idempotency_keys", "The sweep goes on after: The database"),
        ("attempts", "The dispatcher goes on after: The database"),
    ],
    ids=["a look", "a sweep", "the dispatcher"],
)
async def test_the_clock_goes_on_after_a_failure(
    missing: str, said: str, sqlite: Database, settings: Settings, sink: Sink, errors: "asyncio.Queue[str]"
) -> None:
    sqlite.run(is_owed, "warned", at=utc_now() - HOUR)
    rename(sqlite, missing, "away")
    often = settings.model_copy(update={"poll_seconds": 0.05})
    async with running(sqlite, often):
        while not (await asyncio.wait_for(errors.get(), PATIENCE_SECONDS)).startswith(said):
            pass
        rename(sqlite, "away", missing)
        sqlite.run(is_owed, "later", at=utc_now())
        sqlite.run(leaves, "left", at=utc_now())
        await soon(sink.until(lambda: len(sink.copies) == 3))
    assert copies(sink) == {"warned": 1, "later": 1, "left": 1}
    assert sqlite.read(effects) == 1


def rename(database: Database, name: str, other: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {other}"))


@pytest.fixture
def errors() -> Iterator["asyncio.Queue[str]"]:
    """What the scheduler logs, as it does."""
    said: asyncio.Queue[str] = asyncio.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: said.put_nowait(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("assent.scheduler")
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)


def test_a_job_that_fails_keeps_no_other_from_its_work(sqlite: Database, settings: Settings) -> None:
    def fails(*_: object) -> int:
        raise DatabaseError("Campaigns cannot be planned.")

    sqlite.run(leaves, "left", at=utc_now() - HOUR)
    with pytest.raises(DatabaseError, match="cannot be planned"):
        jobs.run_jobs((fails, jobs.bring_into_effect), sqlite, settings, utc_now())
    assert sqlite.read(effects) == 1


async def test_an_answer_that_could_not_be_put_on_record_at_once_is_put_there_later(
    sqlite: Database, settings: Settings, sink: Sink, gate: asyncio.Event, errors: "asyncio.Queue[str]"
) -> None:
    clock = Clock()
    sqlite.run(is_owed, "ada", at=utc_now() - HOUR)
    async with running(sqlite, settings, clock) as clockwork:
        await soon(sink.until(lambda: sink.total == 1))
        rename(sqlite, "attempts", "away")
        gate.set()
        await soon(errors.get())
        rename(sqlite, "away", "attempts")
        clock.ahead = HOUR
        await clockwork.sweep()
    assert sqlite.read(outbox.notice, 1).status is NoticeStatus.SENT
    assert copies(sink) == {"ada": 1}


# -- a long drain --------------------------------------------------------------------------------------------------


async def test_a_long_drain_does_not_delay_an_effect(
    database: Database, settings: Settings, sink: Sink, gate: asyncio.Event
) -> None:
    clock = Clock()
    database.run(publish_to, [f"u{n}" for n in range(6)], settings=settings)
    database.run(leaves, "left", at=utc_now() + DAY)
    async with running(database, settings, clock) as clockwork:
        await soon(sink.until(lambda: sink.total == settings.smtp_connections))
        clock.ahead = DAY
        await look(clockwork)
        assert database.read(effects) == 1
        assert sink.total == settings.smtp_connections
        gate.set()
        await soon(sink.until(lambda: sink.total == 7))
    assert "left@example.com" in list(sink.copies)[:4]  # before the bulk that was not under way yet


async def test_a_slow_hand_over_does_not_hold_up_what_falls_due_while_connections_are_free(
    sqlite: Database, settings: Settings, sink: Sink, gate: asyncio.Event
) -> None:
    sqlite.run(is_owed, "slow", at=utc_now() - HOUR)
    async with running(sqlite, settings) as clockwork:
        await soon(sink.until(lambda: sink.total == 1))
        sqlite.run(is_owed, "warned", at=utc_now())
        await look(clockwork)
        try:
            await soon(sink.until(lambda: sink.total == 2), 2)
        finally:
            gate.set()


async def test_a_long_job_of_the_sweep_does_not_delay_what_is_due(
    sqlite: Database, settings: Settings, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = threading.Event(), threading.Event()

    def lasts(*_: object) -> int:
        begun.set()
        over.wait(PATIENCE_SECONDS)
        return 0

    monkeypatch.setattr(jobs, "IN_SWEEPS", (lasts,))
    monkeypatch.setattr(jobs, "PLANNING", (lasts,))
    sqlite.run(leaves, "left", at=utc_now() - HOUR)
    async with running(sqlite, settings) as clockwork:
        await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        try:
            await look(clockwork)
            assert sqlite.read(effects) == 1
            await soon(sink.until(lambda: "left@example.com" in sink.copies))
        finally:
            over.set()


# -- several workers -----------------------------------------------------------------------------------------------


async def test_two_clockworks_on_one_database_do_nothing_twice(
    database: Database, settings: Settings, sink: Sink
) -> None:
    names = [f"u{n}" for n in range(40)]
    database.run(publish_to, names, settings=settings)
    leaving = [database.run(leaves, f"left{n}", at=utc_now() - HOUR) for n in range(10)]
    database.run(is_left_in_doubt, "doubted", settings=settings)
    database.run(is_idle, "idle")
    often = settings.model_copy(update={"poll_seconds": 0.02})
    other = Database(database.url)
    async with running(database, often), running(other, often):
        await soon(sink.until(lambda: len(sink.copies) == 52))
    other.close()
    arrived = [copy.message_id for found in sink.copies.values() for copy in found]
    assert len(arrived) == len(set(arrived))
    for termination in leaving:
        verbs = [entry.verb for entry in database.read(history.of, "termination", termination.id)]
        assert verbs.count("took effect") == 1
    assert len(database.read(outbox.notices, purpose=Purpose.TERMINATION_EFFECTIVE)) == 10


# -- stopping ------------------------------------------------------------------------------------------------------


async def test_stopping_waits_for_the_hand_overs_under_way(
    database: Database, settings: Settings, sink: Sink, gate: asyncio.Event
) -> None:
    database.run(is_owed, "ada", at=utc_now() - HOUR)
    clockwork = Clockwork(database, settings)
    clockwork.start()
    await soon(sink.until(lambda: sink.total == 1))
    stopping = asyncio.create_task(clockwork.stop())
    done, _ = await asyncio.wait({stopping}, timeout=0.2)
    assert not done
    gate.set()
    await soon(stopping)
    assert database.read(outbox.notice, 1).status is NoticeStatus.SENT


async def test_stopping_begins_no_new_hand_over(
    sqlite: Database, settings: Settings, sink: Sink, gate: asyncio.Event
) -> None:
    sqlite.run(publish_to, [f"u{n}" for n in range(20)], settings=settings)
    clockwork = Clockwork(sqlite, settings)
    clockwork.start()
    await soon(sink.until(lambda: sink.total == settings.smtp_connections))
    stopping = asyncio.create_task(clockwork.stop())
    await asyncio.sleep(0)
    gate.set()
    await soon(stopping)
    assert sqlite.read(outbox.counts) == {NoticeStatus.SENT: 2, NoticeStatus.OWED: 18}


async def test_stopping_begins_no_new_hand_over_even_while_a_job_holds_the_turn(
    sqlite: Database, settings: Settings, sink: Sink, gate: asyncio.Event
) -> None:
    sqlite.run(publish_to, [f"u{n}" for n in range(20)], settings=settings)
    clockwork = Clockwork(sqlite, settings)
    clockwork.start()
    await soon(sink.until(lambda: sink.total == settings.smtp_connections))
    async with clockwork._turn:
        stopping = asyncio.create_task(clockwork.stop())
        await asyncio.sleep(0)
        gate.set()
        assert clockwork._draining is not None
        await soon(asyncio.wait({clockwork._draining}))
    await soon(stopping)
    assert sqlite.read(outbox.counts) == {NoticeStatus.SENT: 2, NoticeStatus.OWED: 18}
