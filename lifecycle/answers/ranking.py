"""Which passages answer a question: BM25 over stems and topics, and where there is a model the meaning as well."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifecycle.answers.counting import Words, count
from lifecycle.answers.language import Asked, Language
from lifecycle.answers.passages import Passage

if TYPE_CHECKING:
    from lifecycle.answers.meaning import Meaning

# BM25's saturation and its regard for length.
K1, B = 1.2, 0.75
# What the rest of its section adds to a passage.
SECTION = 0.2
# What a topic the text does not know weighs when the words that named it name another that it does.
ALTERNATIVE = 0.2
# A name that the text knows: a question that speaks of Google is about the passage that does.
NAMED = 3.0
# A question for a period or a sum is hardly answered by a passage that holds none.
LACKING = 0.7
# A question that names no topic of the field is seldom one that a policy answers.
OFF_TOPIC = 0.65
# A passage that only points on to another part of the text is the poorer answer.
POINTING = 0.85
_POINTING = re.compile(
    r"\]\(#|\b(?:see|described?|explain\w*|defined|listed|found|set (?:out|forth)|contained|refer to|outlined)\b"
    r"[^.;]{0,60}?\b(?:section|clause|article|paragraph)s?\b|\b(?:see|described?|explain\w*|listed|defined)\b"
    r"[^.;]{0,60}?\b(?:below|above)\b|\bsiehe\b|\b(?:nachstehend|(?:weiter )?(?:unten|oben)) "
    r"(?:beschrieben|genannt|aufgeführt|erläutert|dargestellt|definiert)",
    re.IGNORECASE,
)
_HINTS = ("](#", "section", "clause", "article", "paragraph", "below", "above", "siehe", "nachstehend", "unten", "oben")
# What readers must not do says little of what they ask whether we do.
OF_OTHERS = 0.6
_ASKS_OF_US = re.compile(
    r"\W*(?:(?:so|and|but|hey|please|pls),? )?(?:do|does|did|will|would|are|have|is|can|could) (?:you|u|ya|they)\b"
    r"(?! (?:allow|let|permit|forbid|prohibit|ban|tolerate|mind|require|need))"
    r"|\W*(?:\w+t ihr|(?!dürfen|müssen|erlauben|verbieten)\w+en sie)\b",
    re.IGNORECASE,
)
_FORBIDS = re.compile(
    r"\W*(?:(?:in addition|furthermore|also),? )?(?:you|users?|customers?|members?) "
    r"(?:may|must|shall|can|will|agree|are|should)(?:n't| ?not)\b"
    r"|\W*(?:sie|nutzer|kunden|ihr|du) (?:dürfen|können|müssen|sollen|dürft|darfst)\b[^.;]{0,60}\b(?:nicht|keine\w*)\b",
    re.IGNORECASE,
)
# With a model, the likeness of meaning counts whole and the words this much.
WORDS = 0.5

BECAUSE = 4  # so many reasons are told for a hit

# Who a text is by: the first company it names near its beginning.
_COMPANY = re.compile(
    r"((?:[A-Z0-9][\w.&-]* ){0,3}[A-Z0-9][\w.&-]*),? (?:Inc|LLC|Ltd|Limited|GmbH|AG|SE|UG|Corp|B\.V|S\.A|SAS|Pty)\b"
)
_OPENING = 12
_NAME = re.compile(r"[A-Z]\w{2,}")
_YOU = {"de": "ihr"}


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage, its score, and the words of the question that it holds or is about, weightiest first."""

    passage: Passage
    score: float
    because: tuple[str, ...] = ()


class Index:
    """The passages of one body, ready for questions in its language. Never changes: threads may share it.

    `names` are what the operator is called: in a question they say no more than "you". With a `meaning`, scores are
    of another scale than without. `words` are those of the passages, if they were counted before.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        *,
        locale: str,
        names: str = "",
        meaning: Meaning | None = None,
        words: Words | None = None,
    ) -> None:
        self.passages = tuple(passages)
        self._language = Language.of(locale)
        self._you = _YOU.get(self._language.code, "you")
        self._author = _author(self.passages, names)
        self._meaning = meaning
        self._words = words or count(self.passages, self._language)
        lengths = [len(passage.text) + len(passage.leading) for passage in self.passages]
        mean = sum(lengths) / max(len(lengths), 1)
        self._worth = [POINTING if _points_on(passage.text) else 1.0 for passage in self.passages]
        self._damping = [K1 * (1 - B + B * length / mean) for length in lengths]

    def search(self, question: str, *, k: int = 5) -> list[Hit]:
        """At most `k` passages with something of the question in them, best first, ties in the text's order.

        Scores compare across bodies that are read the same way: without a model 0 is nothing and 1 all of the question.
        """
        question = self._author.sub(self._you, question) if self._author else question
        asked = self._language.asked(question, self._words.long)
        parts = self._parts(asked)
        scores = self._by_words(parts)
        if self._meaning and scores:
            likeness = self._meaning.likeness(question)
            scores = {n: like + WORDS * scores.get(n, 0.0) for n, like in enumerate(likeness)}
        for shape in parts.keys() & self._language.needed:
            having = self._words.places(shape)
            scores = {n: score if n in having else LACKING * score for n, score in scores.items()}
        scores = {n: score * self._worth[n] for n, score in scores.items()}
        if _ASKS_OF_US.match(question):
            scores = {n: OF_OTHERS * s if _FORBIDS.match(self.passages[n].text) else s for n, s in scores.items()}
        best = sorted(scores, key=lambda n: (-scores[n], n))[:k]
        return [Hit(self.passages[n], scores[n], _reasons(parts, asked.words, n)) for n in best]

    def _by_words(self, parts: Mapping[str, tuple[float, Mapping[int, float]]]) -> dict[int, float]:
        """The share of the question's weight that is in each passage, and a little for what is around it."""
        scores: dict[int, float] = defaultdict(float)
        around: dict[int, dict[str, float]] = defaultdict(dict)
        for term, (_, found) in parts.items():
            for n, part in found.items():
                scores[n] += part
                section = around[self.passages[n].section]
                section[term] = max(section.get(term, 0.0), part)
        sums = {section: sum(best.values()) for section, best in around.items()}
        whole = sum(weight for weight, _ in parts.values())
        return {
            n: ((1 - SECTION) * score + SECTION * sums[self.passages[n].section]) / whole for n, score in scores.items()
        }

    def _parts(self, asked: Asked) -> dict[str, tuple[float, Mapping[int, float]]]:
        """For each stem and topic of the question its weight, the rarer the more, and what of it each passage has."""
        spoken_of = frozenset[int]().union(*(at for name, at in asked.places.items() if name in self._words.postings))
        parts: dict[str, tuple[float, Mapping[int, float]]] = {}
        for term, (known, unknown) in asked.terms.items():
            seen = self._words.places(term)
            rarity = math.log(1 + (len(self.passages) - len(seen) + 0.5) / (len(seen) + 0.5))
            if not seen and asked.places.get(term, frozenset([-1])) <= spoken_of:
                unknown *= ALTERNATIVE
            weight = rarity * (known if seen else unknown) * (NAMED if term in self._words.names else 1)
            found = {n: weight * min(1.0, count * (K1 + 1) / (count + self._damping[n])) for n, count in seen.items()}
            parts[term] = (weight / (1 if asked.on_topic else OFF_TOPIC), found)
        return parts


def _points_on(text: str) -> bool:
    """Most texts are told by plain words, which is many times faster than the pattern."""
    small = text.lower()
    return any(hint in small for hint in _HINTS) and _POINTING.search(text) is not None


def _reasons(
    parts: Mapping[str, tuple[float, Mapping[int, float]]], words: Mapping[str, str], n: int
) -> tuple[str, ...]:
    shares = {term: found[n] for term, (_, found) in parts.items() if n in found and term in words}
    weightiest = sorted(shares, key=lambda term: (-shares[term], term))
    return tuple(dict.fromkeys(words[term] for term in weightiest))[:BECAUSE]


def _author(passages: Sequence[Passage], names: str) -> re.Pattern[str] | None:
    """What the author of the text is called, in the text itself and by `names`."""
    opening = (match[1] for passage in passages[:_OPENING] if (match := _COMPANY.search(passage.text)))
    words = set(_NAME.findall(f"{names} {next(opening, '')}")) - {"Your", "The"}
    return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(words))) + r")\b", re.IGNORECASE) if words else None
