"""What users do about versions: accept, decline, object, withdraw; and that they were told."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from lifecycle import deeming, graces, ledger
from lifecycle.bindings import Bound as Bound
from lifecycle.bindings import binding
from lifecycle.documents import store
from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.models import Body, Document, Engagement, Notice, Termination, Trace, User, Version
from lifecycle.states import ANSWERS, PROVEN_STATUSES, Channel, EngagementKind, Mode

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
    RuleRefused when the act does not fit the version or the user's last answer to it, or accepts what is not on offer.
    """
    at = at or now
    _require_possible(session, user, version, kind, at=at, zone=zone, now=now)
    body = _shown(session, version, sha256, user)
    deeming.settle_silence(session, user, version, at=at, zone=zone, now=now)
    nth = ledger.count(session, user, version, kind) + 1 if kind in ANSWERS else 1
    last = ledger.last_answer(session, user, version, until=at)
    if kind in ANSWERS and last is not None and last.kind == kind:
        return last
    if why := REFUSED.get((last.kind if last else None, kind)) if kind in ANSWERS else "":
        raise RuleRefused(f"Version {version.number} {why}.")
    if kind is EngagementKind.ACCEPTED:
        _require_offer(session, user, version, at=at)
    fact = ledger.write(
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


def _require_offer(session: Session, user: User, version: Version, *, at: datetime) -> None:
    """Nobody accepts what a later version has replaced for them, or anything once all their access has ended."""
    document = session.get_one(Document, version.document_id)
    published, now_bound = store.chain(session, document.id), bound(session, user, document, at=at)
    if now_bound is not None and published.index(now_bound.version) > published.index(version):
        raise RuleRefused(
            f"Version {version.number} of {document.slug!r} is not on offer to user {user.external_id!r}: "
            f"version {now_bound.version.number} binds since {now_bound.since.isoformat()}."
        )
    endings = session.exec(select(Termination).where(Termination.user_id == user.id))
    ended = next((one for one in endings if one.is_whole and one.in_effect(at)), None)
    if ended is not None:
        raise RuleRefused(
            f"Nothing is on offer to user {user.external_id!r}: access ended by termination {ended.id}. "
            f"Reinstate the user first."
        )


def _require_window(
    session: Session, user: User, version: Version, named: str, *, at: datetime, zone: ZoneInfo
) -> None:
    if version.mode is not Mode.SILENCE:
        raise RuleRefused(f"{named} does not bind by silence, so there is nothing to object to; decline it instead.")
    told = ledger.notified(session, user, version)
    closes = graces.due_by(session, version, told, zone) if told is not None else at
    if at > closes:
        raise RuleRefused(f"The window to object to version {version.number} closed at {closes.isoformat()}.")


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
    ledger.write(
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


def notice_came_back(session: Session, user: User, version: Version, *, notice_id: int, now: datetime) -> None:
    """Record that a notice of a version did not reach the user: what rested on it binds no more, no deadline runs.

    If another notice of the version is proven sent, the user was told by that one, from its instant on. Where nothing
    rested on the notice, nothing changes.
    """
    if all(fact.notice_id != notice_id for fact in ledger.facts_about(session, user, version)):
        return
    nth = ledger.count(session, user, version, EngagementKind.BOUNCED) + 1
    kind = EngagementKind.BOUNCED
    ledger.write(session, user, version, kind, nth, at=now, actor="clock", now=now, notice_id=notice_id)
    of_version = (Notice.user_id == user.id, Notice.version_id == version.id)
    proven = select(Notice).where(*of_version, col(Notice.status).in_(PROVEN_STATUSES))
    other = session.exec(proven.order_by(col(Notice.sent_at)).limit(1)).first()
    if other is not None and other.sent_at is not None:
        tell(session, user, version, notice_id=other.id, channel=other.channel, sent_at=other.sent_at, now=now)


def import_binding(
    session: Session, user: User, version: Version, *, at: datetime, actor: str = "import", now: datetime
) -> Engagement:
    """Take over from another system that this version bound the user at `at`; labelled as imported, not as accepted."""
    if version.published_at is None:
        raise RuleRefused(f"Version {version.number} is not published, so it can have bound nobody.")
    if at > now:
        raise InvalidInput(f"The instant {at.isoformat()} lies in the future; only what bound until now is taken over.")
    return ledger.write(
        session, user, version, EngagementKind.IMPORTED, 1, at=at, actor=actor, now=now, channel="import"
    )


# -- what follows -------------------------------------------------------------------------------------------------


def bound(session: Session, user: User, document: Document, *, at: datetime) -> Bound | None:
    """Which version of the document bound this user at `at`, and the engagement that proves it."""
    return binding(store.chain(session, document.id), ledger.facts(session, user), at)


def bound_versions(session: Session, user: User, *, at: datetime) -> list[Bound]:
    """What bound the user at `at`, over all documents."""
    known = ledger.facts(session, user)
    each = (binding(store.chain(session, document.id), known, at) for document in store.documents(session))
    return [found for found in each if found is not None]
