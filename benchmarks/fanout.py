"""How fast a campaign owes everyone their notice, beside the bare INSERT … SELECT of the same rows in the same run.

    python -m benchmarks.fanout [--users 1000000] [--rounds 3] [--postgresql] [--per-hour N]

A process of its own plans the whole campaign, chunk by chunk, each chunk a transaction with its cursor and its entry in
the history. Then the very rows it wrote are copied by one statement into a table with the same keys, references and
indexes. Once more the planner is killed (SIGKILL) in the middle and started again; then everybody must have one notice.
The bars: 1.5 times the bare copy, 150 MB of memory, one notice each.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, text
from sqlmodel import Session

from benchmarks.instant import machine
from lifecycle.columns import UTCDateTime
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.notices import campaigns
from lifecycle.notices.campaigns import NOTICE_COLUMNS
from lifecycle.states import Mode
from tests.crash.kill_worker import fresh_database

BAR_RATIO, BAR_MB = 1.5, 150.0
USERS = text(
    "INSERT INTO users (external_id, email, locale, time_zone, discord_id, created_at) "
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :users) "
    "SELECT 'user-' || n, CASE WHEN n % 10 = 0 THEN '' ELSE 'user-' || n || '@example.com' END, 'en', '', "
    "CASE WHEN n % 20 = 0 THEN CAST(n AS TEXT) END, :now FROM numbers"
)


@dataclass(frozen=True)
class Round:
    """Seconds of the planner and of the bare copy, and the planner's memory."""

    planned: float
    copied: float
    memory_mb: float

    @property
    def ratio(self) -> float:
        return self.planned / self.copied


def utc_now() -> datetime:
    return datetime.now(UTC)


# -- the world -----------------------------------------------------------------------------------------------------


def settle(session: Session, users: int) -> None:
    """So many users, one in ten without e-mail and half of those on Discord, and a version to tell them of."""
    now = utc_now()
    session.execute(USERS.bindparams(bindparam("now", now, UTCDateTime()), users=users))
    document = store.create_document(session, "terms", title="Terms", now=now)
    version = store.draft_version(session, document, {"en": "# Terms\n\n## 1. Use\n\nBe nice.\n"}, now=now)
    publication = Publication(Mode.NOTICE, effective_at=now + timedelta(days=3650))
    publish(session, version, publication, zone=ZoneInfo("UTC"), now=now)


def twin(database: Database) -> None:
    """An empty table with the columns, keys, references and indexes of `notices`."""
    statements = [
        "CREATE TABLE copies (LIKE notices INCLUDING ALL)",
        *(
            f"ALTER TABLE copies ADD FOREIGN KEY ({column}) REFERENCES {table}"
            for column, table in (
                ("user_id", "users"),
                ("version_id", "versions"),
                ("termination_id", "terminations"),
                ("reply_id", "replies"),
            )
        ),
        "CREATE SEQUENCE copies_ids OWNED BY copies.id",
        "ALTER TABLE copies ALTER id SET DEFAULT nextval('copies_ids')",
    ]
    with database.engine.begin() as connection:
        if database.is_sqlite:
            found = connection.execute(text("SELECT sql FROM sqlite_schema WHERE tbl_name = 'notices' AND sql > ''"))
            statements = [
                sql.replace("CREATE TABLE notices", "CREATE TABLE copies").replace("ix_notices", "ix_copies")
                for sql in (sql.replace("ON notices", "ON copies") for (sql,) in found.all())
            ]
        for statement in statements:
            connection.exec_driver_sql(statement)


# -- what is measured ------------------------------------------------------------------------------------------------


def plan(url: str, per_hour: int) -> None:
    """In a process of its own: the whole campaign; prints its seconds and its greatest memory in MB."""
    database, chunks = Database(url), 0
    begun = time.perf_counter()

    def next_chunk(session: Session) -> int:
        now = utc_now() + chunks * timedelta(days=3650) if per_hour else utc_now()  # no waiting for the relay's hour
        found = campaigns.open_campaigns(session, now=now)
        return sum(campaigns.plan_chunk(session, c, per_hour=per_hour, ahead=None, now=now) for c in found)

    while database.run(next_chunk):
        chunks += 1
    print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def planner(url: str, per_hour: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.fanout", "--plan", url, "--per-hour", str(per_hour)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def one_round(database: Database, url: str, per_hour: int) -> Round:
    said, _ = planner(url, per_hour).communicate()
    planned, memory = map(float, said.split())
    twin(database)
    columns = ", ".join(NOTICE_COLUMNS)
    begun = time.perf_counter()
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO copies ({columns}) SELECT {columns} FROM notices ORDER BY id")
    return Round(planned, time.perf_counter() - begun, memory)


def killed(url: str, database: Database, per_hour: int) -> tuple[int, int]:
    """The planner is killed once it has owed some notices, and started again; how many there were then, and are."""
    first = planner(url, per_hour)
    while not (before := count(database)):
        time.sleep(0.05)
    time.sleep(random.uniform(0.5, 3))
    first.kill()
    first.communicate()
    before = count(database)
    planner(url, per_hour).communicate()
    return before, count(database)


def count(database: Database) -> int:
    with database.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM notices").scalar_one())


def strays(database: Database) -> int:
    """Users who have not exactly one notice."""
    with database.engine.connect() as connection:
        wrong = "SELECT u.id FROM users u LEFT JOIN notices n ON n.user_id = u.id GROUP BY u.id HAVING count(n.id) <> 1"
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM ({wrong}) AS strays").scalar_one())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-hour", type=int, default=0, help="paced at this rate; 0: all due at once")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of its own, else on SQLite")
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plan:
        plan(given.plan, given.per_hour)
        return 0
    kind = "postgresql" if given.postgresql else "sqlite"
    print(f"{machine()}, {kind}, {given.users} users, {given.rounds} rounds", flush=True)
    rounds, wrong = list[Round](), 0
    for number in range(given.rounds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="assent-fanout-") as name,
            fresh_database(Path(name), postgresql=given.postgresql) as found,
        ):
            url = found.replace("postgresql://", "postgresql+psycopg://")
            database = Database(url)
            database.upgrade()
            database.run(settle, given.users)
            if number < given.rounds:
                rounds.append(last := one_round(database, url, given.per_hour))
                print(
                    f"planned {last.planned:.1f} s, copied {last.copied:.1f} s, ratio {last.ratio:.2f}, "
                    f"{given.users / last.planned:,.0f} notices a second, {last.memory_mb:.0f} MB",
                    flush=True,
                )
            else:
                before, after = killed(url, database, given.per_hour)
                print(f"killed with {before} notices written; {after} after the second start", flush=True)
            wrong += strays(database)
            database.close()
    ratio, memory = median(r.ratio for r in rounds), max(r.memory_mb for r in rounds)
    print(f"ratio {ratio:.2f} (bar {BAR_RATIO}), memory {memory:.0f} MB (bar {BAR_MB:.0f}), not one notice: {wrong}")
    return 0 if ratio <= BAR_RATIO and memory <= BAR_MB and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
