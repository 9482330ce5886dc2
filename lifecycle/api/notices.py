"""Notices: what was owed and sent, with the relay's words and the exact message."""

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import shapes, users
from lifecycle.api import inputs
from lifecycle.api.desk import After, Here, Limit, Shape, page
from lifecycle.notices import keeping, outbox, reports
from lifecycle.states import NoticeStatus, Purpose

router = APIRouter(prefix="/notices")


@router.get("")
def list_notices(
    desk: Here,
    status: NoticeStatus | None = None,
    user: str | None = None,
    purpose: Purpose | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Shape:
    def work(session: Session) -> Shape:
        who = users.user(session, user) if user else None
        found = outbox.notices(session, status=status, purpose=purpose, user=who, after=after, limit=limit + 1)
        return page("notices", [shapes.notice(session, notice) for notice in found], limit, "id")

    return desk.read(work)


@router.get("/{number}")
def get_notice(desk: Here, number: int) -> Shape:
    def work(session: Session) -> Shape:
        found = outbox.notice(session, number)
        tries = [shapes.attempt(attempt) for attempt in outbox.attempts(session, found)]
        message = keeping.message(session, found.id)
        text = None if message is None else message.decode("utf-8", "replace")
        said = [shapes.report(report) for report in reports.of(session, found)]
        return shapes.notice(session, found) | {"tries": tries, "reports": said, "message": text}

    return desk.read(work)


@router.post("/{number}/resolve")
def resolve(desk: Here, number: int, settled: inputs.Resolution) -> Shape:
    def work(session: Session) -> Shape:
        found = outbox.notice(session, number)
        return shapes.notice(session, outbox.resolve(session, found, settled.outcome, actor="host", now=desk.now))

    return desk.run(work)
