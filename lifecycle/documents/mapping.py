"""Which path of a repository or folder is which document, in which language: from a mapping file, or a known layout.

A mapping file is TOML, one table a path, the first that fits counts:

    [[text]]
    path = "legal/terms.{locale}.md"    # also {document}, * within a folder and ** across folders
    document = "terms"                  # where the path does not say it
    locale = "en"                       # where the path does not say it
    title = "Terms of Use"              # optional, as are kind and mode
    kind = "terms"
    mode = "notice"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lifecycle.documents.source_files import slugify
from lifecycle.documents.texts import check_locale
from lifecycle.errors import InvalidInput
from lifecycle.states import DocumentKind, Mode, parse_choice

KEYS = {"path", "document", "locale", "title", "kind", "mode"}
_PLACES = {
    "**": r".*",
    "*": r"[^/]*",
    "{document}": r"(?P<document>[^/]+?)",
    "{locale}": r"(?P<locale>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)",
}
_PLACE = re.compile("|".join(re.escape(place) for place in _PLACES))


@dataclass(frozen=True, slots=True)
class Target:
    """The document and language that the file at a path holds."""

    slug: str
    locale: str
    title: str = ""
    kind: DocumentKind | None = None
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One table of a mapping."""

    pattern: re.Pattern[str]
    document: str
    locale: str
    title: str = ""
    kind: DocumentKind | None = None
    mode: Mode | None = None

    def target(self, path: str, locale: str) -> Target | None:
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        parts = found.groupdict()
        slug = self.document or slugify(parts.get("document") or PurePosixPath(path).stem)
        return Target(slug, parts.get("locale") or self.locale or locale, self.title, self.kind, self.mode)


def read_mapping(path: Path) -> list[Rule]:
    """The rules of a mapping file. Raises InvalidInput that names the table and the fault."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"The mapping {str(path)!r} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The mapping {str(path)!r} is not TOML: {error}.") from None
    texts = tables.pop("text", None)
    if tables or not isinstance(texts, list) or not texts or not all(isinstance(table, dict) for table in texts):
        raise InvalidInput(f"The mapping {str(path)!r} has to consist of [[text]] tables.")
    return [_rule(table, f"{path.name}, [[text]] {number}") for number, table in enumerate(texts, 1)]


def _rule(table: dict[str, object], where: str) -> Rule:
    if unknown := sorted(set(table) - KEYS):
        raise InvalidInput(f"{where}: unknown key {unknown[0]!r}. Known: {', '.join(sorted(KEYS))}.")
    if bad := [key for key, value in table.items() if not isinstance(value, str)]:
        raise InvalidInput(f"{where}: {bad[0]} has to be text.")
    values = {key: str(value) for key, value in table.items()}
    if not values.get("path"):
        raise InvalidInput(f"{where}: path is missing.")
    locale = values.get("locale", "")
    return Rule(
        _pattern(values["path"], where),
        values.get("document", ""),
        check_locale(locale) if locale else "",
        values.get("title", ""),
        parse_choice(DocumentKind, values["kind"], what="kind") if "kind" in values else None,
        parse_choice(Mode, values["mode"], what="mode") if "mode" in values else None,
    )


def _pattern(path: str, where: str) -> re.Pattern[str]:
    parts, last = [], 0
    for place in _PLACE.finditer(path):
        parts += [re.escape(path[last : place.start()]), _PLACES[place[0]]]
        last = place.end()
    try:
        return re.compile("".join([*parts, re.escape(path[last:])]))
    except re.error:
        raise InvalidInput(f"{where}: path {path!r} names {{document}} or {{locale}} twice.") from None


# -- Open Terms Archive ----------------------------------------------------------------------------------------------

# The types of terms of its collections that have a kind of ours; a repository that has one of them has its layout.
TERMS_TYPES = {
    "Terms of Service": DocumentKind.TERMS,
    "General Conditions of Sale": DocumentKind.TERMS,
    "Commercial Terms": DocumentKind.TERMS,
    "Developer Terms": DocumentKind.TERMS,
    "Privacy Policy": DocumentKind.PRIVACY,
    "Business Privacy Policy": DocumentKind.PRIVACY,
    "Trackers Policy": DocumentKind.COOKIES,
    "Acceptable Use Policy": DocumentKind.ACCEPTABLE_USE,
    "Data Processor Agreement": DocumentKind.DPA,
    "Community Guidelines": DocumentKind.COMMUNITY,
}


def archive_target(path: str, locale: str) -> Target | None:
    """What a file `Service/Type of terms.md` of Open Terms Archive is; its language stands nowhere."""
    parts = PurePosixPath(path).parts
    if len(parts) != 2 or not path.endswith(".md"):
        return None
    service, type_ = parts[0], PurePosixPath(path).stem
    kind = TERMS_TYPES.get(type_, DocumentKind.OTHER)
    return Target(slugify(f"{service}-{type_}"), locale, f"{service}: {type_}", kind)


def is_archive(paths: Sequence[str]) -> bool:
    """Whether these paths are laid out as Open Terms Archive does."""
    texts = [PurePosixPath(path) for path in paths if path.endswith(".md") and "/" in path]
    return bool(texts) and all(len(t.parts) == 2 for t in texts) and any(t.stem in TERMS_TYPES for t in texts)
