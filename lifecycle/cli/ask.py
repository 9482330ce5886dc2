"""`assent ask`: an answer in the policies' own words, or that they do not say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

import typer

from lifecycle import shapes
from lifecycle.answers.answering import Answer, Outcome, Quote
from lifecycle.answers.asking import ask as put
from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.document import NO_DOCUMENTS
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_note
from lifecycle.documents import store

app = typer.Typer(rich_markup_mode=None)


@app.command(help="Ask the policies a question; the answer is quoted from them.")
def ask(
    question: Annotated[str, typer.Argument(help="In whole words, such as: How do I delete my account?")],
    document: Annotated[list[str] | None, typer.Option("--document", help="Only in this one; repeatable.")] = None,
    locale: Annotated[str, typer.Option("--locale", help="The language of the question, such as de.")] = "",
    user: Annotated[str, typer.Option("--user", help="Read the versions that bind this user.")] = "",
    as_json: JsonFlag = False,
) -> None:
    with open_desk() as desk:
        found = put(
            desk.database,
            question,
            settings=desk.settings,
            documents=document or [],
            locale=locale or ("" if user else desk.settings.default_locale),
            user=user,
            now=desk.now,
        )
        empty = not desk.database.read(store.documents)
    if as_json:
        return print_json(shapes.answer(found))
    return _show(found, desk, empty)


def _show(found: Answer, desk: Desk, empty: bool) -> None:
    for line in filter(None, (found.lead_in, found.reason)):
        print_line(f"{line}\n" if found.quotes or found.closest else line)
    _print_quotes(found.quotes or found.closest)
    for note in found.notes:
        print_line(note)
    if not found.answered:
        print_note(NO_DOCUMENTS if empty else _person(found, desk))


def _print_quotes(quotes: Sequence[Quote]) -> None:
    for _, group in groupby(quotes, key=lambda quote: quote.url):
        together = list(group)
        for quote in together:
            print_line(f"“{quote.text}”")
        first = together[0]
        section = f"{first.number} {first.title}".strip()
        print_line(f"  {first.document}, version {first.version}{', ' + section if section else ''}")
        print_line(f"  {first.url}")
        print_line(f"  score {first.score:.2f}, {_why(first)}\n")


def _why(quote: Quote) -> str:
    return "for " + ", ".join(f"“{word}”" for word in quote.why) if quote.why else "by its meaning"


def _person(found: Answer, desk: Desk) -> str:
    address = desk.settings.reply_to or desk.settings.mail_from
    where = "with /contact in Discord" if found.outcome is not Outcome.ASIDE else "with /account or /contact in Discord"
    return f"A person can be asked: {where}, or at {address}."
