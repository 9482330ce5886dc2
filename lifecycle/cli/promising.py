"""`assent document promises`: what the texts promise that can be checked, and what staff say about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.cli.desk import open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_table
from lifecycle.documents import promises, store
from lifecycle.errors import NotFound
from lifecycle.models import Document, Version
from lifecycle.states import PromiseKind

NONE_FOUND = "No promises found. Mark a sentence with --mark QUOTE --kind KIND."


def command(
    slug: Annotated[str, typer.Argument(help="The document, such as privacy-policy.")],
    version: Annotated[int | None, typer.Option("--version", help="Its number; without, the newest.")] = None,
    mark: Annotated[str, typer.Option("--mark", help="Words of the one sentence that promises something.")] = "",
    kind: Annotated[PromiseKind | None, typer.Option("--kind", help="What it promises; `none` for nothing.")] = None,
    value: Annotated[str, typer.Option("--value", help="How much, or where: '30 days', '16', an address.")] = "",
    unmark: Annotated[str, typer.Option("--unmark", help="Words of a marked sentence; the mark is taken back.")] = "",
    locale: Annotated[str, typer.Option("--locale", help="The text's language; without, the document's.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """What the texts promise that a machine can check; `version rehearse` warns where it is not kept."""
    if bool(mark) != (kind is not None):
        raise typer.BadParameter("belong together", param_hint="--mark and --kind")
    with open_desk() as desk:

        def work(session: Session) -> list[shapes.Shape]:
            document = store.document(session, slug)
            language = locale or document.default_locale
            if mark and kind:
                promises.mark(session, document, mark, locale=language, kind=kind, value=value, now=desk.now)
            if unmark:
                promises.unmark(session, document, unmark, locale=language, now=desk.now)
            found = promises.promises(session, wanted(session, document, version))
            return [asdict(promise) for promise in found if not locale or promise.locale == locale]

        found = desk.database.run(work) if mark or unmark else desk.database.read(work)
    if as_json:
        return print_json(found)
    rows = [
        (one["kind"], one["value"], one["locale"], one["section"], "staff" if one["marked"] else "", one["sentence"])
        for one in found
    ]
    headers = ("Promise", "Value", "Language", "Section", "Marked by", "Sentence")
    return print_table(headers, rows, zone=desk.zone, empty=NONE_FOUND)


def wanted(session: Session, document: Document, number: int | None) -> Version:
    """The version by its number, else the newest; raises NotFound."""
    if number is not None:
        return store.version(session, document, number)
    newest = store.versions(session, document)[-1:]
    if not newest:
        raise NotFound(
            f"{document.slug!r} has no version yet; add one with `assent version draft {document.slug} FILE`."
        )
    return newest[0]
