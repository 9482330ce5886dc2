"""Users: what is known of them, what binds them, what they did and may do."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from sqlmodel import Session

from lifecycle import activity, clauses, engagements, graces, responses, shapes, standing, users
from lifecycle.api import inputs
from lifecycle.api.desk import Here, Shape
from lifecycle.documents import store, texts
from lifecycle.states import EngagementKind

router = APIRouter()


@router.put("/users/{external_id}")
def put_user(desk: Here, external_id: str, facts: inputs.UserFacts) -> Shape:
    given = facts.model_dump(exclude_unset=True)
    return desk.run(lambda s: shapes.user(users.upsert(s, external_id, **given, now=desk.now)))


@router.get("/users/{external_id}/standing")
def get_standing(desk: Here, external_id: str) -> Shape:
    return asdict(standing.check(desk.database, external_id, zone=desk.settings.zone, now=desk.now))


async def _names(request: Request) -> list[str]:
    lines = texts.decode(await request.body(), name="The body").splitlines()
    return [name.strip() for name in lines if name.strip()]


@router.post("/standing")
def stream_standing(desk: Here, names: Annotated[list[str], Depends(_names)]) -> StreamingResponse:
    """The standing of each user of a body that names one a line, as NDJSON in the same order."""
    lines = standing.to_lines(desk.database, names, zone=desk.settings.zone, now=desk.now)
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.get("/users/{external_id}/bound")
def get_bound(desk: Here, external_id: str, document: str, at: inputs.Instant | None = None) -> Shape:
    def work(session: Session) -> Shape:
        user, about = users.user(session, external_id), store.document(session, document)
        instant = at or desk.now
        why = standing.reasons(session, user, zone=desk.settings.zone, at=instant).get(document, "")
        found = engagements.bound(session, user, about, at=instant)
        if found is None:
            return {"document": document, "version": None, "since": None, "proof": None, "why": why}
        return shapes.bound(session, found, why)

    return desk.read(work)


@router.get("/users/{external_id}/surviving")
def get_surviving(desk: Here, external_id: str) -> Shape:
    """The sections that still hold for a user after the end of all their access."""
    return desk.read(lambda s: shapes.surviving(clauses.still_binding(s, users.user(s, external_id), now=desk.now)))


@router.post("/users/{external_id}/engagements", status_code=201)
def engage(desk: Here, external_id: str, new: inputs.NewEngagement) -> Shape:
    def work(session: Session) -> Shape:
        user = users.user(session, external_id)
        version = store.version(session, store.document(session, new.document), new.version)
        told = new.model_dump(exclude={"document", "version", "kind"})
        told["actor"] = "host" if new.kind is EngagementKind.IMPORTED else "user"
        fact = responses.respond(session, user, version, new.kind, **told, zone=desk.settings.zone, now=desk.now)
        return shapes.engagement(session, fact)

    return desk.run(work)


@router.post("/graces", status_code=201)
def give_grace(desk: Here, new: inputs.NewGrace) -> Shape:
    """Put a deadline off, or lift it without `until`, for one user or, without `user`, for all."""

    def work(session: Session) -> Shape:
        version = store.version(session, store.document(session, new.document), new.version)
        user = users.user(session, new.user) if new.user is not None else None
        given = graces.give(session, version, user=user, until=new.until, reason=new.reason, actor="host", now=desk.now)
        return shapes.grace(session, given)

    return desk.run(work)


@router.get("/graces")
def list_graces(desk: Here, user: str | None = None) -> Shape:
    def work(session: Session) -> Shape:
        whose = users.user(session, user) if user is not None else None
        return {"graces": [shapes.grace(session, one) for one in graces.graces(session, user=whose)]}

    return desk.read(work)


@router.post("/graces/{number}/undo")
def undo_grace(desk: Here, number: int, why: inputs.Reason) -> Shape:
    def work(session: Session) -> Shape:
        found = graces.undo(session, graces.grace(session, number), reason=why.reason, actor="host", now=desk.now)
        return shapes.grace(session, found)

    return desk.run(work)


@router.post("/activity")
def record_activity(desk: Here, batch: inputs.Activity) -> Shape:
    def work(session: Session) -> Shape:
        report = activity.record(session, [(entry.user, entry.at) for entry in batch.seen], now=desk.now)
        problems = [{"user": user, "detail": detail} for user, detail in report.problems]
        return {"recorded": report.recorded, "bound": report.bound, "problems": problems}

    return desk.run(work)
