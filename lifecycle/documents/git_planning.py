"""Which versions the history of a git repository holds: the paths that are texts, followed through the commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from lifecycle.documents.converting import MARKDOWN, as_markdown
from lifecycle.documents.git_repository import Commit, Repository, short
from lifecycle.documents.importing import ImportReport
from lifecycle.documents.mapping import Rule, Target, archive_target, is_archive
from lifecycle.documents.source_files import name_parts, slugify, split_front_matter
from lifecycle.documents.texts import check_locale
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.states import DocumentKind, Mode, parse_choice

_UTC = ZoneInfo("UTC")

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
    zone: ZoneInfo = _UTC  # in which the days of commits are told from those that texts print


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
            check_locale(str(front.get("locale") or parts.get("locale") or self.wanted.locale)),
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
