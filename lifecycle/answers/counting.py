"""What the passages of a text say, counted: what takes long of making a text ready, and may be kept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lifecycle.answers.language import SHORTEST_TO_CORRECT, Language
from lifecycle.answers.passages import Passage

CONTEXT = 0.5  # what a word of the context counts beside one of the text

_LINK_TARGET = re.compile(r"\]\([^()\s]*\)")
_INSIDE = re.compile(r"(?<=[a-z,] )([A-Z][a-z]\w+)")
_SMALL = re.compile(r"\b[a-z]\w+")
_NOUNS_ARE_CAPITAL = {"de", "lb"}


@dataclass(frozen=True, slots=True)
class Words:
    """By stem or topic the passages that hold it and how often; the stems of proper names; words long enough to mend.

    Postings are two sequences, of places and of counts: of thousands of terms a question needs a few.
    """

    postings: Mapping[str, tuple[Sequence[int], Sequence[float]]]
    names: frozenset[str]
    long: frozenset[str]

    def places(self, term: str) -> dict[int, float]:
        return dict(zip(*self.postings.get(term, ((), ())), strict=True))


def count(passages: Sequence[Passage], language: Language) -> Words:
    """The words of the passages and, for less, of their headings and of what leads in to them."""
    postings: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    words: set[str] = set()
    contexts = {context: language.said(language.words(context)) for context in map(_context, passages)}
    for n, passage in enumerate(passages):
        said = language.words(_LINK_TARGET.sub("]", passage.text))
        words.update(said)
        for term, often in _terms(language.said(said), contexts[_context(passage)]).items():
            places, counts = postings[term]
            places.append(n)
            counts.append(often)
    names = _proper_names(passages, language) if language.code not in _NOUNS_ARE_CAPITAL else frozenset[str]()
    return Words(dict(postings), names, frozenset(word for word in words if len(word) >= SHORTEST_TO_CORRECT))


def _terms(said: Mapping[str, int], context: Iterable[str]) -> Mapping[str, float]:
    terms: dict[str, float] = defaultdict(float, said)
    for term in context:
        terms[term] += CONTEXT
    return terms


def _context(passage: Passage) -> str:
    return f"{passage.heading} {passage.leading}"


def _proper_names(passages: Sequence[Passage], language: Language) -> frozenset[str]:
    """The stems of words that stand with a capital inside sentences, and never without."""
    capital, small = set(), set()
    for passage in passages:
        text = _LINK_TARGET.sub("]", passage.text)
        capital |= {match[1].lower() for match in _INSIDE.finditer(text)}
        small |= set(_SMALL.findall(text))
    return frozenset(map(language.stem, capital - small))
