"""What every endpoint works with: one request, one instant, one transaction; and lists page by page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from sqlmodel import Session

from lifecycle import idempotency
from lifecycle.db import Database
from lifecycle.idempotency import Claim
from lifecycle.settings import Settings

T = TypeVar("T")
Shape = dict[str, Any]
After = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=200)]


@dataclass(frozen=True, slots=True)
class Desk:
    """One request's way to the domain. Endpoints are sync and commit before they answer."""

    settings: Settings
    database: Database
    now: datetime
    claim: Claim | None

    def read(self, work: Callable[[Session], T]) -> T:
        return self.database.read(work)

    def run(self, work: Callable[[Session], Shape]) -> Shape:
        """One writing transaction. Under an Idempotency-Key it holds key and answer too; see `idempotency`."""
        if self.claim is None:
            return self.database.run(work)
        answer: Shape = self.database.run(idempotency.once, self.claim, work, now=self.now)
        return answer


def desk(request: Request, digest: str) -> Desk:
    """The desk of a request whose body has this SHA-256. Raises InvalidInput for a bad Idempotency-Key."""
    key, state = request.headers.get("idempotency-key"), request.app.state
    claim = None
    if key is not None and request.method == "POST":
        claim = Claim(key, f"POST {request.url.path}", digest, request.scope["route"].status_code or 200)
    return Desk(state.settings, state.database, state.clock(), claim)


async def _with_body(request: Request) -> Desk:
    return desk(request, sha256(await request.body()).hexdigest())


Here = Annotated[Desk, Depends(_with_body)]


def page(name: str, found: Sequence[Shape], limit: int, key: str) -> Shape:
    """Of `limit` + 1 things looked for, the first `limit`; `next` is the `after` of the page that follows, if any."""
    shown = found[:limit]
    return {name: shown, "next": shown[-1][key] if len(found) > limit else None}
