"""Sections that still bind after termination: proposed from what the text says, marked by staff."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files

from sqlmodel import Session

from lifecycle import history
from lifecycle.documents import sections, store
from lifecycle.documents.markdown import plain
from lifecycle.documents.sections import Section
from lifecycle.documents.sentences import Sentence, sentences
from lifecycle.errors import InvalidInput
from lifecycle.models import Body, Document, SectionRow, Version

# A number as texts print it, with the title that may follow in brackets: 5, 5.2, 5(a), IV, B, 9 (Liability).
_NUMBER = r"(?:\d+(?:\.\d+)*[a-z]?(?:\(\w{1,4}\))*|[IVXL]+\b|[A-Z]\b)"
_TITLED = rf"{_NUMBER}(?:\s*\([^()\d]{{3,80}}\))?"
_QUOTED = re.compile(r"[“”„\"«]\s*([^“”„\"«»]{3,80}?)\s*[“”\"»]|\]\(#([^()\s]+)\)")
_WORD = re.compile(r"[^\W\d_]{6,}")
_STEM = 6  # letters by which words of a list and of a title are taken to be the same
_LONGEST_RANGE = 50


@dataclass(frozen=True, slots=True)
class Survivor:
    """A section that is marked as surviving, or that staff may want to mark, and `why`: the words that say so."""

    locale: str
    number: str
    title: str
    anchor: str
    marked: bool
    why: str

    @property
    def name(self) -> str:
        return self.number or self.title or self.anchor


def find(text: str, *, locale: str) -> dict[str, str]:
    """The sections that survive by what a text says: the sentence that says so, by the anchor of the section.

    A sentence that names no section of the text speaks of the one in which it stands. Empty in languages whose
    wording is not known.
    """
    found: dict[str, str] = {}
    pieces, spoken = sections.split(text), sentences(text, locale=locale)
    wording = _wording(re.split("[-_]", locale)[0].lower())
    for n, sentence in enumerate(spoken):
        words = _words(sentence)
        if wording is None or not wording.says(words):
            continue
        home = _around(pieces, sentence)
        named = list(_named(pieces, sentence, wording))
        if words.endswith(":"):
            listed = [one for one in spoken[n + 1 :] if _around(pieces, one) is home]
            named += [section for one in listed for section in _listed(pieces, one, wording)]
        for section in named or [home]:
            found.setdefault(section.anchor, words)
    return found


def survivors(session: Session, version: Version) -> list[Survivor]:
    """Of each text of a version, the sections marked and those proposed: by its words, or by a mark in the version
    before it."""
    return [one for body in store.bodies(session, version) for one in _of_body(session, version, body)]


def advice(session: Session, version: Version) -> list[str]:
    """What staff should know before they publish: sections that seem to survive, and are not marked."""
    document = session.get_one(Document, version.document_id)
    return [
        f"Section {one.name} ({one.locale}) seems to survive termination and is not marked: {one.why} "
        f"Mark it: `assent document survival {document.slug} --version {version.number} --mark '{one.name}'`."
        for one in survivors(session, version)
        if not one.marked
    ]


def mark(
    session: Session,
    version: Version,
    reference: str,
    *,
    survives: bool = True,
    locale: str = "",
    actor: str = "staff",
    now: datetime,
) -> list[SectionRow]:
    """Say that a section (as printed, by anchor or title) does or does not survive, in one language or in all.

    A section that is named by its title in one language is found by its number in the others. Published versions may
    be marked too: their words stay as they are. Raises InvalidInput when no text holds the section.
    """
    texts = [store.section_rows(session, body) for body in _bodies(session, version, locale)]
    known = next(filter(None, (sections.find(rows, reference) for rows in texts)), None)
    found = [sections.find(rows, reference) or sections.find(rows, known.number if known else "") for rows in texts]
    marked = [row for row in found if row is not None]
    if not marked:
        raise InvalidInput(f"Version {version.number} has no section {reference!r} in {locale or 'any language'}.")
    for row in marked:
        if row.survives is not survives:
            row.survives = survives
            session.add(row)
            verb = "marked" if survives else "unmarked"
            history.record(session, actor, verb, "section", row.id, now=now, version=version.id, survives=survives)
    session.flush()
    return marked


def _bodies(session: Session, version: Version, locale: str) -> list[Body]:
    bodies = store.bodies(session, version)
    found = [body for body in bodies if not locale or body.locale == locale]
    if not found:
        there = ", ".join(body.locale for body in bodies)
        raise InvalidInput(f"Version {version.number} has no text in {locale!r}. There are: {there}.")
    return found


def _of_body(session: Session, version: Version, body: Body) -> Iterator[Survivor]:
    proposed = _marked_before(session, version, body) | find(body.text, locale=body.locale)
    for row in store.section_rows(session, body):
        if row.survives or row.anchor in proposed:
            why = proposed.get(row.anchor, "")
            yield Survivor(body.locale, row.number, row.title, row.anchor, row.survives, why)


def _marked_before(session: Session, version: Version, body: Body) -> dict[str, str]:
    document = session.get_one(Document, version.document_id)
    earlier = [one for one in store.versions(session, document) if one.number < version.number][-1:]
    texts = [(one, old) for one in earlier for old in store.bodies(session, one) if old.locale == body.locale]
    rows = [(one, row) for one, old in texts for row in store.section_rows(session, old) if row.survives]
    return {row.anchor: f"It was marked in version {one.number}." for one, row in rows}


# -- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wording:
    alone: re.Pattern[str]
    with_end: re.Pattern[str]
    end: re.Pattern[str]
    denied: re.Pattern[str]
    aside: re.Pattern[str]
    nature: re.Pattern[str]
    such_as: re.Pattern[str]
    list_: re.Pattern[str]
    range_: re.Pattern[str]

    def says(self, words: str) -> bool:
        if self.denied.search(words):
            return False
        return bool(self.alone.search(words) or (self.with_end.search(words) and self.end.search(words)))


@lru_cache
def _wording(language: str) -> _Wording | None:
    words = tomllib.loads(files(__package__).joinpath("survival.toml").read_text("utf-8")).get(language)
    if words is None:
        return None
    one = {key: re.compile(words[key], re.IGNORECASE) for key in ("end", "denied", "aside", "nature", "such_as")}
    many = {key: re.compile("|".join(words[key]), re.IGNORECASE) for key in ("alone", "with_end")}
    between = rf"(?:\s*(?:[,;]|(?i:{words['joins']})(?![^\W\d])|(?i:{words['ranges']})(?![^\W\d])))+\s*"
    again = rf"(?:(?i:{words['named']})\s*)?"
    list_ = rf"(?<!\w)(?i:{words['named']})\s*(({_TITLED})(?:{between}{again}{_TITLED})*)"
    range_ = rf"(\d+)\s*(?i:{words['ranges']})\s*{again}(\d+)"
    return _Wording(**one, **many, list_=re.compile(list_), range_=re.compile(range_))


def _named(pieces: Sequence[Section], sentence: Sentence, wording: _Wording) -> Iterator[Section]:
    """The sections that a sentence names by number, by title in quotes, by link or by what they are about."""
    words = _words(sentence)
    at = 0
    while match := wording.list_.search(words, at):
        aside = wording.aside.search(words[: match.start()])
        at = match.end(2) if aside else match.end()
        yield from () if aside else _resolved(pieces, _numbers(match[1], wording))
    yield from _resolved(pieces, [title or anchor for title, anchor in _QUOTED.findall(sentence.text)])
    such_as = wording.such_as.search(words) if wording.nature.search(words) else None
    if such_as is not None:
        stems = {word[:_STEM].casefold() for word in _WORD.findall(words[such_as.end() :])}
        yield from (one for one in pieces if stems & {word[:_STEM].casefold() for word in _WORD.findall(one.title)})


def _listed(pieces: Sequence[Section], sentence: Sentence, wording: _Wording) -> Iterator[Section]:
    """The section that an entry of a list is: named as in a sentence, or nothing but its number or title."""
    words = _words(sentence).rstrip(".,; ")
    yield from _named(pieces, sentence, wording)
    yield from _resolved(pieces, [words])


def _numbers(listed: str, wording: _Wording) -> Iterator[str]:
    yield from re.findall(_NUMBER, re.sub(r"\([^()\d]{3,80}\)", "", listed))
    for first, last in wording.range_.findall(listed):
        if int(first) < int(last) <= int(first) + _LONGEST_RANGE:
            yield from map(str, range(int(first) + 1, int(last)))


def _resolved(pieces: Sequence[Section], references: Iterator[str] | Sequence[str]) -> Iterator[Section]:
    yield from filter(None, (sections.find(pieces, reference) for reference in references))


def _around(pieces: Sequence[Section], sentence: Sentence) -> Section:
    return next(piece for piece in reversed(pieces) if piece.start <= sentence.start)


def _words(sentence: Sentence) -> str:
    return " ".join(plain(sentence.text).split())
