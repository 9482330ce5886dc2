"""What users do about versions, with all that follows for staff: an objection is heard, and may end in parting."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import engagements, ledger, requests, terminations
from lifecycle.endings import open_termination
from lifecycle.models import Document, Engagement, User, Version
from lifecycle.states import EngagementKind, Initiator, OnObjection, RequestKind


def respond(
    session: Session, user: User, version: Version, kind: EngagementKind, *, zone: ZoneInfo, now: datetime, **facts: Any
) -> Engagement:
    """`engagements.engage`; a new objection also becomes a request of staff and, where the version's publication says
    so, begins an ordinary termination, which an acceptance before its effect takes back.
    """
    before = ledger.count(session, user, version, kind)
    fact = engagements.engage(session, user, version, kind, zone=zone, now=now, **facts)
    if kind is EngagementKind.OBJECTED and ledger.count(session, user, version, kind) > before:
        _hear(session, user, version, fact, zone=zone, now=now)
    if kind is EngagementKind.ACCEPTED and ledger.count(session, user, version, kind) > before:
        _call_off_parting(session, user, version, now=now)
    return fact


def _hear(session: Session, user: User, version: Version, fact: Engagement, *, zone: ZoneInfo, now: datetime) -> None:
    named = _named(session, version)
    parts = version.on_objection is OnObjection.TERMINATE and open_termination(session, user) is None
    follows = "A termination has begun." if parts else "What bound the user before goes on binding."
    requests.open_request(
        session,
        RequestKind.OBJECTION,
        subject=f"Objection to {named}",
        details=f"{fact.wording}\n\n{follows}".strip(),
        user=user,
        source="assent",
        now=now,
    )
    if parts:
        cause = terminations.Cause(Initiator.PROVIDER, _parting(named))
        days = version.objection_notice_days
        terminations.terminate(session, user, cause, notice_days=days, zone=zone, actor="clock", now=now)


def _call_off_parting(session: Session, user: User, version: Version, *, now: datetime) -> None:
    named, ending = _named(session, version), open_termination(session, user)
    if ending is None or ending.initiated_by is not Initiator.PROVIDER or ending.reason != _parting(named):
        return
    if ending.takes_effect_at is None or ending.takes_effect_at > now:
        terminations.rescind(session, ending, reason=f"You accepted {named} after all.", actor="clock", now=now)


def _named(session: Session, version: Version) -> str:
    return f"version {version.number} of {session.get_one(Document, version.document_id).slug}"


def _parting(named: str) -> str:
    """The reason by which a termination is known to be one that an objection began."""
    return f"You objected to {named}, which we cannot do without."
