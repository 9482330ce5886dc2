"""The exact message of each notice that a worker has taken: for many, nearly all of the work is done once."""

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session

from lifecycle import reminding
from lifecycle.errors import AssentError, InvalidInput
from lifecycle.models import Notice
from lifecycle.notices import addresses, composing, contents, keeping, outbox, readers, signing, to_many
from lifecycle.notices.composing import Written
from lifecycle.notices.keeping import Packed
from lifecycle.notices.outbox import Due
from lifecycle.notices.readers import About, Known
from lifecycle.notices.recording import Handover
from lifecycle.notices.rendering import Renderer, renderer
from lifecycle.settings import Settings
from lifecycle.states import Channel, NoticeStatus, Purpose


class Dropped(NamedTuple):
    """A notice that does not leave, and what it ends as: nobody wants it any more, or it cannot be written."""

    due: Due
    claim: str
    status: NoticeStatus
    reason: str

    @property
    def notice_id(self) -> int:
        return self.due.id


def write(known: Known, due: Due, token: str, settings: Settings, *, now: datetime) -> Handover | Dropped:
    """The notice with its message for the worker that has this token, if it is to go out. Writes nothing down."""
    gone = contents.unwanted(known, due, now=now)
    if reason := gone or reminding.superseded(known.session, due, settings, now=now):
        return Dropped(due, token, NoticeStatus.CANCELLED, reason)
    try:
        return _handover(known, due, token, settings, now=now)
    except AssentError as error:
        return Dropped(due, token, NoticeStatus.FAILED, str(error))


def _handover(known: Known, due: Due, token: str, settings: Settings, *, now: datetime) -> Handover:
    named = due.message_id or message_id(due, settings)
    again = due.doubts or due.purpose is Purpose.TEST
    message = keeping.message(known.session, due.id) if again else None
    kept: Packed | None = None
    if message is not None:
        # A copy that may have arrived is repeated byte for byte, never written anew; a test mail was written before.
        address, dotted = due.address, True
    else:
        address, (message, dotted), form = _message(known, due, settings, named, now=now)
        kept = Packed(message) if form is None else keeping.packed(message, form.common)
    nth, sender = due.attempts + 1, addresses.return_path(settings, due.id)
    return Handover(due.id, nth, token, due.priority, sender, address, named, message, kept, dotted)


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


def message_of(session: Session, notice: Notice, settings: Settings, *, mark: str = "", now: datetime) -> bytes:
    """The message of a notice as it leaves at `now`, `mark` before its subject; the notice gets its address and
    Message-ID. Raises what cannot be written."""
    notice.message_id = notice.message_id or message_id(notice, settings)
    known = Known(session, [notice])
    notice.address, (message, _), _ = _message(known, notice, settings, notice.message_id, mark, now=now)
    return message


def message_id(notice: About, settings: Settings) -> str:
    """The same for every copy of a notice, and unguessable from outside (RFC 5322, 3.6.4)."""
    return addresses.message_id(settings, notice.id, notice.key)
