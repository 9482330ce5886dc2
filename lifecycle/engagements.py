"""Append-only facts about a user and a version: told, answered, deemed by use or silence."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.bindings import Bound as Bound
from lifecycle.bindings import asking, binding, deadline, mode_of, pending
from lifecycle.db import insert_once
from lifecycle.documents import store
from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.models import Body, Document, Engagement, Trace, User, Version
from lifecycle.states import ANSWERS, Channel, EngagementKind, Mode

BY_USERS = (*ANSWERS, EngagementKind.VIEWED, EngagementKind.ACKNOWLEDGED, EngagementKind.IMPORTED)

# What may follow the user's last answer to the same version; a missing pair is refused with its reason.
REFUSED = {
    (EngagementKind.ACCEPTED, EngagementKind.DECLINED): "was accepted; withdraw the acceptance instead",
    (EngagementKind.ACCEPTED, EngagementKind.OBJECTED): "was accepted; withdraw the acceptance instead",
    (None, EngagementKind.WITHDRAWN): "was never accepted, so nothing can be withdrawn",
    (EngagementKind.DECLINED, EngagementKind.WITHDRAWN): "was declined, so nothing can be withdrawn",
    (EngagementKind.OBJECTED, EngagementKind.WITHDRAWN): "was objected to, so nothing can be withdrawn",
}


def engage(
    session: Session,
    user: User,
    version: Version,
    kind: EngagementKind,
    *,
    sha256: str = "",
    wording: str = "",
    channel: str = "api",
    actor: str = "user",
    at: datetime | None = None,
    ip: str = "",
    user_agent: str = "",
    zone: ZoneInfo,
    now: datetime,
) -> Engagement:
    """Record what a user did about a published version; the same act twice is one fact.

    Raises InvalidInput for a hash that is not one of the version's bodies or an instant in the future,
    RuleRefused when the act does not fit the version or the user's last answer to it.
    """
    at = at or now
    _require_possible(session, user, version, kind, at=at, zone=zone, now=now)
    body = _shown(session, version, sha256, user)
    _settle_silence(session, user, version, at=at, zone=zone, now=now)
    last = last_answer(session, user, version, until=at)
    if kind in ANSWERS and last is not None and last.kind == kind:
        return last
    if why := REFUSED.get((last.kind if last else None, kind)) if kind in ANSWERS else "":
        raise RuleRefused(f"Version {version.number} {why}.")
    nth = 1 if kind not in ANSWERS else _count(session, user, version, kind) + 1
    fact = _insert(
        session,
        user,
        version,
        kind,
        nth,
        at=at,
        actor=actor,
        now=now,
        channel=channel,
        sha256=body.sha256,
        locale=body.locale,
        wording=wording,
    )
    if (ip or user_agent) and session.get(Trace, fact.id) is None:
        session.add(Trace(engagement_id=fact.id, ip=ip, user_agent=user_agent))
    return fact


def _require_possible(
    session: Session,
    user: User,
    version: Version,
    kind: EngagementKind,
    *,
    at: datetime,
    zone: ZoneInfo,
    now: datetime,
) -> None:
    document = session.get_one(Document, version.document_id)
    named = f"Version {version.number} of {document.slug!r}"
    if kind not in BY_USERS:
        raise InvalidInput(f"Engagement {kind.value!r} is derived by Assent and cannot be recorded from outside.")
    if version.published_at is None:
        raise RuleRefused(f"{named} is not published, so it is not on offer.")
    if at > now:
        raise InvalidInput(f"The instant {at.isoformat()} lies in the future; an engagement is a thing of the past.")
    if at < version.published_at:
        raise RuleRefused(
            f"{named} was not on offer at {at.isoformat()}; it was published at {version.published_at.isoformat()}."
        )
    if version.withdrawn_at is not None and version.withdrawn_at <= at:
        raise RuleRefused(f"{named} was withdrawn at {version.withdrawn_at.isoformat()}.")
    if kind is EngagementKind.OBJECTED:
        _require_window(session, user, version, named, at=at, zone=zone)


def _require_window(
    session: Session, user: User, version: Version, named: str, *, at: datetime, zone: ZoneInfo
) -> None:
    if version.mode is not Mode.SILENCE:
        raise RuleRefused(f"{named} does not bind by silence, so there is nothing to object to; decline it instead.")
    told = notified(session, user, version)
    if told is not None and at > deadline(version, told.at, zone):
        raise RuleRefused(
            f"The window to object to version {version.number} closed at {deadline(version, told.at, zone)}."
        )


def _shown(session: Session, version: Version, digest: str, user: User) -> Body:
    bodies = store.bodies(session, version)
    if not digest:
        return store.body(session, version, user.locale)
    for body in bodies:
        if body.sha256 == digest:
            return body
    raise InvalidInput(
        f"SHA-256 {digest!r} is not that of a text of version {version.number}; send the hash that was shown."
    )


def _insert(
    session: Session,
    user: User,
    version: Version,
    kind: EngagementKind,
    nth: int,
    *,
    at: datetime,
    actor: str,
    now: datetime,
    **facts: object,
) -> Engagement:
    row = {"user_id": user.id, "version_id": version.id, "kind": kind, "nth": nth, "at": at, "recorded_at": now}
    texts = {"actor": actor, "channel": "", "sha256": "", "locale": "", "wording": ""}
    added = insert_once(session, Engagement, [{**row, **texts, **facts}])
    found = session.exec(
        select(Engagement).where(
            Engagement.user_id == user.id,
            Engagement.version_id == version.id,
            Engagement.kind == kind,
            Engagement.nth == nth,
        )
    ).one()
    if added:
        history.record(session, actor, kind.value, "engagement", found.id, now=now, user=user.id, version=version.id)
    return found


def tell(
    session: Session,
    user: User,
    version: Version,
    *,
    notice_id: int,
    channel: Channel,
    sent_at: datetime,
    now: datetime,
) -> None:
    """Record that the user was told of a version: its notice is proven sent."""
    _insert(
        session,
        user,
        version,
        EngagementKind.NOTIFIED,
        1,
        at=sent_at,
        actor="clock",
        now=now,
        channel=channel.value,
        notice_id=notice_id,
    )


def import_binding(
    session: Session, user: User, version: Version, *, at: datetime, actor: str = "import", now: datetime
) -> Engagement:
    """Take over from another system that this version bound the user at `at`; labelled as imported, not as accepted."""
    if version.published_at is None:
        raise RuleRefused(f"Version {version.number} is not published, so it can have bound nobody.")
    if at > now:
        raise InvalidInput(f"The instant {at.isoformat()} lies in the future; only what bound until now is taken over.")
    return _insert(session, user, version, EngagementKind.IMPORTED, 1, at=at, actor=actor, now=now, channel="import")


# -- continued use and silence -----------------------------------------------------------------------------------


def deem_by_use(session: Session, user: User, *, activity_at: datetime, now: datetime) -> list[Engagement]:
    """Bind the user by use to what was announced last, if that is in force and proven sent before the use."""
    known, made = facts(session, user), []
    for document in store.documents(session):
        versions = store.chain(session, document.id)
        told = _used_on(versions, known, activity_at)
        if told is not None:
            version = session.get_one(Version, told.version_id)
            fact = _insert(
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
    due = deadline(version, told.at, zone)
    if due > now or last_answer(session, user, version, until=due) is not None:
        return None
    versions = store.chain(session, version.document_id)
    if _needed(versions, facts(session, user), version, due) is not Mode.SILENCE:
        return None
    return _insert(
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


def _settle_silence(
    session: Session, user: User, version: Version, *, at: datetime, zone: ZoneInfo, now: datetime
) -> None:
    """What silence has bound before an answer at `at` is recorded first, however late the job that does so comes."""
    told = notified(session, user, version) if version.mode is Mode.SILENCE else None
    if told is not None and deadline(version, told.at, zone) < at:
        deem_by_silence(session, told, zone=zone, now=now)


def unanswered(session: Session, mode: Mode, *, after: int = 0, limit: int = 1000) -> list[Engagement]:
    """Told users of versions of this mode who neither answered nor are bound by them yet, in key order."""
    other = aliased(Engagement)
    settled = (
        select(other.id)
        .where(other.user_id == Engagement.user_id, other.version_id == Engagement.version_id)
        .where(col(other.kind).in_([*ANSWERS, EngagementKind.DEEMED_BY_SILENCE, EngagementKind.IMPORTED]))
    )
    told = (
        select(Engagement)
        .join(Version, col(Version.id) == col(Engagement.version_id))
        .where(Version.mode == mode, col(Version.withdrawn_at).is_(None))
        .where(Engagement.kind == EngagementKind.NOTIFIED, col(Engagement.id) > after, ~settled.exists())
    )
    return list(session.exec(told.order_by(col(Engagement.id)).limit(limit)))


# -- what follows -------------------------------------------------------------------------------------------------


def bound(session: Session, user: User, document: Document, *, at: datetime) -> Bound | None:
    """Which version of the document bound this user at `at`, and the engagement that proves it."""
    return binding(store.chain(session, document.id), facts(session, user), at)


def bound_versions(session: Session, user: User, *, at: datetime) -> list[Bound]:
    """What bound the user at `at`, over all documents."""
    known = facts(session, user)
    each = (binding(store.chain(session, document.id), known, at) for document in store.documents(session))
    return [found for found in each if found is not None]


def facts(session: Session, user: User) -> list[Engagement]:
    """All that is recorded of a user, oldest first."""
    of_user = select(Engagement).where(Engagement.user_id == user.id)
    return list(session.exec(of_user.order_by(col(Engagement.at), col(Engagement.id))))


def notified(session: Session, user: User, version: Version) -> Engagement | None:
    """The proof that the user was told of this version, if there is one."""
    return _first(session, user, version, EngagementKind.NOTIFIED)


def last_answer(session: Session, user: User, version: Version, *, until: datetime | None = None) -> Engagement | None:
    """What the user last answered to this version: accepted, declined, objected or withdrawn."""
    answers = select(Engagement).where(
        Engagement.user_id == user.id, Engagement.version_id == version.id, col(Engagement.kind).in_(ANSWERS)
    )
    if until is not None:
        answers = answers.where(col(Engagement.at) <= until)
    return session.exec(answers.order_by(col(Engagement.at).desc(), col(Engagement.id).desc()).limit(1)).first()


def _first(session: Session, user: User, version: Version, kind: EngagementKind) -> Engagement | None:
    return session.exec(
        select(Engagement).where(
            Engagement.user_id == user.id, Engagement.version_id == version.id, Engagement.kind == kind
        )
    ).first()


def _count(session: Session, user: User, version: Version, kind: EngagementKind) -> int:
    same = select(func.count()).where(
        Engagement.user_id == user.id, Engagement.version_id == version.id, Engagement.kind == kind
    )
    return session.exec(same).one()
