"""A mailbox for the demo: an SMTP server on loopback, and a page that shows each mail as text and as HTML."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SMTPSession
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: clamp(1.4rem, 1rem + 2.5vw, 2rem); line-height: 1.25; overflow-wrap: anywhere; }
a { color: light-dark(#1a56a8, #8ab8ff); }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .3rem .6rem .3rem 0; vertical-align: top; }
td:first-child, th:first-child { white-space: nowrap; }
@media (max-width: 40rem) {
  table, tbody, tr, td { display: block; } tr:first-child { display: none; }
  tr { padding: .5rem 0; border-top: 1px solid #8886; } td { padding: 0; overflow-wrap: anywhere; }
}
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; }
iframe { width: 100%; height: 44rem; max-height: 85vh; background: Canvas; }
pre, iframe { border: 1px solid #8886; border-radius: .5rem; }
"""
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"}
# The frame may not lead anywhere itself, so that the mail's links open beside it.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it arrived."""

    at: datetime
    to: str
    data: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.data, policy=policy.default)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, kind: str) -> str:
        """The mail's text of subtype `plain` or `html`."""
        body = self.message.get_body((kind,))
        return str(body.get_content()) if body is not None else ""


@dataclass  # without slots: aiosmtpd lists its members, at which Python 3.11.2 stumbles over them
class Mailbox:
    """All mail that arrived, in order."""

    mails: list[Mail] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: SMTPSession, envelope: Envelope) -> str:
        self.mails.append(Mail(datetime.now(UTC), envelope.rcpt_tos[0], envelope.original_content or b""))
        return "250 Kept in the demo's mailbox"

    def to(self, address: str, about: str = "") -> list[Mail]:
        """The mails to one address whose subject holds `about`."""
        return [mail for mail in self.mails if mail.to == address and about in mail.subject]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Take mail on a free port of loopback, which is given."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


def page(mailbox: Mailbox) -> FastAPI:
    """The mailbox to look at in a browser."""
    app = FastAPI(title="Demo mailbox", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", response_class=HTMLResponse)
    def index() -> HTMLResponse:
        rows = "".join(
            f"<tr><td>{mail.at:%H:%M:%S}<td>{escape(mail.to)}<td><a href='/mail/{number}'>{escape(mail.subject)}</a>"
            for number, mail in reversed(list(enumerate(mailbox.mails, start=1)))
        )
        head = "<tr><th scope=col>Arrived (UTC)<th scope=col>To<th scope=col>Subject"
        table = f"<table>{head}{rows}</table>" if rows else "<p>No mail yet.</p>"
        return _html(f"Mailbox: {len(mailbox.mails)} mails", table)

    @app.get("/mail/{number}", response_class=HTMLResponse)
    def show(number: int) -> HTMLResponse:
        mail = _mail(mailbox, number)
        headers = "\n".join(f"{name}: {value}" for name, value in mail.message.items())
        return _html(
            mail.subject,
            "<p><a href='/'>All mail</a></p><h2>As HTML</h2>"
            f"<iframe sandbox='{SANDBOX}' src='/mail/{number}/html' title='The mail as HTML'></iframe>"
            f"<h2>As text</h2><pre>{escape(mail.part('plain'))}</pre>"
            f"<h2>Headers</h2><pre>{escape(headers)}</pre><p><a href='/mail/{number}/raw'>The exact bytes</a></p>",
        )

    @app.get("/mail/{number}/html", response_class=HTMLResponse)
    def html(number: int) -> HTMLResponse:
        page = _mail(mailbox, number).part("html").replace("<head>", "<head><base target=_blank>", 1)
        return HTMLResponse(page, headers=POLICY)

    @app.get("/mail/{number}/raw", response_class=PlainTextResponse)
    def raw(number: int) -> PlainTextResponse:
        return PlainTextResponse(_mail(mailbox, number).data, headers=POLICY)

    @app.exception_handler(StarletteHTTPException)
    async def failed(request: Request, error: StarletteHTTPException) -> HTMLResponse:
        said = f"<p>{escape(str(error.detail))}</p><p><a href='/'>All mail</a></p>"
        return _html("Not here", said, error.status_code)

    return app


def _mail(mailbox: Mailbox, number: int) -> Mail:
    if not 1 <= number <= len(mailbox.mails):
        raise HTTPException(404, f"There is no mail {number}; {len(mailbox.mails)} have arrived.")
    return mailbox.mails[number - 1]


def _html(title: str, content: str, status: int = 200) -> HTMLResponse:
    head = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    return HTMLResponse(
        f"{head}<title>{escape(title)}</title><style>{STYLE}</style><main><h1>{escape(title)}</h1>{content}</main>",
        status,
        headers=POLICY,
    )
