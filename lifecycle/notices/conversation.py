"""Mail transactions on a connection that is ready for them, in as few round trips as the relay allows.

aiosmtplib opens the connection (greeting, EHLO, TLS, login). From then on this protocol reads the relay's replies,
and with PIPELINING (RFC 2920) MAIL, RCPT and DATA leave in one write.
"""

import asyncio
import re
from collections.abc import Collection
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from lifecycle.states import AttemptOutcome

UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")
MAX_REPLY_BYTES = 64 * 1024
OF_MESSAGE = {552, 555}  # to MAIL: too big, or an option this message needs; all other words are of the sender


class Reply(NamedTuple):
    """What the relay said, and what that makes of the hand-over."""

    outcome: AttemptOutcome
    code: int | None
    text: str
    of_relay: bool = False  # it came before any recipient was named, so it would be the same for every message
    silent: bool = False  # nothing was said in time


class Cut(Exception):
    """The connection ended, or the relay was silent for too long."""


class Conversation(asyncio.Protocol):
    """A relay that has let us in. One transaction at a time; `lost` says why there can be no other."""

    def __init__(self, transport: Any, extensions: Collection[str], *, timeout: float) -> None:
        self.lost, self.silent = "", False
        self._transport, self._extensions, self._timeout = transport, extensions, timeout
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._replies: list[tuple[int, bytes]] = []
        self._lines: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._said_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._overdue = False
        self._wanted = 0
        self._unfinished = False
        self._nobody_named = True  # the first reply that is awaited knows of no recipient
        transport.set_protocol(self)

    # -- the transaction -------------------------------------------------------------------------------------------

    async def transact(self, sender: str, address: str, message: bytes, *, dotted: bool = True) -> Reply:
        """Hand one message over, its lines ending in CRLF. Never raises for what a relay or a network can do.

        `deferred` and `failed` mean that the relay does not have the message; `unknown` that it may.
        """
        if UNSAFE.search(sender + address):
            return Reply(AttemptOutcome.FAILED, None, f"{address!r} cannot be named to a relay.")
        try:
            refused = await self._envelope(sender, address, len(message))
        except Cut as cut:  # nothing of the message has left; the relay may have said why, as with 421
            of_relay = self._nobody_named and not self._replies
            return self._refusal() or Reply(AttemptOutcome.DEFERRED, None, str(cut), of_relay, self.silent)
        if refused is not None:
            return refused
        try:
            code, text = await self._say(_stuffed(message) if dotted else message + b".\r\n", 1)
        except Cut as cut:  # whether the relay took the message stays open
            return Reply(AttemptOutcome.UNKNOWN, None, str(cut), silent=self.silent)
        self._unfinished = False
        return _judged(code, text)

    async def _envelope(self, sender: str, address: str, size: int) -> Reply | None:
        """Come to where the message may follow; the relay's refusal if it does not let us."""
        self._nobody_named = True
        if self._unfinished and (await self._say(b"RSET\r\n", 1))[0] >= 400:
            self.abort("the relay would not forget the message before")
            raise Cut(self.lost)
        extensions = f" SIZE={size}" if "size" in self._extensions else ""  # RFC 1870
        if not (sender + address).isascii():
            if "smtputf8" not in self._extensions:  # RFC 6531
                return Reply(AttemptOutcome.FAILED, None, "The relay takes no address beyond ASCII (SMTPUTF8).")
            extensions += " SMTPUTF8"
        steps = [f"MAIL FROM:<{sender}>{extensions}\r\n", f"RCPT TO:<{address}>\r\n", "DATA\r\n"]
        self._unfinished = True
        for group in [steps] if "pipelining" in self._extensions else [[step] for step in steps]:
            self._nobody_named = group[0] is steps[0]
            code, _ = await self._say("".join(group).encode(), len(group))
            if refusal := self._refusal():
                if group[-1] == "DATA\r\n" and code == 354:  # it went through all the same: RFC 2920, 3.1
                    await self._say(b".\r\n", 1)
                return refusal
        return None

    def _refusal(self) -> Reply | None:
        """The first reply that lets us go no further. One to MAIL is of the relay, and final for no message."""
        for nth, (code, text) in enumerate(self._replies):
            if not 200 <= code < 400:
                reply = _judged(code, text)
                if self._nobody_named and nth == 0 and code not in OF_MESSAGE:
                    reply = reply._replace(outcome=AttemptOutcome.DEFERRED, of_relay=True)
                return reply
        return None

    async def try_sender(self, sender: str) -> Reply | None:
        """Begin a message of this sender and take it back; the relay's refusal, if it does not let us."""
        try:
            await self._say(f"MAIL FROM:<{sender}>\r\n".encode(), 1)
            refusal = self._refusal()
            await self._say(b"RSET\r\n", 1)
        except Cut as cut:
            return self._refusal() or Reply(AttemptOutcome.DEFERRED, None, str(cut), True, self.silent)
        return refusal

    async def _say(self, data: bytes, replies: int) -> tuple[int, bytes]:
        """Write, and wait for that many replies; the last one. All of them stand in `_replies` until the next word."""
        if self.lost:
            raise Cut(self.lost)
        self._replies.clear()
        self._wanted = replies
        self._waiter = waiter = self._loop.create_future()
        self._said_at = monotonic()
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._look)
        self._transport.write(data)
        try:
            await waiter
        finally:
            self._waiter = None
        return self._replies[-1]

    # -- the connection --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if not self.lost:
                self._read(line)
        if len(self._buffer) > MAX_REPLY_BYTES:
            self.abort("the relay sent a reply without an end")

    def _read(self, line: bytes) -> None:
        self._lines.append(line[4:])
        if line[3:4] == b"-":
            return
        if not line[:3].isdigit():
            self.abort(f"the relay sent no reply code: {_words(line)[:80]!r}")
            return
        self._replies.append((int(line[:3]), b"\n".join(self._lines)))
        self._lines = []
        if self._waiter is None:  # a word nobody asked for, such as 421 before it hangs up
            self.abort(f"the relay said {_words(line)}")
        elif len(self._replies) == self._wanted and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.abort(f"the connection was lost{f': {error}' if error else ''}")

    def abort(self, why: str) -> None:
        """Hang up; the reason is kept, and whoever waits for an answer learns it."""
        self.lost = self.lost or why
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Cut(why))
        self._transport.abort()

    def _look(self) -> None:
        """Hang up when the answer is overdue. One timer looks after many words: one for each would cost more."""
        self._watch = None
        if self._waiter is None:
            return
        left = self._said_at + self._timeout - monotonic()
        if left > 0 or not self._overdue:
            self._overdue = left <= 0  # if the loop was held up, the answer may be there and not yet be read
            self._watch = self._loop.call_later(max(left, 0), self._look)
            return
        self.silent = True
        self.abort(f"no answer for {self._timeout:g} seconds")

    async def quit(self) -> None:
        """Say goodbye and hang up."""
        with suppress(Cut):
            await self._say(b"QUIT\r\n", 1)
        self.abort("closed")


def _words(said: bytes) -> str:
    return said.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\r").replace("\0", " ")


def _judged(code: int, said: bytes) -> Reply:
    """A reply code decides (RFC 5321, 4.2.1): 5yz is final, 4yz is not."""
    text = _words(said)
    if code >= 500:
        return Reply(AttemptOutcome.FAILED, code, text)
    return Reply(AttemptOutcome.SENT if 200 <= code < 300 else AttemptOutcome.DEFERRED, code, text)


def _stuffed(message: bytes) -> bytes:
    """The message as DATA carries it (RFC 5321, 4.5.2)."""
    start = b"." if message.startswith(b".") else b""
    end = b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n"
    return start + message.replace(b"\r\n.", b"\r\n..") + end
