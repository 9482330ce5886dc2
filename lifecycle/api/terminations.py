"""The end of a user's access: decided, looked at, undone."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import announcing, appeals, exits, reasons, shapes, terminations, users
from lifecycle.api import inputs
from lifecycle.api.desk import Desk, Here, Shape
from lifecycle.reasons import Filing
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


@router.post("/terminations/{number}/stay")
def stay(desk: Here, number: int, why: inputs.Reason) -> Shape:
    return _change(desk, appeals.hold, number, why)


@router.post("/terminations/{number}/resume")
def resume(desk: Here, number: int, why: inputs.Reason) -> Shape:
    return _change(desk, appeals.resume, number, why)


@router.post("/terminations/{number}/appeal", status_code=201)
def appeal(desk: Here, number: int, new: inputs.NewAppeal) -> Shape:
    def work(session: Session) -> Shape:
        found = terminations.termination(session, number)
        request = appeals.appeal(session, found, new.text, source="api", stay=new.stay, now=desk.now)
        return shapes.request(session, request, zone=desk.settings.zone, now=desk.now)

    return desk.run(work)


@router.post("/terminations/{number}/notice-given")
def notice_given(desk: Here, number: int, new: inputs.NoticeGiven) -> Shape:
    def work(session: Session) -> Shape:
        found = announcing.told_otherwise(
            session,
            terminations.termination(session, number),
            new.by,
            evidence=new.evidence,
            told_at=new.told_at,
            zone=desk.settings.zone,
            actor="host",
            now=desk.now,
        )
        return shapes.termination(session, found, now=desk.now)

    return desk.run(work)


@router.get("/terminations/{number}/statement")
def get_statement(
    desk: Here,
    number: int,
    category: str = Filing().category,
    source_type: str = Filing().source_type,
    automated_detection: bool = False,
) -> Shape:
    """The statement of reasons in the fields of the EU's DSA Transparency Database."""
    filing = Filing(category, source_type, automated_detection=automated_detection)
    return desk.read(
        lambda s: reasons.statement(s, terminations.termination(s, number), filing, settings=desk.settings)
    )


@router.get("/users/{external_id}/exit-rights")
def get_exit_rights(desk: Here, external_id: str) -> Shape:
    def work(session: Session) -> Shape:
        rights = exits.exit_rights(session, users.user(session, external_id), zone=desk.settings.zone, now=desk.now)
        return {"exit_rights": [asdict(right) for right in rights]}

    return desk.read(work)


def _change(desk: Desk, verb: Callable[..., Any], number: int, why: inputs.Reason) -> Shape:
    def work(session: Session) -> Shape:
        found = terminations.termination(session, number)
        changed = verb(session, found, reason=why.reason, actor="host", now=desk.now)
        return shapes.termination(session, changed, now=desk.now)

    return desk.run(work)
