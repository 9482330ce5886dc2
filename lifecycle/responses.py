"""What users do about versions, with all that follows for staff: an objection is heard, and may end in parting."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import engagements, ledger, requests, terminations
from lifecycle.models import Document, Engagement, User, Version
from lifecycle.standing import open_termination
from lifecycle.states import EngagementKind, Initiator, OnObjection, RequestKind


def respond(
    session: Session, user: User, version: Version, kind: EngagementKind, *, zone: ZoneInfo, now: datetime, **facts: Any
) -> Engagement:
    """`engagements.engage`; a new objection also becomes a request of staff and, where the version's publication says
    so, begins an ordinary termination.
    """
    before = ledger.count(session, user, version, kind)
    fact = engagements.engage(session, user, version, kind, zone=zone, now=now, **facts)
    if kind is EngagementKind.OBJECTED and ledger.count(session, user, version, kind) > before:
        _hear(session, user, version, fact, zone=zone, now=now)
    return fact


def _hear(session: Session, user: User, version: Version, fact: Engagement, *, zone: ZoneInfo, now: datetime) -> None:
    named = f"version {version.number} of {session.get_one(Document, version.document_id).slug}"
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
        cause = terminations.Cause(Initiator.PROVIDER, f"You objected to {named}, which we cannot do without.")
        days = version.objection_notice_days
        terminations.terminate(session, user, cause, notice_days=days, zone=zone, actor="clock", now=now)
