"""Import: a folder of texts comes in whole, twice is once, and a bad file spoils nothing but itself."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, select

from lifecycle.db import Database
from lifecycle.documents import store, texts
from lifecycle.documents.importing import ImportReport, import_path
from lifecycle.documents.source_files import read_source, split_front_matter
from lifecycle.errors import InvalidInput
from lifecycle.models import Body, Document, Engagement, Notice, SectionRow, Version
from lifecycle.states import DocumentKind, Mode
from tests.conftest import NOW, SHARED, needs_corpus
from tests.helpers import ZONE

FRONT = """---
document: terms
title: Terms of Use
kind: terms
version: 1
published: 2025-01-15
effective: 2025-02-01
mode: explicit
changelog: [First words.]
survives: ["2"]
---
"""
TEXT = "# Terms\n\n## 1. Use\n\nBe nice.\n\n## 2. Liability\n\nNone.\n"


def run(database: Database, folder: Path, **options: object) -> ImportReport:
    return import_path(database, folder, zone=ZONE, now=NOW, **options)  # type: ignore[arg-type]


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def all_of(database: Database, model: type[Any]) -> list[Any]:
    return list(database.read(lambda session: session.exec(select(model)).all()))


def test_front_matter_says_what_a_text_is_and_is_no_part_of_it(sqlite: Database, tmp_path: Path) -> None:
    report = run(sqlite, write(tmp_path / "in", {"anything.md": FRONT + TEXT}))
    assert (report.added, report.problems) == (["anything.md"], [])
    [document], [version], [body] = (all_of(sqlite, model) for model in (Document, Version, Body))
    assert (document.slug, document.title, document.kind) == ("terms", "Terms of Use", DocumentKind.TERMS)
    assert (version.number, version.mode, body.changelog) == (1, Mode.EXPLICIT, "First words.")
    assert version.published_at == datetime(2025, 1, 15, tzinfo=ZONE)
    assert version.effective_at == datetime(2025, 2, 1, tzinfo=ZONE)
    assert body.text == TEXT
    assert [row.number for row in all_of(sqlite, SectionRow) if row.survives] == ["2"]


def test_imported_history_tells_nobody_and_binds_nobody(sqlite: Database, tmp_path: Path) -> None:
    run(sqlite, write(tmp_path / "in", {"terms/2025-01-15.md": TEXT}))
    [version] = all_of(sqlite, Version)
    assert version.imported
    assert all_of(sqlite, Notice) == all_of(sqlite, Engagement) == []


def test_a_text_that_lost_most_of_its_words_is_reported_unless_confirmed(sqlite: Database, tmp_path: Path) -> None:
    long = "# Terms\n\n" + " ".join(f"word{n}" for n in range(100))
    folder = write(tmp_path / "in", {"t/2025-01-01.md": long, "t/2025-02-01.md": "Not found.", "t/2025-03-01.md": long})
    report = run(sqlite, folder)
    assert report.added == ["t/2025-01-01.md", "t/2025-03-01.md"]
    [(name, why)] = report.problems
    assert (name, "--allow-loss" in why) == ("t/2025-02-01.md", True)
    assert run(sqlite, folder, allow_loss=True).added == ["t/2025-02-01.md"]


def test_a_draft_whose_text_carries_a_date_is_offered_it(sqlite: Database, tmp_path: Path) -> None:
    report = run(sqlite, write(tmp_path, {"terms.md": "# Terms\n\nLast updated: 5 March 2024\n\nBe kind.\n"}))
    [(name, warning)] = report.warnings
    assert name == "terms.md"
    assert "`published: 2024-03-05`" in warning
    assert all_of(sqlite, Version)[0].published_at is None
    assert run(sqlite, tmp_path).warnings == []  # told once, when it comes in


def test_the_date_of_the_text_is_taken_when_asked_for_and_a_draft_of_it_becomes_that_version(
    sqlite: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path, {"terms.md": "# Terms\n\nLast updated: 5 March 2024\n\nBe kind.\n", "new.md": "# New\n"})
    run(sqlite, folder)
    report = run(sqlite, folder, text_dates=True)
    assert (report.added, report.unchanged, report.warnings) == (["terms.md"], ["new.md"], [])
    versions = {version.published_at for version in all_of(sqlite, Version)}
    assert versions == {None, datetime(2024, 3, 5, tzinfo=ZONE)}
    assert run(sqlite, folder, text_dates=True).added == run(sqlite, folder).added == []


def test_a_date_of_the_text_that_lies_ahead_leaves_it_a_draft(sqlite: Database, tmp_path: Path) -> None:
    folder = write(tmp_path, {"terms.md": "# Terms\n\nEffective: 5 March 2090\n\nBe kind.\n"})
    assert run(sqlite, folder, text_dates=True).added == ["terms.md"]
    assert all_of(sqlite, Version)[0].published_at is None


def test_a_date_in_the_text_that_is_not_the_files_is_warned_of(sqlite: Database, tmp_path: Path) -> None:
    text = "# Terms\n\nLast updated: 5 March 2024\n\nBe kind.\n"
    report = run(sqlite, write(tmp_path, {"terms/2024-03-05.md": text, "terms/2024-06-01.md": text + "And fair.\n"}))
    [(name, warning)] = report.warnings
    assert name == "terms/2024-06-01.md"
    assert "2024-03-05" in warning
    assert "2024-06-01" in warning
    assert len(report.added) == 2


def test_names_say_document_day_and_locale(sqlite: Database, tmp_path: Path) -> None:
    names = ["acme/terms/2025-01-15.md", "acme/terms/2025-01-15.de.md", "acme/terms/2026-01-15.md", "privacy.md"]
    report = run(sqlite, write(tmp_path / "in", {name: f"# {name}\n\nText.\n" for name in names}))
    assert sorted(report.added) == sorted(names)
    versions = {v.id: v for v in all_of(sqlite, Version)}
    slugs = {d.id: d.slug for d in all_of(sqlite, Document)}
    found = {
        (slugs[versions[b.version_id].document_id], versions[b.version_id].number, b.locale): b.title
        for b in all_of(sqlite, Body)
    }
    assert found == {
        ("acme-terms", 1, "en"): "acme/terms/2025-01-15.md",
        ("acme-terms", 1, "de"): "acme/terms/2025-01-15.de.md",
        ("acme-terms", 2, "en"): "acme/terms/2026-01-15.md",
        ("privacy", 1, "en"): "privacy.md",
    }


def test_a_second_import_adds_nothing(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"terms/2025-01-15.md": TEXT, "draft.md": "Draft.", "numbered/1.en.md": "One."})
    assert len(run(database, folder).added) == 3
    again = run(database, folder)
    assert (again.added, len(again.unchanged), again.problems) == ([], 3, [])


def test_a_translation_that_comes_later_joins_its_version(sqlite: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"terms/2025-01-15.md": TEXT})
    run(sqlite, folder)
    write(folder, {"terms/2025-01-15.de.md": "# Bedingungen\n\nSei nett.\n"})
    report = run(sqlite, folder)
    assert (report.added, report.unchanged) == (["terms/2025-01-15.de.md"], ["terms/2025-01-15.md"])
    assert len(all_of(sqlite, Version)) == 1


def test_another_text_for_a_stored_version_is_refused(sqlite: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"terms/2025-01-15.md": TEXT})
    run(sqlite, folder)
    write(folder, {"terms/2025-01-15.md": TEXT + "And more.\n"})
    [(name, why)] = run(sqlite, folder).problems
    assert name == "terms/2025-01-15.md"
    assert "has another text already; a stored version never changes" in why
    assert all_of(sqlite, Body)[0].text == TEXT


BAD = {
    "latin.md": (b"Caf\xe9", "is not UTF-8: byte 0xe9 at offset 3"),
    "empty.md": (b" \n", "The text is empty"),
    "mode.md": (b"---\nmode: maybe\n---\nText.", "mode 'maybe' is not one of: editorial"),
    "date.md": (b"---\npublished: soon\n---\nText.", "published 'soon' is not a date"),
    "future.md": (b"---\npublished: 2999-01-01\n---\nText.", "lies in the future"),
    "key.md": (b"---\nmode: notice\nflavour: sweet\n---\nText.", "unknown key 'flavour'"),
    "yaml.md": (b"---\nmode: [\n---\nText.", "the front matter is not YAML"),
    "bomb.md": (b"---\nversion: &a [x, x]\nsurvives: [*a, *a]\n---\nText.", "refers to itself by an alias"),
    "deep.md": (b"---\nversion: " + b"[" * 5000 + b"]" * 5000 + b"\n---\nText.", "is nested too deep"),
    "number.md": (b"---\nversion: -1\n---\nText.", "is not a whole number"),
    "slug.md": (b"---\ndocument: No Slug\n---\nText.", "may hold only a-z"),
    "survives.md": (b"---\nsurvives: ['9']\n---\n# T\n\nText.", "no section '9'"),
}


def test_a_bad_file_is_reported_and_the_rest_goes_on(sqlite: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {name: content for name, (content, _) in BAD.items()} | {"good.md": TEXT})
    report = run(sqlite, folder)
    assert report.added == ["good.md"]
    assert [d.slug for d in all_of(sqlite, Document)] == ["good"]
    reasons = dict(report.problems)
    assert set(reasons) == set(BAD)
    for name, (_, message) in BAD.items():
        assert message in reasons[name]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_path_without_texts_is_refused(sqlite: Database, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"nothing at|no text"):
        run(sqlite, tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA rule above.\n",
        "---\nno: yes\n---\nText\n",
        "---\ntitle: T\nlayout: page\n---\nText\n",
        "---\n- a\n---\n",
        "--- \nx",
    ],
)
def test_a_rule_or_another_tools_front_matter_stays_part_of_the_text(text: str) -> None:
    assert split_front_matter(text, name="x") == ({}, text)


@needs_corpus
def test_every_real_policy_comes_in_and_comes_back_byte_for_byte(sqlite: Database) -> None:
    corpus = SHARED / "corpus"
    paths = sorted(corpus.rglob("20*.md"))
    report = import_path(sqlite, corpus, zone=ZoneInfo("UTC"), allow_loss=True, now=datetime.now(ZONE))
    named = {name for name, _ in report.problems}
    assert not [path for path in paths if path.relative_to(corpus).as_posix() in named], report.problems
    stored = {body.sha256: body.text for body in all_of(sqlite, Body)}
    assert len(paths) >= 248
    for path in paths:
        data = path.read_bytes()
        assert stored[texts.sha256(data.decode())].encode() == data


def test_an_interrupted_import_leaves_whole_versions_only(sqlite: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {f"terms/2025-01-{day:02}.md": f"Text {day}." for day in range(10, 16)})

    def stop_in_the_middle(keys: object) -> object:
        for number, key in enumerate(keys):  # type: ignore[arg-type, var-annotated]
            if number == 3:
                raise KeyboardInterrupt
            yield key

    with pytest.raises(KeyboardInterrupt):
        run(sqlite, folder, progress=stop_in_the_middle)
    assert len(all_of(sqlite, Version)) == len(all_of(sqlite, Body)) == 3
    assert len(run(sqlite, folder).added) == 3


def test_sessions_see_the_sections_of_an_imported_text(sqlite: Database, tmp_path: Path) -> None:
    run(sqlite, write(tmp_path / "in", {"terms.md": TEXT}))

    def joined(session: Session) -> str:
        [body] = session.exec(select(Body))
        return "".join(body.text[row.start : row.end] for row in store.section_rows(session, body))

    assert sqlite.read(joined) == TEXT


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Terms of **Use** \\& more #\n", "Terms of Use & more"),
        ("Terms\n=====\n\n# 1. Scope\n", "Terms"),
        ("# [Terms](https://acme.example)\r\n", "Terms"),
        ("1\\. SCOPE\n==========\n\nWords.\n", "d"),
        ("## 4.1 Description\n", "d"),
        ("Words alone.\n", "d"),
    ],
)
def test_a_document_is_called_what_its_first_heading_says_unless_that_has_a_number(text: str, title: str) -> None:
    assert read_source(text.encode(), "d.md", locale="en", zone=ZONE, now=NOW).title == title
