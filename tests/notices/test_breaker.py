"""When the relay refuses everything, nothing is tried in vain, and staff hear of it once, and once when it is over."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from lifecycle.db import Database
from lifecycle.models import Request
from lifecycle.notices import breaker, outbox
from lifecycle.settings import Settings
from lifecycle.states import NoticeStatus
from tests.helpers import HOUR, published_terms
from tests.notices.scripted import Fault, scripted
from tests.notices.test_delivery import ALWAYS, World, end

S = NoticeStatus
MINUTE = timedelta(minutes=1)
CLOSED = Fault("connect", "554 5.3.2 not from your address", times=ALWAYS)


@pytest.fixture
def world(sqlite: Database, make_settings: Callable[..., Settings]) -> World:
    sqlite.run(published_terms)
    return World(sqlite, make_settings(time_zone="Europe/Berlin", smtp_connections=4))


def told(world: World) -> list[tuple[str, bool]]:
    """What staff were told, and whether it is settled."""
    found = select(Request).order_by(col(Request.id))
    return world.database.read(lambda s: [(r.subject, r.closed_at is not None) for r in s.exec(found)])


def tries(world: World) -> int:
    return world.database.read(lambda s: sum(notice.attempts for notice in outbox.notices(s)))


async def test_staff_are_told_once_and_no_notice_is_tried_while_the_relay_refuses_all(world: World) -> None:
    world.news(*(f"u{n}" for n in range(40)))
    for n in range(8):
        world.news(f"v{n}", email=f"v@d{n}.example")
    async with scripted(CLOSED) as relay, world.worker(relay) as worker:
        while told(world) == []:
            await worker.drain()
            world.now += 2 * MINUTE
        tried, knocked = tries(world), relay.connections
        assert tried <= 3 + 4
        for _ in range(20):
            await worker.drain()
            world.now += HOUR
        assert (tries(world), relay.connections - knocked) == (tried, 20)
    assert set(world.statuses()) == {S.OWED, S.DEFERRED}
    assert told(world) == [(breaker.DOWN, False)]


async def test_once_it_works_again_one_goes_ahead_then_all_and_staff_learn_of_it_once(world: World) -> None:
    world.news(*(f"u{n}" for n in range(12)))
    async with scripted(Fault("MAIL", "451 4.3.0 try later", times=4)) as relay, world.worker(relay) as worker:
        while told(world) == []:
            await worker.drain()
            world.now += MINUTE
        relay.script = [Fault("connect", "421 4.3.2 still away")]
        await relay.hang_up()
        for _ in range(4):
            world.now += 10 * MINUTE
            await worker.drain()
    assert set(world.statuses()) == {S.SENT}
    assert told(world) == [(breaker.DOWN, True), (breaker.UP, False)]
    assert len({kept.to for kept in relay.kept}) == len(relay.kept) == 12
    assert world.database.read(breaker.outage) is None


async def test_refusals_for_reasons_of_the_recipient_are_no_outage(world: World) -> None:
    world.news(*(f"u{n}" for n in range(8)))
    async with scripted(Fault("RCPT", "450 4.2.1 greylisted", times=8)) as relay, world.worker(relay) as worker:
        await worker.drain()
    assert told(world) == []
    assert set(world.statuses()) == {S.DEFERRED}


async def test_a_termination_in_an_outage_is_told_of_as_part_of_it_and_takes_effect_only_once_told(
    world: World,
) -> None:
    for name in "abcd":
        world.database.run(end, name, email=f"{name}@{name}.example")
    async with scripted(CLOSED) as relay, world.worker(relay) as worker:
        for _ in range(6):
            await worker.drain()
            world.now += HOUR
    [(subject, settled)] = told(world)
    assert (subject, settled) == (breaker.DOWN, False)
    [details] = world.database.read(lambda s: list(s.exec(select(Request.details))))
    assert "4 notices of terminations wait" in details
    assert set(world.statuses()) == {S.DEFERRED}


def test_of_all_workers_one_knocks_and_ever_more_seldom(database: Database, world: World) -> None:
    now, waits = world.now, []
    database.run(breaker.refused, "no", now=now)
    for _ in range(9):
        found = database.read(breaker.outage)
        assert found is not None
        waits.append((found.probe_at - now).total_seconds())
        assert not database.run(breaker.take_probe, now=now)
        now = found.probe_at
        assert [database.run(breaker.take_probe, now=now) for _ in range(2)] == [True, False]
    least = [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert all(low <= wait <= low * 1.25 for low, wait in zip(least, waits, strict=True))


def test_two_workers_begin_and_end_one_outage(database: Database, world: World) -> None:
    for _ in range(2):
        database.run(breaker.refused, "no", now=world.now)
    for _ in range(2):
        database.run(breaker.answered, now=world.now + HOUR)

    def subjects(session: Session) -> list[str]:
        return list(session.exec(select(Request.subject).order_by(col(Request.id))))

    assert database.read(subjects) == [breaker.DOWN, breaker.UP]
