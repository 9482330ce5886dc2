"""`assent request …`: what people asked of staff, and the answers."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import requests, shapes
from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_facts, print_json, print_line, print_table, spoken

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Number = Annotated[int, typer.Argument(help="The request's number, as people quote it.")]


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    after: Annotated[int, typer.Option("--after", help="Go on after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Requests that are open."""
    with open_desk() as desk:
        found = desk.database.read(_listed, not everything, after, limit)
    if as_json:
        return print_json(found)
    headers = ("Request", "Kind", "User", "Subject", "Opened", "Answered", "Closed")
    keys = ("number", "kind", "user", "subject", "opened_at", "answered_at", "closed_at")
    rows = [[item[key] for key in keys] for item in found]
    return print_table(
        headers, rows, zone=desk.zone, empty="No requests are open." if not everything else "No requests yet."
    )


def _listed(session: Session, open_only: bool, after: int, limit: int) -> list[shapes.Shape]:
    found = requests.requests(session, open_only=open_only, after=after, limit=limit)
    return [shapes.request(session, request) for request in found]


@app.command()
def show(number: Number, as_json: JsonFlag = False) -> None:
    """One request with its replies."""
    with open_desk() as desk:
        found = desk.database.read(_shown, number)
    if as_json:
        return print_json(found)
    shown = {name: value for name, value in found.items() if name != "replies"}
    print_facts({name.replace("_", " ").capitalize(): value for name, value in shown.items()}, zone=desk.zone)
    for reply in found["replies"]:
        print_line(f"\nReply {reply['nth']}, {spoken(reply['at'], desk.zone)}:\n{reply['text']}")
    return None


def _shown(session: Session, number: int) -> shapes.Shape:
    request = requests.request(session, number)
    replies = [shapes.reply(reply) for reply in requests.replies(session, request)]
    return shapes.request(session, request) | {"replies": replies}


@app.command()
def answer(
    number: Number,
    text: Annotated[str, typer.Argument(help="The answer, as the person will read it.")],
    as_json: JsonFlag = False,
) -> None:
    """Answer a request: over Discord if it came from there, else by e-mail."""
    with open_desk() as desk:
        found = desk.database.run(_answer, number, text, desk)
    if as_json:
        return print_json(found)
    channel = found["channel"]
    way = f"it is owed over {channel}" if channel else "nobody can be reached with it: there is no address"
    return print_line(f"Reply {found['nth']} to request {number} is on record; {way}.")


def _answer(session: Session, number: int, text: str, desk: Desk) -> shapes.Shape:
    return shapes.reply(requests.answer(session, requests.request(session, number), text, now=desk.now))


@app.command()
def close(number: Number, as_json: JsonFlag = False) -> None:
    """Close a request."""
    with open_desk() as desk:
        found = desk.database.run(_close, number, desk)
    if as_json:
        return print_json(found)
    return print_line(f"Request {number} is closed.")


def _close(session: Session, number: int, desk: Desk) -> shapes.Shape:
    return shapes.request(session, requests.close(session, requests.request(session, number), now=desk.now))
