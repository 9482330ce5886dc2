"""Where a user stands with one document, and why, in words for a person to read. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from lifecycle import bindings
from lifecycle.instants import in_utc
from lifecycle.models import Grace, Version
from lifecycle.states import Decision, EngagementKind, Mode
from lifecycle.timetable import Course
from lifecycle.verdicts import Fact, Verdict, instant, verdict

HOLE = b'"bound_since":null'  # cannot stand inside a JSON text: there its quotes are escaped


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


class Shown(NamedTuple):
    """What is said of a document: the same for all users of whom a verdict holds."""

    slug: str
    decision: Decision
    state: str
    why: str
    due_version: int | None = None
    due_by: datetime | None = None


Graces = Mapping[int, Sequence[Grace]]


def stand(course: Course, facts: Sequence[Fact], graces: Graces, zone: ZoneInfo, now: datetime) -> DocumentStanding:
    """Where the user stands whose facts about the document's versions these are, oldest first, none after `now`."""
    if not course.passed:
        why = f"No version of {course.slug} is in force."
        return DocumentStanding(course.slug, Decision.ALLOW, "none", why, upcoming_versions=course.upcoming)
    found = verdict(course, facts, now)
    slug, decision, state, why, due_version, due_by = _show(course, found, facts, graces, zone, now)
    return DocumentStanding(
        slug,
        decision,
        state,
        why,
        found.number,
        found.by,
        _since(found, facts),
        course.number,
        due_version,
        due_by,
        course.upcoming,
    )


def write(
    course: Course, facts: Sequence[Fact], graces: Graces, zone: ZoneInfo, now: datetime
) -> tuple[Decision, str, bytes]:
    """`stand` as JSON, with its decision and why. What is the same for many is written once."""
    found = verdict(course, facts, now) if course.passed else None
    if found is None or found.shown is None:
        standing = stand(course, facts, graces, zone, now)
        return standing.decision, standing.why, to_json(standing)
    if found.written is None:
        before, hole, after = to_json(replace(stand(course, facts, graces, zone, now), bound_since=None)).partition(
            HOLE
        )
        found.written = before + hole.removesuffix(b"null"), after
    (before, after), since = found.written, _since(found, facts)
    shown: Shown = found.shown
    return shown.decision, shown.why, before + (b"null" if since is None else to_json(since)) + after


def _since(found: Verdict, facts: Sequence[Fact]) -> datetime | None:
    if isinstance(found.since, int):
        completed, earliest = instant(facts[found.since][2]), found.earliest
        return completed if earliest is None or completed > earliest else earliest
    return found.since


def _show(
    course: Course, found: Verdict, facts: Sequence[Fact], graces: Graces, zone: ZoneInfo, now: datetime
) -> Shown:
    """What is said to the user. It is kept where all of whom the verdict holds are told the same, graces or not."""
    if found.shown is not None and (found.asked is None or not graces):
        kept: Shown = found.shown
        return kept
    if found.asked is None:
        why = f"Bound to version {course.number} of {course.slug} ({found.by})."
        found.shown = shown = Shown(course.slug, Decision.ALLOW, "bound", why)
        return shown
    told_at = None if found.told is None else instant(facts[found.told][2])
    decision, state, why, due_by = _judge(
        course.slug, found, found.asked, told_at, graces.get(found.asked.id, ()), zone, now
    )
    shown = Shown(course.slug, decision, state, why, course.number, due_by)
    if found.told is None and not graces:
        found.shown = shown
    return shown


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
        return Decision.BLOCK, state, f"{named.capitalize()} {verb}; the deadline was {in_utc(due_by)}."
    state = "declined" if declined else "must_accept"
    return Decision.WARN, state, f"{named.capitalize()} {verb} by {in_utc(due_by)}; {older}."


def _milder(
    mode: Mode, about: frozenset[EngagementKind], named: str, older: str, due_by: datetime
) -> tuple[str, str, datetime | None]:
    if EngagementKind.OBJECTED in about:
        return "objected", f"Objected to {named}; {older}.", None
    if mode is Mode.SILENCE and EngagementKind.DECLINED in about:
        return "declined", f"Declined {named}; {older}.", None
    if mode is Mode.SILENCE:
        return "may_object", f"Told of {named}; it binds unless there is an objection by {in_utc(due_by)}.", due_by
    return "told", f"Told of {named}; it binds by the next use. Until then {older}.", None
