"""The texts a question is put to: of each document the version that binds the asker, else the one in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from sqlmodel import Session, col, select

from lifecycle import ledger
from lifecycle.answers import kept
from lifecycle.answers.counting import count
from lifecycle.answers.language import Language
from lifecycle.answers.meaning import Meaning, Model, model
from lifecycle.answers.passages import passages
from lifecycle.answers.ranking import Index
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
    asked = [store.document(session, slug) for slug in documents] or store.documents(session)
    chains = _chains(session, asked)
    facts = ledger.facts(session, user) if user else []
    chosen: dict[int, Version] = {}
    for document in asked:
        chain = chains[document.id]
        bound = binding(chain, facts, now) if facts else None
        passed = store.standing_chain(chain, now)
        if bound or passed:
            chosen[document.id] = bound.version if bound else passed[-1]
    bodies = _bodies(session, [version.id for version in chosen.values()])
    found = []
    for document in asked:
        if version := chosen.get(document.id):
            body = _in_locale(bodies[version.id], locale or (user.locale if user else ""), document.default_locale)
            passed = store.standing_chain(chains[document.id], now)
            coming = store.upcoming(chains[document.id], now)
            found.append(
                Source(
                    document,
                    version,
                    body.locale,
                    body.title,
                    _reading(session, body, settings),
                    passed[-1] if passed else None,
                    coming[0] if coming else None,
                )
            )
    return found


def in_force(session: Session, *, now: datetime) -> list[int]:
    """The ids of the bodies in force, in all their languages."""
    documents = store.documents(session)
    chains = _chains(session, documents)
    passed = (store.standing_chain(chains[document.id], now) for document in documents)
    found = _bodies(session, [versions[-1].id for versions in passed if versions])
    return [body.id for bodies in found.values() for body in bodies]


def prepare(session: Session, body_id: int, *, settings: Settings) -> Reading:
    """Make one body ready, so that the first question need not wait for it."""
    body = session.get_one(Body, body_id)
    return _reading(session, _Body(body.id, body.locale, body.title, body.sha256), settings)


def installed(settings: Settings) -> Model | None:
    """The embedding model of these settings, if one is set. Raises ConfigurationError when it cannot be used."""
    return model(settings.model_dir.absolute()) if settings.model_dir else None


@dataclass(frozen=True, slots=True)
class _Body:
    """A body without its text, which is only fetched when it was not read before."""

    id: int
    locale: str
    title: str
    sha256: str


def _chains(session: Session, documents: Sequence[Document]) -> dict[int, list[Version]]:
    """`store.chain` of many documents in one question to the database."""
    of = select(Version).where(
        col(Version.document_id).in_([document.id for document in documents]), col(Version.published_at).is_not(None)
    )
    chains: dict[int, list[Version]] = defaultdict(list)
    for version in session.exec(of.order_by(col(Version.effective_at), col(Version.number))):
        chains[version.document_id].append(version)
    return chains


def _bodies(session: Session, versions: Sequence[int]) -> dict[int, list[_Body]]:
    columns = select(Body.version_id, Body.id, Body.locale, Body.title, Body.sha256)  # type: ignore[call-overload]
    found: dict[int, list[_Body]] = defaultdict(list)
    for version, *rest in session.exec(columns.where(col(Body.version_id).in_(versions)).order_by(Body.locale)):
        found[version].append(_Body(*rest))
    return found


def _in_locale(bodies: Sequence[_Body], *locales: str) -> _Body:
    by_locale = {body.locale: body for body in bodies}
    wished = (candidate for locale in locales for candidate in (locale, locale.split("-")[0]))
    return next((by_locale[candidate] for candidate in wished if candidate in by_locale), bodies[0])


def _reading(session: Session, body: _Body, settings: Settings) -> Reading:
    chosen = settings.model_dir if body.locale.split("-")[0] in settings.model_locales else None
    text = _Text(body.sha256, session, body.id)
    return _read(text, body.locale, settings.operator, chosen, settings.data_dir / "answers")


class _Text:
    """A body's text by its hash: fetched when it is read for the first time."""

    def __init__(self, sha256: str, session: Session, body_id: int) -> None:
        self._sha256 = sha256
        self._fetch: Callable[[], str] = lambda: session.get_one(Body, body_id).text

    def __hash__(self) -> int:
        return hash(self._sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and other._sha256 == self._sha256

    def take(self) -> str:
        text = self._fetch()
        self._fetch = str  # the cache keeps this key: no session may hang on it
        return text


@lru_cache(maxsize=READ_AT_ONCE)
def _read(source: _Text, locale: str, names: str, model_dir: Path | None, kept_in: Path | None) -> Reading:
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
