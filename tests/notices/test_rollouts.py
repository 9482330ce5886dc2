"""A roll-out as staff steer it: held, resumed or cancelled at once, each written down, and no termination waits."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from lifecycle import engagements, history, jobs, standing, terminations, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish, withdraw
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Campaign, Notice, Version
from lifecycle.notices import campaigns, claiming, outbox, rollouts
from lifecycle.notices.rollouts import Rollout
from lifecycle.states import Channel, Decision, Initiator, Mode, NoticeStatus, Purpose, RolloutState
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, ZONE, add_user, next_version, published_terms

S, R = NoticeStatus, RolloutState
IN_FORCE = NOW + 30 * DAY
LATER = NOW + HOUR


def begin(session: Session, *, people: int = 4, mode: Mode = Mode.NOTICE, planned: bool = True) -> Campaign:
    """Version 2 of `terms` is published, and so many users are owed the news."""
    document, _ = published_terms(session)
    for number in range(people):
        add_user(session, f"u{number}")
    version = store.draft_version(session, document, {"en": "# Terms\n\nNew.\n"}, now=NOW)
    publish(session, version, Publication(mode, effective_at=IN_FORCE, deadline_days=9), zone=ZONE, now=NOW)
    if planned:
        plan(session)
    return session.exec(select(Campaign)).one()


def plan(session: Session, /, *, now: datetime = NOW, **facts: Any) -> int:
    return sum(campaigns.plan_chunk(session, c, now=now, **facts) for c in campaigns.open_campaigns(session, now=now))


def steer(session: Session, /, what: Callable[..., Any], **facts: Any) -> None:
    what(session, session.exec(select(Campaign)).one(), **{"now": LATER, **facts})


def seen(database: Database, *, per_hour: int = 0, now: datetime = LATER) -> Rollout:
    return database.read(lambda s: rollouts.look(s, s.exec(select(Campaign)).one(), per_hour=per_hour, now=now))


def statuses(database: Database) -> list[str]:
    return [notice.status.value for notice in database.read(outbox.notices)]


def verbs(database: Database) -> list[str]:
    return [entry.verb for entry in database.read(history.of, "campaign", 1)]


def stand(session: Session, /, number: int, status: NoticeStatus, **facts: Any) -> Notice:
    """Notice `number` has come so far."""
    notice = outbox.notice(session, number)
    for name, value in {"status": status, **facts}.items():
        setattr(notice, name, value)
    return notice


# -- hold and go on ------------------------------------------------------------------------------------------------


def test_a_paused_rollout_holds_what_is_owed_and_resumed_it_owes_it_again(database: Database) -> None:
    database.run(begin)
    database.run(lambda s: (stand(s, 1, S.SENT), stand(s, 2, S.SENDING), stand(s, 3, S.DEFERRED)))
    database.run(steer, rollouts.pause)
    assert statuses(database) == ["sent", "sending", "held", "held"]
    assert database.read(outbox.next_due) is None
    assert database.read(outbox.take_due, Channel.EMAIL, limit=9, now=IN_FORCE) == []
    assert seen(database).state is R.PAUSED
    database.run(steer, rollouts.resume)
    assert statuses(database) == ["sent", "sending", "owed", "owed"]
    assert (seen(database).state, seen(database).waiting) == (R.RUNNING, 3)
    assert verbs(database) == ["planned", "paused", "resumed"]


def test_a_paused_rollout_plans_nobody_and_who_joined_meanwhile_is_told_once_it_goes_on(database: Database) -> None:
    database.run(begin, people=1)
    database.run(steer, rollouts.pause)
    database.run(add_user, "newcomer")
    assert database.run(plan, now=LATER) == 0
    assert database.read(campaigns.next_due) is None
    database.run(steer, rollouts.resume)
    assert database.run(plan, now=LATER) == 1
    assert statuses(database) == ["owed", "owed"]


def test_a_termination_notice_passes_a_paused_rollout(database: Database, make_settings) -> None:
    def end(session: Session) -> None:
        begin(session)
        cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
        terminations.terminate(session, users.user(session, "u0"), cause, zone=ZONE, now=NOW)
        steer(session, rollouts.pause)

    database.run(end)
    taken = database.run(claiming.claim, limit=9, settings=make_settings(), now=LATER)
    purposes = [database.read(outbox.notice, handover.notice_id).purpose for handover in taken]
    assert purposes == [Purpose.TERMINATION_NOTICE]


def test_what_the_relay_put_off_since_the_pause_is_held_with_the_next_sweep(sqlite: Database, make_settings) -> None:
    sqlite.run(begin, people=1)
    sqlite.run(stand, 1, S.SENDING)
    sqlite.run(steer, rollouts.pause)
    sqlite.run(stand, 1, S.DEFERRED)
    jobs.run_jobs(jobs.IN_SWEEPS, sqlite, make_settings(), LATER)
    assert statuses(sqlite) == ["held"]


@pytest.mark.parametrize("purpose", [Purpose.VERSION_PUBLISHED, Purpose.ACCEPTANCE_REMINDER])
def test_what_comes_to_be_owed_in_a_pause_is_held_from_the_first(sqlite: Database, purpose: Purpose) -> None:
    def fall_back(session: Session) -> Notice:
        campaign = begin(session, people=1)
        steer(session, rollouts.pause)
        facts: dict[str, Any] = {"channel": Channel.DISCORD, "version_id": campaign.version_id, "now": LATER}
        return outbox.owe(session, purpose, "version:2:7d", user=users.user(session, "u0"), **facts)

    assert sqlite.run(fall_back).status is S.HELD


def test_mails_with_a_place_in_the_relays_hour_take_the_next_free_ones_when_the_rollout_goes_on(
    database: Database,
) -> None:
    database.run(begin, people=6, planned=False)
    database.run(plan, per_hour=2)
    assert [n.due_at for n in database.read(outbox.notices)] == [NOW, NOW + HOUR / 2, NOW + HOUR]
    database.run(stand, 1, S.SENT)
    database.run(steer, rollouts.pause, now=NOW + HOUR / 4)
    database.run(steer, rollouts.resume, now=NOW + 5 * HOUR)
    moved = [n.due_at for n in database.read(outbox.notices, status=S.OWED)]
    assert moved == [NOW + 5.25 * HOUR, NOW + 5.75 * HOUR]
    database.run(plan, per_hour=2, now=NOW + 6 * HOUR)
    assert [n.due_at for n in database.read(outbox.notices)][3:] == [NOW + 6.25 * HOUR, NOW + 6.75 * HOUR]


def test_steering_twice_changes_nothing(sqlite: Database) -> None:
    sqlite.run(begin)
    for act in (rollouts.pause, rollouts.pause, rollouts.resume, rollouts.resume):
        sqlite.run(steer, act)
    for reason in ("A mistake.", "Another."):
        sqlite.run(steer, rollouts.cancel, reason=reason)
    assert verbs(sqlite) == ["planned", "paused", "resumed", "cancelled"]
    assert seen(sqlite).cancelled_reason == "A mistake."


# -- cancel --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paused", [False, True])
def test_a_cancelled_rollout_cancels_what_is_owed_and_keeps_what_left(database: Database, paused: bool) -> None:
    database.run(begin, people=6)
    database.run(lambda s: (stand(s, 1, S.SENT), stand(s, 2, S.SENDING), stand(s, 3, S.DEFERRED)))
    database.run(lambda s: (stand(s, 4, S.UNKNOWN, doubts=1), stand(s, 5, S.DEFERRED, doubts=1)))
    if paused:
        database.run(steer, rollouts.pause)
    database.run(steer, rollouts.cancel, reason="The text was wrong.")
    in_doubt = "owed" if paused else "deferred"  # perhaps handed over once: repeated once
    assert statuses(database) == ["sent", "sending", "cancelled", "unknown", in_doubt, "cancelled"]
    assert database.read(outbox.notice, 6).reason == "the roll-out was cancelled: The text was wrong."
    database.run(add_user, "newcomer")
    assert (database.run(plan, now=LATER), seen(database).state) == (0, R.CANCELLED)
    with pytest.raises(Conflict, match=r"was cancelled at .* .The text was wrong.*cannot be resumed"):
        database.run(steer, rollouts.resume)


def test_a_cancelled_notice_binds_nobody_and_no_deadline_runs(sqlite: Database) -> None:
    def judge(session: Session, now: datetime) -> tuple[Decision, object, list[object]]:
        user, document = users.user(session, "u0"), store.document(session, "terms")
        found = standing.standing(session, user, zone=ZONE, now=now)
        bound = engagements.bound(session, user, document, at=now)
        return found.decision, bound and bound.version.number, [item.due_by for item in found.documents]

    sqlite.run(begin, mode=Mode.EXPLICIT)
    sqlite.run(steer, rollouts.cancel, reason="No.")
    decision, bound, due = sqlite.read(judge, IN_FORCE + 100 * DAY)
    assert decision is not Decision.BLOCK
    assert bound is None
    assert due == [None]


def test_cancelling_needs_a_reason(sqlite: Database) -> None:
    sqlite.run(begin)
    with pytest.raises(InvalidInput, match="Give the reason"):
        sqlite.run(steer, rollouts.cancel, reason=" ")


def test_what_falls_back_on_another_channel_after_the_end_is_not_sent(sqlite: Database) -> None:
    def fall_back(session: Session) -> Notice:
        campaign = begin(session, people=1)
        steer(session, rollouts.cancel, reason="No.")
        user, about = users.user(session, "u0"), f"version:{campaign.version_id}"
        facts: dict[str, Any] = {"channel": Channel.DISCORD, "version_id": campaign.version_id, "now": LATER}
        return outbox.owe(session, Purpose.VERSION_PUBLISHED, about, user=user, **facts)

    assert sqlite.run(fall_back).status is S.CANCELLED


def test_a_withdrawn_version_is_rolled_out_no_further(sqlite: Database) -> None:
    def take_back(session: Session) -> None:
        campaign = begin(session)
        withdraw(session, session.get_one(Version, campaign.version_id), reason="Oops.", now=LATER)

    sqlite.run(take_back)
    assert statuses(sqlite) == ["cancelled"] * 4
    assert (seen(sqlite).state, sqlite.read(campaigns.next_due)) == (R.CANCELLED, None)


@pytest.mark.parametrize("act", [rollouts.pause, lambda *a, **k: rollouts.cancel(*a, reason="No.", **k)])
def test_a_rollout_that_is_through_cannot_be_stopped(sqlite: Database, act: Callable[..., None]) -> None:
    sqlite.run(begin, people=1)
    sqlite.run(stand, 1, S.SENT)
    sqlite.run(plan, now=IN_FORCE)
    with pytest.raises(Conflict, match="The roll-out is through"):
        sqlite.run(steer, act, now=IN_FORCE)


# -- start later ---------------------------------------------------------------------------------------------------


def test_a_version_published_without_a_word_can_be_rolled_out_later(sqlite: Database) -> None:
    def later(session: Session) -> None:
        published_terms(session), add_user(session)
        version = next_version(session, Mode.NOTICE)
        with pytest.raises(NotFound, match="Version 2 of 'terms' has no roll-out"):
            rollouts.campaign(session, version)
        for _ in range(2):
            rollouts.start(session, version, at=LATER, now=NOW)

    sqlite.run(later)
    assert (seen(sqlite, now=NOW).state, verbs(sqlite)) == (R.SCHEDULED, ["started"])
    assert sqlite.run(plan, now=LATER) == 1


def test_a_draft_cannot_be_rolled_out(sqlite: Database) -> None:
    def early(session: Session) -> None:
        document, _ = published_terms(session)
        draft = store.draft_version(session, document, {"en": "Draft."}, now=NOW)
        rollouts.start(session, draft, at=NOW, now=NOW)

    with pytest.raises(Conflict, match="Version 2 of 'terms' is not published"):
        sqlite.run(early)


# -- how far it is -------------------------------------------------------------------------------------------------


def test_a_rollout_is_open_for_who_joins_until_the_version_is_in_force(sqlite: Database) -> None:
    sqlite.run(begin, people=1)
    sqlite.run(stand, 1, S.SENT, sent_at=LATER)
    assert seen(sqlite).state is R.OPEN
    sqlite.run(plan, now=IN_FORCE)
    last = seen(sqlite, now=IN_FORCE)
    assert (last.state, last.last_mail_at) == (R.FINISHED, LATER)


def test_progress_counts_whom_no_notice_is_planned_for_yet(sqlite: Database) -> None:
    sqlite.run(begin, people=7, planned=False)
    sqlite.run(plan, chunk=3)
    sqlite.run(stand, 1, S.SENT)
    found = seen(sqlite)
    assert (found.total, found.told, found.waiting, found.unplanned) == (7, 1, 6, 4)


def test_the_last_mail_is_foreseen_by_the_relays_rate_or_else_by_what_left_lately(sqlite: Database) -> None:
    sqlite.run(begin, people=8)
    assert seen(sqlite, per_hour=2).last_mail_at == LATER + 4 * HOUR
    assert (seen(sqlite).rate, seen(sqlite).last_mail_at) == (0, None)
    sqlite.run(lambda s: [stand(s, n, S.SENT, sent_at=LATER - timedelta(minutes=n)) for n in (1, 2)])
    sqlite.run(lambda s: stand(s, 3, S.SENT, sent_at=LATER - timedelta(minutes=11)))
    found = seen(sqlite)
    assert (found.rate, found.last_mail_at) == (12, LATER + HOUR * 5 / 12)


# -- how much is owed ahead ----------------------------------------------------------------------------------------


def test_no_more_mails_are_owed_ahead_than_the_outbox_is_meant_to_hold(database: Database) -> None:
    database.run(begin, people=7, planned=False)
    assert database.run(plan, ahead=3) == 3
    assert database.run(plan, ahead=3) == 0
    database.run(lambda s: (stand(s, 1, S.SENT), stand(s, 2, S.SENT)))
    assert database.run(plan, ahead=3) == 2


def test_a_new_rate_counts_for_all_but_the_next_hour(sqlite: Database) -> None:
    sqlite.run(begin, people=9, planned=False)
    sqlite.run(plan, per_hour=2)
    sqlite.run(plan, per_hour=4, now=NOW + HOUR)
    gaps = [notice.due_at - NOW for notice in sqlite.read(outbox.notices)]
    assert gaps == [n * HOUR / 2 for n in range(3)] + [HOUR * 3 / 2, HOUR * 7 / 4, HOUR * 2]


def test_only_mails_take_a_place_in_the_relays_hour(database: Database) -> None:
    def people(session: Session) -> None:
        begin(session, people=1, planned=False)
        add_user(session, "silent", email="")
        add_user(session, "chatter", email="", discord_id="1")
        add_user(session, "last")

    database.run(people)
    database.run(plan, per_hour=1)
    [*_, last] = database.read(outbox.notices)
    assert last.due_at == NOW + HOUR


def test_who_joins_after_the_version_is_in_force_is_not_told_however_long_the_rollout_takes(database: Database) -> None:
    database.run(begin, people=1, planned=False)
    database.run(lambda s: users.upsert(s, "late", email="late@example.com", now=IN_FORCE + DAY))
    database.run(plan, now=IN_FORCE + 2 * DAY)
    assert [notice.user_id for notice in database.read(outbox.notices)] == [1]
