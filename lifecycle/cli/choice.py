"""`assent choice …`: what a user opted into or out of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import choices, users
from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_table
from lifecycle.shapes import Shape

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

User = Annotated[str, typer.Argument(help="The host's id of the user.")]


Name = Annotated[str, typer.Argument(help="prompt_logging, analytics, or a name of your own.")]


class Value(StrEnum):
    IN = "in"
    OUT = "out"


@app.command("list")
def list_(user: User, as_json: JsonFlag = False) -> None:
    """All choices a user made, oldest first; the latest of a name counts."""
    with open_desk() as desk:
        found = desk.database.read(_listed, user)
    if as_json:
        return print_json(found)
    rows = [(one["at"], one["name"], "in" if one["value"] else "out", one["source"]) for one in found]
    return print_table(("When", "Choice", "Opted", "Where"), rows, zone=desk.zone, empty=f"{user} made no choice yet.")


def _listed(session: Session, external_id: str) -> list[Shape]:
    return [choices.shape(choice) for choice in choices.made(session, users.user(session, external_id))]


@app.command("set")
def set_(user: User, name: Name, value: Value, as_json: JsonFlag = False) -> None:
    """Record that a user opted in or out."""
    with open_desk() as desk:
        found = desk.database.run(_set, user, name, value is Value.IN, desk)
    if as_json:
        return print_json(found)
    return print_line(
        f"Recorded: {user} opted {value.value} of {name}."
        if value is Value.OUT
        else f"Recorded: {user} opted into {name}."
    )


def _set(session: Session, external_id: str, name: str, value: bool, desk: Desk) -> Shape:
    user = users.user(session, external_id)
    return choices.shape(choices.choose(session, user, name, value, source="cli", actor="staff", now=desk.now))
