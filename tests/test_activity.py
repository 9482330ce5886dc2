"""The host says who used the service: in any order, late, or wrong in parts, and the record comes out the same."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import Session

from lifecycle import activity, announcing, effects, ledger, terminations, users
from lifecycle.activity import record
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.models import Termination
from lifecycle.states import EngagementKind, Initiator, Mode
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, bound_by, next_version, published_terms, tell


def ending(session: Session, *, proven: bool = True) -> Termination:
    """A termination of `ada` by inactivity, decided now, announced for five days from now."""
    user = add_user(session)
    users.touch(session, {user.id: NOW - 365 * DAY})
    cause = terminations.Cause(Initiator.INACTIVITY, "Not used for a year.")
    made = terminations.terminate(session, user, cause, notice_days=5, zone=ZONE, now=NOW)
    if proven:
        announcing.sent(session, made.id, sent_at=NOW, zone=ZONE, now=NOW)
    return made


def test_one_bad_entry_is_reported_and_the_rest_goes_on(database: Database) -> None:
    def report(session: Session) -> activity.ActivityReport:
        add_user(session, "ada"), add_user(session, "bob")
        naive = datetime(2026, 3, 1)  # noqa: DTZ001
        seen = [("ada", NOW), ("nobody", NOW), ("bob", naive), ("bob", NOW + TICK), ("bob", NOW)]
        return record(session, seen, now=NOW)

    found = database.run(report)
    assert (found.recorded, found.bound) == (2, 0)
    assert [name for name, _ in found.problems] == ["nobody", "bob", "bob"]
    reasons = ["There is no user 'nobody'", "at '2026-03-01T00:00:00' has no time zone", "lies in the future"]
    assert all(reason in why for reason, (_, why) in zip(reasons, found.problems, strict=True))
    assert database.read(users.user, "bob").last_activity_at == NOW


@given(ages=st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_last_use_is_the_latest_in_whatever_order_it_is_reported(sqlite: Database, ages: list[int]) -> None:
    instants = [NOW - timedelta(seconds=age) for age in ages]

    def report(session: Session) -> datetime | None:
        user = add_user(session, f"u{users.count(session)}")
        record(session, [(user.external_id, at) for at in instants], now=NOW)
        return user.last_activity_at

    assert sqlite.run(report) == max(instants)


def test_use_after_being_told_binds_once(session: Session) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, version = add_user(session), next_version(session, Mode.CONTINUED_USE)
    tell(session, user, version)
    seen = [("ada", NOW), ("ada", NOW + DAY), ("ada", NOW + 2 * DAY)]
    assert record(session, seen, now=NOW + 2 * DAY).bound == 1
    assert record(session, seen, now=NOW + 2 * DAY).bound == 0
    assert bound_by(session, user, at=NOW + DAY - TICK) is None
    assert bound_by(session, user, at=NOW + DAY) == (2, EngagementKind.DEEMED_BY_USE)


def test_use_that_became_known_late_still_binds_from_its_own_instant(session: Session) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, version = add_user(session), next_version(session, Mode.CONTINUED_USE)
    tell(session, user, version)
    record(session, [("ada", NOW + DAY)], now=NOW + 30 * DAY)
    assert bound_by(session, user, at=NOW + DAY) == (2, EngagementKind.DEEMED_BY_USE)


def test_a_batch_in_any_order_binds_to_each_version_from_the_first_use_after_it(session: Session) -> None:
    published_terms(session, mode=Mode.NOTICE)
    user, second = add_user(session), next_version(session, Mode.CONTINUED_USE)
    third = next_version(session, Mode.CONTINUED_USE, effective_at=NOW + 5 * DAY)
    tell(session, user, second), tell(session, user, third)
    seen = [("ada", NOW + n * DAY) for n in (7, 2, 6, 1, 3)]
    assert record(session, seen, now=NOW + 9 * DAY).bound == 2
    assert [(fact.version_id, fact.at) for fact in ledger.facts(session, user) if fact.activity_at] == [
        (second.id, NOW + DAY),
        (third.id, NOW + 6 * DAY),
    ]


def test_without_an_instant_use_is_now(session: Session) -> None:
    user = add_user(session)
    assert record(session, [("ada", None)], now=NOW).problems == []
    assert user.last_activity_at == NOW


def test_a_batch_takes_as_many_statements_however_many_users_it_is_about(database: Database) -> None:
    def told(session: Session, names: list[str]) -> None:
        version = store.version(session, store.document(session, "terms"), 2)
        for name in names:
            tell(session, add_user(session, name), version)

    def statements(names: list[str]) -> int:
        database.run(told, names)
        ran: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *args: ran.append(args[2]))
        assert database.run(record, [(name, None) for name in names], now=NOW + DAY).bound == len(names)
        return len(ran)

    database.run(lambda s: (published_terms(s, mode=Mode.NOTICE), next_version(s, Mode.CONTINUED_USE)))
    assert statements([f"few{n}" for n in range(2)]) == statements([f"many{n}" for n in range(60)])


# -- termination by inactivity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("proven", [True, False], ids=["announced", "waiting"])
def test_any_use_ends_a_termination_by_inactivity(session: Session, proven: bool) -> None:
    made = ending(session, proven=proven)
    assert record(session, [("ada", NOW + DAY)], now=NOW + DAY).problems == []
    assert (made.rescinded_at, made.undo_reason) == (NOW + DAY, terminations.USED_AGAIN)


def test_use_from_the_instant_of_the_effect_on_comes_too_late(session: Session) -> None:
    made = ending(session)
    assert record(session, [("ada", NOW + 5 * DAY), ("ada", NOW + 9 * DAY)], now=NOW + 9 * DAY).problems == []
    assert (made.rescinded_at, made.reinstated_at) == (None, None)


def test_use_before_the_effect_counts_though_it_is_reported_after_it_and_before_the_job(session: Session) -> None:
    made = ending(session)
    assert record(session, [("ada", NOW + 5 * DAY - TICK)], now=NOW + 9 * DAY).problems == []
    assert (made.rescinded_at, made.reinstated_at) == (None, NOW + 9 * DAY)


def test_use_before_the_effect_that_is_reported_after_it_gives_access_back(session: Session) -> None:
    made = ending(session)
    effects.take_effect(session, made, now=NOW + 5 * DAY)
    record(session, [("ada", NOW + DAY)], now=NOW + 6 * DAY)
    assert (made.rescinded_at, made.reinstated_at) == (None, NOW + 6 * DAY)


def test_use_before_the_decision_counts_if_it_was_not_known_then(session: Session) -> None:
    made = ending(session)
    record(session, [("ada", NOW - 365 * DAY), ("ada", NOW - 400 * DAY)], now=NOW)
    assert made.rescinded_at is None
    record(session, [("ada", NOW - DAY)], now=NOW)
    assert made.rescinded_at == NOW


def test_use_does_not_undo_what_somebody_decided(session: Session) -> None:
    for name, by in (("ada", Initiator.PROVIDER), ("bob", Initiator.USER)):
        cause = terminations.Cause(by, "Enough.")
        terminations.terminate(session, add_user(session, name), cause, notice_days=5, zone=ZONE, now=NOW)
    record(session, [("ada", NOW + DAY), ("bob", NOW + DAY)], now=NOW + DAY)
    assert [terminations.latest(session, users.user(session, n)).rescinded_at for n in ("ada", "bob")] == [None, None]
