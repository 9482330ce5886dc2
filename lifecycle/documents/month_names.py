"""How the languages name months and order days: from the Unicode CLDR, by way of Babel, and from `dates.toml`."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import defaultdict
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel import Locale, UnknownLocaleError

_ACCENTED = re.compile(r"[a-z\u0370-\u052f]")


def language(locale: str) -> str:
    """The language of a locale under the name that the CLDR has for it."""
    language = re.split("[-_]", locale)[0].lower()
    return {"no": "nb", "nn": "nb", "iw": "he", "in": "id"}.get(language, language)


@lru_cache
def day_first(locale: str) -> bool:
    """Whether 05/12 is the fifth of December."""
    try:
        pattern = str(Locale.parse(locale.replace("-", "_")).date_formats["short"].pattern)
    except (UnknownLocaleError, ValueError):
        return language(locale) != "en"
    return pattern.index("d") < pattern.index("M")


@lru_cache
def month_names(language: str) -> dict[str, int]:
    """The names of months, folded, of the language and of English."""
    return _of_language("en") | (_of_language(language) if language in languages() else {})


@lru_cache
def all_month_names() -> dict[str, int]:
    """The names of months of all languages, but for those that are another month elsewhere."""
    every: dict[str, set[int]] = {}
    for other in languages():
        for name, month in _of_language(other).items():
            every.setdefault(name, set()).add(month)
    return {name: months.pop() for name, months in every.items() if len(months) == 1}


@lru_cache
def _of_language(language: str) -> dict[str, int]:
    months = Locale.parse(language).months
    inflected, plain, short = months["format"]["wide"], months["stand-alone"]["wide"], months["format"]["abbreviated"]
    names = {short[n].strip(".॰"): n for n in range(1, 13)}
    # Babel may hand out the names of another language where a language has none of its own standing alone.
    names |= {plain[n]: n for n in range(1, 13) if fold(plain[n])[0] == fold(inflected[n])[0]}
    names |= {inflected[n]: n for n in range(1, 13)} | languages()[language].get("months", {})
    if language == "he":  # the word for "in" is written together with the month
        names |= {f"ב{name}": n for name, n in names.items()}
    return {
        fold(name): n for name, n in names.items() if not any(map(str.isdigit, name)) and len(name) > name.isascii() + 1
    }


@lru_cache
def any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of some words, the longest first, where no letter goes on."""
    rests = defaultdict[str, list[str]](list)  # a first letter is looked at once, not once a word
    for word in sorted(words, key=len, reverse=True):
        rests[word[0]].append(re.escape(word[1:]))
    ways = "|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in rests.items())
    return re.compile(rf"(?<![^\W\d_])(?:{ways})(?![^\W\d_])")


@lru_cache
def languages() -> dict[str, dict[str, Any]]:
    """What `dates.toml` says of each language."""
    return tomllib.loads(files("lifecycle.documents").joinpath("dates.toml").read_text("utf-8"))


def fold(text: str) -> str:
    """Text without case, accents and the digits of other scripts."""
    if text.isascii():
        return text.casefold()
    kept = []
    base = ""
    for char in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold().replace("’", "'")):
        if char.isascii():
            base = char
            kept.append(char)
            continue
        mark = unicodedata.category(char) == "Mn"
        if not mark:
            base = char
        if not (mark and (_ACCENTED.match(base) or char == "\u093c")):
            kept.append(str(unicodedata.digit(char, char)))
    return unicodedata.normalize("NFC", "".join(kept))
