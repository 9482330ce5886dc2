"""Until when staff owe what to a request: derived from its regime and the calendar. Pure: no clock, no database."""

from datetime import datetime
from zoneinfo import ZoneInfo

from lifecycle import regimes
from lifecycle.models import Request
from lifecycle.regimes import Provision
from lifecycle.states import CLAIMS, RequestKind


def confirm_by(request: Request, zone: ZoneInfo) -> datetime | None:
    """Until when its receipt must be confirmed; None when no clock runs, as below."""
    return _end(_provision(request, "acknowledge", zone), request.opened_at, zone)


def first_due(request: Request, zone: ZoneInfo) -> datetime | None:
    """Until when it must be answered, were it never put off; one month is a month of the calendar."""
    return _end(_provision(request, "answer", zone), request.opened_at, zone)


def extended_due(request: Request, zone: ZoneInfo) -> datetime | None:
    """Until when it must be answered once it is put off; None when the regime does not allow that."""
    first = first_due(request, zone)
    return _end(_provision(request, "extension", zone), first, zone) if first else None


def due(request: Request, zone: ZoneInfo) -> datetime | None:
    """Until when it must be answered."""
    return extended_due(request, zone) if request.extended_at else first_due(request, zone)


def overdue(request: Request, zone: ZoneInfo, now: datetime) -> bool:
    """Whether its time has passed and it is still open."""
    until = due(request, zone)
    return request.closed_at is None and until is not None and until <= now


def kept_until(request: Request, zone: ZoneInfo) -> datetime | None:
    """Until when its record must be kept; what people wrote in it goes then. None while nothing says so."""
    closed = request.closed_at
    return _end(_provision(request, "records", zone), closed, zone) if closed else None


def _provision(request: Request, kind: str, zone: ZoneInfo) -> Provision | None:
    """What the request's regime, as it stood when the request came in, asks for a claim of its kind."""
    if request.kind not in CLAIMS:
        return None
    law, on = regimes.regime(request.regime), request.opened_at.astimezone(zone).date()
    own = law.provision("answer_opt_out", on) if request.kind is RequestKind.OPT_OUT else None
    if own is None:
        return law.provision(kind, on)
    return {"answer": own, "records": law.provision("records", on)}.get(kind)


def _end(provision: Provision | None, start: datetime, zone: ZoneInfo) -> datetime | None:
    return provision.end(start, zone) if provision else None
