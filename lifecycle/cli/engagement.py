"""`assent accept | decline | object | withdraw`: staff record what a user did about a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import responses, shapes, users
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_line
from lifecycle.documents import store
from lifecycle.errors import NotFound
from lifecycle.models import Document, Version
from lifecycle.states import EngagementKind

app = typer.Typer(rich_markup_mode=None)

User = Annotated[str, typer.Argument(help="The host's id of the user.")]
Slug = Annotated[str, typer.Argument(help="The document.")]
Number = Annotated[int | None, typer.Argument(help="The version's number; without, the one in force.")]
Wording = Annotated[str, typer.Option("--wording", help="The words that the user agreed to or wrote.")]
At = Annotated[str | None, typer.Option("--at", help=f"When it happened, if not now: {INSTANT_HELP}.")]
Command = Callable[..., None]

SPOKEN = {EngagementKind.OBJECTED: "objected to", EngagementKind.WITHDRAWN: "withdrew from"}


def _command(name: str, kind: EngagementKind, help_text: str) -> Command:
    @app.command(name, help=help_text)
    def record(
        user: User,
        slug: Slug,
        number: Number = None,
        wording: Wording = "",
        at: At = None,
        as_json: JsonFlag = False,
    ) -> None:
        with open_desk() as desk:
            found = desk.database.run(_engage, kind, user, slug, number, wording, at, desk)
        if as_json:
            return print_json(found)
        return print_line(
            f"Recorded: {user} {SPOKEN.get(kind, kind.value)} version {found['version']} of {slug} ({found['locale']}, "
            f"SHA-256 {found['sha256'][:12]}…)."
        )

    return record


def _engage(
    session: Session,
    kind: EngagementKind,
    external_id: str,
    slug: str,
    number: int | None,
    wording: str,
    at: str | None,
    desk: Desk,
) -> shapes.Shape:
    user, document = users.user(session, external_id), store.document(session, slug)
    version = store.version(session, document, number) if number is not None else _in_force(session, document, desk)
    fact = responses.respond(
        session,
        user,
        version,
        kind,
        wording=wording,
        channel="cli",
        actor="staff",
        at=desk.when(at, "--at"),
        zone=desk.zone,
        now=desk.now,
    )
    return {"user": external_id} | shapes.engagement(session, fact)


def _in_force(session: Session, document: Document, desk: Desk) -> Version:
    found = store.in_force(session, document, at=desk.now)
    if found is None:
        raise NotFound(f"No version of {document.slug!r} is in force; name the one that is meant by its number.")
    return found


accept = _command("accept", EngagementKind.ACCEPTED, "Record that a user accepted a version.")
decline = _command("decline", EngagementKind.DECLINED, "Record that a user declined a version.")
object_ = _command("object", EngagementKind.OBJECTED, "Record that a user objected to a version that binds by silence.")
withdraw = _command("withdraw", EngagementKind.WITHDRAWN, "Record that a user withdrew an acceptance.")
