"""The documents, their published versions and which bodies these have, kept until the database says that they changed.

A question needs all three; the mark that the database changes with the calendar saves asking for them each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from lifecycle.errors import NotFound
from lifecycle.models import Body, Document, Version
from lifecycle.timetable import token_now

KEPT = 4  # shelves: the one that counts, and those that other transactions still see


@dataclass(frozen=True, slots=True)
class Text:
    """A body without its text, which is fetched when it is read for the first time."""

    id: int
    locale: str
    title: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """Documents by slug; by their id the published versions as they come in force; by a version's id its texts.

    The rows are copies that belong to no session.
    """

    documents: Mapping[str, Document]
    chains: Mapping[int, Sequence[Version]]
    texts: Mapping[int, Sequence[Text]]

    def named(self, slugs: Sequence[str]) -> list[Document]:
        """Those of the slugs, all for none. Raises NotFound that lists the slugs there are."""
        for slug in slugs:
            if slug not in self.documents:
                known = ", ".join(self.documents) or "none yet"
                raise NotFound(f"There is no document {slug!r}. Known: {known}.")
        return [self.documents[slug] for slug in slugs or self.documents]


_kept: dict[int, Shelf] = {}


def shelf(session: Session) -> Shelf:
    """What is published, in one statement when nothing changed since it was read last."""
    token = token_now(session)
    found = _kept.get(token)
    if found is None:
        found = _load(session)
        if token_now(session) == token:  # read after the tables: so nothing changed in between
            while len(_kept) >= KEPT:
                _kept.pop(next(iter(_kept)), None)
            _kept[token] = found
    return found


def _load(session: Session) -> Shelf:
    documents, versions = Document.__table__, Version.__table__  # type: ignore[attr-defined]
    named = session.execute(columns(documents).order_by(documents.c.slug)).mappings()
    published = columns(versions).where(versions.c.published_at.is_not(None))
    chains: dict[int, list[Version]] = defaultdict(list)
    for row in session.execute(published.order_by(versions.c.effective_at, versions.c.number)).mappings():
        chains[row["document_id"]].append(Version(**row))
    texts: dict[int, list[Text]] = defaultdict(list)
    of_each = select(Body.version_id, Body.id, Body.locale, Body.title, Body.sha256)  # type: ignore[call-overload]
    of_published = of_each.join(Version).where(col(Version.published_at).is_not(None))
    for version, *rest in session.exec(of_published.order_by(Body.locale)):
        texts[version].append(Text(*rest))
    return Shelf({row["slug"]: Document(**row) for row in named}, chains, texts)
