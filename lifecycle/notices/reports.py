"""What is said of a mail after its hand-over: delivered, delayed, or come back; and what follows from each.

A mail that came back proves nothing any more: no deadline, no binding and no termination rests on it, unless the
termination is in effect. The next channel is tried, and staff are told: once for a version, else each time.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from lifecycle import announcing, engagements, history, requests
from lifecycle.errors import NotYet
from lifecycle.inserting import insert_once
from lifecycle.models import Document, Notice, Report, User, Version
from lifecycle.notices import addresses, bounces, outbox, recording
from lifecycle.notices.addresses import Post
from lifecycle.personal import ERASED
from lifecycle.settings import Settings
from lifecycle.states import NOTICE_TRANSITIONS, NoticeStatus, Purpose, ReportKind, RequestKind


@dataclass(frozen=True, slots=True)
class Said:
    """One report: who brought it (`source`), and a digest under which it counts once for its notice."""

    kind: ReportKind
    digest: str
    source: str
    code: str = ""
    address: str = ""
    text: str = ""


def take_bounce(
    session: Session, data: bytes, *, arrived_at: Iterable[str] = (), source: str, settings: Settings, now: datetime
) -> Notice | None:
    """Put a bounce mail down; the notice it is about, or None when it is no delivery report or about none of ours.

    `arrived_at` are the addresses it came to; those in its headers count too. Without a signed address or a
    Message-ID of ours it is not believed. Raises NotYet while the notice is being handed over.
    """
    mail = bounces.parse(data)
    found = bounces.read(mail)
    if found is None:
        return None
    to = [*arrived_at, *(bounces.header(mail, name) for name in ("To", "Delivered-To", "X-Original-To"))]
    notice = about(session, settings, addressed=to, message_ids=found.message_ids)
    if notice is not None:
        digest = hashlib.sha256(bounces.header(mail, "Message-ID").encode() or data).hexdigest()
        said = Said(found.kind, digest, source, found.code, found.address, found.text)
        put_down(session, notice, said, settings=settings, now=now)
    return notice


def about(
    session: Session, settings: Settings, *, addressed: Iterable[str], message_ids: Iterable[str]
) -> Notice | None:
    """The notice that a signed address or a Message-ID of ours names, locked; else None."""
    for text in addressed:
        found = addresses.find(settings, text)
        if found is not None and found[0] is Post.BOUNCE and (notice := _locked(session, found[1])) is not None:
            return notice
    for message_id in message_ids:
        named = addresses.notice_of(message_id)
        notice = _locked(session, named) if named is not None else None
        if notice is not None and notice.message_id == message_id:
            return notice
    return None


def _locked(session: Session, notice_id: int) -> Notice | None:
    return session.exec(select(Notice).where(Notice.id == notice_id).with_for_update()).first()


def put_down(session: Session, notice: Notice, said: Said, *, settings: Settings, now: datetime) -> bool:
    """Record the report and draw what follows; whether it was new. Raises NotYet while the notice is handed over."""
    if notice.status is NoticeStatus.SENDING:
        raise NotYet(f"Notice {notice.id} is being handed over; report it again in some minutes.")
    row = {
        "notice_id": notice.id,
        "digest": f"{notice.id}/{said.digest}",
        "kind": said.kind,
        "code": said.code[:20],
        "address": said.address[:320],
        "text": said.text[: bounces.MAX_TEXT],
        "source": said.source,
        "at": now,
    }
    user = session.get(User, notice.user_id) if notice.user_id else None
    if user is not None and user.erased_at is not None:
        row |= ERASED[Report]  # the relay's words would name who is gone
    if not insert_once(session, Report, [row]):
        return False
    history.record(session, said.source, said.kind.value, "notice", notice.id, now=now)
    if said.kind is ReportKind.DELIVERED:
        _delivered(session, notice, settings, now=now)
    elif said.kind.bounced and NoticeStatus.BOUNCED in NOTICE_TRANSITIONS[notice.status]:
        _came_back(session, notice, said, settings, now=now)
    return True


def of(session: Session, notice: Notice) -> list[Report]:
    """All that was said of the notice, in order."""
    return list(session.exec(select(Report).where(Report.notice_id == notice.id).order_by(Report.id)))  # type: ignore[arg-type]


def _delivered(session: Session, notice: Notice, settings: Settings, *, now: datetime) -> None:
    if notice.status is NoticeStatus.UNKNOWN:  # what was in doubt is proven, from today on
        recording.prove_sent(session, notice, settings, sent_at=now, now=now)
    if notice.status is NoticeStatus.SENT:
        outbox.move(notice, NoticeStatus.DELIVERED)
        session.add(notice)


def _came_back(session: Session, notice: Notice, said: Said, settings: Settings, *, now: datetime) -> None:
    outbox.move(notice, NoticeStatus.BOUNCED)
    notice.reason = f"{said.code} {said.text}".strip() or "it came back without a reason"
    session.add(notice)
    history.record(session, "clock", "bounced", "notice", notice.id, now=now)
    user = session.get(User, notice.user_id) if notice.user_id else None
    if user is not None and said.kind is ReportKind.BAD_ADDRESS and user.takes_mail and user.email == notice.address:
        user.email_bounced_at = now
        session.add(user)
        history.record(session, "clock", "marked", "user", user.id, now=now, notice=notice.id)
    session.flush()
    if notice.purpose is Purpose.TERMINATION_NOTICE:
        announcing.came_back(session, notice, zone=settings.zone, now=now)
        return
    version = session.get(Version, notice.version_id) if notice.version_id else None
    if user is not None and version is not None:
        engagements.notice_came_back(session, user, version, notice_id=notice.id, now=now)
    if notice.purpose is Purpose.TEST:
        return  # whoever asked for it looks at it
    recording.after_failure(session, notice, now=now)
    _tell_staff(session, notice, user, version, now=now)


def _tell_staff(session: Session, notice: Notice, user: User | None, version: Version | None, *, now: datetime) -> None:
    if version is not None:
        slug = session.get_one(Document, version.document_id).slug
        requests.open_once(
            session,
            subject=f"Notices of version {version.number} of {slug} came back",
            details="These users count as not told, so no deadline runs for them; see them with "
            "`assent notice list --status bounced`. With a corrected address they are told anew; where the address "
            "is right after all, `assent notice resolve NUMBER retry` sends once more.",
            now=now,
        )
        return
    requests.open_request(
        session,
        RequestKind.SUPPORT,
        subject=f"Notice {notice.id} ({notice.purpose.value}) came back",
        details=f"{notice.reason}. Correct the address, or send again with `assent notice resolve {notice.id} retry`.",
        user=user,
        source="assent",
        now=now,
    )
