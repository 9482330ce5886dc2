"""Which texts are read, and that they are made ready once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session

from lifecycle import engagements
from lifecycle.answers import sources
from lifecycle.answers.answering import answer
from lifecycle.answers.asking import warm_up
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import ZONE, add_user, published_terms

TEXT = "# Terms\n\n## 1. Fees\n\nThe monthly fee is 10 euro.\n"
ASKED = "How much is the monthly fee?"
SETTINGS = Settings()


def another(session: Session, fee: int, *, days: int = 0) -> None:
    document = store.document(session, "terms")
    version = store.draft_version(session, document, {"en": TEXT.replace("10", str(fee))}, now=NOW)
    at = NOW + timedelta(days=days)
    publish(session, version, Publication(Mode.EXPLICIT, effective_at=at, notify=False), zone=ZONE, now=NOW)


@pytest.fixture
def terms(sqlite: Database) -> Database:
    sqlite.run(published_terms, text=TEXT)
    return sqlite


def said(session: Session, *, now=NOW, user=None):
    return answer(session, ASKED, settings=SETTINGS, locale="en", user=user, now=now)


def test_a_text_is_made_ready_once_and_anew_when_a_version_comes_in_force(terms: Database):
    sources._read.cache_clear()
    for _ in range(3):
        terms.read(said)
    assert sources._read.cache_info().misses == 1
    terms.run(another, 20, days=1)
    assert "10 euro" in terms.read(said).quotes[0].text
    assert "20 euro" in terms.read(said, now=NOW + timedelta(days=2)).quotes[0].text
    assert sources._read.cache_info().misses == 2


def test_a_version_to_come_is_noted(terms: Database):
    terms.run(another, 20, days=9)
    found = terms.read(said)
    assert found.notes == ["Terms: version 2 comes in force on " + f"{NOW + timedelta(days=9):%Y-%m-%d}."]


def test_who_is_bound_by_an_older_version_is_answered_from_it_and_told(terms: Database):
    def accept(session: Session):
        user = add_user(session)
        version = store.version(session, store.document(session, "terms"), 1)
        engagements.engage(session, user, version, EngagementKind.ACCEPTED, zone=ZONE, now=NOW)
        return user

    user = terms.run(accept)
    terms.run(another, 20)
    found = terms.read(said, user=user)
    assert "10 euro" in found.quotes[0].text
    assert found.notes == ["Terms: version 1 binds you; for others version 2 is in force."]
    assert terms.read(said).notes == []


async def test_texts_in_force_can_be_made_ready_before_anyone_asks(terms: Database):
    sources._read.cache_clear()
    assert await warm_up(terms, settings=SETTINGS, now=NOW) == 1
    terms.read(said)
    assert sources._read.cache_info().misses == 1
