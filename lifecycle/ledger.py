"""What is on record between users and versions: append-only facts, written once, never changed."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.inserting import chunks, insert_into, insert_once
from lifecycle.models import Engagement, User, Version
from lifecycle.rows import among, as_given, as_tuple, fetch, given, parameters
from lifecycle.states import ANSWERS, ON_NOTICE, EngagementKind, Mode


def write(
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
    """Write the fact down once. One that rested on a notice which came back is void, and makes room for the next."""
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
    elif kind in ON_NOTICE and found not in facts_about(session, user, version):
        return write(session, user, version, kind, nth + 1, at=at, actor=actor, now=now, **facts)
    return found


class Fact(NamedTuple):
    """That on which a user is told or bound: a notice, and perhaps a use of the service."""

    user_id: int
    version_id: int
    at: datetime
    channel: str
    notice_id: int | None
    activity_at: datetime | None = None


def write_all(session: Session, kind: EngagementKind, facts: Sequence[Fact], *, actor: str, now: datetime) -> None:
    """`write` for many users at once."""
    if not facts:
        return
    same = {"kind": kind, "nth": 1, "recorded_at": now, "actor": actor, "sha256": "", "locale": "", "wording": ""}
    insert = _inserting(insert_into(session))
    added = fetch(session, as_tuple, insert, given=as_given(session, facts), **same)
    history.record_all(session, actor, kind.value, "engagement", ("user", "version"), added, now=now)
    new = {(user_id, version_id) for user_id, version_id, _ in added}
    for fact in facts:
        if (fact.user_id, fact.version_id) not in new:  # there is one before, which may be void
            user, version = session.get_one(User, fact.user_id), session.get_one(Version, fact.version_id)
            rest = {name: value for name, value in fact._asdict().items() if name not in ("user_id", "version_id")}
            write(session, user, version, kind, 1, actor=actor, now=now, **rest)


_SAME = ("kind", "nth", "recorded_at", "actor", "sha256", "locale", "wording")


@cache
def _inserting(insert: Any) -> Any:
    rows = sqlalchemy.select(*given(Engagement, *Fact._fields), *parameters(Engagement, *_SAME))
    selected = rows.where(sqlalchemy.true())  # else SQLite would read ON CONFLICT as part of a join
    written = insert(Engagement).from_select([*Fact._fields, *_SAME], selected).on_conflict_do_nothing()
    return written.returning(col(Engagement.user_id), col(Engagement.version_id), col(Engagement.id))


def facts(session: Session, user: User) -> list[Engagement]:
    """What counts of a user's record, oldest first: without what rested on a notice that came back."""
    return _counting(record(session, user))


def _counting(known: list[Engagement]) -> list[Engagement]:
    bounced = [fact for fact in known if fact.kind is EngagementKind.BOUNCED]
    void = {
        fact.id
        for fact in known
        for later in bounced
        if fact.kind in ON_NOTICE and fact.version_id == later.version_id and fact.id < later.id
    }
    return [fact for fact in known if fact.id not in void and fact not in bounced]


def facts_about(session: Session, user: User, version: Version) -> list[Engagement]:
    return [fact for fact in facts(session, user) if fact.version_id == version.id]


def record(session: Session, user: User) -> list[Engagement]:
    """All that is recorded of a user, oldest first, with what is void."""
    of_user = select(Engagement).where(Engagement.user_id == user.id)
    return list(session.exec(of_user.order_by(col(Engagement.at), col(Engagement.id))))


def facts_by_user(session: Session, user_ids: Collection[int]) -> dict[int, list[Engagement]]:
    """`facts` of these users."""
    found: dict[int, list[Engagement]] = {user_id: [] for user_id in user_ids}
    for fact in session.exec(_OF_USERS, params={"ids": user_ids}):
        found[fact.user_id].append(fact)
    return {user_id: _counting(known) if known else known for user_id, known in found.items()}


_OF_USERS = (
    select(Engagement)
    .where(among(col(Engagement.user_id), "ids"))
    .order_by(col(Engagement.user_id), col(Engagement.at), col(Engagement.id))
)


def told_and_not_deemed(session: Session, version_ids: Sequence[int], user_ids: Iterable[int]) -> list[int]:
    """Which of these users were told of one of these versions and have not been bound to it by use."""
    other = aliased(Engagement)
    deemed = select(other.id).where(
        other.user_id == Engagement.user_id,
        other.version_id == Engagement.version_id,
        other.kind == EngagementKind.DEEMED_BY_USE,
        ~_void(other),
    )
    told = select(Engagement.user_id).where(
        Engagement.kind == EngagementKind.NOTIFIED, col(Engagement.version_id).in_(version_ids), ~_void(Engagement)
    )
    found: set[int] = set()
    for some in chunks(sorted(user_ids), 1000) if version_ids else ():
        found.update(session.exec(told.where(col(Engagement.user_id).in_(some), ~deemed.exists())))
    return sorted(found)


def notified(session: Session, user: User, version: Version) -> Engagement | None:
    """The proof that the user was told of this version, if there is one."""
    return first(session, user, version, EngagementKind.NOTIFIED)


def last_answer(session: Session, user: User, version: Version, *, until: datetime | None = None) -> Engagement | None:
    """What the user last answered to this version: accepted, declined, objected or withdrawn."""
    answers = select(Engagement).where(
        Engagement.user_id == user.id, Engagement.version_id == version.id, col(Engagement.kind).in_(ANSWERS)
    )
    if until is not None:
        answers = answers.where(col(Engagement.at) <= until)
    return session.exec(answers.order_by(col(Engagement.at).desc(), col(Engagement.id).desc()).limit(1)).first()


def first(session: Session, user: User, version: Version, kind: EngagementKind) -> Engagement | None:
    return session.exec(
        select(Engagement).where(
            Engagement.user_id == user.id,
            Engagement.version_id == version.id,
            Engagement.kind == kind,
            ~_void(Engagement),
        )
    ).first()


def _void(fact: Any) -> ColumnElement[bool]:
    """Whether a fact rests on a notice that came back, as `facts` has it, in SQL."""
    later = aliased(Engagement)
    bounced = select(later.id).where(
        later.user_id == fact.user_id,
        later.version_id == fact.version_id,
        later.kind == EngagementKind.BOUNCED,
        col(later.id) + 0 > fact.id,  # the sum keeps SQLite from walking every later fact about the version
    )
    return col(fact.kind).in_(ON_NOTICE) & bounced.exists()


def count(session: Session, user: User, version: Version, kind: EngagementKind) -> int:
    same = select(func.count()).where(
        Engagement.user_id == user.id, Engagement.version_id == version.id, Engagement.kind == kind
    )
    return session.exec(same).one()


def unanswered(session: Session, mode: Mode, *conditions: Any, after: int = 0, limit: int = 1000) -> list[Engagement]:
    """Told users of versions of this mode who neither answered nor are bound by them yet, in key order.

    Of their engagements only those that meet the conditions.
    """
    other = aliased(Engagement)
    settled = (
        select(other.id)
        .where(other.user_id == Engagement.user_id, other.version_id == Engagement.version_id)
        .where(
            col(other.kind).in_([*ANSWERS, EngagementKind.DEEMED_BY_SILENCE, EngagementKind.IMPORTED]), ~_void(other)
        )
    )
    told = (
        select(Engagement)
        .join(Version, col(Version.id) == col(Engagement.version_id))
        .join(User, col(User.id) == col(Engagement.user_id))
        .where(Version.mode == mode, col(Version.withdrawn_at).is_(None), col(User.erased_at).is_(None))
        .where(Engagement.kind == EngagementKind.NOTIFIED, col(Engagement.id) > after)
        .where(~settled.exists(), ~_void(Engagement), *conditions)
    )
    return list(session.exec(told.order_by(col(Engagement.id)).limit(limit)))
