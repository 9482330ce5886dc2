"""`assent rollout …`: how far the telling of everyone is, and pause, resume, cancel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.cli.desk import INSTANT_HELP, Desk, open_desk
from lifecycle.cli.output import (
    JsonFlag,
    YesFlag,
    confirm,
    console,
    print_facts,
    print_json,
    print_line,
    print_note,
    print_table,
    spoken,
)
from lifecycle.documents import store
from lifecycle.models import Campaign
from lifecycle.notices import rollouts
from lifecycle.states import RolloutState

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Slug = Annotated[str, typer.Argument(help="The document, such as privacy-policy.")]
Number = Annotated[int, typer.Argument(help="The version's number.")]
LOOK_SECONDS = 1.0
MOVES = {RolloutState.RUNNING.value, RolloutState.SCHEDULED.value, RolloutState.PAUSED.value}


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """Every roll-out, the latest first."""
    with open_desk() as desk:
        found = desk.database.read(_listed, desk)
    if as_json:
        return print_json(found)
    headers = ("Document", "Version", "State", "Told", "Waiting", "Of", "Last mail")
    keys = ("document", "version", "state", "told", "waiting", "total", "last_mail_at")
    rows = [[item[key] for key in keys] for item in found]
    empty = "No roll-outs yet. One begins when a version is published and users are told of it."
    return print_table(headers, rows, zone=desk.zone, empty=empty)


def _listed(session: Session, desk: Desk) -> list[shapes.Shape]:
    per_hour = desk.settings.relay_per_hour
    return [
        shapes.rollout(document, version, rollouts.look(session, campaign, per_hour=per_hour, now=desk.now))
        for document, version, campaign in rollouts.listed(session)
    ]


@app.command()
def show(
    slug: Slug,
    number: Number,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing until all is sent, or Ctrl-C.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """How far a roll-out is: whom it told, who waits, how fast, until when. With --watch and --json, a line a look."""
    with open_desk() as desk:
        if watch:
            return _watch(desk, slug, number, as_json=as_json)
        found = desk.database.read(_look, slug, number, desk, desk.now)
    return print_json(found) if as_json else _print(found, desk)


def _look(session: Session, slug: str, number: int, desk: Desk, now: datetime) -> shapes.Shape:
    document = store.document(session, slug)
    version = store.version(session, document, number)
    campaign = rollouts.campaign(session, version)
    seen = rollouts.look(session, campaign, per_hour=desk.settings.relay_per_hour, now=now)
    return shapes.rollout(document, version, seen)


def _print(found: shapes.Shape, desk: Desk) -> None:
    facts = {
        "State": found["state"],
        "Began": found["started_at"],
        "Paused": found["paused_at"],
        "Cancelled": found["cancelled_at"],
        "Why": found["cancelled_reason"],
        "Users": found["total"],
        "Told": found["told"],
        "Waiting": found["waiting"],
        "Leaving": f"{found['rate']:.0f} mails an hour" if found["rate"] else "",
        "The relay takes": f"{found['per_hour']} an hour" if found["per_hour"] else "",
        "Last mail": found["last_mail_at"],
    }
    print_facts(facts, zone=desk.zone)
    print_line()
    print_table(("Notices", ""), list(found["notices"].items()), zone=desk.zone, empty="No notices yet.")


def _watch(desk: Desk, slug: str, number: int, *, as_json: bool) -> None:
    def look() -> shapes.Shape:
        found: shapes.Shape = desk.database.read(_look, slug, number, desk, datetime.now(UTC))
        return found

    if as_json:
        for found in _until_through(look):
            print_json(found, indent=None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console(stderr=True)) as bar:
        task = bar.add_task("", total=None, note="")
        for found in _until_through(look):
            done = found["total"] - found["waiting"]
            bar.update(task, description=found["state"], total=found["total"], completed=done, note=_pace(found, desk))
    _print(found, desk)


def _until_through(look: Callable[[], shapes.Shape]) -> Iterator[shapes.Shape]:
    while True:
        found = look()
        yield found
        if found["state"] not in MOVES:
            return
        time.sleep(LOOK_SECONDS)


def _pace(found: shapes.Shape, desk: Desk) -> str:
    ends = f", last mail {spoken(found['last_mail_at'], desk.zone)}" if found["last_mail_at"] else ""
    return f"{found['rate']:.0f} an hour{ends}"


@app.command()
def start(
    slug: Slug,
    number: Number,
    at: Annotated[str | None, typer.Option("--at", help=f"When telling users begins: {INSTANT_HELP}.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Begin to tell everyone of a version that was published without it."""

    def begin(session: Session, desk: Desk) -> None:
        version = store.version(session, store.document(session, slug), number)
        rollouts.start(session, version, at=desk.when(at, "--at") or desk.now, now=desk.now)

    with open_desk() as desk:
        desk.database.run(begin, desk)
        found = desk.database.read(_look, slug, number, desk, desk.now)
    if as_json:
        return print_json(found)
    print_line(f"The roll-out of version {number} of {slug} begins at {spoken(found['started_at'], desk.zone)}.")
    return print_note("Users are told while `assent serve` runs.")


@app.command()
def pause(slug: Slug, number: Number, as_json: JsonFlag = False) -> None:
    """Hold a roll-out: nothing more leaves but what is on its way. Notices of terminations go on."""
    _steer(slug, number, as_json, lambda s, campaign, desk: rollouts.pause(s, campaign, now=desk.now))


@app.command()
def resume(slug: Slug, number: Number, as_json: JsonFlag = False) -> None:
    """Go on with a paused roll-out."""
    _steer(slug, number, as_json, lambda s, campaign, desk: rollouts.resume(s, campaign, now=desk.now))


@app.command()
def cancel(
    slug: Slug,
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="Why; every notice that is cancelled shows it.")],
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Tell nobody else, for good. Who was told stays told; whom no notice reached is not bound by the version."""
    confirm(f"The roll-out of version {number} of {slug} will end for good; to hold it only, pause it.", yes=yes)
    _steer(slug, number, as_json, lambda s, campaign, desk: rollouts.cancel(s, campaign, reason=reason, now=desk.now))


def _steer(slug: str, number: int, as_json: bool, change: Callable[[Session, Campaign, Desk], None]) -> None:
    def work(session: Session, desk: Desk) -> shapes.Shape:
        version = store.version(session, store.document(session, slug), number)
        change(session, rollouts.campaign(session, version), desk)
        return _look(session, slug, number, desk, desk.now)

    with open_desk() as desk:
        found = desk.database.run(work, desk)
    if as_json:
        return print_json(found)
    told, waiting = found["told"], found["waiting"]
    return print_line(f"The roll-out of version {number} of {slug} is {found['state']}: {told} told, {waiting} wait.")
