"""Answers, and what staff made of questions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlmodel import Session

from lifecycle.answers import curating
from lifecycle.answers.answering import Answer, Quote
from lifecycle.models import (
    Document,
    Pin,
    Unanswered,
)
from lifecycle.shapes.shape import Shape


def answer(found: Answer) -> Shape:
    """`quotes` hold an answer and nothing else; what only comes close stands apart, in `closest`."""
    return {
        "answered": found.answered,
        "outcome": found.outcome.value,
        "lead_in": found.lead_in,
        "quotes": [_quote(quote) for quote in found.quotes],
        "closest": [_quote(quote) for quote in found.closest],
        "notes": list(found.notes),
        "reason": found.reason,
        "route": found.route,
        "pin": found.pin,
    }


def pin(session: Session, pin: Pin, *, now: datetime) -> Shape:
    """`doubts` are the versions for which it has to be confirmed; an empty section is gone from that version."""
    return {
        "number": pin.id,
        "document": session.get_one(Document, pin.document_id).slug,
        "locale": pin.locale,
        "question": pin.question,
        "section": curating.section_of(session, pin),
        "lead_in": pin.lead_in,
        "made_at": pin.made_at,
        "removed_at": pin.removed_at,
        "doubts": [asdict(doubt) for doubt in curating.doubts(session, pin, now=now)],
    }


def unanswered(found: Unanswered) -> Shape:
    return {
        "number": found.id,
        "question": found.question,
        "locale": found.locale,
        "outcome": found.outcome,
        "times": found.times,
        "first_at": found.first_at,
        "last_at": found.last_at,
        "dismissed_at": found.dismissed_at,
    }


def _quote(quote: Quote) -> Shape:
    return {
        "text": quote.text,
        "document": quote.slug,
        "version": quote.version,
        "section": {"number": quote.number, "title": quote.title, "anchor": quote.anchor},
        "url": quote.url,
        "score": quote.score,
        "why": list(quote.why),
    }
