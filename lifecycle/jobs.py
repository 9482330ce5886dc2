"""What the clock runs. Every job asks our tables what is due, so running one twice, or late, is harmless."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from lifecycle import deadlines, deeming, effects, erasure, idempotency, ledger, reminding, terminations
from lifecycle.db import Database
from lifecycle.errors import AssentError, Conflict, RuleRefused
from lifecycle.instants import add_calendar
from lifecycle.models import Engagement, Notice, Request, Termination, User
from lifecycle.notices import campaigns, outbox, rollouts
from lifecycle.settings import Settings
from lifecycle.states import PENDING_STATUSES, Initiator, Mode, NoticeStatus, Purpose

CHUNK = 500
Job = Callable[[Database, Settings, datetime], int]


def plan_campaigns(database: Database, settings: Settings, now: datetime) -> int:
    """Owe the notices of every running campaign, a chunk a transaction; how many users were passed."""

    def plan_next(session: Session) -> int:
        running = campaigns.open_campaigns(session, now=now)
        return sum(campaigns.plan_chunk(session, c, per_hour=settings.relay_per_hour, now=now) for c in running)

    return sum(iter(lambda: database.run(plan_next), 0))


def bring_into_effect(database: Database, settings: Settings, now: datetime) -> int:
    """Put on record that terminations took effect, and tell the users; how many."""

    def some(session: Session) -> int:
        due = effects.due(session, now=now, limit=CHUNK)
        return sum(effects.take_effect(session, termination, now=now) for termination in due)

    return sum(iter(lambda: database.run(some), 0))


def end_suspensions(database: Database, settings: Settings, now: datetime) -> int:
    """Put on record that suspensions are over, and tell the users; how many."""

    def some(session: Session) -> int:
        over = effects.over(session, now=now, limit=CHUNK)
        return sum(effects.end(session, termination, now=now) for termination in over)

    return sum(iter(lambda: database.run(some), 0))


def deem_silence(database: Database, settings: Settings, now: datetime) -> int:
    """Bind told users whose window to object has passed in silence; how many."""

    def deem(session: Session, told: list[Engagement]) -> int:
        made = (deeming.deem_by_silence(session, fact, zone=settings.zone, now=now) for fact in told)
        return sum(fact is not None for fact in made)

    due = database.read(reminding.due_silences, settings, now=now)
    return sum(database.run(deem, told) for told in _unanswered(database, Mode.SILENCE, due))


def remind(database: Database, settings: Settings, now: datetime) -> int:
    """Owe reminders before a deadline and the word that it passed; how many were owed.

    After an outage only the latest that was missed is owed.
    """

    def owe(session: Session, told: list[Engagement]) -> int:
        return sum(reminding.remind(session, fact, settings, now=now) for fact in told)

    due = database.read(reminding.due_reminders, settings, now=now)
    return sum(database.run(owe, told) for told in _unanswered(database, Mode.EXPLICIT, due))


def end_for_inactivity(database: Database, settings: Settings, now: datetime) -> int:
    """Begin the termination of users who have not used the service for `inactivity_days`; how many."""
    if not settings.inactivity_days:
        return 0
    cutoff = add_calendar(now, settings.zone, days=-settings.inactivity_days)
    cause = terminations.Cause(Initiator.INACTIVITY, f"The account was not used for {settings.inactivity_days} days.")

    def some(session: Session) -> int:
        idle = list(session.exec(_idle_since(cutoff).limit(CHUNK)))
        for user in idle:
            with suppress(Conflict), session.begin_nested():  # another worker was first
                terminations.terminate(
                    session,
                    user,
                    cause,
                    notice_days=settings.inactivity_notice_days,
                    zone=settings.zone,
                    actor="clock",
                    now=now,
                )
        return len(idle)

    return sum(iter(lambda: database.run(some), 0))


def warn_of_inactivity(database: Database, settings: Settings, now: datetime) -> int:
    """Owe those who still do not use the service a warning before their access ends; how many were considered.

    After an outage only the latest that was missed is owed.
    """

    def owe(session: Session, waiting: list[Termination]) -> int:
        return sum(_warn_one(session, termination, settings, now) for termination in waiting)

    done, after = 0, 0
    while waiting := database.read(terminations.by_inactivity, after=after, now=now, limit=CHUNK):
        done += database.run(owe, waiting)
        after = waiting[-1].id
    return done


def _warn_one(session: Session, termination: Termination, settings: Settings, now: datetime) -> bool:
    ends = termination.takes_effect_at
    assert ends is not None
    stages = {days: add_calendar(ends, settings.zone, days=-days) for days in settings.inactivity_warning_days}
    passed = [days for days, at in stages.items() if termination.decided_at < at <= now]
    if not passed:
        return False
    user = session.get_one(User, termination.user_id)
    thing = f"termination:{termination.id}:{min(passed)}d"
    owed = outbox.owe(session, Purpose.INACTIVITY_WARNING, thing, user=user, now=now, termination_id=termination.id)
    earlier = (
        Notice.termination_id == termination.id,
        Notice.id != owed.id,
        Notice.purpose == Purpose.INACTIVITY_WARNING,
    )
    outbox.cancel(session, *earlier, reason="a later warning takes its place", now=now)
    return True


def _idle_since(cutoff: datetime) -> SelectOfScalar[User]:
    """Users idle since `cutoff` without an open termination, and without one by inactivity since their last use."""
    spared = select(Termination.id).where(
        Termination.user_id == User.id,
        (col(Termination.rescinded_at).is_(None) & col(Termination.reinstated_at).is_(None))
        | (
            (col(Termination.initiated_by) == Initiator.INACTIVITY)
            & (col(Termination.decided_at) > User.last_activity_at)
        ),
    )
    return select(User).where(col(User.last_activity_at) <= cutoff, ~spared.exists()).order_by(col(User.id))


def remind_staff(database: Database, settings: Settings, now: datetime) -> int:
    """Owe staff one word for each deadline of a request that has passed; how many requests are overdue."""

    def owe(session: Session) -> int:
        late = deadlines.overdue(session, zone=settings.zone, now=now)
        for request in late:
            deadlines.tell_staff(
                session, request, settings.staff_email or settings.contact, zone=settings.zone, now=now
            )
        return len(late)

    return database.run(owe)


def erase_people(database: Database, settings: Settings, now: datetime) -> int:
    """Erase whose time has come, each in a transaction of its own, but for those whom a notice is just on its way to.

    Before a request is carried out, its last word has left or failed, or three days have passed; how many went.
    """
    days = settings.erase_after_termination_days
    ended = add_calendar(now, settings.zone, days=-days) if days else None

    def one(session: Session, user_id: int, number: int | None) -> bool:
        request = session.get_one(Request, number) if number else None
        if request is not None and _last_word_waits(session, request, now):
            return False
        cause = erasure.BY_REQUEST if request else erasure.AFTER_TERMINATION
        with suppress(Conflict, RuleRefused):
            user = session.get_one(User, user_id)
            erasure.erase(session, user, cause=cause, request=request, zone=settings.zone, now=now)
            return True
        return False

    return sum(database.run(one, *found) for found in database.read(erasure.due, after_days_ended=ended, now=now))


LAST_WORD = timedelta(days=3)


def _last_word_waits(session: Session, request: Request, now: datetime) -> bool:
    waiting = select(Notice.id).where(
        Notice.request_id == request.id,
        Notice.purpose == Purpose.ERASURE_SCHEDULED,
        col(Notice.status).in_([*PENDING_STATUSES, NoticeStatus.SENDING]),
    )
    late = request.erase_at is not None and request.erase_at + LAST_WORD <= now
    return not late and session.exec(waiting).first() is not None


SCRUB_EVERY = timedelta(hours=1)


def scrub(database: Database, settings: Settings, now: datetime) -> int:
    """Leave no trace in the database's files of who was erased, at most once an hour; of how many."""
    last = database.read(erasure.last_scrub)
    waiting = database.read(erasure.unscrubbed)
    if not waiting or (last is not None and last + SCRUB_EVERY > now) or not database.scrub():
        return 0
    return database.run(erasure.scrubbed, before=waiting[-1].erased_at, now=now)


def forget_requests(database: Database, settings: Settings, now: datetime) -> int:
    """Forget what was written in requests whose record need not be kept any longer; how many."""
    return database.run(deadlines.forget, zone=settings.zone, now=now)


def hold_paused(database: Database, settings: Settings, now: datetime) -> int:
    """Hold what the relay put off when its roll-out had been paused meanwhile; how many notices."""
    return database.run(rollouts.hold_paused)


def forget_keys(database: Database, settings: Settings, now: datetime) -> int:
    """Forget the keys and answers of requests of more than a day ago: they hold personal data; how many."""
    return database.run(idempotency.forget, now=now)


def _unanswered(database: Database, mode: Mode, conditions: list[tuple[Any, ...]]) -> Iterator[list[Engagement]]:
    for condition in conditions:
        after = 0
        while found := database.read(ledger.unanswered, mode, *condition, after=after, limit=CHUNK):
            yield found
            after = found[-1].id


# Planning may be long, so nothing waits for it. By the instant: what a person waits for. In sweeps: what carries its
# own instant, however late it is written down.
PLANNING: tuple[Job, ...] = (plan_campaigns,)
TO_THE_INSTANT: tuple[Job, ...] = (bring_into_effect, end_suspensions)
IN_SWEEPS: tuple[Job, ...] = (
    deem_silence,
    remind,
    hold_paused,
    end_for_inactivity,
    warn_of_inactivity,
    remind_staff,
    forget_requests,
    forget_keys,
    erase_people,
    scrub,
)
SWEEP_EVERY = timedelta(minutes=1)


def run_jobs(jobs: tuple[Job, ...], database: Database, settings: Settings, now: datetime) -> dict[str, int]:
    """Run the jobs in turn; how much each did, by name. One that fails keeps no other from its work."""
    done: dict[str, int] = {}
    failed: list[AssentError] = []
    for job in jobs:
        try:
            done[job.__name__] = job(database, settings, now)
        except AssentError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return done


def next_due(session: Session, *, after: datetime | None = None) -> datetime | None:
    """The earliest instant at which a job to the instant or the outbox has something to do.

    It may lie in the past, unless only what comes after an instant is asked for.
    """
    sources = (campaigns.next_due, effects.next_effect, outbox.next_due)
    found = [source(session, after=after) for source in sources]
    return min((instant for instant in found if instant is not None), default=None)
