"""Taking a person out of every table and file, and showing what went, what stayed and why."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, update
from sqlmodel import Session, col, func, or_, select

from lifecycle import effects, history, idempotency, requests, terminations
from lifecycle.endings import open_termination
from lifecycle.errors import Conflict, InvalidInput, NotFound, RuleRefused
from lifecycle.models import (
    Choice,
    Engagement,
    Erasure,
    Grace,
    Ground,
    Hold,
    Notice,
    Reply,
    Request,
    Termination,
    Trace,
    Unanswered,
    User,
)
from lifecycle.notices import forgetting
from lifecycle.personal import ERASED, STAYS
from lifecycle.states import Initiator, RequestOutcome
from lifecycle.terminations import Cause

BY_REQUEST, AFTER_TERMINATION, BY_STAFF = "request", "termination", "staff"
# What is shorter stands in too many texts to tell a person by.
TELLING = 5


def erase(
    session: Session,
    user: User,
    *,
    cause: str,
    reason: str = "",
    request: Request | None = None,
    actor: str = "clock",
    zone: ZoneInfo,
    now: datetime,
) -> Erasure:
    """End the user's access and take their data out of every table (`personal` says what that is).

    What was free in the database's files still holds it until `Database.scrub`. Raises Conflict when it was done or a
    notice to the user is being handed over this moment, RuleRefused under a legal hold.
    """
    _require_erasable(session, user)
    names = _names(user)
    _end_access(session, user, zone=zone, now=now)
    counted = {STAYING[model]: count for model, count in _stay(session, user)}
    theirs = _requests(session, user)
    went = {"notices": forgetting.blank(session, Notice.user_id == user.id, now=now), "requests": len(theirs)}
    for one in theirs:
        _end_request(session, one, now=now)
    went |= {model.__tablename__: _blank(session, model, user) for model in (Termination, Grace, Hold)}
    went["traces"] = _delete_traces(session, user)
    paths = [f"/requests/{one.id}" for one in theirs]
    went["unanswered"] = _delete_questions(session, names)
    went["idempotency_keys"] = idempotency.forget_about(session, names, paths)
    for name, value in ERASED[User].items():
        setattr(user, name, value)
    user.external_id, user.erased_at = f"erased-{secrets.token_hex(12)}", now
    session.add(user)
    session.flush()
    report = {"reason": reason, "went": went, "stayed": counted, "mentioned": dict(_mentions(session, names))}
    made = Erasure(
        user_id=user.id, request_id=request.id if request else None, cause=cause, erased_at=now, report=report
    )
    session.add(made)
    session.flush()
    history.record(session, actor, "erased", "user", user.id, now=now, cause=cause, erasure=made.id)
    return made


def _require_erasable(session: Session, user: User) -> None:
    if user.erased_at is not None:
        raise Conflict(f"{user.external_id} was erased at {user.erased_at.isoformat()} already.")
    if (hold := standing_hold(session, user)) is not None:
        raise RuleRefused(
            f"A legal hold of {hold.placed_at.isoformat()} keeps the data of user {user.external_id!r} "
            f"(its reason: {hold.reason}). Release it first."
        )
    if under_way := forgetting.on_their_way(session, Notice.user_id == user.id):
        raise Conflict(f"Notice {under_way[0].id} is on its way to user {user.external_id!r}; try again in a minute.")


def _names(user: User) -> list[str]:
    return [name for name in (user.external_id, user.email, user.discord_id) if name]


def _end_access(session: Session, user: User, *, zone: ZoneInfo, now: datetime) -> None:
    """An erased account has ended as a whole; what stands of a lesser or later termination gives way to that."""
    found, reason = open_termination(session, user), "The account is erased."
    if found is not None and found.is_whole and found.took_effect_at is not None and found.in_effect(now):
        return
    if found is not None:
        begun = found.takes_effect_at is not None and found.takes_effect_at <= now
        undo = terminations.reinstate if begun else terminations.rescind
        undo(session, found, reason=reason, actor="clock", now=now)
        session.flush()
    made = terminations.terminate(session, user, Cause(Initiator.USER, reason), zone=zone, actor="clock", now=now)
    effects.take_effect(session, made, now=now)


def _requests(session: Session, user: User) -> list[Request]:
    """All that the person asked, also without naming the account."""
    known = [Request.user_id == user.id]
    known += [Request.email == user.email] if user.email else []
    known += [Request.discord_id == user.discord_id] if user.discord_id else []
    return list(session.exec(select(Request).where(or_(*known)).order_by(col(Request.id))))


def _end_request(session: Session, request: Request, *, now: datetime) -> None:
    requests.blank(session, request, now=now)
    if request.closed_at is None:
        requests.close(session, request, outcome=RequestOutcome.ERASED, actor="clock", now=now)


def _blank(session: Session, model: type[Any], user: User) -> int:
    blanked = update(model).where(col(model.user_id) == user.id).values(ERASED[model])
    return int(session.execute(blanked).rowcount)  # type: ignore[attr-defined]


def _delete_traces(session: Session, user: User) -> int:
    theirs = select(Engagement.id).where(Engagement.user_id == user.id)
    gone = session.execute(delete(Trace).where(col(Trace.engagement_id).in_(theirs)))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _delete_questions(session: Session, names: list[str]) -> int:
    """Nothing tells who asked a question that is kept; those that name the person go."""
    named = [col(Unanswered.question).contains(name, autoescape=True) for name in _telling(names)]
    return int(session.execute(delete(Unanswered).where(or_(*named))).rowcount) if named else 0  # type: ignore[attr-defined]


def _telling(names: list[str]) -> list[str]:
    return [name for name in names if len(name) >= TELLING]


# -- what stays ----------------------------------------------------------------------------------------------------

STAYING: dict[type[Any], str] = {
    model: f"{model.__tablename__}: {STAYS[model][0]}"
    for model in (Engagement, Choice, Notice, Request, Termination, Ground)
}


def _stay(session: Session, user: User) -> Iterator[tuple[type[Any], int]]:
    for model in STAYING:
        owner = model if model is not Ground else Termination
        of_user = select(func.count()).select_from(model).where(col(owner.user_id) == user.id)
        if model is Ground:
            of_user = of_user.join(Termination, col(Termination.id) == col(Ground.termination_id))
        yield model, session.exec(of_user).one()


# Where others may have written about the person.
WRITINGS: dict[type[Any], tuple[str, ...]] = {
    Request: ("subject", "details", "outcome_reason", "extension_reason"),
    Reply: ("text",),
    Termination: ("reason", "facts", "undo_reason"),
}


def _mentions(session: Session, names: list[str]) -> Iterator[tuple[str, list[int]]]:
    """Where others' records still name the person, by table: only somebody who reads them can judge that."""
    telling = _telling(names)
    for model, columns in WRITINGS.items() if telling else ():
        said = [col(getattr(model, column)).contains(name, autoescape=True) for column in columns for name in telling]
        found: list[int] = list(session.exec(select(model.id).where(or_(*said)).order_by(model.id)))
        if found:
            yield model.__tablename__, found


# -- when it is due ------------------------------------------------------------------------------------------------


def due(session: Session, *, after_days_ended: datetime | None, now: datetime) -> list[tuple[int, int | None]]:
    """Whom to erase now, as (user id, request number): by a proven request, or because access ended before an instant.

    Nobody under a legal hold.
    """
    held = select(Hold.id).where(Hold.user_id == User.id, col(Hold.lifted_at).is_(None)).exists()
    alive = (col(User.erased_at).is_(None), ~held)
    asked = select(User.id, Request.id).join(Request, col(Request.user_id) == col(User.id))
    asked = asked.where(*alive, col(Request.erase_at) <= now, col(Request.closed_at).is_(None))
    found: dict[int, int | None] = {}
    if after_days_ended is not None:
        ended = select(Termination.user_id).where(
            col(Termination.took_effect_at) <= after_days_ended,
            col(Termination.reinstated_at).is_(None),
            col(Termination.stayed_at).is_(None),
            col(Termination.ends_at).is_(None),
            Termination.scope == "",
        )
        found |= dict.fromkeys(session.exec(select(User.id).where(*alive, col(User.id).in_(ended))))
    found |= dict(session.exec(asked).all())
    return sorted(found.items())


def unscrubbed(session: Session) -> list[Erasure]:
    """Erasures of which the database's files may still hold traces."""
    return list(session.exec(select(Erasure).where(col(Erasure.scrubbed_at).is_(None)).order_by(col(Erasure.id))))


def last_scrub(session: Session) -> datetime | None:
    return session.exec(select(func.max(Erasure.scrubbed_at))).one()


def scrubbed(session: Session, *, before: datetime, now: datetime) -> int:
    """Put on record that the files hold nothing any more of who was erased until `before`; how many."""
    those = (col(Erasure.scrubbed_at).is_(None), col(Erasure.erased_at) <= before)
    return int(session.execute(update(Erasure).where(*those).values(scrubbed_at=now)).rowcount)  # type: ignore[attr-defined]


def erasures(session: Session, *, after: int = 0, limit: int = 100) -> list[Erasure]:
    found = select(Erasure).where(col(Erasure.id) > after).order_by(col(Erasure.id))
    return list(session.exec(found.limit(limit)))


def erasure(session: Session, erasure_id: int) -> Erasure:
    """The erasure; raises NotFound."""
    found = session.get(Erasure, erasure_id)
    if found is None:
        raise NotFound(f"There is no erasure {erasure_id}.", "`assent erasure list` shows those there are.")
    return found


# -- legal holds ---------------------------------------------------------------------------------------------------


def standing_hold(session: Session, user: User) -> Hold | None:
    standing = select(Hold).where(Hold.user_id == user.id, col(Hold.lifted_at).is_(None))
    return session.exec(standing).first()


def hold(session: Session, user: User, reason: str, *, actor: str = "staff", now: datetime) -> Hold:
    """Keep the user's data until `release`. Raises InvalidInput without a reason, Conflict when it is held or gone."""
    if not reason.strip():
        raise InvalidInput("Give the reason for the hold, such as the court and the case.")
    if user.erased_at is not None:
        raise Conflict(f"{user.external_id} was erased already; there is nothing left to hold.")
    if standing_hold(session, user) is not None:
        raise Conflict(f"The data of user {user.external_id!r} is held already.")
    made = Hold(user_id=user.id, reason=reason.strip(), placed_at=now)
    session.add(made)
    session.flush()
    history.record(session, actor, "held", "user", user.id, now=now, hold=made.id)
    return made


def release(session: Session, user: User, reason: str, *, actor: str = "staff", now: datetime) -> Hold:
    """Lift the legal hold; raises Conflict when there is none."""
    found = standing_hold(session, user)
    if found is None:
        raise Conflict(f"No legal hold stands for user {user.external_id!r}.")
    if not reason.strip():
        raise InvalidInput("Give the reason why the hold ends.")
    found.lifted_at, found.lift_reason = now, reason.strip()
    session.add(found)
    history.record(session, actor, "released", "user", user.id, now=now, hold=found.id)
    return found
