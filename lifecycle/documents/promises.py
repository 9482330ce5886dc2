"""Sentences that promise what a machine can check: found in a text, or marked by staff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.documents import store, texts
from lifecycle.documents.markdown import plain
from lifecycle.documents.sections import split
from lifecycle.documents.sentences import sentences
from lifecycle.documents.wordings import ADDRESS, INVITE, PERIOD, read
from lifecycle.errors import InvalidInput, NotFound
from lifecycle.models import Body, Document, PromiseMark, Version
from lifecycle.states import PromiseKind


@dataclass(frozen=True, slots=True)
class Promise:
    """What a sentence promises: a period ("30 days"), an age ("16"), an address, an invite; or nothing but its kind."""

    kind: PromiseKind
    value: str
    sentence: str
    section: str
    locale: str
    marked: bool = False

    def __str__(self) -> str:
        return f"“{_shortened(self.sentence)}” ({self.locale}{', section ' + self.section if self.section else ''})"


def promises(session: Session, version: Version) -> list[Promise]:
    """What the texts of a version promise, in order: what is found, less what staff dismissed, and what they marked."""
    return [promise for body in store.bodies(session, version) for promise in _of_body(session, version, body)]


def find(text: str, *, locale: str) -> list[Promise]:
    """The promises that are found in a text, without what staff say about it."""
    sections = split(text)
    found = []
    for sentence in sentences(text, locale=locale):
        section = next(section for section in reversed(sections) if section.start <= sentence.start)
        words = " ".join(plain(sentence.text).split())
        for kind, value in read(words, sentence.text, locale):
            found.append(Promise(kind, value, words, section.number or section.title, locale))
    return found


def mark(
    session: Session,
    document: Document,
    quote: str,
    *,
    locale: str,
    kind: PromiseKind,
    value: str = "",
    actor: str = "staff",
    now: datetime,
) -> PromiseMark:
    """Say what a sentence promises, in whatever version it stands; kind `none` says that it promises nothing.

    Raises NotFound when no sentence of the newest version in that language holds the quote, InvalidInput when
    several do or the value is none of its kind ("30 days" for a notice, "16" for an age).
    """
    _check_value(kind, value)
    sentence = _one_sentence(session, document, quote, locale)
    found = session.exec(_marks(document, locale).where(PromiseMark.quote == sentence)).first()
    marked = found or PromiseMark(document_id=document.id, locale=locale, quote=sentence, kind=kind, made_at=now)
    marked.kind, marked.value, marked.made_at = kind, value, now
    session.add(marked)
    session.flush()
    sha256 = texts.sha256(sentence)
    history.record(session, actor, "marked", "promise", marked.id, now=now, kind=kind.value, sentence_sha256=sha256)
    return marked


def unmark(
    session: Session, document: Document, quote: str, *, locale: str, actor: str = "staff", now: datetime
) -> None:
    """Take back what staff said about a sentence. Raises NotFound when they said nothing about one with that quote."""
    marked = [one for one in session.exec(_marks(document, locale)) if _flat(quote) in _flat(one.quote)]
    if len(marked) != 1:
        raise NotFound(f"{len(marked) or 'No'} marked sentences of {document.slug!r} ({locale}) hold {quote!r}.")
    history.record(session, actor, "unmarked", "promise", marked[0].id, now=now)
    session.delete(marked[0])


def _of_body(session: Session, version: Version, body: Body) -> Iterator[Promise]:
    document = session.get_one(Document, version.document_id)
    marks = {_flat(one.quote): one for one in session.exec(_marks(document, body.locale))}
    yield from (promise for promise in find(body.text, locale=body.locale) if _flat(promise.sentence) not in marks)
    for sentence in sentences(body.text, locale=body.locale) if marks else ():
        words = " ".join(plain(sentence.text).split())
        one = marks.get(_flat(words))
        if one and one.kind is not PromiseKind.NONE:
            section = next(part for part in reversed(split(body.text)) if part.start <= sentence.start)
            name = section.number or section.title
            yield Promise(one.kind, one.value, words, name, body.locale, marked=True)


def _check_value(kind: PromiseKind, value: str) -> None:
    wanted = {
        PromiseKind.NOTICE: (PERIOD, "a period such as '30 days', '2 weeks' or '1 month'"),
        PromiseKind.AGE: (re.compile(r"\d{1,3}"), "an age such as '16'"),
        PromiseKind.CONTACT: (ADDRESS, "an e-mail address"),
        PromiseKind.INVITE: (INVITE, "an invite such as 'discord.gg/example'"),
        PromiseKind.DELETION: (re.compile(rf"|{PERIOD.pattern}"), "a period such as '30 days', or nothing"),
    }
    pattern, example = wanted.get(kind, (re.compile(""), "no value"))
    if not pattern.fullmatch(value):
        raise InvalidInput(f"The value {value!r} is no value of {kind.value!r}; give {example}.")


def _one_sentence(session: Session, document: Document, quote: str, locale: str) -> str:
    newest = store.versions(session, document)[-1:]
    texts = [body.text for version in newest for body in store.bodies(session, version) if body.locale == locale]
    spoken = (" ".join(plain(one.text).split()) for text in texts for one in sentences(text, locale=locale))
    found = [words for words in dict.fromkeys(spoken) if quote.strip() and _flat(quote) in _flat(words)]
    if not found:
        raise NotFound(
            f"No sentence of {document.slug!r} in {locale!r} holds {quote!r}; quote it from the newest version."
        )
    exact = [words for words in found if _flat(words) == _flat(quote)]
    if len(exact or found) > 1:
        raise InvalidInput(
            f"{len(found)} sentences of {document.slug!r} hold {quote!r}; quote more of the one you mean."
        )
    return (exact or found)[0]


def _marks(document: Document, locale: str) -> Any:
    marks = select(PromiseMark).where(PromiseMark.document_id == document.id, PromiseMark.locale == locale)
    return marks.order_by(col(PromiseMark.id))


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:199].rpartition(" ")[0] + "…"
