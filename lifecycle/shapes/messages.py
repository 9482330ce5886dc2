"""Notices and requests: what was said to people, and by them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import clocks, requests
from lifecycle.models import (
    Attempt,
    Document,
    Notice,
    Reply,
    Report,
    Request,
    User,
)
from lifecycle.models import Version as VersionRow
from lifecycle.notices.rollouts import Rollout
from lifecycle.shapes.shape import Shape


def notice(session: Session, found: Notice) -> Shape:
    who = session.get(User, found.user_id) if found.user_id else None
    names = (
        "id",
        "purpose",
        "channel",
        "status",
        "reason",
        "address",
        "created_at",
        "due_at",
        "sent_at",
        "attempts",
        "message_id",
        "termination_id",
    )
    about = session.get(VersionRow, found.version_id) if found.version_id else None
    named = {"document": session.get_one(Document, about.document_id).slug, "version": about.number} if about else {}
    shape = {name: getattr(found, name) for name in names}
    return shape | {"user": who.external_id if who else None, "document": None, "version": None} | named


def rollout(document: Document, version: VersionRow, seen: Rollout) -> Shape:
    return {"document": document.slug, "version": version.number} | asdict(seen) | {"told": seen.told}


def attempt(found: Attempt) -> Shape:
    names = ("nth", "address", "started_at", "finished_at", "outcome", "code", "reply")
    return {name: getattr(found, name) for name in names}


def report(found: Report) -> Shape:
    return {name: getattr(found, name) for name in ("kind", "code", "address", "text", "source", "at")}


def request_state(found: Request, *, zone: ZoneInfo, now: datetime) -> str:
    """open, answered, overdue, done, refused, erased, or joined (to another of the same person)."""
    if found.joined_to is not None:
        return "joined"
    if found.closed_at is not None:
        return found.outcome.value if found.outcome else "closed"
    if clocks.overdue(found, zone, now):
        return "overdue"
    return "answered" if found.answered_at else "open"


def request(session: Session, found: Request, *, zone: ZoneInfo, now: datetime) -> Shape:
    who = session.get(User, found.user_id) if found.user_id else None
    written = ("kind", "subject", "details", "source", "discord_id", "email", "regime", "joined_to", "opened_at")
    happened = (
        "verified_at",
        "verified_by",
        "extended_at",
        "extension_reason",
        "answered_at",
        "closed_at",
        "outcome",
        "outcome_reason",
        "erase_at",
    )
    derived = {
        "acknowledged_at": requests.acknowledged_at(session, found),
        "confirm_by": clocks.confirm_by(found, zone),
        "due_at": clocks.due(found, zone),
        "kept_until": clocks.kept_until(found, zone),
    }
    named = {
        "number": found.id,
        "user": who.external_id if who else None,
        "state": request_state(found, zone=zone, now=now),
    }
    shape = named | {name: getattr(found, name) for name in written} | derived
    return shape | {name: getattr(found, name) for name in happened}


def reply(found: Reply) -> Shape:
    return {"nth": found.nth, "text": found.text, "at": found.at, "channel": found.channel}
