"""How many mails a second leave one worker process, beside what users would otherwise pick, in the same run.

    python -m benchmarks.throughput [--mails 50000] [--rounds 3] [--connections 10] [--postgresql] [--peers FOLDER]

Each round tells `mails` users of a new version: every mail, of about 6 KB as it leaves, is rendered for its user, kept,
handed to Postfix's smtp-sink and recorded. SQLite runs with synchronous=FULL. Peers send about 3 KB; they run in turn
with the worker, in every round:

- `smtp-source -d` (Postfix): the same bytes again and again; what a core can do without pipelining. Once more with
  mails as long as ours;
- nodemailer, pooled, composing each mail, keeping no record: FOLDER/nodemailer.mjs, with --node-modules its folder;
- django-post_office: FOLDER/django/run_post_office.py, run by the Python given with --django, as it comes and with
  four processes.

A peer that is not there is left out by name. What is printed are medians and the ratios of the issue's bars.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from benchmarks.instant import machine
from lifecycle.app import settle
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.inserting import insert_once
from lifecycle.models import Attempt, Engagement, Message, MessageForm, Notice, User
from lifecycle.notices import campaigns, keeping
from lifecycle.notices.delivery import Dispatcher
from lifecycle.settings import Settings, load_settings
from lifecycle.states import Mode, NoticeStatus
from tests.crash.kill_worker import fresh_database, opened

CHANGES = [
    "Section 4 explains in plain words how we suspend an account and how you appeal.",
    "Section 7 names the new company that processes payments for us.",
    "Section 12 moves the place of jurisdiction for business customers.",
]
DOMAINS = [f"users{n}.example.net" for n in range(20)]
OURS, SOURCE, SOURCE_LONG, NODE, DJANGO, DJANGO_BEST = (
    "assent",
    "smtp-source -d",
    "smtp-source -d, as long as ours",
    "nodemailer, composing",
    "django-post_office",
    "django-post_office, 4 processes",
)
BARS = {SOURCE: 0.35, NODE: 3.0, DJANGO: 6.0, DJANGO_BEST: 2.5}
Rates = dict[str, list[float]]


def utc_now() -> datetime:
    return datetime.now(UTC)


# -- the world -----------------------------------------------------------------------------------------------------


def world(session: Session, mails: int, settings: Settings) -> None:
    """Users who have accepted nothing yet, and a version all of them are to be told of from now on."""
    now = utc_now()
    facts = {"locale": "en", "time_zone": "Europe/Berlin", "created_at": now}
    names = (f"user-{n:08d}" for n in range(mails))
    rows = [{"external_id": name, "email": f"{name}@{DOMAINS[n % 20]}", **facts} for n, name in enumerate(names)]
    insert_once(session, User, rows)
    document = store.create_document(session, "terms", title="Terms of Service", now=now)
    version = store.draft_version(
        session, document, {"en": "# Terms\n\n## 1. Use\n\nBe nice.\n"}, changelogs={"en": CHANGES}, now=now
    )
    publish(session, version, Publication(Mode.EXPLICIT, deadline_days=30), zone=settings.zone, now=now)


def plan(session: Session) -> int:
    now = utc_now()
    return sum(
        campaigns.plan_chunk(session, campaign, now=now) for campaign in campaigns.open_campaigns(session, now=now)
    )


def check(session: Session, mails: int) -> None:
    """Raises AssertionError unless every mail was sent, recorded and kept."""
    sent = select(func.count()).select_from(Notice).where(Notice.status == NoticeStatus.SENT)
    counted = [
        session.exec(query).one()
        for query in (sent, select(func.count()).select_from(Attempt), select(func.count()).select_from(Engagement))
    ]
    assert counted == [mails] * 3, counted
    last = session.exec(select(Notice).order_by(col(Notice.id).desc()).limit(1)).one()
    message = keeping.message(session, last.id)
    assert message is not None
    assert last.address.encode() in message


def kept_bytes(session: Session, mails: int) -> tuple[float, float]:
    """Bytes a notice's message takes, on average, with its share of the form; and bytes of the message itself."""
    stored = session.exec(select(func.sum(func.length(Message.content)))).one() or 0
    forms = session.exec(select(func.sum(func.length(MessageForm.common)))).one() or 0
    some = session.exec(select(Notice).limit(100)).all()
    whole = [len(keeping.message(session, notice.id) or b"") for notice in some]
    return (stored + forms) / mails, sum(whole) / len(whole)


@contextmanager
def sink() -> Iterator[int]:
    """smtp-sink on a free port of loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    tool = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    drop = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([tool, *drop, f"127.0.0.1:{port}", "1024"])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


# -- the runs ------------------------------------------------------------------------------------------------------


def one_campaign(port: int, mails: int, connections: int, *, postgresql: bool) -> None:
    """In a process of its own, which prints what it measured as JSON."""
    with (
        tempfile.TemporaryDirectory(prefix="assent-throughput-") as name,
        fresh_database(Path(name), postgresql=postgresql) as url,
    ):
        settings = load_settings(
            database_url=url,
            data_dir=Path(name) / "data",
            smtp_url=f"smtp://127.0.0.1:{port}",
            smtp_connections=connections,
            mail_from="Example Legal <legal@notices.example.com>",
            operator="Example Corporation",
            public_url="https://legal.example.com",
        )
        with opened(settings) as database:
            database.run(world, mails, settings)
            while database.run(plan):
                pass
            if not database.is_sqlite:
                with database.engine.connect() as connection:
                    connection.execute(text("ANALYZE"))
            measured = run_loop(database, settings)
            database.run(check, mails)
            stored, whole = database.run(kept_bytes, mails)
    print(json.dumps(measured | {"n": mails, "stored": stored, "whole": whole}))


def run_loop(database: Database, settings: Settings) -> dict[str, float]:
    async def work() -> dict[str, float]:
        settle()  # as `assent serve` does
        dispatcher = Dispatcher(database, settings, clock=utc_now)
        begun, cpu = time.monotonic(), time.process_time()
        await dispatcher.drain()
        spent = {"wall": time.monotonic() - begun, "cpu": time.process_time() - cpu}
        await dispatcher.stop()
        return spent | {"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    return asyncio.run(work())


def ours(port: int, given: argparse.Namespace, mails: int, *, postgresql: bool = False) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.throughput", "--worker", str(port)]
    options = ["--mails", str(mails), "--connections", str(given.connections)]
    return said([*command, *options, *(["--postgresql"] if postgresql else [])])


def said(command: list[str], **how: object) -> dict[str, float]:
    """The last line a command printed, as JSON. Raises CalledProcessError with what it said instead."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
        done.check_returncode()
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def smtp_source(port: int, given: argparse.Namespace, length: int) -> float:
    tool = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
    who = ["-f", "legal@notices.example.com", "-t", "user@users.example.net", f"127.0.0.1:{port}"]
    what = ["-s", str(given.connections), "-m", str(given.mails), "-l", str(length)]
    begun = time.monotonic()
    subprocess.run([tool, "-d", *what, *who], check=True)
    return given.mails / (time.monotonic() - begun)


def nodemailer(port: int, given: argparse.Namespace) -> float:
    some = min(given.mails, 20000)
    options = ["--conns", str(given.connections), "--n", str(some), "--mode", "compose", "--port", str(port)]
    found = said(["node", str(given.peers / "nodemailer.mjs"), *options], cwd=given.node_modules.parent)
    return some / found["wall"]


def post_office(port: int, given: argparse.Namespace, processes: int) -> float:
    some = min(given.mails, 5000)
    script = [str(given.django), str(given.peers / "django" / "run_post_office.py")]
    with tempfile.TemporaryDirectory(prefix="assent-peer-") as folder:
        here = {"cwd": folder, "env": {**os.environ, "SINK_PORT": str(port)}}
        for step in (["migrate"], ["enqueue", str(some), "1000", "rendered"]):
            subprocess.run([*script, *step], check=True, capture_output=True, **here)  # type: ignore[call-overload]
        return some / said([*script, "send", str(processes)], **here)["wall"]


def contestants(given: argparse.Namespace, length: int) -> dict[str, Callable[[int], float]]:
    """Who runs in each round, when our mails have this length; who is missing is named."""
    there: dict[str, Callable[[int], float]] = {
        SOURCE: lambda port: smtp_source(port, given, 3000),
        SOURCE_LONG: lambda port: smtp_source(port, given, length),
    }
    missing = []
    if given.peers and given.node_modules and shutil.which("node"):
        there[NODE] = lambda port: nodemailer(port, given)
    else:
        missing.append(f"{NODE} (--peers, --node-modules, node)")
    if given.peers and given.django:
        there[DJANGO] = lambda port: post_office(port, given, 1)
        there[DJANGO_BEST] = lambda port: post_office(port, given, 4)
    else:
        missing.append(f"{DJANGO} (--peers, --django)")
    for name in missing:
        print(f"left out: {name}")
    return there


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    parser.add_argument("--mails", type=int, default=50000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--postgresql", action="store_true", help="a PostgreSQL server of its own, beside SQLite")
    folder, program = (lambda name: Path(name).resolve()), (lambda name: Path(name).absolute())
    parser.add_argument("--peers", type=folder, help="the folder with the peers' scripts")
    parser.add_argument("--node-modules", type=folder, help="where nodemailer is installed")
    parser.add_argument("--django", type=program, help="a Python that has django-post_office")
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        one_campaign(given.worker, given.mails, given.connections, postgresql=given.postgresql)
        return 0
    print(f"{machine()}; {given.mails} mails, {given.connections} connections, {given.rounds} rounds", flush=True)
    return compare(given)


def compare(given: argparse.Namespace) -> int:
    rates, last = defaultdict[str, list[float]](list), dict[str, float]()
    with sink() as port:
        small = ours(port, given, max(given.mails // 10, 1))
        peers = contestants(given, round(small["whole"]))
        for _ in range(given.rounds):
            last = ours(port, given, given.mails)
            rates[OURS].append(given.mails / last["wall"])
            for name, run in peers.items():
                rates[name].append(run(port))
            if given.postgresql:
                found = ours(port, given, given.mails, postgresql=True)
                rates[f"{OURS}, PostgreSQL"].append(given.mails / found["wall"])
    report(rates, last, small)
    return 0


def report(rates: Rates, last: dict[str, float], small: dict[str, float]) -> None:
    own = median(rates[OURS])
    for name, found in rates.items():
        bar = "" if name == OURS else f"assent is {own / median(found):5.2f} of it"
        bar += f" (bar {BARS[name]})" if name in BARS else ""
        if name.endswith("PostgreSQL"):
            bar = f"{median(found) / own:5.2f} of SQLite (bar 0.6)"
        print(f"{name:<34}{median(found):8.0f} mails/s  {bar}")
    print(f"\nCPU of the worker a mail: {last['cpu'] / last['n'] * 1e6:.0f} us")
    print(f"a message of {last['whole']:.0f} bytes is kept in {last['stored']:.0f} (bar 600)")
    print(f"memory: {small['rss_mb']:.0f} MB at {small['n']:.0f} mails, {last['rss_mb']:.0f} MB at {last['n']:.0f}")


if __name__ == "__main__":
    sys.exit(main())
