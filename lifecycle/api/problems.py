"""What leaves instead of an answer: problem documents (RFC 9457), and the first answer to a request sent twice."""

import hmac
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from psycopg import DataError as DriverDataError
from sqlalchemy.exc import DataError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from lifecycle.errors import AssentError
from lifecycle.idempotency import AnsweredBefore


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem document: what kind of thing went wrong, and what it was this time."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def explain_errors(app: FastAPI) -> None:
    """Every error of the interface leaves as a problem document, none with its internals."""

    @app.exception_handler(AssentError)
    async def refused(request: Request, error: AssentError) -> JSONResponse:
        return problem(error.status, error.title, error.said)

    @app.exception_handler(AnsweredBefore)
    async def answered(request: Request, before: AnsweredBefore) -> Response:
        return Response(before.answer, before.status, {"Idempotency-Replayed": "true"}, "application/json")

    @app.exception_handler(DataError)
    @app.exception_handler(DriverDataError)
    @app.exception_handler(OverflowError)
    @app.exception_handler(UnicodeEncodeError)
    async def beyond(request: Request, error: Exception) -> JSONResponse:
        detail = "A number or instant is out of range, or a text holds a NUL or half of a character."
        return problem(422, "Invalid input", detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "Invalid input", "; ".join(map(_explain, error.errors())))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        detail = error.detail
        if error.status_code in {404, 405}:
            detail = f"There is no {request.method} {request.url.path}."
        elif isinstance(error.__cause__, UnicodeDecodeError):
            detail = "The body is not UTF-8."
        return problem(error.status_code, HTTPStatus(error.status_code).phrase, detail, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "Internal error", "It is on our side and has been logged.")


def _explain(error: Any) -> str:
    if error["type"] == "json_invalid":
        return f"The body is not JSON: {error['ctx']['error']} (character {error['loc'][-1]})."
    field = ".".join(map(str, error["loc"][1:])) or "The body"
    return f"{field}: {error['msg']} (found {str(error.get('input'))[:80]!r})"


class Bearer:
    """Lets in who knows ASSENT_API_TOKEN; without one set, nobody. Nothing of a request is read before."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        if not self._token:
            return problem(503, "Service Unavailable", "The API is off: set ASSENT_API_TOKEN.")
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.encode("latin-1"), self._token):
            return None
        wanted = "Send 'Authorization: Bearer …' with the API token."
        return problem(401, "Unauthorized", wanted, {"WWW-Authenticate": "Bearer"})
