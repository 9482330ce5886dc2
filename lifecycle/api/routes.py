"""The endpoints: each a thin face of one domain function, in one transaction."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from sqlmodel import Session

from lifecycle import __version__, activity, engagements, requests, shapes, standing, terminations, users
from lifecycle.answers import answering
from lifecycle.api import inputs
from lifecycle.api.problems import Bearer, explain_errors
from lifecycle.db import Database
from lifecycle.documents import compare, publishing, store
from lifecycle.documents.publishing import Publication
from lifecycle.errors import NotFound
from lifecycle.models import Document, Version
from lifecycle.notices import outbox
from lifecycle.settings import Settings
from lifecycle.states import NoticeStatus, Purpose, require_aware
from lifecycle.terminations import Cause

Shape = dict[str, Any]
After = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=200)]


def api(settings: Settings, database: Database, clock: Callable[[], datetime]) -> FastAPI:
    """The interface as an application of its own, to be mounted at /api/v1."""
    app = FastAPI(
        title="Assent", version=__version__, docs_url=None, redoc_url=None, dependencies=[Depends(Bearer(settings))]
    )
    explain_errors(app)
    # Sync endpoints that commit before they answer: a failed commit can never answer 200.
    faces = (_documents, _people, _terminations, _notices, _requests)
    for face in faces:
        face(app, settings, database, clock)
    return app


def _documents(app: FastAPI, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
    @app.get("/documents")
    def list_documents() -> Shape:
        return {"documents": database.read(lambda s: [_document(s, d, clock()) for d in store.documents(s)])}

    @app.post("/documents", status_code=201)
    def create_document(new: inputs.NewDocument) -> Shape:
        def work(session: Session) -> Shape:
            return _document(
                session, store.create_document(session, **new.model_dump(), actor="host", now=clock()), clock()
            )

        return database.run(work)

    @app.get("/documents/{slug}")
    def get_document(slug: str) -> Shape:
        return database.read(lambda s: _document(s, store.document(s, slug), clock()))

    @app.get("/documents/{slug}/versions")
    def list_versions(slug: str) -> Shape:
        def work(session: Session) -> list[Shape]:
            document = store.document(session, slug)
            return [shapes.version(session, document, v, now=clock()) for v in store.versions(session, document)]

        return {"versions": database.read(work)}

    @app.post("/documents/{slug}/versions", status_code=201)
    def draft_version(slug: str, new: inputs.NewVersion) -> Shape:
        def work(session: Session) -> Shape:
            document = store.document(session, slug)
            drafted = store.draft_version(session, document, **new.model_dump(), actor="host", now=clock())
            return shapes.version(session, document, drafted, now=clock())

        return database.run(work)

    @app.get("/documents/{slug}/versions/{number}")
    def get_version(slug: str, number: int, locale: str = "") -> Shape:
        def work(session: Session) -> Shape:
            document = store.document(session, slug)
            return _text(session, document, store.version(session, document, number), locale, clock())

        return database.read(work)

    @app.get("/documents/{slug}/in-force")
    def in_force(slug: str, at: datetime | None = None, locale: str = "") -> Shape:
        def work(session: Session) -> Shape:
            document = store.document(session, slug)
            found = store.in_force(session, document, at=_instant(at, clock))
            if found is None:
                raise NotFound(f"No version of {slug!r} was in force then.")
            return _text(session, document, found, locale, clock())

        return database.read(work)

    @app.get("/documents/{slug}/compare/{old}/{new}")
    def compare_versions(slug: str, old: int, new: int, locale: str = "") -> Shape:
        def work(session: Session) -> list[compare.Change]:
            document = store.document(session, slug)
            found = (store.version(session, document, number) for number in (old, new))
            before, after = (store.body(session, version, locale).text for version in found)
            return compare.compare(before, after)

        return {"changes": [_change(change) for change in database.read(work)]}

    @app.post("/documents/{slug}/versions/{number}/rehearse")
    def rehearse(slug: str, number: int, new: inputs.NewPublication) -> Shape:
        def work(session: Session) -> Shape:
            version = store.version(session, store.document(session, slug), number)
            per_hour = settings.relay_per_hour
            return asdict(
                publishing.rehearse(
                    session, version, _publication(new), per_hour=per_hour, zone=settings.zone, now=clock()
                )
            )

        return database.read(work)

    @app.post("/documents/{slug}/versions/{number}/publish")
    def publish(slug: str, number: int, new: inputs.NewPublication) -> Shape:
        def work(session: Session) -> Shape:
            document = store.document(session, slug)
            version = store.version(session, document, number)
            publishing.publish(session, version, _publication(new), zone=settings.zone, actor="host", now=clock())
            return shapes.version(session, document, version, now=clock())

        return database.run(work)

    @app.post("/documents/{slug}/versions/{number}/withdraw")
    def withdraw(slug: str, number: int, why: inputs.Reason) -> Shape:
        def work(session: Session) -> Shape:
            document = store.document(session, slug)
            version = store.version(session, document, number)
            publishing.withdraw(session, version, reason=why.reason, actor="host", now=clock())
            return shapes.version(session, document, version, now=clock())

        return database.run(work)

    @app.post("/answers")
    def answer(asked: inputs.Question) -> Shape:
        def work(session: Session) -> answering.Answer:
            user = users.user(session, asked.user) if asked.user else None
            return answering.answer(
                session,
                asked.question,
                settings=settings,
                documents=asked.documents,
                locale=asked.locale,
                user=user,
                now=clock(),
            )

        found = database.read(work)
        return {"answered": found.answered, "quotes": [_quote(q) for q in found.quotes], "reason": found.reason}


def _people(app: FastAPI, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
    @app.put("/users/{external_id}")
    def put_user(external_id: str, facts: inputs.UserFacts) -> Shape:
        given = facts.model_dump(exclude_unset=True)
        return database.run(lambda s: shapes.user(users.upsert(s, external_id, **given, now=clock())))

    @app.post("/activity")
    def record_activity(batch: inputs.Activity) -> Shape:
        seen = [(entry.user, entry.at) for entry in batch.seen]
        report = database.run(lambda s: activity.record(s, seen, now=clock()))
        problems = [{"user": user, "detail": detail} for user, detail in report.problems]
        return {"recorded": report.recorded, "bound": report.bound, "problems": problems}

    @app.get("/users/{external_id}/standing")
    def get_standing(external_id: str) -> Shape:
        def work(session: Session) -> Shape:
            user = users.user(session, external_id)
            return asdict(standing.standing(session, user, zone=settings.zone, now=clock()))

        return database.read(work)

    @app.get("/users/{external_id}/bound")
    def get_bound(external_id: str, document: str, at: datetime | None = None) -> Shape:
        def work(session: Session) -> Shape:
            user, about = users.user(session, external_id), store.document(session, document)
            found = engagements.bound(session, user, about, at=_instant(at, clock))
            if found is None:
                return {"document": document, "version": None, "since": None, "proof": None}
            proof = shapes.engagement(session, found.proof)
            return {"document": document, "version": found.version.number, "since": found.since, "proof": proof}

        return database.read(work)

    @app.post("/users/{external_id}/engagements", status_code=201)
    def engage(external_id: str, new: inputs.NewEngagement) -> Shape:
        def work(session: Session) -> Shape:
            user = users.user(session, external_id)
            version = store.version(session, store.document(session, new.document), new.version)
            told = new.model_dump(exclude={"document", "version", "kind", "at"})
            at = require_aware(new.at, what="at") if new.at else None
            fact = engagements.engage(session, user, version, new.kind, **told, at=at, zone=settings.zone, now=clock())
            return shapes.engagement(session, fact)

        return database.run(work)


def _terminations(app: FastAPI, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
    @app.post("/users/{external_id}/terminations", status_code=201)
    def terminate(external_id: str, new: inputs.NewTermination) -> Shape:
        def work(session: Session) -> Shape:
            told = new.model_dump(exclude={"grounds", "notice_days", "notice_at", "effective_at"})
            cause = Cause(**told, grounds=[(ground.document, ground.section) for ground in new.grounds])
            made = terminations.terminate(
                session,
                users.user(session, external_id),
                cause,
                notice_days=new.notice_days,
                notice_at=_maybe(new.notice_at),
                effective_at=_maybe(new.effective_at),
                zone=settings.zone,
                actor="host",
                now=clock(),
            )
            return shapes.termination(session, made, now=clock())

        return database.run(work)

    @app.get("/terminations/{number}")
    def get_termination(number: int) -> Shape:
        return database.read(lambda s: shapes.termination(s, terminations.termination(s, number), now=clock()))

    def undo(verb: Callable[..., Any]) -> Callable[[int, inputs.Reason], Shape]:
        def change(number: int, why: inputs.Reason) -> Shape:
            def work(session: Session) -> Shape:
                found = terminations.termination(session, number)
                changed = verb(session, found, reason=why.reason, actor="host", now=clock())
                return shapes.termination(session, changed, now=clock())

            return database.run(work)

        return change

    for verb in (terminations.rescind, terminations.reinstate, terminations.override):
        app.post(f"/terminations/{{number}}/{verb.__name__}", name=verb.__name__)(undo(verb))


def _notices(app: FastAPI, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
    @app.get("/notices")
    def list_notices(
        status: NoticeStatus | None = None,
        user: str | None = None,
        purpose: Purpose | None = None,
        after: After = 0,
        limit: Limit = 100,
    ) -> Shape:
        def work(session: Session) -> list[Shape]:
            who = users.user(session, user) if user else None
            found = outbox.notices(session, status=status, purpose=purpose, user=who, after=after, limit=limit)
            return [shapes.notice(session, notice) for notice in found]

        return _page("notices", database.read(work), limit, "id")

    @app.get("/notices/{number}")
    def get_notice(number: int) -> Shape:
        def work(session: Session) -> Shape:
            found = outbox.notice(session, number)
            tries = [shapes.attempt(attempt) for attempt in outbox.attempts(session, found)]
            message = found.message.decode("utf-8", "replace") if found.message else None
            return shapes.notice(session, found) | {"tries": tries, "message": message}

        return database.read(work)

    @app.post("/notices/{number}/resolve")
    def resolve(number: int, settled: inputs.Resolution) -> Shape:
        def work(session: Session) -> Shape:
            found = outbox.notice(session, number)
            return shapes.notice(session, outbox.resolve(session, found, settled.outcome, actor="host", now=clock()))

        return database.run(work)


def _requests(app: FastAPI, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
    @app.get("/requests")
    def list_requests(all: bool = False, after: After = 0, limit: Limit = 100) -> Shape:
        def work(session: Session) -> list[Shape]:
            found = requests.requests(session, open_only=not all, after=after, limit=limit)
            return [shapes.request(session, request) for request in found]

        return _page("requests", database.read(work), limit, "number")

    @app.post("/requests", status_code=201)
    def open_request(new: inputs.NewRequest) -> Shape:
        def work(session: Session) -> Shape:
            user = users.user(session, new.user) if new.user else None
            made = requests.open_request(
                session, new.kind, subject=new.subject, details=new.details, user=user, source="api", now=clock()
            )
            return shapes.request(session, made)

        return database.run(work)

    @app.get("/requests/{number}")
    def get_request(number: int) -> Shape:
        def work(session: Session) -> Shape:
            found = requests.request(session, number)
            said = [shapes.reply(reply) for reply in requests.replies(session, found)]
            return shapes.request(session, found) | {"replies": said}

        return database.read(work)

    @app.post("/requests/{number}/reply", status_code=201)
    def reply(number: int, new: inputs.NewReply) -> Shape:
        def work(session: Session) -> Shape:
            found = requests.request(session, number)
            return shapes.reply(requests.answer(session, found, new.text, actor="host", now=clock()))

        return database.run(work)

    @app.post("/requests/{number}/close")
    def close(number: int) -> Shape:
        def work(session: Session) -> Shape:
            found = requests.request(session, number)
            return shapes.request(session, requests.close(session, found, actor="host", now=clock()))

        return database.run(work)


# -- shapes of this face alone ---------------------------------------------------------------------------------------


def _document(session: Session, document: Document, now: datetime) -> Shape:
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


def _text(session: Session, document: Document, version: Version, locale: str, now: datetime) -> Shape:
    body = store.body(session, version, locale)
    sections = [shapes.section(row) for row in store.section_rows(session, body)]
    return shapes.version(session, document, version, now=now) | shapes.body(body) | {"sections": sections}


def _change(change: compare.Change) -> Shape:
    return {
        "kind": change.kind,
        "number": change.section.number,
        "title": change.section.title,
        "words_added": change.words_added,
        "words_removed": change.words_removed,
        "edits": [{"kind": edit.kind, "text": edit.text} for edit in change.edits],
    }


def _quote(quote: answering.Quote) -> Shape:
    section = {"number": quote.number, "title": quote.title, "anchor": quote.anchor}
    return {
        "text": quote.text,
        "document": quote.slug,
        "version": quote.version,
        "section": section,
        "url": quote.url,
        "score": quote.score,
    }


def _page(name: str, items: list[Shape], limit: int, key: str) -> Shape:
    """One page in key order; `next` is the `after` of the following one."""
    return {name: items, "next": items[-1][key] if len(items) == limit else None}


def _publication(new: inputs.NewPublication) -> Publication:
    told = new.model_dump(exclude={"changelog", "effective_at", "notify_at"})
    return Publication(
        **told, changelog=tuple(new.changelog), effective_at=_maybe(new.effective_at), notify_at=_maybe(new.notify_at)
    )


def _maybe(instant: datetime | None) -> datetime | None:
    return require_aware(instant) if instant else None


def _instant(at: datetime | None, clock: Callable[[], datetime]) -> datetime:
    return require_aware(at, what="at") if at else clock()
