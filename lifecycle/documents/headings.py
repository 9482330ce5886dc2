"""Where a section of a policy begins: at a Markdown heading, a bold line standing as one, or a numbered paragraph."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from markdown_it.token import Token

from lifecycle.documents.markdown import LINE_END, blocks, line_starts, pieces, spans, spoken

POINT = 6  # how deep a point without the number above it lies
LONGEST = 120  # characters of a title; a longer line is a sentence
READ = 2_000  # characters of a line up to which it is read for its markup
LINES = 300_000  # of a text, and
WORK = 20_000  # `pieces` of what may be parsed to find its sections
PROMISED = 3  # on top, for a line that may begin a section: its markup is read too
REMEMBERED = 20_000  # characters of a piece up to which what was found in it is kept for the next version
BOLD, NUMBERED = 7, 17  # ranks below the six levels of Markdown, and below each other

_ATTRIBUTES = re.compile(r" ?\{:? ?#(?P<anchor>[\w.:-]{1,80})[^{}]{0,80}\}$")
_NOUNS = (
    r"art(?:icle|icolo|igo|ículo|ikel|ykuł|\.) articol(?:ul)? artikkeli sec(?:tion|ción|\.) seção sezione abschnitt "
    r"clause cl[áa]usula klausel ziffer paragra(?:ph|f) chapter chapitre capítulo kapitel rozdział part partie teil "
    r"appendix annexe? anhang anlage bilag schedule exhibit member čl(?:ánek|ánok|en|anak|\.) pants punkts? madd[əe] "
    r"modda pasal bab điều bölüm άρθρο статья стаття раздел розділ глава пункт член члан чл\. հոդված المادة البند "
    r"القسم الفصل ماده بند סעיף פרק अनुच्छेद धारा कलम ধারা অনুচ্ছেদ ข้อ მუხლი §§?"
)
# By their first letters, so that most lines are passed over at a glance.
_WORDS = "(?i:{})".format(
    "|".join(
        f"{first}(?:{'|'.join(noun[1:] for noun in nouns)})"
        for first, nouns in groupby(sorted(_NOUNS.split(), key=itemgetter(0)), key=itemgetter(0))
    )
)
_ORDINALS = (
    r"(?i:première?|premier|prim(?:er|eir)[ao]|segund[ao]|terce(?:r|ir)[ao]|[cq]uart[ao]|quint[ao]|sexta|s[ée]p?tima|"
    r"o[ic]tava|novena|nona|d[ée]cima)|الأولى|الثانية|الثالثة|الرابعة|الخامسة|السادسة|السابعة|الثامنة|التاسعة|العاشرة"
)
_POINT = r"(?:\((?:\d{1,3}|[^\W\d_]|[ivxl]+)\))"
_DIGITS = rf"\d{{1,3}}(?:\.\d{{1,3}})*(?:er|re|[a-z])?[ªº]?{_POINT}*"
_HAN = r"[一二三四五六七八九十]"
_UPPER = r"[A-ZÀ-ÖØ-ÞΑ-ΩА-Я\u0531-\u0556\u0590-\uffff]"
_LABELLED = (
    (rf"{_WORDS}\s*(?:{_DIGITS}|\({_DIGITS}\)|[IVXLC]+|[A-Z]){_POINT}*", r"(?:\s*[.:)–—-]+\s*|\s+|$)"),
    (rf"{_WORDS}\s+(?:{_ORDINALS})", r"(?:\s*[.:)–—-]+\s*|\s+|$)"),
    (rf"第\s*(?:\d+|{_HAN}+|[百〇零]+)+\s*[条條章节節項]|제\s*\d+\s*[조장항]", r"\s*[:：、.]?\s*"),
    (r"\d{1,3}[a-z]?\.?\s?§", r"[.:]?(?:\s+|$)"),
    (rf"{_HAN}{{1,3}}(?=[、．])|（(?:\d{{1,2}}|{_HAN}{{1,3}})）|\({_HAN}{{1,3}}\)", r"[、．]?\s*"),
    (rf"(?:{_ORDINALS})(?=\s?[.:]\s?[-–—]|\.-)", r"[\s.:–—-]+"),
)
_NUMBERED = [
    re.compile(rf"({number}){after}")
    for number, after in (
        *_LABELLED,
        (_DIGITS, r"(?:\s?[.):、．]+(?!\d)\s*|\s*[–—-]+\s+|$)"),
        (rf"\d{{1,3}}(?:\.\d{{1,3}})+[a-z]?{_POINT}*|\d{{1,3}}[a-z]?{_POINT}+", r"\s+"),
        (r"\d{1,2}[a-z]?", rf"\s+(?={_UPPER})"),
        (_POINT, r"\s+"),
        (r"[A-Za-z]|[IVXLC]+|[ivxlc]+", r"[.)]+\s+"),
    )
]
_PERHAPS_NUMBERED = re.compile(rf"[\d(（第제]|{_HAN}|[A-Za-z]{{1,6}}[.)]|{_WORDS}|{_ORDINALS}")
# A paragraph needs a plainer number than a heading does: many begin with an amount.
_PARAGRAPH = [
    re.compile(rf"({number}){after}")
    for number, after in (
        *((label, rf"(?:\s*[.:：、)–—-]+\s*|\s+(?={_UPPER}|\()|(?=（)|$)") for label, _ in _LABELLED[:3]),
        *_LABELLED[3:],
        (r"\d{1,2}[a-z]?", rf"\s?[–—-]\s+(?=\W*{_UPPER})"),
        (r"[IVXLC]{1,6}", rf"\.\s+(?={_UPPER})"),
        (rf"\d{{1,2}}(?:\.\d{{1,2}})+[a-z]?{_POINT}*\.?", rf"(?:\s+(?=\W*{_UPPER})|$)"),
        (rf"\d{{1,2}}[a-z]?{_POINT}*[.)]", rf"(?:\s+(?=\W*{_UPPER})|$)"),
        (rf"{_POINT}|[a-z]\)", r"\s+"),
    )
]
_DATE = re.compile(r"\d{1,2}[.)]?(?:\s(?:de\s)?[^\W\d_]{3,}\.?){1,2},?\s(?:de\s)?\d{4}\W*(?:г\.|r\.)?", re.IGNORECASE)
_BOLD = re.compile(r"\W{0,3}(?:\*\*|__)")
_BEGINS = rf"(?:\*\*|__|\d|\(?[A-Za-z]{{1,4}}\)|{_WORDS}|[第제]|[(（]?{_HAN}|[IVXLC]{{1,6}}\.|{_ORDINALS})"
_LIKELY = re.compile(rf"\W{{0,4}}{_BEGINS}")
_ITEM_OF_PROSE = r"\d{1,9}[.)][ \t][^*_&\n]*[.,;!。！][ \t]*$"
# A line without which nothing in a piece is a heading: in a quote or under a bullet nothing is.
_PROMISING = re.compile(
    rf"\n\ufeff? {{0,3}}(?:#|(?:=+|-+)[ \t]*$|(?![ \t>|]|[-+*][ \t]|{_ITEM_OF_PROSE})[^\S\n]*[^\w\n]{{0,4}}{_BEGINS})",
    re.MULTILINE,
)
# After a blank line, what stands at the margin and is no item goes on nothing above it, unless one of these is about:
# fences, HTML that reaches over blank lines, link definitions, which hold for the whole text.
_SEAM = re.compile(r"\n\n(?![ \t\n\ufeff+-]|\*(?!\*\w)|\d{1,9}[.)](?:\s|\Z))")
_ONE_LINE = re.compile(r"(?:[^\W\d_]|\*\*\w|\d+(?:\.\d|\\)|[(（])[^\n\0]*\n+")  # that is a paragraph
_MARKED = r"\\`*_\[\]<>&!"
_MARKUP = re.compile(f"[{_MARKED}]")
_PLAIN = rf"[^\s{_MARKED}#](?:[^\n{_MARKED}#]*[^\s{_MARKED}#])?"
_PLAIN_HEADING = re.compile(rf"(#{{1,6}}) +({_PLAIN})[ \t]*(?:\n(?!\ufeff)|\Z)")
_SPREADING = "```", "~~~", "]:", "<!", "<?"
_SPREADING_TAG = re.compile(r"<(?:[sS](?:[cC][rR]|[tT][yY])|[pP][rR][eE]|[tT][eE][xX])")  # script, style, pre, textarea
_STOP = re.compile(r"[.;,!。！]\W*$")
_DATED = re.compile(r"\d{4}\W*$|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")


@dataclass(frozen=True, slots=True)
class Heading:
    """The beginning of a section: `level` of Markdown (0 for another kind), `rank` among all kinds, source range."""

    level: int
    rank: int
    number: str
    title: str
    anchor: str  # as the author wished it, or empty
    start: int
    end: int

    @property
    def name(self) -> str:
        return self.title or self.number


def headings(body: str) -> list[Heading]:
    """What begins the sections of a body, in order: every heading of CommonMark at the top level, bold lines
    standing as headings, titled items of numbered lists, and numbered paragraphs where there are several.

    What goes beyond LINES or WORK, many times what real texts have, is not looked at.
    """
    if max(body.count("\n"), body.count("\r")) > LINES:
        return []
    if "\r" in body:
        return _with_carriage_returns(body)
    found = list(_found(body))
    ranks = Counter(heading.rank for heading in found)
    return [heading for heading in found if heading.rank < NUMBERED or ranks[heading.rank] > 1]


def _with_carriage_returns(body: str) -> list[Heading]:
    """Headings begin and end where lines do, whatever ends the lines."""
    text = LINE_END.sub("\n", body)
    places = dict(zip(line_starts(text), line_starts(body), strict=True))
    return [replace(heading, start=places[heading.start], end=places[heading.end]) for heading in headings(text)]


def _found(body: str) -> Iterator[Heading]:
    """Most of a text is prose in which nothing can begin: only the pieces around promising lines are parsed."""
    whole = any(sign in body for sign in _SPREADING) or _SPREADING_TAG.search(body)
    seams = [0, *(() if whole else (seam.end() for seam in _SEAM.finditer(body))), len(body)]
    done, left = 0, WORK
    for promising in _PROMISING.finditer("\n" + body):
        if promising.start() < done:
            continue
        if left < PROMISED:
            return
        place = bisect_right(seams, promising.start())
        start, end = max(seams[place - 1], done), seams[place]
        plain = _PLAIN_HEADING.match(body, start)
        done = plain.end() if plain else end
        piece = body[start:done]
        cost = PROMISED if plain else _cost(piece)
        if cost > left:
            continue
        left -= cost
        if plain:
            yield _heading(len(plain[1]), plain[2], start, done)
            continue
        read = in_piece if len(piece) < REMEMBERED else in_piece.__wrapped__
        for heading in read(piece, last=end == len(body)):
            yield replace(heading, start=heading.start + start, end=heading.end + start)


def _cost(piece: str) -> int:
    return pieces(piece) + PROMISED * len(_PROMISING.findall("\n" + piece))


@lru_cache(maxsize=1024)  # two versions of a text have most of their pieces in common
def in_piece(piece: str, *, last: bool) -> tuple[Heading, ...]:
    return tuple(_parsed(piece, last=last))


def _parsed(piece: str, *, last: bool) -> Iterator[Heading]:
    environment: dict[str, Any] = {}
    if not last and _ONE_LINE.fullmatch(piece):
        yield from _of_paragraph(piece.strip(), environment, 0, piece.index("\n") + 1)
        return
    starts = line_starts(piece)
    tokens = blocks(piece, environment)
    for place, (opening, inline) in enumerate(pairwise(tokens)):
        if inline.type != "inline" or opening.map is None:
            continue
        start, end = (starts[line] for line in opening.map)
        if opening.type == "heading_open" and opening.level == 0:
            text = _read(inline.content, environment)
            yield _heading(int(opening.tag[1]), text, start, end)
        elif opening.type == "paragraph_open" and (not last or place + 3 < len(tokens) or "\n" in inline.content):
            line_end = starts[opening.map[0] + 1]
            yield from _in_paragraph(tokens, place, environment, start, line_end)


def _read(text: str, environment: dict[str, Any]) -> str:
    plain = len(text) > READ or not _MARKUP.search(text)
    return text if plain else spoken(spans(text, environment))


def _heading(level: int, text: str, start: int, end: int) -> Heading:
    text = " ".join(text.split())
    attributes = _ATTRIBUTES.search(text)
    number, title = numbered(text[: attributes.start()] if attributes else text)
    return Heading(level, level, number, title, attributes["anchor"] if attributes else "", start, end)


@lru_cache(maxsize=1024)
def numbered(text: str) -> tuple[str, str]:
    """The number a heading is printed with, and its title."""
    if not _PERHAPS_NUMBERED.match(text):
        return "", text
    matches = (pattern.match(text) for pattern in _NUMBERED)
    match = next(filter(None, matches), None)
    return (match[1], text[match.end() :]) if match else ("", text)


def bare_number(number: str) -> str:
    """A number without the word it is printed with: `7` for `§ 7`."""
    return re.sub(rf"^\s*{_WORDS}\s*", "", number)


def _in_paragraph(
    tokens: Sequence[Token], place: int, environment: dict[str, Any], start: int, line_end: int
) -> Iterator[Heading]:
    content, item = tokens[place + 1].content, _item(tokens, place)
    if item:
        alone = "\n" not in content and _stands_alone(tokens, place)
        yield from _of_paragraph(content, environment, start, line_end, item=item, alone=alone)
    elif tokens[place].level == 0:
        yield from _of_paragraph(content, environment, start, line_end)


def _of_paragraph(
    content: str, environment: dict[str, Any], start: int, line_end: int, *, item: str = "", alone: bool = False
) -> Iterator[Heading]:
    """What a paragraph at the top level, or at the beginning of an item of a list there, begins by its first line."""
    line = content[:READ].partition("\n")[0].rstrip(" \\")
    bold = _BOLD.match(line)
    if not (bold or alone if item else _LIKELY.match(line)):
        return
    children = spans(line, environment) if _MARKUP.search(line) else []
    text = " ".join((spoken(children) if children else line).split())
    if _DATED.search(text):
        return
    number, title = numbered(text) if bold else ("", text)
    if bold and _is_bold(children) and _is_title(title or number):
        yield Heading(0, BOLD + max(_depth(number) - 1, 0), item or number, title, "", start, line_end)
    elif not item:
        yield from _numbered_paragraph(text, start, line_end, whole=line == content)
    elif alone and line == content and _is_title(text, stops=":"):
        yield Heading(0, NUMBERED + 1, item, text, "", start, line_end)


def _item(tokens: Sequence[Token], place: int) -> str:
    """The number of the numbered list's item, at the top level, that a paragraph begins; empty in another place."""
    before = tokens[place - 1] if place else None
    return before.info if before and before.type == "list_item_open" and before.level == 1 else ""


def _stands_alone(tokens: Sequence[Token], place: int) -> bool:
    """Whether the paragraph is the only one of the only item of its list: `1. Scope` before a text without markers."""
    around = [token.type for token in tokens[place - 2 : place + 5]]
    return around[0] == "ordered_list_open" and around[5:] == ["list_item_close", "ordered_list_close"]


def _numbered_paragraph(text: str, start: int, end: int, *, whole: bool) -> Iterator[Heading]:
    matches = (pattern.match(text) for pattern in _PARAGRAPH)
    match = next(filter(None, matches), None)
    if match and not _DATE.fullmatch(text):
        number = match[1].rstrip("." if "(" in match[1] else ".)")
        titled = whole and _depth(number) < POINT and _is_title(text[match.end() :], stops=":")
        title = text[match.end() :] if titled else ""
        yield Heading(0, NUMBERED + _depth(number), number, title, "", start, end if title else start)


def _depth(number: str) -> int:
    """How deep a printed number lies: 1 for `2`, 3 for `2.3(b)`, POINT for a bare `(b)`; 0 for none."""
    if re.fullmatch(rf"{_POINT}|[a-z]|[(（]\w{{1,3}}[)）]", number):
        return POINT
    return max(len(re.findall(r"\d+[^\W\d]*|\(\w+\)|\b[IVXLC]+\b", bare_number(number))), bool(number))


def _is_bold(children: Sequence[Token]) -> bool:
    depth = 0
    for token in children:
        depth += token.nesting * (token.type in ("strong_open", "strong_close"))
        if depth == 0 and token.type != "html_inline" and token.content.strip(" :\xa0"):
            return False
    return True


def _is_title(text: str, *, stops: str = "") -> bool:
    named = 0 < len(text) <= LONGEST and any(map(str.isalnum, text))
    return named and not _STOP.search(text) and not text.endswith(tuple(stops))
