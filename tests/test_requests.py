"""Requests: numbered, answered over the channel they came by, and kept."""

from typing import Any

import pytest
from sqlmodel import Session, select

from lifecycle import requests
from lifecycle.db import Database
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Notice, Request
from lifecycle.states import Channel, NoticeStatus, Purpose, RequestKind
from tests.conftest import NOW
from tests.helpers import add_user


def ask(session: Session, /, **facts: Any) -> Request:
    usual: dict[str, Any] = {"subject": "Delete my prompts", "source": "discord"}
    return requests.open_request(session, RequestKind.ERASURE, **{**usual, **facts}, now=NOW)


def owed(database: Database) -> list[Notice]:
    return list(database.read(lambda s: s.exec(select(Notice)).all()))


def test_requests_are_numbered_and_listed_until_closed(database: Database) -> None:
    first, second = database.run(ask), database.run(ask)
    assert (first.id, second.id) == (1, 2)
    database.run(lambda s: requests.close(s, requests.request(s, 1), now=NOW))
    assert [r.id for r in database.read(requests.requests)] == [2]
    assert [r.id for r in database.read(lambda s: requests.requests(s, open_only=False))] == [1, 2]


def test_who_asked_in_discord_is_answered_there_without_an_account(sqlite: Database) -> None:
    sqlite.run(lambda s: requests.answer(s, ask(s, discord_id="42"), "Done.", now=NOW))
    [notice] = owed(sqlite)
    assert (notice.purpose, notice.channel, notice.address) == (Purpose.REQUEST_ANSWERED, Channel.DISCORD, "42")


def test_who_asked_by_mail_is_answered_by_mail(sqlite: Database) -> None:
    sqlite.run(lambda s: requests.answer(s, ask(s, user=add_user(s), source="email"), "Done.", now=NOW))
    [notice] = owed(sqlite)
    assert (notice.channel, notice.status) == (Channel.EMAIL, NoticeStatus.OWED)


def test_every_answer_is_a_notice_of_its_own(sqlite: Database) -> None:
    def answer_twice(session: Session) -> None:
        request = ask(session, discord_id="42")
        requests.answer(session, request, "We look into it.", now=NOW)
        requests.answer(session, request, "Done.", now=NOW)

    sqlite.run(answer_twice)
    assert len({notice.key for notice in owed(sqlite)}) == 2


def test_an_answer_that_cannot_be_delivered_goes_over_the_next_channel(sqlite: Database) -> None:
    def fail(session: Session) -> Channel | None:
        user = add_user(session, discord_id="42")
        reply = requests.answer(session, ask(session, user=user, discord_id="42"), "Done.", now=NOW)
        return requests.reply_failed(session, reply.id, Channel.DISCORD, now=NOW)

    assert sqlite.run(fail) is Channel.EMAIL
    assert {notice.channel for notice in owed(sqlite)} == {Channel.DISCORD, Channel.EMAIL}


@pytest.mark.parametrize(
    ("facts", "message"),
    [({"subject": " "}, "needs a subject"), ({"details": "x" * 4001}, "details has 4001 characters; at most 4000")],
)
def test_an_empty_or_endless_request_is_refused(sqlite: Database, facts: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sqlite.run(ask, **facts)


def test_a_closed_request_takes_no_answer(sqlite: Database) -> None:
    with pytest.raises(Conflict, match="Request 1 was closed"):
        sqlite.run(lambda s: requests.answer(s, requests.close(s, ask(s), now=NOW), "Too late.", now=NOW))


def test_an_empty_answer_is_refused(sqlite: Database) -> None:
    with pytest.raises(InvalidInput, match="answer is empty"):
        sqlite.run(lambda s: requests.answer(s, ask(s), " ", now=NOW))


def test_an_unknown_number_is_named(sqlite: Database) -> None:
    with pytest.raises(NotFound, match="no request 7"):
        sqlite.read(requests.request, 7)


def test_a_request_is_posted_to_staff_once(sqlite: Database) -> None:
    sqlite.run(ask)
    assert [r.id for r in sqlite.read(requests.unposted)] == [1]
    sqlite.run(lambda s: requests.posted(s, requests.request(s, 1), "1234"))
    assert sqlite.read(requests.unposted) == []
