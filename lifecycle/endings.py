"""The termination of a user that is open: neither rescinded nor followed by reinstatement."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from lifecycle.instants import in_utc
from lifecycle.models import Termination, User
from lifecycle.rows import among


@dataclass(frozen=True, slots=True)
class Ending:
    """A termination that is open: decided, perhaps in effect."""

    id: int
    initiated_by: str
    in_effect: bool
    takes_effect_at: datetime | None
    reason: str
    scope: str = ""
    ends_at: datetime | None = None
    stayed_at: datetime | None = None

    @property
    def blocks(self) -> bool:
        """What ends a part of the service leaves the rest open."""
        return self.in_effect and not self.scope

    @property
    def why(self) -> str:
        """What it means for the user, for a person to read."""
        access = f"Access to {self.scope}" if self.scope else "Access"
        until = f" until {in_utc(self.ends_at)}" if self.ends_at is not None else ""
        if self.stayed_at is not None:
            return "A termination is decided; it has no effect while an appeal against it is open."
        if self.takes_effect_at is None:
            return "A termination is decided; it waits for the proof that its notice was sent."
        reason = f": {self.reason}" if self.reason else "."
        verb = "ended at" if self.in_effect else "will end at"
        return f"{access} {verb} {in_utc(self.takes_effect_at)}{until}{reason}"


def open_termination(session: Session, user: User) -> Termination | None:
    """The user's termination that was neither rescinded nor followed by reinstatement."""
    return open_terminations(session, [user.id]).get(user.id)


def open_terminations(session: Session, user_ids: Collection[int]) -> dict[int, Termination]:
    """Those of these users, by user."""
    return {found.user_id: found for found in session.exec(_OPEN_ONES, params={"ids": user_ids})}


_OPEN_ONES = (
    select(Termination)
    .where(
        among(col(Termination.user_id), "ids"),
        col(Termination.rescinded_at).is_(None),
        col(Termination.reinstated_at).is_(None),
    )
    .order_by(col(Termination.id).desc())
)


def ending(session: Session, user_id: int, *, now: datetime) -> Ending | None:
    """The one of this user that is not over at `now`."""
    found = open_terminations(session, [user_id]).get(user_id)
    if found is None or found.is_over(now):
        return None
    return Ending(
        found.id,
        found.initiated_by.value,
        found.in_effect(now),
        found.takes_effect_at,
        found.reason,
        found.scope,
        found.ends_at,
        found.stayed_at,
    )
