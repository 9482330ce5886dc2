"""Clauses of a text, quoted: the grounds of a termination, and what survives one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from lifecycle import engagements
from lifecycle.documents import sections, store
from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.models import Body, Document, Ground, SectionRow, Termination, User, Version


@dataclass(frozen=True, slots=True)
class Clause:
    """A section of a version, quoted: a ground, or one that survives."""

    document: str
    slug: str
    version: int
    locale: str
    number: str
    title: str
    anchor: str
    text: str


def bound_sections(
    session: Session, user: User, references: Sequence[tuple[str, str]], *, at: datetime
) -> list[SectionRow]:
    """The sections so named (document slug; number as printed, anchor or title) in what bound the user at `at`.

    Raises RuleRefused when no version of the document bound the user, InvalidInput when it holds no such section.
    """
    found = {}
    for slug, reference in references:
        document = store.document(session, slug)
        bound = engagements.bound(session, user, document, at=at)
        if bound is None:
            raise RuleRefused(f"No version of {slug!r} binds user {user.external_id!r}, so it can be no ground.")
        body = store.body(session, bound.version, user.locale)
        row = sections.find(store.section_rows(session, body), reference)
        if row is None:
            raise InvalidInput(
                f"Version {bound.version.number} of {slug!r}, which binds user {user.external_id!r}, "
                f"has no section {reference!r}.",
                f"`assent document show {slug}` lists its sections.",
            )
        found[row.id] = row
    return list(found.values())


def grounds(session: Session, termination: Termination) -> list[Clause]:
    """The sections the termination rests on, quoted."""
    of_termination = select(SectionRow).join(Ground, col(Ground.section_id) == col(SectionRow.id))
    rows = of_termination.where(Ground.termination_id == termination.id).order_by(col(Ground.id))
    return [_clause(session, row) for row in session.exec(rows)]


def surviving(session: Session, user: User, *, at: datetime) -> list[Clause]:
    """The sections, of the versions that bound the user at `at`, that still bind after termination."""
    found = []
    for bound in engagements.bound_versions(session, user, at=at):
        body = store.body(session, bound.version, user.locale)
        found += [_clause(session, row) for row in store.section_rows(session, body) if row.survives]
    return found


@dataclass(frozen=True, slots=True)
class Surviving:
    """What still holds for a user after the end of all their access, since when, and by which termination."""

    termination: Termination
    since: datetime
    clauses: list[Clause]


def still_binding(session: Session, user: User, *, now: datetime) -> Surviving | None:
    """The sections that bind the user although access has ended; None while it has not.

    They are those of the versions that bound when the end was decided, as its notice names them, by the marks as they
    stand now. What ends a part of the service, or for a time, leaves the whole text binding.
    """
    of_user = select(Termination).where(Termination.user_id == user.id).order_by(col(Termination.id).desc())
    ended = next((one for one in session.exec(of_user) if one.is_whole and one.in_effect(now)), None)
    if ended is None or ended.takes_effect_at is None:
        return None
    return Surviving(ended, ended.takes_effect_at, surviving(session, user, at=ended.decided_at))


def _clause(session: Session, row: SectionRow) -> Clause:
    body = session.get_one(Body, row.body_id)
    version = session.get_one(Version, body.version_id)
    document = session.get_one(Document, version.document_id)
    begins = {section.start: section.text_start for section in sections.split(body.text)}
    start = begins.get(row.start, row.start)  # the heading stands beside the quote already
    text = sections.plain(body.text[start : sections.extent(store.section_rows(session, body), row)]).strip()
    return Clause(body.title, document.slug, version.number, body.locale, row.number, row.title, row.anchor, text)
