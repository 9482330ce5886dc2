"""The texts a question is put to: of each document the version that binds the asker, else the one in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from sqlmodel import Session

from lifecycle import ledger
from lifecycle.answers import kept
from lifecycle.answers.counting import count
from lifecycle.answers.language import Language
from lifecycle.answers.meaning import Meaning, Model, model
from lifecycle.answers.passages import passages
from lifecycle.answers.ranking import Index
from lifecycle.answers.shelf import Text, shelf
from lifecycle.bindings import binding
from lifecycle.documents import sections, store
from lifecycle.models import Body, Document, User, Version
from lifecycle.settings import Settings

READ_AT_ONCE = 2048  # so many bodies are kept ready


@dataclass(frozen=True, slots=True)
class Reading:
    """A body made ready for questions."""

    text: str
    sections: Sequence[sections.Section]
    index: Index
    by_meaning: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A text to quote from, and what of its document binds others or is to come."""

    document: Document
    version: Version
    locale: str
    title: str
    reading: Reading
    in_force: Version | None
    upcoming: Version | None


def sources(
    session: Session,
    *,
    settings: Settings,
    documents: Sequence[str] = (),
    locale: str = "",
    user: User | None = None,
    now: datetime,
) -> list[Source]:
    """What is read for this asker, by slug. Raises NotFound for an unknown document."""
    held = shelf(session)
    facts = ledger.facts(session, user) if user else []
    found = []
    for document in held.named(documents):
        chain = held.chains.get(document.id, ())
        bound = binding(chain, facts, now) if facts else None
        passed, coming = store.standing_chain(chain, now), store.upcoming(chain, now)
        if bound or passed:
            version = bound.version if bound else passed[-1]
            text = _in_locale(held.texts[version.id], locale or (user.locale if user else ""), document.default_locale)
            found.append(
                Source(
                    document,
                    version,
                    text.locale,
                    text.title,
                    _reading(session, text, settings),
                    passed[-1] if passed else None,
                    coming[0] if coming else None,
                )
            )
    return found


def in_force(session: Session, *, now: datetime) -> list[int]:
    """The ids of the bodies in force, in all their languages."""
    held = shelf(session)
    passed = (store.standing_chain(held.chains.get(document.id, ()), now) for document in held.named(()))
    return [text.id for versions in passed if versions for text in held.texts[versions[-1].id]]


def prepare(session: Session, body_id: int, *, settings: Settings) -> Reading:
    """Make one body ready, so that the first question need not wait for it."""
    body = session.get_one(Body, body_id)
    return _reading(session, Text(body.id, body.locale, body.title, body.sha256), settings)


def installed(settings: Settings) -> Model | None:
    """The embedding model of these settings, if one is set. Raises ConfigurationError when it cannot be used."""
    return model(settings.model_dir.absolute()) if settings.model_dir else None


def _in_locale(texts: Sequence[Text], *locales: str) -> Text:
    by_locale = {text.locale: text for text in texts}
    wished = (candidate for locale in locales for candidate in (locale, locale.split("-")[0]))
    return next((by_locale[candidate] for candidate in wished if candidate in by_locale), texts[0])


def _reading(session: Session, text: Text, settings: Settings) -> Reading:
    chosen = settings.model_dir if text.locale.split("-")[0] in settings.model_locales else None
    source = _Words(text.sha256, session, text.id)
    return _read(source, text.locale, settings.operator, chosen, settings.data_dir / "answers")


class _Words:
    """A body's text by its hash: fetched when it is read for the first time."""

    def __init__(self, sha256: str, session: Session, body_id: int) -> None:
        self._sha256 = sha256
        self._fetch: Callable[[], str] = lambda: session.get_one(Body, body_id).text

    def __hash__(self) -> int:
        return hash(self._sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Words) and other._sha256 == self._sha256

    def take(self) -> str:
        text = self._fetch()
        self._fetch = str  # the cache keeps this key: no session may hang on it
        return text


@lru_cache(maxsize=READ_AT_ONCE)
def _read(source: _Words, locale: str, names: str, model_dir: Path | None, kept_in: Path | None) -> Reading:
    chosen = model(model_dir.absolute()) if model_dir else None
    return read(source.take(), locale=locale, names=names, chosen=chosen, kept_in=kept_in)


def read(
    text: str, *, locale: str, names: str = "", chosen: Model | None = None, kept_in: Path | None = None
) -> Reading:
    """Make a text ready: by its words, and with a model by its meaning; the workings may be kept in a folder."""
    pieces, found, words = _worked(text, locale, kept_in)
    meaning = Meaning(chosen, found, kept_in=kept_in) if chosen else None
    index = Index(found, locale=locale, names=names, meaning=meaning, words=words)
    return Reading(text, pieces, index, meaning is not None)


def _worked(text: str, locale: str, kept_in: Path | None) -> kept.Worked:
    """From the folder if it was worked out before."""
    path = kept.place(kept_in, text, locale) if kept_in else None
    if path and (before := kept.load(path, text)):
        return before
    pieces = sections.split(text)
    found = passages(text, pieces, locale=locale)
    worked = (pieces, found, count(found, Language.of(locale)))
    if path:
        kept.save(path, worked)
    return worked
