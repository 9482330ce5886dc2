"""The date that a text carries about itself: "Last updated", "Stand:", "Dernière mise à jour", in many languages.

Names of months and the order of day and month are those of the Unicode CLDR, by way of Babel. Rather no date than a
wrong one: what can be read in two ways is not read.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel import Locale, UnknownLocaleError

REACH, NEAR = 50, 10  # characters between a cue and the date after it, in a short line and in a long one
BEHIND = 25  # and between a date and the cue after it, or the start of a line and its cue
SHORT = 160  # characters of a line that speaks of the text itself
LONG = 1_000  # characters of a line beyond which no date is looked for
HEAD, FOOT = 15, 6  # lines in which a date may stand without a cue
ALIKE = 0.75  # how much of its letters an unknown word shares with the month it is taken for

_LINE = re.compile(r"[^\r\n]+")
_UNSEEN = re.compile(
    r"\]\([^()\s]*\)|</?[a-z][^<>]*>|&nbsp;|[*_\\~#>|\[\]`\u200b-\u200f\u2066-\u2069\ufeff]", re.IGNORECASE
)
_YEAR = r"(?<!\d)(?P<y>(?:199|20\d|25[3-9]|26[0-4])\d)(?!\d)"
_DAY = r"(?<!\d)(?P<d>\d{1,2})(?!\d)"
_MONTH = r"(?<!\d)(?P<m>\d{1,2})(?!\d)"
_NAMED = r"(?P<m>[\ue001-\ue00c])(?P=m)*"  # a month's name, every letter replaced by the month
_SMALL = r"gada|roku|года|року|year|ngay|jour|жылгы|тоны|urteko|vuoden|aasta|metu|(?:(?!\d)\w[\u0900-\u0dff]*){1,3}"
_BETWEEN = r"[\s.,،;:/'’´`º°ª()-]"
_GAP = rf"{_BETWEEN}*(?:(?:{_SMALL}){_BETWEEN}+){{0,2}}(?:{_SMALL})?{_BETWEEN}*"
_ORDERS = [
    re.compile(_GAP.join(order))
    for order in ((_DAY, _NAMED, _YEAR), (_NAMED, _DAY, _YEAR), (_YEAR, _NAMED, _DAY), (_YEAR, _DAY, _NAMED))
]
_COUNTED = [
    re.compile(rf"{_YEAR}\s?(?P<by>[-./])\s?{_MONTH}\s?(?P=by)\s?{_DAY}"),
    re.compile(rf"{_YEAR}\s*[年년]\s*{_MONTH}\s*[月월]\s*{_DAY}\s*[日일]"),
    re.compile(rf"(?P<era>令和|平成|民國|民国)\s*(?P<y>\d{{1,3}}|元)\s*年\s*{_MONTH}\s*月\s*{_DAY}\s*日"),
    re.compile(rf"{_DAY}\s+th(?:an)?g\s+{_MONTH}\s*(?:nam|,|/|-)?\s*{_YEAR}"),
]
_ERAS = {"令和": 2018, "平成": 1988, "民國": 1911, "民国": 1911}
_YEAR_LAST = re.compile(
    r"(?<![\d.])(?P<one>\d{1,2})\s?(?P<by>[-./])\s?(?P<two>\d{1,2})\s?(?P=by)\s?(?P<y>\d{4}|\d{2})(?!\d|[./-]\d)"
)
_UNREADABLE = [re.compile(f"{_DAY}{_GAP}{_NAMED}"), re.compile(f"{_NAMED}{_GAP}{_DAY}")]
_ACCENTED = re.compile(r"[a-z\u0370-\u052f]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD = re.compile(r"[^\s\d.,;:()/“”\"'’\ue001-\ue00c-]{3,}")

Reading = tuple[int, int, date | None]


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
    lines = [(match.span(), _folded(match[0][:LONG])) for match in _LINE.finditer(body)]
    seen = [(span, line) for span, line in lines if line]
    found: list[TextDate] = []
    label = ""
    for place, ((start, end), line) in enumerate(seen):
        head = place < HEAD and "](" not in body[start:end]
        edge = place < HEAD or place >= len(seen) - FOOT
        if any(map(str.isdigit, line)) and not line.startswith("{:"):
            found += [
                TextDate(kind, on, body[start:end].strip(" *_#>|\\"), start, end)
                for kind, on in _of_line(line, label, locale, head=head, edge=edge)
            ]
        label = line if len(line) <= REACH else ""
    return sorted(found, key=lambda one: (one.on is None, one.kind is DateKind.PRINTED))


def offered(body: str, *, locale: str) -> date | None:
    """The date to offer for a text; None where it carries none that is certain."""
    return next((found.on for found in text_dates(body, locale=locale) if found.on), None)


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


def _of_line(line: str, label: str, locale: str, *, head: bool, edge: bool) -> Iterator[tuple[DateKind, date | None]]:
    short = len(line) <= SHORT
    cues = _cues(line) if edge else _cues(line[: BEHIND + REACH]) if short else []
    if not edge and min((start for start, _, _ in cues), default=SHORT) > BEHIND:
        return
    readings = _readings(line, locale)
    for start, end, on in readings:
        kind = _kind(line, cues, start, end) if len(readings) <= len(cues) else None
        if kind:
            yield kind, on
        elif head and len(readings) == 1 and _alone(line, start, end):
            yield next((cue for _, _, cue in _cues(label)), DateKind.PRINTED), on


def _kind(line: str, cues: Sequence[tuple[int, int, DateKind]], start: int, end: int) -> DateKind | None:
    """What the nearest cue says of the date at `start`: the last one before it, else the first one after it.

    A long line may speak of another text, a law say, so its cue must stand close and be plain: "last updated".
    """
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


def _readings(line: str, locale: str) -> list[Reading]:
    """The dates of a folded line, in order, with their place; None for one that cannot be read for certain."""
    found = [*_counted(line), *_numeric(line, locale)]
    for names in _names(_language(locale)) if not found else ():
        found = found if any(on for _, _, on in found) else list(_named(line, names)) or found
    return sorted(set(found), key=lambda reading: reading[0])


def _counted(line: str) -> Iterator[Reading]:
    """Dates in which every number says what it is, or the year stands first."""
    for pattern in _COUNTED:
        for match in pattern.finditer(line):
            since = _ERAS.get(match.groupdict().get("era") or "", 0)
            year = since + (1 if match["y"] == "元" else int(match["y"]))
            yield (*match.span(), _day(year, int(match["m"]), int(match["d"])))


def _numeric(line: str, locale: str) -> Iterator[Reading]:
    """Dates like 05/12/2023: the language says which is the day, unless only one can be. A short year is not read."""
    for match in _YEAR_LAST.finditer(line):
        one, two = int(match["one"]), int(match["two"])
        day_first = match["by"] == "." or _day_first(locale)
        day, month = (one, two) if one > 12 or (day_first and two <= 12) else (two, one)
        on = _day(int(match["y"]) % 100 + 2000, month, day)
        if on:
            yield (*match.span(), _day(int(match["y"]), month, day) if len(match["y"]) == 4 else None)


def _named(line: str, names: dict[str, int]) -> Iterator[Reading]:
    """Dates whose month is a word."""
    marked = _marked(line, names)
    for text in (marked, _likened(marked, names) if len(line) <= SHORT else marked):
        at = 0
        while match := _first(_ORDERS, text, at):
            yield (*match.span(), _day(int(match["y"]), ord(match["m"]) - 0xE000, int(match["d"])))
            at = match.end()
        if at:
            return
    if match := _first(_UNREADABLE, marked, 0):
        yield (*match.span(), None)


def _first(patterns: Sequence[re.Pattern[str]], text: str, at: int) -> re.Match[str] | None:
    matches = filter(None, (pattern.search(text, at) for pattern in patterns))
    return min(matches, key=lambda match: match.start(), default=None)


def _marked(line: str, names: dict[str, int]) -> str:
    """The line with the names of months replaced, letter for letter, by a sign for the month."""
    return _any_of(tuple(names)).sub(lambda match: _sign(match[0], names[match[0]]), line)


def _likened(line: str, names: dict[str, int]) -> str:
    """The line with words that are forms or misspellings of a month's name replaced as well."""
    return _WORD.sub(lambda match: _sign(match[0], _like(match[0], names)), line)


def _sign(word: str, month: int) -> str:
    return chr(0xE000 + month) * len(word) if month else word


def _like(word: str, names: dict[str, int]) -> int:
    """The one month a word is a form of, or is misspelt for; 0 for none."""
    score: dict[int, float] = {}
    for name, month in names.items():
        if len(name) > 3 and word[0] == name[0]:
            stem = word.startswith(name[: max(4, len(name) - 2)]) and len(word) <= len(name) + 4
            alike = max(float(stem), SequenceMatcher(None, word, name).ratio())
            score[month] = max(alike, score.get(month, 0))
    best, *others = sorted(score.values(), reverse=True) or [0.0]
    certain = best >= ALIKE and all(other < best - 0.1 for other in others)
    return max(score, key=lambda month: score[month]) if certain else 0


def _day(year: int, month: int, day: int) -> date | None:
    """The day; None when there is none such, or not in our time. Years of the Buddhist era lie 543 ahead."""
    try:
        found = date(year - 543 if year > 2500 else year, month, day)
    except ValueError:
        return None
    return found if 1990 <= found.year < 2100 else None


def _language(locale: str) -> str:
    language = re.split("[-_]", locale)[0].lower()
    return {"no": "nb", "nn": "nb", "iw": "he", "in": "id"}.get(language, language)


@lru_cache
def _day_first(locale: str) -> bool:
    try:
        pattern = str(Locale.parse(locale.replace("-", "_")).date_formats["short"].pattern)
    except (UnknownLocaleError, ValueError):
        return _language(locale) != "en"
    return pattern.index("d") < pattern.index("M")


@lru_cache
def _names(language: str) -> list[dict[str, int]]:
    """The names of months, folded: those of the language and of English, then those of all languages that agree."""
    own = _of_language(language) if language in languages() else {}
    every: dict[str, set[int]] = {}
    for other in languages():
        for name, month in _of_language(other).items():
            every.setdefault(name, set()).add(month)
    return [_of_language("en") | own, {name: months.pop() for name, months in every.items() if len(months) == 1}]


@lru_cache
def _of_language(language: str) -> dict[str, int]:
    months = Locale.parse(language).months
    inflected, plain, short = months["format"]["wide"], months["stand-alone"]["wide"], months["format"]["abbreviated"]
    names = {short[n].strip(".॰"): n for n in range(1, 13)}
    # Babel may hand out the names of another language where a language has none of its own standing alone.
    names |= {plain[n]: n for n in range(1, 13) if _fold(plain[n])[0] == _fold(inflected[n])[0]}
    names |= {inflected[n]: n for n in range(1, 13)} | languages()[language].get("months", {})
    if language == "he":  # the word for "in" is written together with the month
        names |= {f"ב{name}": n for name, n in names.items()}
    return {
        _fold(name): n
        for name, n in names.items()
        if not any(map(str.isdigit, name)) and len(name) > name.isascii() + 1
    }


@lru_cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W\d_])")


@lru_cache
def languages() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files(__package__).joinpath("dates.toml").read_text("utf-8"))


@lru_cache
def _cue_words() -> dict[str, DateKind]:
    kinds = (DateKind.UPDATED, DateKind.EFFECTIVE)
    return {_fold(word): kind for table in languages().values() for kind in kinds for word in table.get(kind, [])}


@lru_cache
def _cue_pattern() -> re.Pattern[str]:
    # Chinese and Japanese write no spaces, Thai neither: there a cue may stand inside a run of letters.
    spaced = [word for word in _cue_words() if not _UNSPACED.match(word)]
    unspaced = sorted((word for word in _cue_words() if _UNSPACED.match(word)), key=len, reverse=True)
    return re.compile(f"{_any_of(tuple(spaced)).pattern}|{'|'.join(map(re.escape, unspaced))}")


def _cues(line: str) -> list[tuple[int, int, DateKind]]:
    return [(*match.span(), _cue_words()[match[0]]) for match in _cue_pattern().finditer(line)]


def _folded(line: str) -> str:
    """A line as it is compared: what a reader sees of it, without case, accents and the digits of other scripts."""
    return " ".join(_fold(_UNSEEN.sub(" ", line)).split())


def _fold(text: str) -> str:
    kept = []
    base = ""
    for char in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold().replace("’", "'")):
        mark = unicodedata.category(char) == "Mn"
        if not mark:
            base = char
        if not (mark and (_ACCENTED.match(base) or char == "\u093c")):
            kept.append(str(unicodedata.digit(char, char)))
    return unicodedata.normalize("NFC", "".join(kept))
