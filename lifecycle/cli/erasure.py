"""`assent erasure …`: what went of whom, what stayed and why, and whether the files are clean."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import erasure, shapes
from lifecycle.cli.desk import open_desk
from lifecycle.cli.output import JsonFlag, print_facts, print_json, print_line, print_note, print_table

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(
    after: Annotated[int, typer.Option("--after", help="Go on after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Who was erased, by pseudonym."""
    with open_desk() as desk:
        found = desk.database.read(_listed, after, limit)
    if as_json:
        return print_json(found)
    keys = ("id", "pseudonym", "cause", "request", "erased_at", "scrubbed_at")
    headers = ("Erasure", "Known as", "Because of", "Request", "Erased", "Files clean")
    rows = [[item[key] for key in keys] for item in found]
    return print_table(headers, rows, zone=desk.zone, empty="Nobody was erased yet.")


def _listed(session: Session, after: int, limit: int) -> list[shapes.Shape]:
    return [shapes.erasure(session, found) for found in erasure.erasures(session, after=after, limit=limit)]


@app.command()
def show(number: Annotated[int, typer.Argument(help="The erasure's number.")], as_json: JsonFlag = False) -> None:
    """What went, what stayed and why, and where others still name the person."""
    with open_desk() as desk:
        found = desk.database.read(lambda s: shapes.erasure(s, erasure.erasure(s, number)))
    if as_json:
        return print_json(found)
    facts = {name: found[name] for name in ("pseudonym", "cause", "reason", "request", "erased_at", "scrubbed_at")}
    print_facts({name.replace("_", " ").capitalize(): value for name, value in facts.items()}, zone=desk.zone)
    print_line("\nErased")
    print_table(("From", "Rows"), found["went"].items(), zone=desk.zone)
    print_line("\nStays under the pseudonym")
    print_table(("What and why", "Rows"), found["stayed"].items(), zone=desk.zone)
    if found["mentioned"]:
        print_line("\nOthers wrote about the person; read these and judge")
        print_table(("In", "Numbers"), found["mentioned"].items(), zone=desk.zone)
    return None


@app.command()
def scrub(
    thorough: Annotated[
        bool, typer.Option("--thorough", help="On PostgreSQL: rewrite every table, locking each meanwhile.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Leave no trace of erased people in the database's files."""
    with open_desk() as desk:
        clean = desk.database.scrub(thorough=thorough)
        count = desk.database.run(erasure.scrubbed, before=desk.now, now=desk.now) if clean else 0
    if as_json:
        return print_json({"clean": clean, "erasures": count})
    if clean:
        return print_line("The database's files hold nothing any more of who was erased.")
    print_line("The space of what was erased is free for reuse, but not overwritten yet.")
    return print_note("On PostgreSQL use --thorough in a quiet hour; on SQLite end what reads for long, and repeat.")
