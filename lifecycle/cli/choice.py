"""`assent choice …`: what a user opted into or out of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from sqlmodel import Session, col, select

from lifecycle import choices, users
from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_table
from lifecycle.models import Choice
from lifecycle.shapes import Shape

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

User = Annotated[str, typer.Argument(help="The host's id of the user.")]


class Name(StrEnum):
    PROMPT_LOGGING = choices.PROMPT_LOGGING
    ANALYTICS = choices.ANALYTICS


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
    rows = [(made["at"], made["name"], "in" if made["value"] else "out", made["source"]) for made in found]
    return print_table(("When", "Choice", "Opted", "Where"), rows, zone=desk.zone, empty=f"{user} made no choice yet.")


def _listed(session: Session, external_id: str) -> list[Shape]:
    of_user = select(Choice).where(Choice.user_id == users.user(session, external_id).id).order_by(col(Choice.id))
    return [_shape(made) for made in session.exec(of_user)]


@app.command("set")
def set_(user: User, name: Name, value: Value, as_json: JsonFlag = False) -> None:
    """Record that a user opted in or out."""
    with open_desk() as desk:
        found = desk.database.run(_set, user, name.value, value is Value.IN, desk)
    if as_json:
        return print_json(found)
    return print_line(
        f"Recorded: {user} opted {value.value} of {name.value}."
        if value is Value.OUT
        else f"Recorded: {user} opted into {name.value}."
    )


def _set(session: Session, external_id: str, name: str, value: bool, desk: Desk) -> Shape:
    return _shape(choices.choose(session, users.user(session, external_id), name, value, source="cli", now=desk.now))


def _shape(made: Choice) -> Shape:
    return {"name": made.name, "value": made.value, "at": made.at, "source": made.source}
