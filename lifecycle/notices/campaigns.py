"""Telling everyone about a version: set-based, resumable, paced by the notices' own due instants.

No more is owed ahead than leaves within LEAD at the relay's rate, and AHEAD mails. So several campaigns share the
rate, a change of it counts at once, and a roll-out is held or cancelled by touching few rows.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, String, case, cast, func, literal
from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.columns import UTCDateTime, later_by
from lifecycle.db import take_turn, writers
from lifecycle.inserting import insert_once, insert_selected
from lifecycle.models import Campaign, Notice, Termination, User, Version
from lifecycle.notices import outbox
from lifecycle.notices.outbox import BAD_ADDRESS, MAILABLE, NO_ADDRESS
from lifecycle.states import Channel, NoticeStatus, Purpose

CHUNK = 10_000
AHEAD = 50_000
LEAD = timedelta(hours=1)
ACCESS_ENDED = "the user's access has ended"


def start(session: Session, version: Version, *, at: datetime) -> bool:
    """Begin telling every user about a version from `at` on. Starting twice is harmless; whether it began now."""
    fresh = {"cursor": 0, "planned": 0, "settled": 0, "doubted": 0, "writers": "", "cancelled_reason": ""}
    return bool(insert_once(session, Campaign, [{"version_id": version.id, "started_at": at, **fresh}]))


def open_campaigns(session: Session, *, now: datetime) -> list[Campaign]:
    """Campaigns that still have users to plan for, the one that waited longest first.

    None while another process plans: the next free place of the relay's hour is one for all of them.
    """
    if not take_turn(session, "plan campaigns"):
        return []
    begun = select(Campaign).where(*unfinished(), Campaign.started_at <= now)
    order = col(Campaign.paced_until).nulls_first(), col(Campaign.id)
    return list(session.exec(begun.order_by(*order).with_for_update(skip_locked=True)))


def plan_chunk(
    session: Session,
    campaign: Campaign,
    *,
    per_hour: int = 0,
    chunk: int = CHUNK,
    ahead: int | None = AHEAD,
    now: datetime,
) -> int:
    """Owe the version's notice to the next users in key order; how many users were passed.

    Cursor and notices change in one transaction, so a killed planner resumes where it stood. With `per_hour` the
    notices fall due one after another at that rate, in the places that no campaign has taken yet. No more than
    `ahead` mails wait then, however many there are when it is None.
    """
    first = free_from(session, campaign, now=now) if per_hour else campaign.started_at
    room = min(chunk, _places(first, per_hour, now))
    if ahead is not None:
        free = ahead - outbox.backlog(session, most=ahead)
        room = min(room, free) if free > min(chunk, ahead) // 2 else 0  # no little transaction for every mail that left
    if room <= 0:
        return 0
    last: int | None = session.exec(select(func.max(_next_ids(campaign, room).c.id))).one()
    if last is None:
        return _settle(session, campaign, now=now)
    between = writers(session, User)  # asked after the ids are known: who comes later adds greater ones
    mails = _owe(session, campaign, campaign.cursor, last, first=first, per_hour=per_hour, now=now)
    if per_hour:
        campaign.paced_until = first + mails * timedelta(hours=1) / per_hour
    if campaign.settled == campaign.cursor and not between:
        campaign.settled = last
    passed = last - campaign.cursor
    campaign.cursor = last
    session.add(campaign)
    return passed


def free_from(session: Session, campaign: Campaign | None = None, *, now: datetime) -> datetime:
    """The first place in the relay's hour that no campaign has taken; for one campaign, not before it begins."""
    taken = session.exec(select(func.max(Campaign.paced_until))).one()
    return max(instant for instant in (now, taken, campaign and campaign.started_at) if instant)


def _places(first: datetime, per_hour: int, now: datetime) -> int:
    """How many mails may be owed now: as many as fit in LEAD, once half of it is free."""
    if not per_hour:
        return AHEAD
    return 0 if first > now + LEAD / 2 else int((now + LEAD - first) * per_hour / timedelta(hours=1)) + 1


def _settle(session: Session, campaign: Campaign, *, now: datetime) -> int:
    """When all are passed: users whose ids were passed while the transaction that added them was still open.

    They are looked for once those transactions have ended; how many were found.
    """
    if campaign.settled == campaign.cursor:
        return _finish(session, campaign, now=now)
    busy = writers(session, User)
    if not campaign.doubted:
        campaign.doubted, campaign.writers = campaign.cursor, " ".join(sorted(busy))
    session.add(campaign)
    if busy.intersection(campaign.writers.split()):
        return 0
    before = campaign.planned
    _owe(session, campaign, campaign.settled, campaign.doubted, first=now, per_hour=0, now=now)
    campaign.settled, campaign.doubted, campaign.writers = campaign.doubted, 0, ""
    return campaign.planned - before or _settle(session, campaign, now=now)


def _finish(session: Session, campaign: Campaign, *, now: datetime) -> int:
    """Whoever joins before the version comes in force is still told, so the campaign stays open until then."""
    effective_at = session.get_one(Version, campaign.version_id).effective_at
    if effective_at is None or effective_at <= now:
        campaign.finished_at = now
        session.add(campaign)
        history.record(session, "clock", "finished", "campaign", campaign.id, now=now, planned=campaign.planned)
    return 0


def next_due(session: Session, *, after: datetime | None = None) -> datetime | None:
    """When a campaign next has somebody to plan for, or ends; perhaps in the past, unless `after` is given."""
    found = (_next_turn(session, campaign) for campaign in session.exec(select(Campaign).where(*unfinished())))
    return min((at for at in found if at is not None and (after is None or at > after)), default=None)


def _next_turn(session: Session, campaign: Campaign) -> datetime | None:
    waits = select(User.id).where(col(User.id) > campaign.cursor).limit(1)
    if session.exec(waits).first() is not None:
        taken = session.exec(select(func.max(Campaign.paced_until))).one()
        return max(campaign.started_at, taken - LEAD / 2) if taken else campaign.started_at
    ends = session.get_one(Version, campaign.version_id).effective_at
    settled = campaign.settled == campaign.cursor
    return max(campaign.started_at, ends) if settled and ends is not None else campaign.started_at


def unfinished() -> tuple[Any, ...]:
    """SQL for campaigns that go on telling people."""
    ends = (Campaign.finished_at, Campaign.paused_at, Campaign.cancelled_at)
    return tuple(col(end).is_(None) for end in ends)


def _next_ids(campaign: Campaign, room: int) -> Any:
    return select(User.id).where(col(User.id) > campaign.cursor).order_by(col(User.id)).limit(room).subquery()


def _owe(
    session: Session, campaign: Campaign, after: int, last: int, *, first: datetime, per_hour: int, now: datetime
) -> int:
    """Owe the notice to users with these ids, from `first` on, and write that down; how many mails take a place."""
    which = _concerned(session, campaign, after, last, now=now)
    added = insert_selected(session, Notice, NOTICE_COLUMNS, _rows(campaign, which, first, per_hour, now=now))
    campaign.planned += added
    history.record(session, "clock", "planned", "campaign", campaign.id, now=now, after=after, to=last, notices=added)
    return session.exec(select(func.count()).where(*which, MAILABLE)).one() if per_hour else 0


def _concerned(session: Session, campaign: Campaign, after: int, last: int, *, now: datetime) -> tuple[Any, ...]:
    """Of these ids, users who were there before the version was in force, and whose access has not ended.

    Whose has, is told no more; everyone else is at least `skipped` for a reason.
    """
    effective_at = session.get_one(Version, campaign.version_id).effective_at
    joined = max(campaign.started_at, effective_at or campaign.started_at)
    return (
        col(User.id) > after,
        col(User.id) <= last,
        col(User.created_at) <= joined,
        ~_access_ended(now),
    )


def reach(now: datetime) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """SQL for the channel over which a user is told, and for why they are not told at all (empty when they are)."""
    chats = col(User.discord_id).is_not(None)
    email, discord = Channel.EMAIL.value, Channel.DISCORD.value
    channel = case((MAILABLE, email), (chats, discord), else_=email)
    bad = (col(User.email) != "", BAD_ADDRESS)
    return channel, case((_access_ended(now), ACCESS_ENDED), (MAILABLE | chats, ""), bad, else_=NO_ADDRESS)


def _access_ended(now: datetime) -> ColumnElement[bool]:
    return (
        select(Termination.id)
        .where(
            Termination.user_id == User.id,
            col(Termination.reinstated_at).is_(None),
            col(Termination.rescinded_at).is_(None),
            col(Termination.takes_effect_at) <= now,
            Termination.scope == "",
            col(Termination.ends_at).is_(None),
            col(Termination.stayed_at).is_(None),
        )
        .exists()
    )


def _rows(campaign: Campaign, which: tuple[Any, ...], first: datetime, per_hour: int, *, now: datetime) -> Any:
    """The notices as a SELECT; its columns stand in the order of NOTICE_COLUMNS."""
    channel, reason = reach(now)
    prefix = f"{Purpose.VERSION_PUBLISHED.value}/version:{campaign.version_id}/"  # as outbox.notice_key writes it
    due: ColumnElement[datetime] = literal(first, UTCDateTime())
    if per_hour:  # only mails take a place
        takes = case((MAILABLE, 1), else_=0)
        place = func.sum(takes).over(order_by=col(User.id), rows=(None, 0)) - takes
        due = later_by(due, place * (3600.0 / per_hour))
    return (
        sqlalchemy.select(
            literal(prefix) + cast(User.id, String) + "/" + channel,
            literal(Purpose.VERSION_PUBLISHED.value),
            channel,
            col(User.id),
            literal(""),
            literal(campaign.version_id),
            literal(now, UTCDateTime()),
            due,
            literal(Purpose.VERSION_PUBLISHED.priority),
            case((reason == "", NoticeStatus.OWED.value), else_=NoticeStatus.SKIPPED.value),
            reason,
            literal(0),
            literal(0),
            literal(""),
            literal(""),
        )
        .where(*which)
        .order_by(col(User.id))
    )


NOTICE_COLUMNS = [
    "key",
    "purpose",
    "channel",
    "user_id",
    "address",
    "version_id",
    "created_at",
    "due_at",
    "priority",
    "status",
    "reason",
    "attempts",
    "doubts",
    "claim",
    "message_id",
]
