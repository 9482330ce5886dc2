"""From a Markdown body to its sections: addressable pieces that, joined, are the body again."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Protocol, TypeVar

from lifecycle.documents.headings import Heading, bare_number, headings
from lifecycle.documents.markdown import MARKDOWN as MARKDOWN
from lifecycle.documents.markdown import blocks as blocks
from lifecycle.documents.markdown import line_starts as line_starts
from lifecycle.documents.markdown import plain as plain

PREAMBLE_ANCHOR = "_top"
SLUG_LENGTH = 80
_HYPHENS = {n: "-" for n in range(128) if not chr(n).isalnum()}


class Addressable(Protocol):
    """A section as it was found in a body, or as it is kept."""

    @property
    def position(self) -> int: ...
    @property
    def level(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def anchor(self) -> str: ...
    @property
    def path(self) -> Sequence[str]: ...
    @property
    def end(self) -> int: ...


S = TypeVar("S", bound=Addressable)


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a body: its source is `body[start:end]`, offsets in characters, its text begins at `text_start`.

    `level` is that of its Markdown heading, 0 where there is none: the text before the first one, a bold line
    standing as a heading, a numbered paragraph. `path` names the sections around it, outermost first.
    """

    position: int
    level: int
    number: str
    title: str
    anchor: str
    path: tuple[str, ...]
    start: int
    end: int
    text_start: int = 0


def split(body: str) -> list[Section]:
    """The sections of a Markdown body, in order; their sources, joined, are the body character for character.

    There is always at least one section: text without headings is one section of level 0 without a name, and
    blank lines before the first heading belong to that heading.
    """
    heads = headings(body)
    first = heads[0].start if heads else len(body)
    if not heads or body[:first].replace("\ufeff", "").strip():
        heads.insert(0, Heading(0, 0, "", "", PREAMBLE_ANCHOR, 0, 0))
    starts = [0, *(head.start for head in heads[1:]), len(body)]
    paths = list(_paths(heads))
    anchors = _anchors(heads, paths)
    return [
        Section(n, head.level, head.number, head.title, anchor, path, starts[n], starts[n + 1], head.end)
        for n, (head, anchor, path) in enumerate(zip(heads, anchors, paths, strict=True))
    ]


def find(sections: Sequence[S], reference: str) -> S | None:
    """The one section meant by a printed number, an anchor or an exact title; None if none or several are.

    A number may be put together from those of a section and of a point beneath it: `2.3(b)`.
    """
    wanted, bare = _key(reference), _bare(reference)
    return (
        _only(section for section in sections if wanted and _key(section.number) == wanted)
        or _only(section for section in sections if bare and _bare(section.number) == bare)
        or _only(section for section in sections if section.anchor == reference.strip().removeprefix("#"))
        or _only(section for section in sections if wanted and _key(section.title) == wanted)
        or _point(sections, reference)
    )


def beneath(sections: Sequence[S], section: S) -> list[S]:
    """The sections that stand under a section, of whatever depth, in order."""
    path = [*section.path, section.title or section.number]
    after = sections[section.position + 1 :]
    return list(takewhile(lambda other: list(other.path[: len(path)]) == path, after))


def extent(sections: Sequence[S], section: S) -> int:
    """Where the text of a section ends that is quoted whole: with its bold lines and numbered paragraphs,
    before the next Markdown heading."""
    inside = list(takewhile(lambda other: not other.level, beneath(sections, section)))
    return (inside or [section])[-1].end


def _point(sections: Sequence[S], reference: str) -> S | None:
    match = re.fullmatch(r"(.*\w.*?)(\(\w+\))", reference.strip())
    around = find(sections, match[1]) if match else None
    return find(beneath(sections, around), match[2]) if match and around else None


def _paths(heads: Sequence[Heading]) -> Iterator[tuple[str, ...]]:
    enclosing: list[Heading] = []
    for head in heads:
        enclosing = [outer for outer in enclosing if 0 < outer.rank < head.rank]
        yield tuple(outer.name for outer in enclosing)
        enclosing.append(head)


def _anchors(heads: Sequence[Heading], paths: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """What names each section in a link. Where a title stands twice, the section around it tells them apart."""
    wishes = [head.anchor or slug(head.title) or slug(head.number) or "section" for head in heads]
    often = Counter(wishes)
    seen: dict[str, int] = {}
    for head, wish, path in zip(heads, wishes, paths, strict=True):
        if often[wish] > 1 and path and not head.anchor:
            wish = f"{slug(path[-1])}-{wish}"
        anchor = wish
        while anchor in seen:
            seen[wish] += 1
            anchor = f"{wish}-{seen[wish]}"
        seen[anchor] = 1
        yield anchor


@lru_cache(maxsize=1024)
def slug(text: str) -> str:
    """Letters of every script, accents off Latin ones, the rest a hyphen; cut at a word."""
    folded = text.casefold()
    words = (folded if folded.isascii() else _without_accents(folded)).translate(_HYPHENS)
    words = re.sub(r"-+", "-", words).strip("-")
    short = words[:SLUG_LENGTH]
    return words if words == short else short.rpartition("-")[0] or short


def _without_accents(folded: str) -> str:
    """Letters, digits and the marks that belong to their script; hyphens for all else."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", folded):
        if char.isalnum():
            kept.append(char)
        elif not kept or unicodedata.category(char)[0] != "M":
            kept.append("-")
        elif not kept[-1].isascii():
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def _only(candidates: Iterable[S]) -> S | None:
    found = list(candidates)
    return found[0] if len(found) == 1 else None


def _key(text: str) -> str:
    return "".join(text.casefold().split()).strip(".:")


def _bare(number: str) -> str:
    bare = _key(bare_number(number))
    return bare[1:-1] if re.fullmatch(r"\(\w+\)", bare) else bare
