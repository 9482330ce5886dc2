"""Which version binds a user, and until when an answer is awaited: derived from facts. Pure: no clock, no database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lifecycle.documents import store
from lifecycle.models import Engagement, Grace, Version
from lifecycle.states import ANSWERS, BINDING_KINDS, EngagementKind, Mode, answer_deadline


@dataclass(frozen=True, slots=True)
class Bound:
    """The version that binds, since when, and the engagement that proves it.

    `proof` may be about an earlier version when an editorial change carried it over.
    """

    version: Version
    since: datetime
    proof: Engagement


def deadline(version: Version, told_at: datetime, zone: ZoneInfo, graces: Iterable[Grace] = ()) -> datetime:
    """Until when a told user may answer: the later of the version's deadline and the one from the user's notice.

    A grace puts it off. A window to object that had closed when the grace was given stays closed.
    """
    assert version.effective_at is not None
    due = answer_deadline(mode_of(version), version.effective_at, told_at, version.deadline_days, zone)
    if version.mode is Mode.SILENCE:
        graces = [grace for grace in graces if grace.decided_at < due]
    put_off = (grace.lasts_until for grace in graces)
    return max([due, *(until for until in put_off if until is not None)])


def binding(versions: Sequence[Version], facts: Iterable[Engagement], at: datetime) -> Bound | None:
    """Which of a document's versions bound a user at `at`, by that user's recorded facts alone (rule 3).

    `versions` is the document's chain. A version binds by a fact that suits the strictest mode that stands
    between it and the version bound before; an editorial version directly after the bound one carries over.
    """
    ids = {version.id for version in versions}
    known = [fact for fact in facts if fact.version_id in ids and fact.at <= at]
    found = derive(versions, known, at)
    if found is None:
        return None
    since = at
    for turn in _turns(versions, known, at):
        earlier = derive(versions, known, turn)
        if earlier is None or earlier[0] is not found[0]:
            break
        since = turn
    return Bound(found[0], since, found[1])


def _turns(versions: Sequence[Version], known: Iterable[Engagement], at: datetime) -> list[datetime]:
    """The instants up to `at` at which what binds may have changed, latest first."""
    calendar = (instant for version in versions for instant in (version.effective_at, version.withdrawn_at))
    turns = {fact.at for fact in known} | {instant for instant in calendar if instant is not None and instant <= at}
    return sorted(turns, reverse=True)


def derive(versions: Sequence[Version], facts: Iterable[Engagement], at: datetime) -> tuple[Version, Engagement] | None:
    """Which version binds at `at`, and by which fact; without since when."""
    known = [fact for fact in facts if fact.at <= at]
    current: tuple[Version, Engagement] | None = None
    strictest = Mode.EDITORIAL
    for version in store.standing_chain(versions, at):
        carried = current if strictest is Mode.EDITORIAL and version.mode is Mode.EDITORIAL else None
        strictest = max(strictest, mode_of(version), key=lambda mode: mode.strictness)
        own = _proof(version, known, BINDING_KINDS[strictest])
        proofs = [proof for proof in (own, carried and carried[1]) if proof is not None]
        if proofs:  # the older one: what bound first goes on proving it
            current, strictest = (version, min(proofs, key=_order)), Mode.EDITORIAL
    return current


def _proof(version: Version, facts: Sequence[Engagement], kinds: frozenset[EngagementKind]) -> Engagement | None:
    """The first fact of these kinds about the version that no act of the user ended."""
    about = [fact for fact in facts if fact.version_id == version.id]
    alive = (fact for fact in about if fact.kind in kinds and not any(_ends(act, fact) for act in about))
    return min(alive, key=_order, default=None)


def _order(fact: Engagement) -> tuple[datetime, int]:
    return fact.at, fact.id


def _ends(act: Engagement, fact: Engagement) -> bool:
    """A withdrawal ends what came before it; an answer in time breaks a silence, even if it became known later."""
    if fact.kind is EngagementKind.DEEMED_BY_SILENCE and act.kind in ANSWERS and act.at <= fact.at:
        return True
    return act.kind is EngagementKind.WITHDRAWN and (act.at, act.id) > (fact.at, fact.id)


def unbound(versions: Sequence[Version], bound: Bound | None, at: datetime) -> list[Version]:
    """Of a chain, what came in force after the version that binds."""
    passed = store.standing_chain(versions, at)
    return passed[passed.index(bound.version) + 1 :] if bound is not None else passed


def pending(
    versions: Sequence[Version], facts: Sequence[Engagement], version: Version, *, at: datetime
) -> list[Version]:
    """What does not bind the user from before `version` on, and `version` itself, last."""
    earlier = versions[: versions.index(version)]
    return [*unbound(earlier, binding(earlier, facts, at), at), version]


def asking(pending: Sequence[Version]) -> Version:
    """Of what does not bind yet, the version that says what it takes: the strictest, and of equals the latest."""
    return max(reversed(pending), key=lambda version: mode_of(version).strictness)


def asked_of(
    versions: Sequence[Version], facts: Sequence[Engagement], version: Version, *, at: datetime
) -> tuple[Version, Mode]:
    """Which version says what it takes to bind the user to `version`, and that.

    An earlier one that must be accepted, or was answered otherwise, can only be made good by accepting.
    """
    earlier = asking(pending(versions, facts, version, at=at))
    answered = any(fact.version_id == earlier.id and fact.kind in ANSWERS for fact in facts)
    if earlier is not version and (earlier.mode is Mode.EXPLICIT or answered):
        return earlier, Mode.EXPLICIT
    return version, mode_of(version)


def mode_of(version: Version) -> Mode:
    """How the version comes to bind; until that is decided, in the strictest way."""
    return version.mode or Mode.EXPLICIT
