"""The history of a git repository comes in whole: a version a commit, once, whatever the repository is made of."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from lifecycle.db import Database
from lifecycle.documents.git_importing import import_history
from lifecycle.documents.git_planning import Wanted
from lifecycle.documents.git_repository import Repository
from lifecycle.documents.importing import ImportReport
from lifecycle.documents.mapping import Rule, read_mapping
from lifecycle.errors import InvalidInput
from lifecycle.models import Body, Document, Engagement, Notice, Origin, Version
from lifecycle.states import DocumentKind, Mode
from tests.conftest import NOW
from tests.documents.git import FIRST, HOUR, Git

TEXT = "# Terms\n\nBe nice.\n"


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path / "repository")


def run(database: Database, git: Git | Path, **wanted: Any) -> ImportReport:
    path = git.path if isinstance(git, Git) else git
    return import_history(database, path, Wanted(**{"locale": "en", **wanted}), now=NOW)


def stored(database: Database) -> list[tuple[str, int, str, str]]:
    """Document, version, language and text of all there is."""
    query = select(Document.slug, Version.number, Body.locale, Body.text).where(
        Body.version_id == Version.id, Version.document_id == Document.id
    )
    rows = database.read(lambda session: session.exec(query).all())
    return sorted((slug, number, locale, text) for slug, number, locale, text in rows)


def all_of(database: Database, model: type[Any]) -> list[Any]:
    return list(database.read(lambda session: session.exec(select(model)).all()))


def test_each_commit_that_changed_the_text_is_a_version_of_the_authors_day(sqlite: Database, git: Git) -> None:
    git.commit({"terms.md": TEXT})
    git.commit({"code.py": "pass"})
    git.commit({"terms.md": TEXT + "Always.\n", "README.md": "# About this repository\n"})
    report = run(sqlite, git)
    assert (len(report.added), report.problems) == (2, [])
    assert stored(sqlite) == [("terms", 1, "en", TEXT), ("terms", 2, "en", TEXT + "Always.\n")]
    versions = all_of(sqlite, Version)
    assert [v.published_at for v in versions] == [datetime.fromtimestamp(FIRST + n * HOUR, UTC) for n in (1, 3)]


def test_a_newly_printed_date_that_is_not_the_commits_is_warned_of_once(sqlite: Database, git: Git) -> None:
    days = [datetime.fromtimestamp(FIRST + n * HOUR, UTC).date().isoformat() for n in range(1, 5)]
    printed = [days[0], "1999-01-01", "1999-01-01", days[3]]
    ids = [git.commit({"terms.md": f"{TEXT}\nLast updated: {day}\n\nWords {n}.\n"}) for n, day in enumerate(printed)]
    report = run(sqlite, git)
    [(name, warning)] = report.warnings
    assert (len(report.added), name) == (4, f"terms at {ids[1][:10]}")
    assert "1999-01-01" in warning
    assert days[1] in warning
    assert run(sqlite, git).warnings == []


def test_imported_history_is_marked_and_tells_and_binds_nobody(sqlite: Database, git: Git) -> None:
    commit = git.commit({"terms.md": TEXT})
    run(sqlite, git)
    assert [version.imported for version in all_of(sqlite, Version)] == [True]
    assert all_of(sqlite, Notice) == all_of(sqlite, Engagement) == []
    assert [origin.source for origin in all_of(sqlite, Origin)] == [commit]


def test_a_second_import_adds_nothing_and_later_commits_only_themselves(sqlite: Database, git: Git) -> None:
    git.commit({"terms.md": TEXT})
    git.commit({"terms.md": TEXT + "Always.\n"})
    git.commit({"terms.md": TEXT})  # back to the first text is a version of its own
    assert len(run(sqlite, git).added) == 3
    again = run(sqlite, git)
    assert (again.added, len(again.unchanged), again.problems) == ([], 3, [])
    git.commit({"terms.md": TEXT + "Now and then.\n"})
    assert len(run(sqlite, git).added) == 1
    assert [number for _, number, _, _ in stored(sqlite)] == [1, 2, 3, 4]


def test_a_history_that_was_rewritten_adds_nothing_it_brought_before(sqlite: Database, git: Git) -> None:
    git.commit({"terms.md": TEXT})
    git.commit({"terms.md": TEXT + "Always.\n"})
    run(sqlite, git)
    git("commit", "--amend", "--quiet", "-m", "other words", "--date", f"@{FIRST + 2 * HOUR} +0000")
    assert run(sqlite, git).added == []


def test_renamings_are_followed(sqlite: Database, git: Git) -> None:
    long = TEXT + "".join(f"Sentence number {n} stays as it is.\n" for n in range(20))
    git.commit({"tos.md": long})
    git("mv", "tos.md", "terms.md")
    git.record()
    git.commit({"terms.md": long + "More.\n", "tos.md": "# Something else\n"})
    run(sqlite, git)
    assert [row[:2] for row in stored(sqlite)] == [("terms", 1), ("terms", 2), ("tos", 1)]


def test_a_version_holds_all_languages_also_those_the_commit_left_alone(sqlite: Database, git: Git) -> None:
    git.commit({"terms.en.md": TEXT, "terms.de.md": "# Bedingungen\n"})
    git.commit({"terms.en.md": TEXT + "Always.\n"})
    git.commit({"terms.de.md": None})
    run(sqlite, git)
    assert [row[1:3] for row in stored(sqlite)] == [(1, "de"), (1, "en"), (2, "de"), (2, "en"), (3, "en")]


def test_front_matter_says_what_a_file_is(sqlite: Database, git: Git) -> None:
    front = "---\ndocument: privacy-policy\ntitle: Privacy\nkind: privacy\nlocale: de\nmode: silence\n---\n"
    git.commit({"a/b.md": front + TEXT})
    run(sqlite, git)
    assert stored(sqlite) == [("privacy-policy", 1, "de", TEXT)]
    [document], [version] = all_of(sqlite, Document), all_of(sqlite, Version)
    assert (document.title, document.kind, version.mode) == ("Privacy", DocumentKind.PRIVACY, Mode.SILENCE)


def test_a_mapping_says_which_path_is_which_document_and_language(sqlite: Database, git: Git, tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text(
        '[[text]]\npath = "legal/{locale}/tos.md"\ndocument = "terms"\ntitle = "Terms of Use"\nkind = "terms"\n'
        '[[text]]\npath = "**/{document}.html"\nlocale = "fr"\n'
    )
    page = "<html><body><nav>Home</nav><main><h1>Vie privée</h1><p>Rien.</p></main></body></html>"
    git.commit({"legal/en/tos.md": TEXT, "legal/de/tos.md": "# B\n", "other.md": TEXT, "x/y/privacy.html": page})
    assert run(sqlite, git, rules=read_mapping(file)).problems == []
    assert stored(sqlite) == [
        ("privacy", 1, "fr", "# Vie privée\n\nRien.\n"),
        ("terms", 1, "de", "# B\n"),
        ("terms", 1, "en", TEXT),
    ]
    assert {document.title for document in all_of(sqlite, Document)} == {"Terms of Use", "Vie privée"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text = 1", r"\[\[text\]\] tables"),
        ("", r"\[\[text\]\] tables"),
        ("[[text]]\npth = 'x'", r"map.toml, \[\[text\]\] 1: unknown key 'pth'"),
        ("[[text]]\nlocale = 'de'", "path is missing"),
        ("[[text]]\npath = 'x'\nlocale = 'GERMAN'", "GERMAN"),
        ("[[text]]\npath = '{locale}/{locale}'", "twice"),
        ("[[text]]\npath = 3", "path has to be text"),
        ("= =", "not TOML"),
    ],
)
def test_a_wrong_mapping_says_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(InvalidInput, match=said):
        read_mapping(tmp_path / "map.toml")


def test_the_layout_of_open_terms_archive_is_known(sqlite: Database, git: Git) -> None:
    git.commit({"README.md": "# Versions\n", "Acme Ltd/Terms of Service.md": TEXT})
    git.commit({"Acme Ltd/Privacy Policy.md": "# Privacy\n", "Other/Imprint.md": "# Imprint\n"})
    run(sqlite, git)
    found = {d.slug: (d.title, d.kind) for d in all_of(sqlite, Document)}
    assert found == {
        "acme-ltd-terms-of-service": ("Acme Ltd: Terms of Service", DocumentKind.TERMS),
        "acme-ltd-privacy-policy": ("Acme Ltd: Privacy Policy", DocumentKind.PRIVACY),
        "other-imprint": ("Other: Imprint", DocumentKind.OTHER),
    }


def test_only_a_folder_of_the_repository_may_be_asked_for(sqlite: Database, git: Git) -> None:
    git.commit({"legal/terms.md": TEXT, "legal2/terms.md": TEXT, "notes.md": TEXT})
    run(sqlite, git, under="legal")
    assert [row[0] for row in stored(sqlite)] == ["terms"]


def with_merge(git: Git) -> None:
    git.commit({"terms.md": TEXT})
    git("checkout", "-q", "-b", "next")
    git.commit({"terms.md": TEXT + "One.\n"})
    git.commit({"terms.md": TEXT + "Two.\n"})
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-ff", "-m", "merge", "next", at=FIRST + 9 * HOUR)


def test_what_a_merge_brings_is_there_once(sqlite: Database, git: Git) -> None:
    with_merge(git)
    assert len(run(sqlite, git).added) == 3
    assert stored(sqlite)[-1] == ("terms", 3, "en", TEXT + "Two.\n")


def test_with_first_parent_only_what_the_branch_showed_counts(sqlite: Database, git: Git) -> None:
    with_merge(git)
    run(sqlite, git, first_parent=True)
    assert [row[3] for row in stored(sqlite)] == [TEXT, TEXT + "Two.\n"]
    assert all_of(sqlite, Version)[1].published_at == datetime.fromtimestamp(FIRST + 9 * HOUR, UTC)


def test_dates_that_run_backwards_leave_the_last_commit_in_force(sqlite: Database, git: Git) -> None:
    git.commit({"terms.md": TEXT}, at=FIRST + 50 * HOUR)
    git.commit({"terms.md": TEXT + "Later.\n"}, at=FIRST)
    run(sqlite, git)
    first, second = all_of(sqlite, Version)
    assert second.published_at == datetime.fromtimestamp(FIRST, UTC)
    assert second.effective_at == first.effective_at == datetime.fromtimestamp(FIRST + 50 * HOUR, UTC)


def test_a_bad_commit_is_reported_and_the_rest_goes_on(sqlite: Database, git: Git) -> None:
    long = TEXT + "word " * 100
    git.commit({"terms.md": long})
    git.commit({"terms.md": b"\xff\xfe not UTF-8"})
    git.commit({"terms.md": "Not found.\n"})
    git.commit({"terms.md": ""})
    git.commit({"terms.md": long + "end\n"}, at=int(NOW.timestamp()) + HOUR)
    git.commit({"terms.md": long + "ende\n"})
    report = run(sqlite, git)
    assert [row[1] for row in stored(sqlite)] == [1, 2]
    reasons = sorted(why for _, why in report.problems)
    assert len(reasons) == 4
    assert any("not UTF-8" in why for why in reasons)
    assert any("--allow-loss" in why for why in reasons)
    assert any("empty" in why for why in reasons)
    assert any("in the future" in why for why in reasons)
    assert all(name.startswith("terms at ") for name, _ in report.problems)


def test_two_files_for_the_same_document_are_told_and_the_first_stays(sqlite: Database, git: Git) -> None:
    git.commit({"a/x.md": TEXT})
    git.commit({"b/x.md": "# Other\n"})
    report = run(sqlite, git, rules=[Rule(re.compile(r"./x\.md"), "terms", "en")])
    assert [row[3] for row in stored(sqlite)] == [TEXT]
    assert "as a/x.md is" in report.problems[0][1]


def test_links_and_submodules_are_no_texts(sqlite: Database, git: Git) -> None:
    git.commit({"terms.md": TEXT})
    os.symlink("/etc/passwd", git.path / "privacy.md")
    git.record()
    run(sqlite, git)
    assert [row[0] for row in stored(sqlite)] == ["terms"]


def test_a_repository_without_texts_says_what_to_do(sqlite: Database, git: Git) -> None:
    git.commit({"code.py": "pass"})
    with pytest.raises(InvalidInput, match="mapping file"):
        run(sqlite, git)


@pytest.mark.parametrize("rev", ["nope", "--help", "main..main"])
def test_a_revision_that_is_none_is_refused_by_name(sqlite: Database, git: Git, rev: str) -> None:
    git.commit({"terms.md": TEXT})
    with pytest.raises(InvalidInput, match=f"no revision '{rev}'"):
        run(sqlite, git, rev=rev)


def test_an_empty_repository_and_none_are_refused(sqlite: Database, git: Git, tmp_path: Path) -> None:
    for path in (git.path, tmp_path):
        with pytest.raises(InvalidInput, match="git cannot read"):
            run(sqlite, path)


def test_nothing_of_a_hostile_repository_is_run(sqlite: Database, git: Git, tmp_path: Path) -> None:
    git.commit({"terms.md": TEXT, ".gitattributes": "*.md diff=evil filter=evil\n"})
    git.commit({"terms.md": TEXT + "Always.\n"})
    ran = tmp_path / "ran"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    evil.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "gpg.program", "diff.external"):
        git("config", name, str(evil))
    for name in ("diff.evil.textconv", "diff.evil.command", "filter.evil.smudge", "remote.origin.uploadpack"):
        git("config", name, str(evil))
    for name, value in {
        "log.showSignature": "true",
        "core.hooksPath": str(tmp_path),
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{evil}",
        "protocol.ext.allow": "always",
        "alias.log": f"!{evil}",
    }.items():
        git("config", name, value)
    (git.path / ".git" / "config.worktree").write_text("")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (git.path / ".git" / "hooks").mkdir(exist_ok=True)
        (git.path / ".git" / "hooks" / hook).symlink_to(evil)
    assert len(run(sqlite, git).added) == 2
    assert not ran.exists()
    git("log", "-p", "-1")  # the traps are live: whoever reads it the usual way steps into them
    assert ran.exists()


def test_a_partial_clone_lacks_its_files_and_fetches_none(sqlite: Database, git: Git, tmp_path: Path) -> None:
    git.commit({"terms.md": TEXT})
    git("config", "uploadpack.allowFilter", "true")
    part = tmp_path / "part.git"
    git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{git.path}", str(part))
    report = run(sqlite, part)
    assert "an incomplete clone" in report.problems[0][1]
    assert stored(sqlite) == []


def test_a_shallow_clone_brings_what_it_has_and_says_so(sqlite: Database, git: Git, tmp_path: Path) -> None:
    for n in range(3):
        git.commit({"terms.md": TEXT + f"{n}\n"})
    git("clone", "--quiet", "--bare", "--depth=2", f"file://{git.path}", str(tmp_path / "shallow.git"))
    report = run(sqlite, tmp_path / "shallow.git")
    assert len(report.added) == 2
    assert "shallow" in report.problems[0][1]


def test_reading_leaves_no_folder_behind(git: Git) -> None:
    git.commit({"terms.md": TEXT})
    with Repository(git.path) as repository:
        [commit] = repository.commits()
        assert repository.read(commit.changes[0].blob or "") == TEXT.encode()
        kept = repository._ours
    assert not kept.exists()


IMPORT = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from lifecycle.db import Database
    from lifecycle.documents import git_importing, git_planning

    git_importing.BATCH = 5
    def progress(batches):
        for batch in batches:
            yield batch
            print("stored", flush=True)
    wanted = git_planning.Wanted("en")
    git_importing.import_history(
        Database(sys.argv[1]), Path(sys.argv[2]), wanted, now=datetime.now(UTC), progress=progress
    )
"""


def test_an_import_that_was_killed_goes_on_with_nothing_lost_or_doubled(
    sqlite: Database, git: Git, tmp_path: Path
) -> None:
    texts = [TEXT + f"Number {n}.\n" for n in range(60)]
    for text in texts:
        git.commit({"terms.md": text})
    url = f"sqlite:///{tmp_path / 'assent.sqlite3'}"
    killed = 0
    for waits in (1, 3):
        words = [sys.executable, "-c", textwrap.dedent(IMPORT), url, str(git.path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
            assert process.stdout is not None
            for _ in range(waits):
                process.stdout.readline()
            time.sleep(0.005 * waits)
            process.send_signal(signal.SIGKILL)
        killed += process.returncode == -signal.SIGKILL
    between = len(stored(sqlite))
    assert killed == 2
    assert 0 < between < len(texts)
    assert between % 5 == 0
    assert len(run(sqlite, git).added) == len(texts) - between
    assert [(number, text) for _, number, _, text in stored(sqlite)] == list(enumerate(texts, 1))
