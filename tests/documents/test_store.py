"""Documents and versions: kept byte for byte, never changed once published, derived at an instant."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from lifecycle.db import Database
from lifecycle.documents import store, texts
from lifecycle.documents.publishing import Publication, publish, withdraw
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Body, Document, Event, Version
from lifecycle.states import DocumentKind, Mode
from tests.conftest import NOW, migrated
from tests.helpers import ZONE, published_terms

TEXT = "# Terms\r\n\r\n## 1. Use\r\n\r\nBe nice. ☕ {{ not a template }}\0\r\n"


def terms(session: Session) -> Document:
    return store.create_document(session, "terms", title="Terms", kind=DocumentKind.TERMS, now=NOW)


def test_a_text_comes_back_byte_for_byte(database: Database) -> None:
    def keep(session: Session) -> None:
        store.draft_version(session, terms(session), {"en": TEXT}, now=NOW)

    database.run(keep)
    kept = database.read(lambda session: session.exec(select(Body)).one())
    assert kept.text.encode() == TEXT.encode()
    assert kept.sha256 == texts.sha256(TEXT)


def test_versions_are_numbered_in_the_order_they_are_drafted(sqlite: Database) -> None:
    def draft(session: Session) -> list[int]:
        document = terms(session)
        return [store.draft_version(session, document, {"en": f"Text {n}"}, now=NOW).number for n in range(3)]

    assert sqlite.run(draft) == [1, 2, 3]


def test_every_write_has_its_history_entry_in_the_same_transaction(sqlite: Database) -> None:
    def draft_and_fail(session: Session) -> None:
        store.draft_version(session, terms(session), {"en": "Text"}, now=NOW)
        raise Conflict("the caller changed its mind")

    with pytest.raises(Conflict):
        sqlite.run(draft_and_fail)
    assert sqlite.read(lambda s: s.exec(select(Event)).all()) == []
    sqlite.run(lambda s: store.draft_version(s, terms(s), {"en": "Text"}, now=NOW))
    events = sqlite.read(lambda s: s.exec(select(Event)).all())
    assert [f"{event.thing} {event.verb}" for event in events] == ["document created", "body added", "version drafted"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bodies SET locale = 'fr'",
        "UPDATE bodies SET sha256 = 'other'",
        "DELETE FROM bodies",
        "DELETE FROM sections",
        "UPDATE sections SET start = 3",
        "UPDATE versions SET mode = 'editorial'",
        "UPDATE versions SET effective_at = NULL",
        "UPDATE versions SET published_at = NULL",
        "UPDATE versions SET number = 7",
        "DELETE FROM versions",
        "UPDATE events SET actor = 'nobody'",
        "DELETE FROM events",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_published(database: Database, statement: str) -> None:
    database.run(published_terms)
    with pytest.raises(IntegrityError, match="never"):
        database.run(lambda session: session.execute(text(statement)))


def test_the_database_itself_refuses_to_change_a_published_text(database: Database) -> None:
    database.run(published_terms)
    with pytest.raises(IntegrityError, match="a published body never changes"):
        database.run(lambda session: session.execute(update(Body).values(text="Other words.")))


def test_sqlite_refuses_to_replace_a_published_body(sqlite: Database) -> None:
    sqlite.run(published_terms)
    with pytest.raises(IntegrityError, match="never replaced"):
        sqlite.run(
            lambda session: session.execute(
                text(
                    "INSERT OR REPLACE INTO bodies "
                    "SELECT id, version_id, locale, title, x'78', changelog, sha256, created_at FROM bodies"
                )
            )
        )


def test_postgresql_refuses_to_empty_a_table_of_published_things(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    database.run(published_terms)
    with pytest.raises(IntegrityError, match="never emptied"):
        database.run(lambda session: session.execute(text("TRUNCATE bodies CASCADE")))
    database.close()


def test_a_draft_may_still_change(database: Database) -> None:
    database.run(lambda s: store.draft_version(s, terms(s), {"en": "Text"}, now=NOW))
    database.run(lambda session: session.execute(text("UPDATE bodies SET title = 'Other'")))


def test_a_translation_may_come_later_but_the_first_text_stays(database: Database) -> None:
    def translate(session: Session) -> list[str]:
        document, version = published_terms(session)
        store.add_body(session, document, version, "de", "# Bedingungen\n\nSei nett.\n", actor="staff", now=NOW)
        return [body.locale for body in store.bodies(session, version)]

    assert database.run(translate) == ["de", "en"]


@pytest.mark.parametrize(
    ("wanted", "found"), [("de-AT", "de"), ("de", "de"), ("en-GB", "en"), ("fr", "en"), ("", "en")]
)
def test_a_reader_gets_the_nearest_locale(sqlite: Database, wanted: str, found: str) -> None:
    def nearest(session: Session) -> str:
        version = store.draft_version(session, terms(session), {"de": "Text", "en": "Text"}, now=NOW)
        return store.body(session, version, wanted).locale

    assert sqlite.run(nearest) == found


@pytest.mark.parametrize("slug", ["", "Terms", "a b", "-a", "a--b", "ü", "a/b", "a" + "\n"])
def test_a_bad_slug_is_refused(sqlite: Database, slug: str) -> None:
    with pytest.raises(InvalidInput, match="may hold only"):
        sqlite.run(lambda s: store.create_document(s, slug, title="T", now=NOW))


@pytest.mark.parametrize(("body", "message"), [("", "empty"), (" \n\t", "empty")])
def test_an_unusable_text_is_refused_and_nothing_is_stored(sqlite: Database, body: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sqlite.run(lambda s: store.draft_version(s, terms(s), {"en": body}, now=NOW))
    assert sqlite.read(lambda s: s.exec(select(Version)).all()) == []


def test_an_unknown_document_or_version_is_named_with_what_there_is(sqlite: Database) -> None:
    sqlite.run(published_terms)
    with pytest.raises(NotFound, match=r"no document 'term'. Known: terms"):
        sqlite.read(store.document, "term")
    with pytest.raises(NotFound, match=r"has no version 9. Known: 1"):
        sqlite.read(lambda s: store.version(s, store.document(s, "terms"), 9))


def test_a_surviving_section_must_exist(sqlite: Database) -> None:
    with pytest.raises(InvalidInput, match="no section '7'"):
        sqlite.run(lambda s: store.draft_version(s, terms(s), {"en": TEXT}, surviving=["7"], now=NOW))


INSTANTS = st.integers(0, 20).map(lambda hours: NOW + timedelta(hours=hours))


@given(
    plan=st.lists(st.tuples(INSTANTS, st.none() | INSTANTS), min_size=1, max_size=6),
    probe=INSTANTS,
)
def test_in_force_is_the_greatest_effective_instant_up_to_now_that_is_not_withdrawn(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[datetime, datetime | None]], probe: datetime
) -> None:
    database = Database(migrated(tmp_path_factory.mktemp("db") / "a.sqlite3"))

    def publish_all(session: Session) -> int | None:
        document = terms(session)
        for effective_at, withdrawn_at in plan:
            version = store.draft_version(session, document, {"en": "Text"}, now=NOW)
            publish(session, version, Publication(Mode.NOTICE, effective_at=effective_at), zone=ZONE, now=NOW)
            if withdrawn_at:
                withdraw(session, version, reason="a mistake", now=withdrawn_at)
        found = store.in_force(session, document, at=probe)
        chain = store.standing_chain(store.chain(session, document.id), probe)
        assert (chain[-1] if chain else None) is found
        return found.number if found else None

    standing = [
        (effective_at, number)
        for number, (effective_at, withdrawn_at) in enumerate(plan, start=1)
        if effective_at <= probe and (withdrawn_at is None or withdrawn_at > probe)
    ]
    assert database.run(publish_all) == (max(standing)[1] if standing else None)
    database.close()


def test_instants_come_back_aware_in_utc(database: Database) -> None:
    database.run(published_terms)
    version = database.read(lambda s: s.exec(select(Version)).one())
    assert version.published_at == NOW
    assert version.published_at.tzinfo is UTC
