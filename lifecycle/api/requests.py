"""What people ask of staff."""

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import requests, shapes, users
from lifecycle.api import inputs
from lifecycle.api.desk import After, Here, Limit, Shape, page

router = APIRouter(prefix="/requests")


@router.get("")
def list_requests(desk: Here, all: bool = False, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.requests(session, open_only=not all, after=after, limit=limit + 1)
        return page("requests", [shapes.request(session, request) for request in found], limit, "number")

    return desk.read(work)


@router.post("", status_code=201)
def open_request(desk: Here, new: inputs.NewRequest) -> Shape:
    def work(session: Session) -> Shape:
        user = users.user(session, new.user) if new.user else None
        told = new.model_dump(exclude={"user"})
        return shapes.request(session, requests.open_request(session, **told, user=user, source="api", now=desk.now))

    return desk.run(work)


@router.get("/{number}")
def get_request(desk: Here, number: int) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.request(session, number)
        said = [shapes.reply(reply) for reply in requests.replies(session, found)]
        return shapes.request(session, found) | {"replies": said}

    return desk.read(work)


@router.post("/{number}/reply", status_code=201)
def reply(desk: Here, number: int, new: inputs.NewReply) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.request(session, number)
        return shapes.reply(requests.answer(session, found, new.text, actor="host", now=desk.now))

    return desk.run(work)


@router.post("/{number}/close")
def close(desk: Here, number: int) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.request(session, number)
        return shapes.request(session, requests.close(session, found, actor="host", now=desk.now))

    return desk.run(work)
