"""Small worlds that many tests begin with."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import engagements, ledger, users
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.models import Document, Engagement, User, Version
from lifecycle.states import Channel, DocumentKind, EngagementKind, Mode
from tests.conftest import NOW as NOW

ZONE = ZoneInfo("Europe/Berlin")
DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
TERMS = "# Terms\n\n## 1. Use\n\nBe nice.\n\n## 2. Liability\n\nThis survives termination.\n"


def published_terms(session: Session, *, mode: Mode = Mode.EXPLICIT, text: str = TERMS) -> tuple[Document, Version]:
    """A document `terms` whose version 1 is in force since NOW; nobody was told."""
    document = store.create_document(session, "terms", title="Terms", kind=DocumentKind.TERMS, now=NOW)
    version = store.draft_version(session, document, {"en": text}, surviving=["2"] if text is TERMS else [], now=NOW)
    publish(session, version, Publication(mode, notify=False), zone=ZONE, now=NOW)
    return document, version


def add_user(session: Session, /, name: str = "ada", **facts: str) -> User:
    """A user with an e-mail address."""
    return users.upsert(session, name, **{"email": f"{name}@example.com", **facts}, now=NOW)


def engage(session, user, version, kind, *, at=None, now=NOW, **facts) -> Engagement:
    return engagements.engage(session, user, version, kind, at=at, zone=ZONE, now=max(now, at or now), **facts)


def next_version(session, mode, *, texts=None, deadline_days=0, effective_at=None, now=NOW) -> Version:
    """The next version of `terms`."""
    document = store.document(session, "terms")
    version = store.draft_version(session, document, texts or {"en": f"# Terms\n\n{mode.value}.\n"}, now=now)
    publication = Publication(mode, effective_at=effective_at, deadline_days=deadline_days, notify=False)
    return publish(session, version, publication, zone=ZONE, now=now)


def tell(session, user, version, *, at=NOW):
    """The user's notice of the version is proven sent at `at`."""
    engagements.tell(session, user, version, notice_id=None, channel=Channel.EMAIL, sent_at=at, now=at)  # type: ignore[arg-type]
    return ledger.notified(session, user, version)


def settles(holds: Callable[[], bool], *, seconds: float = 10) -> bool:
    """Whether it comes to hold within that time."""
    until = monotonic() + seconds
    while not holds() and monotonic() < until:
        sleep(0.001)
    return holds()


def bound_by(session, user, *, at=NOW) -> tuple[int, EngagementKind] | None:
    found = engagements.bound(session, user, store.document(session, "terms"), at=at)
    return (found.version.number, found.proof.kind) if found else None
