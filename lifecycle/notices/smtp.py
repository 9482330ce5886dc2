"""A pool of long-lived connections to the relay. aiosmtplib opens them; conversation.py speaks over them."""

import asyncio
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib

from lifecycle.notices import addresses
from lifecycle.notices.conversation import Conversation, Reply
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome

SERVICE_CLOSING = 421


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
        self._sender = addresses.return_path(settings, 0)
        self._idle: list[Conversation] = []

    async def send(self, sender: str, address: str, message: bytes, *, dotted: bool = True) -> Reply:
        """Hand one message over. Never raises for what a relay or a network can do.

        `deferred` and `failed` mean that the relay does not have the message; `unknown` that it may. A connection
        that was closed while it lay idle costs no try. Not `dotted` is a message no line of which begins with a dot.
        """
        while True:
            idle = self._take_idle()
            conversation = idle or await self._open()
            if isinstance(conversation, Reply):
                return conversation
            reply = await conversation.transact(sender, address, message, dotted=dotted)
            if reply.code == SERVICE_CLOSING:
                conversation.abort("the relay closed the service")
            if not conversation.lost:
                self._idle.append(conversation)
            elif idle and _may_be_old(reply):
                continue
            return reply

    def _take_idle(self) -> Conversation | None:
        while self._idle:
            conversation = self._idle.pop()
            if not conversation.lost:
                return conversation
        return None

    async def _open(self) -> Conversation | Reply:
        """A new connection, or why there is none: which says nothing about a message, so it can only be put off."""
        client = aiosmtplib.SMTP(**self._options)
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:  # after STARTTLS
                await client.ehlo()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            code = getattr(error, "code", None)
            text = str(getattr(error, "message", "") or error) or type(error).__name__
            said = code if isinstance(code, int) and code >= 400 else None
            return Reply(AttemptOutcome.DEFERRED, said, text, of_relay=True)
        extensions = {name for name in ("pipelining", "smtputf8", "size") if client.supports_extension(name)}
        assert client.protocol is not None
        return Conversation(client.protocol.transport, extensions, timeout=self._options["timeout"])

    async def refusal(self) -> str:
        """Why no mail of ours can be handed over now, whoever it is for; empty when the relay would take one."""
        conversation = await self._open()
        if isinstance(conversation, Reply):
            return conversation.text
        refused = await conversation.try_sender(self._sender)
        await conversation.quit()
        return refused.text if refused else ""

    async def close(self) -> None:
        """Say goodbye on every connection."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(conversation.quit() for conversation in idle))


def _may_be_old(reply: Reply) -> bool:
    """Whether the connection may have been closed while it lay idle; one that fell silent over a recipient was not."""
    closed = reply.outcome is AttemptOutcome.DEFERRED and reply.code in (None, SERVICE_CLOSING)
    return closed and (reply.of_relay or not reply.silent)


def fast_loop() -> asyncio.AbstractEventLoop:
    """A loop to speak to the relay in: uvloop's, which does less work for each mail, where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()
