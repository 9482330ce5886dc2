"""`assent request …`: what people asked of staff, from the first word to the outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import deadlines, identity, requests, shapes, users
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import (
    JsonFlag,
    YesFlag,
    confirm,
    print_facts,
    print_json,
    print_line,
    print_note,
    print_table,
    spoken,
)
from lifecycle.models import Request
from lifecycle.states import RequestKind

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Number = Annotated[int, typer.Argument(help="The request's number, as people quote it.")]


def _shape(session: Session, request: Request, desk: Desk) -> shapes.Shape:
    return shapes.request(session, request, zone=desk.zone, now=desk.now)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose time has passed.")] = False,
    after: Annotated[int, typer.Option("--after", help="Go on after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Requests that are open, with the day each is due."""
    with open_desk() as desk:
        found = desk.database.read(_listed, not everything, overdue, after, limit, desk)
    if as_json:
        return print_json(found)
    headers = ("Request", "Kind", "User", "Subject", "Opened", "Due", "State")
    keys = ("number", "kind", "user", "subject", "opened_at", "due_at", "state")
    rows = [[item[key] for key in keys] for item in found]
    nothing = "No request is overdue." if overdue else "No requests yet." if everything else "No requests are open."
    return print_table(headers, rows, zone=desk.zone, empty=nothing)


def _listed(session: Session, open_only: bool, overdue: bool, after: int, limit: int, desk: Desk) -> list[shapes.Shape]:
    if overdue:
        found = deadlines.overdue(session, zone=desk.zone, now=desk.now)
    else:
        found = requests.requests(session, open_only=open_only, after=after, limit=limit)
    return [_shape(session, request, desk) for request in found]


@app.command()
def show(number: Number, as_json: JsonFlag = False) -> None:
    """One request with its replies, its clock and what was joined to it."""
    with open_desk() as desk:
        found = desk.database.read(_shown, number, desk)
    if as_json:
        return print_json(found)
    shown = {name: value for name, value in found.items() if name != "replies"}
    print_facts({name.replace("_", " ").capitalize(): value for name, value in shown.items()}, zone=desk.zone)
    for reply in found["replies"]:
        print_line(f"\nReply {reply['nth']}, {spoken(reply['at'], desk.zone)}:\n{reply['text']}")
    return None


def _shown(session: Session, number: int, desk: Desk) -> shapes.Shape:
    request = requests.request(session, number)
    replies = [shapes.reply(reply) for reply in requests.replies(session, request)]
    joined = [again.id for again in requests.joined(session, request)]
    return _shape(session, request, desk) | {"joined": joined, "replies": replies}


@app.command("open")
def open_(
    kind: Annotated[RequestKind, typer.Argument(help="What it is about.")],
    subject: Annotated[str, typer.Argument(help="What is asked, in a line.")],
    details: Annotated[str, typer.Option("--details", help="The rest of it.")] = "",
    user: Annotated[str | None, typer.Option("--user", help="The host's id of who asks.")] = None,
    email: Annotated[str, typer.Option("--email", help="The address of someone without an account.")] = "",
    regime: Annotated[str | None, typer.Option("--regime", help="The law whose clock runs.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take down what someone asked by letter, phone or otherwise."""
    with open_desk() as desk:
        found = desk.database.run(_open, kind, subject, details, user, email, regime, desk)
    if as_json:
        return print_json(found)
    if found["joined_to"]:
        return print_line(f"This is request {found['joined_to']} once more: joined to it as {found['number']}.")
    due = f"; due {spoken(found['due_at'], desk.zone)}" if found["due_at"] else ""
    return print_line(f"Request {found['number']} is on record{due}.")


def _open(
    session: Session,
    kind: RequestKind,
    subject: str,
    details: str,
    external_id: str | None,
    email: str,
    regime: str | None,
    desk: Desk,
) -> shapes.Shape:
    opened = requests.open_request(
        session,
        kind,
        subject=subject,
        details=details,
        user=users.user(session, external_id) if external_id else None,
        email=users.check_email(email) if email else "",
        source="cli",
        regime=desk.settings.request_regime if regime is None else regime,
        now=desk.now,
    )
    return _shape(session, opened, desk)


@app.command()
def answer(
    number: Number,
    text: Annotated[str, typer.Argument(help="The answer, as the person will read it.")],
    and_close: Annotated[bool, typer.Option("--close", help="That settles it: close the request.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Answer a request: over Discord if it came from there, else by e-mail."""
    with open_desk() as desk:
        found = desk.database.run(_answer, number, text, and_close, desk)
    if as_json:
        return print_json(found)
    channel = found["channel"]
    way = f"it is owed over {channel}" if channel else "nobody can be reached with it: there is no address"
    return print_line(f"Reply {found['nth']} to request {number} is on record; {way}.")


def _answer(session: Session, number: int, text: str, and_close: bool, desk: Desk) -> shapes.Shape:
    request = requests.request(session, number)
    reply = requests.answer(session, request, text, now=desk.now)
    if and_close:
        requests.close(session, request, now=desk.now)
    return shapes.reply(reply)


def _act(number: int, act: Callable[[Session, Request, Desk], Request], said: str, as_json: bool) -> None:
    """Do something to a request, and say what it is then; `said` may name its keys in braces."""

    def work(session: Session, desk: Desk) -> shapes.Shape:
        return _shape(session, act(session, requests.request(session, number), desk), desk)

    with open_desk() as desk:
        found = desk.database.run(work, desk)
    if as_json:
        return print_json(found)
    return print_line(said.format(**{name: spoken(value, desk.zone) for name, value in found.items()}))


@app.command()
def close(number: Number, as_json: JsonFlag = False) -> None:
    """Close a request that was done."""
    _act(number, lambda s, found, desk: requests.close(s, found, now=desk.now), "Request {number} is closed.", as_json)


@app.command()
def extend(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="Why it takes longer, as the person will read it.")],
    as_json: JsonFlag = False,
) -> None:
    """Take the longer time that the law allows; the person is told."""
    _act(
        number,
        lambda s, found, desk: deadlines.extend(s, found, reason, zone=desk.zone, now=desk.now),
        "Request {number} is due {due_at} now; its notice is owed.",
        as_json,
    )


@app.command()
def refuse(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="The reasons, as the person will read them.")],
    as_json: JsonFlag = False,
) -> None:
    """Refuse a request, with reasons; the person is told them, and where to complain."""
    _act(
        number,
        lambda s, found, desk: requests.refuse(s, found, reason, now=desk.now),
        "Request {number} is refused and closed; its notice is owed.",
        as_json,
    )


@app.command()
def prove(
    number: Number,
    how: Annotated[str, typer.Option("--how", help="How you know who it is, if not by the mailed link.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Mail the person a new link to prove who they are; or put on record how you know."""

    def act(session: Session, found: Request, desk: Desk) -> Request:
        if how:
            return identity.prove(session, found, by=how, actor="staff", now=desk.now)
        return identity.ask_for_proof(session, found, now=desk.now)

    said = "Who asked in request {number} is known since {verified_at}." if how else "A new link is owed by e-mail."
    _act(number, act, said, as_json)


@app.command()
def erase(
    number: Number,
    at: Annotated[str | None, typer.Option("--at", help=f"When, if not after the usual wait: {INSTANT_HELP}.")] = None,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Decide that the account behind a proven erasure request goes; the person is told the day."""
    confirm(f"The account behind request {number} will be erased. That cannot be undone.", yes=yes)

    def act(session: Session, found: Request, desk: Desk) -> Request:
        when: datetime | None = desk.when(at, "--at")
        return identity.schedule_erasure(session, found, desk.settings, at=when, actor="staff", now=desk.now)

    _act(number, act, "The account of {user} goes at {erase_at}, once its owner was told.", as_json)
    if not as_json:
        print_note(f"Until then `assent request keep {number}` takes it back.")


@app.command()
def keep(number: Number, as_json: JsonFlag = False) -> None:
    """Call an erasure off before it is carried out."""
    _act(
        number,
        lambda s, found, desk: identity.call_off_erasure(s, found, now=desk.now),
        "The account of {user} stays; request {number} is still open.",
        as_json,
    )
