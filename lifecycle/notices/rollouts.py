"""The roll-out of a version as staff see and steer it: how far it is, and pause, resume, cancel.

What is held or cancelled was never sent: it binds nobody, and no deadline runs from it (rules 3 and 4).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, func, update
from sqlmodel import Session, col, select

from lifecycle import history
from lifecycle.columns import later_by
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Campaign, Document, Notice, User, Version
from lifecycle.notices import campaigns
from lifecycle.notices.outbox import CANCELLED, PAUSED
from lifecycle.states import NoticeStatus, Purpose, RolloutState

S = NoticeStatus
ON_THE_WAY = (S.OWED, S.HELD, S.SENDING, S.DEFERRED)
RATE_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far a roll-out is. `notices` by status; `unplanned` users are owed theirs later, `waiting` holds them too.

    `rate` is what left, in mails an hour, in the last ten minutes; `last_mail_at` is an estimate, if there is one.
    """

    state: RolloutState
    started_at: datetime
    paused_at: datetime | None
    cancelled_at: datetime | None
    cancelled_reason: str
    finished_at: datetime | None
    notices: dict[NoticeStatus, int]
    unplanned: int
    waiting: int
    total: int
    rate: float
    per_hour: int
    last_mail_at: datetime | None

    @property
    def told(self) -> int:
        return self.notices.get(S.SENT, 0)


def campaign(session: Session, version: Version) -> Campaign:
    """The campaign of a version; raises NotFound when nobody is told of it."""
    found = session.exec(select(Campaign).where(Campaign.version_id == version.id)).first()
    if found is None:
        raise NotFound(f"{_named(session, version)} has no roll-out: nobody is told of it.")
    return found


def listed(session: Session) -> list[tuple[Document, Version, Campaign]]:
    """Every roll-out there is or was, the latest first."""
    joined = (
        select(Document, Version, Campaign)
        .join(Version, col(Version.document_id) == col(Document.id))
        .join(Campaign, col(Campaign.version_id) == col(Version.id))
    )
    return list(session.exec(joined.order_by(col(Campaign.id).desc())))


def look(session: Session, campaign: Campaign, *, per_hour: int, now: datetime) -> Rollout:
    """How far the roll-out is at `now`, when the relay takes `per_hour` (0: as much as it likes)."""
    counted = progress(session, campaign)
    unplanned = 0 if _over(campaign) else _unplanned(session, campaign)
    waiting = unplanned + sum(counted.get(status, 0) for status in ON_THE_WAY)
    rate = _rate(session, campaign, now)
    return Rollout(
        state=_state(campaign, waiting, now),
        started_at=campaign.started_at,
        paused_at=campaign.paused_at,
        cancelled_at=campaign.cancelled_at,
        cancelled_reason=campaign.cancelled_reason,
        finished_at=campaign.finished_at,
        notices=counted,
        unplanned=unplanned,
        waiting=waiting,
        total=unplanned + sum(counted.values()),
        rate=rate,
        per_hour=per_hour,
        last_mail_at=_last_mail(session, campaign, waiting, per_hour or rate, now),
    )


def progress(session: Session, campaign: Campaign) -> dict[NoticeStatus, int]:
    """How many of the campaign's notices stand in each status."""
    rows = session.exec(select(Notice.status, func.count()).where(*_news(campaign)).group_by(Notice.status))
    return {NoticeStatus(status): number for status, number in rows}


def _news(campaign: Campaign) -> tuple[Any, ...]:
    return Notice.version_id == campaign.version_id, Notice.purpose == Purpose.VERSION_PUBLISHED


def _over(campaign: Campaign) -> bool:
    return campaign.finished_at is not None or campaign.cancelled_at is not None


def _unplanned(session: Session, campaign: Campaign) -> int:
    return session.exec(select(func.count()).where(col(User.id) > campaign.cursor)).one()


def _state(campaign: Campaign, waiting: int, now: datetime) -> RolloutState:
    states = {
        RolloutState.CANCELLED: campaign.cancelled_at is not None,
        RolloutState.PAUSED: campaign.paused_at is not None,
        RolloutState.SCHEDULED: campaign.started_at > now,
        RolloutState.RUNNING: waiting > 0,
        RolloutState.OPEN: campaign.finished_at is None,
    }
    return next((state for state, holds in states.items() if holds), RolloutState.FINISHED)


def _rate(session: Session, campaign: Campaign, now: datetime) -> float:
    since = max(campaign.started_at, now - RATE_WINDOW)
    left = (Notice.status == S.SENT, col(Notice.sent_at) > since, col(Notice.sent_at) <= now)
    number = session.exec(select(func.count()).where(*_news(campaign), *left)).one()
    return number * (timedelta(hours=1) / (now - since)) if now > since else 0.0


def _last_mail(session: Session, campaign: Campaign, waiting: int, rate: float, now: datetime) -> datetime | None:
    if _over(campaign) and not waiting:
        return session.exec(select(func.max(Notice.sent_at)).where(*_news(campaign), Notice.status == S.SENT)).one()
    if not waiting or not rate or campaign.paused_at is not None:
        return None
    return max(now, campaign.started_at) + waiting * timedelta(hours=1) / rate


# -- what staff decide ---------------------------------------------------------------------------------------------


def start(session: Session, version: Version, *, at: datetime, actor: str = "staff", now: datetime) -> Campaign:
    """Begin to tell everyone of a version that was published without it. Once begun, this changes nothing.

    Raises Conflict when the version is not published, withdrawn, or editorial.
    """
    if version.published_at is None or version.withdrawn_at is not None:
        raise Conflict(f"{_named(session, version)} is not published, so there is nothing to tell of.")
    if at < now:
        raise InvalidInput(f"The start {at.isoformat()} lies in the past (now {now.isoformat()}). Choose a later one.")
    begun = campaigns.start(session, version, at=at)
    found = campaign(session, version)
    if begun:
        history.record(session, actor, "started", "campaign", found.id, now=now, version=version.id, started_at=at)
    return found


def pause(session: Session, campaign: Campaign, *, actor: str = "staff", now: datetime) -> None:
    """Let nothing more leave but what is on its way; who joins meanwhile is told later. Twice changes nothing.

    Raises Conflict when the roll-out was cancelled, or is through.
    """
    _require_not_cancelled(campaign, "paused")
    _require_something_left(session, campaign)
    if _change(session, campaign, col(Campaign.paused_at).is_(None), paused_at=now):
        held = hold(session, campaign)
        history.record(session, actor, "paused", "campaign", campaign.id, now=now, notices=held)


def hold(session: Session, campaign: Campaign) -> int:
    """Hold what would leave although the roll-out is paused: also what the relay put off since; how many."""
    waits = (Notice.version_id == campaign.version_id, col(Notice.status).in_([S.OWED, S.DEFERRED]))
    return _set(session, *waits, status=S.HELD, reason=PAUSED)


def hold_paused(session: Session) -> int:
    """Hold what became due to leave in any paused roll-out; how many notices."""
    paused = select(Campaign).where(col(Campaign.paused_at).is_not(None), col(Campaign.cancelled_at).is_(None))
    return sum(hold(session, campaign) for campaign in session.exec(paused))


def resume(session: Session, campaign: Campaign, *, actor: str = "staff", now: datetime) -> None:
    """Go on with a paused roll-out; mails that had their places in the relay's hour take the next free ones.

    Raises Conflict when the roll-out was cancelled. Resuming what runs changes nothing.
    """
    _require_not_cancelled(campaign, "resumed")
    paused_at, paced_until = campaign.paused_at, campaign.paced_until
    if paused_at is None:
        return
    shift = max(now - paused_at, timedelta())
    kept = paced_until is not None and paced_until > paused_at
    if _change(session, campaign, col(Campaign.paused_at).is_not(None), paused_at=None):
        moved = {"due_at": later_by(col(Notice.due_at), shift.total_seconds())} if kept else {}
        released = _release(session, campaign, **moved)
        if kept and paced_until is not None:
            campaign.paced_until = paced_until + shift
        history.record(session, actor, "resumed", "campaign", campaign.id, now=now, notices=released)


def cancel(session: Session, campaign: Campaign, *, reason: str, actor: str = "staff", now: datetime) -> None:
    """Tell nobody else, for good: what is still owed is cancelled, who was told stays told. Twice changes nothing.

    Raises InvalidInput without a reason, Conflict when all are told. What was perhaps handed over already is
    repeated once all the same (rule 7).
    """
    if not reason.strip():
        raise InvalidInput("Give the reason for cancelling the roll-out; every notice that it cancels shows it.")
    _require_something_left(session, campaign)
    if _change(session, campaign, cancelled_at=now, cancelled_reason=reason, paused_at=None):
        waits = (col(Notice.status).in_([S.OWED, S.HELD, S.DEFERRED]), Notice.doubts == 0)
        shown = CANCELLED.format(reason)
        number = _set(session, *_news(campaign), *waits, status=S.CANCELLED, reason=shown)
        _release(session, campaign)
        history.record(session, actor, "cancelled", "campaign", campaign.id, now=now, notices=number)


def _release(session: Session, campaign: Campaign, **values: Any) -> int:
    held = (Notice.version_id == campaign.version_id, Notice.status == S.HELD)
    return _set(session, *held, status=S.OWED, reason="", **values)


def _change(session: Session, campaign: Campaign, *conditions: Any, **values: Any) -> bool:
    """Change a campaign that is not cancelled, guarded against another who does the same; whether it was changed."""
    mine = (col(Campaign.id) == campaign.id, col(Campaign.cancelled_at).is_(None), *conditions)
    changed: CursorResult[object] = session.execute(update(Campaign).where(*mine).values(**values))  # type: ignore[assignment]
    session.refresh(campaign)
    return bool(changed.rowcount)


def _set(session: Session, *conditions: Any, **values: Any) -> int:
    changes = update(Notice).where(*conditions).values(**values).execution_options(synchronize_session=False)
    changed: CursorResult[object] = session.execute(changes)  # type: ignore[assignment]
    session.expire_all()
    return changed.rowcount


def _require_not_cancelled(campaign: Campaign, done: str) -> None:
    if campaign.cancelled_at is not None:
        at = campaign.cancelled_at.isoformat()
        raise Conflict(f"The roll-out was cancelled at {at} ({campaign.cancelled_reason}); it cannot be {done}.")


def is_through(session: Session, campaign: Campaign) -> bool:
    """Whether everyone is planned for, and nothing is on its way."""
    left = select(Notice.id).where(*_news(campaign), col(Notice.status).in_(ON_THE_WAY)).limit(1)
    return campaign.finished_at is not None and session.exec(left).first() is None


def _require_something_left(session: Session, campaign: Campaign) -> None:
    if campaign.cancelled_at is None and is_through(session, campaign):
        raise Conflict("The roll-out is through: everyone who could be told was told, so there is nothing to stop.")


def _named(session: Session, version: Version) -> str:
    return f"Version {version.number} of {session.get_one(Document, version.document_id).slug!r}"
