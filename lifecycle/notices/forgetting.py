"""Taking a person out of the notices to them: what was sent, when and its hash stay; words and addresses go."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.models import Attempt, Notice, Report
from lifecycle.notices import outbox
from lifecycle.states import NOTICE_TRANSITIONS, NoticeStatus

GONE = "the person's data was erased"


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
        if notice.message is not None:
            notice.message_sha256 = hashlib.sha256(notice.message).hexdigest()
        notice.message, notice.address, notice.reason = None, "", GONE
        session.add(notice)
    session.flush()
    _blank_attempts(session, [notice.id for notice in found])
    return len(found)


def _blank_attempts(session: Session, notice_ids: Sequence[int]) -> None:
    of_these = col(Attempt.notice_id).in_(notice_ids)
    session.execute(update(Attempt).where(of_these).values(address="", reply=""))
    session.execute(update(Report).where(col(Report.notice_id).in_(notice_ids)).values(address="", text=""))
