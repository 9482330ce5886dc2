"""Four workers on one campaign, two of them killed and one stopped past its lease; then counts what arrived (rule 7).

    python -m tests.crash.many_workers [--notices 2000]

On a PostgreSQL server of its own. The large run: --notices 50000.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session, col, select

from lifecycle.db import Database
from lifecycle.models import Notice, User
from tests.crash.kill_worker import CONNECTIONS, Worker, fresh_database, opened, publish_to, settings_for, settled
from tests.crash.report import Report
from tests.crash.sink import Sink, at_once_or_later

WORKERS, KILLED, STOPPED = 4, 2, 1
LEASE_SECONDS = 5.0  # longer than a busy machine lets a worker that lives wait
PATIENCE_SECONDS = 600.0
IN_DOUBT_AT_MOST = (KILLED + STOPPED) * CONNECTIONS


@dataclass
class Harm(Report):
    """What a run came to. Nobody is left to staff: each worker dies once at most."""

    in_doubt: int = 0
    doubles_without_doubt: int = 0

    def promises(self) -> dict[str, bool]:
        return super().promises() | {
            f"{self.doubles_without_doubt} notices never in doubt were doubled": self.doubles_without_doubt == 0,
            f"{self.in_doubt} notices were in doubt": self.in_doubt <= IN_DOUBT_AT_MOST,
        }

    def rows(self) -> dict[str, object]:
        return {
            "ever in doubt": f"{self.in_doubt} (at most {IN_DOUBT_AT_MOST}: a connection each of three workers)",
            "doubled": f"{self.doubles} (of them never in doubt: {self.doubles_without_doubt})",
        }


async def run(database_url: str, folder: Path, *, notices: int) -> Harm:
    """Let four workers tell everyone, end or stop three of them on the way, and count."""
    report, begun = Harm(notices), time.monotonic()
    async with Sink(at_once_or_later(random.Random(1))) as sink:
        settings = settings_for(database_url, folder, sink.url, lease_seconds=LEASE_SECONDS)
        workers = [Worker(settings, folder) for _ in range(WORKERS)]
        with opened(settings) as database:
            try:
                for worker in workers:
                    await worker.start()
                await until(database, lambda session: connected(session) > WORKERS)
                database.run(publish_to, [f"u{n}" for n in range(notices)], settings=settings)
                await harm(workers, sink, notices)
                await until(database, lambda session: settled(session, notices))
                for worker in (workers[0], workers[-1]):
                    await worker.stop()
            finally:
                for worker in workers:
                    await worker.kill()
            database.read(count, sink, report)
    report.seconds = time.monotonic() - begun
    return report


async def harm(workers: list[Worker], sink: Sink, notices: int) -> None:
    """Stop the first, kill two others, and let the first go on when its lease is long over."""
    stopped, *killed, last = workers
    await last.until(sink, lambda: sink.total >= notices // 8, patience=PATIENCE_SECONDS)
    stopped.send_signal(signal.SIGSTOP)
    for nth, worker in enumerate(killed, start=2):
        least = nth * notices // 8
        await last.until(sink, lambda least=least: sink.total >= least, patience=PATIENCE_SECONDS)  # type: ignore[misc]
        await worker.kill()
    await asyncio.sleep(LEASE_SECONDS * 2)
    stopped.send_signal(signal.SIGCONT)


async def until(database: Database, holds: Callable[[Session], bool]) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while not await database.aread(holds):
        if time.monotonic() > limit:
            raise AssertionError("The workers did not come to an end.")
        await asyncio.sleep(0.1)


def connected(session: Session) -> int:
    """How many processes, with this one, are on the database."""
    clients = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND client_port IS NOT NULL"
    return int(session.execute(text(clients)).scalar_one())


def count(session: Session, sink: Sink, report: Harm) -> None:
    """Compare what arrived with what the record says."""
    found = session.exec(select(User.email, Notice).join(Notice, col(Notice.user_id) == User.id)).all()
    report.count(session, sink, [notice for _, notice in found])
    doubted = {address for address, notice in found if notice.doubts}
    doubled = {address for address, some in sink.copies.items() if len(some) > 1}
    report.lost = len({address for address, _ in found} - set(sink.copies))
    report.in_doubt, report.doubles = len(doubted), len(doubled)
    report.doubles_without_doubt = len(doubled - doubted)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash.many_workers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--notices", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assent-workers-") as name:
        folder = Path(name)
        with fresh_database(folder, postgresql=True) as url:
            report = asyncio.run(run(url, folder, notices=given.notices))
    return report.show()


if __name__ == "__main__":
    sys.exit(main())
