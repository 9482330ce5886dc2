"""What is on offer to a user, and what stays open to those who decline it."""

import pytest
from sqlmodel import Session

from lifecycle import appeals, casefile, exits, requests, sealing, standing, terminations
from lifecycle.errors import RuleRefused
from lifecycle.models import User, Version
from lifecycle.states import Decision, Emergency, Initiator, Mode, RequestKind
from lifecycle.states import EngagementKind as K
from tests.helpers import DAY, HOUR, NOW, ZONE, add_user, bound_by, engage, next_version, published_terms, tell


def asked(session: Session) -> tuple[User, Version, Version]:
    """Ada accepted version 1 and was told of version 2, which is explicit."""
    _, first = published_terms(session)
    ada = add_user(session)
    engage(session, ada, first, K.ACCEPTED)
    second = next_version(session, Mode.EXPLICIT, deadline_days=5)
    tell(session, ada, second)
    return ada, first, second


def test_what_a_later_version_replaced_for_the_user_is_not_on_offer(session: Session) -> None:
    ada, first, second = asked(session)
    bob = add_user(session, "bob")
    engage(session, bob, second, K.ACCEPTED)
    with pytest.raises(RuleRefused, match="Version 1 of 'terms' is not on offer to user 'bob': version 2 binds since"):
        engage(session, bob, first, K.ACCEPTED, at=NOW + HOUR)
    assert bound_by(session, bob, at=NOW + HOUR) == (2, K.ACCEPTED)
    engage(session, ada, second, K.ACCEPTED, at=NOW + HOUR)
    again = engage(session, ada, first, K.ACCEPTED, at=NOW + DAY)
    assert again.at == NOW, "the same acceptance again is the same fact"


def test_the_older_version_is_on_offer_to_whom_the_newer_one_does_not_bind(session: Session) -> None:
    asked(session)
    bob = add_user(session, "bob")
    engage(session, bob, session.get_one(Version, 1), K.ACCEPTED, at=NOW + HOUR)
    assert bound_by(session, bob, at=NOW + HOUR) == (1, K.ACCEPTED)


def test_nothing_is_on_offer_after_the_end_and_all_of_it_after_reinstatement(session: Session) -> None:
    ada, _, second = asked(session)
    cause = terminations.Cause(Initiator.USER, "Enough.")
    made = terminations.terminate(session, ada, cause, effective_at=NOW + DAY, zone=ZONE, now=NOW)
    with pytest.raises(RuleRefused, match=f"access ended by termination {made.id}"):
        engage(session, ada, second, K.ACCEPTED, at=NOW + DAY)
    assert bound_by(session, ada, at=NOW + DAY) == (1, K.ACCEPTED)
    terminations.reinstate(session, made, reason="Welcome back.", now=NOW + 2 * DAY)
    engage(session, ada, second, K.ACCEPTED, at=NOW + 3 * DAY)
    assert bound_by(session, ada, at=NOW + 3 * DAY) == (2, K.ACCEPTED)


def test_who_is_suspended_may_still_accept(session: Session) -> None:
    ada, _, second = asked(session)
    at_once = {"emergency": Emergency.SAFETY, "override_reason": "It cannot wait."}
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.", ends_at=NOW + 9 * DAY, **at_once)  # type: ignore[arg-type]
    terminations.terminate(session, ada, cause, zone=ZONE, now=NOW)
    assert engage(session, ada, second, K.ACCEPTED, at=NOW + DAY).kind is K.ACCEPTED


def test_declining_locks_nobody_out_of_export_deletion_contact_appeal_or_leaving(
    session: Session, make_settings
) -> None:
    ada, _, second = asked(session)
    engage(session, ada, second, K.DECLINED, at=NOW + HOUR)
    late = NOW + 30 * DAY
    assert standing.standing(session, ada, zone=ZONE, now=late).decision is Decision.BLOCK
    assert sealing.verify(casefile.case_file(session, ada, make_settings(), now=late)).problems == []
    for kind in (RequestKind.ACCESS, RequestKind.ERASURE, RequestKind.SUPPORT):
        made = requests.open_request(session, kind, subject="Please", details="", user=ada, source="web", now=late)
        assert (made.kind, made.closed_at) == (kind, None)
    cause = terminations.Cause(Initiator.PROVIDER, "You declined.")
    ending = terminations.terminate(session, ada, cause, notice_days=1, zone=ZONE, now=late)
    assert appeals.appeal(session, ending, "I need it.", source="web", now=late).kind is RequestKind.APPEAL
    terminations.rescind(session, ending, reason="Heard.", now=late)
    assert exits.exit_rights(session, ada, zone=ZONE, now=late) == []
    own = terminations.terminate(session, ada, terminations.Cause(Initiator.USER, "Bye."), zone=ZONE, now=late)
    assert own.takes_effect_at == late
