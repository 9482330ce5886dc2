"""Idempotency keys: a request sent again under its key is answered as the first time, and does nothing twice.

The key is stored in the transaction of the work itself, not claimed before it and settled after it. So key, work and
answer are there together or not at all: no crash leaves a key whose work "may have happened", and a refusal, which
changes nothing, leaves its key free for the next try. Of two requests at once under one key the second waits in the
database until the first is committed, and gets its answer.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from pydantic_core import from_json, to_json
from sqlalchemy import CursorResult, delete, update
from sqlmodel import Session, col, select

from lifecycle.errors import InvalidInput
from lifecycle.inserting import chunks, insert_once
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


def forget_about(session: Session, names: Collection[str], paths: Collection[str]) -> int:
    """Forget the keys whose request or answer is about a person of these names, or about these paths; how many."""
    rows = session.exec(select(IdempotencyKey.key, IdempotencyKey.request, IdempotencyKey.answer))
    theirs = [key for key, request, answer in rows if _about(key, request, answer, set(names), paths)]
    for some in chunks(theirs, 500):
        session.execute(delete(IdempotencyKey).where(col(IdempotencyKey.key).in_(some)))
    return len(theirs)


def _about(key: str, request: str, answer: str, names: set[str], paths: Collection[str]) -> bool:
    path = unquote(request)
    named = bool(names & set(path.split("/"))) or key in names
    in_path = any(path.endswith(known) or f"{known}/" in path for known in paths)
    return named or in_path or (bool(answer) and bool(names & set(_texts(from_json(answer)))))


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _delete(session: Session, *conditions: Any, before: datetime) -> int:
    over = delete(IdempotencyKey).where(col(IdempotencyKey.created_at) <= before, *conditions)
    gone: CursorResult[object] = session.execute(over)  # type: ignore[assignment]
    return gone.rowcount
