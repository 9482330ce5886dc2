"""Telling everyone about a version: each user once, in chunks that survive a crash, no faster than the relay bears."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from lifecycle import history, terminations, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.models import Campaign, Notice, User, Version
from lifecycle.notices import campaigns, outbox, rollouts
from lifecycle.states import Channel, DocumentKind, Initiator, Mode, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, TICK, ZONE, add_user, published_terms

S = NoticeStatus
IN_FORCE = NOW + 30 * DAY


def begin(session: Session, /, *, users: int = 0, at: datetime = NOW) -> Campaign:
    """The campaign for version 2 of `terms`, in force in 30 days, and so many users to tell."""
    document, _ = published_terms(session)
    version = store.draft_version(session, document, {"en": "# Terms\n\nNew.\n"}, now=NOW)
    publish(session, version, Publication(Mode.NOTICE, effective_at=IN_FORCE, notify=False), zone=ZONE, now=NOW)
    campaigns.start(session, version, at=at)
    join(session, *(f"u{n}" for n in range(users)))
    return session.exec(select(Campaign)).one()


def join(session: Session, *names: str) -> None:
    for name in names:
        add_user(session, name)


def plan(session: Session, /, *, now: datetime = NOW, **facts: Any) -> int:
    """One chunk of every campaign there is to plan for; how many users were passed."""
    found = campaigns.open_campaigns(session, now=now)
    return sum(campaigns.plan_chunk(session, campaign, now=now, **facts) for campaign in found)


def plan_all(database: Database, **facts: Any) -> list[int]:
    """Chunk after chunk, each in its own transaction, until nobody is left."""
    return list(iter(lambda: database.run(plan, **facts), 0))


def as_time_goes_by(database: Database, *, hours: int, **facts: Any) -> None:
    """The clock looks every ten minutes."""
    for minutes in range(0, hours * 60 + 1, 10):
        plan_all(database, now=NOW + timedelta(minutes=minutes), **facts)


def told(database: Database) -> list[str]:
    """Who is owed the news, one entry for each notice."""

    news = select(User.external_id).join(Notice, col(Notice.user_id) == User.id).order_by(User.external_id)
    return database.read(lambda session: list(session.exec(news)))


def due(database: Database) -> list[datetime]:
    return [notice.due_at for notice in database.read(outbox.notices, limit=1000)]


# -- chunks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chunk", "chunks"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7])])
def test_everyone_is_owed_the_news_once_whatever_the_chunks(database: Database, chunk: int, chunks: list[int]) -> None:
    database.run(begin, users=7)
    assert plan_all(database, chunk=chunk) == chunks
    assert told(database) == [f"u{n}" for n in range(7)]
    assert database.read(lambda s: s.exec(select(Campaign)).one().planned) == 7


def test_a_notice_of_a_campaign_is_as_one_owed_by_itself(database: Database) -> None:
    campaign = database.run(begin, users=1)
    plan_all(database)
    [planned] = database.read(outbox.notices)

    def owe_it_again(session: Session) -> Notice:
        user, thing = users.user(session, "u0"), f"version:{campaign.version_id}"
        return outbox.owe(session, Purpose.VERSION_PUBLISHED, thing, user=user, version_id=campaign.version_id, now=NOW)

    assert database.run(owe_it_again) == planned
    assert (planned.status, planned.channel, planned.priority) == (S.OWED, Channel.EMAIL, planned.purpose.priority)
    assert (planned.created_at, planned.due_at, planned.attempts, planned.doubts) == (NOW, NOW, 0, 0)


def test_a_planner_killed_between_two_chunks_is_carried_on_by_the_next(database: Database) -> None:
    database.run(begin, users=5)
    assert database.run(plan, chunk=2) == 2
    successor = Database(database.url)
    assert plan_all(successor, chunk=2) == [2, 1]
    successor.close()
    assert told(database) == [f"u{n}" for n in range(5)]


def test_a_planner_killed_within_a_chunk_leaves_nothing_of_it(database: Database) -> None:
    database.run(begin, users=5)
    database.run(plan, chunk=2)

    def killed(session: Session) -> None:
        assert plan(session, chunk=2) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.run(killed)
    assert told(database) == ["u0", "u1"]
    assert plan_all(database, chunk=2) == [2, 1]
    assert told(database) == [f"u{n}" for n in range(5)]


def test_two_planners_at_once_do_not_plan_the_same_campaign(two_processes: tuple[Database, Database]) -> None:
    ours, theirs = two_processes
    ours.run(begin, users=4)

    def theirs_meanwhile(session: Session) -> int:
        session.execute(text("SET LOCAL lock_timeout = '5s'"))
        return plan(session, chunk=2)

    def meanwhile(session: Session) -> int:
        assert plan(session, chunk=2) == 2
        return theirs.run(theirs_meanwhile)

    assert ours.run(meanwhile) == 0
    assert plan_all(theirs, chunk=2) == [2]
    assert told(ours) == [f"u{n}" for n in range(4)]


def test_starting_a_campaign_twice_is_harmless(database: Database) -> None:
    campaign = database.run(begin, users=2)
    plan_all(database)
    database.run(lambda s: campaigns.start(s, s.get_one(Version, campaign.version_id), at=NOW + DAY))
    assert plan_all(database) == []
    assert told(database) == ["u0", "u1"]


def test_a_campaign_waits_for_its_start(sqlite: Database) -> None:
    sqlite.run(begin, users=2, at=NOW + DAY)
    assert plan_all(sqlite, now=NOW + DAY - TICK) == []
    assert plan_all(sqlite, now=NOW + 2 * DAY) == [2]
    assert due(sqlite) == [NOW + DAY] * 2


# -- newcomers -----------------------------------------------------------------------------------------------------


def test_who_joins_until_the_version_is_in_force_is_told_and_who_joins_later_is_not(database: Database) -> None:
    campaign = database.run(begin, users=2)
    plan_all(database)
    database.run(join, "newcomer")
    assert plan_all(database, now=IN_FORCE - TICK) == [1]
    assert plan_all(database, now=IN_FORCE) == []
    database.run(join, "latecomer")
    assert plan_all(database, now=IN_FORCE + DAY) == []
    assert told(database) == ["newcomer", "u0", "u1"]
    verbs = [entry.verb for entry in database.read(history.of, "campaign", campaign.id)]
    assert verbs == ["planned", "planned", "finished"]


def test_who_joins_in_a_long_import_is_told_too(two_processes: tuple[Database, Database]) -> None:
    ours, theirs = two_processes
    ours.run(begin)

    def long_import(session: Session) -> None:
        add_user(session, "first")
        theirs.run(join, "quick")
        plan_all(theirs)

    ours.run(long_import)
    plan_all(ours, now=IN_FORCE)
    assert told(ours) == ["first", "quick"]


# -- pacing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("per_hour", "chunk"), [(1, 100), (7, 1), (7, 4), (100_000, 4)])
def test_the_news_fall_due_at_the_rate_the_relay_bears(database: Database, per_hour: int, chunk: int) -> None:
    database.run(begin, users=9)
    as_time_goes_by(database, hours=9, chunk=chunk, per_hour=per_hour)
    found = due(database)
    assert len(found) == 9
    assert found[0] == NOW
    gaps = [later - earlier for earlier, later in pairwise(found)]
    exact = HOUR / per_hour
    assert all(abs(gap - exact) <= timedelta(milliseconds=1) for gap in gaps)  # as fine as SQLite's clock


def test_without_a_rate_all_is_due_at_once(sqlite: Database) -> None:
    sqlite.run(begin, users=3)
    plan_all(sqlite, chunk=2)
    assert due(sqlite) == [NOW] * 3


def test_many_newcomers_are_paced_like_everyone(sqlite: Database) -> None:
    sqlite.run(begin, users=1)
    plan_all(sqlite, per_hour=2)
    sqlite.run(join, *(f"new{n}" for n in range(6)))
    plan_all(sqlite, per_hour=2, now=NOW + 9 * DAY)
    assert sum(at <= NOW + 9 * DAY for at in due(sqlite)) <= 1 + 1


def test_two_campaigns_share_the_rate(sqlite: Database) -> None:
    def second(session: Session) -> None:
        document = store.create_document(session, "privacy", title="Privacy", kind=DocumentKind.PRIVACY, now=NOW)
        version = store.draft_version(session, document, {"en": "# Privacy\n"}, now=NOW)
        publish(session, version, Publication(Mode.NOTICE, effective_at=IN_FORCE), zone=ZONE, now=NOW)

    sqlite.run(begin, users=6)
    sqlite.run(second)
    as_time_goes_by(sqlite, hours=7, per_hour=2)
    found = sorted(due(sqlite))
    assert len(found) == 12
    assert all(later - earlier >= HOUR / 2 - TICK for earlier, later in pairwise(found))


# -- whom it does not reach ----------------------------------------------------------------------------------------


def test_who_has_no_mail_is_told_over_discord_and_who_has_neither_is_skipped_with_the_reason(
    database: Database,
) -> None:
    def people(session: Session) -> None:
        begin(session)
        add_user(session, "both", discord_id="1")
        add_user(session, "discord", email="", discord_id="2")
        add_user(session, "neither", email="")

    database.run(people)
    plan_all(database)
    found = [(n.channel, n.status, n.reason) for n in database.read(outbox.notices)]
    assert found == [
        (Channel.EMAIL, S.OWED, ""),
        (Channel.DISCORD, S.OWED, ""),
        (Channel.EMAIL, S.SKIPPED, outbox.NO_ADDRESS),
    ]
    progress = database.read(lambda s: rollouts.progress(s, s.exec(select(Campaign)).one()))
    assert progress == {S.OWED: 2, S.SKIPPED: 1}


@pytest.mark.parametrize(
    ("happens", "told_of_it"),
    [("nothing", True), ("ends later", True), ("ended", False), ("ended and reinstated", True)],
)
def test_whose_access_has_ended_is_not_told(database: Database, happens: str, told_of_it: bool) -> None:
    def leaves(session: Session) -> None:
        begin(session, users=1)
        if happens == "nothing":
            return
        at = NOW + (2 * DAY if happens == "ends later" else timedelta())
        cause = terminations.Cause(Initiator.USER, "Goodbye.")
        made = terminations.terminate(
            session, users.user(session, "u0"), cause, effective_at=at, notice_at=at, zone=ZONE, now=NOW
        )
        if happens == "ended and reinstated":
            terminations.reinstate(session, made, reason="Welcome back.", now=NOW)

    database.run(leaves)
    assert plan_all(database, now=NOW + DAY) == [1]
    news = database.read(outbox.notices, purpose=Purpose.VERSION_PUBLISHED)
    assert [notice.status for notice in news] == ([S.OWED] if told_of_it else [])
