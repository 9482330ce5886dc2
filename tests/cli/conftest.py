"""The command line as a person or a script meets it: words in, and out come text, a status, and what is stored."""

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lifecycle.cli import main
from lifecycle.db import Database
from tests.conftest import Mailbox

TERMS = "# Terms\n\n## 1. Use\n\nBe nice to others.\n\n## 2. Liability\n\nThis survives termination.\n"
TERMS_2 = TERMS.replace("Be nice to others.", "Be kind to everyone.") + "\n## 3. Age\n\nYou are at least 16.\n"


@dataclass(frozen=True)
class Run:
    """What a call of the command left behind."""

    status: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Capture(io.TextIOWrapper):
    """A stream that is no terminal, as a pipe is; bytes and text end up in the order they came."""

    def __init__(self) -> None:
        self._held = io.BytesIO()
        super().__init__(self._held, encoding="utf-8", write_through=True)

    def taken(self) -> bytes:
        self.flush()
        return self._held.getvalue()


class Assent:
    """Calls the command in this process, standing in `folder`, with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: object) -> Run:
        out, err = Capture(), Capture()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main([str(word) for word in words])
                status = 0
            except SystemExit as ending:
                status = int(ending.code or 0)
        return Run(status, out.taken(), err.taken().decode())

    def done(self, *words: object) -> Run:
        """The call succeeds."""
        run = self(*words)
        assert run.status == 0, run
        return run

    def refused(self, *words: object) -> str:
        """The call is refused with one line on stderr, which is returned, and prints nothing else."""
        run = self(*words)
        assert (run.status, run.out) == (1, ""), run
        assert run.err.startswith("Error: "), run
        assert run.err.count("\n") == 1, run
        return run.err

    def wrong(self, *words: object) -> str:
        """The call is wrong usage."""
        run = self(*words)
        assert (run.status, run.out) == (2, ""), run
        return run.err

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @property
    def database(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'data' / 'assent.sqlite3'}")

    def tables(self) -> dict[str, list[Any]]:
        """Every row of every table, to see that nothing changed."""
        with self.database.engine.connect() as connection:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'").scalars().all()
            return {name: list(connection.exec_driver_sql(f"SELECT * FROM {name}")) for name in names}


@pytest.fixture
def assent(tmp_path: Path) -> Assent:
    """The command over an empty data folder."""
    return Assent(tmp_path)


@pytest.fixture(scope="session")
def _stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stock")
    assent = Assent(folder)
    terms = assent.file("terms.en.md", TERMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assent.done("version", "draft", "terms", terms, "--title", "Terms", "--kind", "terms", "--survives", "2")
        assent.done("version", "publish", "terms", 1, "--mode", "explicit", "--no-notify")
        assent.done("version", "draft", "terms", assent.file("terms-2.en.md", TERMS_2))
        assent.done("user", "import", assent.file("users.csv", "external_id,email\nada,ada@example.com\n"))
    return folder


@pytest.fixture
def stocked(assent: Assent, _stock: Path) -> Assent:
    """`terms` with version 1 in force (by explicit acceptance) and a draft 2; the user ada."""
    shutil.copytree(_stock, assent.folder, dirs_exist_ok=True)
    return assent


@pytest.fixture
def unchanged(stocked: Assent) -> Iterator[Callable[[], None]]:
    """Whatever the test tries leaves every row as it was."""
    before = stocked.tables()
    yield lambda: None
    assert stocked.tables() == before


@pytest.fixture
def delivered(stocked: Assent, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Mailbox]:
    """Run the clock and the dispatcher once, into a real mailbox."""
    import asyncio

    from lifecycle import jobs
    from lifecycle.notices.delivery import Dispatcher
    from lifecycle.settings import load_settings

    monkeypatch.setenv("ASSENT_SMTP_URL", mailbox.url)
    monkeypatch.setenv("ASSENT_SECRET_KEY", "test-key")

    def deliver() -> Mailbox:
        settings, database = load_settings(), stocked.database

        async def drain() -> None:
            dispatcher = Dispatcher(database, settings, clock=lambda: datetime.now(UTC))
            await dispatcher.drain()
            await dispatcher.stop()

        jobs.run_jobs(jobs.PLANNING + jobs.TO_THE_INSTANT, database, settings, datetime.now(UTC))
        asyncio.run(drain())
        jobs.run_jobs(jobs.PLANNING + jobs.TO_THE_INSTANT, database, settings, datetime.now(UTC))
        database.close()
        return mailbox

    return deliver


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A person at a terminal who types this answer."""

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    return lambda typed: monkeypatch.setattr(sys, "stdin", Keyboard(typed))
