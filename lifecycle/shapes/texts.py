"""Documents, versions and what lies between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from lifecycle.documents import store
from lifecycle.documents.compare import Change
from lifecycle.documents.comparison import Comparison
from lifecycle.documents.sections import Section
from lifecycle.models import (
    Body,
    Document,
    SectionRow,
)
from lifecycle.models import Version as VersionRow
from lifecycle.shapes.shape import Shape


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
