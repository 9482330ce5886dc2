"""The one way in for every face: a question, put to the texts that bind the asker, answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from sqlmodel import Session

from lifecycle import users
from lifecycle.answers import answering, llm, sources, unanswered
from lifecycle.answers.answering import Answer
from lifecycle.db import Database
from lifecycle.errors import AssentError
from lifecycle.settings import Settings


def ask(
    database: Database,
    question: str,
    *,
    settings: Settings,
    documents: Sequence[str] = (),
    locale: str = "",
    user: str = "",
    discord_id: str = "",
    now: datetime,
) -> Answer:
    """What the policies say to this asker, known by the host's id or by Discord's, or to anyone.

    A question that finds no answer is kept for the next revision, unless the asker is unknown or opted out of logging.
    Raises InvalidInput for an empty or endless question, NotFound for an unknown document or `user`.
    """

    def work(session: Session) -> tuple[Answer, bool]:
        asker = users.user(session, user) if user else users.by_discord(session, discord_id) if discord_id else None
        found = answering.answer(
            session, question, settings=settings, documents=documents, locale=locale, user=asker, now=now
        )
        return found, unanswered.may_be_kept(session, asker)

    extracted, may_be_kept = database.read(work)
    found = llm.refine(question, extracted, settings=settings)  # no session is held across the network
    if may_be_kept and found.outcome in unanswered.IN_VAIN:
        database.run(unanswered.keep, question, found, locale=locale, now=now)
    return found


@asynccontextmanager
async def warming_up(database: Database, *, settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[None]:
    """Make the texts ready for questions meanwhile; a text that cannot be read is told when it is asked."""
    task = asyncio.create_task(warm_up(database, settings=settings, now=clock()))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, AssentError):
            await task


async def warm_up(database: Database, *, settings: Settings, now: datetime) -> int:
    """Make the texts in force ready one by one, so that no question after a start waits for all; how many."""
    bodies = await database.aread(sources.in_force, now=now)
    for body in bodies:
        await database.aread(sources.prepare, body, settings=settings)
    return len(bodies)
