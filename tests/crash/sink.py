"""A relay on loopback in the test's own event loop: it keeps every copy, and takes as long to answer as it is told."""

import asyncio
import random
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from types import TracebackType
from typing import Any

REPLIES = {
    b"EHLO": "250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8",
    b"MAIL": "250 OK",
    b"RCPT": "250 OK",
    b"RSET": "250 OK",
    b"DATA": "354 Go on",
    b"QUIT": "221 Bye",
}


ANSWER_SECONDS = 0.02  # a relay that stores what it takes needs some milliseconds for it


@dataclass(frozen=True, slots=True)
class Copy:
    """A message that arrived whole. `life` is what the sink's stood at when its connection was opened."""

    at: datetime
    life: int
    message: bytes

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.message)["Message-ID"])


async def take(address: str) -> str:
    return "250 Taken"


def at_once_or_later(rng: random.Random) -> Callable[[str], Awaitable[str]]:
    """Takes a mail after some milliseconds."""

    async def answer(address: str) -> str:
        await asyncio.sleep(rng.uniform(0, ANSWER_SECONDS))
        return "250 Taken"

    return answer


class Arrivals:
    """The copies that came, by address, and those who wait for one."""

    def __init__(self) -> None:
        self.copies: defaultdict[str, list[Copy]] = defaultdict(list)
        self._arrival = asyncio.Condition()

    @property
    def total(self) -> int:
        return sum(map(len, self.copies.values()))

    @property
    def repeated(self) -> int:
        """How many copies were not somebody's first."""
        return self.total - len(self.copies)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for an arrival after which this holds."""
        async with self._arrival:
            await self._arrival.wait_for(holds)

    async def add(self, address: str, copy: Copy) -> None:
        self.copies[address].append(copy)
        async with self._arrival:
            self._arrival.notify_all()


class Sink(Arrivals):
    """A copy counts from its last byte on, as with a relay that dies before it could answer."""

    def __init__(self, answer: Callable[[str], Awaitable[str]] = take, *, door: socket.socket | None = None) -> None:
        super().__init__()
        self.life = 0
        self.answer = answer
        self._door = door
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Sink":
        where: dict[str, Any] = {"sock": self._door} if self._door else {"host": "127.0.0.1", "port": 0}
        self._server = await asyncio.start_server(self._accept, limit=2**20, **where)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        life, address = self._life(), ""
        try:
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                writer.write(f"{REPLIES.get(verb, '500 What?')}\r\n".encode())
                if verb == b"RCPT":
                    address = line.partition(b"<")[2].partition(b">")[0].decode()
                elif verb == b"DATA":
                    await self._keep(address, life, await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(f"{await self.answer(address)}\r\n".encode())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the worker was killed
        finally:
            writer.close()

    def begin_life(self) -> None:
        """From now on connections belong to the next life."""
        self.life += 1

    def _life(self) -> float:
        return self.life

    async def _keep(self, address: str, life: float, message: bytes) -> None:
        await self.add(address, Copy(datetime.now(UTC), int(life), message))
