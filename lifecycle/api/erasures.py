"""Taking people out, keeping them under a legal hold, and what became of those who were erased."""

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import erasure, shapes, users
from lifecycle.api import inputs
from lifecycle.api.desk import After, Here, Limit, Shape, page
from lifecycle.errors import InvalidInput

router = APIRouter()


@router.post("/users/{external_id}/erase")
def erase_user(desk: Here, external_id: str, why: inputs.Reason) -> Shape:
    """At once and for good; for someone who asks for it, open a request of kind erasure instead."""
    if not why.reason.strip():
        raise InvalidInput("Give the reason for the erasure, such as the law that asks for it.")

    def work(session: Session) -> Shape:
        user, cause, zone = users.user(session, external_id), erasure.BY_STAFF, desk.settings.zone
        made = erasure.erase(session, user, cause=cause, reason=why.reason, actor="host", zone=zone, now=desk.now)
        return shapes.erasure(session, made)

    return desk.run(work)


@router.post("/users/{external_id}/hold")
def hold_user(desk: Here, external_id: str, why: inputs.Reason) -> Shape:
    def work(session: Session) -> Shape:
        user = users.user(session, external_id)
        return shapes.hold(erasure.hold(session, user, why.reason, actor="host", now=desk.now))

    return desk.run(work)


@router.post("/users/{external_id}/release")
def release_user(desk: Here, external_id: str, why: inputs.Reason) -> Shape:
    def work(session: Session) -> Shape:
        user = users.user(session, external_id)
        return shapes.hold(erasure.release(session, user, why.reason, actor="host", now=desk.now))

    return desk.run(work)


@router.get("/erasures")
def list_erasures(desk: Here, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        found = erasure.erasures(session, after=after, limit=limit + 1)
        return page("erasures", [shapes.erasure(session, one) for one in found], limit, "id")

    return desk.read(work)
