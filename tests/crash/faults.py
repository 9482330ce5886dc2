"""Each fault of a relay, once and for good: what becomes of a termination's notice, what arrives, what staff are told.

    python -m tests.crash.faults

The relay is a real SMTP server on loopback that follows a script; the worker's clock goes on by hours.
"""

import asyncio
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from lifecycle import terminations, users
from lifecycle.db import Database, open_database
from lifecycle.models import Request
from lifecycle.notices import outbox
from lifecycle.notices.delivery import Dispatcher
from lifecycle.settings import Settings, load_settings
from lifecycle.states import Initiator, NoticeStatus
from tests.notices.scripted import DROP, STALL, Answer, Fault, ScriptedRelay, scripted

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS, STEP = 14, timedelta(hours=6)  # more than the most tries, longer than the longest wait between two
PATIENCE_SECONDS = 0.1
S = NoticeStatus
LOGIN: dict[str, Any] = {"credentials": ("acme", "secret")}


@dataclass(frozen=True)
class Case:
    """A fault: at which step the relay answers what. Without a step it refuses connections."""

    name: str
    step: str = ""
    answers: tuple[Answer, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    scheme: str = "smtp"
    only_for_good: bool = False


@dataclass(frozen=True)
class End:
    """How a run ended."""

    status: NoticeStatus
    doubts: int
    copies: int
    staff: tuple[str, ...]

    @property
    def shown(self) -> str:
        status = "waits" if self.status is S.DEFERRED else self.status.value
        return f"{status}, {self.copies}"


CASES = [
    Case("connection refused"),
    Case("connection closed at once", "connect", (DROP,)),
    Case("wrong greeting", "connect", ("SSH-2.0-OpenSSH",)),
    Case("greeting 421 or 554", "connect", ("554 5.3.2 not from your address",)),
    Case("stalled before the greeting", "connect", (STALL,)),
    Case("TLS fails", "STARTTLS", ("220 go on", b"no TLS", DROP), {"starttls": True}, "smtp+starttls", True),
    Case("AUTH refused", "AUTH", ("535 5.7.8 the password has expired",), LOGIN),
    Case("MAIL 4xx", "MAIL", ("451 4.3.0 try later",)),
    Case("MAIL 5xx", "MAIL", ("550 5.7.1 not this sender",)),
    Case("MAIL: larger than SIZE", facts={"size": 100}, step="-", only_for_good=True),
    Case("RCPT 4xx", "RCPT", ("450 4.2.1 greylisted",)),
    Case("RCPT 5xx", "RCPT", ("550 5.1.1 no such mailbox",)),
    Case("stalled after RCPT", "RCPT", (STALL,)),
    Case("DATA 4xx", "DATA", ("451 4.3.0 no room now",)),
    Case("DATA 5xx", "DATA", ("554 5.5.1 no",)),
    Case("dropped before DATA is answered", "DATA", (DROP,)),
    Case("message 4xx", "message", ("451 4.3.0 the disk is full",)),
    Case("message 5xx", "message", ("554 5.7.1 looks like spam",)),
    Case("message: too big", "message", ("552 5.3.4 message too big",)),
    Case("dropped in the message", "body", (DROP,)),
    Case("dropped after the message, not taken", "message", (DROP,)),
    Case("dropped after the message, taken", "kept", (DROP,)),
    Case("stalled after the message, taken", "kept", (STALL,)),
]


async def table(folder: Path) -> list[tuple[str, ...]]:
    """A row for each fault: its name; what it ends as and how many copies arrive, if it comes once; the same if it
    stays; what staff are told then."""
    empty = empty_database(folder)
    rows: list[tuple[str, ...]] = []
    for case in CASES:
        once = None if case.only_for_good else await run(case, empty, folder, for_good=False)
        good = await run(case, empty, folder, for_good=True)
        rows.append((case.name, once.shown if once else "–", good.shown, "; ".join(good.staff) or "nothing"))
    return rows


def empty_database(folder: Path) -> Path:
    path = folder / "empty.sqlite3"
    open_database(load_settings(database_url=f"sqlite:///{path}", data_dir=folder)).close()
    return path


async def run(case: Case, empty: Path, folder: Path, *, for_good: bool) -> End:
    """Owe one termination's notice, let the fault happen, and follow it to its end."""
    path = folder / f"{secrets.token_hex(4)}.sqlite3"
    await asyncio.to_thread(shutil.copy, empty, path)
    fault = Fault(case.step, *case.answers, times=float("inf") if for_good else 1)
    async with scripted(fault, **case.facts) as relay:
        if not case.step:
            relay.shut()
        user = "acme:secret@" if relay.credentials else ""
        settings = load_settings(
            database_url=f"sqlite:///{path}",
            data_dir=folder,
            smtp_url=relay.url.replace("smtp://", f"{case.scheme}://{user}"),
            smtp_timeout_seconds=PATIENCE_SECONDS if STALL in case.answers else 5,
            mail_from="legal@acme.example",
        )
        database = Database(settings.database)
        try:
            database.run(end_access, settings=settings)
            await follow(database, settings, relay, reopen=not (case.step or for_good))
            return database.read(ended, relay)
        finally:
            database.close()


def end_access(session: Session, *, settings: Settings) -> None:
    user = users.upsert(session, "ada", email="ada@example.com", now=START)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
    terminations.terminate(session, user, cause, notice_days=5, zone=settings.zone, now=START)


async def follow(database: Database, settings: Settings, relay: ScriptedRelay, *, reopen: bool) -> None:
    now = START
    worker = Dispatcher(database, settings, clock=lambda: now)
    for _ in range(ROUNDS):
        if database.read(outbox.next_due) is None:
            break
        await worker.drain()
        if reopen:
            await relay.open()
            reopen = False
        now += STEP
    await worker.stop()


def ended(session: Session, relay: ScriptedRelay) -> End:
    notice = outbox.notice(session, 1)
    open_ones = select(Request.subject).where(col(Request.closed_at).is_(None)).order_by(col(Request.id))
    return End(notice.status, notice.doubts, len(relay.kept), tuple(session.exec(open_ones)))


def markdown(rows: list[tuple[str, ...]]) -> str:
    """The table as docs/operating.md shows it."""
    head = ("fault", "once: notice, copies", "for good: notice, copies", "staff are told, for good")
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ("---",) * 4, *rows])


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assent-faults-") as name:
        print(markdown(asyncio.run(table(Path(name)))))


if __name__ == "__main__":
    main()
