"""Notices owed: each has a unique key, so owing one twice is harmless (rule 6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import CursorResult, Integer, bindparam, update
from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.inserting import insert_once
from lifecycle.models import Attempt, Campaign, Notice, User
from lifecycle.models.notice import WAITING
from lifecycle.rows import fetch
from lifecycle.states import (
    MAX_DOUBTS,
    NOTICE_TRANSITIONS,
    PENDING_STATUSES,
    PRIORITIES,
    PROVEN_STATUSES,
    Channel,
    NoticeStatus,
    Purpose,
)

NO_ADDRESS = "no address: the user has neither e-mail nor Discord"
BAD_ADDRESS = "mail to the user's address came back; correct it"
MAILABLE = (col(User.email) != "") & col(User.email_bounced_at).is_(None)  # User.takes_mail, in SQL
PAUSED = "the roll-out is paused"
CANCELLED = "the roll-out was cancelled: {}"


def notice_key(purpose: Purpose, thing: str, who: str, channel: Channel) -> str:
    """The natural key of a notice: what for, about which thing, to whom, over which channel."""
    return f"{purpose.value}/{thing}/{who}/{channel.value}"


def first_channel(user: User) -> Channel | None:
    """How a user is reached: by e-mail if there is a good address, else over Discord, else not at all."""
    return Channel.EMAIL if user.takes_mail else Channel.DISCORD if user.discord_id else None


def next_channel(user: User, failed: Sequence[Channel]) -> Channel | None:
    """The channel to try after others failed; None when there is no other."""
    open_ones = [(Channel.EMAIL, user.takes_mail), (Channel.DISCORD, user.discord_id)]
    return next((channel for channel, good in open_ones if good and channel not in failed), None)


def owe(
    session: Session,
    purpose: Purpose,
    thing: str,
    *,
    user: User | None,
    address: str = "",
    channel: Channel | None = None,
    due_at: datetime | None = None,
    now: datetime,
    version_id: int | None = None,
    termination_id: int | None = None,
    reply_id: int | None = None,
    request_id: int | None = None,
) -> Notice:
    """Owe a message at `due_at` (now by default). Owing it again changes nothing and returns the one there is.

    A user who cannot be reached gets a `skipped` notice that says so, never silence. `address` is for
    someone without an account. What belongs to a paused or cancelled roll-out stands so.
    """
    wanted = channel or (first_channel(user) if user else None)
    status, reason = _at_first(session, purpose, version_id) if wanted else (NoticeStatus.SKIPPED, _unreached(user))
    notice_id = notice_key(purpose, thing, str(user.id) if user else "-", wanted or Channel.EMAIL)
    row = {
        "key": notice_id,
        "purpose": purpose,
        "channel": wanted or Channel.EMAIL,
        "user_id": user.id if user else None,
        "address": address,
        "version_id": version_id,
        "termination_id": termination_id,
        "reply_id": reply_id,
        "request_id": request_id,
        "created_at": now,
        "due_at": due_at or now,
        "priority": purpose.priority,
        "status": status,
        "reason": reason,
        "attempts": 0,
        "doubts": 0,
        "claim": "",
        "message_id": "",
    }
    added = insert_once(session, Notice, [row])
    owed = session.exec(select(Notice).where(Notice.key == notice_id)).one()
    if added:
        history.record(
            session,
            "clock",
            "owed",
            "notice",
            owed.id,
            now=now,
            purpose=purpose.value,
            about=thing,
            status=owed.status.value,
        )
    return owed


def _unreached(user: User | None) -> str:
    return BAD_ADDRESS if user and user.email else NO_ADDRESS


def _at_first(session: Session, purpose: Purpose, version_id: int | None) -> tuple[NoticeStatus, str]:
    campaign = session.exec(select(Campaign).where(Campaign.version_id == version_id)).first() if version_id else None
    if campaign and campaign.cancelled_at is not None and purpose is Purpose.VERSION_PUBLISHED:
        return NoticeStatus.CANCELLED, CANCELLED.format(campaign.cancelled_reason)
    return (NoticeStatus.HELD, PAUSED) if campaign and campaign.paused_at is not None else (NoticeStatus.OWED, "")


def owe_again(session: Session, notice: Notice, user: User, *, now: datetime) -> Notice:
    """Owe by mail anew what came back: a notice of its own, so that the message kept with the first stays as sent."""
    thing, _, nth = notice.key.split("/")[1].partition("~")
    return owe(
        session,
        notice.purpose,
        f"{thing}~{int(nth or 1) + 1}",
        user=user,
        channel=Channel.EMAIL,
        now=now,
        version_id=notice.version_id,
        termination_id=notice.termination_id,
        reply_id=notice.reply_id,
        request_id=notice.request_id,
    )


def owe_what_came_back(session: Session, user: User, *, now: datetime) -> None:
    """The address was corrected: owe what came back from the old one, unless the user was told in another way."""
    lost = (Notice.status == NoticeStatus.BOUNCED) | (
        (Notice.status == NoticeStatus.FAILED) & (Notice.reason == BAD_ADDRESS)
    )
    for notice in session.exec(select(Notice).where(Notice.user_id == user.id, lost).order_by(col(Notice.id))).all():
        if not _told_otherwise(session, notice):
            owe_again(session, notice, user, now=now)


def _told_otherwise(session: Session, notice: Notice) -> bool:
    told_or_will_be = [*PROVEN_STATUSES, *PENDING_STATUSES, NoticeStatus.SENDING, NoticeStatus.HELD]
    same = (
        Notice.user_id == notice.user_id,
        Notice.purpose == notice.purpose,
        Notice.version_id == notice.version_id,
        Notice.termination_id == notice.termination_id,
        Notice.reply_id == notice.reply_id,
        Notice.request_id == notice.request_id,
    )
    return session.exec(select(Notice.id).where(*same, col(Notice.status).in_(told_or_will_be))).first() is not None


def notice(session: Session, notice_id: int) -> Notice:
    """The notice; raises NotFound."""
    found = session.get(Notice, notice_id)
    if found is None:
        raise NotFound(f"There is no notice {notice_id}.", "`assent notice list` shows those there are.")
    return found


def notices(
    session: Session,
    *,
    status: NoticeStatus | None = None,
    purpose: Purpose | None = None,
    user: User | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Notice]:
    """Notices in key order after `after`, filtered."""
    query = select(Notice).where(col(Notice.id) > after)
    if status is not None:
        query = query.where(Notice.status == status)
    if purpose is not None:
        query = query.where(Notice.purpose == purpose)
    if user is not None:
        query = query.where(Notice.user_id == user.id)
    return list(session.exec(query.order_by(col(Notice.id)).limit(limit)))


def attempts(session: Session, notice: Notice) -> list[Attempt]:
    return list(session.exec(select(Attempt).where(Attempt.notice_id == notice.id).order_by(col(Attempt.nth))))


def counts(session: Session) -> dict[NoticeStatus, int]:
    """How many notices stand in each status."""
    rows = session.exec(select(Notice.status, func.count()).group_by(Notice.status))
    return {NoticeStatus(status): number for status, number in rows}


def cancel(session: Session, *conditions: Any, reason: str, now: datetime) -> int:
    """Cancel notices that are owed, held or deferred and were never in doubt; how many were."""
    unsent = [NoticeStatus.OWED, NoticeStatus.HELD, NoticeStatus.DEFERRED]
    waiting = col(Notice.status).in_(unsent) & (col(Notice.doubts) == 0)
    ids = list(session.exec(select(Notice.id).where(waiting, *conditions)))
    changed: CursorResult[object] = session.execute(  # type: ignore[assignment]
        update(Notice).where(waiting, *conditions).values(status=NoticeStatus.CANCELLED, reason=reason)
    )
    for notice_id in ids:
        history.record(session, "clock", "cancelled", "notice", notice_id, now=now)
    return changed.rowcount


def _lane(channel: Any, priority: Any) -> tuple[Any, ...]:
    return col(Notice.channel) == channel, col(Notice.priority) == priority


class Due(NamedTuple):
    """What writing a notice asks of it: a million objects of the mapper would take longer than their mails."""

    id: int
    key: str
    purpose: Purpose
    channel: Channel
    user_id: int | None
    address: str
    version_id: int | None
    termination_id: int | None
    reply_id: int | None
    request_id: int | None
    due_at: datetime
    priority: int
    attempts: int
    doubts: int
    message_id: str


def take_due(session: Session, channel: Channel, *, limit: int, urgent: bool = False, now: datetime) -> list[Due]:
    """Up to `limit` notices that are due, by priority and instant, or only of the first priority, if `urgent`.

    They are locked for this transaction; those that another one holds, or that are lent to a worker, are passed over.
    Each priority is a range of one index, however many wait.
    """
    found: list[Due] = []
    for priority in PRIORITIES[:1] if urgent else PRIORITIES:
        if room := limit - len(found):
            found += fetch(session, Due, _FIRST_DUE, channel=channel, priority=priority, now=now, room=room)
    return found


_FIRST_DUE = (
    sqlalchemy.select(*(getattr(Notice, name) for name in Due._fields))
    .where(WAITING, *_lane(bindparam("channel"), bindparam("priority")), col(Notice.due_at) <= bindparam("now"))
    .where((col(Notice.claim) == "") | (col(Notice.lease_until) <= bindparam("now")))
    .order_by(col(Notice.due_at), col(Notice.id))
    .limit(bindparam("room", type_=Integer))
    .with_for_update(skip_locked=True)
)


def next_due(session: Session, *, after: datetime | None = None, channel: Channel = Channel.EMAIL) -> datetime | None:
    """When the next waiting notice is due; perhaps in the past, unless `after` is given."""
    later = [col(Notice.due_at) > after] if after else []
    each = (select(func.min(Notice.due_at)).where(WAITING, *_lane(channel, p), *later) for p in PRIORITIES)
    found: list[datetime | None] = [session.exec(lane).one() for lane in each]
    return min((instant for instant in found if instant is not None), default=None)


def backlog(session: Session, *, most: int) -> int:
    """How many mails of campaigns wait, due or not; counted up to `most`."""
    bulk = Purpose.VERSION_PUBLISHED.priority
    waiting = select(Notice.id).where(WAITING, *_lane(Channel.EMAIL, bulk)).limit(most)
    return session.exec(select(func.count()).select_from(waiting.subquery())).one()


def move(notice: Notice, status: NoticeStatus) -> None:
    """Change the status as NOTICE_TRANSITIONS allows; any other change is a fault of ours and raises."""
    if status not in NOTICE_TRANSITIONS[notice.status]:
        raise AssertionError(f"notice {notice.id} cannot go from {notice.status.value} to {status.value}")
    notice.status = status


def resolve(session: Session, notice: Notice, outcome: str, *, actor: str = "staff", now: datetime) -> Notice:
    """Staff settle a notice that is `unknown`, `failed` or `skipped`: `retry` it, or `drop` it.

    Raises Conflict for any other status. A retry keeps the Message-ID, so a copy that did arrive is recognisable.
    What came back is owed anew by a `retry`, as a notice of its own, which is returned; the mark on the address goes.
    """
    if notice.status is NoticeStatus.BOUNCED and outcome == "retry":
        return _resend(session, notice, actor=actor, now=now)
    if notice.status not in {NoticeStatus.UNKNOWN, NoticeStatus.FAILED, NoticeStatus.SKIPPED}:
        raise Conflict(
            f"Notice {notice.id} is {notice.status.value}; only unknown, failed or skipped ones are settled, "
            "and a bounced one can be retried."
        )
    if outcome == "retry":
        move(notice, NoticeStatus.OWED)
        notice.due_at, notice.reason = now, ""
        notice.doubts = min(notice.doubts, MAX_DOUBTS - 1)
    elif outcome == "drop":
        move(notice, NoticeStatus.CANCELLED)
        notice.reason = "dropped by staff"
    else:
        raise InvalidInput(f"Outcome {outcome!r} is not one of: retry, drop.")
    session.add(notice)
    history.record(session, actor, "resolved", "notice", notice.id, now=now, outcome=outcome)
    return notice


def _resend(session: Session, notice: Notice, *, actor: str, now: datetime) -> Notice:
    user = session.get_one(User, notice.user_id)
    if not user.email:
        raise Conflict(f"User {user.external_id!r} has no e-mail address any more; give one first.")
    user.email_bounced_at = None
    session.add(user)
    history.record(session, actor, "resolved", "notice", notice.id, now=now, outcome="retry")
    return owe_again(session, notice, user, now=now)
