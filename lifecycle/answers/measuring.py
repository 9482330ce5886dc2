"""How well questions are answered: measured on labelled ones, and the thresholds that suit them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlmodel import Session

from lifecycle.answers import answering
from lifecycle.answers.answering import Thresholds
from lifecycle.answers.sources import Source, sources
from lifecycle.documents import sections
from lifecycle.errors import InvalidInput
from lifecycle.settings import Settings

# What is lost by a wrong answer, or by answering what the text does not hold, beside what a right one gains.
LOSS = 3.0
# Among questions that no text answers, so few may be shown passages that come close.
SHOWN_IN_VAIN = 0.34


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and the sections that answer it, as `slug#section`; none when no text does. One line of a file."""

    question: str
    sections: tuple[str, ...] = ()
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """How a question fared: its score, and the places (from 1) of the sections that answer it, the best alone."""

    labelled: Labelled
    score: float
    place: int | None

    @property
    def answerable(self) -> bool:
        return bool(self.labelled.sections)


@dataclass(frozen=True, slots=True)
class Table:
    """What `assent answers evaluate` prints. Shares are of the answerable or of the unanswerable questions."""

    answerable: int
    unanswerable: int
    first: float
    in_three: float
    answered_right: float
    answered_wrong: float
    abstained_right: float
    auroc: float


def read_labelled(data: str, *, name: str) -> list[Labelled]:
    """The questions of a JSONL file: `{"question", "sections": ["slug#section"], "locale"}`, no sections: unanswerable.

    Raises InvalidInput that names the line.
    """
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                found.append(_labelled(_object(line)))
            except InvalidInput as error:
                raise InvalidInput(f"{name}, line {number}: {error}") from None
    if not any(each.sections for each in found) or all(each.sections for each in found):
        raise InvalidInput(
            f"{name} needs questions that a text answers and questions that none does; it has {len(found)} in all."
        )
    return found


def _object(line: str) -> dict[str, object]:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidInput(
            'the line is not a JSON object such as {"question": "May I resell it?", "sections": ["terms#4.2"]}; '
            "each question is one line"
        )
    return given


def _labelled(given: dict[str, object]) -> Labelled:
    question, sections, locale = (given.get(key, default) for key, default in _KEYS.items())
    if unknown := given.keys() - _KEYS.keys() - {"kind", "note"}:
        raise InvalidInput(f"unknown: {', '.join(sorted(unknown))}; known are question, sections, locale, kind, note")
    if not isinstance(question, str) or not isinstance(locale, str) or not isinstance(sections, list):
        raise InvalidInput("`question` and `locale` are texts, `sections` a list such as ['privacy-policy#4.4']")
    if bad := [each for each in sections if not isinstance(each, str) or "#" not in each]:
        raise InvalidInput(f"{bad[0]!r} is not a document and a section, such as 'privacy-policy#4.4'")
    return Labelled(answering.checked(question), tuple(sections), locale)


_KEYS: dict[str, object] = {"question": "", "sections": [], "locale": ""}


def fare(
    session: Session, questions: Iterable[Labelled], *, settings: Settings, documents: Sequence[str] = (), now: datetime
) -> list[Ranked]:
    """How each question fares on the texts in force. Raises InvalidInput for a section that is in none of them."""
    in_order = sorted(questions, key=lambda labelled: labelled.locale)
    ranked: list[Ranked] = []
    for locale, group in groupby(in_order, key=lambda labelled: labelled.locale):
        read = sources(session, settings=settings, documents=documents, locale=locale, now=now)
        ranked += [fare_on(read, labelled, settings=settings) for labelled in group]
    return ranked


def fare_on(read: Sequence[Source], labelled: Labelled, *, settings: Settings) -> Ranked:
    """How one question fares on these texts; what asks for an act scores nothing, for it is never answered."""
    wanted = {place for reference in labelled.sections for place in _places(read, reference)}
    if answering.aside(labelled.question, read):
        return Ranked(labelled, 0.0, None)
    found = answering.rank(labelled.question, read, settings=settings, k=50)
    in_order = list(dict.fromkeys(each.section for each in found))
    place = next((n for n, section in enumerate(in_order, 1) if section in wanted), None)
    return Ranked(labelled, found[0].hit.score if found else 0.0, place)


def _places(read: Sequence[Source], reference: str) -> Iterator[tuple[str, int]]:
    """The section meant and those below it."""
    slug, _, name = reference.partition("#")
    source = next((source for source in read if source.document.slug == slug), None)
    found = sections.find(source.reading.sections, name) if source else None
    if source is None or found is None:
        raise InvalidInput(f"{reference!r} is in no text in force; sections are named by number, anchor or title.")
    yield slug, found.position
    for below in source.reading.sections[found.position + 1 :]:
        if below.level <= found.level:
            break
        yield slug, below.position


def table(ranked: Sequence[Ranked], answered: float) -> Table:
    """The figures of these questions when scores from `answered` on answer."""
    right, wrong = [r for r in ranked if r.answerable], [r for r in ranked if not r.answerable]
    return Table(
        len(right),
        len(wrong),
        _share(right, [r.place == 1 for r in right]),
        _share(right, [r.place is not None and r.place <= 3 for r in right]),
        _share(right, [r.score >= answered and r.place == 1 for r in right]),
        _share(right, [r.score >= answered and r.place != 1 for r in right]),
        _share(wrong, [r.score < answered for r in wrong]),
        _auroc([r.score for r in right], [r.score for r in wrong]),
    )


def tune(ranked: Sequence[Ranked]) -> Thresholds:
    """The thresholds that gain most on these questions, where a wrong answer loses what LOSS right ones gain.

    Among equally good ones the strictest, half-way to the next score; silence is better than a wrong answer.
    """
    scores = sorted({r.score for r in ranked} | {0.0, max(r.score for r in ranked) + 0.1})
    answered = max(scores, key=lambda at: (_gain(ranked, at), at))
    below = max((score for score in scores if score < answered), default=0.0)
    vain = sorted((r.score for r in ranked if not r.answerable), reverse=True)
    closest = vain[int(SHOWN_IN_VAIN * len(vain))] if vain else 0.0
    answered = (answered + below) / 2
    return Thresholds(round(answered, 3), round(min(closest, answered), 3))


def _gain(ranked: Sequence[Ranked], answered: float) -> float:
    spoken = [r for r in ranked if r.score >= answered]
    right = sum(r.place == 1 for r in spoken)
    return right - LOSS * (len(spoken) - right)


def _share(of: Sequence[Ranked], holds: Sequence[bool]) -> float:
    return sum(holds) / len(of) if of else 0.0


def _auroc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """How often an answerable question scores above an unanswerable one; a tie is half."""
    pairs = [(a > b) + (a == b) / 2 for a in right for b in wrong]
    return sum(pairs) / len(pairs) if pairs else 0.0
