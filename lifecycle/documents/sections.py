"""From a Markdown body to its sections: addressable pieces that, joined, are the body again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

PREAMBLE_ANCHOR = "_top"
SLUG_LENGTH = 80

MARKDOWN = MarkdownIt("commonmark").enable("table")

# The line endings of CommonMark and no others: str.splitlines would also cut at \f, \x85 and \u2028.
LINE_END = re.compile(r"\r\n?|\n")

_TAG = re.compile(r"<[^<>]*>")
_ATTRIBUTES = re.compile(r" ?\{:? ?#(?P<anchor>[\w.:-]{1,80})[^{}]{0,80}\}$")
_LABEL = (
    r"(?i:art(?:icle|icolo|igo|ículo|ikel|\.)|sec(?:tion|ción|\.)|abschnitt|clause|klausel|ziffer|paragraph|"
    r"chapter|chapitre|kapitel|part|partie|teil|appendix|annexe?|anhang|anlage|schedule|§§?)"
)
_POINT = r"(?:\((?:\d{1,3}|[A-Za-z]|[ivxl]+)\))"
_DIGITS = rf"\d{{1,3}}(?:\.\d{{1,3}})*[a-z]?{_POINT}*"
_UPPER = r"[A-ZÀ-ÖØ-ÞΑ-ΩА-Я\u0590-\uffff]"
_NUMBERED = [
    re.compile(rf"({number}){after}")
    for number, after in (
        (rf"{_LABEL}\s*(?:{_DIGITS}|[IVXLC]+|[A-Z]){_POINT}*", r"(?:\s*[.:)–—-]+\s*|\s+|$)"),
        (r"第\s*[\d一二三四五六七八九十百]+\s*[条條章节節項]", r"\s*[:：、.]?\s*"),
        (_DIGITS, r"(?:\s?[.):、．]+(?!\d)\s*|\s*[–—-]+\s+|$)"),
        (rf"\d{{1,3}}(?:\.\d{{1,3}})+[a-z]?{_POINT}*|\d{{1,3}}[a-z]?{_POINT}+", r"\s+"),
        (r"\d{1,2}[a-z]?", rf"\s+(?={_UPPER})"),
        (_POINT, r"\s+"),
        (r"[A-Za-z]|[IVXLC]+|[ivxlc]+", r"[.)]+\s+"),
    )
]


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a body: its source is `body[start:end]`, offsets in characters; level 0 is the preamble."""

    position: int
    level: int
    number: str
    title: str
    anchor: str
    path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    number: str
    title: str
    wish: str
    start: int

    @property
    def name(self) -> str:
        return self.title or self.number


def split(body: str) -> list[Section]:
    """The sections of a Markdown body, in order; their sources, joined, are the body character for character.

    Headings are those of CommonMark at the top level. There is always at least one section: text without
    headings is one section of level 0, and blank lines before the first heading belong to that heading.
    """
    headings = list(_headings(body))
    first = headings[0].start if headings else len(body)
    if not headings or body[:first].replace("\ufeff", "").strip():
        headings.insert(0, _Heading(0, "", "", PREAMBLE_ANCHOR, 0))
    starts = [0, *(heading.start for heading in headings[1:]), len(body)]
    anchors = _unique(heading.wish for heading in headings)
    paths = _paths(headings)
    return [
        Section(n, head.level, head.number, head.title, anchor, path, starts[n], starts[n + 1])
        for n, (head, anchor, path) in enumerate(zip(headings, anchors, paths, strict=True))
    ]


def find(sections: Sequence[Section], reference: str) -> Section | None:
    """The one section meant by a printed number, an anchor or an exact title; None if none or several are."""
    wanted, bare = _key(reference), _bare(reference)
    return (
        _only(section for section in sections if wanted and _key(section.number) == wanted)
        or _only(section for section in sections if bare and _bare(section.number) == bare)
        or _only(section for section in sections if section.anchor == reference.strip().removeprefix("#"))
        or _only(section for section in sections if wanted and _key(section.title) == wanted)
    )


def plain(text: str) -> str:
    """Markdown as readable text, a line a block: links by their label, no emphasis, list markers or tags."""
    return "\n".join(line for line in map(str.strip, _lines(MARKDOWN.parse(text))) if line)


def line_starts(body: str) -> list[int]:
    """The offset of each line as CommonMark counts lines, and the end of the text as the last entry."""
    return [0, *(match.end() for match in LINE_END.finditer(body)), len(body)]


def blocks(body: str, environment: dict[str, Any]) -> list[Token]:
    """The block tokens of a body; their line map counts its lines; link definitions go to the environment."""
    tokens: list[Token] = []
    source = LINE_END.sub("\n", body.removeprefix("\ufeff")).replace("\0", "\ufffd")
    MARKDOWN.block.parse(source, MARKDOWN, environment, tokens)
    return tokens


def _headings(body: str) -> Iterator[_Heading]:
    environment: dict[str, Any] = {}
    starts = line_starts(body)
    tokens = blocks(body, environment)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            children = MARKDOWN.parseInline(inline.content, environment)[0].children or []
            yield _heading(int(opening.tag[1]), _spoken(children), starts[opening.map[0]])


def _heading(level: int, text: str, start: int) -> _Heading:
    text = " ".join(text.split())
    attributes = _ATTRIBUTES.search(text)
    number, title = _numbered(text[: attributes.start()] if attributes else text)
    wish = attributes["anchor"] if attributes else _slug(title) or _slug(number) or "section"
    return _Heading(level, number, title, wish, start)


def _numbered(text: str) -> tuple[str, str]:
    matches = (pattern.match(text) for pattern in _NUMBERED)
    match = next(filter(None, matches), None)
    return (match[1], text[match.end() :]) if match else ("", text)


def _paths(headings: Sequence[_Heading]) -> Iterator[tuple[str, ...]]:
    enclosing: list[_Heading] = []
    for heading in headings:
        enclosing = [outer for outer in enclosing if 0 < outer.level < heading.level]
        yield tuple(outer.name for outer in enclosing)
        enclosing.append(heading)


def _slug(text: str) -> str:
    """Letters of every script, accents off Latin ones, the rest a hyphen; cut at a word."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", text.casefold()):
        mark = unicodedata.category(char)[0] == "M"
        if not (mark and kept and (kept[-1].isascii())):
            kept.append(char if char.isalnum() or (mark and kept) else "-")
    words = unicodedata.normalize("NFC", re.sub(r"-+", "-", "".join(kept))).strip("-")
    short = words[:SLUG_LENGTH]
    return words if words == short else short.rpartition("-")[0] or short


def _unique(wishes: Iterable[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for wish in wishes:
        anchor = wish
        while anchor in seen:
            seen[wish] += 1
            anchor = f"{wish}-{seen[wish]}"
        seen[anchor] = 1
        yield anchor


def _only(candidates: Iterable[Section]) -> Section | None:
    found = list(candidates)
    return found[0] if len(found) == 1 else None


def _key(text: str) -> str:
    return "".join(text.casefold().split()).strip(".:")


def _bare(number: str) -> str:
    bare = _key(re.sub(rf"^\s*{_LABEL}\s*", "", number))
    return bare[1:-1] if re.fullmatch(r"\(\w+\)", bare) else bare


def _spoken(children: Iterable[Token]) -> str:
    breaks = {"softbreak": " ", "hardbreak": "\n", "html_inline": ""}
    return "".join(breaks.get(token.type, token.content) for token in children)


def _lines(tokens: Iterable[Token]) -> Iterator[str]:
    cells: list[str] = []
    in_row = False
    for token in tokens:
        if token.type in ("tr_open", "tr_close"):
            in_row = token.nesting == 1
            yield " | ".join(cells)
            cells.clear()
        elif token.type == "inline":
            text = _spoken(token.children or [])
            if in_row:
                cells.append(text)
            else:
                yield text
        elif token.type in ("fence", "code_block", "html_block"):
            yield _TAG.sub("", token.content) if token.type == "html_block" else token.content
