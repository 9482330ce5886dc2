"""A relay in a process of its own, so that it can be killed. Who comes meanwhile waits at its door, which stays open.

    python -m tests.crash.relay DESCRIPTOR SEED

Each copy is told in a line on stdout once its last byte has come, before the answer: what was told then outlives it.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import time
from base64 import b64decode, b64encode
from bisect import bisect_right
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from tests.crash.sink import Arrivals, Copy, Sink, at_once_or_later

ROOT = Path(__file__).parents[2]


class Relay(Arrivals):
    """The relay seen from outside: as `Sink`, and `kill`, after which another takes its place at once."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._lives: list[float] = []
        self._listening: set[asyncio.Task[None]] = set()
        self._seed = seed

    async def __aenter__(self) -> "Relay":
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        await self._process.wait()
        await asyncio.gather(*self._listening)
        self._door.close()

    async def _open(self) -> None:
        door = self._door.fileno()
        command = [sys.executable, "-m", "tests.crash.relay", str(door), str(self._seed)]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, pass_fds=[door], stdout=asyncio.subprocess.PIPE, limit=2**20
        )
        assert self._process.stdout is not None
        self._listening.add(asyncio.create_task(self._listen(self._process.stdout)))

    async def kill(self) -> None:
        """SIGKILL, and a new one."""
        self._process.kill()
        await self._process.wait()
        self._seed += 1
        await self._open()

    @property
    def life(self) -> int:
        return len(self._lives)

    def begin_life(self) -> None:
        """From now on connections belong to the next life: between two kills of anyone."""
        self._lives.append(time.time())

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._door.getsockname()[1]}"

    async def _listen(self, told: asyncio.StreamReader) -> None:
        while (line := await told.readline()).endswith(b"\n"):  # the last may be cut off
            address, at, opened_at, message = json.loads(line)
            life = bisect_right(self._lives, opened_at)
            await self.add(address, Copy(datetime.fromtimestamp(at, UTC), life, b64decode(message)))


class Teller(Sink):
    """A sink that tells of every copy instead of keeping it."""

    async def _keep(self, address: str, life: float, message: bytes) -> None:
        line = json.dumps([address, time.time(), life, b64encode(message).decode()]) + "\n"
        os.write(1, line.encode())

    def _life(self) -> float:
        return time.time()


async def serve(descriptor: int, seed: int) -> None:
    async with Teller(at_once_or_later(random.Random(seed)), door=socket.socket(fileno=descriptor)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends us
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
