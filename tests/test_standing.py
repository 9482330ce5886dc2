"""What a user may do now, and why; nobody is blocked without a proven notice and a deadline that has passed."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from lifecycle import announcing, terminations
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.endings import open_termination
from lifecycle.models import User, Version
from lifecycle.standing import DocumentStanding, Standing, standing
from lifecycle.states import Decision, EngagementKind, Initiator, Mode
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, engage, next_version, published_terms, tell

K = EngagementKind
ALLOW, WARN, BLOCK = Decision.ALLOW, Decision.WARN, Decision.BLOCK


def stands(session: Session, user: User, *, at: datetime = NOW) -> Standing:
    return standing(session, user, zone=ZONE, now=at)


def terms(session: Session, user: User, *, at: datetime = NOW) -> DocumentStanding:
    [found] = stands(session, user, at=at).documents
    return found


def seen(session: Session, user: User, *, at: datetime) -> tuple[Decision, str, datetime | None]:
    found = terms(session, user, at=at)
    return found.decision, found.state, found.due_by


def asked(session: Session, *, effective_at: datetime | None = None, deadline_days: int = 5) -> tuple[User, Version]:
    """A user bound to version 1 who must accept version 2 and was not told of it."""
    _, first = published_terms(session)
    user = add_user(session)
    engage(session, user, first, K.ACCEPTED)
    return user, next_version(session, Mode.EXPLICIT, effective_at=effective_at, deadline_days=deadline_days)


# -- nothing to do -------------------------------------------------------------------------------------------------


def test_without_a_text_in_force_nothing_stands_in_the_way(session: Session) -> None:
    document = store.create_document(session, "terms", title="Terms", now=NOW)
    draft = store.draft_version(session, document, {"en": "Be nice."}, now=NOW)
    later = Publication(Mode.EXPLICIT, effective_at=NOW + DAY, notify=False)
    publish(session, draft, later, zone=ZONE, now=NOW)
    found = stands(session, add_user(session))
    assert (found.decision, found.why) == (ALLOW, "Nothing stands in the way.")
    [document_standing] = found.documents
    assert (document_standing.state, document_standing.in_force_version) == ("none", None)
    assert document_standing.upcoming_versions == (1,)


def test_who_is_bound_to_the_version_in_force_may_go_on(session: Session) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    engage(session, user, version, K.ACCEPTED)
    found = terms(session, user, at=NOW + DAY)
    assert (found.decision, found.state, found.why) == (ALLOW, "bound", "Bound to version 1 of terms (accepted).")
    assert (found.bound_version, found.bound_by, found.bound_since) == (1, K.ACCEPTED, NOW)
    assert (found.in_force_version, found.due_version, found.due_by) == (1, None, None)


def test_looking_changes_nothing(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    session.flush()
    stands(session, user, at=NOW + 400 * DAY)
    assert (list(session.new), list(session.dirty), list(session.deleted)) == ([], [], [])


# -- what must be accepted -----------------------------------------------------------------------------------------


def test_nobody_is_blocked_without_proof_of_notice_however_long_ago_it_was_published(session: Session) -> None:
    user, _ = asked(session, deadline_days=0)
    for at in (NOW, NOW + DAY, NOW + 3650 * DAY):
        assert seen(session, user, at=at) == (WARN, "not_told", None)
    why = "Not told of version 2 of terms yet, so no deadline runs; version 1 still binds."
    assert terms(session, user).why == why


def test_who_was_told_is_warned_until_the_deadline_and_blocked_from_that_instant(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    due = NOW + 5 * DAY
    assert seen(session, user, at=due - TICK) == (WARN, "must_accept", due)
    assert seen(session, user, at=due) == (BLOCK, "overdue", due)
    before, after = (terms(session, user, at=at).why for at in (due - TICK, due))
    assert before == "Version 2 of terms must be accepted by 2026-03-07 09:00 UTC; version 1 still binds."
    assert after == "Version 2 of terms must be accepted; the deadline was 2026-03-07 09:00 UTC."


@pytest.mark.parametrize(
    ("told", "due"),
    [(1 * DAY, 15 * DAY), (10 * DAY, 15 * DAY), (12 * DAY, 17 * DAY)],
    ids=["told before the effect", "told at the effect", "told after the effect"],
)
def test_the_deadline_is_the_later_of_the_versions_and_the_one_from_the_notice(session, told, due) -> None:
    user, version = asked(session, effective_at=NOW + 10 * DAY)
    tell(session, user, version, at=NOW + told)
    assert seen(session, user, at=NOW + due - TICK) == (WARN, "must_accept", NOW + due)
    assert seen(session, user, at=NOW + due) == (BLOCK, "overdue", NOW + due)


def test_a_version_that_is_not_in_force_yet_is_upcoming_and_asks_for_nothing(session: Session) -> None:
    user, version = asked(session, effective_at=NOW + DAY, deadline_days=0)
    tell(session, user, version)
    found = terms(session, user, at=NOW + DAY - TICK)
    assert (found.decision, found.state, found.upcoming_versions) == (ALLOW, "bound", (2,))
    assert terms(session, user, at=NOW + DAY).decision is BLOCK


def test_who_declined_is_told_so_and_may_still_accept(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    engage(session, user, version, K.DECLINED, at=NOW + DAY)
    due = NOW + 5 * DAY
    assert seen(session, user, at=due - TICK) == (WARN, "declined", due)
    assert seen(session, user, at=due) == (BLOCK, "declined", due)
    assert terms(session, user, at=due).why.startswith("Version 2 of terms was declined; it may still be accepted;")
    engage(session, user, version, K.ACCEPTED, at=due + DAY)
    assert seen(session, user, at=due + DAY) == (ALLOW, "bound", None)


def test_declining_before_the_notice_is_proven_starts_no_deadline(session: Session) -> None:
    user, version = asked(session, deadline_days=0)
    engage(session, user, version, K.DECLINED)
    assert seen(session, user, at=NOW + 400 * DAY) == (WARN, "not_told", None)


def test_who_takes_an_acceptance_back_must_accept_again(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    engage(session, user, version, K.ACCEPTED)
    engage(session, user, version, K.WITHDRAWN, at=NOW + DAY)
    assert seen(session, user, at=NOW + DAY) == (WARN, "must_accept", NOW + 5 * DAY)
    assert seen(session, user, at=NOW + 5 * DAY) == (BLOCK, "overdue", NOW + 5 * DAY)


def test_a_milder_version_does_not_lift_what_an_explicit_one_still_asks(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    milder = next_version(session, Mode.NOTICE, now=NOW + DAY)
    tell(session, user, milder, at=NOW + DAY)
    found = terms(session, user, at=NOW + 5 * DAY)
    assert (found.decision, found.state, found.bound_version) == (BLOCK, "overdue", 1)
    assert (found.in_force_version, found.due_version) == (3, 3)
    engage(session, user, milder, K.ACCEPTED, at=NOW + 5 * DAY)
    assert seen(session, user, at=NOW + 5 * DAY) == (ALLOW, "bound", None)


def test_a_new_explicit_version_has_a_deadline_of_its_own(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    newer = next_version(session, Mode.EXPLICIT, deadline_days=5, now=NOW + 4 * DAY)
    assert seen(session, user, at=NOW + 30 * DAY) == (WARN, "not_told", None)
    tell(session, user, newer, at=NOW + 30 * DAY)
    assert seen(session, user, at=NOW + 30 * DAY) == (WARN, "must_accept", NOW + 35 * DAY)


# -- what binds more mildly ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.NOTICE, Mode.CONTINUED_USE, Mode.SILENCE])
def test_a_milder_version_never_blocks(session: Session, mode: Mode) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, version = add_user(session), next_version(session, mode, deadline_days=1)
    assert seen(session, user, at=NOW + 400 * DAY) == (ALLOW, "not_told", None)
    tell(session, user, version)
    assert terms(session, user, at=NOW + 400 * DAY).decision is ALLOW


def test_a_version_by_use_waits_for_the_next_use(session: Session) -> None:
    _, version = published_terms(session, mode=Mode.CONTINUED_USE)
    user = add_user(session)
    tell(session, user, version)
    why = "Told of version 1 of terms; it binds by the next use. Until then nothing binds yet."
    assert seen(session, user, at=NOW) == (ALLOW, "told", None)
    assert terms(session, user).why == why


def test_a_version_by_silence_says_until_when_to_object_and_who_did(session: Session) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, version = add_user(session), next_version(session, Mode.SILENCE, deadline_days=5)
    tell(session, user, version)
    assert seen(session, user, at=NOW + DAY) == (ALLOW, "may_object", NOW + 5 * DAY)
    engage(session, user, version, K.OBJECTED, at=NOW + DAY)
    assert seen(session, user, at=NOW + DAY) == (ALLOW, "objected", None)
    assert terms(session, user, at=NOW + DAY).why == "Objected to version 2 of terms; nothing binds yet."


def test_who_declined_a_version_by_silence_is_not_said_to_be_bound_by_it_soon(session: Session) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, version = add_user(session), next_version(session, Mode.SILENCE, deadline_days=5)
    tell(session, user, version)
    engage(session, user, version, K.DECLINED, at=NOW + DAY)
    assert "it binds unless" not in terms(session, user, at=NOW + DAY).why


# -- several documents, and the end of access ----------------------------------------------------------------------


def test_the_strictest_document_decides_and_only_its_reasons_are_given(session: Session) -> None:
    user, version = asked(session)
    tell(session, user, version)
    privacy = store.create_document(session, "privacy", title="Privacy", now=NOW)
    policy = store.draft_version(session, privacy, {"en": "We keep little."}, now=NOW)
    publish(session, policy, Publication(Mode.EXPLICIT, notify=False), zone=ZONE, now=NOW)
    found = stands(session, user, at=NOW + 5 * DAY)
    assert [(item.slug, item.decision) for item in found.documents] == [("privacy", WARN), ("terms", BLOCK)]
    assert found.decision is BLOCK
    assert found.why == "Version 2 of terms must be accepted; the deadline was 2026-03-07 09:00 UTC."


def test_a_termination_warns_until_its_instant_and_blocks_from_it(session: Session) -> None:
    user = add_user(session)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
    made = terminations.terminate(session, user, cause, notice_days=5, zone=ZONE, now=NOW)
    waiting = stands(session, user, at=NOW + 400 * DAY)
    assert waiting.decision is WARN
    assert waiting.why == "A termination is decided; it waits for the proof that its notice was sent."

    announcing.sent(session, made.id, sent_at=NOW, zone=ZONE, now=NOW)
    announced, ended = (stands(session, user, at=NOW + 5 * DAY + late) for late in (-TICK, timedelta()))
    assert (announced.decision, announced.why) == (WARN, "Access will end at 2026-03-07 09:00 UTC: Spam.")
    assert (ended.decision, ended.why) == (BLOCK, "Access ended at 2026-03-07 09:00 UTC: Spam.")
    assert [found.termination.in_effect for found in (announced, ended) if found.termination] == [False, True]


@pytest.mark.parametrize(("undo", "days"), [(terminations.rescind, 1), (terminations.reinstate, 6)])
def test_a_termination_that_was_undone_is_in_nobodys_way(session: Session, undo, days) -> None:
    user = add_user(session)
    cause = terminations.Cause(Initiator.USER, "I leave.")
    made = terminations.terminate(session, user, cause, effective_at=NOW + 5 * DAY, zone=ZONE, now=NOW)
    assert open_termination(session, user) is made
    undo(session, made, reason="They came back.", now=NOW + days * DAY)
    found = stands(session, user, at=NOW + 9 * DAY)
    assert (found.decision, found.termination) == (ALLOW, None)
    assert open_termination(session, user) is None
