"""Telling everyone about a version: set-based, resumable, paced by the notices' own due instants."""

from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, String, case, cast, func, literal
from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.db import UTCDateTime, insert_once, insert_selected, later_by
from lifecycle.models import Campaign, Notice, Termination, User, Version
from lifecycle.notices.outbox import NO_ADDRESS
from lifecycle.states import Channel, NoticeStatus, Purpose

CHUNK = 5000


def start(session: Session, version: Version, *, at: datetime) -> None:
    """Begin telling every user about a version from `at` on. Starting twice is harmless."""
    insert_once(session, Campaign, [{"version_id": version.id, "started_at": at, "cursor": 0, "planned": 0}])


def open_campaigns(session: Session, *, now: datetime) -> list[Campaign]:
    """Campaigns that still have users to plan for."""
    unfinished = select(Campaign).where(col(Campaign.finished_at).is_(None), Campaign.started_at <= now)
    return list(session.exec(unfinished.order_by(col(Campaign.id)).with_for_update(skip_locked=True)))


def plan_chunk(session: Session, campaign: Campaign, *, per_hour: int = 0, chunk: int = CHUNK, now: datetime) -> int:
    """Owe the version's notice to the next users in key order; how many users were passed.

    Cursor and notices change in one transaction, so a killed planner resumes where it stood. With `per_hour`
    the notices fall due one after another at that rate.
    """
    last = session.exec(select(func.max(User.id)).where(col(User.id).in_(_next_ids(campaign, chunk)))).one()
    if last is None:
        return _finish(session, campaign, now=now)
    planned = _owe_range(session, campaign, last, per_hour=per_hour, now=now)
    history.record(
        session, "clock", "planned", "campaign", campaign.id, now=now, after=campaign.cursor, to=last, notices=planned
    )
    passed = last - campaign.cursor
    campaign.cursor, campaign.planned = last, campaign.planned + planned
    session.add(campaign)
    return passed


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
    waits = select(User.id).where(col(User.id) > col(Campaign.cursor)).exists()
    late = col(Version.effective_at) > col(Campaign.started_at)
    at = case((waits | ~late, col(Campaign.started_at)), else_=col(Version.effective_at))
    first: datetime | None = session.exec(
        select(func.min(at))
        .join(Version, col(Version.id) == col(Campaign.version_id))
        .where(col(Campaign.finished_at).is_(None), *([at > after] if after else []))
    ).one()
    return first


def progress(session: Session, campaign: Campaign) -> dict[NoticeStatus, int]:
    """How many of the campaign's notices stand in each status."""
    rows = session.exec(
        select(Notice.status, func.count())
        .where(Notice.version_id == campaign.version_id, Notice.purpose == Purpose.VERSION_PUBLISHED)
        .group_by(Notice.status)
    )
    return {NoticeStatus(status): number for status, number in rows}


def _next_ids(campaign: Campaign, chunk: int) -> Any:
    return select(User.id).where(col(User.id) > campaign.cursor).order_by(col(User.id)).limit(chunk)


def _owe_range(session: Session, campaign: Campaign, last: int, *, per_hour: int, now: datetime) -> int:
    """One INSERT … SELECT; the columns stand in the order of NOTICE_COLUMNS."""
    email, discord = Channel.EMAIL.value, Channel.DISCORD.value
    reachable = (col(User.email) != "") | col(User.discord_id).is_not(None)
    channel = case((col(User.email) != "", email), (col(User.discord_id).is_not(None), discord), else_=email)
    prefix = f"{Purpose.VERSION_PUBLISHED.value}/version:{campaign.version_id}/"  # as outbox.notice_key writes it
    due: ColumnElement[datetime] = literal(campaign.started_at, UTCDateTime())
    if per_hour:
        place = func.row_number().over(order_by=col(User.id)) - 1 + campaign.planned
        due = later_by(due, place * (3600.0 / per_hour))
    ended = select(Termination.id).where(
        Termination.user_id == User.id,
        col(Termination.reinstated_at).is_(None),
        col(Termination.rescinded_at).is_(None),
        col(Termination.takes_effect_at) <= now,
    )
    rows = (
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
            case((reachable, NoticeStatus.OWED.value), else_=NoticeStatus.SKIPPED.value),
            case((reachable, ""), else_=NO_ADDRESS),
            literal(0),
            literal(0),
            literal(""),
            literal(""),
        )
        .where(col(User.id) > campaign.cursor, col(User.id) <= last, ~ended.exists())
        .order_by(col(User.id))
    )
    return insert_selected(session, Notice, NOTICE_COLUMNS, rows)


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
