"""Texts from files: a folder of Markdown, with front matter or with names that say what they are.

`privacy-policy/2025-01-15.de.md` is the German text of the version of `privacy-policy` of that day;
`privacy-policy/2.en.md` the English text of its version 2; `terms.md` a draft of `terms`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from lifecycle.db import Database
from lifecycle.documents import dates, publishing, store, texts
from lifecycle.documents.converting import SUFFIXES
from lifecycle.documents.source_files import SourceFile, read_source
from lifecycle.errors import AssentError, Conflict, InvalidInput
from lifecycle.models import Body, Document, Version
from lifecycle.states import DocumentKind, Mode


@dataclass(slots=True)
class ImportReport:
    """What an import did; `problems` and `warnings` are pairs of file and reason: what has a warning came in."""

    added: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def import_path(
    database: Database,
    path: Path,
    *,
    locale: str = "en",
    zone: ZoneInfo,
    allow_loss: bool = False,
    text_dates: bool = False,
    now: datetime,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ImportReport:
    """Import a Markdown file or a folder of them; a second import adds nothing.

    Each version is one transaction: a bad file is reported and the rest goes on. Files with a date come in
    as published on that day, marked as imported: they tell nobody and bind nobody. Others come in as drafts.
    A text that lacks most words of the version before it is reported too, unless `allow_loss`. A date in the text
    that is not the file's, or that the file does not give, is a warning. With `text_dates` a file that gives none is
    published on the day that its text gives.
    """
    if not path.exists():
        raise InvalidInput(f"There is nothing at {str(path)!r} to import.")
    paths = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise InvalidInput(f"There is no text ({', '.join(sorted(SUFFIXES))}) under {str(path)!r}.")
    report, versions = ImportReport(), defaultdict[Any, list[SourceFile]](list)
    root = path.parent if path.is_file() else path
    for source in _read_all(paths, root, report, locale=locale, zone=zone, now=now):
        source = _dated(source, zone, now) if text_dates else source
        versions[source.key].append(source)
    for key in progress(sorted(versions)):
        # The operator's language first: a new document takes its title and default locale from there.
        files = sorted(versions[key], key=lambda file: file.locale != locale)
        _import_one(database, files, report, allow_loss=allow_loss, now=now)
        report.warnings += [
            (file.name, warning) for file in files if file.name in report.added for warning in _of_dates(file, zone)
        ]
    return report


def _dated(file: SourceFile, zone: ZoneInfo, now: datetime) -> SourceFile:
    """The file as published on the day that its text gives, if it says itself nothing of when it was."""
    day = None if file.published or file.effective else dates.offered(file.text, locale=file.locale)
    published = datetime.combine(day, time(), zone).astimezone(UTC) if day else None
    return replace(file, published=published) if published and published <= now else file


def _of_dates(file: SourceFile, zone: ZoneInfo) -> list[str]:
    """What the date that the text carries says beside that of the file."""
    on = [instant.astimezone(zone).date() for instant in (file.published, file.effective) if instant]
    if file.published is not None:
        return dates.disagreements(file.text, locale=file.locale, on=on)
    day = dates.offered(file.text, locale=file.locale)
    said = f"Came in as a draft. The text gives {day} as its date; if it was published then, import with --text-dates"
    return [f"{said}, or say so in its front matter (`published: {day}`) or its name ({day}.md)."] if day else []


def _read_all(paths: list[Path], root: Path, report: ImportReport, **context: Any) -> Iterator[SourceFile]:
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            yield read_source(path.read_bytes(), name, **context)
        except (AssentError, OSError) as error:
            report.problems.append((name, str(error)))


def _import_one(
    database: Database, files: list[SourceFile], report: ImportReport, *, allow_loss: bool, now: datetime
) -> None:
    names = [file.name for file in files]
    try:
        added = database.run(_store, files, allow_loss=allow_loss, now=now)
    except AssentError as error:
        report.problems += [(name, str(error)) for name in names]
    else:
        report.added += [name for name in names if name in added]
        report.unchanged += [name for name in names if name not in added]


def _store(session: Session, files: list[SourceFile], *, allow_loss: bool, now: datetime) -> set[str]:
    """Store the locales of one version; the names of the files that added something."""
    first = files[0]
    if len({file.locale for file in files}) < len(files):
        raise Conflict(f"{', '.join(f.name for f in files)} are for the same version and locale; keep one.")
    document = _document(session, first, now=now)
    version = _known(session, document, files)
    if version is None:
        _add(session, document, files, allow_loss=allow_loss, now=now)
        return {file.name for file in files}
    added = {
        file.name for file in files if _add_locale(session, document, version, file, allow_loss=allow_loss, now=now)
    }
    if version.published_at is None and first.published is not None:
        _publish(session, version, first, now=now)
        return {file.name for file in files}
    return added


def _add(session: Session, document: Document, files: list[SourceFile], *, allow_loss: bool, now: datetime) -> None:
    first = files[0]
    version = store.draft_version(
        session,
        document,
        {file.locale: file.text for file in files},
        titles={file.locale: file.title for file in files},
        changelogs={file.locale: file.changelog for file in files},
        number=first.number,
        surviving=first.survives,
        imported=first.published is not None,
        allow_loss=allow_loss,
        actor="import",
        now=now,
    )
    if first.published is not None:
        _publish(session, version, first, now=now)


def _publish(session: Session, version: Version, file: SourceFile, *, now: datetime) -> None:
    assert file.published is not None
    publishing.publish_imported(
        session,
        version,
        mode=file.mode or Mode.NOTICE,
        published_at=file.published,
        effective_at=file.effective or file.published,
        now=now,
    )


def _add_locale(
    session: Session, document: Document, version: Version, file: SourceFile, *, allow_loss: bool, now: datetime
) -> bool:
    """Add a text in a new locale; a known text is left alone, a different one is refused."""
    for body in store.bodies(session, version):
        if body.locale == file.locale:
            if body.sha256 != texts.sha256(file.text):
                raise Conflict(
                    f"{file.name}: version {version.number} of {document.slug!r} has another text already; "
                    "a stored version never changes. Give the new text a new number or date."
                )
            return False
    store.add_body(
        session,
        document,
        version,
        file.locale,
        file.text,
        title=file.title,
        changelog=file.changelog,
        surviving=file.survives,
        allow_loss=allow_loss,
        actor="import",
        now=now,
    )
    return True


def _document(session: Session, file: SourceFile, *, now: datetime) -> Document:
    found = session.exec(select(Document).where(Document.slug == file.slug)).first()
    return found or store.create_document(
        session,
        file.slug,
        title=file.title,
        kind=file.kind or DocumentKind.OTHER,
        default_locale=file.locale,
        actor="import",
        now=now,
    )


def _known(session: Session, document: Document, files: list[SourceFile]) -> Version | None:
    """The version these files are about: by number, else by day, else by the text (a draft's, if they have a day)."""
    first, of_document = files[0], select(Version).where(Version.document_id == document.id)
    if first.number is not None:
        return session.exec(of_document.where(Version.number == first.number)).first()
    hashes = [texts.sha256(file.text) for file in files]
    same = of_document.join(Body).where(col(Body.sha256).in_(hashes))
    if first.published is None:
        return session.exec(same).first()
    of_day = session.exec(of_document.where(Version.published_at == first.published)).first()
    return of_day or session.exec(same.where(col(Version.published_at).is_(None))).first()
