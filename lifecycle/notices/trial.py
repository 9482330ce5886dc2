"""The mails of a version before it is published: shown as any user would get them, and sent to oneself.

The version is published in a savepoint that is taken back, so a rehearsed mail comes the same way as a real one.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import endings, history, users
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import RuleRefused
from lifecycle.models import Notice, User, Version
from lifecycle.notices import keeping, outbox, writing
from lifecycle.notices.campaigns import ACCESS_ENDED
from lifecycle.notices.keeping import Packed
from lifecycle.settings import Settings
from lifecycle.states import Channel, NoticeStatus, Purpose

NOBODY = -1  # no key of a user: a link in a test mail acts for nobody
UNNUMBERED = 0  # a notice that is only shown is none
MARK = "[Test] "


class Shown(NamedTuple):
    """A message as it would leave, and over which channel to whom."""

    channel: Channel
    address: str
    message_id: str
    message: bytes


def mail_to(
    session: Session, version: Version, publication: Publication, external_id: str, *, settings: Settings, now: datetime
) -> Shown:
    """The message that this user would get; it is not owed. Writes nothing that stays.

    Raises NotFound for an unknown user, RuleRefused for one who would not be told, and what `publish` raises.
    """
    user = users.user(session, external_id)
    channel = outbox.first_channel(user)
    ended = endings.open_termination(session, user)
    if ended is not None and ended.is_whole and ended.in_effect(now):
        raise RuleRefused(f"{external_id!r} would not be told: {ACCESS_ENDED}.")
    if channel is None:
        raise RuleRefused(f"{external_id!r} would not be told: {outbox.NO_ADDRESS}.")
    with _published(session, version, publication, settings.zone, now):
        return _written(session, version, user, channel, settings, now=now)


def send_test(
    session: Session,
    version: Version,
    publication: Publication,
    address: str,
    *,
    like: User | None = None,
    actor: str = "staff",
    settings: Settings,
    now: datetime,
) -> Notice:
    """Owe a test mail to this address, in the language and zone of `like`: the next mail that leaves.

    It is marked in its subject and recorded as a test; its links act for nobody, and it tells nobody. Raises
    InvalidInput for what is no address, and what `publish` raises.
    """
    test = Notice(
        key=outbox.notice_key(Purpose.TEST, f"version:{version.id}:{secrets.token_hex(8)}", "-", Channel.EMAIL),
        purpose=Purpose.TEST,
        channel=Channel.EMAIL,
        address=users.check_email(address),
        created_at=now,
        due_at=now,
        priority=Purpose.TEST.priority,
        status=NoticeStatus.OWED,
    )
    session.add(test)
    session.flush()  # so that it has a number: the Message-ID and the reply address name it
    with _published(session, version, publication, settings.zone, now):
        reader = User(id=NOBODY, external_id=f"test-{secrets.token_hex(8)}", email=test.address, created_at=now)
        if like is not None:
            reader.locale, reader.time_zone = like.locale, like.time_zone
        session.add(reader)
        session.flush()
        tried = _written(session, version, reader, Channel.EMAIL, settings, as_=test, now=now)
    test.message_id = tried.message_id
    session.add(test)
    keeping.keep(session, [(test.id, Packed(tried.message))])
    history.record(session, actor, "tested", "version", version.id, now=now, notice=test.id)
    return test


@contextmanager
def _published(
    session: Session, version: Version, publication: Publication, zone: ZoneInfo, now: datetime
) -> Iterator[None]:
    savepoint = session.begin_nested()
    try:
        publish(session, version, publication, zone=zone, now=now)
        yield
    finally:
        savepoint.rollback()


def _written(
    session: Session,
    version: Version,
    user: User,
    channel: Channel,
    settings: Settings,
    *,
    as_: Notice | None = None,
    now: datetime,
) -> Shown:
    """The notice of the version as it would leave; `as_` the test that it is to leave as, marked."""
    key = outbox.notice_key(Purpose.VERSION_PUBLISHED, f"version:{version.id}", str(user.id), channel)
    notice = Notice(
        id=as_.id if as_ else UNNUMBERED,
        key=as_.key if as_ else key,
        purpose=Purpose.VERSION_PUBLISHED,
        channel=channel,
        user_id=user.id,
        version_id=version.id,
        priority=Purpose.VERSION_PUBLISHED.priority,
    )
    message = writing.message_of(session, notice, settings, mark=MARK if as_ else "", now=now)
    return Shown(channel, notice.address, notice.message_id, message)
