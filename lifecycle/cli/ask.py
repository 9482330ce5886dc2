"""`assent ask`: an answer in the policies' own words, or that they do not say."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import users
from lifecycle.answers import answering
from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.document import NO_DOCUMENTS
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_note
from lifecycle.documents import store
from lifecycle.shapes import Shape

app = typer.Typer(rich_markup_mode=None)


@app.command(help="Ask the policies a question; the answer is quoted from them.")
def ask(
    question: Annotated[str, typer.Argument(help="In whole words, such as: How do I delete my account?")],
    document: Annotated[list[str] | None, typer.Option("--document", help="Only in this one; repeatable.")] = None,
    locale: Annotated[str, typer.Option("--locale", help="The language of the question, such as de.")] = "",
    user: Annotated[str | None, typer.Option("--user", help="Read the versions that bind this user.")] = None,
    as_json: JsonFlag = False,
) -> None:
    with open_desk() as desk:
        found, empty = desk.database.read(_answer, question, document or [], locale, user, desk)
    if as_json:
        return print_json(_shape(found))
    for quote in found.quotes:
        section = f"{quote.number} {quote.title}".strip()
        print_line(f"“{quote.text}”\n  {quote.document}, version {quote.version}{', ' + section if section else ''}")
        print_line(f"  {quote.url}\n")
    if not found.answered:
        print_line(found.reason)
        print_note(NO_DOCUMENTS if empty else _person(desk))
    return None


def _answer(
    session: Session, question: str, documents: list[str], locale: str, external_id: str | None, desk: Desk
) -> tuple[answering.Answer, bool]:
    user = users.user(session, external_id) if external_id else None
    locale = locale or (user.locale if user else "") or desk.settings.default_locale
    found = answering.answer(
        session, question, settings=desk.settings, documents=documents, locale=locale, user=user, now=desk.now
    )
    return found, not store.documents(session)


def _person(desk: Desk) -> str:
    address = desk.settings.reply_to or desk.settings.mail_from
    return f"A person can be asked: with /contact in Discord, or at {address}."


def _shape(found: answering.Answer) -> Shape:
    quotes = [
        {
            "text": quote.text,
            "document": quote.slug,
            "version": quote.version,
            "section": {"number": quote.number, "title": quote.title, "anchor": quote.anchor},
            "url": quote.url,
            "score": quote.score,
        }
        for quote in found.quotes
    ]
    return {"answered": found.answered, "quotes": quotes, "reason": found.reason}
