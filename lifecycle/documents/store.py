"""Documents and their versions: kept, found, and derived at an instant."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.documents import losses, sections
from lifecycle.documents.texts import check_locale, check_text, sha256
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Body, Document, SectionRow, Version
from lifecycle.states import DocumentKind

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
RESERVED = {
    "admin",
    "answer",
    "api",
    "documents",
    "feed",
    "healthz",
    "hooks",
    "metrics",
    "prove",
    "readyz",
    "static",
    "style",
}


def create_document(
    session: Session,
    slug: str,
    *,
    title: str,
    kind: DocumentKind = DocumentKind.OTHER,
    default_locale: str = "en",
    actor: str = "staff",
    now: datetime,
) -> Document:
    """Add a document without versions. Raises InvalidInput for a bad slug, Conflict when the slug is taken."""
    if not SLUG.match(slug):
        raise InvalidInput(f"Slug {slug!r} may hold only a-z, 0-9 and single hyphens, such as 'privacy-policy'.")
    if slug in RESERVED:
        raise InvalidInput(f"Slug {slug!r} is the address of a page of Assent; choose another.")
    if session.exec(select(Document).where(Document.slug == slug)).first():
        raise Conflict(f"Document {slug!r} exists already; draft a version of it instead.")
    document = Document(slug=slug, title=title, kind=kind, default_locale=check_locale(default_locale), created_at=now)
    session.add(document)
    session.flush()
    history.record(session, actor, "created", "document", document.id, now=now, slug=slug, kind=kind.value)
    return document


def documents(session: Session) -> list[Document]:
    return list(session.exec(select(Document).order_by(Document.slug)))


def document(session: Session, slug: str) -> Document:
    """The document; raises NotFound that lists the slugs there are."""
    found = session.exec(select(Document).where(Document.slug == slug)).first()
    if found is None:
        known = ", ".join(session.exec(select(Document.slug).order_by(Document.slug))) or "none yet"
        raise NotFound(f"There is no document {slug!r}. Known: {known}.")
    return found


def draft_version(
    session: Session,
    document: Document,
    texts: Mapping[str, str],
    *,
    titles: Mapping[str, str] | None = None,
    changelogs: Mapping[str, Sequence[str]] | None = None,
    number: int | None = None,
    surviving: Sequence[str] = (),
    imported: bool = False,
    allow_loss: bool = False,
    actor: str = "staff",
    now: datetime,
) -> Version:
    """Store a new, unpublished version with one body per locale and its sections.

    `changelogs` say by locale what changes, a sentence an entry. `surviving` names sections, as printed or by
    anchor, that still bind after termination.
    Raises InvalidInput for an empty or unusable text, Conflict when the number is taken, RuleRefused for a text that
    lacks most words of the version before it, unless `allow_loss`.
    """
    if not texts:
        raise InvalidInput(f"A version of {document.slug!r} needs a text in at least one locale.")
    if number is None:
        number = (session.exec(select(func.max(Version.number)).where(_of(document))).one() or 0) + 1
    elif session.exec(select(Version).where(_of(document), Version.number == number)).first():
        raise Conflict(f"Version {number} of {document.slug!r} exists already; versions are never overwritten.")
    version = Version(document_id=document.id, number=number, created_at=now, imported=imported)
    session.add(version)
    session.flush()
    for locale, text in texts.items():
        _add_body(
            session,
            document,
            version,
            locale,
            text,
            title=(titles or {}).get(locale, ""),
            changelog=(changelogs or {}).get(locale, ()),
            surviving=surviving,
            allow_loss=allow_loss,
            actor=actor,
            now=now,
        )
    history.record(session, actor, "drafted", "version", version.id, now=now, document=document.id, number=number)
    return version


def add_body(
    session: Session,
    document: Document,
    version: Version,
    locale: str,
    text: str,
    *,
    title: str = "",
    changelog: Sequence[str] = (),
    surviving: Sequence[str] = (),
    allow_loss: bool = False,
    actor: str,
    now: datetime,
) -> Body:
    """Store the version's text in one more locale.

    Raises InvalidInput, Conflict, or RuleRefused for a text that lacks most words of the one before it, unless
    `allow_loss`; nothing is stored then.
    """
    if session.exec(select(Body).where(Body.version_id == version.id, Body.locale == locale)).first():
        raise Conflict(f"Version {version.number} of {document.slug!r} has a text in {locale!r} already.")
    return _add_body(
        session,
        document,
        version,
        locale,
        text,
        title=title,
        changelog=changelog,
        surviving=surviving,
        allow_loss=allow_loss,
        actor=actor,
        now=now,
    )


def _add_body(
    session: Session,
    document: Document,
    version: Version,
    locale: str,
    text: str,
    *,
    title: str,
    changelog: Sequence[str],
    surviving: Sequence[str],
    allow_loss: bool,
    actor: str,
    now: datetime,
) -> Body:
    check_locale(locale)
    before = None if allow_loss else _text_before(session, version, locale)
    if before is not None:
        losses.require_text_kept(before, text, what=f"The {locale} text for version {version.number}")
    body = Body(
        version_id=version.id,
        locale=locale,
        title=title or document.title,
        text=check_text(text),
        changelog="\n".join(changelog),
        sha256=sha256(text),
        created_at=now,
    )
    session.add(body)
    session.flush()
    pieces = sections.split(text)
    for reference in surviving:
        if sections.find(pieces, reference) is None:
            raise InvalidInput(f"There is no section {reference!r} in the {locale} text to mark as surviving.")
    kept = {sections.find(pieces, reference) for reference in surviving}
    session.execute(insert(SectionRow), [_row(body, piece, survives=piece in kept) for piece in pieces])
    history.record(session, actor, "added", "body", body.id, now=now, version=version.id, sha256=body.sha256)
    return body


def _text_before(session: Session, version: Version, locale: str) -> str | None:
    """The text of the last earlier version that has one in this locale."""
    earlier = (
        select(Body.text)
        .join(Version, col(Version.id) == col(Body.version_id))
        .where(
            Version.document_id == version.document_id,
            Version.number < version.number,
            Body.locale == locale,
        )
    )
    return session.exec(earlier.order_by(col(Version.number).desc()).limit(1)).first()


def versions(session: Session, document: Document) -> list[Version]:
    """All versions, by number."""
    return list(session.exec(select(Version).where(_of(document)).order_by(col(Version.number))))


def version(session: Session, document: Document, number: int) -> Version:
    """The version; raises NotFound that says which numbers there are."""
    found = session.exec(select(Version).where(_of(document), Version.number == number)).first()
    if found is None:
        known = [str(known.number) for known in versions(session, document)]
        raise NotFound(f"{document.slug!r} has no version {number}. Known: {', '.join(known) or 'none yet'}.")
    return found


def chain(session: Session, document_id: int) -> list[Version]:
    """The published versions in the order in which they come in force, withdrawn ones included."""
    published = select(Version).where(Version.document_id == document_id, col(Version.published_at).is_not(None))
    return list(session.exec(published.order_by(col(Version.effective_at), col(Version.number))))


def standing_chain(published: Sequence[Version], at: datetime) -> list[Version]:
    """Of a chain, what was in force at or before `at` and not withdrawn by then; the last is in force."""
    return [v for v in published if _effective(v) <= at and (v.withdrawn_at is None or v.withdrawn_at > at)]


def in_force(session: Session, document: Document, *, at: datetime) -> Version | None:
    """The published, not withdrawn version with the greatest effective instant up to `at`."""
    query = select(Version).where(
        _of(document),
        col(Version.published_at).is_not(None),
        col(Version.effective_at) <= at,
        col(Version.withdrawn_at).is_(None) | (col(Version.withdrawn_at) > at),
    )
    latest = query.order_by(col(Version.effective_at).desc(), col(Version.number).desc())
    return session.exec(latest.limit(1)).first()


def upcoming(published: Sequence[Version], at: datetime) -> list[Version]:
    """Of a chain, what is published and will come in force after `at`."""
    return [v for v in published if _effective(v) > at and v.withdrawn_at is None]


def bodies(session: Session, version: Version) -> list[Body]:
    return list(session.exec(select(Body).where(Body.version_id == version.id).order_by(Body.locale)))


def body(session: Session, version: Version, *locales: str) -> Body:
    """The text in the first of `locales` there is (de-AT, then de), else in the document's, else in any."""
    by_locale = {body.locale: body for body in bodies(session, version)}
    default = session.get_one(Document, version.document_id).default_locale
    for locale in (*locales, default):
        for candidate in (locale, locale.split("-")[0]):
            if candidate in by_locale:
                return by_locale[candidate]
    return next(iter(by_locale.values()))


def section_rows(session: Session, body: Body) -> list[SectionRow]:
    return list(
        session.exec(select(SectionRow).where(SectionRow.body_id == body.id).order_by(col(SectionRow.position)))
    )


def _of(document: Document) -> bool:
    return Version.document_id == document.id


def _effective(version: Version) -> datetime:
    assert version.effective_at is not None, "only published versions stand in a chain"
    return version.effective_at


def _row(body: Body, piece: sections.Section, *, survives: bool) -> dict[str, Any]:
    return {
        "body_id": body.id,
        "position": piece.position,
        "level": piece.level,
        "number": piece.number,
        "title": piece.title,
        "anchor": piece.anchor,
        "path": list(piece.path),
        "start": piece.start,
        "end": piece.end,
        "survives": survives,
    }
