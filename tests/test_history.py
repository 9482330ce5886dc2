"""The history: one canonical entry for each write; whoever tampers with it is found out."""

import json

import pytest
from sqlalchemy import text
from sqlmodel import select

from lifecycle import history
from lifecycle.db import Database
from lifecycle.models import Event
from tests.conftest import NOW
from tests.helpers import published_terms


def test_an_entry_has_one_canonical_form(sqlite: Database) -> None:
    event = sqlite.run(lambda s: history.record(s, "staff", "did", "thing", 7, now=NOW, b=2, a=NOW, ä="ö"))
    assert event.entry == (
        '{"actor":"staff","at":"2026-03-02T09:00:00+00:00","facts":{"a":"2026-03-02T09:00:00+00:00","b":2,"ä":"ö"},'
        '"id":7,"thing":"thing","verb":"did"}'
    )


def test_an_untouched_history_verifies(database: Database) -> None:
    database.run(published_terms)
    assert database.read(history.verify) == []


def unfreeze(database: Database, statement: str) -> None:
    """What someone with the database file in hand could do."""

    def tamper(session):
        for name in session.exec(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            session.exec(text(f"DROP TRIGGER {name}"))
        session.exec(text(statement))

    database.run(tamper)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE events SET entry = replace(entry, 'staff', 'clerk') WHERE id = 1", "not the one that was hashed"),
        ("UPDATE events SET actor = 'clerk' WHERE id = 1", "the columns actor differ"),
        ("UPDATE events SET at = '2020-01-01 00:00:00.000000' WHERE id = 1", "the columns at differ"),
        ("UPDATE bodies SET text = x'78'", "the text is not the one that was hashed"),
    ],
)
def test_a_changed_record_is_found_out(sqlite: Database, statement: str, problem: str) -> None:
    sqlite.run(published_terms)
    unfreeze(sqlite, statement)
    [found] = sqlite.read(history.verify)
    assert problem in found


def test_a_rehashed_entry_that_is_not_canonical_is_found_out(sqlite: Database) -> None:
    sqlite.run(published_terms)
    event = sqlite.read(lambda s: s.exec(select(Event)).all())[0]
    loose = json.dumps(json.loads(event.entry), indent=1)
    unfreeze(sqlite, f"UPDATE events SET entry = '{loose}', sha256 = '{history._digest(loose)}' WHERE id = {event.id}")
    assert "not in canonical form" in sqlite.read(history.verify)[0]
