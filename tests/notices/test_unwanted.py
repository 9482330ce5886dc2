"""Notices that must not go out any more, and those that must all the same."""

import pytest

from lifecycle import terminations
from lifecycle.documents import publishing
from lifecycle.notices import contents, readers
from lifecycle.states import EngagementKind, Initiator, Purpose
from tests.conftest import NOW
from tests.helpers import DAY, TICK, add_user, engage, published_terms
from tests.notices.test_contents import ABOUT_VERSIONS, about, end

K = EngagementKind


def unwanted(session, purpose, user, thing, *, now=NOW) -> str:
    notice = about(session, purpose, user, thing)
    return contents.unwanted(readers.Known(session, [notice]), notice, now=now)


@pytest.mark.parametrize("purpose", ABOUT_VERSIONS)
def test_nobody_is_told_of_a_version_that_was_withdrawn(session, purpose) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    assert unwanted(session, purpose, user, version) == ""
    publishing.withdraw(session, version, reason="A slip.", now=NOW)
    assert unwanted(session, purpose, user, version) == "the version was withdrawn"


@pytest.mark.parametrize("purpose", ABOUT_VERSIONS)
def test_nobody_is_told_of_a_version_after_their_access_ended(session, purpose) -> None:
    _, version = published_terms(session)
    user, other = add_user(session), add_user(session, "bob")
    made = end(session, user, Initiator.USER, effective_at=NOW + 5 * DAY)
    assert unwanted(session, purpose, user, version, now=NOW + 5 * DAY - TICK) == ""
    assert unwanted(session, purpose, user, version, now=NOW + 5 * DAY) == "the user's access has ended"
    assert unwanted(session, purpose, other, version, now=NOW + 5 * DAY) == ""
    terminations.reinstate(session, made, reason="Welcome back.", now=NOW + 6 * DAY)
    assert unwanted(session, purpose, user, version, now=NOW + 6 * DAY) == ""


def test_a_termination_that_waits_for_its_proof_silences_nothing(session) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    end(session, user)
    assert unwanted(session, Purpose.VERSION_PUBLISHED, user, version, now=NOW + 400 * DAY) == ""


@pytest.mark.parametrize("answer", [K.ACCEPTED, K.DECLINED])
@pytest.mark.parametrize("purpose", ABOUT_VERSIONS)
def test_who_has_answered_is_told_but_not_reminded(session, purpose, answer) -> None:
    _, version = published_terms(session)
    user, other = add_user(session), add_user(session, "bob")
    engage(session, user, version, answer)
    reminder = purpose is not Purpose.VERSION_PUBLISHED
    assert unwanted(session, purpose, user, version) == ("the user has answered" if reminder else "")
    assert unwanted(session, purpose, other, version) == ""


@pytest.mark.parametrize("undo", ["rescind", "reinstate"])
@pytest.mark.parametrize(
    ("purpose", "silenced"),
    [
        (Purpose.TERMINATION_NOTICE, True),
        (Purpose.TERMINATION_EFFECTIVE, True),
        (Purpose.TERMINATION_RESCINDED, False),
        (Purpose.REINSTATED, False),
    ],
)
def test_a_termination_taken_back_is_told_of_no_more(session, purpose, silenced, undo) -> None:
    user = add_user(session)
    made = end(session, user, Initiator.USER if undo == "reinstate" else Initiator.PROVIDER)
    assert unwanted(session, purpose, user, made) == ""
    getattr(terminations, undo)(session, made, reason="A mistake.", now=NOW)
    assert unwanted(session, purpose, user, made) == ("the termination was taken back" if silenced else "")
    assert made.took_effect_at is None or undo == "reinstate"
