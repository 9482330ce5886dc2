"""How long telling everyone takes, day by day, and what would have to move when it takes too long."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from lifecycle import terminations
from lifecycle.db import Database
from lifecycle.documents import planning, store
from lifecycle.documents.planning import MailPlan, Unreached
from lifecycle.documents.publishing import Publication, Rehearsal, publish, rehearse
from lifecycle.errors import RuleRefused
from lifecycle.models import Version
from lifecycle.notices.campaigns import ACCESS_ENDED
from lifecycle.notices.outbox import NO_ADDRESS
from lifecycle.states import Initiator, Mode, answer_deadline
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, ZONE, add_user, published_terms


def draft(session: Session, *, people: int = 0) -> Version:
    document, _ = published_terms(session)
    for number in range(people):
        add_user(session, f"u{number}")
    return store.draft_version(session, document, {"en": "# Terms\n\nNew.\n"}, now=NOW)


def tried(session: Session, publication: Publication, *, per_hour: int = 0) -> Rehearsal:
    return rehearse(session, session.get_one(Version, 2), publication, per_hour=per_hour, zone=ZONE, now=NOW)


def test_the_plan_says_how_many_mails_leave_on_each_day_of_the_operators_zone(sqlite: Database) -> None:
    sqlite.run(draft, people=40)  # from 10:00 in Berlin, so 14 hours are left of the first day
    found = sqlite.read(tried, Publication(Mode.NOTICE), per_hour=1)
    assert [(day.day.day, day.mails) for day in found.plan] == [(2, 14), (3, 24), (4, 2)]
    assert (found.first_mail_at, found.last_mail_at) == (NOW, NOW + 39 * HOUR)


@given(
    st.integers(0, 10**6),
    st.integers(1, 10**5),
    st.integers(0, 60 * 24 * 30).map(lambda minutes: NOW + timedelta(minutes=minutes)),
)
def test_the_days_hold_every_mail_once(mails: int, per_hour: int, begins_at: datetime) -> None:
    plan = MailPlan(mails, begins_at, begins_at + max(mails - 1, 0) * HOUR / per_hour, per_hour, 0)
    days = plan.days(ZONE)
    if mails <= per_hour * 24 * 300:
        assert sum(day.mails for day in days) == mails
    assert all(day.mails > 0 for day in days[1:])
    assert [day.day for day in days] == [begins_at.astimezone(ZONE).date() + n * DAY for n in range(len(days))]


def test_without_a_rate_all_leaves_at_once(sqlite: Database) -> None:
    sqlite.run(draft, people=3)
    found = sqlite.read(tried, Publication(Mode.NOTICE, notify_at=NOW + DAY, effective_at=NOW + 9 * DAY))
    assert [(day.day, day.mails) for day in found.plan] == [(date(2026, 3, 3), 3)]
    assert found.last_mail_at == NOW + DAY


def test_a_rollout_under_way_is_counted_in(sqlite: Database) -> None:
    def another(session: Session) -> None:
        draft(session, people=3)
        document = store.create_document(session, "privacy", title="Privacy", now=NOW)
        version = store.draft_version(session, document, {"en": "New."}, now=NOW)
        publish(session, version, Publication(Mode.NOTICE, effective_at=NOW + DAY), zone=ZONE, now=NOW)

    sqlite.run(another)
    assert sqlite.read(tried, Publication(Mode.NOTICE), per_hour=1).last_mail_at == NOW + 5 * HOUR


def test_whoever_cannot_be_told_is_counted_and_named_with_the_reason(database: Database) -> None:
    def people(session: Session) -> None:
        draft(session, people=1)
        add_user(session, "silent", email="")
        add_user(session, "chatter", email="", discord_id="1")
        leaver = add_user(session, "leaver")
        cause = terminations.Cause(Initiator.USER, "Goodbye.")
        terminations.terminate(session, leaver, cause, effective_at=NOW, zone=ZONE, now=NOW)

    database.run(people)
    found = database.read(tried, Publication(Mode.NOTICE))
    assert (found.by_email, found.by_discord, found.unreachable) == (1, 1, 2)
    assert found.reasons == {NO_ADDRESS: 1, ACCESS_ENDED: 1}
    assert found.unreached == [Unreached("silent", NO_ADDRESS), Unreached("leaver", ACCESS_ENDED)]
    [(first, _)] = database.read(planning.unreached, limit=1, now=NOW)
    assert [who.user for _, who in database.read(planning.unreached, after=first, now=NOW)] == ["leaver"]


def test_who_is_not_announced_to_is_neither_told_nor_unreachable(sqlite: Database) -> None:
    sqlite.run(draft, people=2)
    found = sqlite.read(tried, Publication(Mode.EDITORIAL), per_hour=1)
    assert (found.by_email, found.unreachable, found.plan, found.last_mail_at) == (0, 0, [], NOW)


# -- too late ------------------------------------------------------------------------------------------------------


def test_a_deadline_before_the_last_mail_is_refused_with_what_would_do(sqlite: Database) -> None:
    def attempt(session: Session) -> None:
        publish(session, session.get_one(Version, 2), late, per_hour=1, zone=ZONE, now=NOW)

    sqlite.run(draft, people=100)  # the last mail leaves 99 hours on
    late = Publication(Mode.EXPLICIT, deadline_days=2)
    with pytest.raises(RuleRefused) as refused:
        sqlite.run(attempt)
    assert str(refused.value) == (
        "The last mail leaves at 2026-03-06T12:00+00:00, after the deadline 2026-03-04T09:00+00:00; 51 users would be "
        "told too late. Any of these would do: deadline_days 5; effective_at 2026-03-04T12:00+00:00 or later; "
        "a relay that takes 3 mails an hour (ASSENT_RELAY_PER_HOUR, now 1)."
    )
    found = sqlite.read(tried, late, per_hour=1)
    assert found.refusal == str(refused.value)
    assert sqlite.read(lambda s: s.get_one(Version, 2).published_at) is None


@pytest.mark.parametrize(
    "moved",
    [
        (Publication(Mode.EXPLICIT, deadline_days=5), 1),
        (Publication(Mode.EXPLICIT, deadline_days=2, effective_at=NOW + 51 * HOUR), 1),
        (Publication(Mode.EXPLICIT, deadline_days=2), 3),
        (Publication(Mode.NOTICE), 1),
        (Publication(Mode.EXPLICIT, deadline_days=2, notify=False), 1),
    ],
)
def test_each_of_them_does(sqlite: Database, moved: tuple[Publication, int]) -> None:
    publication, per_hour = moved
    sqlite.run(draft, people=100)
    assert sqlite.read(tried, publication, per_hour=per_hour).refusal == ""


def test_a_rollout_put_off_past_the_deadline_is_told_to_begin_earlier(sqlite: Database) -> None:
    sqlite.run(draft, people=5)
    late = Publication(Mode.EXPLICIT, deadline_days=3, effective_at=NOW + 9 * DAY, notify_at=NOW + 8 * DAY)
    refusal = sqlite.read(tried, late, per_hour=0).refusal
    assert refusal == ""
    slow = sqlite.read(lambda s: planning.plan_mails(s, 200, begins_at=NOW + 8 * DAY, per_hour=1, now=NOW))
    facts: dict[str, Any] = {"effective_at": NOW + 9 * DAY, "earliest": NOW, "zone": ZONE}
    assert "notify_at 2026-03-06T01:59+00:00 or before" in planning.too_late(slow, Mode.EXPLICIT, 3, **facts)


@given(
    st.sampled_from([Mode.EXPLICIT, Mode.SILENCE]),
    st.integers(1, 60),
    st.integers(0, 60 * 24),
    st.integers(2, 3000),
    st.integers(1, 20),
)
def test_what_the_refusal_names_is_enough(mode: Mode, days: int, until: int, mails: int, per_hour: int) -> None:
    effective_at = NOW + until * HOUR
    plan = MailPlan(mails, NOW, NOW + (mails - 1) * HOUR / per_hour, per_hour, 0)
    said = planning.too_late(plan, mode, days, effective_at=effective_at, earliest=NOW, zone=ZONE)
    due = answer_deadline(mode, effective_at, NOW, days, ZONE)
    assert bool(said) == (plan.ends_at > due)
    if not said:
        return
    longer = int(said.split("deadline_days ")[1].split(";")[0])
    later = datetime.fromisoformat(said.split("effective_at ")[1].split(" or")[0])
    faster = int(said.split("a relay that takes ")[1].split()[0])
    assert answer_deadline(mode, effective_at, NOW, longer, ZONE) >= plan.ends_at
    assert answer_deadline(mode, effective_at, NOW, longer - 1, ZONE) < plan.ends_at
    assert answer_deadline(mode, later, NOW, days, ZONE) >= plan.ends_at
    assert NOW + (mails - 1) * HOUR / faster <= due


def test_users_who_would_get_less_than_the_notice_period_are_warned_of(sqlite: Database) -> None:
    sqlite.run(draft, people=49)
    found = sqlite.read(tried, Publication(Mode.NOTICE, notice_days=14), per_hour=1)
    assert found.warnings == [
        "Not everyone is told 14 days ahead; "
        "effective_at 2026-03-18T09:00+00:00 or later would give all the whole period."
    ]
    assert timedelta(days=14) == found.effective_at - NOW
