"""Reminders before a deadline and the word that it passed: one at a time, and none to whom they do not concern."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from lifecycle import jobs, ledger, reminding, users
from lifecycle.bindings import deadline
from lifecycle.db import Database
from lifecycle.instants import add_calendar
from lifecycle.models import Notice, Version
from lifecycle.notices import claiming, outbox
from lifecycle.scheduler import Clockwork
from lifecycle.settings import Settings, load_settings
from lifecycle.states import EngagementKind, Mode, NoticeStatus
from tests.conftest import NOW
from tests.crash.sink import Sink
from tests.helpers import DAY, HOUR, TICK, ZONE, add_user, engage, next_version, published_terms, tell

K = EngagementKind
DUE = NOW + 14 * DAY
OWED, CANCELLED = NoticeStatus.OWED, NoticeStatus.CANCELLED


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(time_zone="Europe/Berlin")


def notices(database: Database) -> list[Notice]:
    return database.read(outbox.notices)


def asked(session: Session, *, deadline_days: int = 14) -> Version:
    """`ada` was told now that version 2 must be accepted within two weeks."""
    published_terms(session)
    version = next_version(session, Mode.EXPLICIT, deadline_days=deadline_days)
    tell(session, add_user(session), version)
    return version


def reminders(database: Database) -> list[tuple[str, NoticeStatus]]:
    """The reminders owed, by what stands in their key after the version, and how they stand."""
    found = notices(database)
    stages = [notice.key.split("/")[1].removeprefix("version:2").strip(":") or "overdue" for notice in found]
    return list(zip(stages, (notice.status for notice in found), strict=True))


def run_reminders(database: Database, settings: Settings, *instants: datetime) -> list[tuple[str, NoticeStatus]]:
    for now in instants:
        jobs.remind(database, settings, now)
    return reminders(database)


@pytest.mark.parametrize(
    ("at", "stages"),
    [
        (DUE - 7 * DAY - TICK, []),
        (DUE - 7 * DAY, [("7d", OWED)]),
        (DUE - DAY - TICK, [("7d", OWED)]),
        (DUE - DAY, [("1d", OWED)]),
        (DUE - TICK, [("1d", OWED)]),
        (DUE, [("overdue", OWED)]),
        (DUE + 400 * DAY, [("overdue", OWED)]),
    ],
)
def test_after_an_outage_only_the_latest_that_was_missed_leaves(sqlite: Database, settings, at, stages) -> None:
    sqlite.run(asked)
    assert run_reminders(sqlite, settings, at) == stages


def test_each_reminder_takes_the_place_of_the_one_before_if_that_has_not_left(database: Database, settings) -> None:
    database.run(asked)
    assert run_reminders(database, settings, *[DUE - DAY * days for days in (7, 6, 1, 0, -1)]) == [
        ("7d", CANCELLED),
        ("1d", CANCELLED),
        ("overdue", OWED),
    ]


def test_a_reminder_that_has_left_stays_as_it_is(sqlite: Database, settings: Settings) -> None:
    def leave(session: Session) -> None:
        notice = outbox.notice(session, 1)
        notice.status = NoticeStatus.SENT

    sqlite.run(asked)
    run_reminders(sqlite, settings, DUE - 7 * DAY)
    sqlite.run(leave)
    assert run_reminders(sqlite, settings, DUE) == [("7d", NoticeStatus.SENT), ("overdue", OWED)]


@pytest.mark.parametrize("kind", [K.ACCEPTED, K.DECLINED])
def test_who_has_answered_is_not_reminded(sqlite: Database, settings: Settings, kind: EngagementKind) -> None:
    def answer(session: Session) -> None:
        version = asked(session)
        engage(session, users.user(session, "ada"), version, kind, at=NOW + DAY)

    sqlite.run(answer)
    assert run_reminders(sqlite, settings, DUE - 7 * DAY, DUE - DAY, DUE) == []


def test_who_was_never_told_is_not_reminded(sqlite: Database, settings: Settings) -> None:
    sqlite.run(lambda s: (asked(s), add_user(s, "untold")))
    run_reminders(sqlite, settings, DUE)
    assert [notice.user_id for notice in notices(sqlite)] == [1]


@pytest.mark.parametrize(("days", "stages"), [(3, ["1d", "overdue"]), (1, ["overdue"]), (0, ["overdue"])])
def test_no_reminder_is_owed_for_a_day_that_had_passed_when_the_user_was_told(
    sqlite: Database, settings: Settings, days: int, stages: list[str]
) -> None:
    sqlite.run(asked, deadline_days=days)
    instants = [NOW, *(NOW + n * DAY for n in range(1, days + 1))]
    assert [stage for stage, _ in run_reminders(sqlite, settings, *instants)] == stages


def test_the_operator_chooses_the_days(sqlite: Database, make_settings: Callable[..., Settings]) -> None:
    sqlite.run(asked)
    chosen = make_settings(reminder_days=(3,))
    assert run_reminders(sqlite, chosen, DUE - 7 * DAY) == []
    assert run_reminders(sqlite, chosen, DUE - 3 * DAY) == [("3d", OWED)]


def test_a_newer_version_to_accept_takes_over(sqlite: Database, settings: Settings) -> None:
    def newer(session: Session) -> None:
        asked(session)
        version = next_version(session, Mode.EXPLICIT, deadline_days=30, now=NOW + DAY)
        tell(session, users.user(session, "ada"), version, at=NOW + DAY)

    sqlite.run(newer)
    run_reminders(sqlite, settings, DUE)
    assert notices(sqlite) == []


def test_a_milder_version_neither_takes_over_nor_binds_until_it_is_accepted(sqlite: Database, settings) -> None:
    def milder(session: Session) -> None:
        asked(session)
        tell(session, users.user(session, "ada"), next_version(session, Mode.NOTICE, now=NOW + DAY), at=NOW + DAY)

    sqlite.run(milder)
    assert run_reminders(sqlite, settings, DUE - 7 * DAY) == [("7d", OWED)]
    sqlite.run(lambda s: engage(s, users.user(s, "ada"), s.get_one(Version, 3), K.ACCEPTED, at=DUE - 2 * DAY))
    assert run_reminders(sqlite, settings, DUE) == [("7d", OWED)]


# -- what waited too long ------------------------------------------------------------------------------------------


def test_a_reminder_that_waited_past_the_next_does_not_leave_any_more(database: Database, settings: Settings) -> None:
    database.run(asked)
    assert run_reminders(database, settings, DUE - 7 * DAY) == [("7d", OWED)]
    assert database.run(claiming.claim, limit=9, settings=settings, now=DUE - DAY) == []
    [stale] = notices(database)
    assert (stale.status, stale.reason) == (CANCELLED, reminding.REPLACED)
    assert run_reminders(database, settings, DUE - DAY) == [("7d", CANCELLED), ("1d", OWED)]
    assert len(database.run(claiming.claim, limit=9, settings=settings, now=DUE - TICK)) == 1


async def test_after_an_outage_of_all_processes_one_reminder_leaves(sqlite: Database, make_settings) -> None:
    async with Sink() as sink:
        facts = {"time_zone": "Europe/Berlin", "poll_seconds": 0.05, "smtp_url": sink.url}
        operator = make_settings(**facts)
        sqlite.run(asked)
        run_reminders(sqlite, operator, DUE - 7 * DAY)  # the last that was done before the outage
        clockwork = Clockwork(sqlite, operator, clock=lambda: DUE + DAY)
        clockwork.start()
        await asyncio.wait_for(sink.until(lambda: sink.total >= 1), 30)
        await clockwork.sweep()
        await clockwork.stop()
        assert sink.total == 1
    assert reminders(sqlite) == [("7d", CANCELLED), ("overdue", NoticeStatus.SENT)]


# -- whom the job looks at -----------------------------------------------------------------------------------------


def looked_at(session: Session, settings: Settings, now: datetime) -> list[int]:
    found = reminding.due_reminders(session, settings, now=now)
    return [fact.user_id for condition in found for fact in ledger.unanswered(session, Mode.EXPLICIT, *condition)]


@pytest.mark.parametrize(
    ("at", "who"), [(DUE - 7 * DAY - TICK, []), (DUE - 7 * DAY, [1]), (DUE - DAY, [1]), (DUE + 400 * DAY, [1])]
)
def test_only_those_to_remind_are_looked_at_and_each_once(database: Database, settings: Settings, at, who) -> None:
    database.run(asked)
    assert database.read(looked_at, settings, at) == who
    run_reminders(database, settings, at)
    assert database.read(looked_at, settings, at) == []


def test_who_was_told_when_a_stage_had_passed_is_not_looked_at_for_it(sqlite: Database, settings: Settings) -> None:
    sqlite.run(asked, deadline_days=3)
    assert sqlite.read(looked_at, settings, NOW + DAY) == []


def test_where_a_later_version_must_be_accepted_nobody_is_looked_at_for_the_earlier(sqlite: Database, settings) -> None:
    sqlite.run(lambda s: (asked(s), next_version(s, Mode.EXPLICIT, deadline_days=30, now=NOW + DAY)))
    assert sqlite.read(looked_at, settings, DUE) == []


@given(
    mode=st.sampled_from([Mode.EXPLICIT, Mode.SILENCE]),
    days=st.integers(0, 40),
    before=st.integers(0, 9),
    effective=st.integers(-100, 100),
    hours=st.integers(0, 2000),
)
def test_told_until_is_the_last_instant_from_which_a_stage_has_come(mode, days, before, effective, hours) -> None:
    version = Version(id=1, document_id=1, number=1, mode=mode, effective_at=NOW + effective * HOUR, deadline_days=days)
    settings, now = load_settings(time_zone="Europe/Berlin"), NOW + hours * HOUR

    def has_come(told_at: datetime) -> bool:
        return bool(add_calendar(deadline(version, told_at, ZONE), ZONE, days=-before) <= now)

    until = reminding.told_until(version, before, settings, now=now)
    if until is None:
        assert not has_come(NOW - 1000 * DAY)
        return
    assert has_come(until)
    assert until == now or not has_come(until + TICK)
