"""Append-only facts about a user and a version, and what follows from them: which version binds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.db import insert_once
from lifecycle.documents import store
from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.models import Body, Document, Engagement, Trace, User, Version
from lifecycle.states import BINDING_KINDS, EngagementKind, Mode, add_calendar

ANSWERS = (EngagementKind.ACCEPTED, EngagementKind.DECLINED, EngagementKind.OBJECTED, EngagementKind.WITHDRAWN)
BY_USERS = (*ANSWERS, EngagementKind.VIEWED, EngagementKind.ACKNOWLEDGED, EngagementKind.IMPORTED)

# What may follow the user's last answer to the same version; a missing pair is refused with its reason.
REFUSED = {
    (EngagementKind.ACCEPTED, EngagementKind.DECLINED): "was accepted; withdraw the acceptance instead",
    (EngagementKind.ACCEPTED, EngagementKind.OBJECTED): "was accepted; withdraw the acceptance instead",
    (None, EngagementKind.WITHDRAWN): "was never accepted, so nothing can be withdrawn",
    (EngagementKind.DECLINED, EngagementKind.WITHDRAWN): "was declined, so nothing can be withdrawn",
    (EngagementKind.OBJECTED, EngagementKind.WITHDRAWN): "was objected to, so nothing can be withdrawn",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """The version that binds, since when, and the engagement that proves it.

    `proof` may be about an earlier version when an editorial change carried it over.
    """

    version: Version
    since: datetime
    proof: Engagement


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
    _require_possible(session, user, version, kind, at=at or now, zone=zone, now=now)
    body = _shown(session, version, sha256, user)
    last = last_answer(session, user, version)
    if kind in ANSWERS and last is not None and last.kind == kind:
        return last
    if why := REFUSED.get((last.kind if last else None, kind)) if kind in ANSWERS else "":
        raise RuleRefused(f"Version {version.number} {why}.")
    nth = 1 if kind not in ANSWERS else _count(session, user, version, kind) + 1
    fact = _insert(session, user, version, kind, nth, at=at or now, actor=actor, now=now, channel=channel,
                   sha256=body.sha256, locale=body.locale, wording=wording)  # fmt: skip
    if (ip or user_agent) and session.get(Trace, fact.id) is None:
        session.add(Trace(engagement_id=fact.id, ip=ip, user_agent=user_agent))
    return fact


def _require_possible(
    session: Session, user: User, version: Version, kind: EngagementKind, *,
    at: datetime, zone: ZoneInfo, now: datetime,
) -> None:  # fmt: skip
    document = session.get_one(Document, version.document_id)
    named = f"Version {version.number} of {document.slug!r}"
    if kind not in BY_USERS:
        raise InvalidInput(f"Engagement {kind.value!r} is derived by Assent and cannot be recorded from outside.")
    if version.published_at is None:
        raise RuleRefused(f"{named} is not published, so it is not on offer.")
    if at > now:
        raise InvalidInput(f"The instant {at.isoformat()} lies in the future; an engagement is a thing of the past.")
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
        raise RuleRefused(f"The window to object to version {version.number} closed at {deadline(version, told.at, zone)}.")


def _shown(session: Session, version: Version, digest: str, user: User) -> Body:
    bodies = store.bodies(session, version)
    if not digest:
        return store.body(session, version, user.locale)
    for body in bodies:
        if body.sha256 == digest:
            return body
    raise InvalidInput(f"SHA-256 {digest!r} is not that of a text of version {version.number}; send the hash that was shown.")


def _insert(
    session: Session, user: User, version: Version, kind: EngagementKind, nth: int, *,
    at: datetime, actor: str, now: datetime, **facts: object,
) -> Engagement:  # fmt: skip
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


def tell(session: Session, user: User, version: Version, *, notice_id: int, sent_at: datetime, now: datetime) -> None:
    """Record that the user was told of a version: its notice is proven sent."""
    _insert(session, user, version, EngagementKind.NOTIFIED, 1, at=sent_at, actor="clock", now=now,
            channel="email", notice_id=notice_id)  # fmt: skip


def import_binding(
    session: Session, user: User, version: Version, *, at: datetime, actor: str = "import", now: datetime
) -> Engagement:
    """Take over from another system that this version bound the user at `at`; labelled as imported, not as accepted."""
    if version.published_at is None:
        raise RuleRefused(f"Version {version.number} is not published, so it can have bound nobody.")
    return _insert(session, user, version, EngagementKind.IMPORTED, 1, at=at, actor=actor, now=now, channel="import")


# -- continued use and silence -----------------------------------------------------------------------------------


def deem_by_use(session: Session, user: User, *, activity_at: datetime, now: datetime) -> list[Engagement]:
    """Bind the user by use to what was in force, if the notice was proven sent and the use came after both."""
    made = []
    for version in _in_force_by_mode(session, Mode.CONTINUED_USE, at=activity_at):
        told = notified(session, user, version)
        if told is None or activity_at <= told.at:
            continue
        if needed_mode(session, user, version, at=activity_at) is Mode.CONTINUED_USE:
            made.append(
                _insert(session, user, version, EngagementKind.DEEMED_BY_USE, 1, at=activity_at, actor="clock",
                        now=now, notice_id=told.notice_id, activity_at=activity_at)  # fmt: skip
            )
    return made


def deem_by_silence(session: Session, told: Engagement, *, zone: ZoneInfo, now: datetime) -> Engagement | None:
    """Bind a told user whose window to object has passed in silence; None when it does not bind (yet)."""
    user, version = session.get_one(User, told.user_id), session.get_one(Version, told.version_id)
    due = deadline(version, told.at, zone)
    if due > now or last_answer(session, user, version, until=due) is not None:
        return None
    if needed_mode(session, user, version, at=due) is not Mode.SILENCE:
        return None
    return _insert(session, user, version, EngagementKind.DEEMED_BY_SILENCE, 1, at=due, actor="clock", now=now,
                   notice_id=told.notice_id)  # fmt: skip


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


def deadline(version: Version, told_at: datetime, zone: ZoneInfo, *, days: int | None = None) -> datetime:
    """Until when a told user may answer: the later of the version's deadline and the one from the user's notice.

    `days` stands in for the version's own when a stricter version before it was never answered.
    """
    assert version.effective_at is not None
    days = version.deadline_days if days is None else days
    if version.mode is Mode.SILENCE:  # the window ends no earlier than the version comes in force
        return max(version.effective_at, add_calendar(told_at, zone, days=days))
    return add_calendar(max(version.effective_at, told_at), zone, days=days)


# -- what follows -------------------------------------------------------------------------------------------------


def binding(versions: Sequence[Version], facts: Iterable[Engagement], at: datetime) -> Bound | None:
    """Which of a document's versions bound a user at `at`, by that user's recorded facts alone (rule 3).

    `versions` is the document's chain. A version binds by a fact that suits the strictest mode that stands
    between it and the version bound before; an editorial version directly after the bound one carries over.
    """
    known = [fact for fact in facts if fact.at <= at]
    current: Bound | None = None
    strictest = Mode.EDITORIAL
    adjacent = False
    for version in store.standing_chain(versions, at):
        mode = version.mode or Mode.EXPLICIT
        strictest = max(strictest, mode, key=lambda m: m.strictness)
        proof = _proof(version, known, BINDING_KINDS[strictest])
        effective = version.effective_at
        assert effective is not None
        if proof is not None:
            current = Bound(version, max(effective, proof.at), proof)
        elif current is not None and adjacent and mode is Mode.EDITORIAL:
            current = Bound(version, max(effective, current.since), current.proof)
        adjacent = current is not None and current.version is version
        if adjacent:
            strictest = Mode.EDITORIAL
    return current


def _proof(version: Version, facts: Sequence[Engagement], kinds: frozenset[EngagementKind]) -> Engagement | None:
    """The first fact of these kinds about the version that a later withdrawal did not end."""
    about = [fact for fact in facts if fact.version_id == version.id]
    ended = [(fact.at, fact.id) for fact in about if fact.kind is EngagementKind.WITHDRAWN]
    last_end = max(ended, default=None)
    alive = [f for f in about if f.kind in kinds and (last_end is None or (f.at, f.id) > last_end)]
    return min(alive, key=lambda fact: (fact.at, fact.id), default=None)


def bound(session: Session, user: User, document: Document, *, at: datetime) -> Bound | None:
    """Which version of the document bound this user at `at`, and the engagement that proves it."""
    return binding(store.chain(session, document.id), facts(session, user), at)


def bound_versions(session: Session, user: User, *, at: datetime) -> list[Bound]:
    """What bound the user at `at`, over all documents."""
    known = facts(session, user)
    each = (binding(store.chain(session, document.id), known, at) for document in store.documents(session))
    return [found for found in each if found is not None]


def needed_mode(session: Session, user: User, version: Version, *, at: datetime) -> Mode:
    """The strictest mode between what bound the user just before and `version`: what it takes to bind them to it."""
    versions = store.chain(session, version.document_id)
    known = [fact for fact in facts(session, user) if fact.version_id != version.id]
    before = binding(versions, known, at)
    passed = [v for v in store.standing_chain(versions, at) if v.id != version.id]
    start = passed.index(before.version) + 1 if before is not None and before.version in passed else 0
    return strictest_mode([*passed[start:], version])


def strictest_mode(versions: Iterable[Version]) -> Mode:
    return max((v.mode or Mode.EXPLICIT for v in versions), key=lambda mode: mode.strictness)


def facts(session: Session, user: User) -> list[Engagement]:
    """All that is recorded of a user, oldest first."""
    of_user = select(Engagement).where(Engagement.user_id == user.id)
    return list(session.exec(of_user.order_by(col(Engagement.at), col(Engagement.id))))


def notified(session: Session, user: User, version: Version) -> Engagement | None:
    """The proof that the user was told of this version, if there is one."""
    return _first(session, user, version, EngagementKind.NOTIFIED)


def last_answer(
    session: Session, user: User, version: Version, *, until: datetime | None = None
) -> Engagement | None:
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


def _in_force_by_mode(session: Session, mode: Mode, *, at: datetime) -> list[Version]:
    in_force = (store.in_force(session, document, at=at) for document in store.documents(session))
    return [version for version in in_force if version is not None and version.mode is mode]
