"""How many standing checks a second, against the driver alone and against the peer that others would pick.

    python -m benchmarks.standing [--users 100000] [--documents 3] [--versions 2] [--postgresql] [--peer FOLDER]

All users have accepted about three quarters of all versions, by the same formula as the peer's script does. A check is
`standing.check` of a random user by the host's id; beside it, in turns of the same run, the driver alone is asked for
the same rows. Then all are streamed, as lines of JSON. With `--peer`, a folder that holds a prepared
django-termsandconditions 2.0 and its script `run_terms.py`, its checks are timed in turns too.
Bars: 0.25 of the driver on SQLite, 0.3 on PostgreSQL; ten times the peer; 20,000 users a second in a stream.
"""

import argparse
import gc
import json
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import text
from sqlmodel import Session

from benchmarks.instant import machine
from lifecycle import standing
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.states import Mode
from tests.crash.kill_worker import fresh_database

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
ROUNDS, CHECKS, STREAMED = 7, 1000, 100_000

USERS = {
    "sqlite": "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n}) SELECT i FROM s",
    "postgresql": "SELECT i FROM generate_series(1, {n}) i",
}


def settle(database: Database, users: int, documents: int, versions: int) -> None:
    """The texts, the users, and what they accepted."""
    database.run(_publish_all, documents, versions)
    source = USERS[database.engine.dialect.name].format(n=users)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO users (external_id, email, locale, time_zone, created_at) "
                f"SELECT 'user' || i, 'user' || i || '@users.example.net', '', '', :now FROM ({source}) x"
            ),
            {"now": _stored(database, NOW - timedelta(days=400))},
        )
    for k in range(documents * versions):
        with database.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO engagements (user_id, version_id, kind, nth, at, recorded_at, actor, channel, sha256, "
                    "locale, wording) SELECT id, :version, 'accepted', 1, :at, :at, 'user', 'api', '', 'en', '' "
                    "FROM users WHERE (id * 61 + :k * 40503) % 100 < :part"
                ),
                {
                    "version": k + 1,
                    "k": k + 1,
                    "part": 60 if k % 2 else 90,
                    "at": _stored(database, NOW - timedelta(days=300 - k)),
                },
            )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def _publish_all(session: Session, documents: int, versions: int) -> None:
    for number in range(documents):
        document = store.create_document(session, f"doc{number}", title=f"Document {number}", now=NOW)
        for _ in range(versions):
            at = NOW - timedelta(days=500)
            version = store.draft_version(session, document, {"en": "# Terms\n\nBe nice.\n"}, now=at)
            publish(session, version, Publication(Mode.EXPLICIT, notify=False), zone=UTC_ZONE, now=at)


def _stored(database: Database, at: datetime) -> Any:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if database.is_sqlite else at


def asker(database: Database) -> Callable[[str], object]:
    """The driver alone: the same statement, all its rows."""
    if database.is_sqlite:
        connection = sqlite3.connect(database.engine.url.database or "", isolation_level=None)
        return lambda name: connection.execute(standing.BY_NAME, {"who": name}).fetchall()
    url = database.url.replace("+psycopg", "")
    postgres = psycopg.connect(url, autocommit=True)
    statement = re.sub(r":who", "%(who)s", standing.BY_NAME)
    return lambda name: postgres.execute(statement, {"who": name}).fetchall()


def rounds(ways: dict[str, Callable[[str], object]], users: int) -> dict[str, list[list[float]]]:
    """Seconds of each check, by way and round; the ways take turns."""
    took: dict[str, list[list[float]]] = {way: [] for way in ways}
    pick = random.Random(1)
    for number in range(ROUNDS + 1):
        for way, ask in ways.items():
            names = [f"user{pick.randint(1, users)}" for _ in range(CHECKS)]
            gc.collect()
            took[way].append([_timed(ask, name) for name in names])
        if number == 0:  # the first round warms caches
            took = {way: [] for way in ways}
    return took


def _timed(ask: Callable[[str], object], name: str) -> float:
    begun = perf_counter()
    ask(name)
    return perf_counter() - begun


def peer(folder: Path) -> float:
    """Checks a second of django-termsandconditions, prepared in the folder beforehand."""
    run = subprocess.run(
        [str(folder / "bin" / "python"), str(folder / "run_terms.py"), "run", str(CHECKS * 2)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout)
    return float(found["n"] / found["wall"])


def streamed(database: Database, users: int) -> tuple[float, float]:
    """Users a second, by the clock on the wall and by that of the processor."""
    names: Iterator[str] = (f"user{n}" for n in range(1, min(users, STREAMED) + 1))
    begun, worked = perf_counter(), process_time()
    passed = sum(some.count(b"\n") for some in standing.to_lines(database, names, zone=UTC_ZONE, now=NOW))
    return passed / (perf_counter() - begun), passed / (process_time() - worked)


def measure(database: Database, users: int, folder: Path | None) -> bool:
    ways: dict[str, Callable[[str], object]] = {
        "driver": asker(database),
        "assent": lambda name: standing.check(database, name, zone=UTC_ZONE, now=NOW),
    }
    took = rounds(ways, users)
    rates = {way: [len(each) / sum(each) for each in found] for way, found in took.items()}
    for way, found in took.items():
        p50 = median(second for each in found for second in each)
        print(f"{way:<8}{median(rates[way]):>10,.0f} checks/s   p50 {p50 * 1e6:6.1f} µs", flush=True)
    bar = 0.25 if database.is_sqlite else 0.3
    ratio = median(ours / raw for ours, raw in zip(rates["assent"], rates["driver"], strict=True))
    kept = ratio >= bar
    print(f"of the driver's rate: {ratio:.2f} (bar {bar})")
    if folder is not None:
        others = [peer(folder) for _ in range(3)]
        times = median(rates["assent"]) / median(others)
        kept &= times >= 10
        print(f"peer    {median(others):>10,.0f} checks/s; Assent answers {times:.0f} times as many (bar 10)")
    wall, cpu = streamed(database, users)
    print(f"stream  {wall:>10,.0f} users/s on the wall, {cpu:,.0f} a second of processor time (bar 20,000)")
    return kept and wall >= 20_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standing")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=3)
    parser.add_argument("--versions", type=int, default=2)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of its own, else on SQLite")
    parser.add_argument("--peer", type=Path, help="a virtual environment with the peer, its script and its database")
    given = parser.parse_args()
    kind = "PostgreSQL" if given.postgresql else "SQLite"
    print(f"{machine()}, {kind}, {given.users:,} users x {given.documents} documents x {given.versions} versions")
    with (
        tempfile.TemporaryDirectory(prefix="assent-standing-") as name,
        fresh_database(Path(name), postgresql=given.postgresql) as url,
    ):
        database = Database(url)
        database.upgrade()
        begun = perf_counter()
        settle(database, given.users, given.documents, given.versions)
        print(f"(made in {perf_counter() - begun:.0f} s)", flush=True)
        kept = measure(database, given.users, given.peer)
        database.close()
    print(f"bars {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
