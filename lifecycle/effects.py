"""Terminations by the clock: what is due to take effect or to end, and putting that on record."""

from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from lifecycle import announcing, history
from lifecycle.models import Notice, Termination, User
from lifecycle.notices import outbox
from lifecycle.states import Purpose

SUSPENSION_OVER = "The suspension has ended."  # ours, as is terminations.USED_AGAIN; mails say it in the reader's words


def due(session: Session, *, now: datetime, limit: int = 500) -> list[Termination]:
    """Terminations whose instant has come and whose effect is not on record yet."""
    return list(session.exec(_pending().where(col(Termination.takes_effect_at) <= now).limit(limit)))


def over(session: Session, *, now: datetime, limit: int = 500) -> list[Termination]:
    """Suspensions whose end has come and is not on record yet."""
    return list(session.exec(_lasting().where(col(Termination.ends_at) <= now).limit(limit)))


def next_effect(session: Session, *, after: datetime | None = None) -> datetime | None:
    """The earliest instant (after one, if given) at which a termination takes effect or ends."""
    later = [col(Termination.takes_effect_at) > after] if after else []
    first = session.exec(_pending().where(*later).limit(1)).first()
    ends = select(func.min(Termination.ends_at)).where(*_open(), *([col(Termination.ends_at) > after] if after else []))
    found = [first.takes_effect_at if first else None, session.exec(ends).one()]
    return min((instant for instant in found if instant is not None), default=None)


def _open() -> tuple[ColumnElement[bool], ...]:
    return col(Termination.rescinded_at).is_(None), col(Termination.reinstated_at).is_(None)


def _pending() -> SelectOfScalar[Termination]:
    pending = select(Termination).where(
        *_open(),
        col(Termination.took_effect_at).is_(None),
        col(Termination.stayed_at).is_(None),
        col(Termination.takes_effect_at).is_not(None),
    )
    return pending.order_by(col(Termination.takes_effect_at))


def _lasting() -> SelectOfScalar[Termination]:
    return select(Termination).where(*_open(), col(Termination.ends_at).is_not(None)).order_by(col(Termination.ends_at))


def take_effect(session: Session, termination: Termination, *, now: datetime) -> bool:
    """Put the effect on record once, and owe the user its notice; whether this call did it."""
    ready = (
        col(Termination.id) == termination.id,
        *_open(),
        col(Termination.took_effect_at).is_(None),
        col(Termination.stayed_at).is_(None),
        col(Termination.takes_effect_at) <= now,
    )
    if not session.execute(update(Termination).where(*ready).values(took_effect_at=now)).rowcount:  # type: ignore[attr-defined]
        return False
    session.refresh(termination)
    user = session.get_one(User, termination.user_id)
    history.record(session, "clock", "took effect", "termination", termination.id, now=now, user=user.id)
    if termination.is_whole:
        bulk = (Notice.user_id == user.id, col(Notice.version_id).is_not(None))
        outbox.cancel(session, *bulk, reason="the user's access has ended", now=now)
    announcing.owe(session, Purpose.TERMINATION_EFFECTIVE, termination, user, now=now)
    return True


def end(session: Session, termination: Termination, *, now: datetime) -> bool:
    """Put on record that a suspension is over, and tell the user if it ever took effect; whether this call did it."""
    ready = (col(Termination.id) == termination.id, *_open(), col(Termination.ends_at) <= now)
    values = {"reinstated_at": termination.ends_at, "undo_reason": SUSPENSION_OVER}
    if not session.execute(update(Termination).where(*ready).values(**values)).rowcount:  # type: ignore[attr-defined]
        return False
    session.refresh(termination)
    history.record(session, "clock", "ended", "termination", termination.id, now=now)
    outbox.cancel(session, Notice.termination_id == termination.id, reason="the suspension has ended", now=now)
    if termination.took_effect_at is not None:
        user = session.get_one(User, termination.user_id)
        announcing.owe(session, Purpose.REINSTATED, termination, user, now=now)
    return True
