"""Where a mail provider posts what became of mails. Its signature lets it in, not the host's token."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlmodel import Session

from lifecycle.api.problems import problem
from lifecycle.db import Database
from lifecycle.errors import DatabaseError, InvalidInput, NotYet
from lifecycle.notices import hooks, reports
from lifecycle.notices.hooks import Event
from lifecycle.settings import Settings

MAX_BYTES = 1_000_000
RETRY = {"Retry-After": "60"}


def routes(settings: Settings, database: Database, clock: Callable[[], datetime]) -> APIRouter:
    router = APIRouter()

    def take(session: Session, event: Event) -> bool:
        """Whether the event is about a notice of ours, and so on record now."""
        notice = reports.about(session, settings, addressed=[event.return_path], message_ids=[event.message_id])
        if notice is None:
            return False
        said = reports.Said(event.kind, event.digest, "provider", event.code, event.address, event.reason)
        reports.put_down(session, notice, said, settings=settings, now=clock())
        return True

    @router.post("/hooks/delivery")
    async def delivery(request: Request) -> JSONResponse:
        """Each event is a transaction of its own and counts once, so a batch may be posted again as a whole."""
        if settings.webhook is None:
            return problem(404, "Not Found", "No provider is expected here: set ASSENT_WEBHOOK.")
        body = await _body(request)
        if body is None:
            return problem(413, "Content Too Large", f"At most {MAX_BYTES} bytes are taken at once.")
        try:
            if not hooks.genuine(settings.webhook, body, request.headers):
                return problem(401, "Unauthorized", "The signature does not fit the body and the secret.")
            taken = [await database.arun(take, event) for event in hooks.events(settings.webhook, body)]
        except InvalidInput as error:
            return problem(422, error.title, str(error))
        except NotYet as error:
            return problem(503, error.title, str(error), RETRY)
        except DatabaseError:
            return problem(503, "Database not usable", "It is on our side; post it again.", RETRY)
        return JSONResponse({"taken": sum(taken), "not_ours": len(taken) - sum(taken)})

    return router


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return body
