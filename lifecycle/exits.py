"""The rights of users to leave free of charge: after a change, and within the cooling-off period of what they accepted.

Derived from the regime of each version and the user's own facts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import ledger, regimes
from lifecycle.documents import store
from lifecycle.instants import in_utc
from lifecycle.models import Engagement, User, Version
from lifecycle.states import EngagementKind


@dataclass(frozen=True, slots=True)
class ExitRight:
    """Until when a user may leave because of a version, and by which rule."""

    document: str
    version: int
    until: datetime
    source: str

    def __str__(self) -> str:
        return f"version {self.version} of {self.document}, until {in_utc(self.until)} ({self.source})"


def exit_rights(session: Session, user: User, *, zone: ZoneInfo, now: datetime) -> list[ExitRight]:
    """The rights that are open at `now`; the one that lasts longest comes first."""
    known = [fact for fact in ledger.facts(session, user) if fact.at <= now]
    found = [
        right
        for document in store.documents(session)
        for version in store.chain(session, document.id)
        for right in _of_version(document.slug, version, known, zone)
        if now <= right.until
    ]
    return sorted(found, key=lambda right: right.until, reverse=True)


def _of_version(slug: str, version: Version, known: list[Engagement], zone: ZoneInfo) -> Iterator[ExitRight]:
    about = [fact for fact in known if fact.version_id == version.id]
    for kind, fact_kind in (("exit_right", EngagementKind.NOTIFIED), ("cooling_off", EngagementKind.ACCEPTED)):
        fact = next((fact for fact in about if fact.kind is fact_kind), None)
        right = exit_right(slug, version, kind, at=fact.at, zone=zone) if fact else None
        if right is not None:
            yield right


def exit_right(slug: str, version: Version, kind: str, *, at: datetime, zone: ZoneInfo) -> ExitRight | None:
    """The right that the version's regime gives who was told of it (`exit_right`), or accepted it (`cooling_off`)."""
    provision = regimes.regime(version.regime).provision(kind, at.astimezone(zone).date())
    if provision is None:
        return None
    assert version.effective_at is not None
    start = at if kind == "cooling_off" or provision.from_notice else max(at, version.effective_at)
    return ExitRight(slug, version.number, provision.end(start, zone), provision.source)
