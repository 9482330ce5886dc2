"""Users, and what is on record about them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from lifecycle.bindings import Bound
from lifecycle.clauses import Surviving, grounds
from lifecycle.effects import SUSPENSION_OVER
from lifecycle.models import (
    Document,
    Engagement,
    Erasure,
    Grace,
    Hold,
    Termination,
    User,
)
from lifecycle.models import Version as VersionRow
from lifecycle.shapes.shape import Shape


def user(found: User) -> Shape:
    names = (
        "external_id",
        "email",
        "email_bounced_at",
        "locale",
        "time_zone",
        "discord_id",
        "created_at",
        "last_activity_at",
    )
    return {name: getattr(found, name) for name in names}


def engagement(session: Session, fact: Engagement) -> Shape:
    about = session.get_one(VersionRow, fact.version_id)
    names = ("kind", "at", "recorded_at", "actor", "channel", "sha256", "locale", "wording")
    slug = session.get_one(Document, about.document_id).slug
    return {"document": slug, "version": about.number} | {name: getattr(fact, name) for name in names}


def surviving(found: Surviving | None) -> Shape:
    """What still holds for a person after the end of their access; without one, of nothing."""
    clauses = [
        {
            "document": clause.slug,
            "version": clause.version,
            "locale": clause.locale,
            "number": clause.number,
            "title": clause.title,
            "anchor": clause.anchor,
            "text": clause.text,
        }
        for clause in (found.clauses if found else ())
    ]
    return {"termination": found.termination.id if found else None, "since": found and found.since, "sections": clauses}


def bound(session: Session, found: Bound, why: str) -> Shape:
    """Which version binds, by which proof, and `why` it is that one and not the one in force."""
    slug = session.get_one(Document, found.version.document_id).slug
    proof = engagement(session, found.proof)
    return {"document": slug, "version": found.version.number, "since": found.since, "proof": proof, "why": why}


def grace(session: Session, found: Grace) -> Shape:
    about = session.get_one(VersionRow, found.version_id)
    who = session.get_one(User, found.user_id).external_id if found.user_id else None
    names = ("until", "reason", "actor", "decided_at", "undone_at", "undo_reason")
    slug = session.get_one(Document, about.document_id).slug
    shape = {"number": found.id, "document": slug, "version": about.number, "user": who}
    return shape | {name: getattr(found, name) for name in names}


def termination_state(found: Termination, now: datetime) -> str:
    """waiting (for proof of notice), announced, in effect, stayed, over, rescinded or reinstated."""
    if found.rescinded_at is not None:
        return "rescinded"
    if found.is_over(now) and (found.reinstated_at is None or found.undo_reason == SUSPENSION_OVER):
        return "over"
    if found.reinstated_at is not None:
        return "reinstated"
    if found.stayed_at is not None:
        return "stayed"
    if found.takes_effect_at is None:
        return "waiting"
    return "in effect" if found.takes_effect_at <= now else "announced"


def termination(session: Session, found: Termination, *, now: datetime) -> Shape:
    names = (
        "id",
        "initiated_by",
        "reason",
        "facts",
        "automated",
        "regime",
        "redress",
        "scope",
        "emergency",
        "legal_ground",
        "exit_right",
        "decided_at",
        "notice_days",
        "effective_at",
        "takes_effect_at",
        "took_effect_at",
        "ends_at",
        "told_by",
        "told_at",
        "told_evidence",
        "stayed_at",
        "stay_reason",
        "overridden_at",
        "override_reason",
        "rescinded_at",
        "reinstated_at",
        "undo_reason",
    )
    shape = {name: getattr(found, name) for name in names}
    clauses = [
        {"document": c.slug, "version": c.version, "number": c.number, "title": c.title, "anchor": c.anchor}
        for c in grounds(session, found)
    ]
    who = session.get_one(User, found.user_id).external_id
    return {"user": who, "state": termination_state(found, now), **shape, "grounds": clauses}


def erasure(session: Session, found: Erasure) -> Shape:
    names = ("id", "cause", "erased_at", "scrubbed_at")
    pseudonym = session.get_one(User, found.user_id).external_id
    shape = {name: getattr(found, name) for name in names} | {"pseudonym": pseudonym, "request": found.request_id}
    return shape | found.report


def hold(found: Hold) -> Shape:
    return {name: getattr(found, name) for name in ("reason", "placed_at", "lifted_at", "lift_reason")}
