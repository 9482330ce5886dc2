"""A question's answer in the policy's own words, or that the policy doesn't say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlmodel import Session

from lifecycle import engagements, links
from lifecycle.answers import passages, ranking
from lifecycle.documents import sections, store
from lifecycle.errors import InvalidInput
from lifecycle.models import Body, Document, User, Version
from lifecycle.settings import Settings

MAX_QUESTION = 500
MAX_QUOTES = 3
CLOSE = 0.85  # a further quote must come this near to the best one


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a version, verbatim, and where they stand."""

    text: str
    document: str
    slug: str
    version: int
    number: str
    title: str
    anchor: str
    url: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the policies say, or why nothing is quoted. `bound` tells that the asker's own versions were read."""

    quotes: list[Quote]
    reason: str = ""

    @property
    def answered(self) -> bool:
        return bool(self.quotes)


@dataclass(frozen=True, slots=True)
class _Read:
    """A body made ready for questions."""

    sections: Sequence[sections.Section]
    index: ranking.Index


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
    question = " ".join(question.split())
    if not question or len(question) > MAX_QUESTION:
        raise InvalidInput(f"A question has 1 to {MAX_QUESTION} characters; this one has {len(question)}.")
    asked = [store.document(session, slug) for slug in documents] or store.documents(session)
    locale = locale or (user.locale if user else "")
    texts = [found for document in asked if (found := _text(session, document, user, locale, now))]
    if not texts:
        return Answer([], "No policy is in force yet.")
    hits = [
        (hit, text)
        for text in texts
        for hit in _read(text[2].sha256, text[2].text, text[2].locale).index.search(question)
    ]
    threshold = settings.answer_threshold if settings.answer_threshold is not None else ranking.THRESHOLD
    best = sorted((pair for pair in hits if pair[0].score >= threshold), key=lambda pair: -pair[0].score)
    close = [pair for pair in best if pair[0].score >= CLOSE * best[0][0].score][:MAX_QUOTES]
    quotes = [quote for hit, text in close if (quote := _quote(hit, *text, settings=settings))]
    return Answer(quotes, "" if quotes else "The policy doesn't say.")


Text = tuple[Document, Version, Body]


def _text(session: Session, document: Document, user: User | None, locale: str, now: datetime) -> Text | None:
    bound = engagements.bound(session, user, document, at=now) if user else None
    version = bound.version if bound else store.in_force(session, document, at=now)
    return (document, version, store.body(session, version, locale)) if version else None


@lru_cache(maxsize=256)
def _read(sha256: str, text: str, locale: str) -> _Read:
    """Made once per body; the hash is the key, the text comes along to be read."""
    pieces = sections.split(text)
    return _Read(pieces, ranking.Index(passages.passages(text, pieces), locale=locale))


def _quote(hit: ranking.Hit, document: Document, version: Version, body: Body, *, settings: Settings) -> Quote | None:
    """The quote, or None when its words are not in the section it names: then it is not said at all."""
    section = _read(body.sha256, body.text, body.locale).sections[hit.passage.section]
    if hit.passage.text not in body.text[section.start : section.end]:
        return None
    url = links.version_url(settings, document.slug, version.number, locale=body.locale, anchor=section.anchor)
    return Quote(
        hit.passage.text,
        body.title,
        document.slug,
        version.number,
        section.number,
        section.title,
        section.anchor,
        url,
        round(hit.score, 3),
    )
