"""From a body and its sections to passages: the sentences, list items and table rows that may be quoted."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lifecycle.documents.sections import Section, blocks, line_starts

SHORTEST = 3

_EDGE = "|\ufeff" + "".join(filter(str.isspace, map(chr, range(0x3001))))
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_TARGET = re.compile(r"\]\([^()\s]*\)")
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|li|ul|ol|t[rdh]|table|br|hr|h[1-6]|section|details|summary)\b[^<>]*>|<!--|-->",
    re.IGNORECASE,
)
_BOLD_LINE = re.compile(r"(\*\*|__)[^*_]+\1:?")
_DATED = re.compile(
    r"\W*(?:last (?:updated?|modified|revised|revision|changed)|effective|updated|revised|stand|gültig ab|"
    r"zuletzt (?:aktualisiert|geändert)|letzte (?:aktualisierung|änderung)|dernière mise à jour)"
    r"(?:\W+(?:date|as of|from|on|am|vom|ab|le))?\W+(?:[^\W\d]+\W+){0,2}\d[\w .,/:-]{0,20}\W*",
    re.IGNORECASE,
)

# Links and code are stepped over whole, so that no sentence ends inside them.
_STOP = re.compile(
    r"""\[[^\[\]]*\]\([^()\s]*\) | `[^`]+`
      | (?P<stop>[.!?…]+["'”’»“)\]*_]*(?=\s|$) | [。！？]+[”」』）]*)""",
    re.VERBOSE,
)
# What may stand before a full stop that ends no sentence: always, before a number, before a German ordinal.
_ABBREVIATION = re.compile(
    r"""al|approx|cf|co|corp|dept|dr|est|gmbh|inc|jr|lit|llc|ltd|mr|mrs|ms|prof|resp|viz|vol|vs
      | abb|allg|bspw|bzgl|bzw|dgl|einschl|entspr|evtl|exkl|gem|ggf|ggfs|hrsg|inkl|insb|insbes|lfd|mio|mrd
      | sog|str|tel|urspr|usf|vgl|zzgl | (?:[^\W\d_]\.)*[^\W\d_]""",
    re.VERBOSE,
)
_BEFORE_NUMBER = re.compile(r"abs|anh|anl|artt?|ca|cl|fig|kap|max|mind|min|nos?|nr|para|pp|rn|sect?|st|ver")
_BEFORE_ORDINAL = re.compile(r"ab|am|beim|bis|das|de[mnrs]|die|im|seit|vom|zu[mr]")


@dataclass(frozen=True, slots=True)
class Passage:
    """What an answer may quote: `text` is `body[start:end]`, verbatim; `heading` is context, never quoted."""

    section: int
    start: int
    end: int
    text: str
    heading: str


def passages(body: str, sections: Sequence[Section]) -> list[Passage]:
    """The passages of a body in order, each inside one of the sections that `split` made of that body.

    Headings, bold lines standing as headings, dates of the text and fragments under three words are left out.
    """
    starts = [section.start for section in sections]
    found = []
    for start, end in _sentences(body):
        section = sections[bisect_right(starts, start) - 1]
        found.append(Passage(section.position, start, end, body[start:end], _context(section)))
    return found


def _context(section: Section) -> str:
    names = (*section.path, section.title)
    return " › ".join(name for name in names if name and not _DATED.fullmatch(name))


def _sentences(body: str) -> Iterator[tuple[int, int]]:
    for start, end, whole in _regions(body):
        if _BOLD_LINE.fullmatch(body[start:end].strip()):
            continue
        for a, b in [(start, end)] if whole else _cut(body, start, end):
            a, b = _trimmed(body, a, b)
            text = _TARGET.sub("", body[a:b])
            if len(_WORD.findall(text)) >= SHORTEST and not _DATED.fullmatch(text):
                yield a, b


def _regions(body: str) -> Iterator[tuple[int, int, bool]]:
    """The stretches of text: paragraphs wherever they stand, table rows (kept whole), indented text, HTML."""
    starts = line_starts(body)
    before = ""
    in_table = False
    for token in blocks(body, {}):
        if token.type in ("thead_open", "table_close"):
            in_table = token.nesting == 1
        if token.map:
            start, line_end, end = (starts[n] for n in (token.map[0], token.map[0] + 1, token.map[1]))
            if token.type == "inline" and before != "heading_open" and not in_table:
                yield start + _content_start(body[start:line_end], token.content), end, False
            elif token.type == "tr_open" and before != "thead_open":
                yield start, end, True
            elif token.type in ("code_block", "html_block"):
                yield from ((a, b, False) for a, b in _between(_BLOCK_TAG, body, start, end))
        before = token.type


def _content_start(line: str, content: str) -> int:
    """Where in its first source line a paragraph begins, behind the markers of lists and quotes."""
    return max(line.rstrip().rfind(content.partition("\n")[0].strip()), 0)


def _between(separator: re.Pattern[str], body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in separator.finditer(body, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


def _cut(body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _STOP.finditer(body, start, end):
        at, after = match.span()
        around = body[max(start, at - 60) : at], body[after : min(after + 20, end)]
        if match["stop"] and _ends(around[0], match["stop"], around[1]):
            yield start, after
            start = after
    yield start, end


def _ends(before: str, stop: str, after: str) -> bool:
    """Whether a stop ends its sentence, judged by the words around it; German ordinals and "z. B." do not."""
    following = next(filter(str.isalnum, after), "")
    words = [word.strip("([{„“\"'*_§\\").lower() for word in before.split()[-2:]]
    if not following:
        return True
    if following.islower() or not words:
        return False
    if stop[0] != "." or stop.startswith(".."):
        return True
    word = words[-1]
    if word.isdecimal():
        return len(words) > 1 and not (len(word) < 3 and _BEFORE_ORDINAL.fullmatch(words[0]))
    if following.isdecimal() and _BEFORE_NUMBER.fullmatch(word):
        return False
    return not _ABBREVIATION.fullmatch(word)


def _trimmed(body: str, start: int, end: int) -> tuple[int, int]:
    """Without the blanks, quote marks and table bars around it, and without one half of an emphasis."""
    start, end = _stripped(body, start, end)
    for mark in ("**", "__", "*", "_"):
        if body.count(mark, start, end) % 2:
            if body.startswith(mark, start, end):
                start += len(mark)
            elif body.endswith(mark, start, end):
                end -= len(mark)
    return _stripped(body, start, end)


def _stripped(body: str, start: int, end: int) -> tuple[int, int]:
    start += len(body[start:end]) - len(body[start:end].lstrip(_EDGE + ">"))
    return start, start + len(body[start:end].rstrip(_EDGE))
