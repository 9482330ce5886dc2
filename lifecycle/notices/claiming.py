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
from lifecycle.notices.outbox import Due
from lifecycle.notices.readers import Known
from lifecycle.notices.recording import Handover
from lifecycle.notices.writing import Dropped
from lifecycle.rows import among, as_given, as_tuple, execute, fetch, given, is_first, parameters
from lifecycle.settings import Settings
from lifecycle.states import Channel, NoticeStatus

RESERVED_SECONDS = 20.0


def claim(
    session: Session, *, limit: int, settings: Settings, channel: Channel = Channel.EMAIL, now: datetime
) -> list[Handover]:
    """Take up to `limit` due notices for this worker, keep their messages, and mark them `sending`."""
    token, lent = lend(session, limit=limit, settings=settings, channel=channel, now=now)
    known = Known(session, lent)
    written = [writing.write(known, due, token, settings, now=now) for due in lent]
    drop(session, [each for each in written if isinstance(each, Dropped)], settings, now=now)
    begun = begin(session, [each for each in written if isinstance(each, Handover)], settings=settings, now=now)
    recording.refresh(session, {handover.notice_id for handover in begun})
    return begun


def lend(
    session: Session,
    *,
    limit: int,
    settings: Settings,
    channel: Channel = Channel.EMAIL,
    urgent: bool = False,
    now: datetime,
) -> tuple[str, list[Due]]:
    """Up to `limit` due notices for this worker to write, only `urgent` ones if it says so; and the token under which
    they are lent to it.

    Two workers never get the same notice: the rows are locked on PostgreSQL, and the whole database is on SQLite.
    """
    token, found = secrets.token_hex(8), outbox.take_due(session, channel, limit=limit, urgent=urgent, now=now)
    if found:
        until = now + timedelta(seconds=min(RESERVED_SECONDS, settings.lease_seconds))
        execute(session, _LEND, ids=[due.id for due in found], token=token, until=until)
    return token, found


def drop(session: Session, dropped: Sequence[Dropped], settings: Settings, *, now: datetime) -> None:
    """Put on record what does not leave, and what follows from that: if it is still ours, and that is still so."""
    if not dropped:
        return
    ours, known = _still_lent(session, dropped), Known(session, [each.due for each in dropped])
    for before in dropped:
        if (before.notice_id, before.claim) not in ours:
            continue
        found = writing.write(known, before.due, before.claim, settings, now=now)
        if isinstance(found, Handover):
            release(session, [found])
            continue
        notice = session.get_one(Notice, found.notice_id, populate_existing=True)
        notice.claim, notice.lease_until = "", None
        if found.status is NoticeStatus.FAILED:
            recording.move(session, notice, found.status, reason=found.reason, now=now)
            recording.after_failure(session, notice, now=now)
        else:
            doubt = "; an earlier copy may have arrived" if notice.doubts else ""
            recording.move(session, notice, found.status, reason=found.reason + doubt, now=now)


def begin(session: Session, ready: Sequence[Handover], *, settings: Settings, now: datetime) -> list[Handover]:
    """Mark as `sending` what is still ours, and keep the messages; those of which the first byte may now leave."""
    ours = _still_lent(session, ready)
    begun = [handover for handover in ready if (handover.notice_id, handover.claim) in ours]
    if begun:
        until = now + timedelta(seconds=settings.lease_seconds)
        rows = [(each.notice_id, each.nth, each.address, each.message_id) for each in begun]
        execute(session, _BEGIN, given=as_given(session, rows), until=until, begun_at=now)
        keeping.keep(session, [(each.notice_id, each.kept) for each in begun if each.kept is not None])
    return begun


def _still_lent(session: Session, taken: Sequence[Handover | Dropped]) -> set[tuple[int, str]]:
    """Which of these are still lent to us, and under which token; nobody else changes them in this transaction."""
    return set(fetch(session, as_tuple, _STILL_LENT, ids=[each.notice_id for each in taken])) if taken else set()


_LEND = (
    update(Notice).where(among(col(Notice.id), "ids")).values(claim=bindparam("token"), lease_until=bindparam("until"))
)
_STILL_LENT = (
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
