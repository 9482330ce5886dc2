"""The host says who used the service: that can bind a user by use, and ends a termination by inactivity."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from lifecycle import deeming, terminations, users
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.states import require_aware


@dataclass(slots=True)
class ActivityReport:
    """What a batch of activity did; `problems` are pairs of external id and reason."""

    recorded: int = 0
    bound: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)


def record(session: Session, seen: Iterable[tuple[str, datetime]], *, now: datetime) -> ActivityReport:
    """Record that users used the service at the given instants. One bad entry is reported, the rest goes on."""
    report = ActivityReport()
    for external_id, at in seen:
        try:
            report.bound += _record_one(session, external_id, require_aware(at, what="at"), now=now)
            report.recorded += 1
        except AssentError as error:
            report.problems.append((external_id, str(error)))
    return report


def _record_one(session: Session, external_id: str, at: datetime, *, now: datetime) -> int:
    if at > now:
        raise InvalidInput(f"Activity at {at.isoformat()} lies in the future (now {now.isoformat()}).")
    user = users.user(session, external_id)
    terminations.cancel_inactivity(session, user, activity_at=at, now=now)
    users.touch(session, user, at=at)
    return len(deeming.deem_by_use(session, user, activity_at=at, now=now))
