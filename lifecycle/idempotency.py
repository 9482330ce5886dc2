"""Idempotency keys: a request sent again under its key is answered as the first time, and does nothing twice.

The key is stored in the transaction of the work itself, not claimed before it and settled after it. So key, work and
answer are there together or not at all: no crash leaves a key whose work "may have happened", and a refusal, which
changes nothing, leaves its key free for the next try. Of two requests at once under one key the second waits in the
database until the first is committed, and gets its answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json
from sqlalchemy import CursorResult, delete, update
from sqlmodel import Session, col

from lifecycle.db import insert_once
from lifecycle.errors import InvalidInput
from lifecycle.models import IdempotencyKey

KEPT = timedelta(hours=24)
MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Claim:
    """A request under its key: its method and path, its body's SHA-256, and the status that says it is done."""

    key: str
    request: str
    sha256: str
    status: int

    def __post_init__(self) -> None:
        if not (self.key.isascii() and self.key.isprintable() and 0 < len(self.key) <= MAX_KEY):
            raise InvalidInput(f"An Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters, such as a UUID.")


class AnsweredBefore(Exception):
    """The request was answered already, with this status and this JSON."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(status, answer)
        self.status, self.answer = status, answer


def once(session: Session, claim: Claim, work: Callable[[Session], Any], *, now: datetime) -> Any:
    """What `work` answers, kept under the key. Raises as `recall` when the key was used, and does nothing then."""
    _delete(session, IdempotencyKey.key == claim.key, before=now - KEPT)
    row = {name: getattr(claim, name) for name in ("key", "request", "sha256", "status")}
    # On PostgreSQL this waits for whoever is at work under the key; on SQLite every writer waits for its turn anyway.
    while not insert_once(session, IdempotencyKey, [row | {"answer": "", "created_at": now}]):
        recall(session, claim, now=now)
    answer = work(session)
    kept = update(IdempotencyKey).where(col(IdempotencyKey.key) == claim.key)
    session.execute(kept.values(answer=to_json(answer).decode()))
    return answer


def recall(session: Session, claim: Claim, *, now: datetime) -> None:
    """Nothing for a new key. Raises AnsweredBefore for a known one, InvalidInput when it came with another request."""
    known = session.get(IdempotencyKey, claim.key)
    if known is None or known.created_at <= now - KEPT:
        return
    if (known.request, known.sha256) != (claim.request, claim.sha256):
        raise InvalidInput(
            f"Idempotency-Key {claim.key!r} came with another request ({known.request} at "
            f"{known.created_at.isoformat()}); give each request a key of its own."
        )
    raise AnsweredBefore(known.status, known.answer)


def forget(session: Session, *, now: datetime) -> int:
    """Forget the keys whose time is over; how many."""
    return _delete(session, before=now - KEPT)


def _delete(session: Session, *conditions: Any, before: datetime) -> int:
    over = delete(IdempotencyKey).where(col(IdempotencyKey.created_at) <= before, *conditions)
    gone: CursorResult[object] = session.execute(over)  # type: ignore[assignment]
    return gone.rowcount
