"""What a user may do now, per document, and why. Derived; nothing here writes.

One look-up brings the user's facts and the token of the timetable they go with; a second one is asked only of who has
an open termination or a deadline of their own.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from zoneinfo import ZoneInfo

from pydantic_core import to_json
from sqlalchemy import text
from sqlmodel import Session, col, select

from lifecycle import bindings, users
from lifecycle.db import Database, among
from lifecycle.lookups import Row
from lifecycle.models import Grace, Termination, User, Version
from lifecycle.states import ON_NOTICE, Decision, EngagementKind, Mode
from lifecycle.timetable import Course, Timetable, kept, timetable
from lifecycle.verdicts import Fact, Verdict, instant, verdict

ALLOW = Decision.ALLOW
SEVERITY = [Decision.ALLOW, Decision.WARN, Decision.BLOCK]
STREAMED = 500  # users in one look-up of a stream

_WHO = """
SELECT u.id, u.external_id, (SELECT m.token FROM timetable_marks m) AS token,
    EXISTS (SELECT 1 FROM terminations t
        WHERE t.user_id = u.id AND t.rescinded_at IS NULL AND t.reinstated_at IS NULL)
    OR EXISTS (SELECT 1 FROM graces g WHERE g.user_id = u.id) AS special
FROM users u WHERE {which}"""
_FACTS = """
SELECT me.id, me.external_id, me.token, me.special, e.version_id, e.kind, e.at, e.id
FROM ({who}) me LEFT JOIN engagements e ON e.user_id = me.id ORDER BY {order}e.at, e.id"""
BY_ID = _FACTS.format(who=_WHO.format(which="u.id = :who LIMIT 1"), order="")
BY_NAME = _FACTS.format(who=_WHO.format(which="u.external_id = :who LIMIT 1"), order="")
MANY = {
    "sqlite": "u.external_id IN (SELECT value FROM json_each(:who)) LIMIT -1",
    "postgresql": "u.external_id = ANY(:who)",
}


@dataclass(frozen=True, slots=True)
class DocumentStanding:
    """Where a user stands with one document; version numbers, instants in UTC, `why` for a person to read."""

    slug: str
    decision: Decision
    state: str
    why: str
    bound_version: int | None = None
    bound_by: EngagementKind | None = None
    bound_since: datetime | None = None
    in_force_version: int | None = None
    due_version: int | None = None
    due_by: datetime | None = None
    upcoming_versions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user may do now over all documents."""

    user: str
    decision: Decision
    why: str
    documents: list[DocumentStanding]
    termination: "Ending | None" = None


@dataclass(frozen=True, slots=True)
class Ending:
    """A termination that is open: decided, perhaps in effect."""

    id: int
    initiated_by: str
    in_effect: bool
    takes_effect_at: datetime | None
    reason: str
    scope: str = ""
    ends_at: datetime | None = None
    stayed_at: datetime | None = None

    @property
    def blocks(self) -> bool:
        """What ends a part of the service leaves the rest open."""
        return self.in_effect and not self.scope


@dataclass(frozen=True, slots=True)
class Own:
    """What stands for one user alone: an open termination, and deadlines of their own by version id."""

    ending: Ending | None = None
    graces: Mapping[int, Sequence[Grace]] = field(default_factory=dict)


NOTHING = Own()


def standing(session: Session, user: User, *, zone: ZoneInfo, now: datetime) -> Standing:
    """What the user may do now. Nobody is blocked whose notice is not proven sent (rule 4)."""
    session.flush()
    found = None
    while found is None:
        rows = [tuple(row) for row in session.execute(text(BY_ID), {"who": user.id})]
        found = timetable(session, rows[0][2])
    own = _own(session, user.id, now) if rows[0][3] else NOTHING
    return _stand(rows, found, own, zone, now)


def reasons(session: Session, user: User, *, zone: ZoneInfo, at: datetime) -> dict[str, str]:
    """By document, why the user was bound at `at` to the version they were bound to, and not to the one in force."""
    return {found.slug: found.why for found in standing(session, user, zone=zone, now=at).documents}


def check(database: Database, external_id: str, *, zone: ZoneInfo, now: datetime) -> Standing:
    """`standing` of a user by the host's id, for whoever asks all the time. Raises NotFound."""
    found = None
    while found is None:
        rows = database.look_up(BY_NAME, who=external_id)
        if not rows:
            raise users.unknown(external_id)
        found = _timetable(database, rows)
    own = database.read(_own, rows[0][0], now) if rows[0][3] else NOTHING
    return _stand(rows, found, own, zone, now)


def stream(
    database: Database, external_ids: Iterable[str], *, zone: ZoneInfo, now: datetime
) -> Iterator[tuple[str, Standing | None]]:
    """The standing of each of these users at one instant, in their order; None for one who is not known."""
    ids = iter(external_ids)
    while some := list(islice(ids, STREAMED)):
        found = dict(_check_some(database, some, zone, now))
        yield from ((name, found.get(name)) for name in some)


def to_lines(database: Database, external_ids: Iterable[str], *, zone: ZoneInfo, now: datetime) -> Iterator[bytes]:
    """`stream` as NDJSON, some hundred lines at a time; who is not known has a `problem` instead of a standing."""
    lines = (
        to_json(found if found is not None else {"user": name, "problem": f"There is no user {name!r}."})
        for name, found in stream(database, external_ids, zone=zone, now=now)
    )
    while some := list(islice(lines, STREAMED)):
        yield b"\n".join([*some, b""])


def _check_some(database: Database, names: list[str], zone: ZoneInfo, now: datetime) -> Iterator[tuple[str, Standing]]:
    kind = "sqlite" if database.is_sqlite else "postgresql"
    statement = _FACTS.format(who=_WHO.format(which=MANY[kind]), order="me.id, ")
    table = None
    while table is None:
        rows = database.look_up(statement, who=json.dumps(names) if database.is_sqlite else names)
        table = _timetable(database, rows) if rows else Timetable({}, {})
    for user_id, group in groupby(rows, itemgetter(0)):
        mine = list(group)
        own = database.read(_own, user_id, now) if mine[0][3] else NOTHING
        yield mine[0][1], _stand(mine, table, own, zone, now)


def _timetable(database: Database, rows: Sequence[Row]) -> Timetable | None:
    token = rows[0][2]
    return kept(token) or database.read(timetable, token)


def _own(session: Session, user_id: int, now: datetime) -> Own:
    graces: dict[int, list[Grace]] = {}
    for grace in session.exec(select(Grace).where(Grace.user_id == user_id)):
        graces.setdefault(grace.version_id, []).append(grace)
    return Own(_ending(session, user_id, now), graces)


def _stand(rows: Sequence[Row], table: Timetable, own: Own, zone: ZoneInfo, now: datetime) -> Standing:
    """`rows` are the user's facts, oldest first; a user without any has one row without a version."""
    moment, name = table.at(now), rows[0][1]
    if any(row[5] == EngagementKind.BOUNCED for row in rows):
        rows = _without_void(rows)
    facts: list[list[Fact]] = [[] for _ in moment.courses]
    for row in rows:
        if row[4] is not None:
            facts[moment.place[row[4]]].append(row[4:])
    graces = table.graces if not own.graces else _both(table.graces, own.graces)
    documents = [
        _with_document(course, known, graces, zone, now) for course, known in zip(moment.courses, facts, strict=True)
    ]
    return _over_all(name, documents, own.ending)


def _without_void(rows: Sequence[Row]) -> list[Row]:
    """The facts that count, as `ledger.facts` has it: nothing that rests on a notice which came back."""
    bounced = {row[4]: row[7] for row in sorted(rows, key=itemgetter(7)) if row[5] == EngagementKind.BOUNCED}
    resting = {*ON_NOTICE, EngagementKind.BOUNCED}
    return [row for row in rows if row[5] not in resting or row[7] > bounced.get(row[4], 0)]


def _both(general: Mapping[int, Sequence[Grace]], own: Mapping[int, Sequence[Grace]]) -> dict[int, Sequence[Grace]]:
    return {version_id: [*general.get(version_id, ()), *own.get(version_id, ())] for version_id in {*general, *own}}


def _over_all(name: str, documents: list[DocumentStanding], ending: Ending | None) -> Standing:
    reasons = [(item.decision, item.why) for item in documents if item.decision is not ALLOW]
    if ending is not None:
        reasons.append((Decision.BLOCK if ending.blocks else Decision.WARN, _ending_why(ending)))
    if not reasons:
        return Standing(name, Decision.ALLOW, "Nothing stands in the way.", documents, ending)
    decision = max((decision for decision, _ in reasons), key=SEVERITY.index)
    return Standing(name, decision, " ".join(why for found, why in reasons if found is decision), documents, ending)


def open_termination(session: Session, user: User) -> Termination | None:
    """The user's termination that was neither rescinded nor followed by reinstatement."""
    return _open_termination(session, user.id)


def _open_termination(session: Session, user_id: int) -> Termination | None:
    return open_terminations(session, [user_id]).get(user_id)


def open_terminations(session: Session, user_ids: Collection[int]) -> dict[int, Termination]:
    """Those of these users, by user."""
    return {found.user_id: found for found in session.exec(_OPEN_ONES, params={"ids": user_ids})}


_OPEN_ONES = (
    select(Termination)
    .where(
        among(col(Termination.user_id), "ids"),
        col(Termination.rescinded_at).is_(None),
        col(Termination.reinstated_at).is_(None),
    )
    .order_by(col(Termination.id).desc())
)


def _ending(session: Session, user_id: int, now: datetime) -> Ending | None:
    found = _open_termination(session, user_id)
    if found is None or found.is_over(now):
        return None
    return Ending(
        found.id,
        found.initiated_by.value,
        found.in_effect(now),
        found.takes_effect_at,
        found.reason,
        found.scope,
        found.ends_at,
        found.stayed_at,
    )


def _ending_why(ending: Ending) -> str:
    access = f"Access to {ending.scope}" if ending.scope else "Access"
    until = f" until {_day(ending.ends_at)}" if ending.ends_at is not None else ""
    if ending.stayed_at is not None:
        return "A termination is decided; it has no effect while an appeal against it is open."
    if ending.takes_effect_at is None:
        return "A termination is decided; it waits for the proof that its notice was sent."
    reason = f": {ending.reason}" if ending.reason else "."
    verb = "ended at" if ending.in_effect else "will end at"
    return f"{access} {verb} {_day(ending.takes_effect_at)}{until}{reason}"


def _with_document(
    course: Course, facts: Sequence[Fact], graces: Mapping[int, Sequence[Grace]], zone: ZoneInfo, now: datetime
) -> DocumentStanding:
    if not course.passed:
        why = f"No version of {course.slug} is in force."
        return DocumentStanding(course.slug, Decision.ALLOW, "none", why, upcoming_versions=course.upcoming)
    found = verdict(course, facts, now)
    since = found.since
    if isinstance(since, int):
        since = max(found.earliest, instant(facts[since][2]))
    shown = found.shown
    if shown is None or graces:
        shown = _word(course, found, facts, graces, zone, now)
        if found.asked is None or (found.told is None and not graces):
            found.shown = shown
    slug, decision, state, why, due_version, due_by = shown
    return DocumentStanding(
        slug,
        decision,
        state,
        why,
        found.number,
        found.by,
        since,
        course.number,
        due_version,
        due_by,
        course.upcoming,
    )


def _word(
    course: Course,
    found: Verdict,
    facts: Sequence[Fact],
    graces: Mapping[int, Sequence[Grace]],
    zone: ZoneInfo,
    now: datetime,
) -> tuple[str, Decision, str, str, int | None, datetime | None]:
    if found.asked is None:
        why = f"Bound to version {course.number} of {course.slug} ({found.by})."
        return course.slug, Decision.ALLOW, "bound", why, None, None
    told_at = None if found.told is None else instant(facts[found.told][2])
    decision, state, why, due_by = _judge(
        course.slug, found, found.asked, told_at, graces.get(found.asked.id, ()), zone, now
    )
    return course.slug, decision, state, why, course.number, due_by


def _judge(
    slug: str,
    found: Verdict,
    asked: Version,
    told_at: datetime | None,
    graces: Sequence[Grace],
    zone: ZoneInfo,
    now: datetime,
) -> tuple[Decision, str, str, datetime | None]:
    mode = bindings.mode_of(asked)
    named = f"version {asked.number} of {slug}"
    older = f"version {found.number} still binds" if found.bound else "nothing binds yet"
    exempt = next((grace for grace in graces if grace.exempts), None) if mode is Mode.EXPLICIT else None
    if exempt is not None:
        return Decision.ALLOW, "exempt", f"Exempt from accepting {named} ({exempt.reason}); {older}.", None
    if told_at is None:
        why = f"Not told of {named} yet, so no deadline runs; {older}."
        return Decision.WARN if mode is Mode.EXPLICIT else Decision.ALLOW, "not_told", why, None
    due_by = bindings.deadline(asked, told_at, zone, graces)
    if mode is not Mode.EXPLICIT:
        return Decision.ALLOW, *_milder(mode, found.said, named, older, due_by)
    return *_asked(EngagementKind.DECLINED in found.said, named, older, due_by, now), due_by


def _asked(declined: bool, named: str, older: str, due_by: datetime, now: datetime) -> tuple[Decision, str, str]:
    verb = "was declined; it may still be accepted" if declined else "must be accepted"
    if due_by <= now:
        state = "declined" if declined else "overdue"
        return Decision.BLOCK, state, f"{named.capitalize()} {verb}; the deadline was {_day(due_by)}."
    state = "declined" if declined else "must_accept"
    return Decision.WARN, state, f"{named.capitalize()} {verb} by {_day(due_by)}; {older}."


def _milder(
    mode: Mode, about: frozenset[EngagementKind], named: str, older: str, due_by: datetime
) -> tuple[str, str, datetime | None]:
    if EngagementKind.OBJECTED in about:
        return "objected", f"Objected to {named}; {older}.", None
    if mode is Mode.SILENCE and EngagementKind.DECLINED in about:
        return "declined", f"Declined {named}; {older}.", None
    if mode is Mode.SILENCE:
        return "may_object", f"Told of {named}; it binds unless there is an objection by {_day(due_by)}.", due_by
    return "told", f"Told of {named}; it binds by the next use. Until then {older}.", None


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
