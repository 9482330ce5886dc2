"""`assent notice …`: what was owed to whom, what became of it, and the exact message."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import shapes, users
from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_facts, print_json, print_line, print_table
from lifecycle.errors import InvalidInput, NotFound
from lifecycle.models import Notice
from lifecycle.notices import keeping, outbox, reports
from lifecycle.states import NoticeStatus, Purpose

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[int, typer.Argument(help="The notice's number, as `assent notice list` shows it.")]


class Outcome(StrEnum):
    RETRY = "retry"
    DROP = "drop"


@app.command("list")
def list_(
    status: Annotated[NoticeStatus | None, typer.Option("--status", help="Only these.")] = None,
    purpose: Annotated[Purpose | None, typer.Option("--purpose", help="Only these.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only to this user.")] = None,
    after: Annotated[int, typer.Option("--after", help="Go on after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Notices, by number."""
    with open_desk() as desk:
        found = desk.database.read(_listed, status, purpose, user, after, limit)
    if as_json:
        return print_json(found)
    headers = ("Notice", "Purpose", "User", "Channel", "Status", "Due", "Sent", "Why")
    keys = ("id", "purpose", "user", "channel", "status", "due_at", "sent_at", "reason")
    empty = (
        "No such notices."
        if status or purpose or user or after
        else ("No notices yet. They are owed once a version is published or a user's access is ended.")
    )
    print_table(headers, [[item[key] for key in keys] for item in found], zone=desk.zone, empty=empty)
    if len(found) == limit:
        print_line(f"There may be more: assent notice list --after {found[-1]['id']}")
    return None


def _listed(
    session: Session,
    status: NoticeStatus | None,
    purpose: Purpose | None,
    external_id: str | None,
    after: int,
    limit: int,
) -> list[shapes.Shape]:
    user = users.user(session, external_id) if external_id else None
    found = outbox.notices(session, status=status, purpose=purpose, user=user, after=after, limit=limit)
    return [shapes.notice(session, notice) for notice in found]


@app.command()
def show(
    number: Id,
    raw: Annotated[bool, typer.Option("--raw", help="The exact message alone, byte for byte.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """One notice: its tries, with the relay's own words, and the exact message."""
    with open_desk() as desk:
        found, message = desk.database.read(_shown, number)
    if raw:
        sys.stdout.buffer.write(_required(number, message))
    elif as_json:
        print_json(found)
    else:
        _print_notice(found, message, desk)


def _shown(session: Session, number: int) -> tuple[shapes.Shape, bytes | None]:
    notice = outbox.notice(session, number)
    tries = [shapes.attempt(attempt) for attempt in outbox.attempts(session, notice)]
    message = keeping.message(session, notice.id)
    text = None if message is None else message.decode("utf-8", errors="replace")
    more = {"tries": tries, "message": text} | _reports(session, notice)
    return shapes.notice(session, notice) | more, message


def _required(number: int, message: bytes | None) -> bytes:
    if message is None:
        raise NotFound(f"Notice {number} has no message yet; it is written when the notice is handed over.")
    return message


def _print_notice(found: shapes.Shape, message: bytes | None, desk: Desk) -> None:
    shown = {name: value for name, value in found.items() if name not in {"tries", "message", "reports"}}
    print_facts({name.replace("_", " ").capitalize(): value for name, value in shown.items()}, zone=desk.zone)
    print_line()
    rows = [(t["nth"], t["started_at"], t["outcome"], t["code"], t["reply"]) for t in found["tries"]]
    print_table(("Try", "At", "Outcome", "Code", "What the relay said"), rows, zone=desk.zone, empty="Not tried yet.")
    if found["reports"]:
        print_line()
        said = [(r["at"], r["kind"], r["code"], r["address"], r["text"]) for r in found["reports"]]
        print_table(("Reported", "What", "Code", "Address", "In its words"), said, zone=desk.zone, empty="")
    if message is not None:
        print_line()
        print_line(message.decode("utf-8", errors="replace"))


@app.command()
def bounce(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="The bounce as a mail, or - to read it from a pipe.")],
    as_json: JsonFlag = False,
) -> None:
    """Take a bounce by hand, or from a mail server's pipe. It must name a notice of ours, signed or by Message-ID."""
    data = file.read()
    with open_desk() as desk:
        found = desk.database.run(_bounce, data, desk)
    if as_json:
        return print_json(found)
    return print_line(f"Notice {found['id']} is {found['status']}: {found['reports'][-1]['text'] or 'no reason given'}")


def _bounce(session: Session, data: bytes, desk: Desk) -> shapes.Shape:
    notice = reports.take_bounce(session, data, source="staff", settings=desk.settings, now=desk.now)
    if notice is None:
        raise InvalidInput(
            "This is no delivery report about a notice of ours: it needs a signed return path or the notice's "
            "Message-ID. Nothing was changed."
        )
    return shapes.notice(session, notice) | _reports(session, notice)


def _reports(session: Session, notice: Notice) -> shapes.Shape:
    return {"reports": [shapes.report(found) for found in reports.of(session, notice)]}


@app.command()
def resolve(
    number: Id,
    outcome: Annotated[Outcome, typer.Argument(help="Send it again, or let it be.")],
    as_json: JsonFlag = False,
) -> None:
    """Settle a notice that is unknown, failed or skipped; or send anew what bounced."""
    with open_desk() as desk:
        found = desk.database.run(_resolve, number, outcome.value, desk)
    if as_json:
        return print_json(found)
    anew = f" Notice {found['id']} is owed in its place." if found["id"] != number else ""
    return print_line(f"Notice {number} is now {found['status']}." if not anew else anew.strip())


def _resolve(session: Session, number: int, outcome: str, desk: Desk) -> shapes.Shape:
    notice = outbox.resolve(session, outbox.notice(session, number), outcome, now=desk.now)
    return shapes.notice(session, notice)
