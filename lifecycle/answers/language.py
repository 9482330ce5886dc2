"""How a language is read: its words, their stems, the topics they name, and what a misspelt one was meant to be."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import snowballstemmer
from rapidfuzz import process
from rapidfuzz.distance import OSA

# What the parts of a question weigh, where the text knows them and where it does not: a topic; the form an answer
# takes; a word that named a topic, which the text may name by another; one that means little in policies; any other.
TOPIC, SHAPE, TOPICAL, COMMON, WORD = (1.2, 1.2), (0.3, 0.0), (0.5, 0.2), (0.3, 0.2), (1.0, 1.0)

# A shorter word is as likely another word as a slip; in a long one two slips are read over.
SHORTEST_TO_CORRECT, LONG_WORD = 5, 7

LEXICON = Path(__file__).with_name("lexicon")
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
_UNKNOWN: Mapping[str, Any] = {
    "silent": "",
    "common": "",
    "spoken": {},
    "topics": {},
    "shapes": {},
    "aside": {},
}
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
_APOSTROPHE = re.compile(r"['’](?:s\b)?")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart: what each of its stems and topics (`@name`) weighs where known and where not.

    `words` are those a term stands for, as they were read, none for the form of an answer. `places` are where the
    words that named a topic stand; `on_topic` tells that at least one is named, or that none could be.
    """

    terms: Mapping[str, tuple[float, float]]
    words: Mapping[str, str]
    places: Mapping[str, frozenset[int]]
    on_topic: bool


class Language:
    """One language; never changes once made."""

    def __init__(self, code: str) -> None:
        self.code = code
        words = _lexicon(code)
        self._spoken = {
            self._fold(short): tuple(_WORD.findall(self._fold(full))) for short, full in words["spoken"].items()
        }
        self._silent = frozenset(self._fold(words["silent"]).split())
        self._common = frozenset(map(self.stem, self._fold(words["common"]).split()))
        named = [(f"@{name}", topic) for kind in ("topics", "shapes") for name, topic in words[kind].items()]
        self._shapes = frozenset(f"@{name}" for name in words["shapes"])
        self.needed = frozenset(f"@{name}" for name, shape in words["shapes"].items() if shape.get("needed"))
        self._saying = _Patterns((name, self._fold(topic["said"])) for name, topic in named)
        self._asking = _Patterns((name, self._fold(topic["said"] + " " + topic["asked"])) for name, topic in named)
        self._asides = _Patterns((name, self._fold(patterns)) for name, patterns in words["aside"].items())
        self._known = self._saying.words | self._asking.words | self._silent | frozenset(self._spoken)
        self._correctable = sorted(word for word in self._known if len(word) >= SHORTEST_TO_CORRECT)

    @staticmethod
    def of(locale: str) -> Language:
        return _language(re.split("[-_]", locale.lower())[0])

    def words(self, text: str) -> list[str]:
        return _WORD.findall(self._fold(text))

    def said(self, words: Sequence[str]) -> Counter[str]:
        """The stems and topics of a passage, and how often each is there; a topic counts once."""
        terms = Counter(self.stem(word) for word in words if word not in self._silent)
        terms.update({name: 1 for name, _, _ in self._saying.find(words)})
        return terms

    def asked(self, question: str, vocabulary: Collection[str] = ()) -> Asked:
        """The question taken apart; a word in neither vocabulary nor lexicon is read as the one it is a slip of."""
        words = [word for typed in self.words(question) for word in self._meant(typed, vocabulary)]
        places: dict[str, frozenset[int]] = defaultdict(frozenset)
        for name, start, end in _widest(self._asking.find(words)):
            places[name] |= frozenset(range(start, end))
        inside = frozenset[int]().union(*(at for name, at in places.items() if name not in self._shapes))
        terms = {name: SHAPE if name in self._shapes else TOPIC for name in places}
        typed = {self._fold(word): word.lower() for word in _WORD.findall(question)}
        told = [typed.get(word, word) for word in words]
        named = {name: " ".join(told[n] for n in sorted(places[name])) for name in places.keys() - self._shapes}
        for n, word in enumerate(words):
            if word not in self._silent:
                stem = self.stem(word)
                named[stem] = told[n]
                terms[stem] = TOPICAL if n in inside else COMMON if stem in self._common else WORD
        if terms.keys() <= self._shapes:  # a form without a matter
            terms = {}
        return Asked(terms, named, places, bool(inside) or not self._known)

    def aside(self, question: str) -> str:
        """What the question asks for beside the policy's words, by the name of the lexicon; empty when nothing."""
        words = [word for typed in self.words(question) for word in self._spoken.get(typed, (typed,))]
        return next((name for name, _, _ in self._asides.find(words)), "")

    def stem(self, word: str) -> str:
        return _stem(_SNOWBALL.get(self.code, ""), word)

    def _meant(self, word: str, vocabulary: Collection[str]) -> tuple[str, ...]:
        if word in self._spoken:
            return self._spoken[word]
        unknown = not (word in vocabulary or word in self._known or word.isdecimal() or self._asking.names(word))
        if unknown and len(word) >= SHORTEST_TO_CORRECT and self._known:
            return (_likest(word, vocabulary) or _likest(word, self._correctable) or word,)
        return (word,)

    def _fold(self, text: str) -> str:
        folded = _APOSTROPHE.sub("", text.lower())
        return folded.translate(_UMLAUTS) if self.code == "de" else folded


class _Patterns:
    """Finds named word patterns in a run of words: whole words, beginnings, insides, digits, and phrases of these."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._whole: dict[str, list[str]] = defaultdict(list)
        self._beginnings: dict[str, list[str]] = defaultdict(list)
        self._insides: list[tuple[str, str]] = []
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        self._names: dict[str, tuple[str, ...]] = {}
        self._begun: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {}
        words = set()
        for name, patterns in named:
            for pattern in patterns.split():
                first, *rest = pattern.strip("_").split("_")
                words |= {part for part in (first, *rest) if part.isalpha()}
                if rest:
                    self._phrases[first.partition("*")[0]].append(((first, *rest), name))
                elif first.endswith("*") and "*" not in first[:-1]:
                    self._beginnings[first[:-1]].append(name)
                elif "*" in first:
                    self._insides.append((first, name))
                else:
                    self._whole[first].append(name)
        self.words = frozenset(words)

    def names(self, word: str) -> tuple[str, ...]:
        """The names whose one-word patterns the word fits."""
        found = self._names.get(word)
        if found is None:
            begun = (name for length in range(1, len(word) + 1) for name in self._beginnings.get(word[:length], ()))
            inside = (name for pattern, name in self._insides if _fits(pattern, word))
            found = (*self._whole.get(word, ()), *begun, *inside)
            if word.isdecimal():
                found += tuple(self._whole.get(_DIGIT.sub("?", word), ()))
                found += tuple(self._whole.get(word[:-1] + "?", ()))
            if len(self._names) < 100_000:
                self._names[word] = found
        return found

    def find(self, words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Each name found, with the words where its pattern starts and ends."""
        for n, word in enumerate(words):
            for name in self.names(word):
                yield name, n, n + 1
            for phrase, name in self._starting(word):
                end = n + len(phrase)
                if end <= len(words) and all(map(_fits, phrase[1:], words[n + 1 : end])):
                    yield name, n, end

    def _starting(self, word: str) -> tuple[tuple[tuple[str, ...], str], ...]:
        """The phrases whose first word it may be."""
        found = self._begun.get(word)
        if found is None:
            beginnings = {word[:length] for length in range(len(word) + 1)}
            if word.isdecimal():
                beginnings |= {_DIGIT.sub("?", word), word[:-1] + "?"}
            known = (option for beginning in sorted(beginnings) for option in self._phrases.get(beginning, ()))
            found = tuple(option for option in known if _fits(option[0][0], word))
            if len(self._begun) < 100_000:
                self._begun[word] = found
        return found


def _widest(found: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Without the phrases that are part of a longer one: "who can" says nothing once "who can I" is read."""
    found = list(found)
    phrases = [(start, end) for _, start, end in found if end - start > 1]
    return [
        (name, start, end)
        for name, start, end in found
        if end - start == 1 or not any(a <= start and end <= b and (a, b) != (start, end) for a, b in phrases)
    ]


@lru_cache(maxsize=200_000)
def _fits(pattern: str, word: str) -> bool:
    if "?" in pattern:
        return re.fullmatch(pattern.replace("?", r"\d").replace("*", r"\w*"), word) is not None
    if "*" not in pattern:
        return pattern == word
    before, _, after = pattern.partition("*")
    if not before and after.endswith("*"):
        return after[:-1] in word
    return word.startswith(before) and word.endswith(after) and len(word) >= len(before) + len(after)


def _likest(word: str, vocabulary: Collection[str]) -> str:
    """The word of the vocabulary one slip away, two from a long word on; empty when there is none."""
    slips = 1 if len(word) < LONG_WORD else 2
    found = process.extractOne(word, vocabulary, scorer=OSA.distance, score_cutoff=slips)
    return found[0] if found else ""


@cache
def _lexicon(code: str) -> Mapping[str, Any]:
    path = LEXICON / f"{code}.toml"
    return tomllib.loads(path.read_text("utf-8")) if code.isalpha() and path.is_file() else _UNKNOWN


@cache
def _language(code: str) -> Language:
    return Language(code)


@lru_cache(maxsize=200_000)
def _stem(algorithm: str, word: str) -> str:
    """By a new stemmer each time: a stemmer holds the word it works on, and threads may search at once."""
    return str(snowballstemmer.stemmer(algorithm).stemWord(word)) if algorithm else word
