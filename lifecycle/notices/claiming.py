"""Taking due notices for a worker: reserved and written in batches, marked `sending` right before they leave.

A reservation is a lease on a notice that nothing has been done about yet: when it runs out, anybody may take it.
What is `sending` may have arrived. So only as many are as a worker has connections.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, literal, select, update
from sqlmodel import Session, col, func

from lifecycle import reminding
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.models import Attempt, Notice
from lifecycle.models.notice import PENDING
from lifecycle.notices import addresses, composing, contents, keeping, outbox, readers, recording, signing, to_many
from lifecycle.notices.composing import Written
from lifecycle.notices.outbox import Due
from lifecycle.notices.readers import About, Known
from lifecycle.notices.recording import Handover
from lifecycle.notices.rendering import Renderer, renderer
from lifecycle.rows import among, as_given, as_tuple, execute, execute_many, fetch, given, is_first, parameters
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome, Channel, NoticeStatus, Purpose

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
    known, token = Known(session, found), secrets.token_hex(8)
    tried = (_write(known, notice, token, settings, now=now) for notice in found)
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
        execute_many(session, _BEGIN, [_begun(handover) for handover in begun], until=until)
        tries = [(handover.notice_id, handover.nth, handover.address) for handover in begun]
        execute(session, _TRY, given=as_given(session, tries), started_at=now)
    return begun


_LEND = (
    update(Notice).where(among(col(Notice.id), "ids")).values(claim=bindparam("token"), lease_until=bindparam("until"))
)
_HELD = (
    select(col(Notice.id), col(Notice.claim))
    .where(among(col(Notice.id), "ids"), PENDING)
    .with_for_update(skip_locked=True)  # another's since our lease ran out; two workers that wait would be a deadlock
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

_STARTED = [*given(Attempt, "notice_id", "nth", "address"), *parameters(Attempt, "started_at")]
_TRY = insert(Attempt).from_select(
    ["notice_id", "nth", "address", "started_at", "outcome", "reply"],
    select(*_STARTED, literal(AttemptOutcome.STARTED.value), literal("")),
)


def _begun(handover: Handover) -> dict[str, Any]:
    return {
        "notice_id": handover.notice_id,
        "nth": handover.nth,
        "to": handover.address,
        "named": handover.message_id,
        "kept": handover.kept,
        "form": handover.form_id,
    }


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


# -- the message -------------------------------------------------------------------------------------------------------


def _write(known: Known, due: Due, token: str, settings: Settings, *, now: datetime) -> Handover | None:
    """The notice with its message, if it is to go out."""
    gone = contents.unwanted(known, due, now=now)
    if reason := gone or reminding.superseded(known.session, due, settings, now=now):
        notice = known.session.get_one(Notice, due.id)
        doubt = "; an earlier copy may have arrived" if notice.doubts else ""
        recording.move(known.session, notice, NoticeStatus.CANCELLED, reason=reason + doubt, now=now)
        return None
    try:
        return _written(known, due, token, settings, now=now)
    except AssentError as error:
        notice = known.session.get_one(Notice, due.id)
        recording.move(known.session, notice, NoticeStatus.FAILED, reason=str(error), now=now)
        recording.after_failure(known.session, notice, now=now)
        return None


def _written(known: Known, due: Due, token: str, settings: Settings, *, now: datetime) -> Handover:
    named = due.message_id or message_id(due, settings)
    again = due.doubts or due.purpose is Purpose.TEST
    if again and (message := keeping.message(known.session, due)) is not None:
        # A copy that may have arrived is repeated byte for byte, never written anew; a test mail was written before.
        address, kept, form_id, dotted = due.address, due.message or b"", due.form_id, True
    else:
        address, (message, dotted), form = _message(known, due, settings, named, now=now)
        kept, form_id = _kept(known, message, form)
    nth, sender = due.attempts + 1, addresses.return_path(settings, due.id)
    return Handover(due.id, nth, token, due.priority, sender, address, named, message, kept, form_id, dotted)


def _kept(known: Known, message: bytes, form: composing.Form | None) -> tuple[bytes, int | None]:
    """How the message is kept: one of many compressed against what it shares with the others."""
    if form is None:
        return message, None
    form_id = known.once(form, keeping.keep_form, known.session, form.common)
    return keeping.packed(message, form.common), form_id


def _message(
    known: Known, notice: About, settings: Settings, named: str, mark: str = "", *, now: datetime
) -> tuple[str, Written, composing.Form | None]:
    """The address and the message, with `mark` before its subject; and the form of one that is for many."""
    who = readers.reader(known, notice, settings)
    templates = renderer(settings.wording_dir)
    if notice.channel is Channel.DISCORD:
        values = contents.values(known, notice, who, now=now)
        shown = templates.render(notice.purpose, values, locale=who.locale, channel=notice.channel)
        message = f"**{mark}{shown.subject}**\n\n{shown.text}".encode()
        return notice.address or (who.user.discord_id or "" if who.user else ""), Written(message), None
    address = who.user.email if who.user else notice.address
    if not address:
        raise InvalidInput("The user has no e-mail address any more.")
    if who.user and not who.user.takes_mail:
        raise InvalidInput(outbox.BAD_ADDRESS)
    sender, reply_to = settings.mail_from, addresses.reply_to(settings, notice.id)
    lines: dict[str, Any] = {"to": address, "reply_to": reply_to, "message_id": named, "date": now}
    if notice.purpose in to_many.TO_MANY and not mark:
        said = to_many.said(known, notice, who, now=now)
        form = known.once(said.group, _form, templates, notice.purpose, said, who.locale, sender)
        message, dotted = form.fill(said.own, **lines)
        return address, Written(signing.signed(message, settings), dotted), form
    values = contents.values(known, notice, who, now=now)
    mail = templates.render(notice.purpose, values, locale=who.locale)
    mail = replace(mail, subject=mark + mail.subject)
    return address, Written(signing.signed(composing.compose(mail, sender=sender, **lines), settings)), None


def _form(templates: Renderer, purpose: Purpose, said: to_many.Said, locale: str, sender: str) -> composing.Form:
    own = to_many.own(purpose, said.values)
    return composing.form(templates, purpose, said.values, own=own, locale=locale, sender=sender)


def write(session: Session, notice: Notice, settings: Settings, *, mark: str = "", now: datetime) -> None:
    """Write the message of a notice as it leaves at `now`, `mark` before its subject. Raises what cannot be written."""
    notice.message_id = notice.message_id or message_id(notice, settings)
    known = Known(session, [notice])
    notice.address, (notice.message, _), _ = _message(known, notice, settings, notice.message_id, mark, now=now)
    notice.form_id = None


def message_id(notice: About, settings: Settings) -> str:
    """The same for every copy of a notice, and unguessable from outside (RFC 5322, 3.6.4)."""
    return addresses.message_id(settings, notice.id, notice.key)
