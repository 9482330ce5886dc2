"""From a body and its sections to passages: the sentences, list items and table rows that may be quoted."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lifecycle.documents.sections import Section
from lifecycle.documents.sentences import sentences

SHORTEST = 3

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_TARGET = re.compile(r"\]\([^()\s]*\)")
_DATED = re.compile(
    r"\W*(?:last (?:updated?|modified|revised|revision|changed)|effective|updated|revised|stand|gültig ab|"
    r"zuletzt (?:aktualisiert|geändert)|letzte (?:aktualisierung|änderung)|dernière mise à jour)"
    r"(?:\W+(?:date|as of|from|on|am|vom|ab|le))?\W+(?:[^\W\d]+\W+){0,2}\d[\w .,/:-]{0,20}\W*",
    re.IGNORECASE,
)
# A heading that stands as a sentence: behind its number every word but the smallest begins with a capital.
_SMALL = "an?|and|as|at|by|for|from|in|of|on|or|our|the|to|with|your|und|oder|der|die|das|des|von|zu|für|ihre"
_TITLED = re.compile(
    rf"\W*\d{{1,3}}(?:\\?\.\d{{1,3}})*\W+(?=.*[A-Z][a-z])(?:(?:\d+|[A-ZÄÖÜ]\S*|(?:{_SMALL})\b)[^\w\s]*(?:\s+|$)[^\w\s]*)+"
)
# What stands before a sentence on its line, by which it belongs to a list, and by which it goes on in one.
_ITEM = re.compile(r"\s*(?:>\s*)*(?:[-*+•]|\(?\w{1,4}[.)])\s+.*", re.DOTALL)
_GOES_ON = re.compile(r"(?:\s{2,}|\t|>).*", re.DOTALL)
_TABLE = re.compile(
    r"^[ \t]*(\|[^\r\n]*\|)[ \t]*\r?\n[ \t]*\|[ \t:|-]+\|[ \t]*\r?\n(?:[ \t]*\|[^\r\n]*(?:\r?\n|$))*", re.M
)
_SHORT_LEAD_IN = re.compile(r"\w+ \w+:")  # "We may:" says nothing alone, and neither do the items below it without it
_INTRODUCES = (":", ":**", ":_", ":*", "：")


@dataclass(frozen=True, slots=True)
class Passage:
    """What an answer may quote: `text` is `body[start:end]`, verbatim. What stands above it helps to find it.

    `heading` are the headings, never quoted; `leading` is the head of a table or the sentence before a list, and
    `lead_in` the place of that sentence among the passages, for an item says little without it.
    """

    section: int
    start: int
    end: int
    text: str
    heading: str
    leading: str = ""
    lead_in: int | None = None


def passages(body: str, sections: Sequence[Section], *, locale: str) -> list[Passage]:
    """The passages of a body in order, each inside one of the sections that `split` made of that body.

    Headings, bold lines standing as headings, dates of the text and fragments under three words are left out.
    """
    starts = [section.start for section in sections]
    heads = [(match.start(), match.end(), match[1]) for match in _TABLE.finditer(body)]
    found: list[Passage] = []
    lead_in: int | None = None
    for sentence in sentences(body, locale=locale):
        section = sections[bisect_right(starts, sentence.start) - 1]
        before = body[body.rfind("\n", 0, sentence.start) + 1 : sentence.start]
        listed = _ITEM.fullmatch(before) or (lead_in is not None and _GOES_ON.fullmatch(before))
        if not listed or (lead_in is not None and found[lead_in].section != section.position):
            lead_in = None
        if _is_quotable(sentence.text) or (before.strip() and not listed and _SHORT_LEAD_IN.fullmatch(sentence.text)):
            led = lead_in if listed else None
            leading = found[led].text if led is not None else _head(heads, sentence.start)
            heading = " › ".join(_names(section))
            place = (section.position, sentence.start, sentence.end)
            found.append(Passage(*place, sentence.text, heading, leading, led))
            if sentence.text.endswith(_INTRODUCES) or (not listed and sentence.text.endswith(",")):
                lead_in = len(found) - 1
    return found


def _is_quotable(text: str) -> bool:
    words = _TARGET.sub("", text)
    return len(_WORD.findall(words)) >= SHORTEST and not _DATED.fullmatch(words) and not _TITLED.fullmatch(words)


def _names(section: Section) -> Iterator[str]:
    return (name for name in (*section.path, section.title) if name and not _DATED.fullmatch(name))


def _head(heads: Sequence[tuple[int, int, str]], start: int) -> str:
    return next((head for begin, end, head in heads if begin + len(head) < start < end), "")
