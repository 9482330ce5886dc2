"""Dates in a folded line, however they are written. What can be read in two ways is not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from difflib import SequenceMatcher

from lifecycle.documents.month_names import all_month_names, any_of, day_first, language, month_names

SHORT = 160  # characters of a line that speaks of the text itself
ALIKE = 0.75  # how much of its letters an unknown word shares with the month it is taken for

_YEAR = r"(?<!\d)(?P<y>(?:199|20\d|25[3-9]|26[0-4])\d)(?!\d)"
_SOME_YEAR = re.compile(_YEAR)
_DAY = r"(?<!\d)(?P<d>\d{1,2})(?!\d)"
_MONTH = r"(?<!\d)(?P<m>\d{1,2})(?!\d)"
_NAMED = r"(?P<m>[\ue001-\ue00c])(?P=m)*(?:/(?P=m)+)?"  # a month's name, every letter replaced by the month
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
    r"(?<![\da-z.])(?P<one>\d{1,2})\s?(?P<by>[-./])\s?(?P<two>\d{1,2})\s?(?P=by)\s?(?P<y>\d{4}|\d{2})(?!\d|[./-]\d)"
)
_UNREADABLE = [re.compile(f"{_DAY}{_GAP}{_NAMED}"), re.compile(f"{_NAMED}{_GAP}{_DAY}")]
_WORD = re.compile(r"[^\s\d.,;:()/“”\"'’\ue001-\ue00c-]{3,}")

Reading = tuple[int, int, date | None]


def readings(line: str, locale: str) -> list[Reading]:
    """The dates of a folded line, in order, with their place; None for one that cannot be read for certain."""
    found = [*_counted(line), *_numeric(line, locale)]
    if not found:
        found = list(_named(line, month_names(language(locale))))
        if not any(on for _, _, on in found) and _SOME_YEAR.search(line):
            found = list(_named(line, all_month_names())) or found
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
        leads = match["by"] == "." or day_first(locale)
        day, month = (one, two) if one > 12 or (leads and two <= 12) else (two, one)
        on = _day(int(match["y"]) % 100 + 2000, month, day)
        if on:
            yield (*match.span(), _day(int(match["y"]), month, day) if len(match["y"]) == 4 else None)


def _named(line: str, names: dict[str, int]) -> Iterator[Reading]:
    """Dates whose month is a word."""
    marked = _marked(line, names)
    doubtful = len(line) <= SHORT and _SOME_YEAR.search(line)
    for likened in (False, True) if doubtful else (False,):
        text, at = _likened(marked, names) if likened else marked, 0
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
    return any_of(tuple(names)).sub(lambda match: _sign(match[0], names[match[0]]), line)


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
