"""The history of texts in a git repository: one version for each commit that changed one.

A version holds the document as the commit left it, in all its languages, also those the commit did not touch. The
author's date is the published one. Should it run backwards, the version comes in force with the one before it, so
that what the last commit says is what is in force.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from lifecycle.db import Database
from lifecycle.documents import dates, publishing, store
from lifecycle.documents.converting import as_markdown
from lifecycle.documents.git_planning import Held, Planned, Wanted, plan
from lifecycle.documents.git_repository import Repository
from lifecycle.documents.importing import ImportReport
from lifecycle.documents.mapping import Target
from lifecycle.documents.source_files import split_front_matter, title_of
from lifecycle.documents.texts import check_text, sha256
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.models import Body, Document, Origin, Version
from lifecycle.states import DocumentKind, Mode

BATCH = 50  # versions a transaction; whoever kills the import loses at most so many, and the next run makes them up


def import_history(
    database: Database,
    path: Path,
    wanted: Wanted,
    *,
    now: datetime,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ImportReport:
    """Import the history of a git repository; a second import adds nothing, one that was killed goes on.

    Versions come in as published, marked as imported: they tell nobody and bind nobody. What cannot be taken is
    reported with its commit, and the rest goes on.
    """
    report = ImportReport()
    with Repository(path, wanted.rev) as repository:
        if repository.shallow:
            report.problems.append((str(path), "is a shallow clone; older history is not here"))
        planned = plan(repository, wanted, report, now=now)
        known = database.read(_known, {version.slug for version in planned}, {version.commit for version in planned})
        fresh = [version for version in planned if not known.has(version)]
        report.unchanged += [version.name for version in planned if known.has(version)]
        reader = _Reader(repository)
        for batch in progress([fresh[n : n + BATCH] for n in range(0, len(fresh), BATCH)]):
            texts = [(version, read) for version in batch if (read := reader.texts(version, report))]
            texts = [(version, read) for version, read in texts if not known.has_texts(version, read)]
            before = len(report.added)
            _store_batch(database, texts, report, wanted, now)
            added = set(report.added[before:])
            report.warnings += [
                (version.name, warning)
                for version, read in texts
                if version.name in added
                for warning in reader.newly_printed(version, read, wanted.zone)
            ]
    return report


# -- what is there already -------------------------------------------------------------------------------------------

Texts = dict[str, str]  # SHA-256 by locale


@dataclass(slots=True)
class _Known:
    """Versions of the documents that are here: from commits, and otherwise by their day and texts."""

    commits: set[tuple[str, str]] = field(default_factory=set)
    others: list[tuple[str, datetime, Texts]] = field(default_factory=list)

    def has(self, version: Planned) -> bool:
        return (version.slug, version.commit) in self.commits

    def has_texts(self, version: Planned, texts: Mapping[str, _Text]) -> bool:
        """Whether it came in otherwise: from files, or from this history before it was rewritten."""
        hashes = {locale: sha256(text.text) for locale, text in texts.items()}
        return (version.slug, version.published_at, hashes) in self.others


def _known(session: Session, slugs: set[str], commits: set[str]) -> _Known:
    known = _Known()
    for document in (document for document in store.documents(session) if document.slug in slugs):
        sources = dict(
            session.exec(select(Origin.version_id, Origin.source).where(Origin.document_id == document.id)).all()
        )
        known.commits |= {(document.slug, source) for source in sources.values()}
        texts = defaultdict[int, Texts](dict)
        at: dict[int, datetime] = {}
        rows = select(Version.id, Version.published_at, Body.locale, Body.sha256).join(Body)
        for id_, published_at, locale, digest in session.exec(rows.where(Version.document_id == document.id)):
            if published_at is not None and sources.get(id_) not in commits:
                texts[id_][locale], at[id_] = digest, published_at
        known.others += [(document.slug, at[id_], texts[id_]) for id_ in texts]
    return known


# -- storing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    target: Target
    title: str
    text: str


Ready = tuple[Planned, dict[str, _Text]]


class _Reader:
    """Texts by their blob; a version in several languages shares those that did not change."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.last: dict[str, str] = {}
        self.printed: dict[tuple[str, str], date | None] = {}

    def texts(self, version: Planned, report: ImportReport) -> dict[str, _Text]:
        """The version's texts by locale; none when one of them cannot be read, which is reported."""
        try:
            read = {held.target.locale: self._text(held) for held in version.texts}
        except InvalidInput as error:
            report.problems.append((version.name, str(error)))
            return {}
        self.last = {held.blob: self.last.get(held.blob) or read[held.target.locale].text for held in version.texts}
        return read

    def newly_printed(self, version: Planned, texts: Mapping[str, _Text], zone: ZoneInfo) -> Iterator[str]:
        """A warning for each text whose printed date is a new one and not the day of the commit.

        Most changes leave the printed date alone, so that one that stays says nothing of its version.
        """
        on = [instant.astimezone(zone).date() for instant in (version.published_at, version.effective_at)]
        for locale, text in texts.items():
            day, before = dates.offered(text.text, locale=locale), self.printed.get((version.slug, locale))
            self.printed[version.slug, locale] = day
            if day and day not in (before, *on):
                yield f"{locale}: The text gives {day} as its date, but the commit is of {on[0]}."

    def _text(self, held: Held) -> _Text:
        text = self.last.get(held.blob)
        if text is None:
            whole = as_markdown(self.repository.read(held.blob), name=held.path)
            text = check_text(split_front_matter(whole, name=held.path)[1])
        return _Text(held.target, held.target.title or title_of(text) or held.target.slug, text)


def _store_batch(
    database: Database, batch: Sequence[Ready], report: ImportReport, wanted: Wanted, now: datetime
) -> None:
    """In one transaction if all can be stored; else one by one, and what is refused is reported."""
    try:
        report.added += database.run(_store, batch, wanted, now)
    except AssentError as error:
        if len(batch) == 1:
            report.problems.append((batch[0][0].name, str(error)))
        else:
            for one in batch:
                _store_batch(database, [one], report, wanted, now)


def _store(session: Session, batch: Sequence[Ready], wanted: Wanted, now: datetime) -> list[str]:
    """The names of what was added."""
    commits = [version.commit for version, _ in batch]
    stored = select(Document.slug, Origin.source).join(Origin).where(col(Origin.source).in_(commits))
    there = set(session.exec(stored).all())  # by another import that was faster
    fresh = [(version, texts) for version, texts in batch if (version.slug, version.commit) not in there]
    with session.no_autoflush:  # what is asked in between is about what was flushed where it was made
        for version, texts in fresh:
            _store_one(session, version, texts, wanted, now)
    return [version.name for version, _ in fresh]


def _store_one(session: Session, planned: Planned, texts: Mapping[str, _Text], wanted: Wanted, now: datetime) -> None:
    # The operator's language first: a new document takes its title and default locale from there.
    ordered = dict(sorted(texts.items(), key=lambda item: item[0] != wanted.locale))
    document = _document(session, planned.slug, ordered, now)
    version = store.draft_version(
        session,
        document,
        {locale: text.text for locale, text in ordered.items()},
        titles={locale: text.title for locale, text in ordered.items()},
        imported=True,
        allow_loss=wanted.allow_loss,
        actor="import",
        now=now,
    )
    session.add(Origin(document_id=document.id, version_id=version.id, source=planned.commit))
    publishing.publish_imported(
        session,
        version,
        mode=next(iter(ordered.values())).target.mode or Mode.NOTICE,
        published_at=planned.published_at,
        effective_at=planned.effective_at,
        now=now,
    )


def _document(session: Session, slug: str, texts: Mapping[str, _Text], now: datetime) -> Document:
    found = session.exec(select(Document).where(Document.slug == slug)).first()
    locale, first = next(iter(texts.items()))
    return found or store.create_document(
        session,
        slug,
        title=first.title,
        kind=first.target.kind or DocumentKind.OTHER,
        default_locale=locale,
        actor="import",
        now=now,
    )
