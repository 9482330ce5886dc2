"""The relay's limits hold in every second and every hour, over all workers; what is urgent need not wait for bulk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from lifecycle.db import Database
from lifecycle.models import RelayBucket
from lifecycle.notices import pacing
from lifecycle.notices.delivery import Dispatcher
from lifecycle.settings import Settings
from tests.conftest import NOW
from tests.helpers import HOUR
from tests.notices.scripted import scripted
from tests.notices.test_delivery import World, end, little_world, news  # noqa: F401


def take(session: Session, settings: Settings, wanted: int, now: datetime) -> int:
    """As a worker does: what may begin of `wanted` begins."""
    allowed = pacing.allowance(session, settings, now=now)
    assert allowed is not None
    begun = max(min(wanted, allowed.mails), 0)
    pacing.spend(session, settings, begun, now=now)
    return begun


def test_without_limits_nothing_is_held(database: Database, make_settings) -> None:
    assert database.run(pacing.allowance, make_settings(), now=NOW) is None


@settings(max_examples=30)
@given(limit=st.integers(1, 400), steps=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 60)), max_size=40))
def test_in_no_hour_do_more_leave_than_the_relay_takes(tmp_path_factory, limit, steps) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('pace') / 'assent.sqlite3'}")
    try:
        RelayBucket.__table__.create(database.engine)  # type: ignore[attr-defined]
        facts, at, begun = Settings(relay_per_hour=limit), NOW, list[tuple[datetime, int]]()
        for seconds, wanted in steps:
            at += timedelta(seconds=seconds)
            begun.append((at, database.run(take, facts, wanted, at)))
        for start, _ in begun:
            assert sum(number for when, number in begun if start <= when < start + HOUR) <= limit
    finally:
        database.close()


@pytest.mark.parametrize(("name", "window"), [("relay_per_hour", HOUR), ("relay_per_second", timedelta(seconds=1))])
def test_over_time_the_limit_is_nearly_used(database: Database, make_settings, name: str, window: timedelta) -> None:
    facts = make_settings(**{name: 100})
    total = sum(database.run(take, facts, 5, NOW + window * n / 100) for n in range(200))  # two windows
    assert 190 <= total <= 200


def test_workers_share_one_limit(database: Database, make_settings) -> None:
    facts = make_settings(relay_per_hour=1000)
    database.run(take, facts, 0, NOW)
    with ThreadPoolExecutor(4) as workers:
        begun = list(workers.map(lambda _: database.run(take, facts, 3, NOW), range(8)))
    assert sum(begun) == 11  # what a full bucket of this limit holds


def test_bulk_leaves_room_for_what_is_urgent(sqlite: Database, make_settings) -> None:
    allowed = sqlite.run(pacing.allowance, make_settings(relay_per_hour=1000), now=NOW)
    assert allowed is not None
    assert (allowed.mails, allowed.bulk) == (11, 6)


async def test_a_drain_waits_for_the_limit_and_sends_all(little_world: World) -> None:  # noqa: F811
    little_world.news(*(f"u{n}" for n in range(12)))
    async with scripted() as relay:
        facts = little_world.settings.model_copy(update={"smtp_url": relay.url, "relay_per_second": 3})
        ticks = iter(range(10**6))  # a clock of its own: a tenth of a second at each look
        dispatcher = Dispatcher(little_world.database, facts, clock=lambda: NOW + timedelta(seconds=next(ticks) / 10))
        assert await dispatcher.drain() == 12
        await dispatcher.stop()
        assert len(relay.kept) == 12


async def test_what_is_urgent_passes_bulk_that_waits_for_the_limit(little_world: World) -> None:  # noqa: F811
    """Of eleven in the bucket bulk may take six. Five more of it are ready by then, as many as may leave at all."""
    little_world.news(*(f"u{n}" for n in range(30)))
    async with scripted() as relay, little_world.worker(relay, relay_per_hour=1000) as worker:
        draining = asyncio.create_task(worker.drain())
        await until(lambda: len(relay.kept) == 6)
        await asyncio.sleep(0.1)
        little_world.database.run(end)
        worker.nudge()
        await until(lambda: len(relay.kept) > 6)
        worker.close()
        await draining
    assert [kept.to for kept in relay.kept[6:]] == ["ada@example.com"]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  (the relay tells nobody)
            await asyncio.sleep(0.01)
