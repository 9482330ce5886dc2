"""What a supervisor asks: does the process live, can it work, and how much is there."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from sqlmodel import Session, col, func, select

from lifecycle import users
from lifecycle.db import Database
from lifecycle.errors import AssentError
from lifecycle.models import Request
from lifecycle.notices import breaker, outbox
from lifecycle.states import NoticeStatus


def routes(database: Database) -> APIRouter:
    """`/healthz`, `/readyz` and, in Prometheus' text format, `/metrics`."""
    router = APIRouter(default_response_class=PlainTextResponse, include_in_schema=False)

    @router.get("/healthz")
    def alive() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @router.get("/readyz")
    def ready() -> PlainTextResponse:
        try:
            database.require_current()
        except AssentError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse("ok\n")

    @router.get("/metrics")
    def metrics() -> PlainTextResponse:
        return PlainTextResponse(database.read(_metrics), media_type="text/plain; version=0.0.4")

    return router


def _metrics(session: Session) -> str:
    counts = outbox.counts(session)
    waiting = session.exec(select(func.count()).select_from(Request).where(col(Request.closed_at).is_(None))).one()
    lines = ["# TYPE assent_notices gauge"]
    lines += [f'assent_notices{{status="{status.value}"}} {counts.get(status, 0)}' for status in NoticeStatus]
    lines += ["# TYPE assent_requests_open gauge", f"assent_requests_open {waiting}"]
    lines += ["# TYPE assent_relay_outage gauge", f"assent_relay_outage {int(breaker.outage(session) is not None)}"]
    lines += ["# TYPE assent_users gauge", f"assent_users {users.count(session)}"]
    return "\n".join(lines) + "\n"
