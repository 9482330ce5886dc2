"""Setting up, keeping in order, and what a wrong surrounding is answered with."""

import shutil
import socket
import sqlite3
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.cli import doctoring
from lifecycle.db import Database, migrations
from lifecycle.notices import preview, rendering, samples
from lifecycle.notices.rendering import Renderer
from lifecycle.settings import Settings, load_settings, resource
from lifecycle.states import TEMPLATED, Purpose
from tests.cli.conftest import Assent
from tests.conftest import Mailbox

SHIPPED = resource("cli") / "assent.toml"
OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def test_init_makes_the_database_and_a_settings_file_only_its_owner_reads(assent: Assent):
    run = assent.done("init")
    assert "assent import FOLDER" in run.err
    assert (assent.folder / "data" / "assent.sqlite3").is_file()
    assert stat.S_IMODE((assent.folder / "data").stat().st_mode) == 0o700
    written = assent.folder / "assent.toml"
    assert tomllib.loads(written.read_text()) == {}
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_init_never_overwrites(assent: Assent):
    assent.file("assent.toml", 'operator = "Acme"\n')
    assert "was left alone" in assent.done("init").out
    assert (assent.folder / "assent.toml").read_text() == 'operator = "Acme"\n'
    assent.done("init")


def test_the_settings_file_shows_every_setting_with_its_default():
    lines = SHIPPED.read_text().splitlines()
    shown = tomllib.loads(
        "\n".join(
            line.removeprefix("# ") for line in lines if line.startswith("# [") or (" = " in line and line[0] == "#")
        )
    )
    assert set(shown) == set(Settings.model_fields)
    shipped = load_settings(**shown)
    unset = {"answer_threshold", "closest_threshold", "webhook"}
    assert {n: getattr(shipped, n) for n in shown if n not in unset} == {
        n: getattr(Settings(), n) for n in shown if n not in unset
    }


def test_the_manual_names_every_setting():
    manual = OPERATING.read_text()
    assert [name for name in Settings.model_fields if f"ASSENT_{name.upper()}" not in manual] == []


@pytest.mark.parametrize(
    "words", [["init"], ["document", "list"], ["migrate"], ["user", "show", "ada"], ["import", "."]]
)
def test_a_data_folder_that_cannot_be_written_is_named(
    words: list[str], assent: Assent, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASSENT_DATA_DIR", "/dev/null/x")
    error = assent.refused(*words)
    assert "'/dev/null/x' cannot be written" in error
    assert "ASSENT_DATA_DIR" in error
    assert list(assent.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ASSENT_TIME_ZONE", "Mars/Olympus", "is not a time zone"),
        ("ASSENT_SMTP_URL", "mail.example.com", "must start with smtp://"),
        ("ASSENT_SMTP_CONNECTIONS", "many", "integer"),
        ("ASSENT_POLL_SECONDS", "0", "greater than 0"),
        ("ASSENT_DATABASE_URL", "mysql://x", "must start with 'sqlite://'"),
        ("ASSENT_DEFAULT_LOCALE", "klingon!", "is not a known locale"),
        ("ASSENT_MAIL_FROM", "nobody", "is not an e-mail address"),
    ],
)
@pytest.mark.parametrize(
    "words", [["document", "list"], ["init"], ["doctor"], ["template", "check"], ["serve"], ["bot"]]
)
def test_a_bad_setting_is_named_at_start(
    name: str, value: str, why: str, words: list[str], assent: Assent, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    error = assent.refused(*words)
    assert name in error
    assert why in error
    assert list(assent.folder.iterdir()) == []


def test_several_bad_settings_are_still_one_line(assent: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_TIME_ZONE", "Mars")
    monkeypatch.setenv("ASSENT_SMTP_URL", "x")
    error = assent.refused("document", "list")
    assert "ASSENT_TIME_ZONE" in error
    assert "ASSENT_SMTP_URL" in error


def test_a_settings_file_that_is_no_toml_is_refused(assent: Assent):
    assent.file("assent.toml", "operator = \n")
    assert "assent.toml" in assent.refused("document", "list")


# -- the database ---------------------------------------------------------------------------------------------------


def stamp(assent: Assent, revision: str) -> None:
    with sqlite3.connect(assent.folder / "data" / "assent.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


@pytest.mark.parametrize("words", [["document", "list"], ["migrate"], ["init"], ["accept", "ada", "terms"]])
def test_a_database_of_a_newer_release_is_left_alone(words: list[str], stocked: Assent):
    stamp(stocked, "9999")
    before = stocked.tables()
    error = stocked.refused(*words)
    assert "is from a newer release of Assent (at 9999, unknown here)" in error
    assert stocked.tables() == before


def test_an_older_database_asks_for_migrate_which_brings_it_up(assent: Assent):
    (assent.folder / "data").mkdir()
    assent.database.upgrade(migrations()[0])
    assert "run `assent migrate`" in assent.refused("document", "list")
    assert assent.done("migrate", "--json").json == {"before": migrations()[0], "after": migrations()[-1]}
    assert "already" in assent.done("migrate").out
    assent.done("document", "list")


def test_migrate_sets_up_an_empty_database(assent: Assent):
    assert "it was empty" in assent.done("migrate").out


def test_the_known_migrations_are_those_alembic_finds(database: Database):
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(resource("migrations")))
    assert migrations() == [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert database.revision() == scripts.get_current_head() == migrations()[-1]


def test_a_file_that_is_no_database_is_refused(assent: Assent):
    assent.file("data/assent.sqlite3", "this is a letter, not a database, and long enough to be seen as one" * 20)
    assert "cannot be used: file is not a database" in assent.refused("document", "list")


def test_a_database_that_does_not_answer_is_named_without_its_password(assent: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/assent")
    error = assent.refused("document", "list")
    assert "cannot be used" in error
    assert "hunter2" not in error


def test_the_history_is_verified(stocked: Assent):
    assert "as they were written" in stocked.done("history", "verify").out
    with sqlite3.connect(stocked.folder / "data" / "assent.sqlite3") as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE events SET sha256 = 'forged' WHERE id = 1")
    run = stocked("history", "verify", "--json")
    assert run.status == 1
    assert run.json["sound"] is False
    assert "event 1" in run.json["problems"][0]


# -- templates ------------------------------------------------------------------------------------------------------


def test_every_template_renders_for_the_awkward_cast(assent: Assent):
    found = assent.done("template", "check", "--json").json
    assert found["faults"] == []
    assert found["rendered"] > 2 * len(TEMPLATED) * len(preview.AWKWARD)


def test_the_templates_of_one_purpose_can_be_checked_alone(assent: Assent):
    few = assent.done("template", "check", "reinstated", "--json").json
    assert 0 < few["rendered"] < 200
    assert assent.done("template", "check", "reinstated").out.endswith("faults: 0.\n")
    assert "has the template of what it tries" in assent.refused("template", "check", "test")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the templates, used instead of the shipped ones."""
    copy = tmp_path / "templates"
    shutil.copytree(resource("templates"), copy)
    monkeypatch.setattr(rendering, "resource", lambda name: tmp_path / name)
    rendering.renderer.cache_clear()
    yield copy
    rendering.renderer.cache_clear()


@pytest.mark.parametrize(
    ("addition", "why"),
    [
        ("\n{{ nonsense }}\n", "'nonsense' is undefined"),
        ("\n{% if %}\n", "does not compile"),
        ("\n{{ operator.x }}\n", "has no attribute 'x'"),
    ],
)
def test_a_template_that_misses_a_variable_is_named(addition: str, why: str, assent: Assent, templates: Path):
    broken = templates / "email" / "en" / "reinstated.md"
    broken.write_text(broken.read_text() + addition)
    run = assent("template", "check", "reinstated")
    assert run.status == 1
    assert "email/en/reinstated.md" in run.out
    assert why in run.out
    assert "email/en/reinstated.md" in assent.refused("template", "preview", "reinstated")


def test_a_template_that_is_not_there_is_named(assent: Assent, templates: Path):
    (templates / "email" / "de" / "reinstated.md").unlink()
    run = assent("template", "check", "reinstated", "--json")
    assert run.status == 1
    assert run.json["faults"] == ["There is no template email/de/reinstated.md."]


def test_a_template_without_a_subject_is_named(assent: Assent, templates: Path):
    (templates / "email" / "de" / "reinstated.md").write_text("Hello\n")
    assert "must begin with a line 'Subject: …'" in assent("template", "check", "reinstated").out


@pytest.mark.parametrize("purpose", TEMPLATED)
def test_every_purpose_has_sample_values_that_its_template_uses_up(purpose: Purpose):
    for locale in Renderer().locales():
        rendered = Renderer().render(purpose, samples.sample(purpose, operator="Acme"), locale=locale)
        assert rendered.subject
        assert "Acme" in rendered.text + rendered.subject


def test_a_preview_prints_text_or_html(assent: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_OPERATOR", "Acme & Sons")
    text = assent.done("template", "preview", "termination_notice").out
    assert text.startswith("Subject: ")
    assert "Access was resold." in text
    assert "Acme &amp; Sons" in assent.done("template", "preview", "termination_notice", "--html", "--locale", "de").out
    assert "no templates in 'xx'" in assent.refused("template", "preview", "reinstated", "--locale", "xx")


# -- doctor ---------------------------------------------------------------------------------------------------------


def findings(assent: Assent, status: int) -> dict[str, list[tuple[str, str]]]:
    run = assent("doctor", "--json")
    assert run.status == status, run
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in run.json:
        found.setdefault(finding["about"], []).append((finding["level"], finding["word"]))
    return found


def test_a_healthy_house(stocked: Assent, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_SMTP_URL", mailbox.url)
    found = findings(stocked, 0)
    assert {level for words in found.values() for level, _ in words} == {"ok", "note"}
    assert found["Discord bot"] == [("note", "The Discord bot is off: set ASSENT_DISCORD_TOKEN.")]
    assert "mail relay" in stocked.done("doctor").out


def test_a_misspelt_setting_is_found_in_the_environment_and_the_file(
    stocked: Assent, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
):
    stocked.file("assent.toml", f'smtp_url = "{mailbox.url}"\nrely_per_hour = 5\n')
    monkeypatch.setenv("ASSENT_OPERATR", "Acme")
    words = [word for _, word in findings(stocked, 1)["settings"]]
    assert "ASSENT_OPERATR is no setting, so it does nothing. Did you mean ASSENT_OPERATOR?" in words
    assert "ASSENT_RELY_PER_HOUR is no setting, so it does nothing. Did you mean ASSENT_RELAY_PER_HOUR?" in words


def test_a_relay_that_does_not_answer_and_an_empty_database_are_faults(assent: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_SMTP_URL", "smtp://127.0.0.1:1")
    found = findings(assent, 1)
    assert found["mail relay"][0][0] == "FAULT"
    assert "Run `assent init`" in found["database"][0][1]


def test_doctor_looks_at_a_newer_database_and_an_unwritable_folder_and_goes_on(
    stocked: Assent, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASSENT_SMTP_URL", mailbox.url)
    stamp(stocked, "9999")
    assert "newer release" in findings(stocked, 1)["database"][0][1]
    monkeypatch.setenv("ASSENT_DATA_DIR", "/dev/null/x")
    found = findings(stocked, 1)
    assert "ASSENT_DATA_DIR" in found["data folder"][0][1]
    assert found["mail relay"] == [("ok", "it answers")]


def test_doctor_says_whether_bounces_and_replies_come_in(mailbox: Mailbox):
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = f"lmtp://127.0.0.1:{held.getsockname()[1]}"
    for address, listen, level, word in [
        ("", "", "note", "set ASSENT_INBOX_ADDRESS."),
        ("assent@in.acme.example", "", "note", "set ASSENT_INBOX_LISTEN on one of them."),
        ("assent@in.acme.example", mailbox.url, "ok", f"mail is taken at {mailbox.url}"),
        ("assent@in.acme.example", free, "note", "`assent serve` will."),
        ("assent@in.acme.example", "lmtp://nowhere.invalid:8724", "FAULT", "cannot be had here"),
    ]:
        settings = Settings(inbox_address=address, inbox_listen=listen)
        [found] = doctoring.CHECKS["mail inbox"](settings)
        assert found.level == level
        assert word in found.word


# -- what stays up --------------------------------------------------------------------------------------------------


def test_the_bot_needs_a_token(assent: Assent):
    for words in (["bot"], ["serve", "--bot"]):
        run = assent(*words)
        assert (run.status, run.out) == (1, "")
        assert run.err == "The Discord bot is off: set ASSENT_DISCORD_TOKEN.\n"
