"""One file as a text: what its front matter and its name ask for, and its words as Markdown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.localedata import locale_identifiers

from lifecycle.documents import texts
from lifecycle.documents.converting import as_markdown
from lifecycle.documents.markdown import plain
from lifecycle.errors import InvalidInput
from lifecycle.instants import require_aware
from lifecycle.states import DocumentKind, Mode, parse_choice

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


def read_source(data: bytes, name: str, *, locale: str, zone: ZoneInfo, now: datetime) -> SourceFile:
    """What a file asks for, by its front matter and its name. Raises InvalidInput that names the file and the fault."""
    front, text = split_front_matter(as_markdown(data, name=name), name=name)
    try:
        texts.check_text(text)
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
    parts = name_parts(path.stem)
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
        locale=texts.check_locale(str(front.get("locale") or parts.get("locale") or locale)),
        text=text,
        title=str(front.get("title") or title_of(text) or slug),
        kind=parse_choice(DocumentKind, str(front["kind"]), what="kind") if "kind" in front else None,
        number=_number(front.get("version", parts.get("number"))),
        published=published,
        effective=_instant(front.get("effective"), zone, "effective"),
        mode=parse_choice(Mode, str(front["mode"]), what="mode") if "mode" in front else None,
        changelog=tuple(map(str, [changelog] if isinstance(changelog, str) else changelog)),
        survives=tuple(map(str, front.get("survives") or [])),
    )


def name_parts(stem: str) -> dict[str, str | None]:
    """What a file's name says, under `slug`, `date`, `number` and `locale`."""
    found = NAME.match(stem)
    if found is None or (found["locale"] and found["locale"].split("-")[0] not in LANGUAGES):
        return {"slug": stem}
    return found.groupdict()


def slugify(text: str) -> str:
    """A slug from any words: accents go, all else that is no letter or digit of ASCII becomes a hyphen."""
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


_HEADING = re.compile(r"^(?:#{1,6}[ \t]+(.+?)[ \t]*#*|(\S.*)\r?\n=+)[ \t]*\r?$", re.MULTILINE)


def title_of(text: str) -> str:
    """What the first heading says, without its mark-up; nothing where it has a number, so heads a section only."""
    found = _HEADING.search(text)
    title = plain(found[1] or found[2]).strip() if found else ""
    return "" if re.match(r"\W*\d", title) else title
