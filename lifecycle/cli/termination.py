"""`assent terminate | rescind | reinstate | override`: the end of a user's access, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import shapes, terminations, users
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import JsonFlag, YesFlag, confirm, print_json, print_line, print_note, spoken
from lifecycle.models import Termination
from lifecycle.states import Initiator
from lifecycle.terminations import Cause

app = typer.Typer(rich_markup_mode=None)

User = Annotated[str, typer.Argument(help="The host's id of the user.")]


@app.command(help="End a user's access, with notice.")
def terminate(
    user: User,
    reason: Annotated[str, typer.Option("--reason", help="Why, as it will stand in the notice.")],
    ground: Annotated[
        list[str] | None,
        typer.Option("--ground", help="A clause it rests on, such as terms#4.2; repeatable."),
    ] = None,
    facts: Annotated[str, typer.Option("--facts", help="What happened.")] = "",
    automated: Annotated[bool, typer.Option("--automated", help="The decision was made by a machine.")] = False,
    redress: Annotated[str, typer.Option("--redress", help="How the user can challenge it.")] = "",
    notice_days: Annotated[int, typer.Option("--notice-days", help="Calendar days from the notice to the end.")] = 0,
    notice_at: Annotated[
        str | None, typer.Option("--notice-at", help=f"When the notice leaves: {INSTANT_HELP}.")
    ] = None,
    effective_at: Annotated[
        str | None, typer.Option("--effective-at", help=f"Not before this instant: {INSTANT_HELP}.")
    ] = None,
    by: Annotated[Initiator, typer.Option("--by", help="Who ends it.")] = Initiator.PROVIDER,
    regime: Annotated[str, typer.Option("--regime", help="The legal minimums to respect.")] = "contract",
    override_reason: Annotated[str, typer.Option("--override-reason", help="Why those do not apply.")] = "",
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    grounds = [_ground(text) for text in ground or ()]
    confirm(f"The access of {user} will end: {reason}", yes=yes)
    with open_desk() as desk:
        cause = Cause(by, reason, grounds, facts, automated, redress, regime, override_reason)
        found = desk.database.run(_terminate, user, cause, notice_days, notice_at, effective_at, desk)
    if as_json:
        return print_json(found)
    print_line(f"Termination {found['id']} of {user}: {_outlook(found, desk)}")
    return print_note("Its notice leaves while `assent serve` runs. Watch it with `assent notice list`.")


def _ground(text: str) -> tuple[str, str]:
    slug, mark, section = text.partition("#")
    if not (slug and mark and section):
        raise typer.BadParameter(f"{text!r} is not a document and a section, such as terms#4.2.", param_hint="--ground")
    return slug, section


def _outlook(found: shapes.Shape, desk: Desk) -> str:
    if found["state"] == "in effect":
        return f"access ended at {spoken(found['takes_effect_at'], desk.zone)}."
    if found["takes_effect_at"] is not None:
        return f"access will end at {spoken(found['takes_effect_at'], desk.zone)}."
    earliest = spoken(found["effective_at"], desk.zone)
    return f"access ends {found['notice_days']} days after its notice is proven sent, not before {earliest}."


def _terminate(
    session: Session,
    external_id: str,
    cause: Cause,
    notice_days: int,
    notice_at: str | None,
    effective_at: str | None,
    desk: Desk,
) -> shapes.Shape:
    made = terminations.terminate(
        session,
        users.user(session, external_id),
        cause,
        notice_days=notice_days,
        notice_at=desk.when(notice_at, "--notice-at"),
        effective_at=desk.when(effective_at, "--effective-at"),
        zone=desk.zone,
        now=desk.now,
    )
    session.flush()
    return shapes.termination(session, made, now=desk.now)


@app.command(help="Take a termination back before it takes effect.")
def rescind(
    user: User,
    reason: Annotated[str, typer.Option("--reason", help="Why, as it will stand in the notice.")],
    as_json: JsonFlag = False,
) -> None:
    _change(terminations.rescind, "rescinded", user, reason, as_json)


@app.command(help="Give access back after a termination took effect.")
def reinstate(
    user: User,
    reason: Annotated[str, typer.Option("--reason", help="Why, as it will stand in the notice.")],
    as_json: JsonFlag = False,
) -> None:
    _change(terminations.reinstate, "reinstated", user, reason, as_json)


@app.command(help="Let a termination take effect without proof of notice.")
def override(
    user: User,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded and shown.")],
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    confirm(f"The access of {user} will end although no notice is proven sent.", yes=yes)
    _change(terminations.override, "overridden", user, reason, as_json)


def _change(change: Callable[..., Termination], done: str, user: str, reason: str, as_json: bool) -> None:
    with open_desk() as desk:
        found = desk.database.run(_changed, change, user, reason, desk)
    if as_json:
        return print_json(found)
    return print_line(f"Termination {found['id']} of {user} is {done}; its state is now: {found['state']}.")


def _changed(
    session: Session, change: Callable[..., Termination], external_id: str, reason: str, desk: Desk
) -> shapes.Shape:
    latest = terminations.latest(session, users.user(session, external_id))
    return shapes.termination(session, change(session, latest, reason=reason, now=desk.now), now=desk.now)
