"""The date that a text carries about itself: "Last updated", "Stand:", "Dernière mise à jour", in many languages.

Rather no date than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from lifecycle.documents.date_readings import SHORT, readings
from lifecycle.documents.month_names import any_of, fold, languages

REACH, NEAR = 50, 10  # characters between a cue and the date after it, in a short line and in a long one
BEHIND = 25  # and between a date and the cue after it, or the start of a line and its cue
LONG = 1_000  # characters of a line beyond which no date is looked for
HEAD, FOOT = 15, 6  # lines in which a date may stand without a cue

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LINE = re.compile(r"[^\r\n]+")
_LAW = re.compile(
    r"\b(?:bdsg|ds-?gvo|gdpr|rgpd|avg|rodo|(?:regulation|directive|reglement|reglamento|regolamento|verordnung|richtlinie"
    r"|directiva|direttiva|diretiva) \(?(?:[a-z]{2,3}\)|n[o°.]|\d)"
    r"|[a-z]*gesetz(?:es)?\b|loi n|decret|ley organica|legge n)"
)
_SOME_DAY = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
_UNSEEN = re.compile(
    r"\]\([^()\s]*\)|</?[a-z][^<>]*>|&nbsp;|[*_\\~#>|\[\]`\u200b-\u200f\u2066-\u2069\ufeff]", re.IGNORECASE
)


class DateKind(StrEnum):
    """What a date in a text is said to be: of its words, of their binding, or only printed."""

    UPDATED = "updated"
    EFFECTIVE = "effective"
    PRINTED = "printed"


@dataclass(frozen=True, slots=True)
class TextDate:
    """A date in a body: `line` is where it stands; `on` is None where it can be read in two ways, or not at all."""

    kind: DateKind
    on: date | None
    line: str
    start: int
    end: int


def text_dates(body: str, *, locale: str) -> list[TextDate]:
    """The dates that a text carries about itself, the surest first: one beside a cue like "Last updated" or
    "Gültig ab", then one alone on its line among the first or the last lines. `locale` decides 05/12."""
    seen = [match.span() for match in _LINE.finditer(body) if _shows(match[0])]
    found: list[TextDate] = []
    for place, (start, end) in enumerate(seen):
        if not _SOME_DAY.search(body, start, min(end, start + LONG)):
            continue
        head = place < HEAD and "](" not in body[start:end]
        edge = place < HEAD or place >= len(seen) - FOOT
        before, after = seen[place - 1] if place else (0, 0)
        line, label = (body[a : min(b, a + LONG)] for a, b in ((start, end), (before, after)))
        found += [
            TextDate(kind, on, body[start:end].strip(" *_#>|\\"), start, end)
            for kind, on in _of_line(line, label, locale, head=head, edge=edge)
        ]
    return sorted(found, key=lambda one: (one.on is None, one.kind is DateKind.PRINTED))


def _shows(line: str) -> bool:
    """Whether a reader sees anything of a line."""
    return line[:1].isalpha() or bool(_UNSEEN.sub(" ", line[:LONG]).strip())


def offered(body: str, *, locale: str) -> date | None:
    """The date to offer for a text; None where it carries none that is certain."""
    return next((found.on for found in text_dates(body, locale=locale) if found.on), None)


def cued(line: str) -> bool:
    """Whether a line has words that date a text, like "Last updated", in any language."""
    return bool(_cues(_folded(line)))


def disagreements(body: str, *, locale: str, on: Sequence[date]) -> list[str]:
    """What to warn of: a date in the text that is none of those on record, or that cannot be read for certain."""
    known = " or ".join(day.isoformat() for day in dict.fromkeys(on))
    warnings = []
    for found in text_dates(body, locale=locale)[:3]:
        if found.on is None:
            warnings.append(f"The text says “{found.line}”, which cannot be read as one date for certain.")
        elif found.on not in on:
            warnings.append(f"The text says “{found.line}” ({found.on.isoformat()}), but on record is {known}.")
    return warnings


@lru_cache(maxsize=2048)  # two versions of a text have most of their lines in common
def _of_line(line: str, label: str, locale: str, *, head: bool, edge: bool) -> list[tuple[DateKind, date | None]]:
    """What dates a line says, by what it says, or by the line before it."""
    line = _folded(line)
    if not any(map(str.isdigit, line)) or line.startswith("{:"):
        return []
    return list(_dates(line, locale, label=label if head else "", head=head, edge=edge))


def _dates(line: str, locale: str, *, label: str, head: bool, edge: bool) -> Iterator[tuple[DateKind, date | None]]:
    short = len(line) <= SHORT
    cues = _cues(line) if edge else _cues(line[: BEHIND + REACH]) if short else []
    if not edge and min((start for start, _, _ in cues), default=SHORT) > BEHIND:
        return
    read = readings(line, locale)
    for start, end, on in read:
        kind = _kind(line, cues, start, end) if len(read) <= len(cues) else None
        if kind:
            yield kind, on
        elif head and len(read) == 1 and _alone(line, start, end):
            yield next((cue for _, _, cue in _label(label)), DateKind.PRINTED), on


def _kind(line: str, cues: Sequence[tuple[int, int, DateKind]], start: int, end: int) -> DateKind | None:
    """What the nearest cue says of the date at `start`: the last one before it, else the first one after it.

    A long line may speak of another text, a law say, so its cue must stand close and be plain: "last updated".
    After the name of a law a date is the law's.
    """
    if _LAW.search(line, 0, start):
        return None
    if len(line) > SHORT:
        close = [line[a:b] for a, b, kind in cues if 0 <= start - b <= NEAR and kind is DateKind.UPDATED]
        return DateKind.UPDATED if any(" " in cue for cue in close) else None
    before = [kind for _, b, kind in cues if 0 <= start - b <= REACH and not any(map(str.isdigit, line[b:start]))]
    behind = [kind for cue_start, _, kind in cues if 0 <= cue_start - end <= BEHIND]
    return before[-1] if before else behind[0] if behind else None


def _alone(line: str, start: int, end: int) -> bool:
    """Whether a line holds little but the date: a weekday, a place, a "г."."""
    rest = f"{line[:start]} {line[end:]}"
    words = [letters for word in rest.split() if (letters := sum(map(str.isalpha, word))) > 1]
    return len(words) <= 2 and sum(letters > 3 for letters in words) <= 1 and sum(words) <= 20


@lru_cache
def _cue_words() -> dict[str, DateKind]:
    kinds = (DateKind.UPDATED, DateKind.EFFECTIVE)
    return {fold(word): kind for table in languages().values() for kind in kinds for word in table.get(kind, [])}


@lru_cache
def _cue_pattern() -> re.Pattern[str]:
    # Chinese and Japanese write no spaces, Thai neither: there a cue may stand inside a run of letters.
    spaced = [word for word in _cue_words() if not _UNSPACED.match(word)]
    unspaced = sorted((word for word in _cue_words() if _UNSPACED.match(word)), key=len, reverse=True)
    return re.compile(f"{any_of(tuple(spaced)).pattern}|{'|'.join(map(re.escape, unspaced))}")


def _cues(line: str) -> list[tuple[int, int, DateKind]]:
    return [(*match.span(), _cue_words()[match[0]]) for match in _cue_pattern().finditer(line)]


def _label(line: str) -> list[tuple[int, int, DateKind]]:
    """The cues in a line that is short enough to say what the date on the next one is."""
    line = _folded(line)
    return _cues(line) if len(line) <= REACH else []


def _folded(line: str) -> str:
    """A line as it is compared: what a reader sees of it, without case, accents and the digits of other scripts."""
    return " ".join(fold(_UNSEEN.sub(" ", line)).split())
