"""The host says who used the service: that can bind a user by use, and ends a termination by inactivity.

A batch is handled in sets: what it costs hangs on its size, hardly on how many users it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from lifecycle import deeming, endings, terminations, users
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.instants import require_aware
from lifecycle.models import User
from lifecycle.states import Initiator


@dataclass(slots=True)
class ActivityReport:
    """What a batch of activity did; `problems` are pairs of external id and reason."""

    recorded: int = 0
    bound: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)


def record(session: Session, seen: Iterable[tuple[str, datetime | None]], *, now: datetime) -> ActivityReport:
    """Record that users used the service at the given instants, or now. One bad entry is reported, the rest goes on."""
    report, entries = ActivityReport(), list(seen)
    ids = users.ids(session, {name for name, _ in entries})
    uses: dict[int, list[datetime]] = {}
    for name, at in entries:
        try:
            used = _checked(at or now, now)
            if name not in ids:
                raise users.unknown(name)
            uses.setdefault(ids[name], []).append(used)
            report.recorded += 1
        except AssentError as error:
            report.problems.append((name, str(error)))
    _cancel_inactivity(session, uses, now=now)
    users.touch(session, {user_id: max(instants) for user_id, instants in uses.items()})
    report.bound = deeming.deem_by_use(session, uses, now=now)
    return report


def _checked(at: datetime, now: datetime) -> datetime:
    used = require_aware(at, what="at")
    if used > now:
        raise InvalidInput(f"Activity at {used.isoformat()} lies in the future (now {now.isoformat()}).")
    return used


def _cancel_inactivity(session: Session, uses: Mapping[int, Sequence[datetime]], *, now: datetime) -> None:
    for user_id, found in endings.open_terminations(session, list(uses)).items():
        if found.initiated_by is Initiator.INACTIVITY:
            user = session.get_one(User, user_id)
            any(terminations.cancel_inactivity(session, user, activity_at=at, now=now) for at in uses[user_id])
