"""Handing notices to the relay: claimed in small batches, each outcome on record, nothing lost in a crash.

Before the first byte of a notice leaves, its exact message is kept and it stands as `sending`. So a killed process
leaves at most one notice in doubt for each connection (rule 7).
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from lifecycle import announcing, engagements, history, requests
from lifecycle.db import Database
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.models import Attempt, Notice, Request, User, Version
from lifecycle.notices import addresses, contents, outbox
from lifecycle.notices.conversation import Reply
from lifecycle.notices.rendering import compose, renderer
from lifecycle.notices.smtp import Relay
from lifecycle.settings import Settings
from lifecycle.states import (
    MAX_DOUBTS,
    NOTICE_TRANSITIONS,
    AttemptOutcome,
    Channel,
    NoticeStatus,
    Purpose,
    next_try,
)

MAX_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Handover:
    """A notice on its way: its exact message and whom it goes to."""

    notice_id: int
    nth: int
    claim: str
    sender: str
    address: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a hand-over ended, with the relay's own words."""

    handover: Handover
    reply: Reply
    at: datetime


# -- what the database does ----------------------------------------------------------------------------------------


def claim(
    session: Session, *, limit: int, settings: Settings, channel: Channel = Channel.EMAIL, now: datetime
) -> list[Handover]:
    """Take up to `limit` due notices for this worker, keep their messages, and mark them `sending`.

    What cannot be rendered fails with its reason; what is no longer wanted is cancelled. Two workers never claim
    the same notice: the rows are locked on PostgreSQL, and the whole database is on SQLite.
    """
    return _claim(session, limit=limit, settings=settings, channel=channel, now=now)[1]


def _claim(
    session: Session, *, limit: int, settings: Settings, channel: Channel, now: datetime
) -> tuple[int, list[Handover]]:
    token = secrets.token_hex(8)
    looked = outbox.take_due(session, channel, limit=limit, now=now)
    taken = (_take(session, notice, token, settings, now=now) for notice in looked)
    return len(looked), [handover for handover in taken if handover is not None]


def _take(session: Session, notice: Notice, token: str, settings: Settings, *, now: datetime) -> Handover | None:
    if reason := contents.unwanted(session, notice, now=now):
        doubt = "; an earlier copy may have arrived" if notice.doubts else ""
        _move(session, notice, NoticeStatus.CANCELLED, reason=reason + doubt, now=now)
        return None
    try:
        _prepare(session, notice, settings, now=now)
    except AssentError as error:
        _move(session, notice, NoticeStatus.FAILED, reason=str(error), now=now)
        after_failure(session, notice, now=now)
        return None
    _move(session, notice, NoticeStatus.SENDING, now=now)
    notice.attempts += 1
    notice.claim, notice.lease_until = token, now + timedelta(seconds=settings.lease_seconds)
    session.add(Attempt(notice_id=notice.id, nth=notice.attempts, address=notice.address, started_at=now))
    assert notice.message is not None
    sender = addresses.return_path(settings, notice.id)
    return Handover(notice.id, notice.attempts, token, sender, notice.address, notice.message)


def _prepare(session: Session, notice: Notice, settings: Settings, *, now: datetime) -> None:
    """Keep the exact message. A copy that may have arrived is repeated byte for byte, never written anew."""
    if notice.message is None or not (notice.doubts or notice.purpose is Purpose.TEST):
        write(session, notice, settings, now=now)


def write(session: Session, notice: Notice, settings: Settings, *, mark: str = "", now: datetime) -> None:
    """Write the message of a notice as it leaves at `now`, `mark` before its subject. Raises what cannot be written."""
    who = contents.reader(session, notice, settings)
    values = contents.values(session, notice, who, now=now)
    rendered = renderer().render(notice.purpose, values, locale=who.locale, channel=notice.channel)
    rendered = replace(rendered, subject=mark + rendered.subject)
    notice.message_id = notice.message_id or message_id(notice, settings)
    if notice.channel is Channel.DISCORD:
        notice.address = notice.address or (who.user.discord_id or "" if who.user else "")
        notice.message = f"**{rendered.subject}**\n\n{rendered.text}".encode()
        return
    notice.address = who.user.email if who.user else notice.address
    if not notice.address:
        raise InvalidInput("The user has no e-mail address any more.")
    if who.user and not who.user.takes_mail:
        raise InvalidInput(outbox.BAD_ADDRESS)
    notice.message = compose(
        rendered,
        sender=settings.mail_from,
        to=notice.address,
        reply_to=addresses.reply_to(settings, notice.id),
        message_id=notice.message_id,
        date=now,
    )


def message_id(notice: Notice, settings: Settings) -> str:
    """The same for every copy of a notice, and unguessable from outside (RFC 5322, 3.6.4)."""
    return addresses.message_id(settings, notice.id, notice.key)


def record(session: Session, outcomes: Sequence[Outcome], *, settings: Settings, now: datetime) -> None:
    """Write down how hand-overs ended, and what follows from each.

    A worker that lost its lease can still prove that its copy was sent; any other late word changes nothing.
    """
    for outcome in outcomes:
        notice = session.exec(select(Notice).where(Notice.id == outcome.handover.notice_id).with_for_update()).one()
        _finish_attempt(session, notice, outcome.handover.nth, outcome.reply, at=outcome.at)
        ours = notice.status is NoticeStatus.SENDING and notice.claim == outcome.handover.claim
        proves = outcome.reply.outcome is AttemptOutcome.SENT and NoticeStatus.SENT in NOTICE_TRANSITIONS[notice.status]
        if ours or proves:
            _conclude(session, notice, outcome, settings, now=now)


def _conclude(session: Session, notice: Notice, outcome: Outcome, settings: Settings, *, now: datetime) -> None:
    reply = outcome.reply
    notice.claim, notice.lease_until = "", None
    match reply.outcome:
        case AttemptOutcome.SENT:
            prove_sent(session, notice, settings, sent_at=outcome.at, now=now)
        case AttemptOutcome.DEFERRED if reply.code is None or notice.attempts < MAX_ATTEMPTS:
            notice.due_at = next_try(now, notice.attempts, random.random())
            _move(session, notice, NoticeStatus.DEFERRED, reason=reply.text, now=now)
        case AttemptOutcome.UNKNOWN:
            doubt(session, notice, due_at=next_try(now, 1, random.random()), now=now)
        case _:
            _move(session, notice, NoticeStatus.FAILED, reason=reply.text, now=now)
            after_failure(session, notice, now=now)


def prove_sent(session: Session, notice: Notice, settings: Settings, *, sent_at: datetime, now: datetime) -> None:
    """There is proof that the notice was sent: put it down, with what follows."""
    notice.sent_at = sent_at
    _move(session, notice, NoticeStatus.SENT, now=now)
    _after_sent(session, notice, settings, sent_at=sent_at, now=now)


def doubt(session: Session, notice: Notice, *, due_at: datetime, now: datetime) -> None:
    """A copy may have arrived: repeat it once under its Message-ID, then leave it to staff (rule 7)."""
    notice.doubts += 1
    notice.claim, notice.lease_until, notice.due_at = "", None, due_at
    left = notice.doubts >= MAX_DOUBTS
    reason = "handed over in doubt twice; staff decide" if left else "handed over in doubt; repeated once"
    _move(session, notice, NoticeStatus.UNKNOWN, reason=reason, now=now)
    if left and notice.purpose is Purpose.TERMINATION_NOTICE:
        announcing.in_doubt(session, notice, now=now)


def recover(session: Session, *, now: datetime, channel: Channel = Channel.EMAIL) -> int:
    """Notices whose worker died while sending are in doubt from now on; how many there were."""
    stale = select(Notice).where(
        Notice.status == NoticeStatus.SENDING, Notice.channel == channel, col(Notice.lease_until) <= now
    )
    found = session.exec(stale.with_for_update(skip_locked=True)).all()
    for notice in found:
        _finish_attempt(
            session, notice, notice.attempts, Reply(AttemptOutcome.UNKNOWN, None, "the worker died"), at=now
        )
        doubt(session, notice, due_at=now, now=now)
    return len(found)


def _move(session: Session, notice: Notice, status: NoticeStatus, *, reason: str = "", now: datetime) -> None:
    outbox.move(notice, status)
    notice.reason = reason
    session.add(notice)
    if status is not NoticeStatus.SENDING:
        history.record(session, "clock", status.value, "notice", notice.id, now=now, attempt=notice.attempts)


def _finish_attempt(session: Session, notice: Notice, nth: int, reply: Reply, *, at: datetime) -> None:
    session.execute(
        update(Attempt)
        .where(col(Attempt.notice_id) == notice.id, col(Attempt.nth) == nth)
        .where(col(Attempt.address) != "")  # else the person was erased meanwhile, and the relay would name them
        .values(finished_at=at, outcome=reply.outcome, code=reply.code, reply=reply.text)
    )


def _after_sent(session: Session, notice: Notice, settings: Settings, *, sent_at: datetime, now: datetime) -> None:
    if notice.version_id is not None:
        user, version = session.get_one(User, notice.user_id), session.get_one(Version, notice.version_id)
        engagements.tell(session, user, version, notice_id=notice.id, channel=notice.channel, sent_at=sent_at, now=now)
    elif notice.purpose is Purpose.TERMINATION_NOTICE:
        assert notice.termination_id is not None
        announcing.sent(session, notice.termination_id, sent_at=sent_at, zone=settings.zone, now=now)


def after_failure(session: Session, notice: Notice, *, now: datetime) -> None:
    """The notice cannot reach the user over its channel: owe it over the next one, or tell staff."""
    if notice.purpose is Purpose.TERMINATION_NOTICE:
        announcing.failed(session, notice, now=now)
    elif notice.purpose is Purpose.REQUEST_ANSWERED:
        assert notice.reply_id is not None
        requests.reply_failed(session, notice.reply_id, notice.channel, now=now)
    elif notice.request_id is not None:
        about, thing = session.get_one(Request, notice.request_id), notice.key.split("/")[1]
        requests.told_in_vain(session, about, notice.purpose, thing, notice.channel, now=now)
    elif notice.user_id is not None:
        user = session.get_one(User, notice.user_id)
        channel = outbox.next_channel(user, [notice.channel])
        thing = notice.key.split("/")[1]
        if channel is not None and not _tried(session, notice, channel):
            outbox.owe(
                session,
                notice.purpose,
                thing,
                user=user,
                channel=channel,
                now=now,
                version_id=notice.version_id,
                termination_id=notice.termination_id,
            )


def _tried(session: Session, notice: Notice, channel: Channel) -> bool:
    _, thing, who, _ = notice.key.split("/")
    key = outbox.notice_key(notice.purpose, thing, who, channel)
    return session.exec(select(Notice.id).where(Notice.key == key)).first() is not None


# -- what the event loop does ------------------------------------------------------------------------------------


class Dispatcher:
    """Empties the outbox of due mail: as many hand-overs at once as there are connections."""

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._database, self._settings, self._clock = database, settings, clock
        self._relay = Relay(settings)
        self._busy = asyncio.Lock()
        self._more = asyncio.Event()
        self._stopping = False
        self._running = set[asyncio.Task[Outcome]]()
        self._finished: list[Outcome] = []

    async def drain(self) -> int:
        """Send all that is due now; how many hand-overs were tried. Calls at the same time take turns.

        What ended while the database could not be used is put on record by the next call.
        """
        async with self._busy:
            await self._database.arun(recover, now=self._clock())
            return await self._drain()

    def close(self) -> None:
        """Begin no new hand-over from now on."""
        self._stopping = True

    def nudge(self) -> None:
        """Let a drain under way look for what fell due meanwhile, if there is a free connection."""
        self._more.set()

    async def _drain(self) -> int:
        tried = 0
        while True:
            self._more.clear()
            room = 0 if self._stopping else self._settings.smtp_connections - len(self._running)
            finished = self._finished[:]
            looked, taken = await self._database.arun(self._cycle, finished, room)
            del self._finished[: len(finished)]
            self._running |= {asyncio.create_task(self._hand_over(handover)) for handover in taken}
            tried += len(taken)
            if self._running:
                await self._wait()
            elif not looked:
                return tried

    async def _wait(self) -> None:
        """Until a hand-over has ended, or there is more to look for."""
        more = asyncio.create_task(self._more.wait())
        done, _ = await asyncio.wait({more, *self._running}, return_when=asyncio.FIRST_COMPLETED)
        more.cancel()
        ended = self._running & done
        self._running -= ended
        self._finished += [task.result() for task in ended]

    def _cycle(self, session: Session, finished: Sequence[Outcome], room: int) -> tuple[int, list[Handover]]:
        """One transaction: what ended is recorded, what is due next is claimed; how many were looked at, and those."""
        now = self._clock()
        record(session, finished, settings=self._settings, now=now)
        return _claim(session, limit=room, settings=self._settings, channel=Channel.EMAIL, now=now) if room else (0, [])

    async def _hand_over(self, handover: Handover) -> Outcome:
        reply = await self._relay.send(handover.sender, handover.address, handover.message)
        return Outcome(handover, reply, self._clock())

    async def stop(self) -> None:
        """Begin no new hand-over, let those under way end and be put on record, and say goodbye to the relay."""
        self.close()
        try:
            await self.drain()
        finally:
            await self._relay.close()
