"""What using a service, or staying silent, makes of a user who was told: bound, if the record proves it (rule 3)."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import graces, ledger
from lifecycle.bindings import asking, binding, mode_of, pending
from lifecycle.documents import store
from lifecycle.models import Engagement, User, Version
from lifecycle.states import EngagementKind, Mode


def deem_by_use(session: Session, user: User, *, activity_at: datetime, now: datetime) -> list[Engagement]:
    """Bind the user by use to what was announced last, if that is in force and proven sent before the use."""
    known, made = ledger.facts(session, user), []
    for document in store.documents(session):
        versions = store.chain(session, document.id)
        told = _used_on(versions, known, activity_at)
        if told is not None:
            version = session.get_one(Version, told.version_id)
            fact = ledger.write(
                session,
                user,
                version,
                EngagementKind.DEEMED_BY_USE,
                1,
                at=activity_at,
                actor="clock",
                now=now,
                notice_id=told.notice_id,
                activity_at=activity_at,
            )
            made.append(fact)
    return made


def _used_on(versions: Sequence[Version], known: Sequence[Engagement], at: datetime) -> Engagement | None:
    """The proof that the user was told of the version in force to which using the service at `at` newly binds them."""
    announced = (v for v in reversed(store.standing_chain(versions, at)) if v.mode is not Mode.EDITORIAL)
    version = next(announced, None)
    if version is None or _needed(versions, known, version, at) is not Mode.CONTINUED_USE:
        return None
    about = {fact.kind: fact for fact in reversed(known) if fact.version_id == version.id}
    told, bound_now = about.get(EngagementKind.NOTIFIED), binding(versions, known, at)
    if bound_now is not None and bound_now.proof.version_id == version.id:
        return None
    return told if told is not None and told.at < at and EngagementKind.DEEMED_BY_USE not in about else None


def deem_by_silence(session: Session, told: Engagement, *, zone: ZoneInfo, now: datetime) -> Engagement | None:
    """Bind a told user whose window to object has passed in silence; None when it does not bind (yet)."""
    user, version = session.get_one(User, told.user_id), session.get_one(Version, told.version_id)
    due = graces.due_by(session, version, told, zone)
    if due > now or ledger.last_answer(session, user, version, until=due) is not None:
        return None
    versions = store.chain(session, version.document_id)
    if _needed(versions, ledger.facts(session, user), version, due) is not Mode.SILENCE:
        return None
    return ledger.write(
        session,
        user,
        version,
        EngagementKind.DEEMED_BY_SILENCE,
        1,
        at=due,
        actor="clock",
        now=now,
        notice_id=told.notice_id,
    )


def _needed(versions: Sequence[Version], known: Sequence[Engagement], version: Version, at: datetime) -> Mode:
    """What it takes to bind to `version`: the strictest mode from there back to what bound the user before it."""
    return mode_of(asking(pending(versions, known, version, at=at)))


def settle_silence(
    session: Session, user: User, version: Version, *, at: datetime, zone: ZoneInfo, now: datetime
) -> None:
    """What silence has bound before an answer at `at` is recorded first, however late the job that does so comes."""
    told = ledger.notified(session, user, version) if version.mode is Mode.SILENCE else None
    if told is not None and graces.due_by(session, version, told, zone) < at:
        deem_by_silence(session, told, zone=zone, now=now)
