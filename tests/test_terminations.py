"""The end of a user's access is decided: with grounds that bound, once, and in effect only after proof and period."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, select

from lifecycle import announcing, effects, history, terminations, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.errors import AssentError, Conflict, InvalidInput, NotFound, RuleRefused
from lifecycle.models import Ground, Notice, Termination, User
from lifecycle.notices import outbox
from lifecycle.states import EngagementKind, Initiator, NoticeStatus, Purpose
from lifecycle.terminations import Cause
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, engage, published_terms

PROVIDER, USER, INACTIVITY = Initiator


def terminate(session: Session, user: User, by: Initiator = PROVIDER, *, now: datetime = NOW, **facts: Any):
    named = {name: facts.pop(name) for name in Cause.__dataclass_fields__ if name in facts}
    cause = Cause(**{"initiated_by": by, "reason": "Spam.", **named})
    return terminations.terminate(session, user, cause, zone=ZONE, now=now, **facts)


def proven(session: Session, made: Termination, *, at: datetime = NOW) -> Termination:
    announcing.sent(session, made.id, sent_at=at, zone=ZONE, now=at)
    session.refresh(made)
    return made


def notices(session: Session, purpose: Purpose | None = None) -> list[Notice]:
    return outbox.notices(session, purpose=purpose)


# -- decided -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [PROVIDER, INACTIVITY])
def test_a_termination_that_is_not_the_users_own_waits_for_the_proof_of_its_notice(session, by) -> None:
    made = terminate(session, add_user(session), by, notice_days=5)
    assert (made.effective_at, made.takes_effect_at) == (NOW + 5 * DAY, None)
    assert effects.due(session, now=NOW + 400 * DAY) == []
    assert not effects.take_effect(session, made, now=NOW + 400 * DAY)
    [notice] = notices(session)
    assert (notice.purpose, notice.status, notice.due_at) == (Purpose.TERMINATION_NOTICE, NoticeStatus.OWED, NOW)


@pytest.mark.parametrize(
    ("effective_at", "sent", "takes_effect"),
    [(None, 0 * DAY, 5 * DAY), (None, 3 * DAY, 8 * DAY), (9 * DAY, 3 * DAY, 9 * DAY), (6 * DAY, 3 * DAY, 8 * DAY)],
    ids=["at once", "late", "late but long before", "late and too close"],
)
def test_it_takes_effect_after_proof_and_period_and_not_before_its_date(
    session, effective_at, sent, takes_effect
) -> None:
    date = NOW + effective_at if effective_at else None
    made = terminate(session, add_user(session), notice_days=5, effective_at=date)
    assert proven(session, made, at=NOW + sent).takes_effect_at == NOW + takes_effect


def test_a_notice_that_leaves_later_begins_its_period_later(session: Session) -> None:
    made = terminate(session, add_user(session), notice_days=5, notice_at=NOW + 2 * DAY)
    assert made.effective_at == NOW + 7 * DAY
    assert notices(session)[0].due_at == NOW + 2 * DAY


@pytest.mark.parametrize(("effective_at", "ends"), [(None, NOW), (NOW + 9 * DAY, NOW + 9 * DAY)])
def test_a_user_leaves_when_they_say_and_is_told_all_the_same(session, effective_at, ends) -> None:
    made = terminate(session, add_user(session), USER, reason="I leave.", effective_at=effective_at)
    assert made.takes_effect_at == ends
    assert [notice.purpose for notice in notices(session)] == [Purpose.TERMINATION_NOTICE]


def test_grounds_are_kept_and_history_holds_no_words_about_the_person(session: Session) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    engage(session, user, version, EngagementKind.ACCEPTED)
    made = terminate(session, user, grounds=[("terms", "1"), ("terms", "Use")], reason="Ada spams.", facts="12 mails")
    assert len(session.exec(select(Ground)).all()) == 1
    [entry] = history.of(session, "termination", made.id)
    assert (entry.actor, entry.verb) == ("staff", "decided")
    assert "Ada" not in entry.entry
    assert "mails" not in entry.entry


REFUSED: list[tuple[dict[str, Any], type[AssentError], str]] = [
    ({"reason": " "}, InvalidInput, "Give the reason; it stands in the notice"),
    ({"notice_days": -1}, InvalidInput, "notice_days is -1; it must lie between 0 and 3650"),
    ({"notice_days": 3651}, InvalidInput, "notice_days is 3651"),
    ({"notice_at": NOW - TICK}, InvalidInput, "notice_at .* lies in the past"),
    ({"effective_at": NOW - TICK}, InvalidInput, "effective_at .* lies in the past"),
    ({"regime": "moon"}, InvalidInput, "Regime 'moon' is not known"),
    ({"regime": "eu-p2b", "notice_days": 29}, RuleRefused, r"30 days of notice \(here 29\)"),
    (
        {"regime": "eu-dsa-17", "facts": "12 mails"},
        RuleRefused,
        "asks for: the clauses it rests on, how to challenge it",
    ),
    ({"grounds": [("terms", "99")]}, InvalidInput, "Version 1 of 'terms', which binds user 'ada', has no section '99'"),
    ({"grounds": [("privacy", "1")]}, RuleRefused, "No version of 'privacy' binds user 'ada'"),
    ({"grounds": [("rules", "1")]}, NotFound, "There is no document 'rules'"),
]


@pytest.mark.parametrize(("facts", "error", "message"), REFUSED)
def test_what_cannot_stand_is_refused_and_leaves_nothing_behind(sqlite: Database, facts, error, message) -> None:
    def bound_to_terms_alone(session: Session) -> None:
        _, version = published_terms(session)
        engage(session, add_user(session), version, EngagementKind.ACCEPTED)
        store.create_document(session, "privacy", title="Privacy", now=NOW)

    sqlite.run(bound_to_terms_alone)
    with pytest.raises(error, match=message):
        sqlite.run(lambda s: terminate(s, users.user(s, "ada"), **facts))
    assert sqlite.read(lambda s: (list(s.exec(select(Termination))), list(s.exec(select(Notice))))) == ([], [])


def test_a_regime_is_overridden_with_a_reason_that_stays_with_the_termination(session: Session) -> None:
    made = terminate(session, add_user(session), regime="eu-p2b", override_reason="a court order")
    assert made.override_reason == "a court order"
    assert made.takes_effect_at is None  # the proof of notice is not a matter of the regime


def test_a_regime_asks_nothing_of_a_user_who_leaves(session: Session) -> None:
    assert terminate(session, add_user(session), USER, regime="eu-dsa-17").takes_effect_at == NOW


def test_there_is_one_termination_at_a_time(session: Session) -> None:
    user = add_user(session)
    made = terminate(session, user)
    with pytest.raises(Conflict, match="Termination 1 of user 'ada' is under way; rescind or reinstate it first"):
        terminate(session, user, USER)
    terminations.rescind(session, made, reason="A mistake.", now=NOW)
    second = terminate(session, user, USER)
    effects.take_effect(session, second, now=NOW)
    with pytest.raises(Conflict, match="Termination 2 of user 'ada' is in effect"):
        terminate(session, user)


def test_of_many_who_end_one_users_access_at_once_only_the_first_does(sqlite: Database) -> None:
    sqlite.run(add_user)
    together = Barrier(4)

    def attempt(_: int) -> str:
        together.wait()
        try:
            sqlite.run(lambda s: terminate(s, users.user(s, "ada")))
        except Conflict:
            return "conflict"
        return "decided"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == ["conflict", "conflict", "conflict", "decided"]
    assert len(sqlite.read(notices)) == 1


def test_a_decision_that_comes_between_our_look_and_our_own_makes_ours_a_conflict(two_processes) -> None:
    ours, theirs = two_processes
    ours.run(add_user)

    def come_first(_, __, statement, *___) -> None:
        if statement.startswith("INSERT INTO terminations"):
            theirs.run(lambda s: terminate(s, users.user(s, "ada"), USER))

    event.listen(ours.engine, "before_cursor_execute", come_first)
    with pytest.raises(Conflict, match="A termination of user 'ada' was decided a moment ago"):
        ours.run(lambda s: terminate(s, users.user(s, "ada")))
    [made] = theirs.read(lambda s: s.exec(select(Termination)).all())
    assert made.initiated_by is USER


def test_terminations_are_found_by_number_and_by_user(session: Session) -> None:
    user = add_user(session)
    with pytest.raises(NotFound, match="User 'ada' has no termination"):
        terminations.latest(session, user)
    with pytest.raises(NotFound, match="There is no termination 1"):
        terminations.termination(session, 1)
    first = terminate(session, user)
    terminations.rescind(session, first, reason="A mistake.", now=NOW)
    second = terminate(session, user)
    assert (terminations.latest(session, user), terminations.termination(session, first.id)) == (second, first)
