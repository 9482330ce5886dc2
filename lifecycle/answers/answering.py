"""A question's answer in the policy's own words, or that the policy doesn't say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from lifecycle import links
from lifecycle.answers import curating, wording
from lifecycle.answers.language import Language
from lifecycle.answers.ranking import Hit
from lifecycle.answers.sources import Source, sources
from lifecycle.errors import InvalidInput
from lifecycle.models import User
from lifecycle.settings import Settings

MAX_QUESTION = 500
MAX_QUOTES = 3
CANDIDATES = 8
CLEAR = 1.25  # so far above the threshold an answer is clear
LEAD = 0.5  # with a model the best section gains so much of its lead over the next
CLOSE = 0.85  # a further quote must come this near to the best one


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a passage answers, and from which it is close enough to be shown."""

    answered: float
    closest: float


# Chosen on labelled questions, a wrong answer as bad as three right ones are good: see docs/answers.md.
BY_WORDS = Thresholds(0.45, 0.28)
BY_MEANING = Thresholds(0.6, 0.4)


class Outcome(StrEnum):
    ANSWERED = "answered"
    CLOSEST = "closest"  # sections are shown, said not to be a sure answer
    SILENT = "silent"
    ASIDE = "aside"  # asks for an act or about one's own case, which no policy holds


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a version, verbatim, and where they stand; `why` are the words asked that they hold or are about."""

    text: str
    document: str
    slug: str
    version: int
    number: str
    title: str
    anchor: str
    url: str
    score: float
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the policies say, or why nothing is quoted.

    `closest` is shown when nothing is sure; `notes` tell of versions that come or bind others; `route` names where a
    question goes that is not about the policy: `standing` or a kind of request. `lead_in` is a sentence of staff (by a
    `pin`) or
    of a language model, never of the policy. `candidates` are what was looked at, for those who choose among them.
    """

    quotes: Sequence[Quote]
    reason: str = ""
    closest: Sequence[Quote] = ()
    notes: Sequence[str] = ()
    route: str = ""
    lead_in: str = ""
    pin: int | None = None
    candidates: Sequence[Quote] = field(default=(), repr=False)
    doubtful: str = field(default="", repr=False)  # the reason to give if its quotes are doubted
    clear: bool = field(default=False, repr=False)  # too far above the threshold to be doubted

    @property
    def answered(self) -> bool:
        return bool(self.quotes)

    @property
    def outcome(self) -> Outcome:
        if self.quotes:
            return Outcome.ANSWERED
        return Outcome.ASIDE if self.route else Outcome.CLOSEST if self.closest else Outcome.SILENT


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of a source, how well it fits the question, and whether it answers or is close."""

    hit: Hit
    source: Source
    answers: bool
    close: bool

    @property
    def section(self) -> tuple[str, int]:
        return self.source.document.slug, self.hit.passage.section


def answer(
    session: Session,
    question: str,
    *,
    settings: Settings,
    documents: Sequence[str] = (),
    locale: str = "",
    user: User | None = None,
    now: datetime,
) -> Answer:
    """Quote the sentences that answer, from the versions that bind the user, else from those in force.

    Every quote is a verbatim substring of the named section (rule 10). Raises InvalidInput for an empty or
    endless question and NotFound for an unknown document.
    """
    question = checked(question)
    locale = locale or (user.locale if user else "")
    read = sources(session, settings=settings, documents=documents, locale=locale, user=user, now=now)
    if pinned := curating.pinned(session, question, read):
        quotes = _quotes(_around(pinned.source, pinned.section, question), settings)
        if quotes:
            notes = _notes(quotes, read, wording.of(locale or pinned.source.locale))
            return Answer(quotes, notes=notes, lead_in=pinned.lead_in, pin=pinned.id)
    return extract(question, read, settings=settings, locale=locale)


def extract(question: str, read: Sequence[Source], *, settings: Settings, locale: str = "") -> Answer:
    """What these texts say by themselves; `locale` is the language of what is said beside the quotes."""
    said = wording.of(locale or (read[0].locale if read else ""))
    if not read:
        return Answer([], said.nothing_in_force)
    if about := aside(question, read):
        return Answer([], said.aside.get(about, said.silent), route=wording.ROUTES.get(about, ""))
    ranked = rank(question, read, settings=settings)
    close = [found for found in ranked if found.close]
    candidates = _quotes(close[:CANDIDATES], settings)
    best = _best([found for found in ranked if found.answers])
    if quotes := _quotes(best, settings):
        least = thresholds(settings, by_meaning=best[0].source.reading.by_meaning)
        clear = candidates[0].score >= CLEAR * least.answered
        notes = _notes(quotes, read, said)
        return Answer(quotes, notes=notes, candidates=candidates, doubtful=said.closest, clear=clear)
    shown = _quotes(_best_of_sections(close), settings)
    return Answer([], said.closest if shown else said.silent, closest=shown, candidates=candidates)


def checked(question: str) -> str:
    """The question on one line; raises InvalidInput for an empty or endless one."""
    question = " ".join(question.split())
    if not question or len(question) > MAX_QUESTION:
        raise InvalidInput(f"A question has 1 to {MAX_QUESTION} characters; this one has {len(question)}.")
    return question


def rank(question: str, read: Sequence[Source], *, settings: Settings, k: int = CANDIDATES) -> list[Found]:
    """The `k` best passages of each source by score; with a model those of the best section gain by its lead."""
    hits = [(hit, source) for source in read for hit in source.reading.index.search(question, k=k)]
    found = [_found(hit, source, settings) for hit, source in sorted(hits, key=lambda each: -each[0].score)]
    lead = _lead(found)
    return [
        _found(replace(each.hit, score=each.hit.score + lead), each.source, settings)
        if each.section == found[0].section
        else each
        for each in found
    ]


def _found(hit: Hit, source: Source, settings: Settings) -> Found:
    least = thresholds(settings, by_meaning=source.reading.by_meaning)
    return Found(hit, source, hit.score >= least.answered, hit.score >= least.closest)


def _lead(found: Sequence[Found]) -> float:
    """What the best section gains: by meaning, much of a text is a little like any question; an answer stands out."""
    if not found or not found[0].source.reading.by_meaning:
        return 0.0
    next_best = next((each.hit.score for each in found if each.section != found[0].section), 0.0)
    return LEAD * (found[0].hit.score - next_best)


def thresholds(settings: Settings, *, by_meaning: bool) -> Thresholds:
    """Those of the settings, else those measured for the way of ranking."""
    usual = BY_MEANING if by_meaning else BY_WORDS
    answered = usual.answered if settings.answer_threshold is None else settings.answer_threshold
    closest = usual.closest if settings.closest_threshold is None else settings.closest_threshold
    return Thresholds(answered, min(closest, answered))


def aside(question: str, read: Sequence[Source]) -> str:
    """What the question asks for beside the policy's words, in any language of the texts; empty when nothing."""
    languages = dict.fromkeys(source.locale.split("-")[0] for source in read)
    return next((name for locale in languages if (name := Language.of(locale).aside(question))), "")


def _best(answering: Sequence[Found]) -> list[Found]:
    """The best passage and those that come near it, each with the sentence that leads in to it, three at most."""
    chosen: list[Found] = []
    for found in answering:
        if found.hit.score < CLOSE * answering[0].hit.score:
            break
        fitting = [led for led in (*_led_in(found), found) if not any(_same(led, known) for known in chosen)]
        if len(chosen) + len(fitting) > MAX_QUOTES:
            break
        chosen += fitting
    order = {section: n for n, section in reversed(list(enumerate(found.section for found in chosen)))}
    return sorted(chosen, key=lambda found: (order[found.section], found.hit.passage.start))


def _led_in(found: Found) -> Iterable[Found]:
    passage, passages = found.hit.passage, found.source.reading.index.passages
    if passage.lead_in is not None:
        yield replace(found, hit=replace(found.hit, passage=passages[passage.lead_in]))


def _same(one: Found, other: Found) -> bool:
    return one.section == other.section and one.hit.passage.start == other.hit.passage.start


def _best_of_sections(close: Sequence[Found]) -> list[Found]:
    """The best passage of each of the three nearest sections."""
    best: dict[tuple[str, int], Found] = {}
    for found in close:
        best.setdefault(found.section, found)
    return list(best.values())[:MAX_QUOTES]


def _around(source: Source, section: int, question: str) -> list[Found]:
    """The passages of a section to quote when staff have said that it answers: the best, else the first."""
    index = source.reading.index
    hits = [hit for hit in index.search(question, k=len(index.passages)) if hit.passage.section == section]
    hits = hits or [Hit(passage, 0.0) for passage in index.passages if passage.section == section]
    return _best([Found(hit, source, True, True) for hit in hits[:MAX_QUOTES]])


def _notes(quotes: Sequence[Quote], read: Sequence[Source], said: wording.Wording) -> list[str]:
    """Of each document quoted: whether another version binds others, and whether one is coming."""
    quoted = {quote.slug for quote in quotes}
    notes = []
    for source in read:
        if source.document.slug in quoted:
            names = {"document": source.title, "version": source.version.number}
            if source.in_force and source.in_force.id != source.version.id:
                notes.append(said.binds_you.format(**names, other=source.in_force.number))
            if source.upcoming and source.upcoming.effective_at:
                day = f"{source.upcoming.effective_at:%Y-%m-%d}"
                notes.append(said.coming.format(**names, other=source.upcoming.number, day=day))
    return notes


def _quotes(found: Iterable[Found], settings: Settings) -> list[Quote]:
    return [quote for each in found if (quote := _quote(each, settings))]


def _quote(found: Found, settings: Settings) -> Quote | None:
    """The quote, or None when its words are not in the section it names: then it is not said at all."""
    source, passage = found.source, found.hit.passage
    section = source.reading.sections[passage.section]
    if passage.text not in source.reading.text[section.start : section.end]:
        return None
    slug, number = source.document.slug, source.version.number
    return Quote(
        passage.text,
        source.title,
        slug,
        number,
        section.number,
        section.title,
        section.anchor,
        links.version_url(settings, slug, number, locale=source.locale, anchor=section.anchor),
        round(found.hit.score, 3),
        found.hit.because,
    )
