"""BM25 over the stems and topics of passages, with one score that tells an answer from silence."""

from __future__ import annotations

import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import snowballstemmer

from lifecycle.answers.passages import Passage

# Chosen by leave-one-policy-out (0.27 to 0.34), rounded up: silence is better than a wrong answer.
THRESHOLD = 0.35

# BM25's saturation and its regard for length; what a word of the heading counts beside one of the text.
K1, B = 0.9, 0.5
HEADING = 0.5

# What the parts of a question weigh, where the body knows them and where it does not: a topic; a word that
# named a topic, which the body may name by another; a word that means little in policies; any other word.
TOPIC, TOPICAL, COMMON, WORD = (1.0, 1.0), (0.7, 0.0), (0.4, 0.3), (1.0, 0.8)
# A question that names no topic of the field is seldom one that a policy answers.
OFF_TOPIC = 0.7

_SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
_UNKNOWN: Mapping[str, Any] = {"silent": "", "common": "", "spoken": {}, "topics": {}}
_LINK_TARGET = re.compile(r"\]\([^()\s]*\)")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
_APOSTROPHE = re.compile(r"['’](?:s\b)?")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_WILD = str.maketrans({"_": r"[\s-]+", "*": r"\w*", "?": r"\d"})


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage, and how much of the question's weight it covers: 0 nothing, 1 all."""

    passage: Passage
    score: float


class Index:
    """The passages of one body, ready for questions in its language. Never changes: threads may share it."""

    def __init__(self, passages: Sequence[Passage], *, locale: str) -> None:
        self._passages = tuple(passages)
        self._language = _Language.of(locale)
        self._postings: dict[str, dict[int, float]] = defaultdict(dict)
        for n, passage in enumerate(self._passages):
            for term, count in self._terms(passage).items():
                self._postings[term][n] = count
        lengths = [len(passage.text) for passage in self._passages]
        mean = sum(lengths) / max(len(lengths), 1)
        self._damping = [K1 * (1 - B + B * length / mean) for length in lengths]

    def search(self, question: str, *, k: int = 5) -> list[Hit]:
        """At most `k` passages with something of the question in them, best first, ties in the text's order.

        Scores compare across bodies: where the first is under THRESHOLD, the body doesn't say.
        """
        weights = self._weights(question)
        scores: dict[int, float] = defaultdict(float)
        for term, weight in weights.items():
            for n, count in self._postings.get(term, {}).items():
                scores[n] += weight * min(1.0, count * (K1 + 1) / (count + self._damping[n]))
        best = sorted(scores, key=lambda n: (-scores[n], n))[:k]
        whole = sum(weights.values()) / (1 if self._language.on_topic(weights) else OFF_TOPIC)
        return [Hit(self._passages[n], scores[n] / whole) for n in best]

    def _terms(self, passage: Passage) -> Mapping[str, float]:
        terms: dict[str, float] = defaultdict(float)
        for term in self._language.said(_LINK_TARGET.sub("]", passage.text)):
            terms[term] += 1
        for term in set(self._language.said(passage.heading)):
            terms[term] += HEADING
        return terms

    def _weights(self, question: str) -> Mapping[str, float]:
        """Each stem and topic of the question with its weight: the rarer the more, most when unheard of."""
        weights = {}
        for term, (known, unknown) in self._language.asked(question).items():
            seen = len(self._postings.get(term, ()))
            rarity = math.log(1 + (len(self._passages) - seen + 0.5) / (seen + 0.5))
            weights[term] = rarity * (known if seen else unknown)
        return weights


class _Language:
    """How one language is read: its words without weight, its stems, its topics."""

    def __init__(self, code: str) -> None:
        self._code = code
        words = _lexicon().get(code, _UNKNOWN)
        self._spoken = {self._fold(short): self._fold(full) for short, full in words["spoken"].items()}
        self._silent = frozenset(self._fold(words["silent"]).split())
        self._common = frozenset(map(self._stem, self._fold(words["common"]).split()))
        topics = words["topics"].items()
        self._saying = {name: self._pattern(topic["said"]) for name, topic in topics}
        self._asking = {name: self._pattern(topic["said"] + " " + topic["asked"]) for name, topic in topics}

    @staticmethod
    def of(locale: str) -> _Language:
        return _language(re.split("[-_]", locale.lower())[0])

    def said(self, text: str) -> Iterator[str]:
        """The stems and topics (`@name`) of a passage."""
        text = self._fold(text)
        yield from (self._stem(word) for word in _WORD.findall(text) if word not in self._silent)
        yield from (f"@{name}" for name, pattern in self._saying.items() if pattern.search(text))

    def asked(self, text: str) -> Mapping[str, tuple[float, float]]:
        """The stems and topics of a question, each with what it weighs where known and where not."""
        text = _WORD.sub(lambda match: self._spoken.get(match[0], match[0]), self._fold(text))
        named = [(name, match) for name, pattern in self._asking.items() for match in pattern.finditer(text)]
        inside = {n for _, match in named for n in range(*match.span())}
        terms = {f"@{name}": TOPIC for name, _ in named}
        for match in _WORD.finditer(text):
            if match[0] not in self._silent:
                stem = self._stem(match[0])
                terms[stem] = TOPICAL if match.start() in inside else COMMON if stem in self._common else WORD
        return terms

    def on_topic(self, terms: Iterable[str]) -> bool:
        """Whether a question names a topic; in a language without topics, every question is taken to."""
        return not self._asking or any(term.startswith("@") for term in terms)

    def _fold(self, text: str) -> str:
        folded = _APOSTROPHE.sub("", text.lower())
        return folded.translate(_UMLAUTS) if self._code == "de" else folded

    def _pattern(self, words: str) -> re.Pattern[str]:
        return re.compile(r"\b(?:" + "|".join(self._fold(words).translate(_WILD).split()) + r")\b")

    def _stem(self, word: str) -> str:
        return _stem(_SNOWBALL.get(self._code, ""), word)


@cache
def _lexicon() -> Mapping[str, Any]:
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def _language(code: str) -> _Language:
    return _Language(code)


@lru_cache(maxsize=100_000)
def _stem(algorithm: str, word: str) -> str:
    """By a new stemmer each time: a stemmer holds the word it works on, and threads may search at once."""
    return str(snowballstemmer.stemmer(algorithm).stemWord(word)) if algorithm else word
