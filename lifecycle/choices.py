"""A user's opt-ins and opt-outs: append-only, the latest of a name counts."""

import re
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.errors import InvalidInput
from lifecycle.models import Choice, User

PROMPT_LOGGING = "prompt_logging"
ANALYTICS = "analytics"
NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
MAX_NAME = 50


def choose(
    session: Session, user: User, name: str, value: bool, *, source: str, actor: str = "user", now: datetime
) -> Choice:
    """Record a choice; the operator's own names are taken too. The same choice twice in a row is one fact.

    Raises InvalidInput for a name that is not words of small letters and digits: it goes into the history, so it must
    not hold anything personal.
    """
    if not NAME.match(name) or len(name) > MAX_NAME:
        raise InvalidInput(
            f"Choice {name!r} needs a name such as 'prompt_logging': small letters, digits and single underscores "
            f"between them, at most {MAX_NAME}."
        )
    latest = _latest(session, user, name)
    if latest is not None and latest.value == value:
        return latest
    made = Choice(user_id=user.id, name=name, value=value, at=now, source=source)
    session.add(made)
    session.flush()
    history.record(session, actor, "chose", "choice", made.id, now=now, name=name, value=value)
    return made


def chosen(session: Session, user: User, name: str, *, default: bool = True) -> bool:
    """What the user chose last, or `default` when the user never chose."""
    latest = _latest(session, user, name)
    return default if latest is None else latest.value


def made(session: Session, user: User) -> list[Choice]:
    """All that the user chose, oldest first."""
    return list(session.exec(select(Choice).where(Choice.user_id == user.id).order_by(col(Choice.id))))


def current(session: Session, user: User) -> dict[str, Choice]:
    """The choice that counts, by name."""
    return {choice.name: choice for choice in made(session, user)}


def shape(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "value": choice.value, "at": choice.at, "source": choice.source}


def _latest(session: Session, user: User, name: str) -> Choice | None:
    of_user = select(Choice).where(Choice.user_id == user.id, Choice.name == name)
    return session.exec(of_user.order_by(col(Choice.id).desc()).limit(1)).first()
