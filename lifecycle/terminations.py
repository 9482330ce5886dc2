"""The end of a user's access: decided, announced, in effect, undone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from lifecycle import announcing, causes, clauses, effects, exits, history
from lifecycle.causes import Cause as Cause
from lifecycle.endings import open_termination
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.instants import add_calendar, in_utc
from lifecycle.models import Ground, Notice, Termination, User
from lifecycle.notices import outbox
from lifecycle.states import PROVEN_STATUSES, Initiator, NoticeStatus, Purpose

USED_AGAIN = "The service was used again."  # the one reason that is ours; the mails say it in the reader's language


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
    sent and `notice_days` calendar days have passed since, and not before `effective_at` (rule 5); an emergency takes
    effect at once, its override on record.
    Raises Conflict when one is open already, InvalidInput for instants in the past or grounds that the version
    which bound the user does not hold, RuleRefused when the regime asks for more.
    """
    name = user.external_id  # a failed flush leaves nothing to ask
    _require_none_open(session, user, now=now)
    causes.check(cause, notice_days, notice_at=notice_at, effective_at=effective_at, zone=zone, now=now)
    notify_at = notice_at or now
    earliest = effective_at or add_calendar(notify_at, zone, days=notice_days)
    if cause.ends_at is not None and cause.ends_at <= earliest:
        raise InvalidInput(f"ends_at {cause.ends_at.isoformat()} is not after the effect at {earliest.isoformat()}.")
    at_once = cause.initiated_by is Initiator.USER or cause.emergency is not None
    rights = exits.exit_rights(session, user, zone=zone, now=now) if cause.initiated_by is Initiator.USER else []
    termination = Termination(
        user_id=user.id,
        decided_at=now,
        notice_days=notice_days,
        effective_at=earliest,
        exit_right="; ".join(map(str, rights)),
        takes_effect_at=earliest if at_once else None,
        overridden_at=now if cause.emergency else None,
        **cause.facts_on_record(),
    )
    session.add(termination)
    try:
        session.flush()
    except IntegrityError:  # another process was first
        raise Conflict(f"A termination of user {name!r} was decided a moment ago.") from None
    for section in clauses.bound_sections(session, user, cause.grounds, at=now):
        session.add(Ground(termination_id=termination.id, section_id=section.id))
    decided = {"user": user.id, "initiated_by": cause.initiated_by.value, "effective_at": earliest}
    history.record(
        session, actor, "decided", "termination", termination.id, now=now, **decided, notice_days=notice_days
    )
    announcing.announce(session, termination, user, due_at=notify_at, now=now)
    return termination


def _require_none_open(session: Session, user: User, *, now: datetime) -> None:
    open_one = open_termination(session, user)
    if open_one is None:
        return
    if open_one.is_over(now):
        effects.end(session, open_one, now=now)
        return
    state = "in effect" if open_one.took_effect_at else "under way"
    raise Conflict(f"Termination {open_one.id} of user {user.external_id!r} is {state}; rescind or reinstate it first.")


def override(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """Let a provider's termination take effect without proof of notice; the reason is recorded and shown."""
    _require_open(termination, "overridden")
    if not reason.strip():
        raise InvalidInput("Give the reason for the override; it is recorded and shown with the termination.")
    fixed = termination.takes_effect_at
    if fixed is not None:
        raise Conflict(f"Termination {termination.id} needs no override: its effect is fixed for {in_utc(fixed)}.")
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


def rescind(
    session: Session, termination: Termination, *, reason: str, actor: str = "staff", now: datetime
) -> Termination:
    """Take a termination back before it takes effect; who was told of it is told of this too."""
    _require_open(termination, "rescinded")
    if termination.takes_effect_at is not None and termination.takes_effect_at <= now:
        since = in_utc(termination.takes_effect_at)
        raise Conflict(f"Termination {termination.id} is in effect since {since}; reinstate the user.")
    _require_reason(reason)
    termination.rescinded_at, termination.undo_reason = now, reason
    session.add(termination)
    history.record(session, actor, "rescinded", "termination", termination.id, now=now)
    outbox.cancel(session, Notice.termination_id == termination.id, reason="the termination was rescinded", now=now)
    told = {*PROVEN_STATUSES, NoticeStatus.SENDING, NoticeStatus.UNKNOWN}
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
            raise Conflict(f"Termination {termination.id} was {state} at {in_utc(at)}; it cannot be {verb}.")


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


def by_inactivity(session: Session, *, after: int, now: datetime, limit: int) -> list[Termination]:
    """Announced terminations by inactivity that are yet to take effect, in key order after `after`."""
    waiting = select(Termination).where(
        col(Termination.id) > after,
        Termination.initiated_by == Initiator.INACTIVITY,
        col(Termination.rescinded_at).is_(None),
        col(Termination.reinstated_at).is_(None),
        col(Termination.takes_effect_at) > now,
    )
    return list(session.exec(waiting.order_by(col(Termination.id)).limit(limit)))


def latest(session: Session, user: User) -> Termination:
    """The user's last termination; raises NotFound."""
    of_user = select(Termination).where(Termination.user_id == user.id).order_by(col(Termination.id).desc())
    found = session.exec(of_user.limit(1)).first()
    if found is None:
        raise NotFound(f"User {user.external_id!r} has no termination.")
    return found
