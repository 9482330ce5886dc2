"""A slow or dead recipient domain never holds up the rest."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import func, select

from lifecycle.db import Database
from lifecycle.models import Notice
from lifecycle.notices import outbox
from lifecycle.notices.conversation import Reply
from lifecycle.notices.domains import SILENCES, Domains
from lifecycle.notices.recording import Handover
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome, NoticeStatus
from tests.conftest import NOW
from tests.helpers import HOUR, published_terms
from tests.notices.scripted import STALL, Fault, scripted
from tests.notices.test_delivery import ALWAYS, TAKEN, World

S = NoticeStatus
SILENT = Reply(AttemptOutcome.DEFERRED, None, "no answer for 30 seconds", silent=True)


@pytest.fixture
def world(sqlite: Database, make_settings: Callable[..., Settings]) -> World:
    sqlite.run(published_terms)
    return World(sqlite, make_settings(smtp_connections=5, smtp_timeout_seconds=600.0))


async def test_while_one_domain_is_silent_the_others_are_served_and_it_makes_way(world: World) -> None:
    """Its notices are due first, and more of them than a worker reserves at once."""
    for n in range(30):
        world.news(f"dead{n}", email=f"u{n}@dead.example", due_at=NOW - HOUR)
    for n in range(6):
        world.news(f"live{n}", email=f"u@d{n}.example")
    silent = [Fault("RCPT", STALL, "250 2.1.5 at last", to=f"u{n}@dead.example", times=ALWAYS) for n in range(30)]
    async with scripted(*silent) as relay, world.worker(relay) as worker:
        drain = asyncio.create_task(worker.drain())
        while world.database.read(outbox.counts).get(S.SENT) != 6:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert world.database.read(outbox.counts) == {S.SENT: 6, S.SENDING: 2, S.OWED: 28}
        relay.released.set()
        assert await drain == 8
    assert {notice.due_at > NOW for notice in map(world.notice, range(3, 31))} == {True}


async def test_however_often_there_is_news_no_backlog_is_reserved_whole(world: World) -> None:
    """What a worker holds back no other can send, and to give it back takes as long as it was long."""
    world.news(*(f"user{n}" for n in range(400)))
    async with (
        scripted(Fault("RCPT", STALL, "250 2.1.5 at last", times=ALWAYS)) as relay,
        world.worker(relay) as worker,
    ):
        drain = asyncio.create_task(worker.drain())
        while not world.database.read(outbox.counts).get(S.SENDING):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        most = 0
        for _ in range(12):
            worker.nudge()
            await asyncio.sleep(0.03)
            most = max(
                most, world.database.read(lambda s: s.exec(select(func.count()).where(Notice.claim != "")).one())
            )
        assert 2 < most < 100
        worker.close()
        relay.released.set()
        await drain
    assert world.database.read(lambda s: s.exec(select(func.count()).where(Notice.claim != "")).one()) == 0


# -- the rule alone ------------------------------------------------------------------------------------------------


def to(domain: str, *numbers: int) -> list[Handover]:
    return [Handover(n, 1, "", 2, "", f"u{n}@{domain}", "", b"", None, False) for n in numbers]


def taken(domains: Domains, ready: list[Handover], room: int = 10) -> list[int]:
    chosen = domains.choose(ready, room, now=NOW)
    domains.begin(chosen.first)
    return [handover.notice_id for handover in chosen.first]


def test_a_domain_may_have_more_with_each_answer_but_never_all_connections() -> None:
    domains = Domains(10)
    assert taken(domains, to("a.example", *range(40))) == [0, 1]
    for n in range(8):
        [handover] = to("a.example", n)
        domains.end(handover, TAKEN, now=NOW)
        taken(domains, to("a.example", *range(n * 2 + 2, 60)))
    left = domains.choose(to("a.example", *range(100, 130)) + to("A.EXAMPLE", 7) + to("b.example", 200), 2, now=NOW)
    assert [handover.notice_id for handover in left.first] == [200]


def test_a_single_connection_serves_everyone() -> None:
    assert taken(Domains(1), to("a.example", 1, 2), room=1) == [1]


def test_repeated_silence_closes_a_domain_for_ever_longer_and_an_answer_opens_it() -> None:
    domains, waits = Domains(10), []
    for n in range(SILENCES + 3):
        [handover] = to("a.example", n)
        domains.begin([handover])
        domains.end(handover, SILENT, now=NOW)
        chosen = domains.choose(to("a.example", 99), 1, now=NOW)
        waits += [(until - NOW).total_seconds() for until in chosen.put_off]
    assert all(60 * 2**n <= wait <= 75 * 2**n for n, wait in enumerate(waits))
    assert len(waits) == 4
    [handover] = to("a.example", 50)
    domains.begin([handover])
    domains.end(handover, TAKEN, now=NOW)
    assert domains.choose(to("a.example", 99), 1, now=NOW).first != []


def test_what_waits_behind_a_slow_domain_comes_back_at_its_pace_and_within_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a long queue for one domain would be put off, reserved and put off again without an end."""
    domains, clock = Domains(10), [100.0]
    monkeypatch.setattr("lifecycle.notices.domains.monotonic", lambda: clock[0])
    assert taken(domains, to("a.example", 1, 2, 3)) == [1, 2]
    clock[0] += 2
    waits = []
    for some in range(20):
        chosen = domains.choose(
            to("a.example", *range(some * 10 + 10, some * 10 + 20)) + to("b.example", 7), 1, now=NOW
        )
        assert [handover.notice_id for handover in chosen.first] == [7], "others go on"
        [(until, away)] = chosen.put_off.items()
        waits.append((until - NOW).total_seconds())
        assert len(away) == 10
    assert waits[:4] == [5, 10, 15, 20], "two at a time, of a second each"
    assert max(waits) == 60
    later = NOW + timedelta(minutes=5)
    [until] = domains.choose(to("a.example", 900), 1, now=later).put_off
    assert until == later + timedelta(seconds=5), "what waited has come back meanwhile"


def test_only_silent_domains_are_remembered_for_long() -> None:
    domains = Domains(10)
    for n in range(5000):
        [handover] = to(f"d{n}.example", n)
        domains.begin([handover])
        domains.end(handover, SILENT if n < 10 else TAKEN, now=NOW)
    assert len(domains._known) <= 1001
    assert {f"d{n}.example" for n in range(10)} <= set(domains._known)
