"""Questions that found no answer, kept for the next revision: never who asked, and of nobody who opted out."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from lifecycle import choices, history
from lifecycle.answers.answering import Answer, Outcome
from lifecycle.errors import NotFound
from lifecycle.models import Unanswered, User

IN_VAIN = (Outcome.SILENT, Outcome.CLOSEST)
KEPT_FOR = timedelta(days=180)
# What may name a person: addresses, links, handles, long numbers.
_PERSONAL = re.compile(r"[\w.+-]+@[\w.-]+\w|https?://[^\s?,]+|<[@#][^>]*>|@\w+|\+?\d[\d ()/.-]{5,}\d")


def may_be_kept(session: Session, asker: User | None) -> bool:
    """Whether a question of this asker may be kept: only of someone known who has not opted out of logging."""
    return asker is not None and choices.chosen(session, asker, choices.PROMPT_LOGGING)


def keep(session: Session, question: str, found: Answer, *, locale: str, now: datetime) -> Unanswered:
    """Keep the question without what may name a person; one asked before is counted. Old ones go after 180 days."""
    session.exec(delete(Unanswered).where(col(Unanswered.last_at) < now - KEPT_FOR))
    question = _PERSONAL.sub("…", " ".join(question.lower().split()))
    known = session.exec(select(Unanswered).where(Unanswered.question == question, Unanswered.locale == locale)).first()
    if known is None:
        known = Unanswered(
            question=question, locale=locale, outcome=found.outcome.value, first_at=now, last_at=now, times=0
        )
    known.times += 1
    known.outcome, known.last_at = found.outcome.value, now
    session.add(known)
    session.flush()
    if known.times == 1:
        history.record(session, "user", "asked in vain", "question", known.id, now=now)
    return known


def unanswered(session: Session, *, after: int = 0, limit: int = 1000) -> list[Unanswered]:
    """What was asked in vain and not dismissed, by number."""
    query = select(Unanswered).where(col(Unanswered.dismissed_at).is_(None), col(Unanswered.id) > after)
    return list(session.exec(query.order_by(col(Unanswered.id)).limit(limit)))


def dismiss(session: Session, number: int, *, actor: str = "staff", now: datetime) -> Unanswered:
    """Take a question off the list: answered by a revision or a pin, or none of the policy's business."""
    found = session.get(Unanswered, number)
    if found is None:
        raise NotFound(f"There is no unanswered question {number}.", "`assent answers unanswered` lists them.")
    if found.dismissed_at is None:
        found.dismissed_at = now
        session.add(found)
        history.record(session, actor, "dismissed", "question", number, now=now)
    return found
