"""Reminders before a deadline and the word that it passed: one at a time, and none to whom they do not concern."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlmodel import Session

from lifecycle import jobs, users
from lifecycle.db import Database
from lifecycle.models import Notice, Version
from lifecycle.notices import outbox
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Mode, NoticeStatus
from tests.conftest import NOW
from tests.helpers import DAY, TICK, add_user, engage, next_version, published_terms, tell

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
