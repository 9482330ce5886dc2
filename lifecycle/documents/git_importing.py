"""The history of texts in a git repository: one version for each commit that changed one.

A version holds the document as the commit left it, in all its languages, also those the commit did not touch. The
author's date is the published one. Should it run backwards, the version comes in force with the one before it, so
that what the last commit says is what is in force.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlmodel import Session, col, select

from lifecycle.db import Database
from lifecycle.documents import publishing, store
from lifecycle.documents.converting import MARKDOWN, as_markdown
from lifecycle.documents.git_repository import Commit, Repository, short
from lifecycle.documents.importing import ImportReport
from lifecycle.documents.mapping import Rule, Target, archive_target, is_archive
from lifecycle.documents.source_files import name_parts, slugify, split_front_matter, title_of
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.models import Body, Document, Origin, Version
from lifecycle.states import DocumentKind, Mode, parse_choice

BATCH = 50  # versions a transaction; whoever kills the import loses at most so many, and the next run makes them up
# What repositories hold besides texts that bind anyone.
NO_TERMS = {"readme", "changelog", "contributing", "license", "licence", "history", "authors", "notice", "security"}


@dataclass(frozen=True, slots=True)
class Held:
    """A file that a commit left behind, and what it is."""

    target: Target
    path: str
    blob: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A version to be: what a document said once a commit was made."""

    commit: str
    slug: str
    published_at: datetime
    effective_at: datetime
    texts: tuple[Held, ...]

    @property
    def name(self) -> str:
        return f"{self.slug} at {short(self.commit)}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a repository is imported, and how its paths are read."""

    locale: str
    rules: Sequence[Rule] = ()
    under: str = ""
    rev: str = "HEAD"
    first_parent: bool = False
    allow_loss: bool = False


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
            _store_batch(database, texts, report, wanted, now)
    return report


# -- what to import --------------------------------------------------------------------------------------------------


def plan(repository: Repository, wanted: Wanted, report: ImportReport, *, now: datetime) -> list[Planned]:
    """The versions that the history holds, oldest first."""
    commits = list(repository.commits(first_parent=wanted.first_parent))
    targets = _Targets(repository, commits, wanted, report)
    steps = list(targets.followed(commits))[::-1]
    if not steps:
        raise InvalidInput(
            f"Nothing in the history of {str(repository.path)!r} is a text to import. Name the paths in a mapping file "
            "(--map), or import a folder that holds *.md files."
        )
    return list(_versions(steps, report, now))


Step = tuple[Commit, list[tuple[Target, str, str | None]]]


class _Targets:
    """Which file of which commit is which text: from the newest commit back, so that renamings can be followed."""

    def __init__(self, repository: Repository, commits: Sequence[Commit], wanted: Wanted, report: ImportReport) -> None:
        self.repository, self.wanted, self.report = repository, wanted, report
        self.by_path: dict[str, Target | None] = {}
        paths = {change.path for commit in commits for change in commit.changes}
        self.archive = not wanted.rules and is_archive(sorted(self._inside(path) for path in paths))

    def followed(self, commits: Iterable[Commit]) -> Iterator[Step]:
        for commit in commits:
            found = []
            renamed: dict[str, Target] = {}
            for change in commit.changes:
                target = self._target(change.path, change.blob)
                if target is not None:
                    found.append((target, change.path, change.blob))
                    if change.was is not None:
                        renamed[change.was] = target
                        found.append((target, change.was, None))
            # Further back, the old name stands for the text; at this commit it may already be another's.
            self.by_path |= renamed
            if found:
                yield commit, found

    def _target(self, path: str, blob: str | None) -> Target | None:
        if path not in self.by_path:
            self.by_path[path] = self._find(path, blob)
        return self.by_path[path]

    def _find(self, path: str, blob: str | None) -> Target | None:
        try:
            path.encode()
            return self._by_rules(path) if self.wanted.rules else self._by_name(path, blob)
        except (AssentError, UnicodeEncodeError) as error:
            self.report.problems.append((ascii(path)[1:-1], str(error)))
            return None

    def _by_rules(self, path: str) -> Target | None:
        inside = self._inside(path)
        return next(filter(None, (rule.target(inside, self.wanted.locale) for rule in self.wanted.rules)), None)

    def _by_name(self, path: str, blob: str | None) -> Target | None:
        inside = self._inside(path)
        file = PurePosixPath(inside)
        hidden = any(part.startswith(".") for part in file.parts)
        if not inside or hidden or file.suffix.lower() not in MARKDOWN or file.stem.lower() in NO_TERMS:
            return None
        if self.archive:
            return archive_target(inside, self.wanted.locale)
        parts = name_parts(file.stem)
        if parts.get("date") or parts.get("number"):
            raise InvalidInput("is one version of many by its name; import the folder without --history.")
        front = self._front(blob, path) if blob else {}
        slug = front.get("document") or slugify("-".join([*file.parent.parts, parts.get("slug") or ""]))
        return Target(
            str(slug),
            store.check_locale(str(front.get("locale") or parts.get("locale") or self.wanted.locale)),
            str(front.get("title") or ""),
            parse_choice(DocumentKind, str(front["kind"]), what="kind") if "kind" in front else None,
            parse_choice(Mode, str(front["mode"]), what="mode") if "mode" in front else None,
        )

    def _front(self, blob: str, path: str) -> dict[str, Any]:
        """What the newest text of the file says about itself."""
        try:
            return split_front_matter(as_markdown(self.repository.read(blob), name=path), name=path)[0]
        except InvalidInput:
            return {}  # told once more, with its commit, when the text is read

    def _inside(self, path: str) -> str:
        """The path as seen from the folder that is imported; empty outside of it."""
        under = self.wanted.under
        if path == under:
            return PurePosixPath(path).name
        return path.removeprefix(f"{under}/") if not under or path.startswith(f"{under}/") else ""


def _versions(steps: Iterable[Step], report: ImportReport, now: datetime) -> Iterator[Planned]:
    held = defaultdict[str, dict[str, Held]](dict)  # by document and language
    latest: dict[str, datetime] = {}
    for commit, changes in steps:
        before = {target.slug: dict(held[target.slug]) for target, _, _ in changes}
        # What goes away first, or a renaming would take away what it brings.
        for target, path, blob in sorted(changes, key=lambda change: change[2] is not None):
            _take(held[target.slug], target, path, blob, commit, report)
        for slug, texts in before.items():
            blobs = {locale: text.blob for locale, text in held[slug].items()}
            if not blobs or blobs == {locale: text.blob for locale, text in texts.items()}:
                continue
            if commit.at is None or commit.at > now:
                when = f"its author's date is {commit.at or 'none that a calendar knows'}, in the future"
                report.problems.append((f"{slug} at {short(commit.id)}", when))
                continue
            latest[slug] = max(commit.at, latest.get(slug, commit.at))
            yield Planned(commit.id, slug, commit.at, latest[slug], tuple(held[slug].values()))


def _take(
    texts: dict[str, Held], target: Target, path: str, blob: str | None, commit: Commit, report: ImportReport
) -> None:
    there = texts.get(target.locale)
    if blob is None:
        if there is not None and there.path == path:
            del texts[target.locale]
    elif there is not None and there.path != path:
        where = f"{path} at {short(commit.id)}"
        report.problems.append((where, f"is {target.slug!r} in {target.locale!r}, as {there.path} is; it was left out"))
    else:
        texts[target.locale] = Held(target, path, blob)


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
        hashes = {locale: store.sha256(text.text) for locale, text in texts.items()}
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
        for id_, published_at, locale, sha256 in session.exec(rows.where(Version.document_id == document.id)):
            if published_at is not None and sources.get(id_) not in commits:
                texts[id_][locale], at[id_] = sha256, published_at
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

    def texts(self, version: Planned, report: ImportReport) -> dict[str, _Text]:
        """The version's texts by locale; none when one of them cannot be read, which is reported."""
        try:
            read = {held.target.locale: self._text(held) for held in version.texts}
        except InvalidInput as error:
            report.problems.append((version.name, str(error)))
            return {}
        self.last = {held.blob: self.last.get(held.blob) or read[held.target.locale].text for held in version.texts}
        return read

    def _text(self, held: Held) -> _Text:
        text = self.last.get(held.blob)
        if text is None:
            whole = as_markdown(self.repository.read(held.blob), name=held.path)
            text = store.check_text(split_front_matter(whole, name=held.path)[1])
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
