"""Taking due notices for a worker: reserved and written in batches, marked `sending` right before they leave.

A reservation is a lease on a notice that nothing has been done about yet: when it runs out, anybody may take it.
What is `sending` may have arrived. So only as many are as a worker has connections.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col, func

from lifecycle.models import Notice
from lifecycle.models.notice import PENDING
from lifecycle.notices import keeping, outbox, recording, writing
from lifecycle.notices.readers import Known
from lifecycle.notices.recording import Handover
from lifecycle.rows import among, as_given, as_tuple, execute, fetch, given, is_first, parameters
from lifecycle.settings import Settings
from lifecycle.states import Channel, NoticeStatus

RESERVED_SECONDS = 20.0


def claim(
    session: Session, *, limit: int, settings: Settings, channel: Channel = Channel.EMAIL, now: datetime
) -> list[Handover]:
    """Take up to `limit` due notices for this worker, keep their messages, and mark them `sending`."""
    ready = reserve(session, limit=limit, settings=settings, channel=channel, now=now)[1]
    begun = begin(session, ready, settings=settings, now=now)
    recording.refresh(session, {handover.notice_id for handover in begun})
    return begun


def reserve(
    session: Session, *, limit: int, settings: Settings, channel: Channel = Channel.EMAIL, now: datetime
) -> tuple[int, list[Handover]]:
    """Up to `limit` due notices, written and lent to this worker; how many were looked at, and those.

    Two workers never reserve the same notice: the rows are locked on PostgreSQL, and the whole database is on SQLite.
    """
    found = outbox.take_due(session, channel, limit=limit, now=now)
    known, token = Known(session, found), secrets.token_hex(8)
    tried = (writing.write(known, notice, token, settings, now=now) for notice in found)
    ready = [handover for handover in tried if handover is not None]
    if ready:
        until = now + timedelta(seconds=min(RESERVED_SECONDS, settings.lease_seconds))
        execute(session, _LEND, ids=[handover.notice_id for handover in ready], token=token, until=until)
    return len(found), ready


def begin(session: Session, ready: Sequence[Handover], *, settings: Settings, now: datetime) -> list[Handover]:
    """Mark as `sending` what is still ours, and keep the messages; those of which the first byte may now leave."""
    ours = set(fetch(session, as_tuple, _HELD, ids=[handover.notice_id for handover in ready]))
    begun = [handover for handover in ready if (handover.notice_id, handover.claim) in ours]
    if begun:
        until = now + timedelta(seconds=settings.lease_seconds)
        rows = [(each.notice_id, each.nth, each.address, each.message_id) for each in begun]
        execute(session, _BEGIN, given=as_given(session, rows), until=until, begun_at=now)
        keeping.keep(session, [(each.notice_id, each.kept) for each in begun if each.kept is not None])
    return begun


_LEND = (
    update(Notice).where(among(col(Notice.id), "ids")).values(claim=bindparam("token"), lease_until=bindparam("until"))
)
_HELD = (
    select(col(Notice.id), col(Notice.claim))
    .where(among(col(Notice.id), "ids"), PENDING)
    .with_for_update(skip_locked=True)  # another's since our lease ran out; two workers that wait would be a deadlock
)
_id, _attempts, _address, _message_id = given(Notice, "id", "attempts", "address", "message_id")
_BEGIN = (
    update(Notice)
    .where(is_first(col(Notice.id), _id))
    .values(
        status=NoticeStatus.SENDING,
        reason="",
        attempts=_attempts,
        lease_until=bindparam("until"),
        begun_at=bindparam("begun_at"),
        address=_address,
        message_id=_message_id,
    )
)

_lent, _token = given(Notice, "id", "claim")
_RELEASE = (
    update(Notice)
    .where(is_first(col(Notice.id), _lent), col(Notice.claim) == _token, PENDING)
    .values(claim="", lease_until=None, due_at=func.coalesce(*parameters(Notice, "due_at"), col(Notice.due_at)))
)


def release(session: Session, ready: Sequence[Handover], *, due_at: datetime | None = None) -> None:
    """Give back what was reserved and not begun, to be due then instead."""
    back = [(handover.notice_id, handover.claim) for handover in ready]
    execute(session, _RELEASE, given=as_given(session, back), due_at=due_at)
