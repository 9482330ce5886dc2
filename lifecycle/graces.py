"""Deadlines moved by staff: put off for one user or for all, or lifted; and that undone."""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.bindings import deadline, mode_of
from lifecycle.errors import Conflict, InvalidInput, NotFound, RuleRefused
from lifecycle.models import Document, Engagement, Grace, User, Version
from lifecycle.rows import among
from lifecycle.states import Mode


def give(
    session: Session,
    version: Version,
    *,
    user: User | None = None,
    until: datetime | None,
    reason: str,
    actor: str = "staff",
    now: datetime,
) -> Grace:
    """Put the deadline of a version off to `until`, or lift it (None: exempt), for one user or for all.

    Raises RuleRefused where there is no deadline to move, InvalidInput without a reason or for a past instant.
    """
    slug = session.get_one(Document, version.document_id).slug
    named = f"Version {version.number} of {slug!r}"
    if version.published_at is None or version.withdrawn_at is not None:
        raise RuleRefused(f"{named} is not in the world, so it has no deadline.")
    if mode_of(version) not in ({Mode.EXPLICIT} if until is None else {Mode.EXPLICIT, Mode.SILENCE}):
        what = "be exempted from" if until is None else "put off"
        raise RuleRefused(f"{named} binds by {mode_of(version).value}, so it has no deadline to {what}.")
    if not reason.strip():
        raise InvalidInput("Give the reason; it is shown with the user's standing.")
    if until is not None and until <= now:
        raise InvalidInput(f"until {until.isoformat()} lies in the past (now {now.isoformat()}). Choose a later one.")
    grace = Grace(
        version_id=version.id,
        user_id=user.id if user else None,
        until=until,
        reason=reason.strip(),
        actor=actor,
        decided_at=now,
    )
    session.add(grace)
    session.flush()
    whom = {"user": user.id} if user else {}
    history.record(session, actor, "given", "grace", grace.id, now=now, version=version.id, until=until, **whom)
    return grace


def undo(session: Session, grace: Grace, *, reason: str, actor: str = "staff", now: datetime) -> Grace:
    """Take a grace back: the deadline is what it was, but not before now. Raises Conflict when it is undone already."""
    if grace.undone_at is not None:
        raise Conflict(f"Grace {grace.id} was undone at {grace.undone_at.isoformat()} already.")
    if not reason.strip():
        raise InvalidInput("Give the reason; it is recorded.")
    grace.undone_at, grace.undo_reason = now, reason.strip()
    session.add(grace)
    session.flush()
    history.record(session, actor, "undone", "grace", grace.id, now=now)
    return grace


def grace(session: Session, number: int) -> Grace:
    """The grace; raises NotFound."""
    found = session.get(Grace, number)
    if found is None:
        raise NotFound(f"There is no grace {number}.", "`assent grace list` shows those there are.")
    return found


def graces(session: Session, *, user: User | None = None) -> list[Grace]:
    """All that were given, also those undone; those for all and, of those for one, this user's if one is named."""
    query = select(Grace)
    if user is not None:
        query = query.where(_concerns(user.id))
    return list(session.exec(query.order_by(col(Grace.id))))


def of(session: Session, user_id: int, version_id: int) -> list[Grace]:
    """What was given for this user, or for all, and this version."""
    return list(session.exec(select(Grace).where(Grace.version_id == version_id, _concerns(user_id))))


def of_users(session: Session, user_ids: Collection[int]) -> list[Grace]:
    """What counts now for any of these users, or for all."""
    return list(session.exec(_OF_USERS, params={"ids": user_ids}))


_OF_USERS = select(Grace).where(
    or_(among(col(Grace.user_id), "ids"), col(Grace.user_id).is_(None)), col(Grace.undone_at).is_(None)
)


def _concerns(user_id: int) -> ColumnElement[bool]:
    return (col(Grace.user_id) == user_id) | col(Grace.user_id).is_(None)


def due_by(session: Session, version: Version, told: Engagement, zone: ZoneInfo) -> datetime:
    """Until when a told user may answer: `bindings.deadline` with the graces that count."""
    return deadline(version, told.at, zone, of(session, told.user_id, version.id))


def is_exempt(session: Session, user_id: int, version: Version) -> bool:
    """Whether the user need not accept the version."""
    return any(grace.exempts for grace in of(session, user_id, version.id))
