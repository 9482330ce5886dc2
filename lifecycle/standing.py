"""What a user may do now, per document, and why. Derived; nothing here writes.

One look-up brings the user's facts and the token of the timetable they go with; a second one is asked only of who has
an open termination or a deadline of their own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import groupby, islice
from operator import itemgetter
from zoneinfo import ZoneInfo

from pydantic_core import to_json
from sqlalchemy import text
from sqlmodel import Session, select

from lifecycle import endings, judging, users
from lifecycle.db import Database
from lifecycle.endings import Ending
from lifecycle.judging import DocumentStanding as DocumentStanding
from lifecycle.lookups import Row, one_ahead
from lifecycle.models import Grace, User
from lifecycle.states import ON_NOTICE, Decision, EngagementKind
from lifecycle.timetable import Moment, Timetable, kept, timetable
from lifecycle.verdicts import Fact, instant

ALLOW = Decision.ALLOW
SEVERITY = [Decision.ALLOW, Decision.WARN, Decision.BLOCK]
BOUNCED = EngagementKind.BOUNCED.value
NAME, TOKEN, SPECIAL = range(4, 7)
STREAMED = 1000  # users in one look-up of a stream

# A row is a fact, then whose it is: their name, the token of the timetable, and their id if something is special.
_WHO = """
SELECT u.id, u.external_id, (SELECT m.token FROM timetable_marks m) AS token, CASE WHEN
    EXISTS (SELECT 1 FROM terminations t
        WHERE t.user_id = u.id AND t.rescinded_at IS NULL AND t.reinstated_at IS NULL)
    OR EXISTS (SELECT 1 FROM graces g WHERE g.user_id = u.id) THEN u.id END AS special
FROM users u WHERE {which}"""
_FACTS = """
SELECT e.version_id, e.kind, e.at, e.id, me.external_id, me.token, me.special
FROM ({who}) me LEFT JOIN engagements e ON e.user_id = me.id ORDER BY {order}e.at, e.id"""
BY_ID = _FACTS.format(who=_WHO.format(which="u.id = :who LIMIT 1"), order="")
BY_NAME = _FACTS.format(who=_WHO.format(which="u.external_id = :who LIMIT 1"), order="")
MANY = {  # who they are is settled before their facts are joined, so what is asked of each is asked once
    "sqlite": "u.external_id IN (SELECT value FROM json_each(:who)) LIMIT -1",
    "postgresql": "u.external_id = ANY(:who) OFFSET 0",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user may do now over all documents."""

    user: str
    decision: Decision
    why: str
    documents: list[DocumentStanding]
    termination: Ending | None = None


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
        found = timetable(session, rows[0][TOKEN])
    own = _own(session, user.id, now) if rows[0][SPECIAL] else NOTHING
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
    own = database.read(_own, special, now) if (special := rows[0][SPECIAL]) else NOTHING
    return _stand(rows, found, own, zone, now)


def stream(
    database: Database, external_ids: Iterable[str], *, zone: ZoneInfo, now: datetime
) -> Iterator[tuple[str, Standing | None]]:
    """The standing of each of these users at one instant, in their order; None for one who is not known."""
    for some, known in _look_up(database, external_ids, now):
        found = {rows[0][NAME]: _stand(rows, table, own, zone, now) for rows, table, own in known}
        yield from ((name, found.get(name)) for name in some)


def to_lines(database: Database, external_ids: Iterable[str], *, zone: ZoneInfo, now: datetime) -> Iterator[bytes]:
    """`stream` as NDJSON, up to a thousand lines at a time; who is not known has a `problem` instead of a standing."""
    for some, known in _look_up(database, external_ids, now):
        found = {
            rows[0][NAME]: _line(rows, table, zone, now)
            if own is NOTHING
            else to_json(_stand(rows, table, own, zone, now))
            for rows, table, own in known
        }
        yield b"\n".join([*(found.get(name) or _unknown(name) for name in some), b""])


def _unknown(name: str) -> bytes:
    return to_json({"user": name, "problem": f"There is no user {name!r}."})


def _line(rows: Sequence[Row], table: Timetable, zone: ZoneInfo, now: datetime) -> bytes:
    """The standing of a user of whom nothing special is known, as JSON."""
    moment = table.at(now)
    facts = _by_document(rows, moment, now)
    written = [
        judging.write(course, known, table.graces, zone, now)
        for course, known in zip(moment.courses, facts, strict=True)
    ]
    judged = _judged(*_worst([(decision, why) for decision, why, _ in written if decision is not ALLOW]))
    documents = b",".join([document for _, _, document in written])
    return b'{"user":%b,%b,"documents":[%b],"termination":null}' % (to_json(rows[0][NAME]), judged, documents)


@lru_cache(maxsize=1024)
def _judged(decision: Decision, why: str) -> bytes:
    return to_json({"decision": decision, "why": why})[1:-1]


def _look_up(
    database: Database, external_ids: Iterable[str], now: datetime
) -> Iterator[tuple[list[str], Iterator[tuple[list[Row], Timetable, Own]]]]:
    """Some of these names at a time, with the rows of each of these users whom we know, and what they go with."""
    batches = _batches(database, iter(external_ids))
    # A server works while we do. SQLite works in this process, where a second thread would only wait for the first.
    for some, rows, table in batches if database.is_sqlite else one_ahead(batches):
        yield some, _by_user(database, rows, table, now)


def _batches(database: Database, external_ids: Iterator[str]) -> Iterator[tuple[list[str], list[Row], Timetable]]:
    which = MANY["sqlite" if database.is_sqlite else "postgresql"]
    statement = _FACTS.format(who=_WHO.format(which=which), order="me.id, ")
    while some := list(islice(external_ids, STREAMED)):
        table = None
        while table is None:
            rows = database.look_up(statement, who=json.dumps(some) if database.is_sqlite else some)
            table = _timetable(database, rows) if rows else Timetable({}, {})
        yield some, rows, table


def _by_user(
    database: Database, rows: list[Row], table: Timetable, now: datetime
) -> Iterator[tuple[list[Row], Timetable, Own]]:
    for _, group in groupby(rows, itemgetter(NAME)):
        mine = list(group)
        yield mine, table, database.read(_own, special, now) if (special := mine[0][SPECIAL]) else NOTHING


def _timetable(database: Database, rows: Sequence[Row]) -> Timetable | None:
    token = rows[0][TOKEN]
    return kept(token) or database.read(timetable, token)


def _own(session: Session, user_id: int, now: datetime) -> Own:
    graces: dict[int, list[Grace]] = {}
    for grace in session.exec(select(Grace).where(Grace.user_id == user_id)):
        graces.setdefault(grace.version_id, []).append(grace)
    return Own(endings.ending(session, user_id, now=now), graces)


def _stand(rows: Sequence[Row], table: Timetable, own: Own, zone: ZoneInfo, now: datetime) -> Standing:
    """`rows` are the user's facts, oldest first; a user without any has one row without a version."""
    moment, name = table.at(now), rows[0][NAME]
    facts = _by_document(rows, moment, now)
    graces = table.graces if not own.graces else _both(table.graces, own.graces)
    documents = [
        judging.stand(course, known, graces, zone, now) for course, known in zip(moment.courses, facts, strict=True)
    ]
    return _over_all(name, documents, own.ending)


def _by_document(rows: Sequence[Row], moment: Moment, now: datetime) -> list[list[Fact]]:
    """The facts up to `now` that count, by document."""
    facts: list[list[Fact]] = [[] for _ in moment.courses]
    if rows[-1][0] is None:
        return facts
    if BOUNCED in [row[1] for row in rows]:
        rows = _without_void(rows)
    if rows and instant(rows[-1][2]) > now:
        rows = [row for row in rows if instant(row[2]) <= now]
    place = moment.place
    for row in rows:
        facts[place[row[0]]].append(row)
    return facts


def _without_void(rows: Sequence[Row]) -> list[Row]:
    """The facts that count, as `ledger.facts` has it: nothing that rests on a notice which came back."""
    bounced = {row[0]: row[3] for row in sorted(rows, key=itemgetter(3)) if row[1] == EngagementKind.BOUNCED}
    resting = {*ON_NOTICE, EngagementKind.BOUNCED}
    return [row for row in rows if row[1] not in resting or row[3] > bounced.get(row[0], 0)]


def _both(general: Mapping[int, Sequence[Grace]], own: Mapping[int, Sequence[Grace]]) -> dict[int, Sequence[Grace]]:
    return {version_id: [*general.get(version_id, ()), *own.get(version_id, ())] for version_id in {*general, *own}}


def _over_all(name: str, documents: list[DocumentStanding], ending: Ending | None) -> Standing:
    reasons = [(item.decision, item.why) for item in documents if item.decision is not ALLOW]
    if ending is not None:
        reasons.append((Decision.BLOCK if ending.blocks else Decision.WARN, ending.why))
    decision, why = _worst(reasons)
    return Standing(name, decision, why, documents, ending)


def _worst(reasons: list[tuple[Decision, str]]) -> tuple[Decision, str]:
    if not reasons:
        return ALLOW, "Nothing stands in the way."
    decision = max((decision for decision, _ in reasons), key=SEVERITY.index)
    return decision, " ".join(why for found, why in reasons if found is decision)
