"""A real SMTP server on loopback that follows a script: at which step it answers what, drops the line, or says nothing.

It takes commands in a pipeline (RFC 2920) and keeps to the order of a transaction, so what is wrong is the script's.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from enum import Enum


class Act(Enum):
    """What is no answer."""

    DROP = "close the connection without a word"
    STALL = "say nothing until the test lets go, or for ever"


DROP, STALL = Act
Answer = str | bytes | Act  # a line, raw bytes, or no answer at all


class Fault:
    """What the relay does at a step instead of the usual, as often as `times`, to one recipient or to all.

    The steps are connect, EHLO, HELO, STARTTLS, AUTH, MAIL, RSET, QUIT; RCPT, DATA; body (in the middle of the
    message), message (after the final dot, before the relay takes it), kept (it has the message, now it answers).
    From RCPT on a fault may be for one recipient.
    """

    def __init__(self, step: str, *answers: Answer, to: str = "", times: float = 1) -> None:
        self.step, self.answers, self.to, self.times = step, answers, to, times


@dataclass(frozen=True, slots=True)
class Kept:
    """A message the relay took, whether or not it said so."""

    sender: str
    to: str
    message: bytes

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.message)["Message-ID"])


@dataclass
class ScriptedRelay:
    """`script` may change at any time; a fault is used up by each step it answers."""

    script: list[Fault] = field(default_factory=list)
    pipelining: bool = True
    smtputf8: bool = True
    starttls: bool = False
    size: int = 0
    credentials: tuple[str, str] | None = None

    kept: list[Kept] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    port: int = 0
    stalled: asyncio.Queue[str] = field(default_factory=asyncio.Queue)  # the recipient of each hand-over that hangs
    released: asyncio.Event = field(default_factory=asyncio.Event)
    lines: list[asyncio.StreamWriter] = field(default_factory=list)
    door: asyncio.Server | None = None
    conversations: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        """Listen, at the port it had before."""
        self.door = await asyncio.start_server(self._answer, "127.0.0.1", self.port, reuse_address=True)
        self.port = self.door.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Refuse connections from now on."""
        assert self.door is not None
        self.door.close()

    def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.conversations.add(asyncio.create_task(self.serve(reader, writer)))

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def take(self, step: str, to: str) -> Fault | None:
        """The script's next fault for the step, which is used up so."""
        fits = (f for f in self.script if f.step == step and f.times > 0 and f.to in ("", to))
        if (fault := next(fits, None)) is not None:
            fault.times -= 1
        return fault

    def copies(self, to: str) -> list[Kept]:
        return [kept for kept in self.kept if kept.to == to]

    async def hang_up(self) -> None:
        """Close every connection, as a relay does that is tired of waiting or restarts."""
        lines, self.lines = self.lines, []
        for line in lines:
            line.close()
        await asyncio.gather(*(line.wait_closed() for line in lines), return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.lines.append(writer)
        try:
            await _Conversation(self, reader, writer).hold()
        except (_HungUp, OSError, EOFError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*script: Fault, **facts: object) -> AsyncIterator[ScriptedRelay]:
    """A relay that follows the script, and does as usual where that says nothing."""
    relay = ScriptedRelay(list(script), **facts)  # type: ignore[arg-type]
    await relay.open()
    try:
        yield relay
    finally:
        relay.shut()
        for conversation in relay.conversations:
            conversation.cancel()
        await asyncio.gather(*relay.conversations, return_exceptions=True)
        await relay.hang_up()
        assert relay.door is not None
        await relay.door.wait_closed()


class _HungUp(Exception):
    pass


class _Conversation:
    """One connection. A step succeeds when its last answer is of the usual kind (2yz; 3yz where the client goes on)."""

    def __init__(self, relay: ScriptedRelay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relay, self.reader, self.writer = relay, reader, writer
        self.known = relay.credentials is None
        self.sender, self.to, self.utf8 = "", "", False
        self.verbs: dict[str, Callable[[str], Awaitable[object]]] = {
            "EHLO": self.ehlo,
            "HELO": lambda rest: self.step("HELO", "250 scripted.example"),
            "STARTTLS": lambda rest: self.step("STARTTLS", "454 4.7.0 no TLS here"),
            "AUTH": self.auth,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "RSET": self.rset,
            "NOOP": lambda rest: self.step("NOOP", "250 2.0.0 OK"),
            "QUIT": self.quit,
        }

    async def hold(self) -> None:
        await self.step("connect", "220 scripted.example ESMTP")
        while line := await self.reader.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            self.relay.commands[verb.upper()] += 1
            await self.verbs.get(verb.upper(), self.unknown)(rest)

    async def step(self, name: str, usual: str) -> bool:
        """Answer as the script says, or else as usual; whether the client may go on."""
        last = await self.fault(name)
        if last is None:
            await self.say(last := usual)
        return isinstance(last, str) and last[0] == usual[0]

    async def fault(self, name: str) -> Answer | None:
        """Answer as the script says; the last of it, or None when it says nothing."""
        fault = self.relay.take(name, self.to)
        for answer in fault.answers if fault else ():
            await self.say(answer)
        return fault.answers[-1] if fault else None

    async def say(self, answer: Answer) -> None:
        match answer:
            case Act.DROP:
                raise _HungUp
            case Act.STALL:
                self.relay.stalled.put_nowait(self.to)
                await self.relay.released.wait()
            case str() | bytes():
                self.writer.write(answer if isinstance(answer, bytes) else f"{answer}\r\n".encode())
                await self.writer.drain()

    async def unknown(self, rest: str) -> None:
        await self.say("500 5.5.1 what?")

    async def ehlo(self, rest: str) -> None:
        offers = {
            "scripted.example": True,
            "PIPELINING": self.relay.pipelining,
            "SMTPUTF8": self.relay.smtputf8,
            "STARTTLS": self.relay.starttls,
            "AUTH PLAIN": self.relay.credentials is not None,
            f"SIZE {self.relay.size}": self.relay.size > 0,
        }
        lines = [f"250-{name}\r\n" for name, there in offers.items() if there]
        await self.step("EHLO", "".join(lines) + "250 8BITMIME")

    async def auth(self, rest: str) -> None:
        method, _, proof = rest.partition(" ")
        _, user, password = base64.b64decode(proof).decode().split("\0")
        right = method.upper() == "PLAIN" and (user, password) == self.relay.credentials
        self.known = await self.step("AUTH", "235 2.7.0 welcome" if right else "535 5.7.8 wrong credentials") and right

    async def mail(self, rest: str) -> None:
        address, *options = rest.removeprefix("FROM:").split()
        sizes = [int(option.partition("=")[2]) for option in options if option.upper().startswith("SIZE=")]
        if self.sender:
            await self.say("503 5.5.1 one message at a time")
        elif not self.known:
            await self.say("530 5.7.0 authenticate first")
        elif (utf8 := "SMTPUTF8" in options) and not self.relay.smtputf8:
            await self.say("555 5.5.4 SMTPUTF8 is unknown here")
        elif not (utf8 or address.isascii()):
            await self.say("553 5.6.7 not without SMTPUTF8")
        elif self.relay.size and sizes and sizes[0] > self.relay.size:
            await self.say("552 5.3.4 message too big")
        elif await self.step("MAIL", "250 2.1.0 sender OK"):
            self.sender, self.utf8 = address.strip("<>"), utf8

    async def rcpt(self, rest: str) -> None:
        address = rest.removeprefix("TO:").split()[0]
        if not self.sender:
            await self.say("503 5.5.1 MAIL first")
        elif not (self.utf8 or address.isascii()):
            await self.say("553 5.6.7 not without SMTPUTF8")
        else:
            self.to = address.strip("<>")
            if not await self.step("RCPT", "250 2.1.5 recipient OK"):
                self.to = ""

    async def data(self, rest: str) -> None:
        if not self.to:
            await self.say("503 5.5.1 RCPT first")
        elif await self.step("DATA", "354 go on"):
            await self.take_message()

    async def take_message(self) -> None:
        lines = [await self.reader.readline()]
        await self.fault("body")
        while lines[-1] != b".\r\n":
            lines.append(await self.reader.readuntil(b"\n"))
        message = b"".join(line.removeprefix(b".") for line in lines[:-1])
        if self.relay.size and len(message) > self.relay.size:
            await self.say("552 5.3.4 message too big")
        elif await self.fault("message") is None:
            self.relay.kept.append(Kept(self.sender, self.to, message))
            await self.step("kept", "250 2.0.0 kept")
        self.sender, self.to = "", ""

    async def rset(self, rest: str) -> None:
        self.sender, self.to = "", ""
        await self.step("RSET", "250 2.0.0 forgotten")

    async def quit(self, rest: str) -> None:
        await self.step("QUIT", "221 2.0.0 bye")
        raise _HungUp
