"""What follows, for one document, from the order of a user's facts: the part of standing that no instant changes.

Most users of a service share a handful of such orders (told, accepted; told, used on), so what `bindings` makes of one
is kept and holds for all of them, with each user's own instants put in. Where instants matter too, nothing is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lifecycle import bindings
from lifecycle.models import Engagement, Version
from lifecycle.states import ANSWERS, EngagementKind
from lifecycle.timetable import Course

KEPT = 10_000  # orders of facts for each document, before all are worked out anew

# A fact as it is looked up: (version id, kind, instant as the driver gives it, id).
Fact = tuple[int, str, Any, int]


@dataclass(slots=True)
class Verdict:
    """What binds, and by what; else what is asked. Facts are named by their place among the document's.

    `shown` is for whoever words it: what is the same for all users of whom it holds.
    """

    bound: Version | None
    by: EngagementKind | None
    since: int | datetime | None
    asked: Version | None  # None when the version in force binds
    told: int | None
    said: frozenset[EngagementKind]
    shown: Any = None
    number: int | None = field(init=False)  # of the version that binds, and from when on it can have
    earliest: Any = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.bound.number if self.bound else None
        self.earliest = self.bound.effective_at if self.bound else None


def instant(value: Any) -> datetime:
    """An instant as a driver gives it, in UTC: SQLite keeps text, psycopg speaks the server's zone."""
    if isinstance(value, str):
        return datetime.fromisoformat(value + "+00:00")
    found: datetime = value
    return found.astimezone(UTC)


def verdict(course: Course, facts: Sequence[Fact], now: datetime) -> Verdict:
    """What follows from a user's facts about the document's versions, given oldest first. Equal to `derived`."""
    if facts and instant(facts[-1][2]) > now:
        return derived(course, [fact for fact in facts if instant(fact[2]) <= now], now)
    order = tuple([fact[:2] for fact in facts])
    found: Verdict | None = course.verdicts.get(order)
    if found is None:
        found = derived(course, facts, now)
        known = [engagement(fact) for fact in facts]
        since = _place_of_since(course, known, found, now)
        if (found.bound is not None and since is None) or _broke_silence(known):
            return found
        if len(course.verdicts) >= KEPT:
            course.verdicts.clear()
        found = course.verdicts[order] = replace(found, since=since)
    return found


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


def _place_of_since(course: Course, known: Sequence[Engagement], found: Verdict, now: datetime) -> int | None:
    """Which fact completed what binds; None when that, or what binds, hangs on more than the order of the facts.

    It does not when nothing was ever taken back and each fact more bound to the same version or a later one.
    """
    taken_back = EngagementKind.WITHDRAWN in {fact.kind for fact in known}
    if found.bound is None or taken_back or any(version.withdrawn_at for version in course.versions):
        return None
    steps = [bindings.derive(course.versions, known[:n], now) for n in range(len(known) + 1)]
    reached = [course.passed.index(step[0]) if step else -1 for step in steps]
    if reached != sorted(reached):
        return None
    return reached.index(reached[-1]) - 1


def _broke_silence(known: Sequence[Engagement]) -> bool:
    """Whether an answer may have come at the very instant at which silence was to bind."""
    kinds = {fact.kind for fact in known}
    return EngagementKind.DEEMED_BY_SILENCE in kinds and not kinds.isdisjoint(ANSWERS)


def engagement(fact: Fact) -> Engagement:
    version_id, kind, at, fact_id = fact
    return Engagement(id=fact_id, user_id=0, version_id=version_id, kind=EngagementKind(kind), at=instant(at), actor="")
