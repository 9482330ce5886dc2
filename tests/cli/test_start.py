"""The command itself: help, usage, statuses, terminals and pipes."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle import __version__
from lifecycle.cli import COMMANDS, load
from tests.cli.conftest import Assent

ROOT = Path(__file__).parents[2]
HEAVY = {"sqlalchemy", "sqlmodel", "pydantic", "alembic", "fastapi", "discord", "babel", "rich", "jinja2"}


def run(*words: str, folder: Path, stdin: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "lifecycle", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=stdin, text=True, capture_output=True, check=False
    )


def test_help_names_every_command(assent: Assent):
    text = assent.done("--help").out
    for name, (_, help_text) in COMMANDS.items():
        assert name in text
        assert help_text.split()[0] in text


def test_the_version_is_that_of_the_package(assent: Assent):
    assert assent.done("--version").out == f"assent {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_explains_itself(name: str, assent: Assent):
    assert load(name).help
    assert "Usage: assent " + name in assent.done(name, "--help").out


@pytest.mark.parametrize("name", [name for name, (module, _) in COMMANDS.items() if module != name])
def test_a_command_says_of_itself_what_the_list_says(name: str):
    assert load(name).help.splitlines()[0] == COMMANDS[name][1]


def test_groups_hold_the_commands_their_line_names():
    for name, (module, text) in COMMANDS.items():
        if module == name and ": " in text:
            promised = set(text.removesuffix(".").rpartition(": ")[2].split(", "))
            held = importlib.import_module("typer.main").get_command(
                importlib.import_module(f"lifecycle.cli.{module}").app
            )
            assert set(held.commands) == promised


def test_help_loads_nothing_heavy(tmp_path: Path):
    script = "import sys; from lifecycle.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    script += f"print('LOADED', sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == "LOADED []"


def test_listing_loads_neither_migrations_nor_the_web_nor_the_bot(tmp_path: Path):
    run("init", folder=tmp_path)
    script = "import sys; from lifecycle.cli import main\ntry: main(['document', 'list'])\nexcept SystemExit: pass\n"
    script += "print('LOADED', sorted({'alembic', 'fastapi', 'discord', 'jinja2', 'apscheduler'} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["document", "nonsense"],
        ["document", "show"],
        ["document", "list", "--nonsense"],
        ["version", "publish", "terms", "1"],
        ["version", "publish", "terms", "1", "--mode", "loud"],
    ],
)
def test_wrong_usage_is_status_2(words: list[str], assent: Assent):
    assert "Usage: assent" in assent.wrong(*words)


def test_a_typing_error_gets_a_suggestion(assent: Assent):
    assert "'terminate'" in assent.wrong("terminat", "ada")


def test_a_refusal_is_one_line_and_status_1(tmp_path: Path):
    found = run("document", "show", "nonsense", folder=tmp_path)
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr == "Error: There is no document 'nonsense'. Known: none yet.\n"


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path):
    text = tmp_path / "long.md"
    text.write_text("# Long\n\n" + "word " * 200_000)
    run("version", "draft", "long", str(text), "--title", "Long", folder=tmp_path)
    line = f"{sys.executable} -m lifecycle document show long | head -c 1"
    found = subprocess.run(
        ["sh", "-c", line],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        text=True,
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0
    assert found.stderr == ""


def test_nothing_is_asked_when_stdin_is_no_terminal(tmp_path: Path):
    (tmp_path / "users.csv").write_text("external_id\nada\n")
    run("user", "import", "users.csv", folder=tmp_path)
    found = run("terminate", "ada", "--reason", "It is over.", folder=tmp_path, stdin=subprocess.DEVNULL)
    assert found.returncode == 0
    assert "Go on?" not in found.stdout + found.stderr


def test_no_progress_bar_without_a_terminal(tmp_path: Path):
    (tmp_path / "users.csv").write_text("external_id\nada\n")
    assert run("user", "import", "users.csv", folder=tmp_path).stderr == ""
