"""Notices owed: one for each purpose, thing, person and channel; listed, counted, cancelled and settled by staff."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col

from lifecycle import history
from lifecycle.db import Database
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Notice, User
from lifecycle.notices import outbox
from lifecycle.states import MAX_DOUBTS, NOTICE_TRANSITIONS, PENDING_STATUSES, Channel, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, TICK, add_user

S, EMAIL, DISCORD = NoticeStatus, Channel.EMAIL, Channel.DISCORD
ON_DISCORD = {"discord_id": "175928847299117063"}


def owe(session: Session, user: User | None, thing: str = "termination:1", **facts: Any) -> Notice:
    return outbox.owe(session, Purpose.REINSTATED, thing, user=user, **{"now": NOW, **facts})


def standing(session: Session, status: NoticeStatus, thing: str = "termination:1", **facts: Any) -> Notice:
    """A notice to `ada` that has come to this status."""
    notice = owe(session, add_user(session), thing)
    notice.status = status
    for name, value in facts.items():
        setattr(notice, name, value)
    session.add(notice)
    session.flush()
    return notice


def verbs(session: Session, notice: Notice) -> list[str]:
    return [entry.verb for entry in history.of(session, "notice", notice.id)]


# -- owing ---------------------------------------------------------------------------------------------------------


def test_owing_a_notice_twice_changes_nothing(database: Database) -> None:
    first = database.run(lambda s: owe(s, add_user(s), due_at=NOW + HOUR))
    again = database.run(lambda s: owe(s, add_user(s), due_at=NOW + DAY, now=NOW + DAY))
    assert again == first
    assert (again.due_at, again.created_at, again.status) == (NOW + HOUR, NOW, S.OWED)
    assert database.read(verbs, again) == ["owed"]
    assert database.read(outbox.counts) == {S.OWED: 1}


def test_the_key_names_purpose_thing_person_and_channel(session: Session) -> None:
    ada, bob = add_user(session), add_user(session, "bob")
    notices = [
        owe(session, ada),
        owe(session, ada, "termination:2"),
        owe(session, bob),
        owe(session, ada, channel=DISCORD),
        outbox.owe(session, Purpose.TERMINATION_RESCINDED, "termination:1", user=ada, now=NOW),
        owe(session, None, channel=EMAIL, address="eve@example.com"),
    ]
    assert notices[0].key == f"reinstated/termination:1/{ada.id}/email"
    assert notices[-1].key == "reinstated/termination:1/-/email"
    assert len({notice.id for notice in notices}) == len({notice.key for notice in notices}) == 6


def test_a_notice_is_due_now_unless_said_otherwise_and_as_urgent_as_its_purpose(session: Session) -> None:
    urgent = owe(session, add_user(session))
    bulk = outbox.owe(session, Purpose.ACCEPTANCE_REMINDER, "version:1:7d", user=add_user(session), now=NOW)
    assert (urgent.due_at, bulk.due_at) == (NOW, NOW)
    assert urgent.priority < bulk.priority


@pytest.mark.parametrize(
    ("facts", "channel", "status"),
    [
        ({}, EMAIL, S.OWED),
        (ON_DISCORD, EMAIL, S.OWED),
        ({"email": "", **ON_DISCORD}, DISCORD, S.OWED),
        ({"email": ""}, EMAIL, S.SKIPPED),
    ],
)
def test_a_user_is_reached_by_mail_else_over_discord_else_the_notice_says_why_not(
    session: Session, facts: dict[str, str], channel: Channel, status: NoticeStatus
) -> None:
    notice = owe(session, add_user(session, **facts))
    assert (notice.channel, notice.status) == (channel, status)
    assert notice.reason == (outbox.NO_ADDRESS if status is S.SKIPPED else "")


@pytest.mark.parametrize(
    ("facts", "failed", "next_one"),
    [
        (ON_DISCORD, [], EMAIL),
        (ON_DISCORD, [EMAIL], DISCORD),
        (ON_DISCORD, [DISCORD], EMAIL),
        (ON_DISCORD, [EMAIL, DISCORD], None),
        ({}, [EMAIL], None),
        ({"email": "", **ON_DISCORD}, [DISCORD], None),
    ],
)
def test_the_next_channel_is_one_that_reaches_the_user_and_has_not_failed(
    session: Session, facts: dict[str, str], failed: list[Channel], next_one: Channel | None
) -> None:
    assert outbox.next_channel(add_user(session, **facts), failed) is next_one


# -- what may become of a notice -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", S)
@pytest.mark.parametrize("end", S)
def test_a_notice_changes_only_as_the_table_allows(start: NoticeStatus, end: NoticeStatus) -> None:
    notice = Notice(id=7, key="k", priority=0, status=start)
    if end in NOTICE_TRANSITIONS[start]:
        outbox.move(notice, end)
        assert notice.status is end
    else:
        with pytest.raises(AssertionError, match=f"notice 7 cannot go from {start.value} to {end.value}"):
            outbox.move(notice, end)
        assert notice.status is start


def test_only_what_is_owed_held_or_put_off_and_was_never_in_doubt_is_cancelled(database: Database) -> None:
    def world(session: Session) -> None:
        for status in S:
            standing(session, status, f"termination:{status.value}")
        standing(session, S.DEFERRED, "termination:doubt", doubts=1)
        owe(session, add_user(session, "bob"))

    database.run(world)
    ada = database.read(add_user)
    about = col(Notice.user_id) == ada.id
    assert database.run(outbox.cancel, about, reason="no longer wanted", now=NOW) == 3
    assert database.run(outbox.cancel, about, reason="again", now=NOW) == 0
    found = database.read(outbox.notices, status=S.CANCELLED)
    assert [(notice.key.split("/")[1], notice.reason) for notice in found] == [
        ("termination:owed", "no longer wanted"),
        ("termination:deferred", "no longer wanted"),
        ("termination:held", "no longer wanted"),
        ("termination:cancelled", ""),
    ]
    assert [database.read(verbs, notice)[1:] for notice in found] == [["cancelled"], ["cancelled"], ["cancelled"], []]


# -- staff settle --------------------------------------------------------------------------------------------------

OPEN_TO_STAFF = [S.UNKNOWN, S.FAILED, S.SKIPPED]


@pytest.mark.parametrize("status", OPEN_TO_STAFF)
def test_staff_send_a_notice_again_under_the_same_message_id(session: Session, status: NoticeStatus) -> None:
    notice = standing(session, status, reason="why", message_id="<1@acme.example>", due_at=NOW - DAY)
    outbox.resolve(session, notice, "retry", actor="eve", now=NOW + DAY)
    assert (notice.status, notice.due_at, notice.reason) == (S.OWED, NOW + DAY, "")
    assert notice.message_id == "<1@acme.example>"
    [*_, entry] = history.of(session, "notice", notice.id)
    assert (entry.verb, entry.actor, entry.at) == ("resolved", "eve", NOW + DAY)


def test_a_retry_by_staff_is_one_more_copy_and_not_two(session: Session) -> None:
    notice = standing(session, S.UNKNOWN, doubts=MAX_DOUBTS)
    outbox.resolve(session, notice, "retry", now=NOW)
    assert notice.doubts == MAX_DOUBTS - 1
    assert outbox.next_due(session) == NOW


@pytest.mark.parametrize("status", OPEN_TO_STAFF)
def test_staff_drop_a_notice(session: Session, status: NoticeStatus) -> None:
    notice = outbox.resolve(session, standing(session, status), "drop", now=NOW)
    assert (notice.status, notice.reason) == (S.CANCELLED, "dropped by staff")


@pytest.mark.parametrize("outcome", ["retry", "drop"])
@pytest.mark.parametrize("status", [status for status in S if status not in {*OPEN_TO_STAFF, S.BOUNCED}])
def test_staff_settle_nothing_that_settles_itself(session: Session, status: NoticeStatus, outcome: str) -> None:
    notice = standing(session, status)
    with pytest.raises(Conflict, match=f"Notice {notice.id} is {status.value}; only unknown, failed or skipped"):
        outbox.resolve(session, notice, outcome, now=NOW)
    assert verbs(session, notice) == ["owed"]


def test_an_unknown_word_settles_nothing(session: Session) -> None:
    notice = standing(session, S.FAILED)
    with pytest.raises(InvalidInput, match=r"'resend' is not one of: retry, drop\."):
        outbox.resolve(session, notice, "resend", now=NOW)
    assert notice.status is S.FAILED


# -- looking -------------------------------------------------------------------------------------------------------


def test_notices_are_listed_in_key_order_page_by_page(database: Database) -> None:
    database.run(lambda s: [owe(s, add_user(s), f"termination:{n}") for n in range(7)])
    pages, after = list[list[int]](), 0
    for _ in range(4):
        page = [notice.id for notice in database.read(outbox.notices, after=after, limit=3)]
        pages, after = [*pages, page], max(page, default=after)
    assert pages == [[1, 2, 3], [4, 5, 6], [7], []]


def test_notices_are_found_by_status_purpose_and_user_together(session: Session) -> None:
    sent, owed = standing(session, S.SENT), standing(session, S.OWED, "termination:2")
    bobs = owe(session, bob := add_user(session, "bob"))
    other = outbox.owe(session, Purpose.TERMINATION_NOTICE, "termination:1", user=bob, now=NOW)
    found = lambda **by: outbox.notices(session, **by)  # noqa: E731
    assert found(status=S.SENT) == [sent]
    assert found(status=S.OWED) == [owed, bobs, other]
    assert found(user=bob) == [bobs, other]
    assert found(purpose=Purpose.TERMINATION_NOTICE) == [other]
    assert found(status=S.OWED, purpose=Purpose.REINSTATED, user=bob) == [bobs]
    assert found(status=S.SENT, user=bob) == []


def test_a_notice_that_is_not_there_is_refused_by_number(session: Session) -> None:
    with pytest.raises(NotFound, match="There is no notice 41"):
        outbox.notice(session, 41)


@pytest.mark.parametrize("status", S)
def test_the_clock_wakes_for_the_first_notice_that_waits(session: Session, status: NoticeStatus) -> None:
    assert outbox.next_due(session) is None
    standing(session, status, due_at=NOW + DAY)
    standing(session, S.UNKNOWN, "termination:2", due_at=NOW - DAY, doubts=MAX_DOUBTS)
    standing(session, S.OWED, "termination:3", due_at=NOW + DAY + TICK)
    standing(session, S.OWED, "termination:4", due_at=NOW + timedelta(hours=1), channel=DISCORD)
    assert outbox.next_due(session) == NOW + DAY + (timedelta() if status in PENDING_STATUSES else TICK)
    assert outbox.next_due(session, channel=DISCORD) == NOW + HOUR
