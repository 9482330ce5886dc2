"""`assent document survival`: which sections still bind after termination."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.cli.desk import open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_note, print_table
from lifecycle.cli.promising import wanted
from lifecycle.documents import store, survival

NONE_FOUND = "No section is marked, and none seems to survive. Mark one with --mark SECTION."


def command(
    slug: Annotated[str, typer.Argument(help="The document, such as terms.")],
    version: Annotated[int | None, typer.Option("--version", help="Its number; without, the newest.")] = None,
    mark: Annotated[list[str] | None, typer.Option("--mark", help="A section that survives; may be repeated.")] = None,
    unmark: Annotated[list[str] | None, typer.Option("--unmark", help="A section that does not.")] = None,
    all_: Annotated[bool, typer.Option("--mark-proposed", help="Mark all that are proposed.")] = False,
    locale: Annotated[str, typer.Option("--locale", help="In this language only; without, in all.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Which sections still bind after termination: those marked, and those that the text's own words propose.

    Sections are named as printed, by anchor or by title.
    """
    with open_desk() as desk:

        def work(session: Session) -> list[shapes.Shape]:
            about = wanted(session, store.document(session, slug), version)
            given = [(reference, True, locale) for reference in mark or ()]
            given += [(reference, False, locale) for reference in unmark or ()]
            if all_:
                given += [(one.anchor, True, one.locale) for one in survival.survivors(session, about)]
            for reference, survives, language in given:
                survival.mark(session, about, reference, survives=survives, locale=language, now=desk.now)
            found = survival.survivors(session, about)
            return [asdict(one) for one in found if not locale or one.locale == locale]

        found = desk.database.run(work) if mark or unmark or all_ else desk.database.read(work)
    if as_json:
        return print_json(found)
    rows = [
        (one["number"], one["title"], one["locale"], "survives" if one["marked"] else "proposed", one["why"])
        for one in found
    ]
    print_table(("Section", "Title", "Language", "", "Why"), rows, zone=desk.zone, empty=NONE_FOUND)
    if not all(one["marked"] for one in found):
        print_note("Proposed sections bind nobody after termination until they are marked: --mark, --mark-proposed.")
    return None
