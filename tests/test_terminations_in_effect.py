"""A termination comes into effect once, at its instant; before that it is rescinded, afterwards the user reinstated."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlmodel import Session

from lifecycle import effects, history, terminations
from lifecycle.db import Database
from lifecycle.errors import Conflict, InvalidInput
from lifecycle.models import Termination, User, Version
from lifecycle.notices import outbox
from lifecycle.standing import standing
from lifecycle.states import Decision, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, published_terms
from tests.test_terminations import INACTIVITY, PROVIDER, USER, notices, proven, terminate

DUE = NOW + 5 * DAY


def announced(session: Session) -> Termination:
    """A provider's termination whose notice was sent now and whose period is five days."""
    return proven(session, terminate(session, add_user(session), notice_days=5))


# -- in effect -----------------------------------------------------------------------------------------------------


def test_it_takes_effect_at_its_instant_and_not_a_moment_before(session: Session) -> None:
    made = announced(session)
    assert effects.next_effect(session) == DUE
    assert effects.due(session, now=DUE - TICK) == []
    assert not effects.take_effect(session, made, now=DUE - TICK)
    assert effects.due(session, now=DUE) == [made]
    assert effects.take_effect(session, made, now=DUE)
    assert made.took_effect_at == DUE
    assert (effects.next_effect(session), effects.due(session, now=DUE)) == (None, [])


def test_it_takes_effect_once_however_many_workers_try(database: Database) -> None:
    made = database.run(announced)
    together = Barrier(4)

    def take_effect(_: int) -> bool:
        together.wait()
        return database.run(
            lambda s: effects.take_effect(s, terminations.termination(s, made.id), now=DUE),
        )

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take_effect, range(4))) == [False, False, False, True]
    entries = database.read(history.of, "termination", made.id)
    assert [entry.verb for entry in entries] == ["decided", "announced", "took effect"]
    assert len(database.read(notices, Purpose.TERMINATION_EFFECTIVE)) == 1


def test_an_effect_noted_late_says_when_it_was_noted_and_since_when_access_has_ended(session: Session) -> None:
    made = announced(session)
    effects.take_effect(session, made, now=DUE + DAY)
    assert (made.takes_effect_at, made.took_effect_at) == (DUE, DUE + DAY)


def test_who_has_left_gets_no_more_mail_about_versions(session: Session) -> None:
    published_terms(session)
    made = announced(session)
    user = session.get_one(User, made.user_id)
    version = session.get_one(Version, 1)
    mail = outbox.owe(session, Purpose.VERSION_PUBLISHED, "version:1", user=user, version_id=version.id, now=NOW)
    other = add_user(session, "bob")
    kept = outbox.owe(session, Purpose.VERSION_PUBLISHED, "version:1", user=other, version_id=version.id, now=NOW)
    effects.take_effect(session, made, now=DUE)
    session.refresh(mail)
    session.refresh(kept)
    assert (mail.status, mail.reason) == (NoticeStatus.CANCELLED, "the user's access has ended")
    assert kept.status is NoticeStatus.OWED


# -- without proof -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("notice_days", "ends"), [(0, NOW + DAY), (5, DUE)], ids=["its date passed", "its date ahead"])
def test_an_override_stands_in_for_the_proof_but_not_for_the_date(session, notice_days, ends) -> None:
    made = terminate(session, add_user(session), notice_days=notice_days)
    terminations.override(session, made, reason="The account is being abused.", now=NOW + DAY)
    assert (made.takes_effect_at, made.overridden_at) == (ends, NOW + DAY)
    assert made.override_reason == "The account is being abused."
    assert history.of(session, "termination", made.id)[-1].verb == "overridden"


def test_in_an_emergency_access_ends_at_once_and_the_notice_is_still_owed(session: Session) -> None:
    user = add_user(session)
    made = terminate(session, user)
    terminations.override(session, made, reason="The account is being abused.", now=NOW)
    assert standing(session, user, zone=ZONE, now=NOW).decision is Decision.BLOCK
    assert effects.take_effect(session, made, now=NOW)
    owed = [(notice.purpose, notice.status) for notice in notices(session)]
    assert owed == [
        (Purpose.TERMINATION_NOTICE, NoticeStatus.OWED),
        (Purpose.TERMINATION_EFFECTIVE, NoticeStatus.OWED),
    ]


def test_a_proof_after_an_override_does_not_put_the_end_off(session: Session) -> None:
    made = terminate(session, add_user(session), effective_at=NOW)
    terminations.override(session, made, reason="The account is being abused.", now=NOW)
    assert proven(session, made, at=NOW + 9 * DAY).takes_effect_at == NOW


def test_an_override_needs_a_reason_and_something_to_override(session: Session) -> None:
    made = terminate(session, add_user(session))
    with pytest.raises(InvalidInput, match="Give the reason for the override"):
        terminations.override(session, made, reason=" ", now=NOW)
    proven(session, made)
    with pytest.raises(Conflict, match="Termination 1 needs no override: its effect is fixed for 2026-03-02"):
        terminations.override(session, made, reason="Why not.", now=NOW)
    own = terminate(session, add_user(session, "bob"), USER)
    with pytest.raises(Conflict, match="needs no override"):
        terminations.override(session, own, reason="Why not.", now=NOW)


# -- undone --------------------------------------------------------------------------------------------------------


def test_who_was_not_told_yet_hears_nothing_of_a_termination_taken_back(session: Session) -> None:
    made = terminate(session, add_user(session))
    terminations.rescind(session, made, reason="A mistake.", now=NOW + DAY)
    [notice] = notices(session)
    assert (notice.status, notice.reason) == (NoticeStatus.CANCELLED, "the termination was rescinded")
    assert (made.rescinded_at, made.undo_reason) == (NOW + DAY, "A mistake.")


@pytest.mark.parametrize(
    ("status", "doubts", "told"),
    [
        (NoticeStatus.OWED, 0, False),
        (NoticeStatus.DEFERRED, 0, False),
        (NoticeStatus.FAILED, 0, False),
        (NoticeStatus.SENDING, 0, True),
        (NoticeStatus.SENT, 0, True),
        (NoticeStatus.UNKNOWN, 1, True),
        (NoticeStatus.DEFERRED, 1, True),
        (NoticeStatus.FAILED, 1, True),
    ],
)
def test_whoever_may_have_been_told_is_told_that_it_was_taken_back(session, status, doubts, told) -> None:
    made = terminate(session, add_user(session))
    [notice] = notices(session)
    notice.status, notice.doubts = status, doubts
    session.flush()
    terminations.rescind(session, made, reason="A mistake.", now=NOW)
    assert len(notices(session, Purpose.TERMINATION_RESCINDED)) == told


def test_a_termination_that_was_taken_back_never_takes_effect(session: Session) -> None:
    made = announced(session)
    terminations.rescind(session, made, reason="A mistake.", now=DUE - TICK)
    session.flush()
    assert (effects.due(session, now=DUE), effects.next_effect(session)) == ([], None)
    assert not effects.take_effect(session, made, now=DUE)


def test_a_proof_that_comes_after_the_withdrawal_starts_nothing(session: Session) -> None:
    made = terminate(session, add_user(session))
    terminations.rescind(session, made, reason="A mistake.", now=NOW)
    session.flush()
    assert proven(session, made, at=NOW + DAY).takes_effect_at is None


def test_from_its_instant_on_a_termination_is_not_rescinded_but_the_user_reinstated(session: Session) -> None:
    made = announced(session)
    with pytest.raises(Conflict, match="is not in effect yet; rescind it instead"):
        terminations.reinstate(session, made, reason="Appeal.", now=DUE - TICK)
    with pytest.raises(Conflict, match=r"is in effect since 2026-03-07 09:00 UTC; reinstate the user"):
        terminations.rescind(session, made, reason="Appeal.", now=DUE)
    terminations.reinstate(session, made, reason="Appeal.", now=DUE)  # though no job has put the effect on record
    assert (made.took_effect_at, made.reinstated_at, made.undo_reason) == (DUE, DUE, "Appeal.")
    assert [notice.purpose for notice in notices(session)] == [Purpose.TERMINATION_NOTICE, Purpose.REINSTATED]
    assert effects.due(session, now=DUE) == []


def test_reinstating_keeps_the_effect_on_record_and_cancels_mail_that_is_untrue_now(session: Session) -> None:
    made = announced(session)
    effects.take_effect(session, made, now=DUE)
    terminations.reinstate(session, made, reason="Appeal.", now=DUE + DAY)
    assert made.took_effect_at == DUE
    stand = {notice.purpose: notice.status for notice in notices(session)}
    assert stand[Purpose.TERMINATION_EFFECTIVE] is NoticeStatus.CANCELLED
    assert stand[Purpose.REINSTATED] is NoticeStatus.OWED


@pytest.mark.parametrize("verb", ["rescinded", "reinstated"])
def test_what_was_undone_stays_undone(session: Session, verb: str) -> None:
    made = announced(session)
    if verb == "rescinded":
        terminations.rescind(session, made, reason="A mistake.", now=NOW)
    else:
        terminations.reinstate(session, made, reason="Appeal.", now=DUE)
    for again in (terminations.rescind, terminations.reinstate, terminations.override):
        with pytest.raises(Conflict, match=f"Termination 1 was {verb} at"):
            again(session, made, reason="Again.", now=DUE + DAY)


@pytest.mark.parametrize(("undo", "at"), [(terminations.rescind, NOW), (terminations.reinstate, DUE)])
def test_undoing_needs_a_reason(session: Session, undo, at) -> None:
    made = announced(session)
    with pytest.raises(InvalidInput, match="Give the reason; it stands in the notice to the user"):
        undo(session, made, reason="\n", now=at)
    assert (made.rescinded_at, made.reinstated_at) == (None, None)


# -- by inactivity -------------------------------------------------------------------------------------------------


def test_any_use_takes_a_termination_by_inactivity_back(session: Session) -> None:
    user = add_user(session)
    made = terminate(session, user, INACTIVITY, notice_days=5)
    assert terminations.cancel_inactivity(session, user, activity_at=NOW + DAY, now=NOW + DAY)
    assert (made.rescinded_at, made.undo_reason) == (NOW + DAY, "The service was used again.")
    assert not terminations.cancel_inactivity(session, user, activity_at=NOW + DAY, now=NOW + DAY)


def test_use_at_the_instant_of_the_effect_or_later_comes_too_late(session: Session) -> None:
    user = add_user(session)
    made = proven(session, terminate(session, user, INACTIVITY, notice_days=5))
    for at in (DUE, DUE + DAY):
        assert not terminations.cancel_inactivity(session, user, activity_at=at, now=at)
    effects.take_effect(session, made, now=DUE)
    assert terminations.cancel_inactivity(session, user, activity_at=DUE - TICK, now=DUE + DAY)
    assert (made.reinstated_at, made.rescinded_at) == (DUE + DAY, None)


def test_what_a_provider_or_the_user_decided_is_not_undone_by_use(session: Session) -> None:
    for name, by in (("ada", PROVIDER), ("bob", USER)):
        user = add_user(session, name)
        terminate(session, user, by, effective_at=DUE)
        assert not terminations.cancel_inactivity(session, user, activity_at=NOW, now=NOW)
