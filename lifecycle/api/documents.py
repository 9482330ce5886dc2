"""Documents, and the text that is in force."""

from datetime import datetime

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.api import inputs
from lifecycle.api.desk import Here, Limit, Shape, page
from lifecycle.documents import store
from lifecycle.documents.comparison import compare_versions
from lifecycle.errors import NotFound
from lifecycle.models import Document, Version

router = APIRouter()


@router.get("/documents")
def list_documents(desk: Here, after: str = "", limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        # In the order of Python, which unlike that of a database depends on no locale.
        known = sorted((d for d in store.documents(session) if d.slug > after), key=lambda d: d.slug)
        return page("documents", [_shape(session, d, desk.now) for d in known[: limit + 1]], limit, "slug")

    return desk.read(work)


@router.post("/documents", status_code=201)
def create_document(desk: Here, new: inputs.NewDocument) -> Shape:
    def work(session: Session) -> Shape:
        made = store.create_document(session, **new.model_dump(), actor="host", now=desk.now)
        return _shape(session, made, desk.now)

    return desk.run(work)


@router.get("/documents/{slug}")
def get_document(desk: Here, slug: str) -> Shape:
    return desk.read(lambda s: _shape(s, store.document(s, slug), desk.now))


@router.get("/documents/{slug}/in-force")
def in_force(desk: Here, slug: str, at: inputs.Instant | None = None, locale: str = "") -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        found = store.in_force(session, document, at=at or desk.now)
        if found is None:
            raise NotFound(f"No version of {slug!r} was in force then.")
        return text(session, document, found, locale, desk.now)

    return desk.read(work)


@router.get("/documents/{slug}/compare/{old}/{new}")
def compare(desk: Here, slug: str, old: int, new: int, locale: str = "") -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        before, after = (store.version(session, document, number) for number in (old, new))
        return shapes.comparison(compare_versions(session, document, before, after, locale))

    return desk.read(work)


def text(session: Session, document: Document, version: Version, locale: str, now: datetime) -> Shape:
    """A version with its text in one locale and the text's sections."""
    body = store.body(session, version, locale)
    sections = [shapes.section(row) for row in store.section_rows(session, body)]
    return shapes.version(session, document, version, now=now) | shapes.body(body) | {"sections": sections}


def _shape(session: Session, document: Document, now: datetime) -> Shape:
    in_force = store.in_force(session, document, at=now)
    upcoming = store.upcoming(store.chain(session, document.id), now)
    return {
        "slug": document.slug,
        "title": document.title,
        "kind": document.kind,
        "default_locale": document.default_locale,
        "in_force_version": in_force.number if in_force else None,
        "upcoming_versions": [version.number for version in upcoming],
    }
