"""The end of a user's access: decided, looked at, undone."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import shapes, terminations, users
from lifecycle.api import inputs
from lifecycle.api.desk import Desk, Here, Shape
from lifecycle.terminations import Cause

router = APIRouter()


@router.post("/users/{external_id}/terminations", status_code=201)
def terminate(desk: Here, external_id: str, new: inputs.NewTermination) -> Shape:
    def work(session: Session) -> Shape:
        told = new.model_dump(exclude={"grounds", "notice_days", "notice_at", "effective_at"})
        made = terminations.terminate(
            session,
            users.user(session, external_id),
            Cause(**told, grounds=[(ground.document, ground.section) for ground in new.grounds]),
            notice_days=new.notice_days,
            notice_at=new.notice_at,
            effective_at=new.effective_at,
            zone=desk.settings.zone,
            actor="host",
            now=desk.now,
        )
        return shapes.termination(session, made, now=desk.now)

    return desk.run(work)


@router.get("/terminations/{number}")
def get_termination(desk: Here, number: int) -> Shape:
    return desk.read(lambda s: shapes.termination(s, terminations.termination(s, number), now=desk.now))


@router.post("/terminations/{number}/rescind")
def rescind(desk: Here, number: int, why: inputs.Reason) -> Shape:
    return _change(desk, terminations.rescind, number, why)


@router.post("/terminations/{number}/reinstate")
def reinstate(desk: Here, number: int, why: inputs.Reason) -> Shape:
    return _change(desk, terminations.reinstate, number, why)


@router.post("/terminations/{number}/override")
def override(desk: Here, number: int, why: inputs.Reason) -> Shape:
    return _change(desk, terminations.override, number, why)


def _change(desk: Desk, verb: Callable[..., Any], number: int, why: inputs.Reason) -> Shape:
    def work(session: Session) -> Shape:
        found = terminations.termination(session, number)
        changed = verb(session, found, reason=why.reason, actor="host", now=desk.now)
        return shapes.termination(session, changed, now=desk.now)

    return desk.run(work)
