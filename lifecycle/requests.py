"""What people ask of staff: numbered, acknowledged, answered."""

from datetime import datetime

from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Reply, Request, User
from lifecycle.notices import outbox
from lifecycle.states import Channel, Purpose, RequestKind

MAX_TEXT = 4000


def open_request(
    session: Session,
    kind: RequestKind,
    *,
    subject: str,
    details: str = "",
    user: User | None = None,
    discord_id: str = "",
    source: str,
    now: datetime,
) -> Request:
    """Take a request down; its id is the number people quote. Raises InvalidInput for an empty or endless text."""
    if not subject.strip():
        raise InvalidInput("The request needs a subject.")
    for name, text in (("subject", subject), ("details", details)):
        if len(text) > MAX_TEXT:
            raise InvalidInput(f"The {name} has {len(text)} characters; at most {MAX_TEXT} are taken.")
    request = Request(
        user_id=user.id if user else None,
        discord_id=discord_id,
        kind=kind,
        subject=subject.strip(),
        details=details.strip(),
        source=source,
        opened_at=now,
    )
    session.add(request)
    session.flush()
    history.record(
        session, "user" if source != "assent" else "clock", "opened", "request", request.id, now=now, kind=kind.value
    )
    return request


def request(session: Session, number: int) -> Request:
    """The request; raises NotFound."""
    found = session.get(Request, number)
    if found is None:
        raise NotFound(f"There is no request {number}. `assent request list` shows those there are.")
    return found


def requests(session: Session, *, open_only: bool = True, after: int = 0, limit: int = 100) -> list[Request]:
    """Requests by number after `after`."""
    query = select(Request).where(col(Request.id) > after)
    if open_only:
        query = query.where(col(Request.closed_at).is_(None))
    return list(session.exec(query.order_by(col(Request.id)).limit(limit)))


def unposted(session: Session) -> list[Request]:
    """Open requests that were not posted to staff yet."""
    waiting = select(Request).where(Request.staff_message_id == "", col(Request.closed_at).is_(None))
    return list(session.exec(waiting.order_by(col(Request.id)).limit(50)))


def posted(session: Session, request: Request, message_id: str) -> None:
    """Remember where staff see the request, so that it is posted once."""
    request.staff_message_id = message_id
    session.add(request)


def answer(session: Session, request: Request, text: str, *, actor: str = "staff", now: datetime) -> Reply:
    """Answer a request: the reply is owed to the person over Discord if they asked there, else by e-mail.

    Raises InvalidInput for an empty reply, Conflict when the request is closed.
    """
    if not text.strip():
        raise InvalidInput("The answer is empty.")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"The answer has {len(text)} characters; at most {MAX_TEXT} are taken.")
    if request.closed_at is not None:
        raise Conflict(f"Request {request.id} was closed at {request.closed_at.isoformat()}.")
    user = session.get(User, request.user_id) if request.user_id else None
    channel = Channel.DISCORD if request.discord_id else outbox.first_channel(user) if user else None
    nth = session.exec(select(func.count()).where(Reply.request_id == request.id)).one() + 1
    reply = Reply(request_id=request.id, nth=nth, text=text.strip(), at=now, channel=channel)
    request.answered_at = request.answered_at or now
    session.add_all([reply, request])
    session.flush()
    history.record(session, actor, "answered", "request", request.id, now=now, reply=reply.id)
    outbox.owe(
        session,
        Purpose.REQUEST_ANSWERED,
        f"reply:{reply.id}",
        user=user,
        address=request.discord_id,
        channel=channel,
        now=now,
        reply_id=reply.id,
    )
    return reply


def reply_failed(session: Session, reply_id: int, failed: Channel, *, now: datetime) -> Channel | None:
    """The reply could not be delivered: owe it over the next channel, which is returned, if there is one."""
    reply = session.get_one(Reply, reply_id)
    request = session.get_one(Request, reply.request_id)
    user = session.get(User, request.user_id) if request.user_id else None
    channel = outbox.next_channel(user, [failed]) if user else None
    if channel is not None:
        outbox.owe(
            session,
            Purpose.REQUEST_ANSWERED,
            f"reply:{reply.id}",
            user=user,
            channel=channel,
            now=now,
            reply_id=reply.id,
        )
    return channel


def close(session: Session, request: Request, *, actor: str = "staff", now: datetime) -> Request:
    """Close a request; closing it again changes nothing."""
    if request.closed_at is None:
        request.closed_at = now
        session.add(request)
        history.record(session, actor, "closed", "request", request.id, now=now)
    return request


def replies(session: Session, request: Request) -> list[Reply]:
    return list(session.exec(select(Reply).where(Reply.request_id == request.id).order_by(col(Reply.nth))))
