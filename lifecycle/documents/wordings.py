"""How texts word what a machine can check, by language: from a sentence to what it promises."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lifecycle.states import PromiseKind

ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
INVITE = re.compile(r"\bdiscord(?:\.gg|(?:app)?\.com/invite)/[\w-]+", re.IGNORECASE)
PERIOD = re.compile(r"(\d{1,4}) (day|week|month)s?")

_UNITS = ("day", "week", "month")
_PATTERNS = {
    PromiseKind.NOTICE: "notice",
    PromiseKind.WITHOUT_NOTICE: "without_notice",
    PromiseKind.AGE: "age",
    PromiseKind.DELETION: "deletion",
}
_ALSO_NEEDED = {
    PromiseKind.NOTICE: "change",
    PromiseKind.WITHOUT_NOTICE: "text",
    PromiseKind.AGE: "aged",
    PromiseKind.DELETION: "route",
}
_AGES = range(10, 26)  # from which laws and services let people decide for themselves


def read(words: str, source: str, locale: str) -> Iterator[tuple[PromiseKind, str]]:
    """What a sentence promises, as its reader sees it and, for links, as it is written."""
    for pattern, kind in ((ADDRESS, PromiseKind.CONTACT), (INVITE, PromiseKind.INVITE)):
        yield from ((kind, value) for value in dict.fromkeys(one.lower() for one in pattern.findall(source)))
    wording = _wording(re.split("[-_]", locale)[0].lower())
    for kind, patterns in wording.patterns.items():
        match = next(filter(None, (pattern.search(words) for pattern in patterns)), None)
        needed = wording.needed.get(kind)
        if match and (needed is None or needed.search(words)) and _whole(kind, value := wording.value(match)):
            yield kind, value


def calendar(period: str) -> dict[str, int]:
    """A period such as "2 weeks" as days or months of the calendar."""
    match = PERIOD.fullmatch(period)
    assert match, f"{period!r} is checked when it is found or marked"
    count = int(match[1])
    return {"months": count} if match[2] == "month" else {"days": count * (7 if match[2] == "week" else 1)}


def _whole(kind: PromiseKind, value: str) -> bool:
    """Whether the value was read, where the kind needs one."""
    match kind:
        case PromiseKind.NOTICE:
            return bool(PERIOD.fullmatch(value))
        case PromiseKind.AGE:
            return value.isdecimal() and int(value) in _AGES
        case _:
            return True


@dataclass(frozen=True, slots=True)
class _Wording:
    patterns: dict[PromiseKind, list[re.Pattern[str]]]
    needed: dict[PromiseKind, re.Pattern[str]]
    numbers: dict[str, int]
    units: dict[str, re.Pattern[str]]

    def value(self, match: re.Match[str]) -> str:
        number = match.groupdict().get("n") or ""
        count = number if number.isdecimal() else str(self.numbers.get(number.lower(), ""))
        unit = match.groupdict().get("unit") or ""
        name = next((name for name, pattern in self.units.items() if pattern.fullmatch(unit)), "")
        return f"{count} {name}{'' if count == '1' else 's'}" if name else count


@lru_cache
def _wording(language: str) -> _Wording:
    table: dict[str, Any] = tomllib.loads(files(__package__).joinpath("wordings.toml").read_text("utf-8"))
    if language not in table:
        return _Wording({}, {}, {}, {})
    words = table[language]
    count = rf"(?:\w+ \()?\b(?P<n>\d{{1,4}}|{'|'.join(words['numbers'])})\)?"
    period = rf"{count}[ -](?P<unit>{'|'.join(words[name] for name in _UNITS)})"

    def ready(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern.replace("PERIOD", period).replace("NUMBER", count), re.IGNORECASE)

    return _Wording(
        patterns={kind: [ready(pattern) for pattern in words[key]] for kind, key in _PATTERNS.items()},
        needed={kind: ready(words[key]) for kind, key in _ALSO_NEEDED.items()},
        numbers={name.lower(): number for name, number in words["numbers"].items()},
        units={name: ready(words[name]) for name in _UNITS},
    )
