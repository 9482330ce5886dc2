"""Small worlds that many tests begin with."""

from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle import users
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.models import Document, User, Version
from lifecycle.states import DocumentKind, Mode
from tests.conftest import NOW

ZONE = ZoneInfo("Europe/Berlin")
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
