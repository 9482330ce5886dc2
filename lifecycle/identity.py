"""Who asked is who they say: proven before anything is destroyed, by a mailed link or by staff who say how."""

from datetime import datetime

from sqlmodel import Session

from lifecycle import history, links, requests
from lifecycle.errors import Conflict, InvalidInput, RuleRefused
from lifecycle.instants import add_calendar
from lifecycle.models import Notice, Request, User
from lifecycle.notices import outbox
from lifecycle.settings import Settings
from lifecycle.states import Purpose, RequestKind

BY_LINK = "mailed link"


def asked(session: Session, settings: Settings, token: str, *, now: datetime) -> tuple[Request, User | None]:
    """The request behind a mailed link, and its account. Looking changes nothing: mail scanners open links too.

    Raises InvalidInput for a link that is forged, too old, or went to an address that is not the person's any more.
    """
    number, digest = links.read_proof_token(settings, token, now=now)
    request = requests.head(session, requests.request(session, number))
    user = session.get(User, request.user_id) if request.user_id else None
    if not links.proves(digest, requests.address(request, user)):
        raise InvalidInput("This link is not valid any more: it went to another address than is known now.")
    return request, user


def prove(session: Session, request: Request, *, by: str, actor: str = "user", now: datetime) -> Request:
    """Put on record that the person is who they say, and how that is known; once proven it stays so.

    Raises InvalidInput when staff do not say how, Conflict when the request is closed.
    """
    request = requests.require_open(session, request)
    if not by.strip():
        raise InvalidInput("Say how the person proved who they are; it is kept with the request.")
    if request.verified_at is None:
        request.verified_at, request.verified_by = now, by.strip()
        session.add(request)
        how = "link" if by == BY_LINK else "staff"
        history.record(session, actor, "proved", "request", request.id, now=now, how=how)
    return request


def schedule_erasure(
    session: Session, request: Request, settings: Settings, *, at: datetime | None = None, actor: str, now: datetime
) -> Request:
    """Decide that the account behind a proven erasure request goes, `erasure_wait_days` from now or at `at`.

    The person is told the day while there is still an address to tell it to. Raises RuleRefused when the request
    asks for something else, has no account, or its person is not proven.
    """
    request = requests.require_open(session, request)
    if request.kind is not RequestKind.ERASURE:
        raise RuleRefused(f"Request {request.id} is of kind {request.kind.value}; only an erasure request erases.")
    user = session.get(User, request.user_id) if request.user_id else None
    if user is None:
        raise RuleRefused(f"Request {request.id} belongs to no account, so there is none to erase.")
    if request.verified_at is None:
        raise RuleRefused(
            f"Nobody has proven yet to be who asked in request {request.id}; mail them the link, or say how you know.",
            f"`assent request prove {request.id}` mails it; with --how it takes your word.",
        )
    if request.erase_at is not None:
        raise Conflict(f"The account behind request {request.id} goes at {request.erase_at.isoformat()} already.")
    request.erase_at = at or add_calendar(now, settings.zone, days=settings.erasure_wait_days)
    session.add(request)
    history.record(session, actor, "scheduled erasure", "request", request.id, now=now, at=request.erase_at)
    channel = outbox.first_channel(user)
    thing = f"request:{request.id}:{request.erase_at.isoformat()}"
    requests.tell(session, request, Purpose.ERASURE_SCHEDULED, thing, channel=channel, now=now)
    return request


def call_off_erasure(session: Session, request: Request, *, actor: str = "staff", now: datetime) -> Request:
    """Take the decision to erase back, before it was carried out; raises Conflict when there is none."""
    request = requests.require_open(session, request)
    if request.erase_at is None:
        raise Conflict(f"No erasure is scheduled for request {request.id}.")
    request.erase_at = None
    session.add(request)
    history.record(session, actor, "called off erasure", "request", request.id, now=now)
    last_word = (Notice.request_id == request.id, Notice.purpose == Purpose.ERASURE_SCHEDULED)
    outbox.cancel(session, *last_word, reason="the erasure was called off", now=now)
    return request


def ask_for_proof(session: Session, request: Request, *, now: datetime) -> Request:
    """Mail the person a new link; raises RuleRefused when there is no address to mail it to."""
    request = requests.require_open(session, request)
    user = session.get(User, request.user_id) if request.user_id else None
    if not requests.address(request, user):
        raise RuleRefused(f"Who asked in request {request.id} has no mail address; say with --how how you know them.")
    requests.acknowledge(session, request, now=now)
    return request
