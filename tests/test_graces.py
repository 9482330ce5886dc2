"""Deadlines moved by staff: for one or for all, put off or lifted, and back; always with a reason that is shown."""

from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from lifecycle import deeming, graces, responses, standing, terminations
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import Conflict, InvalidInput, NotFound, RuleRefused
from lifecycle.models import Request, User, Version
from lifecycle.notices import outbox
from lifecycle.standing import DocumentStanding
from lifecycle.states import Decision, EngagementKind, Initiator, Mode, OnObjection, Purpose
from tests.helpers import DAY, HOUR, NOW, TICK, ZONE, add_user, bound_by, engage, next_version, published_terms, tell

K = EngagementKind
ALLOW, WARN, BLOCK = Decision.ALLOW, Decision.WARN, Decision.BLOCK


def asked(session: Session, mode: Mode = Mode.EXPLICIT) -> tuple[User, User, Version]:
    """Two users who were told of a version 2 with five days to answer."""
    _, first = published_terms(session)
    ada, bob = add_user(session), add_user(session, "bob")
    for user in (ada, bob):
        engage(session, user, first, K.ACCEPTED)
    second = next_version(session, mode, deadline_days=5)
    for user in (ada, bob):
        tell(session, user, second)
    return ada, bob, second


def give(session: Session, version: Version, until: datetime | None, user: User | None = None, *, now=NOW):
    return graces.give(session, version, user=user, until=until, reason="A holiday.", now=now)


def terms(session: Session, user: User, *, at: datetime) -> DocumentStanding:
    [found] = standing.standing(session, user, zone=ZONE, now=at).documents
    return found


def test_one_users_deadline_is_put_off_and_nobody_elses(session: Session) -> None:
    ada, bob, second = asked(session)
    give(session, second, NOW + 9 * DAY, ada)
    assert terms(session, ada, at=NOW + 9 * DAY - TICK).decision is WARN
    assert terms(session, ada, at=NOW).due_by == NOW + 9 * DAY
    assert terms(session, ada, at=NOW + 9 * DAY).decision is BLOCK
    assert terms(session, bob, at=NOW + 5 * DAY).decision is BLOCK


def test_everyones_deadline_is_put_off_also_after_it_has_passed(session: Session) -> None:
    ada, bob, second = asked(session)
    assert terms(session, ada, at=NOW + 6 * DAY).decision is BLOCK
    give(session, second, NOW + 9 * DAY, now=NOW + 6 * DAY)
    assert [terms(session, user, at=NOW + 6 * DAY).decision for user in (ada, bob)] == [WARN, WARN]


def test_a_grace_that_is_shorter_than_the_deadline_shortens_nothing(session: Session) -> None:
    ada, _, second = asked(session)
    give(session, second, NOW + DAY)
    assert terms(session, ada, at=NOW).due_by == NOW + 5 * DAY


def test_who_is_exempt_is_not_asked_and_is_told_why_and_is_not_bound(session: Session) -> None:
    ada, bob, second = asked(session)
    give(session, second, None, ada)
    found = terms(session, ada, at=NOW + 9 * DAY)
    assert (found.decision, found.state, found.due_by, found.bound_version) == (ALLOW, "exempt", None, 1)
    assert "A holiday." in found.why
    assert terms(session, bob, at=NOW + 9 * DAY).decision is BLOCK


def test_a_grace_is_undone_once_and_the_deadline_is_what_it_was(session: Session) -> None:
    ada, _, second = asked(session)
    for until in (NOW + 9 * DAY, None):
        given = give(session, second, until, ada)
        graces.undo(session, given, reason="A mistake.", now=NOW + DAY)
        assert terms(session, ada, at=NOW + 5 * DAY).decision is BLOCK
        with pytest.raises(Conflict, match="was undone at"):
            graces.undo(session, given, reason="Again.", now=NOW + DAY)
    assert [one.undo_reason for one in graces.graces(session, user=ada)] == ["A mistake."] * 2


def test_a_window_to_object_stays_open_as_long_as_it_was_put_off(session: Session) -> None:
    ada, _, second = asked(session, Mode.SILENCE)
    told = tell(session, ada, second)
    assert told is not None
    give(session, second, NOW + 9 * DAY, now=NOW + DAY)
    assert deeming.deem_by_silence(session, told, zone=ZONE, now=NOW + 8 * DAY) is None
    engage(session, ada, second, K.OBJECTED, at=NOW + 8 * DAY)
    assert bound_by(session, ada, at=NOW + 10 * DAY) == (1, K.ACCEPTED)


def test_an_objection_in_a_window_that_was_put_off_stays_in_time_when_that_is_undone(session: Session) -> None:
    ada, bob, second = asked(session, Mode.SILENCE)
    given = give(session, second, NOW + 9 * DAY, now=NOW + DAY)
    engage(session, ada, second, K.OBJECTED, at=NOW + 6 * DAY)
    graces.undo(session, given, reason="A mistake.", now=NOW + 7 * DAY)
    for user in (ada, bob):
        told = tell(session, user, second)
        assert told is not None
        deeming.deem_by_silence(session, told, zone=ZONE, now=NOW + 8 * DAY)
    assert bound_by(session, ada, at=NOW + 10 * DAY) == (1, K.ACCEPTED)
    assert bound_by(session, bob, at=NOW + 10 * DAY) == (2, K.DEEMED_BY_SILENCE)


def test_a_window_that_has_closed_is_not_opened_again(session: Session) -> None:
    ada, _, second = asked(session, Mode.SILENCE)
    give(session, second, NOW + 9 * DAY, now=NOW + 5 * DAY)
    with pytest.raises(RuleRefused, match="closed at 2026-03-07"):
        engage(session, ada, second, K.OBJECTED, at=NOW + 6 * DAY)


def test_what_cannot_be_moved_is_refused(session: Session) -> None:
    _, _, second = asked(session)
    with pytest.raises(InvalidInput, match="lies in the past"):
        give(session, second, NOW)
    with pytest.raises(InvalidInput, match="Give the reason"):
        graces.give(session, second, until=None, reason=" ", now=NOW)
    third = next_version(session, Mode.NOTICE)
    with pytest.raises(RuleRefused, match="binds by notice, so it has no deadline to put off"):
        give(session, third, NOW + DAY)
    with pytest.raises(NotFound, match="There is no grace 7"):
        graces.grace(session, 7)


# -- objections ----------------------------------------------------------------------------------------------------


def object_to(session: Session, user: User, version: Version, *, at=NOW):
    words = {"wording": "I object to this version", "channel": "web"}
    return responses.respond(session, user, version, K.OBJECTED, zone=ZONE, now=at, **words)


def test_an_objection_in_time_keeps_the_old_version_and_is_heard_by_staff_once(session: Session) -> None:
    ada, _, second = asked(session, Mode.SILENCE)
    assert object_to(session, ada, second).id == object_to(session, ada, second).id
    [request] = session.exec(select(Request)).all()
    assert (request.kind, request.subject) == ("objection", "Objection to version 2 of terms")
    assert "What bound the user before goes on binding." in request.details
    assert bound_by(session, ada, at=NOW + 9 * DAY) == (1, K.ACCEPTED)
    assert terms(session, ada, at=NOW + 9 * DAY).decision is ALLOW


def parting(session: Session) -> tuple[User, Version]:
    """Ada, told of a version to which an objection begins a termination with fourteen days of notice."""
    _, first = published_terms(session)
    ada = add_user(session)
    engage(session, ada, first, K.ACCEPTED)
    version = store.draft_version(session, store.document(session, "terms"), {"en": "# Terms\n\nNew.\n"}, now=NOW)
    plan = Publication(
        Mode.SILENCE, deadline_days=5, notify=False, on_objection=OnObjection.TERMINATE, objection_notice_days=14
    )
    publish(session, version, plan, zone=ZONE, now=NOW)
    tell(session, ada, version)
    return ada, version


def accept(session: Session, user: User, version: Version, *, at):
    return responses.respond(session, user, version, K.ACCEPTED, zone=ZONE, now=at)


def test_accepting_after_an_objection_takes_back_the_termination_that_it_began(session: Session) -> None:
    ada, second = parting(session)
    object_to(session, ada, second)
    accept(session, ada, second, at=NOW + HOUR)
    made = terminations.latest(session, ada)
    assert (made.rescinded_at, made.undo_reason) == (NOW + HOUR, "You accepted version 2 of terms after all.")
    assert bound_by(session, ada, at=NOW + HOUR) == (2, K.ACCEPTED)


def test_accepting_takes_back_no_termination_for_another_reason_and_none_in_effect(session: Session) -> None:
    ada, second = parting(session)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
    made = terminations.terminate(session, ada, cause, notice_days=9, zone=ZONE, now=NOW)
    object_to(session, ada, second)
    accept(session, ada, second, at=NOW + HOUR)
    assert made.rescinded_at is None


def test_what_follows_an_objection_is_frozen_with_the_publication(database: Database) -> None:
    database.run(parting)

    def change(session: Session, /, **values: object) -> None:
        session.execute(update(Version).where(col(Version.number) == 2).values(**values))

    for values in ({"on_objection": OnObjection.KEEP}, {"objection_notice_days": 0}):
        with pytest.raises(IntegrityError, match="a publication never changes"):
            database.run(change, **values)


def test_where_the_operator_chose_so_an_objection_begins_an_ordinary_termination(session: Session) -> None:
    ada, second = parting(session)
    object_to(session, ada, second)
    made = terminations.latest(session, ada)
    assert (made.initiated_by, made.notice_days, made.takes_effect_at) == (Initiator.PROVIDER, 14, None)
    assert [notice.purpose for notice in outbox.notices(session)] == [Purpose.TERMINATION_NOTICE]
    assert terms(session, ada, at=NOW + 9 * DAY).bound_version == 1
