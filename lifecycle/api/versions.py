"""The versions of a document: drafted, rehearsed, published, withdrawn."""

from dataclasses import asdict

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.api import inputs
from lifecycle.api.desk import After, Here, Limit, Shape, page
from lifecycle.api.documents import text
from lifecycle.documents import practice, publishing, store
from lifecycle.documents.publishing import Publication

router = APIRouter(prefix="/documents/{slug}/versions")


@router.get("")
def list_versions(desk: Here, slug: str, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        later = [version for version in store.versions(session, document) if version.number > after]
        shown = [shapes.version(session, document, version, now=desk.now) for version in later[: limit + 1]]
        return page("versions", shown, limit, "version")

    return desk.read(work)


@router.post("", status_code=201)
def draft_version(desk: Here, slug: str, new: inputs.NewVersion) -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        drafted = store.draft_version(session, document, **new.model_dump(), actor="host", now=desk.now)
        return shapes.version(session, document, drafted, now=desk.now)

    return desk.run(work)


@router.get("/{number}")
def get_version(desk: Here, slug: str, number: int, locale: str = "") -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        return text(session, document, store.version(session, document, number), locale, desk.now)

    return desk.read(work)


@router.post("/{number}/rehearse")
def rehearse(desk: Here, slug: str, number: int, new: inputs.NewPublication) -> Shape:
    def work(session: Session) -> Shape:
        version = store.version(session, store.document(session, slug), number)
        settings = desk.settings
        planned = publishing.rehearse(
            session,
            version,
            publication(new),
            per_hour=settings.relay_per_hour,
            zone=settings.zone,
            done=practice.practice(settings),
            now=desk.now,
        )
        return asdict(planned)

    return desk.read(work)


@router.post("/{number}/publish")
def publish(desk: Here, slug: str, number: int, new: inputs.NewPublication) -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        version = store.version(session, document, number)
        zone = desk.settings.zone
        per_hour = desk.settings.relay_per_hour
        publishing.publish(session, version, publication(new), zone=zone, per_hour=per_hour, actor="host", now=desk.now)
        return shapes.version(session, document, version, now=desk.now)

    return desk.run(work)


@router.post("/{number}/withdraw")
def withdraw(desk: Here, slug: str, number: int, why: inputs.Reason) -> Shape:
    def work(session: Session) -> Shape:
        document = store.document(session, slug)
        version = store.version(session, document, number)
        publishing.withdraw(session, version, reason=why.reason, actor="host", now=desk.now)
        return shapes.version(session, document, version, now=desk.now)

    return desk.run(work)


def publication(new: inputs.NewPublication) -> Publication:
    fields = new.model_dump(include=set(inputs.NewPublication.model_fields))
    return Publication(**fields | {"changelog": tuple(new.changelog)})
