"""Taking due notices for a worker: reserved and written in batches, marked `sending` right before they leave.

A reservation is a lease on a notice that nothing has been done about yet: when it runs out, anybody may take it.
What is `sending` may have arrived. So only as many are as a worker has connections.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, col, select

from lifecycle import reminding
from lifecycle.db import execute_many
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.models import Attempt, Notice
from lifecycle.notices import addresses, composing, contents, keeping, outbox, recording, signing
from lifecycle.notices.recording import Handover
from lifecycle.notices.rendering import renderer
from lifecycle.settings import Settings
from lifecycle.states import PENDING_STATUSES, AttemptOutcome, Channel, NoticeStatus, Purpose

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

    What cannot be rendered fails with its reason; what is no longer wanted is cancelled. Two workers never reserve
    the same notice: the rows are locked on PostgreSQL, and the whole database is on SQLite.
    """
    found = outbox.take_due(session, channel, limit=limit, now=now)
    known, token = contents.Known(session, found), secrets.token_hex(8)
    tried = (_write(known, notice, token, settings, now=now) for notice in found)
    ready = [handover for handover in tried if handover is not None]
    if ready:
        lent = update(Notice).where(col(Notice.id).in_([handover.notice_id for handover in ready]))
        lease = timedelta(seconds=min(RESERVED_SECONDS, settings.lease_seconds))
        session.connection().execute(lent.values(claim=token, lease_until=now + lease))
    return len(found), ready


def begin(session: Session, ready: Sequence[Handover], *, settings: Settings, now: datetime) -> list[Handover]:
    """Mark as `sending` what is still ours, and keep the messages; those of which the first byte may now leave."""
    held = session.connection().execute(_HELD, {"ids": [handover.notice_id for handover in ready]})
    ours = {tuple(row) for row in held}
    begun = [handover for handover in ready if (handover.notice_id, handover.claim) in ours]
    if begun:
        until = now + timedelta(seconds=settings.lease_seconds)
        execute_many(session, _BEGIN, [_begun(handover, until) for handover in begun])
        execute_many(session, _TRY, [_attempt(handover, now) for handover in begun])
    return begun


_HELD = (
    select(Notice.id, Notice.claim)
    .where(col(Notice.id).in_(bindparam("ids", expanding=True)), col(Notice.status).in_(PENDING_STATUSES))
    .order_by(col(Notice.id))
    .with_for_update()
)
_BEGIN = (
    update(Notice)
    .where(col(Notice.id) == bindparam("notice_id"))
    .values(
        status=NoticeStatus.SENDING,
        reason="",
        attempts=bindparam("nth"),
        lease_until=bindparam("until"),
        address=bindparam("to"),
        message_id=bindparam("named"),
        message=bindparam("kept"),
        form_id=bindparam("form"),
    )
)

_TRY = insert(Attempt)


def _begun(handover: Handover, until: datetime) -> dict[str, Any]:
    return {
        "notice_id": handover.notice_id,
        "nth": handover.nth,
        "until": until,
        "to": handover.address,
        "named": handover.message_id,
        "kept": handover.kept,
        "form": handover.form_id,
    }


def _attempt(handover: Handover, now: datetime) -> dict[str, Any]:
    return {
        "notice_id": handover.notice_id,
        "nth": handover.nth,
        "address": handover.address,
        "started_at": now,
        "outcome": AttemptOutcome.STARTED,
        "reply": "",
    }


def release(session: Session, ready: Sequence[Handover], *, due_at: datetime | None = None) -> None:
    """Give back what was reserved and not begun, to be due then instead."""
    back = {"claim": "", "lease_until": None} | ({"due_at": due_at} if due_at else {})
    for token in {handover.claim for handover in ready}:
        ours = (col(Notice.claim) == token, col(Notice.status).in_(PENDING_STATUSES))
        some = col(Notice.id).in_([handover.notice_id for handover in ready])
        session.connection().execute(update(Notice).where(some, *ours).values(**back))


# -- the message -------------------------------------------------------------------------------------------------------


def _write(known: contents.Known, notice: Notice, token: str, settings: Settings, *, now: datetime) -> Handover | None:
    """The notice with its message, if it is to go out."""
    gone = contents.unwanted(known, notice, now=now)
    if reason := gone or reminding.superseded(known.session, notice, settings, now=now):
        doubt = "; an earlier copy may have arrived" if notice.doubts else ""
        recording.move(known.session, notice, NoticeStatus.CANCELLED, reason=reason + doubt, now=now)
        return None
    try:
        return _written(known, notice, token, settings, now=now)
    except AssentError as error:
        recording.move(known.session, notice, NoticeStatus.FAILED, reason=str(error), now=now)
        recording.after_failure(known.session, notice, now=now)
        return None


def _written(known: contents.Known, notice: Notice, token: str, settings: Settings, *, now: datetime) -> Handover:
    named = notice.message_id or message_id(notice, settings)
    again = notice.doubts or notice.purpose is Purpose.TEST
    if again and (message := keeping.message(known.session, notice)) is not None:
        # A copy that may have arrived is repeated byte for byte, never written anew; a test mail was written before.
        address, kept, form_id = notice.address, notice.message or b"", notice.form_id
    else:
        address, message, form = _message(known, notice, settings, named, now=now)
        kept, form_id = _kept(known, message, form)
    nth, sender = notice.attempts + 1, addresses.return_path(settings, notice.id)
    return Handover(notice.id, nth, token, notice.priority, sender, address, named, message, kept, form_id)


def _kept(known: contents.Known, message: bytes, form: composing.Form | None) -> tuple[bytes, int | None]:
    """How the message is kept: one of many compressed against what it shares with the others."""
    if form is None:
        return message, None
    form_id: int = known.once(lambda: keeping.keep_form(known.session, form.common), form)
    return keeping.packed(message, form.common), form_id


def _message(
    known: contents.Known, notice: Notice, settings: Settings, named: str, mark: str = "", *, now: datetime
) -> tuple[str, bytes, composing.Form | None]:
    """The address and the message, with `mark` before its subject; and the form of one that is for many."""
    who = contents.reader(known, notice, settings)
    values = contents.values(known, notice, who, now=now)
    templates = renderer(settings.wording_dir)
    render = partial(templates.render, notice.purpose, values, locale=who.locale)
    if notice.channel is Channel.DISCORD:
        shown = render(channel=notice.channel)
        message = f"**{mark}{shown.subject}**\n\n{shown.text}".encode()
        return notice.address or (who.user.discord_id or "" if who.user else ""), message, None
    address = who.user.email if who.user else notice.address
    if not address:
        raise InvalidInput("The user has no e-mail address any more.")
    if who.user and not who.user.takes_mail:
        raise InvalidInput(outbox.BAD_ADDRESS)
    sender, reply_to = settings.mail_from, addresses.reply_to(settings, notice.id)
    lines: dict[str, Any] = {"to": address, "reply_to": reply_to, "message_id": named, "date": now}
    if own := contents.own(notice.purpose, values) if not mark else set():
        form = composing.form(templates, notice.purpose, values, own=own, locale=who.locale, sender=sender)
        return address, signing.signed(form.fill(values, **lines), settings), form
    mail = render()
    mail = replace(mail, subject=mark + mail.subject)
    return address, signing.signed(composing.compose(mail, sender=sender, **lines), settings), None


def write(session: Session, notice: Notice, settings: Settings, *, mark: str = "", now: datetime) -> None:
    """Write the message of a notice as it leaves at `now`, `mark` before its subject. Raises what cannot be written."""
    notice.message_id = notice.message_id or message_id(notice, settings)
    known = contents.Known(session, [notice])
    notice.address, notice.message, _ = _message(known, notice, settings, notice.message_id, mark, now=now)
    notice.form_id = None


def message_id(notice: Notice, settings: Settings) -> str:
    """The same for every copy of a notice, and unguessable from outside (RFC 5322, 3.6.4)."""
    return addresses.message_id(settings, notice.id, notice.key)
