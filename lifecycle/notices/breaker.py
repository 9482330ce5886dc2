"""When the relay refuses everything: no notice is tried, all workers together try the door, and staff are told once.

An outage is a row, and there is at most one. While it stands, a probe without a message knocks ever more seldom. Once
one is let in, single notices may leave; the first that the relay answers ends the outage.
"""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy
from sqlalchemy import delete, update
from sqlmodel import Session, col, func, select

from lifecycle import requests
from lifecycle.inserting import insert_once
from lifecycle.models import Notice, RelayOutage, Request
from lifecycle.models.notice import WAITING
from lifecycle.notices.conversation import Reply
from lifecycle.rows import fetch
from lifecycle.states import Purpose

REFUSALS = 3  # in a row, nothing having been let in between
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
DOWN, UP = "The mail relay refuses everything", "The mail relay takes mail again"
_RELAY = "mail"


class Refusals:
    """How many hand-overs in a row this worker saw refused for no reason of their own."""

    def __init__(self) -> None:
        self._row = 0

    def count(self, session: Session, replies: Iterable[Reply], *, now: datetime) -> RelayOutage | None:
        """Begin an outage when there were too many, end it when the relay answers for a recipient; the one there is.

        A connection that broke says neither, and what was on its way before the outage began does not end it.
        """
        last: Reply | None = None
        for reply in replies:
            if reply.of_relay or reply.code is not None:
                last, self._row = reply, self._row + 1 if reply.of_relay else 0
        found = outage(session)
        if last is not None and last.of_relay and (found or self._row >= REFUSALS):
            refused(session, last.text, now=now)
        elif last is not None and found and found.probed:
            answered(session, now=now)
        else:
            return found
        return outage(session)


_OUTAGE = select(RelayOutage).where(RelayOutage.name == _RELAY).execution_options(populate_existing=True)
_ANY = sqlalchemy.select(col(RelayOutage.name))


def outage(session: Session) -> RelayOutage | None:
    """The outage there is now; that there is none, which is asked all the time, costs little."""
    return session.exec(_OUTAGE).first() if fetch(session, str, _ANY) else None


def refused(session: Session, why: str, *, now: datetime) -> None:
    """The relay refuses everything: pause, and tell staff unless they know. Harmless during the pause."""
    row = {"name": _RELAY, "since": now, "why": why, "tries": 1, "probe_at": now + _pause(1), "probed": False}
    if insert_once(session, RelayOutage, [row]):
        requests.open_once(session, subject=DOWN, details=_details(session, why), now=now)
        return
    again = update(RelayOutage).where(col(RelayOutage.probed)).values(probed=False, why=why)
    session.connection().execute(again)


def take_probe(session: Session, *, now: datetime) -> bool:
    """Whether the caller is to knock now: one of all workers, once the pause is over. The next pause begins."""
    found = session.exec(select(RelayOutage).where(col(RelayOutage.probe_at) <= now).with_for_update()).first()
    if found is None or found.probed:
        return False
    found.tries += 1
    found.probe_at = now + _pause(found.tries)
    session.add(found)
    return True


def let_in(session: Session) -> None:
    """A probe was let in: now single notices may try."""
    session.connection().execute(update(RelayOutage).values(probed=True))


def answered(session: Session, *, now: datetime) -> None:
    """The relay answered for a recipient, so it works: staff learn so if they were told that it did not."""
    found = outage(session)
    if found is None or not session.execute(delete(RelayOutage).where(col(RelayOutage.name) == _RELAY)).rowcount:  # type: ignore[attr-defined]
        return
    told = select(Request).where(Request.source == "assent", Request.subject == DOWN, col(Request.closed_at).is_(None))
    for request in session.exec(told).all():
        requests.close(session, request, actor="clock", now=now)
    said = f"From {found.since.isoformat()} to {now.isoformat()} it took nothing. What waited is leaving now."
    requests.open_once(session, subject=UP, details=said, now=now)


def _pause(tries: int) -> timedelta:
    """Twice as long each time, times 1 to 1.25, so that not everybody knocks at once."""
    return min(FIRST_PAUSE * (1 << min(tries - 1, 10)), LONGEST_PAUSE) * (1 + random.random() / 4)


def _details(session: Session, why: str) -> str:
    ends = col(Notice.purpose) == Purpose.TERMINATION_NOTICE
    count = session.exec(select(func.count()).select_from(Notice).where(WAITING, ends)).one()
    held = f" {count} notices of terminations wait, and no termination takes effect before its notice is sent." * (
        count > 0
    )
    return (
        f"It says: {why[:1000]}\n\nNo mail leaves, and none is lost: the relay is tried again by itself, at least every"
        f" five minutes or so. See to ASSENT_SMTP_URL; `assent doctor` tries it at once.{held}"
    )
