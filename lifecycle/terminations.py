"""The end of a user's access: decided, announced, in effect, undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from lifecycle import announcing, clauses, history, regimes
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Ground, Notice, Termination, User
from lifecycle.notices import outbox
from lifecycle.standing import open_termination
from lifecycle.states import Initiator, NoticeStatus, Purpose, add_calendar

MAX_DAYS = 3650
USED_AGAIN = "The service was used again."  # the one reason that is ours; the mails say it in the reader's language


@dataclass(frozen=True, slots=True)
class Cause:
    """Why and how access ends. `grounds` are pairs of document slug and section (as printed, anchor or title)."""

    initiated_by: Initiator
    reason: str
    grounds: Sequence[tuple[str, str]] = ()
    facts: str = ""
    automated: bool = False
    redress: str = ""
    regime: str = "contract"
    override_reason: str = ""


def terminate(
    session: Session,
    user: User,
    cause: Cause,
    *,
    notice_days: int = 0,
    notice_at: datetime | None = None,
    effective_at: datetime | None = None,
    zone: ZoneInfo,
    actor: str = "staff",
    now: datetime,
) -> Termination:
    """Decide that the user's access ends, and owe its notice at `notice_at` (now by default).

    A termination by the user takes effect at `effective_at`. Any other takes effect only once its notice is proven
    sent and `notice_days` calendar days have passed since, and not before `effective_at` (rule 5).
    Raises Conflict when one is open already, InvalidInput for instants in the past or grounds that the version
    which bound the user does not hold, RuleRefused when the regime asks for more.
    """
    name = user.external_id  # a failed flush leaves nothing to ask
    notify_at = _check(session, user, cause, notice_days, notice_at, effective_at, zone=zone, now=now)
    earliest = effective_at or add_calendar(notify_at, zone, days=notice_days)
    termination = Termination(
        user_id=user.id,
        initiated_by=cause.initiated_by,
        reason=cause.reason,
        facts=cause.facts,
        automated=cause.automated,
        regime=cause.regime,
        redress=cause.redress,
        override_reason=cause.override_reason,
        decided_at=now,
        notice_days=notice_days,
        effective_at=earliest,
        takes_effect_at=earliest if cause.initiated_by is Initiator.USER else None,
    )
    session.add(termination)
    try:
        session.flush()
    except IntegrityError:  # another process was first
        raise Conflict(f"A termination of user {name!r} was decided a moment ago.") from None
    for section in clauses.bound_sections(session, user, cause.grounds, at=now):
        session.add(Ground(termination_id=termination.id, section_id=section.id))
    history.record(
        session,
        actor,
        "decided",
        "termination",
        termination.id,
        now=now,
        user=user.id,
        initiated_by=cause.initiated_by.value,
        effective_at=earliest,
        notice_days=notice_days,
    )
    announcing.announce(session, termination, user, due_at=notify_at, now=now)
    return termination


def _check(
    session: Session,
    user: User,
    cause: Cause,
    notice_days: int,
    notice_at: datetime | None,
    effective_at: datetime | None,
    *,
    zone: ZoneInfo,
    now: datetime,
) -> datetime:
    if (open_one := open_termination(session, user)) is not None:
        state = "in effect" if open_one.took_effect_at else "under way"
        raise Conflict(
            f"Termination {open_one.id} of user {user.external_id!r} is {state}; rescind or reinstate it first."
        )
    if not cause.reason.strip():
        raise InvalidInput("Give the reason; it stands in the notice to the user.")
    if not 0 <= notice_days <= MAX_DAYS:
        raise InvalidInput(f"notice_days is {notice_days}; it must lie between 0 and {MAX_DAYS}.")
    for name, instant in (("notice_at", notice_at), ("effective_at", effective_at)):
        if instant is not None and instant < now:
            raise InvalidInput(
                f"{name} {instant.isoformat()} lies in the past (now {now.isoformat()}). Choose a later one."
            )
    if cause.initiated_by is Initiator.PROVIDER:
        given = {
            "reason": True,
            "facts": bool(cause.facts),
            "grounds": bool(cause.grounds),
            "redress": bool(cause.redress),
        }
        regimes.require_termination(
            cause.regime,
            notice_days,
            given,
            on=now.astimezone(zone).date(),
            override_reason=cause.override_reason,
        )
    return notice_at or now


def override(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """Let a provider's termination take effect without proof of notice; the reason is recorded and shown."""
    _require_open(termination, "overridden")
    if not reason.strip():
        raise InvalidInput("Give the reason for the override; it is recorded and shown with the termination.")
    if termination.takes_effect_at is not None:
        raise Conflict(
            f"Termination {termination.id} needs no override: it takes effect at {termination.takes_effect_at}."
        )
    termination.overridden_at, termination.override_reason = now, reason
    termination.takes_effect_at = max(now, termination.effective_at)
    session.add(termination)
    history.record(
        session,
        actor,
        "overridden",
        "termination",
        termination.id,
        now=now,
        takes_effect_at=termination.takes_effect_at,
    )
    return termination


# -- effect and undoing --------------------------------------------------------------------------------------------


def due(session: Session, *, now: datetime, limit: int = 500) -> list[Termination]:
    """Terminations whose instant has come and whose effect is not on record yet."""
    return list(session.exec(_pending().where(col(Termination.takes_effect_at) <= now).limit(limit)))


def next_effect(session: Session, *, after: datetime | None = None) -> datetime | None:
    """The earliest instant (after one, if given) at which a termination takes effect."""
    later = [col(Termination.takes_effect_at) > after] if after else []
    first = session.exec(_pending().where(*later).limit(1)).first()
    return first.takes_effect_at if first else None


def _pending() -> SelectOfScalar[Termination]:
    pending = select(Termination).where(
        col(Termination.took_effect_at).is_(None),
        col(Termination.rescinded_at).is_(None),
        col(Termination.takes_effect_at).is_not(None),
    )
    return pending.order_by(col(Termination.takes_effect_at))


def take_effect(session: Session, termination: Termination, *, now: datetime) -> bool:
    """Put the effect on record once, and owe the user its notice; whether this call did it."""
    ready = (
        col(Termination.id) == termination.id,
        col(Termination.took_effect_at).is_(None),
        col(Termination.rescinded_at).is_(None),
        col(Termination.takes_effect_at) <= now,
    )
    if not session.execute(update(Termination).where(*ready).values(took_effect_at=now)).rowcount:  # type: ignore[attr-defined]
        return False
    session.refresh(termination)
    user = session.get_one(User, termination.user_id)
    history.record(session, "clock", "took effect", "termination", termination.id, now=now, user=user.id)
    bulk = (Notice.user_id == user.id, col(Notice.version_id).is_not(None))
    outbox.cancel(session, *bulk, reason="the user's access has ended", now=now)
    announcing.owe(session, Purpose.TERMINATION_EFFECTIVE, termination, user, now=now)
    return True


def rescind(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """Take a termination back before it takes effect; who was told of it is told of this too."""
    _require_open(termination, "rescinded")
    if termination.takes_effect_at is not None and termination.takes_effect_at <= now:
        raise Conflict(
            f"Termination {termination.id} is in effect since {termination.takes_effect_at}; reinstate the user."
        )
    _require_reason(reason)
    termination.rescinded_at, termination.undo_reason = now, reason
    session.add(termination)
    history.record(session, actor, "rescinded", "termination", termination.id, now=now)
    outbox.cancel(session, Notice.termination_id == termination.id, reason="the termination was rescinded", now=now)
    told = {NoticeStatus.SENT, NoticeStatus.SENDING, NoticeStatus.UNKNOWN}
    if any(notice.status in told or notice.doubts for notice in _notices(session, termination)):
        announcing.owe(
            session, Purpose.TERMINATION_RESCINDED, termination, session.get_one(User, termination.user_id), now=now
        )
    return termination


def reinstate(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """Give access back after a termination took effect, and tell the user."""
    _require_open(termination, "reinstated")
    if termination.takes_effect_at is None or termination.takes_effect_at > now:
        raise Conflict(f"Termination {termination.id} is not in effect yet; rescind it instead.")
    _require_reason(reason)
    termination.took_effect_at = termination.took_effect_at or termination.takes_effect_at
    termination.reinstated_at, termination.undo_reason = now, reason
    session.add(termination)
    history.record(session, actor, "reinstated", "termination", termination.id, now=now)
    outbox.cancel(session, Notice.termination_id == termination.id, reason="the user was reinstated", now=now)
    announcing.owe(session, Purpose.REINSTATED, termination, session.get_one(User, termination.user_id), now=now)
    return termination


def cancel_inactivity(session: Session, user: User, *, activity_at: datetime, now: datetime) -> bool:
    """Any use before its effect ends a termination by inactivity; whether there was one.

    To be called before the use is put down as the user's last: one that was known already changes nothing.
    """
    found = open_termination(session, user)
    if found is None or found.initiated_by is not Initiator.INACTIVITY:
        return False
    if activity_at < found.decided_at and user.last_activity_at is not None and activity_at <= user.last_activity_at:
        return False
    if found.takes_effect_at is not None and found.takes_effect_at <= activity_at:
        return False
    if found.takes_effect_at is not None and found.takes_effect_at <= now:
        reinstate(session, found, reason=USED_AGAIN, actor="clock", now=now)
    else:
        rescind(session, found, reason=USED_AGAIN, actor="clock", now=now)
    return True


def _require_open(termination: Termination, verb: str) -> None:
    for state, at in (("rescinded", termination.rescinded_at), ("reinstated", termination.reinstated_at)):
        if at is not None:
            raise Conflict(f"Termination {termination.id} was {state} at {at.isoformat()}; it cannot be {verb}.")


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("Give the reason; it stands in the notice to the user.")


def _notices(session: Session, termination: Termination) -> list[Notice]:
    return list(session.exec(select(Notice).where(Notice.termination_id == termination.id)))


# -- looking at one ------------------------------------------------------------------------------------------------


def termination(session: Session, termination_id: int) -> Termination:
    """The termination; raises NotFound."""
    found = session.get(Termination, termination_id)
    if found is None:
        raise NotFound(f"There is no termination {termination_id}.")
    return found


def latest(session: Session, user: User) -> Termination:
    """The user's last termination; raises NotFound."""
    of_user = select(Termination).where(Termination.user_id == user.id).order_by(col(Termination.id).desc())
    found = session.exec(of_user.limit(1)).first()
    if found is None:
        raise NotFound(f"User {user.external_id!r} has no termination.")
    return found
