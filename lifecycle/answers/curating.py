"""What staff add to the ranking: a question pinned to a section, which every change of that section puts up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.answers.language import Language
from lifecycle.answers.sources import Source
from lifecycle.documents import sections, store, texts
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Document, Pin, PinPlace, Version

MAX_LEAD_IN = 300
ALIKE = 0.8  # so much two questions must have in common to be one


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pin that holds for a question: where it points to in the text at hand, by the section's position."""

    id: int
    source: Source
    section: int
    lead_in: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A version in which the section of a pin reads otherwise, or is gone (`section` is empty then)."""

    version: int
    section: str


def pin(
    session: Session,
    document: Document,
    question: str,
    section: str,
    *,
    locale: str = "",
    lead_in: str = "",
    version: int | None = None,
    actor: str = "staff",
    now: datetime,
) -> Pin:
    """Say that a section answers a question, as it reads in `version`: the one in force, unless told otherwise.

    Raises InvalidInput for an unknown section or an unusable text, Conflict when the question is pinned already.
    """
    question, lead_in = " ".join(question.split()), " ".join(lead_in.split())
    locale = texts.check_locale(locale or document.default_locale)
    if not _terms(question, locale):
        raise InvalidInput(f"The question {question!r} has no word to know it again by.")
    if len(lead_in) > MAX_LEAD_IN:
        raise InvalidInput(f"The lead-in has {len(lead_in)} characters; at most {MAX_LEAD_IN} are taken.")
    for known in pins(session, [document.id]):
        if known.locale == locale and alike(known.question, question, locale):
            raise Conflict(f"Pin {known.id} is for that question already: {known.question!r}. Remove it first.")
    made = Pin(document_id=document.id, locale=locale, question=question, lead_in=lead_in, made_at=now)
    session.add(made)
    session.flush()
    place = confirm(session, made, section, version=version, actor=actor, now=now)
    history.record(session, actor, "pinned", "pin", made.id, now=now, document=document.id, section_sha256=place.sha256)
    return made


def confirm(
    session: Session,
    pin: Pin,
    section: str = "",
    *,
    version: int | None = None,
    actor: str = "staff",
    now: datetime,
) -> PinPlace:
    """Say that the pin holds for its section, or for another, as it reads in `version`, else in the one in force."""
    document = session.get_one(Document, pin.document_id)
    chosen = store.version(session, document, version) if version else _current(session, document, now)
    body = store.body(session, chosen, pin.locale)
    pieces = sections.split(body.text)
    wanted = section or _anchors(session, pin)[-1]
    found = sections.find(pieces, wanted)
    if found is None:
        named = f"version {chosen.number} of {document.slug!r} in {body.locale!r}"
        raise InvalidInput(f"There is no section {wanted!r} in {named}. Name one by number, anchor or title.")
    digest = _digest(body.text, found)
    known = select(PinPlace).where(
        PinPlace.pin_id == pin.id, PinPlace.anchor == found.anchor, PinPlace.sha256 == digest
    )
    place = session.exec(known).first()
    if place is None:
        place = PinPlace(pin_id=pin.id, anchor=found.anchor, sha256=digest, confirmed_at=now)
        session.add(place)
        session.flush()
        history.record(session, actor, "confirmed", "pin", pin.id, now=now, version=chosen.id, section_sha256=digest)
    return place


def remove(session: Session, pin: Pin, *, actor: str = "staff", now: datetime) -> Pin:
    """Take a pin off; the ranking decides again. Raises Conflict when it is off already."""
    if pin.removed_at is not None:
        raise Conflict(f"Pin {pin.id} was removed already.")
    pin.removed_at = now
    session.add(pin)
    history.record(session, actor, "removed", "pin", pin.id, now=now)
    return pin


def pins(session: Session, documents: Sequence[int] | None = None, *, after: int = 0, limit: int = 1000) -> list[Pin]:
    """The pins that were not removed, by number."""
    query = select(Pin).where(col(Pin.removed_at).is_(None), col(Pin.id) > after)
    if documents is not None:
        query = query.where(col(Pin.document_id).in_(documents))
    return list(session.exec(query.order_by(col(Pin.id)).limit(limit)))


def by_number(session: Session, number: int) -> Pin:
    """The pin; raises NotFound."""
    found = session.get(Pin, number)
    if found is None:
        raise NotFound(f"There is no pin {number}.", "`assent answers pins` lists those there are.")
    return found


def section_of(session: Session, pin: Pin) -> str:
    """The anchor of the section that the pin was confirmed for last."""
    return _anchors(session, pin)[-1]


def doubts(session: Session, pin: Pin, *, now: datetime) -> list[Doubt]:
    """The versions, in force, to come or drafted since, for which somebody has to confirm the pin."""
    document = session.get_one(Document, pin.document_id)
    known = _places(session, [pin.id])
    found = []
    for version in _ahead(session, document, now):
        body = store.body(session, version, pin.locale)
        pieces = sections.split(body.text)
        if not any(_digest(body.text, piece) == digest for piece, digest in _meant(pieces, known)):
            piece = sections.find(pieces, section_of(session, pin))
            found.append(Doubt(version.number, piece.anchor if piece else ""))
    return found


def pinned(session: Session, question: str, read: Sequence[Source]) -> Pinned | None:
    """The pin for this question whose section reads in one of these texts as it did when it was confirmed."""
    by_document = {source.document.id: source for source in read}
    for known in pins(session, list(by_document)):
        source = by_document[known.document_id]
        if source.locale == known.locale and alike(known.question, question, known.locale):
            for piece, digest in _meant(source.reading.sections, _places(session, [known.id])):
                if _digest(source.reading.text, piece) == digest:
                    return Pinned(known.id, source, piece.position, known.lead_in)
    return None


def alike(one: str, other: str, locale: str) -> bool:
    """Whether two questions ask the same: nearly all words and topics that say something are in both."""
    a, b = _terms(one, locale), _terms(other, locale)
    return bool(a) and len(a & b) >= ALIKE * len(a | b)


def _terms(question: str, locale: str) -> frozenset[str]:
    return frozenset(Language.of(locale).asked(question).terms)


def _current(session: Session, document: Document, now: datetime) -> Version:
    found = store.in_force(session, document, at=now) or next(reversed(store.versions(session, document)), None)
    if found is None:
        raise InvalidInput(f"{document.slug!r} has no version yet, so there is no section to pin to.")
    return found


def _ahead(session: Session, document: Document, now: datetime) -> list[Version]:
    """The version in force and all that were made after it and not withdrawn."""
    current = store.in_force(session, document, at=now)
    return [
        version
        for version in store.versions(session, document)
        if version.withdrawn_at is None and (current is None or version.number >= current.number)
    ]


def _places(session: Session, pins: Sequence[int]) -> list[PinPlace]:
    query = select(PinPlace).where(col(PinPlace.pin_id).in_(pins))
    return list(session.exec(query.order_by(col(PinPlace.confirmed_at), col(PinPlace.id))))


def _anchors(session: Session, pin: Pin) -> list[str]:
    return [place.anchor for place in _places(session, [pin.id])]


def _meant(pieces: Sequence[sections.Section], places: Sequence[PinPlace]) -> Iterator[tuple[sections.Section, str]]:
    by_anchor = {piece.anchor: piece for piece in pieces}
    return ((by_anchor[place.anchor], place.sha256) for place in reversed(places) if place.anchor in by_anchor)


def _digest(text: str, piece: sections.Section) -> str:
    return sha256(text[piece.start : piece.end].strip().encode()).hexdigest()
