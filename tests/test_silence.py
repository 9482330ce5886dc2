"""Binding by silence: only who was told, only when the window has passed, and at that very instant."""

import pytest
from sqlmodel import Session

from lifecycle import deeming, ledger
from lifecycle.db import Database
from lifecycle.errors import RuleRefused
from lifecycle.models import User, Version
from lifecycle.states import EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, bound_by, engage, next_version, published_terms, tell

K = EngagementKind
DUE = NOW + 5 * DAY  # the window of `silent`


def silent(session: Session) -> tuple[User, Version]:
    """A user bound to version 1 and told of version 2, which binds by silence after five days."""
    _, first = published_terms(session)
    user = add_user(session)
    engage(session, user, first, K.ACCEPTED)
    version = next_version(session, Mode.SILENCE, deadline_days=5)
    tell(session, user, version)
    return user, version


def deem(session: Session, user: User, version: Version, *, now):
    told = ledger.notified(session, user, version)
    assert told is not None
    return deeming.deem_by_silence(session, told, zone=ZONE, now=now)


def test_silence_binds_when_the_window_has_passed_and_not_a_moment_before(session: Session) -> None:
    user, version = silent(session)
    assert deem(session, user, version, now=DUE - TICK) is None
    assert deem(session, user, version, now=DUE).at == DUE
    assert bound_by(session, user, at=DUE - TICK) == (1, K.ACCEPTED)
    assert bound_by(session, user, at=DUE) == (2, K.DEEMED_BY_SILENCE)


def test_silence_noted_late_binds_from_its_own_instant(session: Session) -> None:
    user, version = silent(session)
    fact = deem(session, user, version, now=DUE + 30 * DAY)
    assert (fact.at, fact.recorded_at) == (DUE, DUE + 30 * DAY)


def test_silence_is_noted_once(database: Database) -> None:
    user, version = database.run(silent)
    ids = {database.run(deem, user, version, now=DUE + n * DAY).id for n in range(2)}
    assert len(ids) == 1


def test_a_user_who_was_told_later_has_the_whole_window(session: Session) -> None:
    _, version = silent(session)
    late = add_user(session, "late")
    engage(session, late, session.get_one(Version, 1), K.ACCEPTED)
    tell(session, late, version, at=NOW + 3 * DAY)
    assert deem(session, late, version, now=DUE + 3 * DAY - TICK) is None
    assert deem(session, late, version, now=DUE + 3 * DAY).at == DUE + 3 * DAY


@pytest.mark.parametrize("kind", [K.OBJECTED, K.DECLINED])
def test_a_no_in_time_keeps_the_old_version(session: Session, kind: EngagementKind) -> None:
    user, version = silent(session)
    engage(session, user, version, kind, at=DUE)  # the last instant of the window
    assert deem(session, user, version, now=DUE + DAY) is None
    assert bound_by(session, user, at=DUE + DAY) == (1, K.ACCEPTED)


def test_an_acceptance_in_time_is_shown_as_an_acceptance(session: Session) -> None:
    user, version = silent(session)
    engage(session, user, version, K.ACCEPTED, at=NOW + DAY)
    assert deem(session, user, version, now=DUE) is None
    assert bound_by(session, user, at=DUE) == (2, K.ACCEPTED)


def test_looking_at_the_text_is_no_answer(session: Session) -> None:
    user, version = silent(session)
    engage(session, user, version, K.VIEWED, at=NOW + DAY)
    assert deem(session, user, version, now=DUE) is not None


def test_an_objection_after_the_window_is_refused_even_when_the_job_is_late(session: Session) -> None:
    user, version = silent(session)
    with pytest.raises(RuleRefused, match="The window to object to version 2 closed at 2026-03-07T09:00:00"):
        engage(session, user, version, K.OBJECTED, at=DUE + TICK)


def test_declining_after_the_window_comes_too_late_even_when_the_job_is_later_still(session: Session) -> None:
    user, version = silent(session)
    engage(session, user, version, K.DECLINED, at=DUE + TICK)
    assert bound_by(session, user, at=DUE + DAY) == (2, K.DEEMED_BY_SILENCE)


def test_an_objection_made_in_time_counts_even_when_it_is_reported_after_the_job(session: Session) -> None:
    user, version = silent(session)
    deem(session, user, version, now=DUE)
    engage(session, user, version, K.OBJECTED, at=DUE - DAY, now=DUE + DAY)
    assert bound_by(session, user, at=DUE + DAY) == (1, K.ACCEPTED)


def test_who_was_not_told_yet_may_object_at_any_time(session: Session) -> None:
    _, version = silent(session)
    untold = add_user(session, "untold")
    assert engage(session, untold, version, K.OBJECTED, at=NOW + 400 * DAY).kind is K.OBJECTED


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.SILENCE])
def test_only_a_version_that_binds_by_silence_can_be_objected_to(session: Session, mode: Mode) -> None:
    _, version = published_terms(session, mode=mode)
    with pytest.raises(RuleRefused, match="does not bind by silence, so there is nothing to object to"):
        engage(session, add_user(session), version, K.OBJECTED)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.SILENCE])
def test_silence_binds_to_no_version_of_another_mode(session: Session, mode: Mode) -> None:
    _, version = published_terms(session, mode=mode)
    user = add_user(session)
    tell(session, user, version)
    assert deem(session, user, version, now=NOW + 400 * DAY) is None


def test_silence_does_not_bind_past_an_explicit_version_that_was_left_unanswered(session: Session) -> None:
    published_terms(session)
    user, version = add_user(session), next_version(session, Mode.SILENCE, deadline_days=5)
    tell(session, user, version)
    assert deem(session, user, version, now=DUE) is None
    engage(session, user, session.get_one(Version, 1), K.ACCEPTED, at=DUE - TICK)
    assert deem(session, user, version, now=DUE).at == DUE
