"""What using a service, or staying silent, makes of a user who was told: bound, if the record proves it (rule 3)."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import graces, ledger
from lifecycle.bindings import asking, binding, mode_of, pending
from lifecycle.documents import store
from lifecycle.inserting import chunks
from lifecycle.models import Document, Engagement, User, Version
from lifecycle.states import EngagementKind, Mode

LATEST = sys.maxsize  # the id, in thought, of a fact that is about to be written


def deem_by_use(session: Session, uses: Mapping[int, Sequence[datetime]], *, now: datetime) -> int:
    """Bind users by use to what was announced last, if that is in force and proven sent before the use; how many facts.

    `uses` are the instants at which each user, by id, used the service.
    """
    return sum(_deem_document(session, document, uses, now) for document in store.documents(session))


def _deem_document(session: Session, document: Document, uses: Mapping[int, Sequence[datetime]], now: datetime) -> int:
    versions, facts = store.chain(session, document.id), list[ledger.Fact]()
    waiting = ledger.told_and_not_deemed(session, _to_be_used_on(versions, uses), uses)
    for some in chunks(waiting, 500):
        for user_id, known in ledger.facts_by_user(session, some).items():
            facts += _bound_by_use(versions, known, sorted(uses[user_id]))
    ledger.write_all(session, EngagementKind.DEEMED_BY_USE, facts, actor="clock", now=now)
    return len(facts)


def _to_be_used_on(versions: Sequence[Version], uses: Mapping[int, Sequence[datetime]]) -> list[int]:
    """To which versions, by id, use at one of these instants may bind: most batches have none, or one."""
    if all(version.mode is not Mode.CONTINUED_USE for version in versions):
        return []
    found = (_announced_last(versions, at) for instants in uses.values() for at in instants)
    return sorted({v.id for v in found if v is not None and mode_of(v).strictness <= Mode.CONTINUED_USE.strictness})


def _bound_by_use(versions: Sequence[Version], known: list[Engagement], uses: Sequence[datetime]) -> list[ledger.Fact]:
    found: list[ledger.Fact] = []
    for at in uses:
        told = _used_on(versions, known, at)
        if told is not None:
            fact = ledger.Fact(told.user_id, told.version_id, at, "", told.notice_id, activity_at=at)
            found.append(fact)
            if at < uses[-1]:
                written = Engagement(**fact._asdict(), id=LATEST, kind=EngagementKind.DEEMED_BY_USE, actor="clock")
                known = [*known, written]
    return found


def _announced_last(versions: Sequence[Version], at: datetime) -> Version | None:
    return next((v for v in reversed(store.standing_chain(versions, at)) if v.mode is not Mode.EDITORIAL), None)


def _used_on(versions: Sequence[Version], known: Sequence[Engagement], at: datetime) -> Engagement | None:
    """The proof that the user was told of the version in force to which using the service at `at` newly binds them."""
    version = _announced_last(versions, at)
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
