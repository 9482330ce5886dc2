"""What the clock runs: it catches up after any outage, does each thing once, and a second run changes nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from lifecycle import activity, announcing, jobs, ledger, terminations, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.models import Engagement, Notice, Termination, Version
from lifecycle.notices import outbox
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Initiator, Mode, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, bound_by, engage, next_version, published_terms, tell
from tests.test_reminders import DUE, asked

K = EngagementKind
ALL = jobs.PLANNING + jobs.TO_THE_INSTANT + jobs.IN_SWEEPS
TABLES = ("users", "engagements", "notices", "campaigns", "terminations", "grounds", "requests", "events")


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(time_zone="Europe/Berlin", inactivity_days=60, inactivity_notice_days=14)


def notices(database: Database, *purposes: Purpose) -> list[Notice]:
    found = database.read(lambda s: outbox.notices(s, limit=1000))
    return [notice for notice in found if not purposes or notice.purpose in purposes]


def announce(session: Session, *, effective_at: datetime | None = None, notify_at: datetime | None = None) -> Version:
    """Publish version 2 of the terms and begin to tell everyone."""
    document, _ = published_terms(session)
    version = store.draft_version(session, document, {"en": "# Terms\n\nNew.\n"}, now=NOW)
    return publish(
        session, version, Publication(Mode.NOTICE, effective_at=effective_at, notify_at=notify_at), zone=ZONE, now=NOW
    )


# -- campaigns -----------------------------------------------------------------------------------------------------


def test_everyone_is_owed_the_news_once(database: Database, settings: Settings) -> None:
    database.run(lambda s: (announce(s), [add_user(s, f"u{n}") for n in range(5)]))
    assert jobs.plan_campaigns(database, settings, NOW) == 5
    assert jobs.plan_campaigns(database, settings, NOW) == 0
    assert [notice.status for notice in notices(database)] == [NoticeStatus.OWED] * 5


def test_a_campaign_waits_for_its_own_instant(sqlite: Database, settings: Settings) -> None:
    sqlite.run(lambda s: (announce(s, effective_at=NOW + 9 * DAY, notify_at=NOW + DAY), add_user(s)))
    assert jobs.plan_campaigns(sqlite, settings, NOW + DAY - TICK) == 0
    assert jobs.plan_campaigns(sqlite, settings, NOW + DAY) == 1
    assert [notice.due_at for notice in notices(sqlite)] == [NOW + DAY]


def test_who_joins_before_the_version_is_in_force_is_told_too_and_who_joins_later_is_not(
    sqlite: Database, settings: Settings
) -> None:
    sqlite.run(lambda s: (announce(s, effective_at=NOW + 9 * DAY), add_user(s, "early")))
    jobs.plan_campaigns(sqlite, settings, NOW)
    sqlite.run(add_user, "between")
    assert jobs.plan_campaigns(sqlite, settings, NOW + 9 * DAY) == 1
    sqlite.run(add_user, "late")
    assert jobs.plan_campaigns(sqlite, settings, NOW + 10 * DAY) == 0
    assert len(notices(sqlite)) == 2


# -- terminations --------------------------------------------------------------------------------------------------


def test_an_effect_is_put_on_record_once_and_told_once(database: Database, settings: Settings) -> None:
    def leave(session: Session) -> None:
        for name, days in (("ada", 1), ("bob", 2), ("eve", 30)):
            cause = terminations.Cause(Initiator.USER, "I leave.")
            at = NOW + days * DAY
            terminations.terminate(session, add_user(session, name), cause, effective_at=at, zone=ZONE, now=NOW)

    database.run(leave)
    assert jobs.bring_into_effect(database, settings, NOW + DAY - TICK) == 0
    assert jobs.bring_into_effect(database, settings, NOW + 3 * DAY) == 2
    assert jobs.bring_into_effect(database, settings, NOW + 3 * DAY) == 0
    assert len(notices(database, Purpose.TERMINATION_EFFECTIVE)) == 2


# -- silence -------------------------------------------------------------------------------------------------------


def test_silence_binds_at_its_own_instant_however_late_the_job_comes(database: Database, settings: Settings) -> None:
    def tell_three(session: Session) -> None:
        published_terms(session, mode=Mode.NOTICE)
        version = next_version(session, Mode.SILENCE, deadline_days=5)
        for name, days in (("ada", 0), ("bob", 2), ("eve", 0)):
            tell(session, add_user(session, name), version, at=NOW + days * DAY)
        engage(session, users.user(session, "eve"), version, K.OBJECTED, at=NOW + DAY)

    database.run(tell_three)
    assert jobs.deem_silence(database, settings, NOW + 5 * DAY - TICK) == 0
    assert jobs.deem_silence(database, settings, NOW + 40 * DAY) == 2
    assert jobs.deem_silence(database, settings, NOW + 40 * DAY) == 0
    deemed = select(Engagement).where(Engagement.kind == K.DEEMED_BY_SILENCE).order_by(Engagement.user_id)  # type: ignore[arg-type]
    instants = [fact.at for fact in database.read(lambda s: s.exec(deemed).all())]
    assert instants == [NOW + 5 * DAY, NOW + 7 * DAY]
    eve = database.read(users.user, "eve")
    assert database.read(bound_by, eve, at=NOW + 40 * DAY) is None


# -- inactivity ----------------------------------------------------------------------------------------------------


def idle(session, name="ada", *, since=NOW):
    users.touch(session, {add_user(session, name).id: since})


def ended(database: Database) -> list[Termination]:
    return list(database.read(lambda s: s.exec(select(Termination)).all()))


CUTOFF = NOW + 60 * DAY - timedelta(hours=1)  # sixty days in Berlin, where summer time has begun meanwhile


def test_who_is_idle_for_the_whole_period_is_given_notice_once(database: Database, settings: Settings) -> None:
    database.run(lambda s: (idle(s), idle(s, "active", since=NOW + DAY), add_user(s, "unseen")))
    assert jobs.end_for_inactivity(database, settings, CUTOFF - TICK) == 0
    assert jobs.end_for_inactivity(database, settings, CUTOFF) == 1
    assert jobs.end_for_inactivity(database, settings, CUTOFF + TICK) == 0
    [made] = ended(database)
    assert (made.initiated_by, made.notice_days, made.takes_effect_at) == (Initiator.INACTIVITY, 14, None)
    assert made.reason == "The account was not used for 60 days."
    assert [notice.purpose for notice in notices(database)] == [Purpose.TERMINATION_NOTICE]


def test_without_a_period_nobody_is_ended_for_inactivity(sqlite: Database, make_settings) -> None:
    sqlite.run(idle)
    assert jobs.end_for_inactivity(sqlite, make_settings(), NOW + 4000 * DAY) == 0


def test_a_user_whom_staff_spared_gets_no_second_notice_until_they_are_idle_anew(sqlite: Database, settings) -> None:
    sqlite.run(idle)
    jobs.end_for_inactivity(sqlite, settings, CUTOFF)
    sqlite.run(lambda s: terminations.rescind(s, terminations.termination(s, 1), reason="Spared.", now=CUTOFF))
    assert jobs.end_for_inactivity(sqlite, settings, CUTOFF + 100 * DAY) == 0
    sqlite.run(activity.record, [("ada", CUTOFF + 100 * DAY)], now=CUTOFF + 100 * DAY)
    assert jobs.end_for_inactivity(sqlite, settings, CUTOFF + 159 * DAY) == 0
    assert jobs.end_for_inactivity(sqlite, settings, CUTOFF + 160 * DAY) == 1


def test_use_in_the_notice_period_ends_it_and_the_user_goes_on(sqlite: Database, settings: Settings) -> None:
    sqlite.run(idle)
    jobs.end_for_inactivity(sqlite, settings, CUTOFF)
    sqlite.run(announcing.sent, 1, sent_at=CUTOFF, zone=ZONE, now=CUTOFF)
    sqlite.run(activity.record, [("ada", CUTOFF + 13 * DAY)], now=CUTOFF + 13 * DAY)
    assert jobs.bring_into_effect(sqlite, settings, CUTOFF + 15 * DAY) == 0
    assert ended(sqlite)[0].rescinded_at == CUTOFF + 13 * DAY


# -- all of them ---------------------------------------------------------------------------------------------------


def busy_world(session: Session) -> None:
    """Something due for every job at DUE + 100 days."""
    version = asked(session)
    idle(session, "idle")
    document = store.create_document(session, "privacy", title="Privacy", now=NOW)
    policy = store.draft_version(session, document, {"en": "We keep little."}, now=NOW)
    publish(session, policy, Publication(Mode.SILENCE, deadline_days=5), zone=ZONE, now=NOW)
    tell(session, users.user(session, "ada"), policy)
    leaving = add_user(session, "leaving")
    cause = terminations.Cause(Initiator.USER, "I leave.")
    terminations.terminate(session, leaving, cause, effective_at=NOW + DAY, zone=ZONE, now=NOW)
    assert ledger.unanswered(session, Mode.EXPLICIT)[0].version_id == version.id


def stored(database: Database) -> dict[str, list[Any]]:
    with database.engine.connect() as connection:
        rows = {name: connection.execute(text(f"SELECT * FROM {name} ORDER BY 1")).all() for name in TABLES}
    return {name: list(found) for name, found in rows.items()}


def test_a_second_run_of_every_job_changes_nothing(database: Database, settings: Settings) -> None:
    database.run(busy_world)
    now = DUE + 100 * DAY
    done = jobs.run_jobs(ALL, database, settings, now)
    assert {name: number for name, number in done.items() if number} == {
        "plan_campaigns": 3,
        "bring_into_effect": 1,
        "deem_silence": 1,
        "remind": 1,
        "end_for_inactivity": 1,
    }
    once = stored(database)
    jobs.run_jobs(ALL, database, settings, now)
    assert stored(database) == once


# -- what is due next ----------------------------------------------------------------------------------------------


def test_where_nothing_waits_nothing_is_due(sqlite: Database) -> None:
    assert sqlite.read(jobs.next_due) is None


def test_the_earliest_of_campaign_effect_and_notice_is_due_next(database: Database, settings: Settings) -> None:
    def prepare(session: Session) -> None:
        announce(session, effective_at=NOW + 9 * DAY, notify_at=NOW + 4 * DAY)
        cause = terminations.Cause(Initiator.USER, "I leave.")
        leave = add_user(session)
        terminations.terminate(
            session, leave, cause, notice_at=NOW + 2 * DAY, effective_at=NOW + 3 * DAY, zone=ZONE, now=NOW
        )

    def settle(session: Session, purpose: Purpose) -> None:
        for notice in outbox.notices(session, purpose=purpose):
            notice.status = NoticeStatus.SENT

    database.run(prepare)
    assert database.read(jobs.next_due) == NOW + 2 * DAY
    database.run(settle, Purpose.TERMINATION_NOTICE)
    assert database.read(jobs.next_due) == NOW + 3 * DAY
    jobs.bring_into_effect(database, settings, NOW + 3 * DAY)
    database.run(settle, Purpose.TERMINATION_EFFECTIVE)
    assert database.read(jobs.next_due) == NOW + 4 * DAY


def test_a_newcomer_whom_a_running_campaign_must_tell_makes_it_due(sqlite: Database, settings: Settings) -> None:
    sqlite.run(lambda s: (announce(s, effective_at=NOW + 9 * DAY), add_user(s, "early")))
    jobs.plan_campaigns(sqlite, settings, NOW)
    sqlite.run(lambda s: setattr(outbox.notice(s, 1), "status", NoticeStatus.SENT))
    sqlite.run(add_user, "between")
    due = sqlite.read(jobs.next_due)
    assert due is not None
    assert due <= NOW + DAY
