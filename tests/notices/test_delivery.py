"""From owed to proven: claimed once, kept byte for byte, repeated at most once in doubt, and never lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlmodel import Session, select

from lifecycle import history, ledger, terminations, users
from lifecycle.db import Database
from lifecycle.errors import DatabaseError
from lifecycle.models import Notice, Termination, User, Version
from lifecycle.notices import keeping, outbox, writing
from lifecycle.notices.claiming import claim, drop, lend
from lifecycle.notices.conversation import Reply
from lifecycle.notices.delivery import Dispatcher
from lifecycle.notices.readers import Known
from lifecycle.notices.recording import MAX_ATTEMPTS, Handover, Outcome, record, recover
from lifecycle.notices.smtp import Relay
from lifecycle.notices.writing import Dropped
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome, Channel, EngagementKind, Initiator, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, TICK, ZONE, add_user, engage, published_terms
from tests.notices.scripted import DROP, STALL, Fault, ScriptedRelay, scripted

S, A = NoticeStatus, AttemptOutcome
LEASE = timedelta(seconds=120)
ADA = "ada@example.com"
ON_DISCORD: dict[str, Any] = {"discord_id": "175928847299117063"}
ALWAYS = float("inf")
TAKEN = Reply(A.SENT, 250, "2.0.0 queued")
REFUSED = Reply(A.FAILED, 550, "5.1.1 no such mailbox")
PUT_OFF = Reply(A.DEFERRED, 450, "4.2.1 greylisted")
SILENT = Reply(A.UNKNOWN, None, "the connection broke")


@dataclass
class World:
    """One database, the settings of its workers, and an instant that only the test moves."""

    database: Database
    settings: Settings
    now: datetime = NOW

    def news(self, *names: str, due_at: datetime | None = None, **facts: str) -> list[int]:
        """The users' notices of version 1 of `terms`; their numbers."""
        return self.database.run(lambda s: [news(s, name, due_at=due_at, **facts).id for name in names])

    def claim(self, limit: int = 10, **facts: Any) -> list[Handover]:
        return self.database.run(claim, limit=limit, settings=self.settings, **{"now": self.now, **facts})

    def record(self, handover: Handover, reply: Reply) -> None:
        outcome = Outcome(handover, reply, self.now)
        self.database.run(record, [outcome], settings=self.settings, now=self.now)

    def recover(self) -> int:
        return self.database.run(recover, now=self.now)

    def notice(self, notice_id: int = 1) -> Notice:
        return self.database.read(outbox.notice, notice_id)

    def message(self, notice_id: int = 1) -> bytes | None:
        """The exact message, as `assent notice show --raw` shows it."""
        return self.database.read(lambda s: keeping.message(s, notice_id))

    def statuses(self) -> list[NoticeStatus]:
        return [notice.status for notice in self.database.read(outbox.notices)]

    def attempts(self, notice_id: int = 1) -> list[tuple[AttemptOutcome, int | None, str]]:
        tries = self.database.read(lambda s: outbox.attempts(s, outbox.notice(s, notice_id)))
        return [(A(tried.outcome), tried.code, tried.reply) for tried in tries]

    @asynccontextmanager
    async def worker(self, relay: ScriptedRelay, **facts: Any) -> AsyncIterator[Dispatcher]:
        self.settings = self.settings.model_copy(update={"smtp_url": relay.url, **facts})
        dispatcher = Dispatcher(self.database, self.settings, clock=lambda: self.now)
        yield dispatcher
        await dispatcher.stop()


@pytest.fixture
def world(database: Database, make_settings: Callable[..., Settings]) -> World:
    database.run(published_terms)
    return World(database, make_settings(time_zone="Europe/Berlin", lease_seconds=LEASE.total_seconds()))


@pytest.fixture
def little_world(sqlite: Database, make_settings: Callable[..., Settings]) -> World:
    """For what does not depend on the database."""
    sqlite.run(published_terms)
    return World(sqlite, make_settings(time_zone="Europe/Berlin", lease_seconds=LEASE.total_seconds()))


def news(session: Session, /, name: str, *, due_at: datetime | None = None, **facts: str) -> Notice:
    user, version = add_user(session, name, **facts), session.exec(select(Version)).one()
    thing = f"version:{version.id}"
    return outbox.owe(
        session, Purpose.VERSION_PUBLISHED, thing, user=user, version_id=version.id, due_at=due_at, now=NOW
    )


def end(session: Session, /, name: str = "ada", **facts: str) -> Termination:
    """The provider's decision to end the user's access with five days' notice."""
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
    return terminations.terminate(session, add_user(session, name, **facts), cause, notice_days=5, zone=ZONE, now=NOW)


# -- claiming ------------------------------------------------------------------------------------------------------


def test_the_urgent_leave_first_and_then_the_longest_due(world: World) -> None:
    late, early = world.news("late", due_at=NOW - HOUR), world.news("early", due_at=NOW - DAY)
    world.news("tomorrow", due_at=NOW + TICK)
    world.database.run(end, "ended")
    order = [handover.address.partition("@")[0] for handover in world.claim()]
    assert order == ["ended", "early", "late"]
    assert late < early


def test_a_claim_takes_no_more_than_it_was_asked_for_and_only_from_its_channel(world: World) -> None:
    world.news("a", "b", "c")
    world.news("d", email="", **ON_DISCORD)
    assert len(world.claim(limit=2)) == 2
    assert [taken.address for taken in world.claim(channel=Channel.DISCORD)] == [ON_DISCORD["discord_id"]]
    assert [len(world.claim()), len(world.claim())] == [1, 0]


def test_before_anything_leaves_the_exact_message_is_kept_and_the_notice_is_on_its_way(world: World) -> None:
    world.news("ada")
    [handover] = world.claim()
    notice = world.notice()
    assert (notice.status, notice.address, notice.attempts) == (S.SENDING, ADA, 1)
    assert world.message() == handover.message
    assert notice.message_id.encode() in handover.message
    assert (notice.begun_at, notice.lease_until) == (NOW, NOW + LEASE)
    assert world.attempts() == []


def test_many_workers_at_once_never_take_the_same_notice(world: World) -> None:
    world.news(*(f"u{n}" for n in range(20)))

    def work(_: int) -> list[int]:
        batches = iter(lambda: world.claim(limit=3), [])
        return [handover.notice_id for batch in batches for handover in batch]

    with ThreadPoolExecutor(4) as workers:
        taken = [notice_id for some in workers.map(work, range(4)) for notice_id in some]
    assert sorted(taken) == list(range(1, 21))


def test_a_worker_takes_what_another_is_not_just_taking_without_waiting_for_it(
    two_processes: tuple[Database, Database], make_settings: Callable[..., Settings]
) -> None:
    ours, theirs = (World(database, make_settings()) for database in two_processes)
    ours.database.run(published_terms)
    ours.news("first")
    assert [taken.notice_id for taken in ours.claim()] == [1]  # the first of a campaign puts its form on record
    ours.news("a", "b", "c", "d")

    def theirs_meanwhile(session: Session) -> list[Handover]:
        session.execute(text("SET LOCAL lock_timeout = '5s'"))
        return claim(session, limit=10, settings=theirs.settings, now=NOW)

    def first_two(session: Session) -> tuple[list[Handover], list[Handover]]:
        return claim(session, limit=2, settings=ours.settings, now=NOW), theirs.database.run(theirs_meanwhile)

    taken, rest = ours.database.run(first_two)
    assert ([t.notice_id for t in taken], [t.notice_id for t in rest]) == ([2, 3], [4, 5])


# -- what is not handed over ---------------------------------------------------------------------------------------


def test_what_is_no_longer_wanted_is_cancelled_with_the_reason(world: World) -> None:
    def answered(session: Session) -> None:
        user, version = add_user(session), session.exec(select(Version)).one()
        facts: dict[str, Any] = {"user": user, "version_id": version.id, "now": NOW}
        outbox.owe(session, Purpose.ACCEPTANCE_REMINDER, f"version:{version.id}:7d", **facts)
        engage(session, user, version, EngagementKind.ACCEPTED)

    world.database.run(answered)
    assert world.claim() == []
    assert (world.notice().status, world.notice().reason) == (S.CANCELLED, "the user has answered")
    assert world.attempts() == []


def test_a_notice_in_doubt_that_is_no_longer_wanted_still_says_that_it_may_have_arrived(world: World) -> None:
    made = world.database.run(end)
    world.record(world.claim()[0], SILENT)
    world.database.run(lambda s: terminations.rescind(s, s.get_one(Termination, made.id), reason="Error.", now=NOW))
    assert [taken.notice_id for taken in world.claim(now=NOW + HOUR)] == [2]  # the word that it was rescinded
    assert world.notice().status is S.CANCELLED
    assert world.notice().reason == "the termination was taken back; an earlier copy may have arrived"


def test_a_user_who_lost_the_address_meanwhile_is_told_over_the_next_channel(world: World) -> None:
    world.news("ada", **ON_DISCORD)
    world.database.run(lambda s: add_user(s, email=""))
    assert world.claim() == []
    assert world.statuses() == [S.FAILED, S.OWED]
    assert world.notice().reason == "The user has no e-mail address any more."
    assert [taken.address for taken in world.claim(channel=Channel.DISCORD)] == [ON_DISCORD["discord_id"]]


# -- sent ----------------------------------------------------------------------------------------------------------


async def test_what_arrives_is_byte_for_byte_what_is_kept(world: World) -> None:
    world.news("ada", "bob", locale="de")
    async with scripted(Fault("kept", "250 2.0.0 queued as 7", to=ADA)) as relay, world.worker(relay) as worker:
        assert await worker.drain() == 2
        assert await worker.drain() == 0
    for number, address in [(1, ADA), (2, "bob@example.com")]:
        notice, [copy] = world.notice(number), relay.copies(address)
        assert copy.message == world.message(number)
        assert (copy.message_id, copy.sender) == (notice.message_id, "legal@acme.example")
        assert (notice.status, notice.sent_at, notice.reason) == (S.SENT, NOW, "")
    assert world.attempts() == [(A.SENT, 250, "2.0.0 queued as 7")]
    told = world.database.read(lambda s: ledger.notified(s, users.user(s, "ada"), s.get_one(Version, 1)))
    assert told is not None
    assert (told.at, told.notice_id) == (NOW, 1)
    assert [entry.verb for entry in world.database.read(history.of, "notice", 1)] == ["owed", "sent"]


async def test_the_notice_of_a_termination_starts_its_period_when_it_is_sent(world: World) -> None:
    made = world.database.run(end)
    ends = lambda: world.database.read(terminations.termination, made.id).takes_effect_at  # noqa: E731
    async with scripted(Fault("RCPT", "450 4.2.1 greylisted")) as relay, world.worker(relay) as worker:
        await worker.drain()
        assert ends() is None
        world.now += HOUR
        await worker.drain()
    assert ends() == NOW + HOUR + 5 * DAY


async def test_everything_due_is_sent_in_one_go_over_as_many_connections_as_allowed(world: World) -> None:
    everyone = [f"u{n}" for n in range(25)]
    world.news(*everyone)
    async with scripted() as relay, world.worker(relay, smtp_connections=4) as worker:
        assert await worker.drain() == 25
    assert sorted(kept.to for kept in relay.kept) == sorted(f"{name}@example.com" for name in everyone)
    assert set(world.statuses()) == {S.SENT}
    assert relay.connections <= 4


async def test_the_unwanted_hold_up_nothing_that_is_due_behind_them(little_world: World) -> None:
    little_world.news(*(f"gone{n}" for n in range(5)), due_at=NOW - DAY)
    little_world.database.run(lambda s: s.execute(update(User).values(email="")))
    little_world.news("ada")
    async with scripted() as relay, little_world.worker(relay, smtp_connections=2) as worker:
        assert await worker.drain() == 1
    assert [kept.to for kept in relay.kept] == [ADA]


async def test_two_workers_on_one_database_send_each_notice_once(world: World) -> None:
    world.news(*(f"u{n}" for n in range(30)))
    async with scripted() as relay, world.worker(relay) as one, world.worker(relay) as other:
        assert sum(await asyncio.gather(one.drain(), other.drain(), one.drain())) == 30
    assert len({kept.to for kept in relay.kept}) == len(relay.kept) == 30


async def test_at_most_one_notice_for_each_connection_is_ever_in_doubt(world: World) -> None:
    for n in range(9):  # at as many domains, for one alone may not take all connections
        world.news(f"u{n}", email=f"u@d{n}.example")
    hold = Fault("kept", STALL, "250 2.0.0 kept", times=3)
    async with scripted(hold) as relay, world.worker(relay, smtp_connections=3) as worker:
        drain = asyncio.create_task(worker.drain())
        held = [await relay.stalled.get() for _ in range(3)]
        assert world.database.read(outbox.counts) == {S.SENDING: 3, S.OWED: 6}
        assert sorted(held) == sorted(kept.to for kept in relay.kept)
        relay.released.set()
        assert await drain == 9
    assert set(world.statuses()) == {S.SENT}


def test_what_was_to_be_dropped_is_judged_again_and_leaves_if_there_is_no_reason_any_more(world: World) -> None:
    """The address was marked as bad when the mail was to be written, and corrected before that was on record."""
    world.news("ada", "bob")

    def mark(session: Session, bounced_at: datetime | None) -> None:
        session.execute(update(User).values(email_bounced_at=bounced_at))

    world.database.run(mark, NOW)
    token, lent = world.database.run(lend, limit=9, settings=world.settings, now=NOW)
    with world.database.reading() as session:
        found = [writing.write(Known(session, lent), due, token, world.settings, now=NOW) for due in lent]
    dropped = [each for each in found if isinstance(each, Dropped)]
    assert [each.reason for each in dropped] == [outbox.BAD_ADDRESS] * 2
    world.database.run(drop, dropped[:1], world.settings, now=NOW)
    world.database.run(mark, None)
    world.database.run(drop, dropped[1:], world.settings, now=NOW)
    assert world.statuses() == [S.FAILED, S.OWED]
    assert [handover.address for handover in world.claim()] == ["bob@example.com"]


# -- put off and failed --------------------------------------------------------------------------------------------


def tries(world: World, reply: Reply, most: int) -> Iterator[timedelta]:
    """The notice is handed over whenever it is due and always answered so; how long it then waits."""
    for _ in range(most):
        [handover] = world.claim()
        world.record(handover, reply)
        if world.notice().status is not S.DEFERRED:
            return
        yield world.notice().due_at - world.now
        world.now = world.notice().due_at - TICK
        assert world.claim() == []
        world.now += TICK


def test_a_notice_put_off_waits_ever_longer_and_fails_in_the_end(world: World) -> None:
    world.news("ada")
    waits = list(tries(world, PUT_OFF, 99))
    least = [timedelta(minutes=min(2**n, 240)) for n in range(MAX_ATTEMPTS - 1)]
    assert len(waits) == len(least)
    assert all(low <= wait <= low * 1.25 for low, wait in zip(least, waits, strict=True))
    assert (world.notice().status, world.notice().reason) == (S.FAILED, PUT_OFF.text)
    assert world.attempts() == [(A.DEFERRED, 450, PUT_OFF.text)] * MAX_ATTEMPTS


def test_the_waits_differ_so_that_not_all_come_back_at_once(little_world: World) -> None:
    little_world.news(*(f"u{n}" for n in range(10)))
    for handover in little_world.claim():
        little_world.record(handover, PUT_OFF)
    assert len({little_world.notice(n).due_at for n in range(1, 11)}) > 1


def test_a_relay_out_of_reach_fails_nothing_however_long(little_world: World) -> None:
    little_world.news("ada")
    unreachable = Reply(A.DEFERRED, None, "connection refused", of_relay=True)
    assert len(list(tries(little_world, unreachable, 50))) == 50
    assert little_world.notice().status is S.DEFERRED


async def test_a_refused_notice_fails_in_the_relays_words_and_goes_over_the_next_channel_once(world: World) -> None:
    world.news("ada", **ON_DISCORD)
    refusal = Fault("RCPT", "550 5.1.1 no such mailbox", to=ADA, times=ALWAYS)
    async with scripted(refusal) as relay, world.worker(relay) as worker:
        assert [await worker.drain(), await worker.drain()] == [1, 0]
    assert (world.notice().status, world.notice().reason) == (S.FAILED, "5.1.1 no such mailbox")
    assert world.attempts() == [(A.FAILED, 550, "5.1.1 no such mailbox")]
    assert (world.notice(2).channel, world.notice(2).status) == (Channel.DISCORD, S.OWED)
    [over_discord] = world.claim(channel=Channel.DISCORD)
    world.record(over_discord, Reply(A.FAILED, 403, "no direct messages"))
    assert world.statuses() == [S.FAILED, S.FAILED]


async def test_one_refusal_holds_up_nobody_else(world: World) -> None:
    world.news(*(f"u{n}" for n in range(6)))
    faults = Fault("RCPT", "550 5.1.1 no", to="u1@example.com"), Fault("message", DROP, to="u2@example.com")
    async with scripted(*faults) as relay, world.worker(relay, smtp_connections=1) as worker:
        assert await worker.drain() == 6
    assert world.statuses() == [S.SENT, S.FAILED, S.UNKNOWN, S.SENT, S.SENT, S.SENT]


# -- in doubt ------------------------------------------------------------------------------------------------------


async def test_a_notice_in_doubt_is_repeated_once_byte_for_byte_and_then_left_to_staff(world: World) -> None:
    world.news("ada")
    async with scripted(Fault("kept", DROP, times=ALWAYS)) as relay, world.worker(relay) as worker:
        tried = []
        for _ in range(5):
            tried.append(await worker.drain())
            world.now += DAY
    assert tried == [1, 1, 0, 0, 0]
    first, second = relay.kept
    assert first == second
    assert first.message_id == world.notice().message_id
    assert (world.notice().status, world.notice().reason) == (S.UNKNOWN, "handed over in doubt twice; staff decide")
    assert [outcome for outcome, _, _ in world.attempts()] == [A.UNKNOWN] * 2
    assert world.database.read(outbox.next_due) is None


async def test_whatever_happens_between_two_doubts_there_is_never_a_third_copy(world: World) -> None:
    world.news("ada")
    later, doubt, away = Fault("RCPT", "450 4.2.1 later"), Fault("kept", DROP), Fault("connect", DROP)
    message_ids = set()
    async with scripted() as relay, world.worker(relay) as worker:
        for fault in [later, doubt, away, later, later, doubt, doubt, doubt]:
            relay.script = [Fault(fault.step, *fault.answers)]
            await relay.hang_up()
            await worker.drain()
            message_ids.add(world.notice().message_id)
            world.now += DAY
    assert len(relay.kept) == 2
    assert relay.kept[0] == relay.kept[1]
    assert message_ids == {relay.kept[0].message_id}
    assert world.notice().status is S.UNKNOWN


async def test_a_doubt_is_settled_by_the_copy_the_relay_confirms(world: World) -> None:
    world.news("ada")
    async with scripted(Fault("kept", DROP)) as relay, world.worker(relay) as worker:
        await worker.drain()
        assert (world.notice().status, world.notice().reason) == (S.UNKNOWN, "handed over in doubt; repeated once")
        world.now += HOUR
        await worker.drain()
    assert (world.notice().status, world.notice().sent_at) == (S.SENT, NOW + HOUR)
    assert len(relay.kept) == 2


# -- after a crash -------------------------------------------------------------------------------------------------


async def test_what_a_killed_worker_held_is_taken_up_when_its_lease_is_over_and_sent_at_most_twice(
    world: World,
) -> None:
    """Each worker hands its message over and is killed before it can write down how that ended."""
    world.news("ada")
    handed_over: list[list[Handover]] = []
    async with scripted() as relay:
        client = Relay(world.settings.model_copy(update={"smtp_url": relay.url}))
        for _ in range(4):
            assert world.recover() == len(handed_over[-1:])
            handed_over.append(taken := world.claim())
            for handover in taken:
                await client.send(handover.sender, handover.address, handover.message)
            world.now += LEASE - TICK
            assert (world.recover(), world.claim()) == (0, [])
            world.now += TICK
            if not taken:
                break
        await client.close()
    assert [len(taken) for taken in handed_over] == [1, 1, 0]
    assert len(relay.kept) == 2
    assert relay.kept[0] == relay.kept[1]
    assert world.notice().status is S.UNKNOWN
    assert world.attempts() == [(A.UNKNOWN, None, "the worker died")] * 2


async def test_what_is_on_its_way_ends_although_the_database_cannot_be_used_and_is_put_on_record_later(
    little_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lifecycle.db.BUSY_SECONDS", 0.1)
    little_world.news("ada", "bob")
    hold = Fault("kept", STALL, "250 2.0.0 kept", times=2)
    async with scripted(hold) as relay, little_world.worker(relay, smtp_connections=2) as worker:
        draining = asyncio.create_task(worker.drain())
        assert {await relay.stalled.get(), await relay.stalled.get()} == {ADA, "bob@example.com"}
        with closing(sqlite3.connect(little_world.database.engine.url.database or "")) as other:
            other.execute("BEGIN IMMEDIATE")
            worker.nudge()
            await asyncio.sleep(0.5)
            assert not draining.done()
            relay.released.set()
            with pytest.raises(DatabaseError, match="locked"):
                await draining
        assert little_world.statuses() == [S.SENDING] * 2
        assert await worker.drain() == 0
    assert little_world.statuses() == [S.SENT] * 2
    assert len(relay.kept) == 2


async def test_a_worker_begins_with_what_a_dead_one_left(world: World) -> None:
    world.news("ada", "bob")
    world.claim(limit=1)
    world.now += LEASE
    async with scripted() as relay, world.worker(relay) as worker:
        assert await worker.drain() == 2
    assert world.statuses() == [S.SENT, S.SENT]


def test_recovering_twice_or_over_another_channel_changes_nothing(world: World) -> None:
    world.news("ada")
    world.claim()
    world.now += LEASE
    assert world.database.run(recover, now=world.now, channel=Channel.DISCORD) == 0
    assert [world.recover(), world.recover()] == [1, 0]
    assert world.notice().doubts == 1


@pytest.mark.parametrize("late", [REFUSED, PUT_OFF, SILENT])
def test_the_late_word_of_a_lost_lease_changes_nothing(world: World, late: Reply) -> None:
    world.news("ada")
    [lost] = world.claim()
    world.now += LEASE
    world.recover()
    [current] = world.claim()
    before = world.notice()
    world.record(lost, late)
    assert world.notice() == before
    world.record(current, TAKEN)
    assert world.notice().status is S.SENT
    assert world.attempts() == [(late.outcome, late.code, late.text), (A.SENT, 250, TAKEN.text)]


@pytest.mark.parametrize("repeat", [REFUSED, PUT_OFF, SILENT, TAKEN])
def test_the_late_proof_of_a_lost_lease_is_proof_all_the_same(world: World, repeat: Reply) -> None:
    made = world.database.run(end)
    [lost] = world.claim()
    world.now += LEASE
    world.recover()
    [current] = world.claim()
    world.record(lost, TAKEN)
    proven_at, world.now = world.now, world.now + HOUR
    world.record(current, repeat)
    assert (world.notice().status, world.notice().sent_at) == (S.SENT, proven_at)
    assert world.database.read(terminations.termination, made.id).takes_effect_at == proven_at + 5 * DAY


def test_an_outcome_written_down_twice_is_one(world: World) -> None:
    world.news("ada", **ON_DISCORD)
    [handover] = world.claim()
    for _ in range(2):
        world.record(handover, REFUSED)
    assert world.statuses() == [S.FAILED, S.OWED]
    assert [entry.verb for entry in world.database.read(history.of, "notice", 1)] == ["owed", "failed"]
