"""The stage: one real application, its mailbox, and ways to wait for what happens by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from rich.console import Console
from sqlmodel import Session

from lifecycle import engagements, jobs, standing, users
from lifecycle.app import App
from lifecycle.demo.mailbox import Mail, Mailbox
from lifecycle.documents import store
from lifecycle.errors import AssentError
from lifecycle.models import Notice
from lifecycle.notices import outbox
from lifecycle.states import NoticeStatus, Purpose

UNDER_WAY = {NoticeStatus.SENDING, NoticeStatus.DEFERRED, NoticeStatus.UNKNOWN}
PATIENCE = timedelta(seconds=30)
T = TypeVar("T")


@dataclass(slots=True)
class Stage:
    """What the acts share."""

    app: App
    mailbox: Mailbox
    console: Console

    @property
    def zone(self) -> ZoneInfo:
        return self.app.settings.zone

    def now(self) -> datetime:
        return self.app.clock()

    def say(self, text: str) -> None:
        self.console.print(text)

    async def do(self, work: Callable[[Session], T]) -> T:
        return await self.app.database.arun(work)

    async def until(self, what: str, holds: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait for what the clock and the relay do by themselves."""
        limit = self.now() + PATIENCE
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            if self.now() > limit:
                raise AssentError(f"The demo waited {PATIENCE.seconds} s in vain for {what}.")
            await asyncio.sleep(0.02)

    async def mail(self, name: str, about: str) -> Mail:
        """The first mail to a user whose subject holds `about`, once it has arrived."""
        address = f"{name}@users.example"
        await self.until(f"a mail to {address} about {about!r}", lambda: bool(self.mailbox.to(address, about)))
        return self.mailbox.to(address, about)[0]

    async def all_sent(self) -> None:
        """Wait until nothing that is due is left to plan or to send."""

        async def done() -> bool:
            due = await self.app.database.aread(jobs.next_due)
            counts = await self.app.database.aread(outbox.counts)
            return (due is None or due > self.now()) and UNDER_WAY.isdisjoint(counts)

        await self.until("the outbox to empty", done)

    async def until_notice(self, name: str, purpose: Purpose, termination_id: int) -> Mail:
        """The mail of a notice, once the relay has it."""

        def sent(session: Session) -> Notice | None:
            found = outbox.notices(session, status=NoticeStatus.SENT, purpose=purpose, user=users.user(session, name))
            return next((notice for notice in found if notice.termination_id == termination_id), None)

        async def arrived() -> bool:
            return await self.do(sent) is not None

        await self.until(f"the {purpose.value} notice to {name}", arrived)
        notice = await self.do(sent)
        assert notice is not None
        return next(mail for mail in self.mailbox.mails if mail.message["Message-ID"] == notice.message_id)

    async def standing(self, name: str) -> standing.Standing:
        return await self.do(lambda s: standing.standing(s, users.user(s, name), zone=self.zone, now=self.now()))

    async def bound(self, name: str, slug: str) -> str:
        """In words: which version binds, by what."""

        def find(session: Session) -> engagements.Bound | None:
            user = users.user(session, name)
            return engagements.bound(session, user, store.document(session, slug), at=self.now())

        found = await self.do(find)
        if found is None:
            return f"nothing of {slug} binds {name}"
        return f"version [bold]{found.version.number}[/] of {slug} binds {name} ({found.proof.kind.value})"
