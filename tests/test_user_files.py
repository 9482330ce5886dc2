"""Users from a file."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, func, select

from lifecycle import engagements, history, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.errors import InvalidInput
from lifecycle.models import Engagement, Event, User
from lifecycle.states import EngagementKind
from lifecycle.user_files import BATCH, ImportReport, import_users
from tests.conftest import NOW
from tests.helpers import ZONE, published_terms

Importer = Callable[..., ImportReport]


@pytest.fixture
def load(database: Database, tmp_path: Path) -> Importer:
    """Import a file with this content."""

    def load(content: str | bytes, name: str = "users.csv", **options: Any) -> ImportReport:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_users(database, path, zone=ZONE, **{"now": NOW, **options})

    return load


def everyone(database: Database) -> dict[str, User]:
    return {user.external_id: user for user in database.read(lambda session: session.exec(select(User)).all())}


def count(database: Database, model: Any) -> int:
    return database.read(lambda session: session.exec(select(func.count()).select_from(model)).one())


def problems(report: ImportReport) -> list[tuple[int, str]]:
    return [(problem.line, problem.value) for problem in report.problems]


HEADER = "external_id,email,locale,time_zone,discord_id"
ADA = "ada,Ada@Example.com,de-AT,Europe/Vienna,42"
ADA_JSON = (
    '{"external_id":"ada","email":"Ada@example.com","locale":"de-AT","time_zone":"Europe/Vienna","discord_id":42}'
)


def test_a_binary_file_is_refused_in_words_that_can_be_printed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_bytes(b"PK\x03\x04\xff\xfe\x80,external_id\nada,x\n")
    with pytest.raises(InvalidInput, match="is not a CSV file in UTF-8: line 1") as refused:
        import_users(database, tmp_path / "users.csv", zone=ZONE, now=NOW)
    assert str(refused.value).encode("utf-8")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users.csv", f"{HEADER}\n{ADA}\nbob,,,,\n"),
        ("users.csv", f"\ufeff{HEADER}\r\n{ADA}\r\nbob,,,,".replace(",", ";")),
        ("users.csv", f'{HEADER}\n"ada"{ADA.removeprefix("ada")}\n\nbob,,,,\n'.replace(",", "\t")),
        ("users.ndjson", ADA_JSON + '\n\n{"external_id":"bob","email":null}\n'),
        ("users.jsonl", ADA_JSON.replace("42", '"42"') + '\r\n{"external_id":"bob"}'),
    ],
)
def test_csv_and_ndjson_say_the_same(name: str, content: str, load: Importer, database: Database):
    report = load(content, name)
    assert (report.added, report.known, report.problems) == (2, 0, [])
    ada = everyone(database)["ada"]
    assert (ada.email, ada.locale, ada.time_zone, ada.discord_id) == ("Ada@example.com", "de-AT", "Europe/Vienna", "42")
    assert everyone(database)["bob"].email == ""


def test_a_second_import_adds_nothing_and_writes_no_history(load: Importer, database: Database):
    content = "external_id,email\nada,ada@example.com\n"
    load(content)
    before = count(database, Event)
    report = load(content, now=NOW + timedelta(days=1))
    assert (report.added, report.known) == (0, 1)
    assert count(database, Event) == before


def test_an_empty_cell_leaves_what_is_known_and_an_empty_text_in_json_clears_it(load: Importer, database: Database):
    load("external_id,email,locale\nada,ada@example.com,de\n")
    load("external_id,email,locale\nada,,fr\n")
    assert (everyone(database)["ada"].email, everyone(database)["ada"].locale) == ("ada@example.com", "fr")
    load('{"external_id": "ada", "email": "", "locale": null}', "users.ndjson")
    assert (everyone(database)["ada"].email, everyone(database)["ada"].locale) == ("", "fr")


def test_the_same_user_twice_in_a_file_is_added_once_and_the_later_line_counts(load: Importer, database: Database):
    report = load("external_id,email\nada,a@example.com\nada,b@example.com\n")
    assert (report.added, report.known) == (1, 1)
    assert everyone(database)["ada"].email == "b@example.com"


@pytest.mark.parametrize(
    ("line", "value", "why"),
    [
        ("x,no address,,,", "x", "is not valid"),
        ("x,,klingon!,,", "x", "Locale 'klingon!' is not known"),
        ("x,,,Mars/Olympus,", "x", "Time zone 'Mars/Olympus'"),
        ("x,,,,not-a-number", "x", "Discord id 'not-a-number'"),
        (",x@example.com,,,", ",x@example.com,,,", "External id"),
        ("x,y", "x,y", "has 2 cells, the header 5"),
        ('"x,,,,', '"x,,,,', "not CSV"),
        ("x" * 201 + ",,,,", "x" * 40, "1 to 200 characters"),
        ("x\0,,,,", "x\0", "printable"),
        ("y" * 100_001, "y" * 40, "has 100001 characters"),
    ],
)
def test_a_bad_line_of_csv_is_named_and_loses_nothing_else(
    line: str, value: str, why: str, load: Importer, database: Database
):
    report = load(f"external_id,email,locale,time_zone,discord_id\nada,,,,\n{line}\nbob,,,,\n")
    assert problems(report) == [(3, value)]
    assert why in report.problems[0].problem
    assert set(everyone(database)) == {"ada", "bob"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("[" * 50_000, "not a JSON object"),
        ('{"email": "x@example.com"}', "External id"),
        ('{"external_id": "x", "mood": "good"}', "Unknown key 'mood'"),
        ('{"external_id": true}', "must be a text"),
        ('{"external_id": "x", "email": ["x@example.com"]}', "must be a text"),
        ('{"external_id": "x\\u0000"}', "printable"),
        ('{"external_id": "x", "email": "x@example.com\\r\\nBcc: y@example.com"}', "is not valid"),
        ('{"external_id": "\\ud800"}', "printable"),
    ],
)
def test_a_bad_line_of_json_is_named_and_loses_nothing_else(line: str, why: str, load: Importer, database: Database):
    report = load('{"external_id": "ada"}\n' + line + '\n{"external_id": "bob"}\n', "users.ndjson")
    assert [problem.line for problem in report.problems] == [2]
    assert why in report.problems[0].problem
    assert set(everyone(database)) == {"ada", "bob"}


def test_a_line_that_is_not_utf8_spoils_itself_alone(load: Importer, database: Database):
    report = load(b"external_id\nada\nb\xf6b\ncy\n")
    assert problems(report) == [(3, "b?b")]
    assert "not UTF-8" in report.problems[0].problem
    assert set(everyone(database)) == {"ada", "cy"}


def test_a_discord_account_belongs_to_one_user(load: Importer, database: Database):
    report = load("external_id,discord_id\nada,42\nbob,42\ncy,43\n")
    assert problems(report) == [(3, "bob")]
    assert "is linked to user 'ada' already" in report.problems[0].problem
    assert set(everyone(database)) == {"ada", "cy"}


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("users.xlsx", "x", "must end in .csv, .ndjson or .jsonl"),
        ("users.csv", "", "is empty"),
        ("users.csv", "external_id,name\n", "unknown column 'name'"),
        ("users.csv", "email\n", "must name the column external_id"),
        ("users.csv", "external_id,external_id\n", "each column once"),
    ],
)
def test_a_file_that_makes_no_sense_as_a_whole_is_refused(
    name: str, content: str, why: str, load: Importer, database: Database
):
    with pytest.raises(InvalidInput, match=why):
        load(content, name)
    assert everyone(database) == {}


def test_a_file_that_is_not_there_is_named(sqlite: Database, tmp_path: Path):
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        import_users(sqlite, tmp_path / "none.csv", zone=ZONE, now=NOW)


def test_many_lines_go_in_by_batches_and_the_bad_ones_are_reported_in_order(load: Importer, database: Database):
    lines = [
        json.dumps({"external_id": f"u{n}", "email": "bad" if n % 100 == 7 else f"u{n}@example.com"})
        for n in range(1200)
    ]
    steps: list[Any] = []

    def progress(batches: Any) -> Any:
        for batch in batches:
            yield batch
            steps.append(batch)

    report = load("\n".join(lines), "users.ndjson", progress=progress)
    assert [problem.line for problem in report.problems] == [n + 1 for n in range(1200) if n % 100 == 7]
    assert report.added == len(everyone(database)) == 1200 - 12
    assert len(steps) == -(-1200 // BATCH)


# -- what bound them elsewhere --------------------------------------------------------------------------------------


@pytest.fixture
def terms(database: Database) -> None:
    database.run(published_terms)


@pytest.mark.usefixtures("terms")
def test_a_binding_is_taken_over_at_its_instant_and_labelled_as_imported(load: Importer, database: Database):
    report = load("external_id,bound,bound_at\nada,terms@1,2024-05-01T12:00\n")
    assert (report.added, report.bound) == (1, 1)

    def look(session: Session) -> None:
        bound = engagements.bound(session, users.user(session, "ada"), store.document(session, "terms"), at=NOW)
        assert bound is not None
        assert bound.proof.kind is EngagementKind.IMPORTED
        assert bound.proof.at.isoformat() == "2024-05-01T10:00:00+00:00"  # noon in Berlin
        assert history.verify(session) == []

    database.read(look)


@pytest.mark.usefixtures("terms")
def test_a_binding_taken_over_twice_is_one_fact(load: Importer, database: Database):
    for _ in range(2):
        load("external_id,bound,bound_at\nada,terms@1,2024-05-01\n")
    assert count(database, Engagement) == 1


@pytest.mark.usefixtures("terms")
@pytest.mark.parametrize(
    ("bound", "at", "why"),
    [
        ("terms", "2024-05-01", "is not a document and version such as 'terms@2'"),
        ("terms@x", "2024-05-01", "is not a document and version"),
        ("terms@9", "2024-05-01", "has no version 9"),
        ("nope@1", "2024-05-01", "no document 'nope'"),
        ("terms@1", "", "bound needs bound_at"),
        ("terms@1", "yesterday", "is not an instant"),
        ("terms@1", "2099-01-01", "lies in the future"),
        ("terms@1 terms@9", "2024-05-01", "has no version 9"),
    ],
)
def test_a_line_with_a_bad_binding_leaves_not_even_its_user(
    bound: str, at: str, why: str, load: Importer, database: Database
):
    report = load(f"external_id,bound,bound_at\nada,{bound},{at}\nbob,,\n")
    assert problems(report) == [(2, "ada")]
    assert why in report.problems[0].problem
    assert set(everyone(database)) == {"bob"}
    assert count(database, Engagement) == 0
