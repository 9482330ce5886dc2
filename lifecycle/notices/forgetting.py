"""Taking a person out of the notices to them: what was sent, when and its hash stay; words and addresses go."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.inserting import chunks
from lifecycle.models import Attempt, Notice, Report
from lifecycle.notices import keeping, outbox
from lifecycle.personal import ERASED
from lifecycle.states import NOTICE_TRANSITIONS, NoticeStatus


def on_their_way(session: Session, *conditions: Any) -> list[Notice]:
    """The notices that a worker is handing over just now, or did when it died."""
    return list(session.exec(select(Notice).where(Notice.status == NoticeStatus.SENDING, *conditions)))


def blank(session: Session, *conditions: Any, now: datetime) -> int:
    """Cancel what is queued, and take message, address and the relay's words out of these notices; how many.

    The SHA-256 of each exact message stays. None of them may be on its way (`on_their_way`).
    """
    found = session.exec(select(Notice).where(*conditions)).all()
    for notice in found:
        if NoticeStatus.CANCELLED in NOTICE_TRANSITIONS[notice.status]:
            outbox.move(notice, NoticeStatus.CANCELLED)
            history.record(session, "clock", "cancelled", "notice", notice.id, now=now)
        if (message := keeping.message(session, notice.id)) is not None:
            notice.message_sha256 = hashlib.sha256(message).hexdigest()
            keeping.forget(session, notice.id)
        for name, value in ERASED[Notice].items():
            setattr(notice, name, value)
        session.add(notice)
    session.flush()
    for some in chunks([notice.id for notice in found], 500):
        for model in (Attempt, Report):
            session.execute(update(model).where(col(model.notice_id).in_(some)).values(ERASED[model]))
    return len(found)
