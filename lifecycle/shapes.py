"""The shapes in which things are shown as JSON: stable keys, natural names instead of our integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import clocks, requests
from lifecycle.answers import curating
from lifecycle.answers.answering import Answer, Quote
from lifecycle.bindings import Bound
from lifecycle.clauses import Surviving, grounds
from lifecycle.documents import store
from lifecycle.documents.compare import Change
from lifecycle.documents.comparison import Comparison
from lifecycle.documents.sections import Section
from lifecycle.effects import SUSPENSION_OVER
from lifecycle.models import (
    Attempt,
    Body,
    Document,
    Engagement,
    Erasure,
    Grace,
    Hold,
    Notice,
    Pin,
    Reply,
    Report,
    Request,
    SectionRow,
    Termination,
    Unanswered,
    User,
)
from lifecycle.models import Version as VersionRow
from lifecycle.notices.rollouts import Rollout

Shape = dict[str, Any]


def version_state(version: VersionRow, chain: Sequence[VersionRow], now: datetime) -> str:
    """draft, upcoming, in force, superseded or withdrawn; derived at `now`."""
    if version.published_at is None:
        return "draft"
    if version.withdrawn_at is not None and version.withdrawn_at <= now:
        return "withdrawn"
    passed = store.standing_chain(chain, now)
    if version.id not in {known.id for known in passed}:
        return "upcoming"
    return "in force" if passed[-1].id == version.id else "superseded"


def version(session: Session, document: Document, version: VersionRow, *, now: datetime) -> Shape:
    chain = store.chain(session, document.id)
    texts = {body.locale: body.sha256 for body in store.bodies(session, version)}
    changelog = store.body(session, version).changelog or version.changelog
    return {
        "document": document.slug,
        "version": version.number,
        "state": version_state(version, chain, now),
        "mode": version.mode,
        "published_at": version.published_at,
        "effective_at": version.effective_at,
        "notice_days": version.notice_days,
        "deadline_days": version.deadline_days,
        "changelog": changelog.splitlines(),
        "regime": version.regime,
        "override_reason": version.override_reason,
        "on_objection": version.on_objection,
        "imported": version.imported,
        "withdrawn_at": version.withdrawn_at,
        "withdrawn_reason": version.withdrawn_reason,
        "texts": texts,
    }


def section(row: SectionRow) -> Shape:
    return {
        "number": row.number,
        "title": row.title,
        "anchor": row.anchor,
        "level": row.level,
        "survives": row.survives,
    }


def body(found: Body) -> Shape:
    return {"locale": found.locale, "title": found.title, "sha256": found.sha256, "text": found.text}


def comparison(found: Comparison) -> Shape:
    """Two versions set against each other; the edits of all changes, strung together, give both texts."""
    return {
        "document": found.document.slug,
        "old": found.old.number,
        "new": found.new.number,
        "locale": found.new_body.locale,
        "natures": sorted(found.natures),
        "returns_to": found.returns_to,
        "between": [version.number for version in found.between],
        "summary": found.totals,
        "changes": [_change(change) for change in found.changes],
    }


def _change(change: Change) -> Shape:
    return {
        "kind": change.kind,
        "moved": change.moved,
        "old": [_named(section) for section in change.old],
        "new": [_named(section) for section in change.new],
        "natures": sorted(change.natures),
        "words_added": change.words_added,
        "words_removed": change.words_removed,
        "edits": [{"kind": edit.kind, "text": edit.text} for edit in change.edits],
    }


def _named(section: Section) -> Shape:
    return {"number": section.number, "title": section.title, "anchor": section.anchor}


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


def erasure(session: Session, found: Erasure) -> Shape:
    names = ("id", "cause", "erased_at", "scrubbed_at")
    pseudonym = session.get_one(User, found.user_id).external_id
    shape = {name: getattr(found, name) for name in names} | {"pseudonym": pseudonym, "request": found.request_id}
    return shape | found.report


def hold(found: Hold) -> Shape:
    return {name: getattr(found, name) for name in ("reason", "placed_at", "lifted_at", "lift_reason")}


def reply(found: Reply) -> Shape:
    return {"nth": found.nth, "text": found.text, "at": found.at, "channel": found.channel}


def answer(found: Answer) -> Shape:
    """`quotes` hold an answer and nothing else; what only comes close stands apart, in `closest`."""
    return {
        "answered": found.answered,
        "outcome": found.outcome.value,
        "lead_in": found.lead_in,
        "quotes": [_quote(quote) for quote in found.quotes],
        "closest": [_quote(quote) for quote in found.closest],
        "notes": list(found.notes),
        "reason": found.reason,
        "route": found.route,
        "pin": found.pin,
    }


def pin(session: Session, pin: Pin, *, now: datetime) -> Shape:
    """`doubts` are the versions for which it has to be confirmed; an empty section is gone from that version."""
    return {
        "number": pin.id,
        "document": session.get_one(Document, pin.document_id).slug,
        "locale": pin.locale,
        "question": pin.question,
        "section": curating.section_of(session, pin),
        "lead_in": pin.lead_in,
        "made_at": pin.made_at,
        "removed_at": pin.removed_at,
        "doubts": [asdict(doubt) for doubt in curating.doubts(session, pin, now=now)],
    }


def unanswered(found: Unanswered) -> Shape:
    return {
        "number": found.id,
        "question": found.question,
        "locale": found.locale,
        "outcome": found.outcome,
        "times": found.times,
        "first_at": found.first_at,
        "last_at": found.last_at,
        "dismissed_at": found.dismissed_at,
    }


def _quote(quote: Quote) -> Shape:
    return {
        "text": quote.text,
        "document": quote.slug,
        "version": quote.version,
        "section": {"number": quote.number, "title": quote.title, "anchor": quote.anchor},
        "url": quote.url,
        "score": quote.score,
        "why": list(quote.why),
    }
