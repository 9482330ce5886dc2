"""The public pages: every text in every version, what changed, and where people answer."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from babel import Locale, UnknownLocaleError
from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlmodel import Session
from starlette.exceptions import HTTPException

from lifecycle.db import Database
from lifecycle.documents import store, telling
from lifecycle.documents.compare import ChangeKind
from lifecycle.documents.comparison import Comparison, compare_versions
from lifecycle.errors import AssentError, InvalidInput, NotFound, RuleRefused
from lifecycle.models import Document, Version
from lifecycle.settings import Settings, resource
from lifecycle.web import answering, markup, proving

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

# How an error is headed for someone who reads pages; the others say it well enough.
HEADINGS: dict[type[AssentError], str] = {InvalidInput: "That did not work", RuleRefused: "That is not possible"}


class Look:
    """Renders the pages of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._jinja = Environment(
            loader=FileSystemLoader(resource("templates") / "web"), undefined=StrictUndefined, autoescape=True
        )
        self._jinja.filters["day"] = self._day
        self._jinja.filters["language"] = _language
        self.style = (resource("templates") / "web" / "style.css").read_text("utf-8")

    def render(self, name: str, *, language: str = "en", **values: Any) -> str:
        """A page in this language where there is one, else in English."""
        template = self._jinja.select_template([f"{name}.{language}.html", f"{name}.html"])
        return template.render(settings=self.settings, **values)

    def _day(self, instant: datetime) -> Markup:
        local = instant.astimezone(self.settings.zone)
        return Markup('<time datetime="{}">{}</time>').format(
            local.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M %Z}"
        )


class Pages(Look):
    """The pages as they are served."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
        super().__init__(settings)
        self.database, self.clock = database, clock

    def show(self, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.render(name, **values), status, headers=HEADERS)

    def problem(self, status: int, title: str, detail: str) -> HTMLResponse:
        return self.show("problem", status=status, title=title, detail=detail)


def comparison_page(settings: Settings, found: Comparison, *, note: str = "") -> str:
    """The page of a comparison as a file that stands alone."""
    look = Look(settings)
    return look.render("compare", **_compared(found), bodies=[], note=note, style=Markup(look.style))  # noqa: S704  (ours)


def _language(locale: str) -> str:
    """A language by its own name, such as Deutsch."""
    try:
        return Locale.parse(locale, sep="-").get_display_name() or locale
    except (UnknownLocaleError, ValueError):
        return locale


def routes(pages: Pages) -> APIRouter:
    """All public pages."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
    read, write, now = pages.database.read, pages.database.run, pages.clock

    @router.get("/")
    def index() -> HTMLResponse:
        return pages.show("index", documents=read(_shelf, now()))

    @router.get("/style.css")
    def style() -> HTMLResponse:
        return HTMLResponse(pages.style, media_type="text/css", headers=HEADERS)

    @router.get("/answer/{token}")
    def ask(token: str) -> HTMLResponse:
        at = now()
        return pages.show("answer", done="", now=at, **read(answering.question, pages.settings, token, at))

    @router.post("/answer/{token}")
    def answer(
        request: Request, token: str, answer: Annotated[str, Form()], sha256: Annotated[str, Form()] = ""
    ) -> HTMLResponse:
        client = request.client.host if request.client else ""
        agent = request.headers.get("user-agent", "")[:500]
        at = now()
        done = write(answering.answer, pages.settings, token, answer, sha256, ip=client, user_agent=agent, now=at)
        return pages.show("answer", done=done, now=at, **read(answering.question, pages.settings, token, at))

    @router.get("/prove/{token}")
    def who_asked(token: str) -> HTMLResponse:
        return pages.show("prove", done=False, **read(proving.page, pages.settings, token, now()))

    @router.post("/prove/{token}")
    def prove(token: str, button: Annotated[str, Form()]) -> HTMLResponse:
        at = now()
        write(proving.prove, pages.settings, token, button, at)
        return pages.show("prove", done=True, **read(proving.page, pages.settings, token, at))

    @router.get("/{slug}")
    def current(slug: str, locale: Annotated[str, Query(max_length=35)] = "") -> HTMLResponse:
        return pages.show("version", **read(_version, slug, None, locale, now()))

    @router.get("/{slug}/history")
    def past(slug: str) -> HTMLResponse:
        return pages.show("history", **read(_history, slug, now()))

    @router.get("/{slug}/{number}")
    def version(slug: str, number: int, locale: Annotated[str, Query(max_length=35)] = "") -> HTMLResponse:
        return pages.show("version", **read(_version, slug, number, locale, now()))

    @router.get("/{slug}/compare/{old}/{new}")
    def changes(slug: str, old: int, new: int, locale: Annotated[str, Query(max_length=35)] = "") -> HTMLResponse:
        return pages.show("compare", **read(_compare, slug, old, new, locale))

    return router


def explain_errors(site: FastAPI, pages: Pages) -> None:
    """Errors of the pages in the pages' own look."""

    @site.exception_handler(AssentError)
    async def refused(request: Request, error: AssentError) -> HTMLResponse:
        return pages.problem(error.status, HEADINGS.get(type(error), error.title), error.said)

    @site.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> HTMLResponse:
        return pages.problem(404, "Not found", f"There is no page {request.url.path!r}.")

    @site.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> HTMLResponse:
        detail = f"There is no page {request.url.path!r}." if error.status_code == 404 else str(error.detail)
        return pages.problem(error.status_code, HTTPStatus(error.status_code).phrase, detail)

    @site.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> HTMLResponse:
        return pages.problem(500, "Something went wrong", "It is on our side and has been logged. Please try again.")


# -- what the pages show ---------------------------------------------------------------------------------------------


def _shelf(session: Session, now: datetime) -> list[dict[str, Any]]:
    chains = ((document, store.chain(session, document.id)) for document in store.documents(session))
    return [
        {
            "document": document,
            "in_force": next(reversed(store.standing_chain(chain, now)), None),
            "upcoming": store.upcoming(chain, now),
        }
        for document, chain in chains
    ]


def _version(session: Session, slug: str, number: int | None, locale: str, now: datetime) -> dict[str, Any]:
    document = store.document(session, slug)
    in_force = store.in_force(session, document, at=now)
    version = in_force if number is None else _published(session, document, number)
    if version is None:
        raise NotFound(f"No version of {document.title} is in force yet.")
    body = store.body(session, version, locale)
    rows = store.section_rows(session, body)
    return {
        "language": body.locale.split("-")[0],
        "document": document,
        "version": version,
        "in_force": in_force,
        "state": _state(version, in_force, now),
        "upcoming": store.upcoming(store.chain(session, document.id), now),
        "body": body,
        "bodies": store.bodies(session, version),
        "sections": [row for row in rows if row.title],
        "html": markup.text_html(body.text),
        "has_title": markup.has_title(rows),
        "changes": (body.changelog or version.changelog).splitlines(),
    }


def _state(version: Version, in_force: Version | None, now: datetime) -> str:
    if version.withdrawn_at is not None and version.withdrawn_at <= now:
        return "withdrawn"
    if in_force is not None and version.id == in_force.id:
        return "in force"
    return "upcoming" if version.effective_at is not None and version.effective_at > now else "superseded"


def _published(session: Session, document: Document, number: int) -> Version:
    """A draft is nobody's business yet, so it is not found, nor named among what there is."""
    version = next((found for found in store.chain(session, document.id) if found.number == number), None)
    if version is None:
        raise NotFound(f"There is no version {number} of {document.title}.")
    return version


def _history(session: Session, slug: str, now: datetime) -> dict[str, Any]:
    document = store.document(session, slug)
    in_force = store.in_force(session, document, at=now)
    return {
        "document": document,
        "versions": store.chain(session, document.id)[::-1],
        "in_force_id": in_force.id if in_force else None,
        "now": now,
    }


def _compare(session: Session, slug: str, old: int, new: int, locale: str) -> dict[str, Any]:
    document = store.document(session, slug)
    before, after = (_published(session, document, number) for number in (old, new))
    return _compared(compare_versions(session, document, before, after, locale)) | {
        "bodies": store.bodies(session, after)
    }


def _compared(found: Comparison) -> dict[str, Any]:
    """What the page of a comparison shows."""
    return {
        "found": found,
        "document": found.document,
        "old": found.old,
        "new": found.new,
        "body": found.new_body,
        "headline": telling.headline(found.totals),
        "word": telling.amounts_to(found.natures, found.returns_to),
        "changed": [
            (change, telling.names(change), telling.about(change), markup.change_html(change))
            for change in found.changes
            if change.kind is not ChangeKind.KEPT
        ],
    }
