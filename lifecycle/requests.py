"""What people ask of staff: numbered, acknowledged, answered in time, ended with an outcome."""

from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, func, or_, select

from lifecycle import history, regimes
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Notice, Reply, Request, User
from lifecycle.notices import forgetting, outbox
from lifecycle.personal import ERASED
from lifecycle.states import CLAIMS, PROVEN_STATUSES, Channel, Purpose, RequestKind, RequestOutcome

MAX_TEXT = 4000
# Sources whose people know of the number already, or who are no people: no mail tells them that it came in.
UNTOLD = frozenset({"discord", "assent"})
# What is given or destroyed only once the person has proven who they are.
PROVEN = frozenset({RequestKind.ERASURE, RequestKind.ACCESS})


def open_request(
    session: Session,
    kind: RequestKind,
    *,
    subject: str,
    details: str = "",
    user: User | None = None,
    discord_id: str = "",
    email: str = "",
    source: str,
    regime: str = "contract",
    now: datetime,
) -> Request:
    """Take a request down and owe its acknowledgement; its id is the number people quote.

    What the same person has asked already is joined to that request, which see at `head`. Raises InvalidInput for
    an empty or endless text or an unknown regime.
    """
    regimes.regime(regime)
    request = Request(
        user_id=user.id if user else None,
        discord_id=discord_id,
        email=email,
        kind=kind,
        subject=checked(subject, "subject"),
        details=checked(details, "details", empty=True),
        source=source,
        regime=regime,
        opened_at=now,
    )
    first = _same(session, request)
    request.joined_to = first.id if first else None
    session.add(request)
    session.flush()
    facts = {"kind": kind.value, "regime": regime} | ({"joined_to": first.id} if first else {})
    history.record(
        session, "user" if source != "assent" else "clock", "opened", "request", request.id, now=now, **facts
    )
    if source != "assent":
        acknowledge(session, request, now=now)
    return request


def open_once(session: Session, *, subject: str, details: str, now: datetime) -> None:
    """Tell staff of something, unless an open request says so already."""
    same = select(Request.id).where(
        Request.source == "assent", Request.subject == subject, col(Request.closed_at).is_(None)
    )
    if session.exec(same).first() is None:
        open_request(session, RequestKind.SUPPORT, subject=subject, details=details, source="assent", now=now)


def checked(text: str, name: str, *, empty: bool = False) -> str:
    """The text without blanks around it; raises InvalidInput that names it when it is empty or endless."""
    if not (empty or text.strip()):
        raise InvalidInput(f"The {name} is empty." if name != "subject" else "The request needs a subject.")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"The {name} has {len(text)} characters; at most {MAX_TEXT} are taken.")
    return text.strip()


def _same(session: Session, request: Request) -> Request | None:
    """The open request that this one repeats: of the same person and kind, and of the same words unless a claim."""
    persons = _person(request)
    if not persons or request.source == "assent":
        return None
    same = select(Request).where(or_(*persons), Request.kind == request.kind, Request.source != "assent")
    if request.kind not in CLAIMS:
        same = same.where(Request.subject == request.subject, Request.details == request.details)
    open_ones = same.where(col(Request.closed_at).is_(None), col(Request.joined_to).is_(None))
    return session.exec(open_ones.order_by(col(Request.id)).limit(1)).first()


def _person(request: Request) -> list[ColumnElement[bool]]:
    known = {Request.user_id: request.user_id, Request.discord_id: request.discord_id, Request.email: request.email}
    return [col(column) == value for column, value in known.items() if value]


def acknowledge(session: Session, request: Request, *, now: datetime) -> None:
    """Owe the word that the request came in. Where it matters, it holds the link that proves who asked.

    Called again, it is owed again: a link lasts only so long.
    """
    user = session.get(User, request.user_id) if request.user_id else None
    provable = request.kind in PROVEN and not request.verified_at and bool(address(request, user))
    reachable = request.discord_id or address(request, user) or (user and user.discord_id)
    if request.joined_to or not reachable or (request.source in UNTOLD and not provable):
        return
    nth = session.exec(
        select(func.count()).where(Notice.request_id == request.id, Notice.purpose == Purpose.REQUEST_RECEIVED)
    ).one()
    channel = Channel.EMAIL if provable else None
    tell(session, request, Purpose.REQUEST_RECEIVED, f"request:{request.id}:{nth + 1}", channel=channel, now=now)


def address(request: Request, user: User | None) -> str:
    """The mail address of the person: the account's own, else the one they wrote from."""
    return user.email if user else request.email


def tell(
    session: Session,
    request: Request,
    purpose: Purpose,
    thing: str,
    *,
    channel: Channel | None = None,
    reply_id: int | None = None,
    now: datetime,
) -> Channel | None:
    """Owe the person a message about the request: where they asked, else by mail, else over Discord; over which."""
    user = session.get(User, request.user_id) if request.user_id else None
    own = Channel.DISCORD if request.discord_id else Channel.EMAIL if request.email and not user else None
    channel = channel or own or (outbox.first_channel(user) if user else None)
    addresses = {Channel.DISCORD: request.discord_id, Channel.EMAIL: address(request, user)}
    outbox.owe(
        session,
        purpose,
        thing,
        user=user,
        address=addresses[channel] if channel else "",
        channel=channel,
        now=now,
        reply_id=reply_id,
        request_id=request.id,
    )
    return channel


# -- looking at them -----------------------------------------------------------------------------------------------


def request(session: Session, number: int) -> Request:
    """The request; raises NotFound."""
    found = session.get(Request, number)
    if found is None:
        raise NotFound(f"There is no request {number}.", "`assent request list` shows those there are.")
    return found


def head(session: Session, request: Request) -> Request:
    """The request that this one was joined to, or itself."""
    return session.get_one(Request, request.joined_to) if request.joined_to else request


def joined(session: Session, request: Request) -> list[Request]:
    """The requests that repeat this one, oldest first."""
    return list(session.exec(select(Request).where(Request.joined_to == request.id).order_by(col(Request.id))))


def requests(session: Session, *, open_only: bool = True, after: int = 0, limit: int = 100) -> list[Request]:
    """Requests by number after `after`; open ones without what was joined to them."""
    query = select(Request).where(col(Request.id) > after)
    if open_only:
        query = query.where(col(Request.closed_at).is_(None), col(Request.joined_to).is_(None))
    return list(session.exec(query.order_by(col(Request.id)).limit(limit)))


def acknowledged_at(session: Session, request: Request) -> datetime | None:
    """When the person was told that the request came in; in Discord that is at once."""
    if request.source == "discord":
        return request.opened_at
    told = select(func.min(Notice.sent_at)).where(
        Notice.request_id == request.id,
        Notice.purpose == Purpose.REQUEST_RECEIVED,
        col(Notice.status).in_(PROVEN_STATUSES),
    )
    return session.exec(told).one()


def unposted(session: Session) -> list[Request]:
    """Open requests that were not posted to staff yet."""
    waiting = select(Request).where(Request.staff_message_id == "", col(Request.closed_at).is_(None))
    return list(session.exec(waiting.where(col(Request.joined_to).is_(None)).order_by(col(Request.id)).limit(50)))


def posted(session: Session, request: Request, message_id: str) -> None:
    """Remember where staff see the request, so that it is posted once."""
    request.staff_message_id = message_id
    session.add(request)


def replies(session: Session, request: Request) -> list[Reply]:
    return list(session.exec(select(Reply).where(Reply.request_id == request.id).order_by(col(Reply.nth))))


# -- what staff do -------------------------------------------------------------------------------------------------


def answer(session: Session, request: Request, text: str, *, actor: str = "staff", now: datetime) -> Reply:
    """Answer a request: the reply is owed to the person over Discord if they asked there, else by e-mail.

    Raises InvalidInput for an empty reply, Conflict when the request is closed.
    """
    request = require_open(session, request)
    text = checked(text, "answer")
    nth = session.exec(select(func.count()).where(Reply.request_id == request.id)).one() + 1
    reply = Reply(request_id=request.id, nth=nth, text=text, at=now)
    request.answered_at = request.answered_at or now
    session.add_all([reply, request])
    session.flush()
    history.record(session, actor, "answered", "request", request.id, now=now, reply=reply.id)
    purpose = Purpose.REQUEST_ANSWERED
    reply.channel = tell(session, request, purpose, f"reply:{reply.id}", reply_id=reply.id, now=now)
    return reply


def reply_failed(session: Session, reply_id: int, failed: Channel, *, now: datetime) -> Channel | None:
    """The reply could not be delivered: owe it over the next channel, which is returned, if there is one."""
    reply = session.get_one(Reply, reply_id)
    asked = session.get_one(Request, reply.request_id)
    thing = f"reply:{reply.id}"
    return told_in_vain(session, asked, Purpose.REQUEST_ANSWERED, thing, failed, reply_id=reply.id, now=now)


def told_in_vain(
    session: Session,
    request: Request,
    purpose: Purpose,
    thing: str,
    failed: Channel,
    *,
    reply_id: int | None = None,
    now: datetime,
) -> Channel | None:
    """A message about the request could not be delivered: owe it over the next channel, if there is one."""
    user = session.get(User, request.user_id) if request.user_id else None
    channel = outbox.next_channel(user, [failed]) if user else None
    return tell(session, request, purpose, thing, channel=channel, reply_id=reply_id, now=now) if channel else None


def refuse(session: Session, request: Request, reasons: str, *, actor: str = "staff", now: datetime) -> Request:
    """Refuse a request and close it; the person is told the reasons and where to complain.

    Raises InvalidInput without reasons, Conflict when it is closed.
    """
    request = require_open(session, request)
    request.outcome_reason = checked(reasons, "reason")
    tell(session, request, Purpose.REQUEST_REFUSED, f"request:{request.id}", now=now)
    return close(session, request, outcome=RequestOutcome.REFUSED, actor=actor, now=now)


def close(
    session: Session,
    request: Request,
    *,
    outcome: RequestOutcome = RequestOutcome.DONE,
    actor: str = "staff",
    now: datetime,
) -> Request:
    """Close a request with what was joined to it; closing it again changes nothing."""
    request = head(session, request)
    if request.closed_at is None:
        for one in (request, *joined(session, request)):
            one.closed_at, one.outcome = now, outcome
            session.add(one)
        history.record(session, actor, "closed", "request", request.id, now=now, outcome=outcome.value)
    return request


def blank(session: Session, request: Request, *, now: datetime) -> None:
    """Take all that was written out of a request, its answers and the messages about it."""
    answers = select(Reply.id).where(Reply.request_id == request.id)
    about = or_(col(Notice.request_id) == request.id, col(Notice.reply_id).in_(answers))
    forgetting.blank(session, about, now=now)
    session.execute(update(Reply).where(col(Reply.request_id) == request.id).values(ERASED[Reply]))
    for name, value in ERASED[Request].items():
        setattr(request, name, value)
    request.erased_at = now
    session.add(request)


def require_open(session: Session, request: Request) -> Request:
    """The request, or the one it was joined to; raises Conflict when that is closed."""
    found = head(session, request)
    if found.closed_at is not None:
        raise Conflict(f"Request {found.id} was closed at {found.closed_at.isoformat()}.")
    return found
