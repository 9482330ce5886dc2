"""Binding by continued use: only who was told, only of a version in force, and only by use after both."""

from datetime import datetime

import pytest
from sqlmodel import Session

from lifecycle import deeming, ledger
from lifecycle.models import Engagement, User
from lifecycle.states import EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, TICK, add_user, bound_by, engage, next_version, published_terms, tell

K = EngagementKind


def use(session: Session, user: User, at: datetime, *, now: datetime | None = None) -> list[Engagement]:
    """What using the service at `at` puts on record."""
    before = {fact.id for fact in ledger.facts(session, user)}
    deeming.deem_by_use(session, {user.id: [at]}, now=now or at)
    return [fact for fact in ledger.facts(session, user) if fact.id not in before]


@pytest.mark.parametrize(
    ("told", "used", "binds"),
    [
        (None, 5 * DAY, False),
        (0 * DAY, 2 * DAY - TICK, False),
        (0 * DAY, 2 * DAY, True),
        (3 * DAY, 3 * DAY, False),
        (3 * DAY, 3 * DAY + TICK, True),
        (4 * DAY, 3 * DAY, False),
    ],
    ids=["never told", "before its effect", "at its effect", "as told", "once told", "told only later"],
)
def test_use_binds_who_was_told_before_once_the_version_is_in_force(session: Session, told, used, binds) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, version = add_user(session), next_version(session, Mode.CONTINUED_USE, effective_at=NOW + 2 * DAY)
    if told is not None:
        tell(session, user, version, at=NOW + told)
    made = use(session, user, NOW + used, now=NOW + 9 * DAY)
    assert [(fact.kind, fact.at, fact.activity_at) for fact in made] == (
        [(K.DEEMED_BY_USE, NOW + used, NOW + used)] if binds else []
    )
    assert (bound_by(session, user, at=NOW + 9 * DAY) == (2, K.DEEMED_BY_USE)) is binds


def test_further_use_adds_nothing(session: Session) -> None:
    _, version = published_terms(session, mode=Mode.CONTINUED_USE)
    user = add_user(session)
    tell(session, user, version)
    made = [use(session, user, NOW + n * HOUR, now=NOW + DAY) for n in (1, 2)]
    assert [len(facts) for facts in made] == [1, 0]


def test_use_binds_to_what_was_announced_last_and_to_nothing_before_it(session: Session) -> None:
    _, first = published_terms(session, mode=Mode.CONTINUED_USE)
    user, second = add_user(session), next_version(session, Mode.CONTINUED_USE)
    tell(session, user, first)
    assert use(session, user, NOW + HOUR, now=NOW + DAY) == []
    tell(session, user, second)
    [made] = use(session, user, NOW + HOUR, now=NOW + DAY)
    assert made.version_id == second.id


def test_an_editorial_change_does_not_keep_use_from_binding(session: Session) -> None:
    _, first = published_terms(session, mode=Mode.CONTINUED_USE)
    user = add_user(session)
    tell(session, user, first)
    next_version(session, Mode.EDITORIAL)
    use(session, user, NOW + HOUR, now=NOW + HOUR)
    assert bound_by(session, user, at=NOW + HOUR) == (2, K.DEEMED_BY_USE)


@pytest.mark.parametrize("mode", [Mode.NOTICE, Mode.SILENCE, Mode.EXPLICIT])
def test_use_binds_to_no_version_of_another_mode(session: Session, mode: Mode) -> None:
    _, version = published_terms(session, mode=mode)
    user = add_user(session)
    tell(session, user, version)
    assert use(session, user, NOW + HOUR, now=NOW + HOUR) == []


def test_use_does_not_bind_past_an_explicit_version_that_was_left_unanswered(session: Session) -> None:
    published_terms(session, mode=Mode.EXPLICIT)
    user, second = add_user(session), next_version(session, Mode.CONTINUED_USE)
    tell(session, user, second)
    assert use(session, user, NOW + HOUR, now=NOW + HOUR) == []
    engage(session, user, second, K.ACCEPTED, at=NOW + HOUR)
    assert use(session, user, NOW + DAY, now=NOW + DAY) == []
    assert bound_by(session, user, at=NOW + DAY) == (2, K.ACCEPTED)
