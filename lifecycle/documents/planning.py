"""How long it takes to tell everyone: who is told over what, day by day, and what must move if it takes too long."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from math import ceil
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, func, select

from lifecycle.instants import add_calendar
from lifecycle.models import Campaign, User
from lifecycle.notices import campaigns
from lifecycle.notices.outbox import MAILABLE
from lifecycle.states import Channel, Mode, answer_deadline

HOUR, MINUTE, TICK = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)
MOST_DAYS = 366
Counts = dict[Channel, int]


@dataclass(frozen=True, slots=True)
class Day:
    """How many mails leave on a day of the operator's zone."""

    day: date
    mails: int


@dataclass(frozen=True, slots=True)
class Unreached:
    """A user who will not be told, and why."""

    user: str
    reason: str


@dataclass(frozen=True, slots=True)
class MailPlan:
    """The mails of one roll-out: `mails` of them from `begins_at` to `ends_at`, evenly.

    `per_hour` is the relay's rate, 0 when it has none; `shared` mails of other roll-outs leave in between.
    """

    mails: int
    begins_at: datetime
    ends_at: datetime
    per_hour: int
    shared: int

    def until(self, instant: datetime) -> int:
        """How many have left before this instant."""
        if instant <= self.begins_at:
            return 0
        if instant > self.ends_at:
            return self.mails
        return -(-(self.mails - 1) * (instant - self.begins_at) // (self.ends_at - self.begins_at))

    def days(self, zone: ZoneInfo) -> list[Day]:
        """Day by day, up to a year of them."""
        day, days, gone = self.begins_at.astimezone(zone).date(), list[Day](), 0
        while gone < self.mails and len(days) < MOST_DAYS:
            ends = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
            left = self.until(ends)
            days.append(Day(day, left - gone))
            gone, day = left, day + timedelta(days=1)
        return days


def audience(session: Session, *, now: datetime) -> tuple[Counts, dict[str, int]]:
    """How many users would be told over each channel, and how many not, by the reason."""
    channel, reason = campaigns.reach(now)
    rows = session.exec(select(channel, reason, func.count()).select_from(User).group_by(channel, reason)).all()
    told = {Channel(over): number for over, why, number in rows if not why}
    silent: dict[str, int] = {}
    for _, why, number in rows:
        if why:
            silent[why] = silent.get(why, 0) + number
    return told, silent


def mails(session: Session, *, now: datetime) -> int:
    """How many users would be told by e-mail."""
    channel, reason = campaigns.reach(now)
    return session.exec(
        select(func.count()).select_from(User).where(reason == "", channel == Channel.EMAIL.value)
    ).one()


def unreached(session: Session, *, after: int = 0, limit: int = 100, now: datetime) -> list[tuple[int, Unreached]]:
    """Users who would not be told, by key after `after`, with the reason."""
    _, reason = campaigns.reach(now)
    those = select(col(User.id), col(User.external_id), reason).where(reason != "", col(User.id) > after)
    return [(key, Unreached(name, why)) for key, name, why in session.exec(those.order_by(col(User.id)).limit(limit))]


def plan_mails(session: Session, mails: int, *, begins_at: datetime, per_hour: int, now: datetime) -> MailPlan:
    """When so many mails leave: after what is planned already, and in turn with the other roll-outs under way."""
    if not per_hour:
        return MailPlan(mails, begins_at, begins_at, 0, 0)
    first = max(begins_at, campaigns.free_from(session, now=now))
    others = select(Campaign).where(*campaigns.unfinished())
    shared = sum(min(mails, _left(session, campaign)) for campaign in session.exec(others))
    return MailPlan(mails, first, first + max(mails + shared - 1, 0) * HOUR / per_hour, per_hour, shared)


def _left(session: Session, campaign: Campaign) -> int:
    return session.exec(select(func.count()).where(col(User.id) > campaign.cursor, MAILABLE)).one()


def too_late(
    plan: MailPlan,
    mode: Mode,
    deadline_days: int,
    *,
    effective_at: datetime,
    earliest: datetime,
    zone: ZoneInfo,
) -> str:
    """Why the last mail leaves after the deadline of whoever is told first, and what would do; empty when it does not.

    The roll-out could begin at `earliest`.
    """
    if mode not in {Mode.EXPLICIT, Mode.SILENCE} or not deadline_days:
        return ""

    def fits(days: int, effective_at: datetime, sooner: timedelta = timedelta()) -> bool:
        due = answer_deadline(mode, effective_at, plan.begins_at - sooner, days, zone)
        return plan.ends_at - sooner <= due

    if fits(deadline_days, effective_at):
        return ""
    due = answer_deadline(mode, effective_at, plan.begins_at, deadline_days, zone)
    values = [f"deadline_days {next(days for days in count(deadline_days) if fits(days, effective_at))}"]
    back = count(0 if mode is Mode.SILENCE else -deadline_days)
    starts = (add_calendar(plan.ends_at, zone, days=by) for by in back)
    values.append(f"effective_at {minute(next(start for start in starts if fits(deadline_days, start)))} or later")
    if plan.per_hour and due > plan.begins_at:
        needed = ceil((plan.mails + plan.shared) / ((due - plan.begins_at) / HOUR))
        values.append(f"a relay that takes {needed} mails an hour (ASSENT_RELAY_PER_HOUR, now {plan.per_hour})")
    sooner = plan.ends_at - due
    if plan.begins_at - sooner >= earliest and fits(deadline_days, effective_at, sooner):
        values.append(f"notify_at {minute(plan.begins_at - sooner - MINUTE)} or before")
    return (
        f"The last mail leaves at {minute(plan.ends_at)}, after the deadline {due.isoformat(timespec='minutes')}; "
        f"{plan.mails - plan.until(due + TICK)} users would be told too late. "
        f"Any of these would do: {'; '.join(values)}."
    )


def minute(instant: datetime) -> str:
    """An instant in whole minutes, rounded up."""
    return (
        (instant + timedelta(seconds=59, microseconds=999_999))
        .replace(second=0, microsecond=0)
        .isoformat(timespec="minutes")
    )
