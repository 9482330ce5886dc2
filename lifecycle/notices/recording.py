"""How hand-overs ended, on record, and what follows from that. What was sent to many is written in sets."""

import random
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import func, update
from sqlmodel import Session, col, select

from lifecycle import announcing, engagements, history, ledger, requests
from lifecycle.inserting import insert_into
from lifecycle.models import Attempt, Notice, Request, User, Version
from lifecycle.notices import outbox
from lifecycle.notices.conversation import Reply
from lifecycle.notices.keeping import Packed
from lifecycle.rows import among, as_given, execute, fetch, given, is_first
from lifecycle.settings import Settings
from lifecycle.states import (
    MAX_DOUBTS,
    NOTICE_TRANSITIONS,
    AttemptOutcome,
    Channel,
    EngagementKind,
    NoticeStatus,
    Purpose,
    next_try,
)

MAX_ATTEMPTS = 12


class Handover(NamedTuple):
    """A notice on its way, or about to be: its exact message and whom it goes to.

    `kept` is how the message is to be kept, None if it is already. Unless `dotted`, no line of the message begins with
    a dot.
    """

    notice_id: int
    nth: int
    claim: str
    priority: int
    sender: str
    address: str
    message_id: str
    message: bytes
    kept: Packed | None
    dotted: bool


class Outcome(NamedTuple):
    """How a hand-over ended, with the relay's own words."""

    handover: Handover
    reply: Reply
    at: datetime


def record(session: Session, outcomes: Sequence[Outcome], *, settings: Settings, now: datetime) -> None:
    """Write down how hand-overs ended, and what follows from each.

    A worker that lost its lease can still prove that its copy was sent; any other late word changes nothing.
    """
    if not outcomes:
        return
    found = fetch(session, _Standing, _LOCKED, ids=[outcome.handover.notice_id for outcome in outcomes])
    rows = {row.id: row for row in found}
    _write_tries(session, [_try(o.handover.notice_id, o.handover.nth, o.reply, o.at) for o in outcomes])
    told: list[tuple[Outcome, ledger.Fact]] = []
    for outcome in outcomes:
        row = rows[outcome.handover.notice_id]
        ours = row.status is NoticeStatus.SENDING and row.claim == outcome.handover.claim
        proves = outcome.reply.outcome is AttemptOutcome.SENT and NoticeStatus.SENT in NOTICE_TRANSITIONS[row.status]
        if proves and row.version_id is not None and row.user_id is not None:
            fact = ledger.Fact(row.user_id, row.version_id, outcome.at, row.channel, row.id)
            told.append((outcome, fact))
        elif ours or proves:
            _conclude(session, session.get_one(Notice, row.id), outcome, settings, now=now)
    if told:
        _tell(session, told, now=now)


class _Standing(NamedTuple):
    id: int
    status: NoticeStatus
    claim: str
    channel: Channel
    user_id: int | None
    version_id: int | None


_LOCKED = (
    sqlalchemy.select(*(getattr(Notice, name) for name in _Standing._fields))
    .where(among(col(Notice.id), "ids"))
    .order_by(col(Notice.id))
    .with_for_update()
)
_told, _sent_at = given(Notice, "id", "sent_at")
_SENT = (
    update(Notice)
    .where(is_first(col(Notice.id), _told))
    .values(status=NoticeStatus.SENT, sent_at=_sent_at, claim="", lease_until=None, reason="")
)


_ENDED = ("finished_at", "outcome", "code", "reply")


def _try(notice_id: int, nth: int, reply: Reply, at: datetime) -> tuple[Any, ...]:
    return notice_id, nth, at, reply.outcome, reply.code, reply.text


def _write_tries(session: Session, tries: Sequence[tuple[Any, ...]]) -> None:
    """Write down how tries ended; the last word on each counts."""
    execute(session, _trying(insert_into(session)), given=as_given(session, tries))


@cache
def _trying(insert: Any) -> Any:
    of, nth, *ending = given(Attempt, "notice_id", "nth", *_ENDED)
    started_at = func.coalesce(col(Notice.begun_at), ending[0])
    rows = sqlalchemy.select(of, nth, col(Notice.address), started_at, *ending).where(is_first(col(Notice.id), of))
    written = insert(Attempt).from_select(["notice_id", "nth", "address", "started_at", *_ENDED], rows)
    return written.on_conflict_do_update(
        index_elements=["notice_id", "nth"],
        set_={name: written.excluded[name] for name in _ENDED},
        where=col(Attempt.address) != "",  # else the person was erased meanwhile, and the relay would name them
    )


def _tell(session: Session, told: Sequence[tuple[Outcome, ledger.Fact]], *, now: datetime) -> None:
    """These users are proven to have been told of a version, by these tries."""
    sent = [(outcome.handover.notice_id, outcome.at) for outcome, _ in told]
    execute(session, _SENT, given=as_given(session, sent))
    tries = [(outcome.handover.nth, outcome.handover.notice_id) for outcome, _ in told]
    history.record_all(session, "clock", NoticeStatus.SENT.value, "notice", ("attempt",), tries, now=now)
    ledger.write_all(session, EngagementKind.NOTIFIED, [fact for _, fact in told], actor="clock", now=now)
    refresh(session, {notice_id for notice_id, _ in sent})


def refresh(session: Session, notice_ids: Collection[int]) -> None:
    """Let the session see what was written past it."""
    loaded = [thing for thing in session.identity_map.values() if isinstance(thing, Notice)]
    for notice in loaded:
        if notice.id in notice_ids:
            session.refresh(notice)


def _conclude(session: Session, notice: Notice, outcome: Outcome, settings: Settings, *, now: datetime) -> None:
    reply = outcome.reply
    notice.claim, notice.lease_until = "", None
    match reply.outcome:
        case AttemptOutcome.SENT:
            prove_sent(session, notice, settings, sent_at=outcome.at, now=now)
        case AttemptOutcome.DEFERRED if reply.of_relay or notice.attempts < MAX_ATTEMPTS:
            notice.due_at = next_try(now, notice.attempts, random.random())
            move(session, notice, NoticeStatus.DEFERRED, reason=reply.text, now=now)
        case AttemptOutcome.UNKNOWN:
            doubt(session, notice, due_at=next_try(now, 1, random.random()), now=now)
        case _:
            move(session, notice, NoticeStatus.FAILED, reason=reply.text, now=now)
            after_failure(session, notice, now=now)


def prove_sent(session: Session, notice: Notice, settings: Settings, *, sent_at: datetime, now: datetime) -> None:
    """There is proof that the notice was sent: put it down, with what follows."""
    notice.sent_at = sent_at
    move(session, notice, NoticeStatus.SENT, now=now)
    if notice.version_id is not None:
        user, version = session.get_one(User, notice.user_id), session.get_one(Version, notice.version_id)
        engagements.tell(session, user, version, notice_id=notice.id, channel=notice.channel, sent_at=sent_at, now=now)
    elif notice.purpose is Purpose.TERMINATION_NOTICE:
        assert notice.termination_id is not None
        announcing.sent(session, notice.termination_id, sent_at=sent_at, zone=settings.zone, now=now)


def doubt(session: Session, notice: Notice, *, due_at: datetime, now: datetime) -> None:
    """A copy may have arrived: repeat it once under its Message-ID, then leave it to staff (rule 7)."""
    notice.doubts += 1
    notice.claim, notice.lease_until, notice.due_at = "", None, due_at
    left = notice.doubts >= MAX_DOUBTS
    reason = "handed over in doubt twice; staff decide" if left else "handed over in doubt; repeated once"
    move(session, notice, NoticeStatus.UNKNOWN, reason=reason, now=now)
    if left and notice.purpose is Purpose.TERMINATION_NOTICE:
        announcing.in_doubt(session, notice, now=now)


def recover(session: Session, *, now: datetime, channel: Channel = Channel.EMAIL, alive: Collection[int] = ()) -> int:
    """Notices whose worker died while sending are in doubt from now on; how many there were.

    `alive` are those that the caller itself is still sending, however long that takes.
    """
    stale = select(Notice).where(
        Notice.status == NoticeStatus.SENDING, Notice.channel == channel, col(Notice.lease_until) <= now
    )
    found = session.exec(stale.with_for_update(skip_locked=True)).all()
    died = Reply(AttemptOutcome.UNKNOWN, None, "the worker died")
    dead = [notice for notice in found if notice.id not in alive]
    for notice in dead:
        _write_tries(session, [_try(notice.id, notice.attempts, died, now)])
        doubt(session, notice, due_at=now, now=now)
    return len(dead)


def move(session: Session, notice: Notice, status: NoticeStatus, *, reason: str = "", now: datetime) -> None:
    outbox.move(notice, status)
    notice.reason = reason
    session.add(notice)
    history.record(session, "clock", status.value, "notice", notice.id, now=now, attempt=notice.attempts)


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
