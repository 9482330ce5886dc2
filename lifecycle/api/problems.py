"""Errors as problem documents (RFC 9457), and the bearer token."""

import hmac
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lifecycle.errors import AssentError
from lifecycle.settings import Settings


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem document: what kind of thing went wrong, and what it was this time."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def explain_errors(app: FastAPI) -> None:
    """Every error of the interface leaves as a problem document, none with its internals."""

    @app.exception_handler(AssentError)
    async def refused(request: Request, error: AssentError) -> JSONResponse:
        return problem(error.status, error.title, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "Invalid input", "; ".join(map(_explain, error.errors())))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        detail = (
            f"There is no {request.method} {request.url.path}." if error.status_code in {404, 405} else error.detail
        )
        return problem(error.status_code, HTTPStatus(error.status_code).phrase, detail, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "Internal error", "It is on our side and has been logged.")


def _explain(error: Any) -> str:
    field = ".".join(map(str, error["loc"][1:]))
    return f"{field}: {error['msg']} (found {str(error.get('input'))[:80]!r})"


class Bearer:
    """Lets in who knows ASSENT_API_TOKEN; without one set, nobody."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.api_token.encode()

    def __call__(self, request: Request) -> None:
        if not self._token:
            raise HTTPException(503, "The API is off: set ASSENT_API_TOKEN.")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self._token):
            raise HTTPException(
                401, "Send 'Authorization: Bearer …' with the API token.", {"WWW-Authenticate": "Bearer"}
            )
