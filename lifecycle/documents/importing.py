"""Texts from files: a folder of Markdown, with front matter or with names that say what they are.

`privacy-policy/2025-01-15.de.md` is the German text of the version of `privacy-policy` of that day;
`privacy-policy/2.en.md` the English text of its version 2; `terms.md` a draft of `terms`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.localedata import locale_identifiers
from sqlmodel import Session, select

from lifecycle.db import Database
from lifecycle.documents import publishing, store
from lifecycle.errors import AssentError, Conflict, InvalidInput
from lifecycle.models import Body, Document, Version
from lifecycle.states import DocumentKind, Mode, parse_choice, require_aware

NAME = re.compile(
    r"(?:(?P<date>\d{4}-\d{2}-\d{2})|(?P<number>\d{1,9})|(?P<slug>.+?))(?:\.(?P<locale>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*))?\Z"
)
FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
KEYS = {"document", "title", "kind", "version", "locale", "published", "effective", "mode", "changelog", "survives"}
OURS = KEYS - {"title", "kind", "locale", "changelog"}  # one of these shows that the front matter is meant for us
MAX_FRONT = 64 * 1024
LANGUAGES = {identifier.split("_")[0] for identifier in locale_identifiers()}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it asks to be stored; `text` is what follows the front matter, byte for byte."""

    name: str
    slug: str
    locale: str
    text: str
    title: str = ""
    kind: DocumentKind | None = None
    number: int | None = None
    published: datetime | None = None
    effective: datetime | None = None
    mode: Mode | None = None
    changelog: tuple[str, ...] = ()
    survives: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int, datetime]:
        """Files with the same key are the locales of one version; the order is that of the versions."""
        return self.slug, self.number or 0, self.published or datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class ImportReport:
    """What an import did; `problems` are pairs of file and reason."""

    added: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def import_path(
    database: Database,
    path: Path,
    *,
    locale: str = "en",
    zone: ZoneInfo,
    allow_loss: bool = False,
    now: datetime,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ImportReport:
    """Import a Markdown file or a folder of them; a second import adds nothing.

    Each version is one transaction: a bad file is reported and the rest goes on. Files with a date come in
    as published on that day, marked as imported: they tell nobody and bind nobody. Others come in as drafts.
    A text that lacks most words of the version before it is reported too, unless `allow_loss`.
    """
    if not path.exists():
        raise InvalidInput(f"There is nothing at {str(path)!r} to import.")
    paths = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in {".md", ".markdown"})
    if not paths:
        raise InvalidInput(f"There is no Markdown file (*.md) under {str(path)!r}.")
    report, versions = ImportReport(), defaultdict[Any, list[SourceFile]](list)
    root = path.parent if path.is_file() else path
    for source in _read_all(paths, root, report, locale=locale, zone=zone, now=now):
        versions[source.key].append(source)
    for key in progress(sorted(versions)):
        # The operator's language first: a new document takes its title and default locale from there.
        files = sorted(versions[key], key=lambda file: file.locale != locale)
        _import_one(database, files, report, allow_loss=allow_loss, now=now)
    return report


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
    return {
        file.name for file in files if _add_locale(session, document, version, file, allow_loss=allow_loss, now=now)
    }


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
        publishing.publish_imported(
            session,
            version,
            mode=first.mode or Mode.NOTICE,
            published_at=first.published,
            effective_at=first.effective or first.published,
            now=now,
        )


def _add_locale(
    session: Session, document: Document, version: Version, file: SourceFile, *, allow_loss: bool, now: datetime
) -> bool:
    """Add a text in a new locale; a known text is left alone, a different one is refused."""
    for body in store.bodies(session, version):
        if body.locale == file.locale:
            if body.sha256 != store.sha256(file.text):
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
    """The version these files are about: by number, else by day, else (drafts) by the very text."""
    first, of_document = files[0], select(Version).where(Version.document_id == document.id)
    if first.number is not None:
        return session.exec(of_document.where(Version.number == first.number)).first()
    if first.published is not None:
        return session.exec(of_document.where(Version.published_at == first.published)).first()
    hashes = [store.sha256(file.text) for file in files]
    same = of_document.join(Body).where(Body.sha256.in_(hashes))  # type: ignore[attr-defined]
    return session.exec(same).first()


# -- one file --------------------------------------------------------------------------------------------------------


def read_source(data: bytes, name: str, *, locale: str, zone: ZoneInfo, now: datetime) -> SourceFile:
    """What a file asks for, by its front matter and its name. Raises InvalidInput that names the file and the fault."""
    front, text = split_front_matter(store.decode(data, name=name), name=name)
    try:
        store.check_text(text)
        return _source(front, text, name, locale=locale, zone=zone, now=now)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from None


def _plain_yaml(text: str) -> Any:
    """YAML without aliases, by which a few lines grow to gigabytes. Raises YAMLError."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise yaml.YAMLError("it refers to itself by an alias (*); write it out")
        return yaml.safe_load(text)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deep") from None


def split_front_matter(text: str, *, name: str) -> tuple[dict[str, Any], str]:
    """The YAML front matter, if there is one, and the rest byte for byte."""
    found = FRONT.match(text)
    if found is None or len(found[1]) > MAX_FRONT:
        return {}, text
    try:
        front = _plain_yaml(found[1])
    except yaml.YAMLError as error:
        raise InvalidInput(f"{name}: the front matter is not YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(front, dict) or not _is_ours(set(front)):
        return {}, text  # a thematic break, or another tool's front matter: it stays part of the text
    if unknown := sorted(set(map(str, front)) - KEYS):
        raise InvalidInput(f"{name}: unknown key {unknown[0]!r} in the front matter. Known: {', '.join(sorted(KEYS))}.")
    return front, text[found.end() :]


def _is_ours(keys: set[Any]) -> bool:
    return bool(keys & OURS) or (keys <= KEYS and len(keys) > 1)


def _source(
    front: Mapping[str, Any], text: str, name: str, *, locale: str, zone: ZoneInfo, now: datetime
) -> SourceFile:
    path = Path(name)
    parts = _name_parts(path.stem)
    slug = str(front.get("document") or slugify("-".join([*path.parent.parts, parts.get("slug") or ""])))
    published = _instant(front.get("published") or parts.get("date"), zone, "published")
    if published is not None and published > now:
        raise InvalidInput(
            f"published {published.date()} lies in the future; leave it out and publish the draft in time."
        )
    changelog = front.get("changelog") or []
    return SourceFile(
        name=name,
        slug=slug,
        locale=store.check_locale(str(front.get("locale") or parts.get("locale") or locale)),
        text=text,
        title=str(front.get("title") or _heading(text) or slug),
        kind=parse_choice(DocumentKind, str(front["kind"]), what="kind") if "kind" in front else None,
        number=_number(front.get("version", parts.get("number"))),
        published=published,
        effective=_instant(front.get("effective"), zone, "effective"),
        mode=parse_choice(Mode, str(front["mode"]), what="mode") if "mode" in front else None,
        changelog=tuple(map(str, [changelog] if isinstance(changelog, str) else changelog)),
        survives=tuple(map(str, front.get("survives") or [])),
    )


def _name_parts(stem: str) -> dict[str, str | None]:
    found = NAME.match(stem)
    if found is None or (found["locale"] and found["locale"].split("-")[0] not in LANGUAGES):
        return {"slug": stem}
    return found.groupdict()


def slugify(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "document"


def _number(value: Any) -> int | None:
    if value is None:
        return None
    if not str(value).isdigit() or int(value) < 1:
        raise InvalidInput(f"version {value!r} is not a whole number from 1.")
    return int(value)


def _instant(value: Any, zone: ZoneInfo, what: str) -> datetime | None:
    """A YAML date (midnight in the operator's zone) or instant, in UTC."""
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(parsed, date) and not isinstance(parsed, datetime):
            parsed = datetime.combine(parsed, time())
        return require_aware(parsed if parsed.tzinfo else parsed.replace(tzinfo=zone), what=what)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(f"{what} {value!r} is not a date such as 2026-01-31.") from None


def _heading(text: str) -> str:
    found = re.search(r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", text, re.MULTILINE)
    return found[1].strip() if found else ""
