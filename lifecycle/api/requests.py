"""What people ask of staff, from the first word to the outcome."""

from collections.abc import Callable

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import deadlines, identity, requests, shapes, users
from lifecycle.api import inputs
from lifecycle.api.desk import After, Desk, Here, Limit, Shape, page
from lifecycle.models import Request

router = APIRouter(prefix="/requests")


def _shape(session: Session, desk: Desk, found: Request) -> Shape:
    return shapes.request(session, found, zone=desk.settings.zone, now=desk.now)


def _act(desk: Desk, number: int, act: Callable[[Session, Request], Request]) -> Shape:
    """Do something to a request, and show what it is then."""

    def work(session: Session) -> Shape:
        return _shape(session, desk, act(session, requests.request(session, number)))

    return desk.run(work)


@router.get("")
def list_requests(desk: Here, all: bool = False, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.requests(session, open_only=not all, after=after, limit=limit + 1)
        return page("requests", [_shape(session, desk, request) for request in found], limit, "number")

    return desk.read(work)


@router.post("", status_code=201)
def open_request(desk: Here, new: inputs.NewRequest) -> Shape:
    def work(session: Session) -> Shape:
        user = users.user(session, new.user) if new.user else None
        opened = requests.open_request(
            session,
            new.kind,
            subject=new.subject,
            details=new.details,
            user=user,
            email=users.check_email(new.email) if new.email else "",
            source="api",
            regime=desk.settings.request_regime if new.regime is None else new.regime,
            now=desk.now,
        )
        return _shape(session, desk, opened)

    return desk.run(work)


@router.get("/{number}")
def get_request(desk: Here, number: int) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.request(session, number)
        said = [shapes.reply(reply) for reply in requests.replies(session, found)]
        also = [again.id for again in requests.joined(session, found)]
        return _shape(session, desk, found) | {"replies": said, "joined": also}

    return desk.read(work)


@router.post("/{number}/reply", status_code=201)
def reply(desk: Here, number: int, new: inputs.NewReply) -> Shape:
    def work(session: Session) -> Shape:
        found = requests.request(session, number)
        return shapes.reply(requests.answer(session, found, new.text, actor="host", now=desk.now))

    return desk.run(work)


@router.post("/{number}/close")
def close(desk: Here, number: int) -> Shape:
    return _act(desk, number, lambda s, found: requests.close(s, found, actor="host", now=desk.now))


@router.post("/{number}/extend")
def extend(desk: Here, number: int, why: inputs.Reason) -> Shape:
    zone = desk.settings.zone
    return _act(
        desk, number, lambda s, found: deadlines.extend(s, found, why.reason, actor="host", zone=zone, now=desk.now)
    )


@router.post("/{number}/refuse")
def refuse(desk: Here, number: int, why: inputs.Reason) -> Shape:
    return _act(desk, number, lambda s, found: requests.refuse(s, found, why.reason, actor="host", now=desk.now))


@router.post("/{number}/prove")
def prove(desk: Here, number: int, proof: inputs.Proof) -> Shape:
    """Without `how` a new link is mailed; with it, staff say how they know the person."""

    def act(session: Session, found: Request) -> Request:
        if proof.how:
            return identity.prove(session, found, by=proof.how, actor="host", now=desk.now)
        return identity.ask_for_proof(session, found, now=desk.now)

    return _act(desk, number, act)


@router.post("/{number}/erase")
def erase(desk: Here, number: int, date: inputs.ErasureDate) -> Shape:
    def act(session: Session, found: Request) -> Request:
        return identity.schedule_erasure(session, found, desk.settings, at=date.at, actor="host", now=desk.now)

    return _act(desk, number, act)


@router.post("/{number}/keep")
def keep(desk: Here, number: int) -> Shape:
    """Call the erasure off."""
    return _act(desk, number, lambda s, found: identity.call_off_erasure(s, found, actor="host", now=desk.now))
