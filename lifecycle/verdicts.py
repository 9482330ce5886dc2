"""What follows, for one document, from the order of a user's facts: the part of standing that no instant changes.

Most users of a service share a handful of such orders (told, accepted; told, used on), so what `bindings` makes of one
is kept and holds for all of them, with each user's own instants put in. Where instants matter too, their order does:
before or after which turns of the document's calendar each fact came.
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lifecycle import bindings
from lifecycle.models import Engagement, Version
from lifecycle.states import ANSWERS, EngagementKind
from lifecycle.timetable import Course

KEPT = 10_000  # orders of facts for each document, before all are worked out anew

# A fact as it is looked up: (version id, kind, instant as the driver gives it, id), and more that matters not here.
Fact = tuple[Any, ...]


@dataclass(slots=True)
class Verdict:
    """What binds, and by what; else what is asked. Facts are named by their place among the document's.

    `shown` and `written` are for whoever words it: what is the same for all users of whom it holds. It `holds` not
    where instants matter beside the order of facts.
    """

    bound: Version | None
    by: EngagementKind | None
    since: int | datetime | None
    asked: Version | None  # None when the version in force binds
    told: int | None
    said: frozenset[EngagementKind]
    shown: Any = None
    written: Any = None
    holds: bool = True
    number: int | None = field(init=False)  # of the version that binds, and from when on it can have
    earliest: datetime | None = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.bound.number if self.bound else None
        self.earliest = self.bound.effective_at if self.bound else None


def instant(value: Any) -> datetime:
    """An instant in UTC, as a look-up gives it: text, on SQLite without a zone; or as psycopg gives it to a session."""
    if isinstance(value, str):
        return datetime.fromisoformat(value if "+" in value else value + "+00:00")
    found: datetime = value
    return found.astimezone(UTC)


def verdict(course: Course, facts: Sequence[Fact], now: datetime) -> Verdict:
    """What follows from a user's facts about the document's versions, oldest first, none after `now`; as `derived`."""
    order = tuple([fact[:2] for fact in facts])
    found: Verdict | None = course.verdicts.get(order)
    if found is None:
        found = _keep(course, order, _of_order(course, facts, now))
    return found if found.holds else _of_places(course, order, facts, now)


def derived(course: Course, facts: Sequence[Fact], now: datetime) -> Verdict:
    """The verdict as `bindings` derives it, for these facts alone."""
    known = [engagement(fact) for fact in facts]
    bound = bindings.binding(course.versions, known, now)
    version, by, since = (bound.version, bound.proof.kind, bound.since) if bound else (None, None, None)
    if version is course.passed[-1]:
        return Verdict(version, by, since, None, None, frozenset())
    asked = bindings.asking(bindings.unbound(course.passed, bound, now))
    about = [(n, fact.kind) for n, fact in enumerate(known) if fact.version_id == asked.id]
    told = next((n for n, kind in about if kind is EngagementKind.NOTIFIED), None)
    return Verdict(version, by, since, asked, told, frozenset(kind for _, kind in about))


def _of_order(course: Course, facts: Sequence[Fact], now: datetime) -> Verdict:
    """The verdict on every user with facts in this order, unless instants matter too: then it does not hold.

    They do not where nothing was ever taken back and no silence could be broken at its very instant: then each fact
    more binds to the same version or a later one, and the user is bound since the fact that completed the last step.
    """
    found, known = derived(course, facts, now), [engagement(fact) for fact in facts]
    if any(version.withdrawn_at for version in course.versions) or _took_back({fact.kind for fact in known}):
        return replace(found, holds=False)
    if found.bound is None:
        return found
    bound = (bindings.derive(course.versions, known[:n], now) for n in range(len(known) + 1))
    completed = next(n for n, step in enumerate(bound) if step is not None and step[0] is found.bound)
    return replace(found, since=completed - 1)


def _took_back(kinds: set[EngagementKind]) -> bool:
    return EngagementKind.WITHDRAWN in kinds or (
        EngagementKind.DEEMED_BY_SILENCE in kinds and not kinds.isdisjoint(ANSWERS)
    )


def _of_places(course: Course, order: tuple[Any, ...], facts: Sequence[Fact], now: datetime) -> Verdict:
    """The verdict on every user whose facts came in this order and each between the same turns of the calendar.

    Of who did two things at one instant, or one at a turn, nothing is kept.
    """
    instants = [instant(fact[2]) for fact in facts]
    if len({*instants, *course.turns}) < len(instants) + len(course.turns):
        return derived(course, facts, now)
    key = order, tuple([bisect(course.turns, at) for at in instants])
    found: Verdict | None = course.verdicts.get(key)
    if found is None:
        found = derived(course, facts, now)
        place = next((n for n, at in enumerate(instants) if at == found.since), found.since)
        found = _keep(course, key, replace(found, since=place))
    return found


def _keep(course: Course, key: tuple[Any, ...], found: Verdict) -> Verdict:
    if len(course.verdicts) >= KEPT:
        course.verdicts.clear()
    course.verdicts[key] = found
    return found


def engagement(fact: Fact) -> Engagement:
    version_id, kind, at, fact_id = fact[:4]
    return Engagement(id=fact_id, user_id=0, version_id=version_id, kind=EngagementKind(kind), at=instant(at), actor="")
