"""A user's opt-ins and opt-outs: append-only, the latest of a name counts."""

from datetime import datetime

from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.models import Choice, User

PROMPT_LOGGING = "prompt_logging"
ANALYTICS = "analytics"


def choose(session: Session, user: User, name: str, value: bool, *, source: str, now: datetime) -> Choice:
    """Record a choice. The same choice twice in a row is one fact."""
    latest = _latest(session, user, name)
    if latest is not None and latest.value == value:
        return latest
    made = Choice(user_id=user.id, name=name, value=value, at=now, source=source)
    session.add(made)
    session.flush()
    history.record(session, "user", "chose", "choice", made.id, now=now, name=name, value=value)
    return made


def chosen(session: Session, user: User, name: str, *, default: bool = True) -> bool:
    """What the user chose last, or `default` when the user never chose."""
    latest = _latest(session, user, name)
    return default if latest is None else latest.value


def _latest(session: Session, user: User, name: str) -> Choice | None:
    of_user = select(Choice).where(Choice.user_id == user.id, Choice.name == name)
    return session.exec(of_user.order_by(col(Choice.id).desc()).limit(1)).first()
