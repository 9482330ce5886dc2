"""`assent terminate | rescind | reinstate | override`: the end of a user's access, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from sqlmodel import Session

from lifecycle import announcing, appeals, reasons, shapes, terminations, users
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import JsonFlag, YesFlag, confirm, print_json, print_line, print_note, spoken
from lifecycle.models import Termination
from lifecycle.reasons import Filing
from lifecycle.states import Emergency, Initiator, ToldBy
from lifecycle.terminations import Cause

app = typer.Typer(rich_markup_mode=None)

User = Annotated[str, typer.Argument(help="The host's id of the user.")]


Given = Annotated[str, typer.Option("--reason", help="Why, as it will stand in the notice; who leaves needs none.")]
Grounds = Annotated[
    list[str] | None, typer.Option("--ground", help="A clause it rests on, such as terms#4.2; repeatable.")
]
Facts = Annotated[str, typer.Option("--facts", help="What happened.")]
Automated = Annotated[bool, typer.Option("--automated", help="The decision was made by a machine.")]
Redress = Annotated[str, typer.Option("--redress", help="How the user can challenge it.")]
NoticeDays = Annotated[int, typer.Option("--notice-days", help="Calendar days from the notice to the end.")]
NoticeAt = Annotated[str | None, typer.Option("--notice-at", help=f"When the notice leaves: {INSTANT_HELP}.")]
EffectiveAt = Annotated[str | None, typer.Option("--effective-at", help=f"Not before this instant: {INSTANT_HELP}.")]
By = Annotated[Initiator, typer.Option("--by", help="Who ends it.")]
RegimeName = Annotated[str, typer.Option("--regime", help="The legal minimums to respect.")]
Overriding = Annotated[
    str, typer.Option("--override-reason", help="Why those do not apply, or why an emergency cannot wait.")
]
Scope = Annotated[str, typer.Option("--scope", help="What of the service ends, if not all of it.")]
Until = Annotated[
    str | None, typer.Option("--until", help=f"A suspension: it ends by itself at this instant: {INSTANT_HELP}.")
]
InEmergency = Annotated[
    Emergency | None, typer.Option("--emergency", help="End access at once, the notice after; say why above.")
]
LegalGround = Annotated[str, typer.Option("--legal-ground", help="The law it rests on, if on one.")]


@app.command(help="End a user's access, with notice.")
def terminate(
    user: User,
    reason: Given = "",
    ground: Grounds = None,
    facts: Facts = "",
    automated: Automated = False,
    redress: Redress = "",
    notice_days: NoticeDays = 0,
    notice_at: NoticeAt = None,
    effective_at: EffectiveAt = None,
    by: By = Initiator.PROVIDER,
    regime: RegimeName = "contract",
    override_reason: Overriding = "",
    scope: Scope = "",
    until: Until = None,
    emergency: InEmergency = None,
    legal_ground: LegalGround = "",
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    grounds = [_ground(text) for text in ground or ()]
    confirm(f"The access of {user} will end{f': {reason}' if reason else '.'}", yes=yes)
    with open_desk() as desk:
        ends_at = desk.when(until, "--until")
        why = (reason, grounds, facts, automated, redress, regime, override_reason)
        cause = Cause(by, *why, scope, ends_at, emergency, legal_ground)
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


ReasonShown = Annotated[str, typer.Option("--reason", help="Why; it is recorded and shown.")]
ReasonTold = Annotated[str, typer.Option("--reason", help="Why, as it will stand in the notice.")]
# What staff do to a termination that there is: the command, what it says it did, what it is for, and its reason.
CHANGES: list[tuple[str, Callable[..., Termination], str, str, Any]] = [
    ("rescind", terminations.rescind, "rescinded", "Take a termination back before it takes effect.", ReasonTold),
    (
        "reinstate",
        terminations.reinstate,
        "reinstated",
        "Give access back after a termination took effect.",
        ReasonTold,
    ),
    ("stay", appeals.hold, "stayed", "Stay a termination: it has no effect until it is resumed.", ReasonShown),
    ("resume", appeals.resume, "resumed", "End the stay of a termination.", ReasonShown),
]


def _add(name: str, change: Callable[..., Termination], done: str, purpose: str, why: Any) -> None:
    def command(user: str, reason: str, as_json: bool = False) -> None:
        _change(change, done, user, reason, as_json)

    command.__annotations__ = {"user": User, "reason": why, "as_json": JsonFlag, "return": None}
    app.command(name, help=purpose)(command)


for _row in CHANGES:
    _add(*_row)


@app.command(help="Let a termination take effect without proof of notice.")
def override(user: User, reason: ReasonShown, yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    confirm(f"The access of {user} will end although no notice is proven sent.", yes=yes)
    _change(terminations.override, "overridden", user, reason, as_json)


@app.command(help="Take down a user's appeal against a termination.")
def appeal(
    user: User,
    text: Annotated[str, typer.Option("--text", help="What the user says.")],
    stay: Annotated[bool, typer.Option("--stay", help="No effect until staff have decided.")] = False,
    as_json: JsonFlag = False,
) -> None:
    def work(session: Session, desk: Desk) -> shapes.Shape:
        latest = terminations.latest(session, users.user(session, user))
        request = appeals.appeal(session, latest, text, source="cli", stay=stay, now=desk.now)
        return shapes.request(session, request, zone=desk.zone, now=desk.now)

    with open_desk() as desk:
        found = desk.database.run(work, desk)
    if as_json:
        return print_json(found)
    return print_line(f"Request {found['number']}: {found['subject']}.")


@app.command("notice-given", help="Record that staff gave the notice of a termination themselves, with the evidence.")
def notice_given(
    user: User,
    by: Annotated[ToldBy, typer.Option("--by", help="How.")],
    evidence: Annotated[str, typer.Option("--evidence", help="The number of the letter, or where it was published.")],
    told_at: Annotated[str, typer.Option("--at", help=f"When: {INSTANT_HELP}.")] = "now",
    as_json: JsonFlag = False,
) -> None:
    def work(session: Session, desk: Desk) -> shapes.Shape:
        found = announcing.told_otherwise(
            session,
            terminations.latest(session, users.user(session, user)),
            by,
            evidence=evidence,
            told_at=desk.when(told_at, "--at") or desk.now,
            zone=desk.zone,
            now=desk.now,
        )
        return shapes.termination(session, found, now=desk.now)

    with open_desk() as desk:
        found = desk.database.run(work, desk)
        if as_json:
            return print_json(found)
        return print_line(f"Termination {found['id']} of {user}: {_outlook(found, desk)}")


@app.command("statement", help="Print the reasons of a termination in the fields of the EU's DSA database, as JSON.")
def statement(
    user: User,
    category: Annotated[str, typer.Option("--category", help="The database's category.")] = Filing().category,
    source_type: Annotated[str, typer.Option("--source-type", help="How the case came up.")] = Filing().source_type,
    automated_detection: Annotated[bool, typer.Option("--automated-detection", help="A machine found it.")] = False,
) -> None:
    filing = Filing(category, source_type, automated_detection=automated_detection)

    def work(session: Session, desk: Desk) -> shapes.Shape:
        latest = terminations.latest(session, users.user(session, user))
        return reasons.statement(session, latest, filing, settings=desk.settings)

    with open_desk() as desk:
        print_json(desk.database.read(work, desk))
    print_note("The database takes no personal data: see that reason and facts name nobody.")


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
