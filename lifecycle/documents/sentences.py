"""From a Markdown body to its sentences: the smallest pieces that can be cited, each verbatim in the body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sentencex

from lifecycle.documents.markdown import blocks, line_starts

# The splitter's time grows with the square of a stretch that never ends a sentence.
WINDOW = 5_000
# A table row up to this long is cited whole: its cells explain each other.
ROW = 400

_BOLD_LINE = re.compile(r"(\*\*|__)[^*_]+\1:?")
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|li|ul|ol|dl|d[td]|t[rdh]|table|br|hr|h[1-6]|section|details|summary)\b[^<>]*>|<!--|-->|</?[a-z]+:[^<>]*>",
    re.IGNORECASE,
)
# What a reader sees as one piece, and what not at all: escapes, emphasis, link targets, tags, marks of quotes.
_MARKUP = re.compile(
    r"""(?P<code>`[^`]+`|<[A-Za-z][A-Za-z+.-]*:[^<>\s]*>|https?://[^\s<>]*[^\s<>.,;:!?*_)\]])
      | !?\[(?P<label>[^\[\]]*)\](?:\([^()\s]*(?:\s+"[^"]*")?\)|\[[^\[\]]*\])?
      | \\(?=[!-/:-@\[-`{-~]) | \*+ | (?<!\w)_+ | _+(?!\w) | ~~ | </?[A-Za-z][^<>]*> | (?<=[\r\n])[ \t]*>[ \t>]*""",
    re.VERBOSE,
)
_STOP = re.compile(r"[.!?…。！？।؟](?!$)|[\r\n]")
_EDGE = "|\ufeff>" + "".join(filter(str.isspace, map(chr, range(0x3001))))
_CELL = re.compile(r"(?<!\\)\|")

# Abbreviations the splitter does not know or forgets: never last in a sentence, or not before a number.
_NEVER_LAST = re.compile(
    r"""cf|dr|mr|mrs|ms|prof|resp|vs|viz | abb|allg|bspw|bzgl|bzw|ca|dgl|einschl|entspr|evtl|exkl|gem|ggfs?|gmbh|hrsg
      | inkl|insb|insbes|lfd|sog|urspr|usf|vgl|zzgl | zob|np|tzw|tzn | npr|oz|t\.i|d\.o\.o | см|напр | βλ|π\.χ
      | m|mme|mlle|mm|sr|sra|sig | lit | skat|piem | (?:[^\W\d_]\.)*[^\W\d_]""",
    re.VERBOSE,
)
_BEFORE_NUMBER = re.compile(
    r"""abs|anh|anl|artt?|cap|ch|cl|čl|fig|kap|max|mind|min|nos?|nr|núm|num|n|para|pars?|pkt|pp?|poz|rn|sect?|sez|st|stk|ust|ver
      | art[ií]culo|ст|п|пп|гл|разд|παρ|αρ|αριθ""",
    re.VERBOSE,
)
_BEFORE_ORDINAL = re.compile(r"ab|am|beim|bis|das|de[mnrs]|die|im|seit|vom|zu[mr]")
_OFTEN_LAST = re.compile(r"(?:\b(?:etc|usw|ecc|osv|enz|stb|itd|itp|no|т\. ?д|т\. ?п)\.|[.!?][)\]])\s+(?=[^\W\d_])")
_AROUND = "([{„“”\"'»«’)]}*_§\\"
_QUOTED = re.compile(r"[」』）]$")
_GOES_ON = re.compile(r"[\u3041-\u309f]")
_BLANK = re.compile(r"\s")
_WORDS = re.compile(r"[^\s'’]+")
_LINE = re.compile(r"[\r\n]")
_MONTH = re.compile(r"(?:jan|feb|mar|mär|apr|ma[ijy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[^\W\d]*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A citable piece of a body: `text` is `body[start:end]`, verbatim, offsets in characters."""

    start: int
    end: int
    text: str


def sentences(source: str, *, locale: str) -> list[Sentence]:
    """The sentences of a Markdown text in order: of paragraphs wherever they stand, list items, cells and raw HTML.

    Headings are left out. A short table row is one sentence. `locale` (`de`, `pt-BR`) names the language whose
    abbreviations count; an unknown one is split like English. None is empty, none overlaps another.
    """
    language = re.split(r"[-_]", locale)[0].lower() or "en"
    found = []
    for region in _regions(source):
        for start, end in _cut(source, *region, language):
            start, end = _trimmed(source, start, end)
            if start < end:
                found.append(Sentence(start, end, source[start:end]))
    return found


def _regions(body: str) -> Iterator[tuple[int, int]]:
    """The stretches of text that no sentence crosses."""
    starts = line_starts(body)
    before = ""
    in_table = False
    for token in blocks(body, {}):
        if token.type in ("thead_open", "table_close"):
            in_table = token.nesting == 1
        if token.map:
            start, line_end, end = (starts[n] for n in (token.map[0], token.map[0] + 1, token.map[1]))
            if token.type == "inline" and before != "heading_open" and not in_table:
                start += _content_start(body[start:line_end], token.content)
                if not _BOLD_LINE.fullmatch(body[start:end].strip()):
                    yield start, end
            elif token.type == "tr_open" and before != "thead_open":
                yield from _row(body, start, end)
            elif token.type in ("code_block", "html_block"):
                yield from _between(_BLOCK_TAG, body, start, end)
        before = token.type


def _row(body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    whole = end - start <= ROW
    yield from [(start, end)] if whole else _between(_CELL, body, start, end)


def _content_start(line: str, content: str) -> int:
    """Where in its first source line a paragraph begins, behind the markers of lists and quotes."""
    return max(line.rstrip().rfind(content.partition("\n")[0].strip()), 0)


def _between(separator: re.Pattern[str], body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in separator.finditer(body, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


def _cut(body: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    text, offsets = _seen(body, start, end)
    for boundary in _boundaries(text, language):
        last = offsets[boundary - 1] + 1
        blank = _BLANK.search(body, last, offsets[boundary])
        at = blank.start() if blank else last
        yield start, at
        start = at
    yield start, end


def _seen(body: str, start: int, end: int) -> tuple[str, list[int]]:
    """The text as a reader sees it, no stop inside code and links; and the offset of each of its characters."""
    text: list[str] = []
    offsets: list[int] = []
    for match in _MARKUP.finditer(body, start, end):
        text.append(body[start : match.start()])
        offsets.extend(range(start, match.start()))
        if match.lastgroup:
            text.append(_STOP.sub("x", match[match.lastgroup]))
            offsets.extend(range(*match.span(match.lastgroup)))
        start = match.end()
    text.append(body[start:end])
    offsets.extend(range(start, end))
    return _LINE.sub(" ", "".join(text)), offsets


def _boundaries(text: str, language: str) -> Iterator[int]:
    """Where in a text a new sentence begins."""
    begun = 0
    for boundary in _candidates(text, language):
        if _ends(text[max(begun, boundary - 80) : boundary], text[boundary : boundary + 40], language):
            yield boundary
            begun = boundary


def _candidates(text: str, language: str) -> Iterator[int]:
    at = 0
    while at < len(text):
        window, more = text[at : at + WINDOW], at + WINDOW < len(text)
        found = {found["start_index"] for found in sentencex.get_sentence_boundaries(language, window)}
        found |= {match.end() for match in _OFTEN_LAST.finditer(window)}
        cuts = sorted(found - {0, len(window)}) or [len(window)] * more
        yield from (at + cut for cut in cuts)
        at += cuts[-1] if more else len(window)


def _ends(before: str, after: str, language: str) -> bool:
    """Whether the splitter is right that a sentence ends here, judged by the words around it."""
    following = next(filter(str.isalnum, after), "")
    words = [word.strip(_AROUND).lower() for word in _WORDS.findall(before)[-2:]]
    if not following or _is_small(following) or not any(map(str.isalnum, before)):
        return False
    if _QUOTED.search(before) and _GOES_ON.match(after):
        return False
    if not before.rstrip(_AROUND + " ").endswith(".") or before.rstrip().endswith(".."):
        return True
    word = words[-1].rstrip(".")
    if word.isdecimal():
        return len(words) > 1 and not _ordinal(words[0], after, language)
    if following.isdecimal() and _BEFORE_NUMBER.fullmatch(word):
        return False
    return not _NEVER_LAST.fullmatch(word)


def _is_small(letter: str) -> bool:
    """Whether a letter begins no sentence; Georgian is written without capitals, though Unicode knows some."""
    return letter.islower() and not "ა" <= letter <= "ჿ"


def _ordinal(before: str, after: str, language: str) -> bool:
    return bool(_MONTH.match(after) or (language == "de" and _BEFORE_ORDINAL.fullmatch(before)))


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
    start += len(body[start:end]) - len(body[start:end].lstrip(_EDGE))
    return start, start + len(body[start:end].rstrip(_EDGE))
