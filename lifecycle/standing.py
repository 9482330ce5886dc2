"""What a user may do now, per document, and why. Derived; nothing here writes."""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from lifecycle import bindings, ledger
from lifecycle.documents import store
from lifecycle.models import Document, Engagement, Termination, User, Version
from lifecycle.states import Decision, EngagementKind, Mode

SEVERITY = [Decision.ALLOW, Decision.WARN, Decision.BLOCK]


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
    upcoming_versions: list[int] = field(default_factory=list)


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


def standing(session: Session, user: User, *, zone: ZoneInfo, now: datetime) -> Standing:
    """What the user may do now. Nobody is blocked whose notice is not proven sent (rule 4)."""
    known = ledger.facts(session, user)
    documents = [_for_document(session, document, known, zone, now) for document in store.documents(session)]
    ending = _ending(session, user, now)
    reasons = [(item.decision, item.why) for item in documents]
    if ending is not None:
        reasons.append((Decision.BLOCK if ending.in_effect else Decision.WARN, _ending_why(ending)))
    decision = max((decision for decision, _ in reasons), key=SEVERITY.index, default=Decision.ALLOW)
    why = " ".join(why for found, why in reasons if found is decision and decision is not Decision.ALLOW)
    return Standing(user.external_id, decision, why or "Nothing stands in the way.", documents, ending)


def open_termination(session: Session, user: User) -> Termination | None:
    """The user's termination that was neither rescinded nor followed by reinstatement."""
    open_ones = select(Termination).where(
        Termination.user_id == user.id,
        col(Termination.rescinded_at).is_(None),
        col(Termination.reinstated_at).is_(None),
    )
    return session.exec(open_ones).first()


def _ending(session: Session, user: User, now: datetime) -> Ending | None:
    found = open_termination(session, user)
    if found is None:
        return None
    in_effect = found.takes_effect_at is not None and found.takes_effect_at <= now
    return Ending(found.id, found.initiated_by.value, in_effect, found.takes_effect_at, found.reason)


def _ending_why(ending: Ending) -> str:
    if ending.in_effect:
        return f"Access ended at {ending.takes_effect_at:%Y-%m-%d %H:%M} UTC: {ending.reason}"
    if ending.takes_effect_at is None:
        return "A termination is decided; it waits for the proof that its notice was sent."
    return f"Access will end at {ending.takes_effect_at:%Y-%m-%d %H:%M} UTC: {ending.reason}"


def _for_document(
    session: Session, document: Document, known: list[Engagement], zone: ZoneInfo, now: datetime
) -> DocumentStanding:
    versions = store.chain(session, document.id)
    passed = store.standing_chain(versions, now)
    upcoming = [version.number for version in store.upcoming(versions, now)]
    if not passed:
        why = f"No version of {document.slug} is in force."
        return DocumentStanding(document.slug, Decision.ALLOW, "none", why, upcoming_versions=upcoming)
    due, bound = passed[-1], bindings.binding(versions, known, now)
    decision, state, why, due_by = _judge(document, passed, bound, known, zone, now)
    return DocumentStanding(
        slug=document.slug,
        decision=decision,
        state=state,
        why=why,
        bound_version=bound.version.number if bound else None,
        bound_by=bound.proof.kind if bound else None,
        bound_since=bound.since if bound else None,
        in_force_version=due.number,
        due_version=None if state == "bound" else due.number,
        due_by=due_by,
        upcoming_versions=upcoming,
    )


def _judge(
    document: Document,
    passed: list[Version],
    bound: bindings.Bound | None,
    known: list[Engagement],
    zone: ZoneInfo,
    now: datetime,
) -> tuple[Decision, str, str, datetime | None]:
    due = passed[-1]
    if bound is not None and bound.version.id == due.id:
        return (
            Decision.ALLOW,
            "bound",
            f"Bound to version {due.number} of {document.slug} ({bound.proof.kind.value}).",
            None,
        )
    unbound = bindings.unbound(passed, bound, now)
    asked = bindings.asking(unbound)
    mode = bindings.mode_of(asked)
    about = {fact.kind: fact for fact in known if fact.version_id == asked.id}
    named = f"version {asked.number} of {document.slug}"
    older = f"version {bound.version.number} still binds" if bound else "nothing binds yet"
    told = about.get(EngagementKind.NOTIFIED)
    if told is None:
        why = f"Not told of {named} yet, so no deadline runs; {older}."
        return Decision.WARN if mode is Mode.EXPLICIT else Decision.ALLOW, "not_told", why, None
    due_by = bindings.deadline(asked, told.at, zone)
    if mode is not Mode.EXPLICIT:
        return Decision.ALLOW, *_milder(mode, set(about), named, older, due_by)
    return *_asked(EngagementKind.DECLINED in about, named, older, due_by, now), due_by


def _asked(declined: bool, named: str, older: str, due_by: datetime, now: datetime) -> tuple[Decision, str, str]:
    verb = "was declined; it may still be accepted" if declined else "must be accepted"
    if due_by <= now:
        state = "declined" if declined else "overdue"
        return Decision.BLOCK, state, f"{named.capitalize()} {verb}; the deadline was {_day(due_by)}."
    state = "declined" if declined else "must_accept"
    return Decision.WARN, state, f"{named.capitalize()} {verb} by {_day(due_by)}; {older}."


def _milder(
    mode: Mode, about: set[EngagementKind], named: str, older: str, due_by: datetime
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
