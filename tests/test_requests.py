"""Requests: numbered, answered over the channel they came by, and kept."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, col, select

from lifecycle import clocks, deadlines, identity, jobs, requests
from lifecycle.db import Database
from lifecycle.errors import Conflict, InvalidInput, NotFound, RuleRefused
from lifecycle.models import Notice, Request
from lifecycle.notices import keeping
from lifecycle.states import CLAIMS, Channel, NoticeStatus, Purpose, RequestKind, RequestOutcome
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, ZONE, add_user


def ask(session: Session, /, kind: RequestKind = RequestKind.ERASURE, **facts: Any) -> Request:
    usual: dict[str, Any] = {"subject": "Delete my prompts", "source": "discord"}
    return requests.open_request(session, kind, **{**usual, **facts}, now=NOW)


def owed(database: Database) -> list[Notice]:
    return list(database.read(lambda s: s.exec(select(Notice).order_by(col(Notice.id))).all()))


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
    notice = owed(sqlite)[-1]
    assert notice.purpose is Purpose.REQUEST_ANSWERED
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
def test_an_empty_or_endless_request_is_refused(sqlite: Database, facts: dict[str, Any], message: str) -> None:
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


# -- one person, one matter ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(CLAIMS))
def test_who_asks_for_the_same_claim_again_joins_the_request_there_is(sqlite: Database, kind: RequestKind) -> None:
    def ask_twice(session: Session) -> tuple[Request, Request]:
        ada = add_user(session)
        first = ask(session, kind=kind, user=ada)
        return first, ask(session, kind=kind, user=ada, subject="Where are you?", source="email")

    first, again = sqlite.run(ask_twice)
    assert again.joined_to == first.id
    assert [r.id for r in sqlite.read(requests.requests)] == [first.id]
    assert sqlite.read(lambda s: [r.id for r in requests.joined(s, first)]) == [again.id]


def test_two_questions_of_one_person_are_two_unless_their_words_are_the_same(sqlite: Database) -> None:
    def ask_all(session: Session) -> list[int | None]:
        words = ["Why?", "Why not?", "Why?"]
        return [ask(session, kind=RequestKind.QUESTION, discord_id="42", subject=word).joined_to for word in words]

    assert sqlite.run(ask_all) == [None, None, 1]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ({"discord_id": "42"}, {"discord_id": "42"}, True),
        ({"email": "eve@example.com"}, {"email": "eve@example.com"}, True),
        ({"discord_id": "42"}, {"discord_id": "43"}, False),
        ({}, {}, False),
    ],
)
def test_a_person_without_an_account_is_known_by_discord_or_address(sqlite, first, second, joined) -> None:
    asked = sqlite.run(lambda s: [ask(s, **first), ask(s, **second)])
    assert (asked[1].joined_to is not None) is joined


def test_after_the_first_is_closed_asking_again_is_a_new_request(sqlite: Database) -> None:
    sqlite.run(lambda s: requests.close(s, ask(s, discord_id="42"), now=NOW))
    assert sqlite.run(ask, discord_id="42").joined_to is None


def test_what_was_joined_is_answered_and_closed_with_the_first(sqlite: Database) -> None:
    def settle(session: Session) -> tuple[Request, Request, int]:
        first, again = ask(session, discord_id="42"), ask(session, discord_id="42")
        reply = requests.answer(session, again, "Done.", now=NOW)
        requests.close(session, again, now=NOW + HOUR)
        return first, again, reply.request_id

    first, again, answered = sqlite.run(settle)
    assert answered == first.id
    assert (first.closed_at, again.closed_at) == (NOW + HOUR, NOW + HOUR)
    assert (first.outcome, again.outcome) == (RequestOutcome.DONE, RequestOutcome.DONE)


# -- what the person is told ---------------------------------------------------------------------------------------


def test_who_writes_by_mail_is_told_that_it_came_in(sqlite: Database) -> None:
    sqlite.run(lambda s: ask(s, kind=RequestKind.SUPPORT, email="eve@example.com", source="email"))
    [notice] = owed(sqlite)
    assert (notice.purpose, notice.channel, notice.address) == (
        Purpose.REQUEST_RECEIVED,
        Channel.EMAIL,
        "eve@example.com",
    )


@pytest.mark.parametrize("source", ["discord", "assent"])
def test_who_was_told_on_the_spot_or_is_no_person_gets_no_mail_about_it(sqlite: Database, source: str) -> None:
    sqlite.run(lambda s: ask(s, kind=RequestKind.SUPPORT, user=add_user(s), discord_id="42", source=source))
    assert owed(sqlite) == []


def test_a_claim_to_data_from_discord_is_still_proven_by_mail(sqlite: Database) -> None:
    sqlite.run(lambda s: ask(s, user=add_user(s), discord_id="42", source="discord"))
    [notice] = owed(sqlite)
    assert (notice.purpose, notice.channel, notice.address) == (
        Purpose.REQUEST_RECEIVED,
        Channel.EMAIL,
        "ada@example.com",
    )


def test_a_refusal_names_its_reasons_and_closes_the_request(sqlite: Database) -> None:
    refused = sqlite.run(lambda s: requests.refuse(s, ask(s, user=add_user(s)), "We never had any.", now=NOW))
    assert (refused.closed_at, refused.outcome, refused.outcome_reason) == (
        NOW,
        RequestOutcome.REFUSED,
        "We never had any.",
    )
    assert owed(sqlite)[-1].purpose is Purpose.REQUEST_REFUSED
    with pytest.raises(Conflict, match="was closed"):
        sqlite.run(lambda s: requests.refuse(s, requests.request(s, 1), "Again.", now=NOW))
    with pytest.raises(InvalidInput, match="reason is empty"):
        sqlite.run(lambda s: requests.refuse(s, ask(s), " ", now=NOW))


# -- the clock -----------------------------------------------------------------------------------------------------


def claim(kind: RequestKind = RequestKind.ERASURE, *, regime: str, opened: datetime) -> Request:
    return Request(id=1, kind=kind, subject="?", source="email", regime=regime, opened_at=opened)


@pytest.mark.parametrize(
    ("regime", "opened", "due", "extended"),
    [
        ("gdpr-12", "2026-01-31T10:00", "2026-02-28T10:00", "2026-04-28T10:00"),
        ("gdpr-12", "2024-01-31T10:00", "2024-02-29T10:00", "2024-04-29T10:00"),
        ("gdpr-12", "2026-03-15T10:00", "2026-04-15T10:00", "2026-06-15T10:00"),  # over the change to summer time
        ("ccpa", "2026-03-02T10:00", "2026-04-16T10:00", "2026-05-31T10:00"),
        ("contract", "2026-03-02T10:00", None, None),
    ],
)
def test_a_month_is_a_month_and_45_days_are_45_days_on_the_operators_calendar(regime, opened, due, extended) -> None:
    request = claim(regime=regime, opened=datetime.fromisoformat(opened).replace(tzinfo=ZONE).astimezone(UTC))
    for found, expected in ((clocks.first_due(request, ZONE), due), (clocks.extended_due(request, ZONE), extended)):
        local = found.astimezone(ZONE).replace(tzinfo=None).isoformat(timespec="minutes") if found else None
        assert local == expected


def test_ten_business_days_skip_weekends_and_an_opt_out_has_fifteen_and_no_more() -> None:
    friday = datetime(2026, 3, 6, 9, tzinfo=ZONE).astimezone(UTC)
    asked, out = (claim(kind, regime="ccpa", opened=friday) for kind in (RequestKind.ERASURE, RequestKind.OPT_OUT))
    assert clocks.confirm_by(asked, ZONE) == datetime(2026, 3, 20, 9, tzinfo=ZONE).astimezone(UTC)
    assert clocks.first_due(out, ZONE) == datetime(2026, 3, 27, 9, tzinfo=ZONE).astimezone(UTC)
    assert clocks.extended_due(out, ZONE) is None


@pytest.mark.parametrize("kind", sorted(set(RequestKind) - CLAIMS))
def test_only_claims_have_a_clock(kind: RequestKind) -> None:
    assert clocks.first_due(claim(kind, regime="gdpr-12", opened=NOW), ZONE) is None


def test_an_extension_is_told_with_its_reason_and_possible_once(sqlite: Database) -> None:
    sqlite.run(lambda s: ask(s, user=add_user(s), regime="gdpr-12"))

    def extend(session: Session, reason: str = "Two suppliers.", now: datetime = NOW + DAY) -> Request:
        return deadlines.extend(session, requests.request(session, 1), reason, zone=ZONE, now=now)

    with pytest.raises(InvalidInput, match="reason is empty"):
        sqlite.run(extend, reason="")
    with pytest.raises(RuleRefused, match="must be told of an extension before that"):
        sqlite.run(extend, now=NOW + 40 * DAY)
    request = sqlite.run(extend)
    assert clocks.due(request, ZONE) == clocks.extended_due(request, ZONE)
    assert owed(sqlite)[-1].purpose is Purpose.REQUEST_EXTENDED
    with pytest.raises(Conflict, match="possible once"):
        sqlite.run(extend)


def test_without_a_law_that_allows_it_nothing_is_extended(sqlite: Database) -> None:
    with pytest.raises(RuleRefused, match="'contract' allows no extension"):
        sqlite.run(lambda s: deadlines.extend(s, ask(s), "Busy.", zone=ZONE, now=NOW))


def test_an_unknown_regime_is_refused(sqlite: Database) -> None:
    with pytest.raises(InvalidInput, match="'gdpr' is not known"):
        sqlite.run(ask, regime="gdpr")


def test_staff_are_told_once_for_each_deadline_that_passes(sqlite: Database, make_settings: Any) -> None:
    settings = make_settings(time_zone="Europe/Berlin", staff_email="privacy@acme.example")
    sqlite.run(lambda s: ask(s, user=add_user(s), regime="gdpr-12"))
    remind = partial(jobs.remind_staff, sqlite, settings)
    told = lambda: [n.address for n in owed(sqlite) if n.purpose is Purpose.REQUEST_OVERDUE]  # noqa: E731
    assert (remind(NOW + 20 * DAY), told()) == (0, [])
    sqlite.run(lambda s: deadlines.extend(s, requests.request(s, 1), "Much.", zone=ZONE, now=NOW + 20 * DAY))
    assert (remind(NOW + 40 * DAY), told()) == (0, [])
    for days in (100, 101):
        assert (remind(NOW + days * DAY), told()) == (1, ["privacy@acme.example"])
    sqlite.run(lambda s: requests.close(s, requests.request(s, 1), now=NOW + 102 * DAY))
    assert remind(NOW + 103 * DAY) == 0


def test_without_a_staff_address_the_word_goes_where_answers_go(sqlite: Database, make_settings: Any) -> None:
    sqlite.run(lambda s: ask(s, user=add_user(s), regime="gdpr-12"))
    for days in (32, 33, 60):
        jobs.remind_staff(sqlite, make_settings(time_zone="Europe/Berlin"), NOW + days * DAY)
    assert [n.address for n in owed(sqlite) if n.purpose is Purpose.REQUEST_OVERDUE] == ["legal@acme.example"]


def test_a_record_is_kept_as_long_as_the_law_says_and_its_words_no_longer(sqlite: Database, make_settings: Any) -> None:
    def settle(session: Session) -> None:
        request = ask(session, user=add_user(session), regime="ccpa", details="All of it.")
        requests.answer(session, request, "Gone.", now=NOW)
        requests.close(session, request, now=NOW)

    sqlite.run(settle)
    forget = partial(jobs.forget_requests, sqlite, make_settings(time_zone="Europe/Berlin"))
    assert forget(NOW.replace(year=2028) - DAY) == 0
    assert forget(NOW.replace(year=2028) + DAY) == 1
    assert forget(NOW.replace(year=2028) + 2 * DAY) == 0
    request = sqlite.read(requests.request, 1)
    assert (request.subject, request.details, request.outcome) == ("", "", RequestOutcome.DONE)
    assert sqlite.read(lambda s: [r.text for r in requests.replies(s, request)]) == [""]
    assert {(n.address, sqlite.read(keeping.message, n.id)) for n in owed(sqlite)} == {("", None)}


# -- who it is -----------------------------------------------------------------------------------------------------


def test_nothing_is_erased_before_the_person_has_proven_who_they_are(sqlite: Database, make_settings: Any) -> None:
    sqlite.run(lambda s: ask(s, user=add_user(s)))

    def schedule(session: Session) -> Request:
        return identity.schedule_erasure(
            session, requests.request(session, 1), make_settings(), actor="staff", now=NOW + HOUR
        )

    with pytest.raises(RuleRefused, match="Nobody has proven yet"):
        sqlite.run(schedule)
    with pytest.raises(InvalidInput, match="Say how"):
        sqlite.run(lambda s: identity.prove(s, requests.request(s, 1), by=" ", now=NOW))
    sqlite.run(lambda s: identity.prove(s, requests.request(s, 1), by="Passport seen", actor="staff", now=NOW))
    assert sqlite.run(schedule).erase_at == NOW + HOUR + 3 * DAY
    assert owed(sqlite)[-1].purpose is Purpose.ERASURE_SCHEDULED
    with pytest.raises(Conflict, match=r"goes at .* already"):
        sqlite.run(schedule)
    assert sqlite.run(lambda s: identity.call_off_erasure(s, requests.request(s, 1), now=NOW)).erase_at is None
    assert owed(sqlite)[-1].status is NoticeStatus.CANCELLED


@pytest.mark.parametrize(
    ("facts", "message"),
    [({"kind": RequestKind.SUPPORT, "user": True}, "only an erasure request"), ({}, "belongs to no account")],
)
def test_only_a_request_to_erase_an_account_erases_one(sqlite: Database, make_settings: Any, facts, message) -> None:
    def schedule(session: Session) -> None:
        user = add_user(session) if facts.pop("user", False) else None
        request = identity.prove(session, ask(session, user=user, **facts), by="Known", now=NOW)
        identity.schedule_erasure(session, request, make_settings(), actor="staff", now=NOW)

    with pytest.raises(RuleRefused, match=message):
        sqlite.run(schedule)


def test_a_new_link_is_mailed_on_demand_if_there_is_an_address(sqlite: Database) -> None:
    sqlite.run(lambda s: ask(s, user=add_user(s)))
    sqlite.run(lambda s: identity.ask_for_proof(s, requests.request(s, 1), now=NOW + DAY))
    assert [n.purpose for n in owed(sqlite)] == [Purpose.REQUEST_RECEIVED] * 2
    with pytest.raises(RuleRefused, match="has no mail address"):
        sqlite.run(lambda s: identity.ask_for_proof(s, ask(s, discord_id="42"), now=NOW))
