"""Appeals against a termination: heard by staff as a request, and able to stay its effect until they are."""

from datetime import datetime

from sqlmodel import Session

from lifecycle import history, requests
from lifecycle.errors import Conflict, InvalidInput
from lifecycle.models import Request, Termination, User
from lifecycle.states import Initiator, RequestKind


def appeal(
    session: Session, termination: Termination, text: str, *, source: str, stay: bool = False, now: datetime
) -> Request:
    """Take down an appeal, which is open to everyone, also to those without access; `stay` stops the effect meanwhile.

    Raises Conflict when the termination was undone already or is the user's own, InvalidInput for an empty text.
    """
    _require_open(termination)
    if termination.initiated_by is Initiator.USER:
        raise Conflict(f"Termination {termination.id} is the user's own; there is nobody to appeal to.")
    if not text.strip():
        raise InvalidInput("The appeal is empty. Say what is wrong with the decision.")
    user = session.get_one(User, termination.user_id)
    request = requests.open_request(
        session,
        RequestKind.APPEAL,
        subject=f"Appeal against termination {termination.id}",
        details=text,
        user=user,
        source=source,
        now=now,
    )
    history.record(session, "user", "appealed", "termination", termination.id, now=now, request=request.id)
    if stay and termination.stayed_at is None:
        hold(session, termination, reason=f"request {request.id} is open", actor="clock", now=now)
    return request


def hold(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """Stay the effect until `resume`; a termination in effect gives access back meanwhile. Raises Conflict."""
    _require_open(termination)
    if termination.stayed_at is not None:
        raise Conflict(f"Termination {termination.id} has been stayed since {termination.stayed_at.isoformat()}.")
    if not reason.strip():
        raise InvalidInput("Give the reason for the stay; it is recorded and shown.")
    termination.stayed_at, termination.stay_reason = now, reason
    session.add(termination)
    history.record(session, actor, "stayed", "termination", termination.id, now=now)
    return termination


def resume(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """End the stay: the termination takes effect when it would have, and not before now. Raises Conflict."""
    _require_open(termination)
    if termination.stayed_at is None:
        raise Conflict(f"Termination {termination.id} is not stayed.")
    if not reason.strip():
        raise InvalidInput("Give the reason why the stay ends; it is recorded.")
    termination.stayed_at, termination.stay_reason = None, reason
    if termination.takes_effect_at is not None:
        termination.takes_effect_at = max(termination.takes_effect_at, now)
    session.add(termination)
    history.record(
        session, actor, "resumed", "termination", termination.id, now=now, takes_effect_at=termination.takes_effect_at
    )
    return termination


def _require_open(termination: Termination) -> None:
    undone = termination.rescinded_at or termination.reinstated_at
    if undone is not None:
        raise Conflict(f"Termination {termination.id} was undone at {undone.isoformat()}; it stands in nobody's way.")
