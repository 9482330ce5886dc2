"""The deadlines of requests: who is late, more time, one word to staff, and when a record may be forgotten."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from lifecycle import clocks, history, requests
from lifecycle.errors import Conflict, RuleRefused
from lifecycle.models import Request
from lifecycle.notices import outbox
from lifecycle.states import Channel, Purpose


def overdue(session: Session, *, zone: ZoneInfo, now: datetime) -> list[Request]:
    """Open requests whose time has passed, oldest first."""
    open_ones = select(Request).where(col(Request.closed_at).is_(None), col(Request.joined_to).is_(None))
    late = open_ones.where(Request.regime != "contract").order_by(col(Request.id))
    return [found for found in session.exec(late) if clocks.overdue(found, zone, now)]


def extend(
    session: Session, request: Request, reason: str, *, actor: str = "staff", zone: ZoneInfo, now: datetime
) -> Request:
    """Take the longer time that the regime allows, once and before the first has passed; the person is told why.

    Raises InvalidInput without a reason, Conflict when it is closed or was extended, RuleRefused when the regime
    allows no extension or the time has passed.
    """
    request = requests.require_open(session, request)
    reason = requests.checked(reason, "reason")
    if request.extended_at is not None:
        raise Conflict(
            f"Request {request.id} was extended at {request.extended_at.isoformat()}, which is possible once."
        )
    first, longer = clocks.first_due(request, zone), clocks.extended_due(request, zone)
    if first is None or longer is None:
        raise RuleRefused(f"Regime {request.regime!r} allows no extension of a request of kind {request.kind.value}.")
    if first <= now:
        raise RuleRefused(
            f"Request {request.id} was due at {first.isoformat()}; the person must be told of an extension before that."
        )
    request.extended_at, request.extension_reason = now, reason
    session.add(request)
    history.record(session, actor, "extended", "request", request.id, now=now, due=longer)
    requests.tell(session, request, Purpose.REQUEST_EXTENDED, f"request:{request.id}", now=now)
    return request


def tell_staff(session: Session, request: Request, staff: str, *, zone: ZoneInfo, now: datetime) -> None:
    """Owe staff the word that a request is overdue: one for each deadline it misses. Owed again, it is the same."""
    due = clocks.due(request, zone)
    assert due is not None, "only what has a clock can be overdue"
    outbox.owe(
        session,
        Purpose.REQUEST_OVERDUE,
        f"request:{request.id}:{due.isoformat()}",
        user=None,
        address=staff,
        channel=Channel.EMAIL,
        due_at=due,
        now=now,
        request_id=request.id,
    )


def forget(session: Session, *, zone: ZoneInfo, now: datetime) -> int:
    """Take what was written out of closed requests that need not be kept any longer (`clocks.kept_until`); how many.

    Number, kind, dates and outcome stay.
    """
    closed = select(Request).where(col(Request.closed_at).is_not(None), col(Request.erased_at).is_(None))
    found = session.exec(closed.where(Request.regime != "contract"))
    over = [one for one in found if (until := clocks.kept_until(one, zone)) is not None and until <= now]
    for one in over:
        requests.blank(session, one, now=now)
        history.record(session, "clock", "forgotten", "request", one.id, now=now)
    return len(over)
