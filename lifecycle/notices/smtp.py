"""A pool of long-lived connections to the relay, and an honest word for each way a hand-over can end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib

from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said, and what that makes of the hand-over."""

    outcome: AttemptOutcome
    code: int | None
    text: str


class Relay:
    """The operator's SMTP relay, by ASSENT_SMTP_URL."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.smtp_url)
        self._options: dict[str, Any] = {
            "hostname": url.hostname,
            "port": url.port or {"smtps": 465, "smtp+starttls": 587}.get(url.scheme, 25),
            "use_tls": url.scheme == "smtps",
            "start_tls": True if url.scheme == "smtp+starttls" else None,
            "username": unquote(url.username) if url.username else None,
            "password": unquote(url.password) if url.password else None,
            "timeout": settings.smtp_timeout_seconds,
        }
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, sender: str, address: str, message: bytes) -> Reply:
        """Hand one message over. Never raises for what a relay or a network can do.

        `deferred` and `failed` mean that the relay does not have the message; `unknown` that it may.
        """
        try:
            client = await self._connection()
        except (aiosmtplib.SMTPException, OSError) as error:
            return _reply(error, without_code=AttemptOutcome.DEFERRED)
        reply = await self._transact(client, sender, address, message)
        if client.is_connected and reply.outcome is not AttemptOutcome.UNKNOWN:
            self._idle.append(client)
        else:
            client.close()
        return reply

    async def _transact(self, client: aiosmtplib.SMTP, sender: str, address: str, message: bytes) -> Reply:
        options = ["SMTPUTF8"] if not (sender + address).isascii() else []
        steps: list[tuple[Callable[[], Awaitable[Any]], AttemptOutcome]] = [
            (lambda: client.mail(sender, options=options), AttemptOutcome.DEFERRED),
            (lambda: client.rcpt(address), AttemptOutcome.DEFERRED),
            # From here on a cut connection leaves open whether the relay took the message.
            (lambda: client.data(message), AttemptOutcome.UNKNOWN),
        ]
        answer: Any = None
        for step, without_code in steps:
            try:
                answer = await step()
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                await self._reset(client)
                return _reply(error, without_code=without_code)
        return Reply(AttemptOutcome.SENT, answer.code, answer.message)

    async def _connection(self) -> aiosmtplib.SMTP:
        while self._idle:
            client = self._idle.pop()
            try:
                await client.rset()
                return client
            except (aiosmtplib.SMTPException, OSError):
                client.close()
        client = aiosmtplib.SMTP(**self._options)
        await client.connect()
        return client

    async def _reset(self, client: aiosmtplib.SMTP) -> None:
        if client.is_connected:
            try:
                await client.rset()
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def refusal(self) -> str:
        """Why no connection can be made now; empty when the relay answers."""
        try:
            self._idle.append(await self._connection())
        except (aiosmtplib.SMTPException, OSError) as error:
            return _reply(error, without_code=AttemptOutcome.DEFERRED).text
        await self.close()
        return ""

    async def close(self) -> None:
        """Say goodbye on every connection."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(client.quit() for client in idle), return_exceptions=True)


def _reply(error: Exception, *, without_code: AttemptOutcome) -> Reply:
    """A reply code decides (RFC 5321, 4.2.1): 5yz is final, 4yz is not. Without one, the step decides."""
    recipients = getattr(error, "recipients", None)
    if recipients:
        error = recipients[0]
    code = getattr(error, "code", None)
    text = str(getattr(error, "message", "") or error) or type(error).__name__
    if not isinstance(code, int) or code < 400:
        return Reply(without_code, None, text)
    return Reply(AttemptOutcome.FAILED if code >= 500 else AttemptOutcome.DEFERRED, code, text)
