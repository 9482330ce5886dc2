"""`assent user …`: who the users are, what binds them, what they may do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, col, select

from lifecycle import activity as activities
from lifecycle import casefile, clauses, engagements, erasure, ledger, sealing, shapes, users
from lifecycle import standing as standings
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
    tracker,
)
from lifecycle.documents import store
from lifecycle.errors import InvalidInput, NotFound
from lifecycle.models import Termination
from lifecycle.user_files import ImportReport, import_users

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

User = Annotated[str, typer.Argument(help="The host's id of the user.")]
At = Annotated[str | None, typer.Option("--at", help=f"At which instant, if not now: {INSTANT_HELP}.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A .csv, .ndjson or .jsonl file.")], as_json: JsonFlag = False
) -> None:
    """Add or change users from a file; a bad line is reported and loses nothing else.

    Columns: external_id, email, locale, time_zone, discord_id; and bound (such as "terms@2 privacy@1") with bound_at,
    to take over from another system what bound them.
    """
    with open_desk() as desk:
        report = import_users(desk.database, file, zone=desk.zone, now=desk.now, progress=tracker("Importing users"))
    if as_json:
        print_json(report)
    else:
        _print_report(report, desk)
    if report.problems:
        raise typer.Exit(1)


def _print_report(report: ImportReport, desk: Desk) -> None:
    print_line(f"Users: {report.added} added, {report.known} known already; bindings taken over: {report.bound}.")
    if report.problems:
        print_note(f"Lines not imported: {len(report.problems)}. Correct them and import the file again.")
        rows = [(problem.line, problem.value, problem.problem) for problem in report.problems]
        print_table(("Line", "User", "Problem"), rows, zone=desk.zone, stderr=True)


@app.command()
def show(user: User, as_json: JsonFlag = False) -> None:
    """All that is on record about a user."""
    with open_desk() as desk:
        found = desk.database.read(_shown, user, desk)
    if as_json:
        return print_json(found)
    print_facts({name.replace("_", " ").capitalize(): value for name, value in found["user"].items()}, zone=desk.zone)
    print_line()
    rows = [
        (fact["at"], fact["kind"], fact["document"], fact["version"], fact["channel"], fact["actor"])
        for fact in found["engagements"]
    ]
    headers = ("When", "What happened", "Document", "Version", "Channel", "Recorded by")
    print_table(headers, rows, zone=desk.zone, empty=f"{user} was told of nothing and accepted nothing yet.")
    for ending in found["terminations"]:
        print_line(
            f"Termination {ending['id']} ({ending['state']}) by {ending['initiated_by']}, decided "
            f"{spoken(ending['decided_at'], desk.zone)}: {ending['reason']}"
        )
    return _print_surviving(found["surviving"], desk)


def _print_surviving(found: shapes.Shape, desk: Desk) -> None:
    if not found["sections"]:
        return
    print_line(f"Access ended {spoken(found['since'], desk.zone)}; what still holds:")
    rows = [(part["document"], part["version"], part["number"], part["title"]) for part in found["sections"]]
    print_table(("Document", "Version", "Section", "Title"), rows, zone=desk.zone)


def _shown(session: Session, external_id: str, desk: Desk) -> shapes.Shape:
    user = users.user(session, external_id)
    endings = select(Termination).where(Termination.user_id == user.id).order_by(col(Termination.id))
    return {
        "user": shapes.user(user),
        "engagements": [shapes.engagement(session, fact) for fact in ledger.record(session, user)],
        "terminations": [shapes.termination(session, found, now=desk.now) for found in session.exec(endings)],
        "surviving": _surviving(session, external_id, desk),
    }


def _surviving(session: Session, external_id: str, desk: Desk) -> shapes.Shape:
    return shapes.surviving(clauses.still_binding(session, users.user(session, external_id), now=desk.now))


@app.command()
def standing(
    user: Annotated[str | None, typer.Argument(help="The host's id of the user.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file with an id a line, instead: prints NDJSON, a line each.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """What a user may do now, and why, document by document."""
    if (user is None) == (file is None):
        raise typer.BadParameter("Name a user, or a file of users with --file.", param_hint="USER")
    with open_desk() as desk:
        if file is not None:
            return _stream(file, desk)
        found = standings.check(desk.database, user or "", zone=desk.zone, now=desk.now)
        surviving = desk.database.read(_surviving, found.user, desk)
    if as_json:
        return print_json(found)
    print_line(f"{found.decision.upper()}: {found.why}")
    rows = [
        (d.slug, d.decision, d.state, d.bound_version, d.bound_by, d.in_force_version, d.due_by, d.why)
        for d in found.documents
    ]
    headers = ("Document", "Decision", "State", "Bound to", "by", "In force", "Due by", "Why")
    print_table(headers, rows, zone=desk.zone, empty="There are no documents yet, so nothing binds anyone.")
    return _print_surviving(surviving, desk)


def _stream(file: Path, desk: Desk) -> None:
    try:
        with file.open(encoding="utf-8") as lines:
            names = (line.strip() for line in lines if line.strip())
            for some in standings.to_lines(desk.database, names, zone=desk.zone, now=desk.now):
                typer.echo(some, nl=False)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{str(file)!r} cannot be read: {error}.") from None


@app.command()
def bound(
    user: User,
    document: Annotated[str | None, typer.Option("--document", help="This document only.")] = None,
    at: At = None,
    as_json: JsonFlag = False,
) -> None:
    """Which versions bound a user at an instant, and the engagement that proves each."""
    with open_desk() as desk:
        found = desk.database.read(_bound, user, document, at, desk)
    if as_json:
        return print_json(found)
    rows = [
        (b["document"], b["version"], b["since"], b["proof"]["kind"], b["proof"]["version"], b["proof"]["at"], b["why"])
        for b in found
    ]
    headers = ("Document", "Version", "Since", "Proof", "of version", "at", "Why")
    return print_table(headers, rows, zone=desk.zone, empty=f"Nothing bound {user} then.")


def _bound(session: Session, external_id: str, slug: str | None, at: str | None, desk: Desk) -> list[shapes.Shape]:
    user, instant = users.user(session, external_id), desk.when(at, "--at") or desk.now
    why = standings.reasons(session, user, zone=desk.zone, at=instant)
    if slug is None:
        found = engagements.bound_versions(session, user, at=instant)
    else:
        one = engagements.bound(session, user, store.document(session, slug), at=instant)
        if one is None:
            told = f"No version of {slug!r} bound user {external_id!r} at {instant.isoformat()}. {why.get(slug, '')}"
            raise NotFound(told.strip())
        found = [one]
    slugs = {document.id: document.slug for document in store.documents(session)}
    return [shapes.bound(session, one, why.get(slugs[one.version.document_id], "")) for one in found]


@app.command("case-file")
def case_file(
    user: User,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; else case-file-USER.zip here.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write all that is on record about a user into one zip, which `assent case-file verify` can check."""
    with open_desk() as desk:
        packed = desk.database.run(lambda s: casefile.case_file(s, users.user(s, user), desk.settings, now=desk.now))
    path = output or Path(f"case-file-{re.sub(r'[^A-Za-z0-9_.-]', '_', user)}.zip")
    try:
        path.write_bytes(packed)
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} cannot be written: {error.strerror}.") from None
    found = sealing.verify(packed)
    if as_json:
        return print_json({"file": str(path), "bytes": len(packed), "files": found.files, "manifest": found.manifest})
    print_line(f"{path}: {found.files} files, {len(packed)} bytes. Unpack it and open index.html.")
    return print_note("It holds personal data: send it to nobody but the person, and keep it out of shared folders.")


Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]


@app.command()
def erase(user: User, reason: Reason, yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """End a user's access and take their data out of every table and file, at once and for good.

    For someone who asks to be erased, take down a request instead (`assent request open erasure`): then they prove who
    they are, and are told the day.
    """
    confirm(f"All data of {user} will be erased. That cannot be undone.", yes=yes)
    with open_desk() as desk:
        made = desk.database.run(_erase, user, reason, desk)
        if desk.database.scrub():
            desk.database.run(erasure.scrubbed, before=desk.now, now=desk.now)
    if as_json:
        return print_json(made)
    print_line(f"{user} is erased; what proves that notice was given stays under {made['pseudonym']}.")
    return print_note(f"`assent erasure show {made['id']}` says what went, what stayed and why.")


def _erase(session: Session, external_id: str, reason: str, desk: Desk) -> shapes.Shape:
    if not reason.strip():
        raise InvalidInput("Give the reason for the erasure, such as the law that asks for it.")
    user = users.user(session, external_id)
    made = erasure.erase(
        session, user, cause=erasure.BY_STAFF, reason=reason, actor="staff", zone=desk.zone, now=desk.now
    )
    return shapes.erasure(session, made)


@app.command()
def hold(user: User, reason: Reason, as_json: JsonFlag = False) -> None:
    """Put a user's data under a legal hold: nothing of it is erased until it is released."""
    with open_desk() as desk:
        made = desk.database.run(lambda s: erasure.hold(s, users.user(s, user), reason, now=desk.now))
    return print_json(shapes.hold(made)) if as_json else print_line(f"The data of {user} is held.")


@app.command()
def release(user: User, reason: Reason, as_json: JsonFlag = False) -> None:
    """End the legal hold on a user's data."""
    with open_desk() as desk:
        made = desk.database.run(lambda s: erasure.release(s, users.user(s, user), reason, now=desk.now))
    return print_json(shapes.hold(made)) if as_json else print_line(f"The data of {user} is held no more.")


@app.command()
def activity(user: User, at: At = None, as_json: JsonFlag = False) -> None:
    """Record that a user used the service; that can bind by use, and ends a termination by inactivity."""
    with open_desk() as desk:
        report = desk.database.run(_activity, user, at, desk)
    if as_json:
        return print_json(report)
    also = f"; that bound {user} by use (versions: {report.bound})" if report.bound else ""
    return print_line(f"Recorded{also}.")


def _activity(session: Session, external_id: str, at: str | None, desk: Desk) -> activities.ActivityReport:
    users.user(session, external_id)
    report = activities.record(session, [(external_id, desk.when(at, "--at") or desk.now)], now=desk.now)
    if report.problems:
        raise NotFound(report.problems[0][1])
    return report
