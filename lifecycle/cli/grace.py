"""`assent grace …`: deadlines put off or lifted, for one user or for all, and that undone."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import graces, shapes, users
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_table, spoken
from lifecycle.documents import store

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def give(
    slug: Annotated[str, typer.Argument(help="The document.")],
    number: Annotated[int, typer.Argument(help="The version's number.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown with the user's standing.")],
    user: Annotated[str | None, typer.Option("--user", help="For this user only.")] = None,
    until: Annotated[str | None, typer.Option("--until", help=f"Put the deadline off to: {INSTANT_HELP}.")] = None,
    exempt: Annotated[bool, typer.Option("--exempt", help="Lift the deadline instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put the deadline of a version off, or lift it, for one user or for all."""
    if (until is None) != exempt:
        raise typer.BadParameter("Give either --until or --exempt.", param_hint="--until")

    def work(session: Session, desk: Desk) -> shapes.Shape:
        version = store.version(session, store.document(session, slug), number)
        whose = users.user(session, user) if user is not None else None
        at = desk.when(until, "--until")
        return shapes.grace(session, graces.give(session, version, user=whose, until=at, reason=reason, now=desk.now))

    with open_desk() as desk:
        found = desk.database.run(work, desk)
        if as_json:
            return print_json(found)
        what = f"put off to {spoken(found['until'], desk.zone)}" if found["until"] else "lifted"
        whom = user or "everyone"
        return print_line(f"Grace {found['number']}: the deadline of {slug} {number} is {what} for {whom}.")


@app.command("list")
def list_(
    user: Annotated[str | None, typer.Option("--user", help="What counts for this user.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """The graces that were given, also those undone."""

    def work(session: Session) -> list[shapes.Shape]:
        whose = users.user(session, user) if user is not None else None
        return [shapes.grace(session, one) for one in graces.graces(session, user=whose)]

    with open_desk() as desk:
        found = desk.database.read(work)
        if as_json:
            return print_json(found)
        facts = ("number", "document", "version", "user", "until", "reason", "undone_at")
        spelled = (g | {"user": g["user"] or "everyone", "until": g["until"] or "exempt"} for g in found)
        rows = [tuple(g[name] for name in facts) for g in spelled]
        headers = ("Number", "Document", "Version", "User", "Until", "Reason", "Undone")
        empty = "No deadline was moved. `assent grace give` moves one."
        return print_table(headers, rows, zone=desk.zone, empty=empty)


@app.command()
def undo(
    number: Annotated[int, typer.Argument(help="The grace's number.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    as_json: JsonFlag = False,
) -> None:
    """Take a grace back: the deadline is what it was."""

    def work(session: Session, desk: Desk) -> shapes.Shape:
        return shapes.grace(session, graces.undo(session, graces.grace(session, number), reason=reason, now=desk.now))

    with open_desk() as desk:
        found = desk.database.run(work, desk)
    if as_json:
        return print_json(found)
    return print_line(f"Grace {number} is undone.")
