"""The engine, instants in UTC, and the ways in: `Database.run` where one can wait, `Database.arun` from asyncio."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from lifecycle.errors import DatabaseError
from lifecycle.lookups import LookUps, Row
from lifecycle.settings import Settings, ensure_writable, resource

if TYPE_CHECKING:
    from alembic.config import Config

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS = 30
SCRUB_SECONDS = 1
PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "trusted_schema": "OFF",
    "secure_delete": "ON",
    "busy_timeout": str(BUSY_SECONDS * 1000),
}


class _Turns:
    """Writers of one process take turns: SQLite lets those who wait sleep, and a busy one would starve the rest.

    Who holds `_next` writes next, so nobody who has just written can push in.
    """

    def __init__(self) -> None:
        self._next, self._writing = Lock(), Lock()

    def __enter__(self) -> None:
        with self._next:
            self._writing.acquire()

    def __exit__(self, *_: object) -> None:
        self._writing.release()


class Database:
    """One database; every call of `run` is one transaction that commits or leaves nothing behind."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._reader = self.engine.execution_options(assent_read=True)
        self._lookups = LookUps(url)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="assent-db")
        self._turns: AbstractContextManager[None] = _Turns() if self.is_sqlite else nullcontext()

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def run(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work(session, …)` in one writing transaction. Raises DatabaseError when the database cannot be used."""
        with self._turns:
            return self._transact(self.engine, work, *args, **kwargs)

    def read(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `run`, for work that writes nothing: on SQLite it never waits for a writer."""
        return self._transact(self._reader, work, *args, **kwargs)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that writes nothing, as of `read`, while the block lasts. `commit` ends what it reads from, and
        its next question begins anew."""
        with self._failing_clearly(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    def look_up(self, statement: str, **values: Any) -> list[Row]:
        """The rows of one reading statement, as the driver gives them: instants are text, in UTC.

        Raises DatabaseError when the database cannot be used.
        """
        with self._failing_clearly():
            return self._lookups.rows(statement, values)

    async def arun(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`run` from asyncio, in a thread of the database's own pool."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.run(work, *args, **kwargs))

    async def aread(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` from asyncio."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.read(work, *args, **kwargs))

    def _transact(
        self, engine: Engine, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self._failing_clearly(), Session(engine, expire_on_commit=False) as session, session.begin():
            return work(session, *args, **kwargs)

    @contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise DatabaseError(f"The database {self.shown_url} cannot be used: {_first_line(error)}") from error
        except self.engine.dialect.loaded_dbapi.OperationalError as error:  # by the driver's own means
            raise DatabaseError(f"The database {self.shown_url} cannot be used: {error}") from error

    @property
    def shown_url(self) -> str:
        return make_url(self.url).render_as_string(hide_password=True)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._lookups.close()
        self.engine.dispose()

    def scrub(self, *, thorough: bool = False) -> bool:
        """Leave nothing in the database's files of what was deleted or overwritten; whether that is so now.

        SQLite rewrites its file and empties its log. PostgreSQL only frees the space of dead rows, unless `thorough`,
        which rewrites every table and locks each meanwhile; its log and its backups keep what they hold until they
        are recycled. Raises DatabaseError when it cannot be done, such as while somebody reads on and on.
        """
        connection = self.engine.raw_connection()
        try:
            driver = connection.driver_connection
            assert driver is not None
            if self.is_sqlite:
                with self._turns:
                    driver.execute("VACUUM")
                    return self._empty_log(driver)
            driver.autocommit = True
            driver.execute("VACUUM (FULL)" if thorough else "VACUUM")
            driver.autocommit = False
            return thorough
        except self.engine.dialect.loaded_dbapi.Error as error:
            raise DatabaseError(f"The database {self.shown_url} could not be scrubbed: {error}") from error
        finally:
            connection.close()

    def _empty_log(self, driver: Any) -> bool:
        # Nobody can write while this waits for readers, and whoever asked will ask again.
        driver.execute(f"PRAGMA busy_timeout={SCRUB_SECONDS * 1000}")
        try:
            busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={PRAGMAS['busy_timeout']}")
        return not busy

    # -- the schema ------------------------------------------------------------------------------------------

    def revision(self) -> str | None:
        """The migration the database stands at; None for an empty one."""
        return self._schema(_revision, self._reader)

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to this release. Raises DatabaseError when the database is from a newer one."""
        from alembic import command  # here and below: it takes a fifth of a second that most commands can do without

        self._refuse_newer(self.revision())
        self._schema(lambda connection: command.upgrade(_alembic(connection), revision))

    def downgrade(self, revision: str) -> None:
        from alembic import command

        self._schema(lambda connection: command.downgrade(_alembic(connection), revision))

    def check(self) -> None:
        """Raises alembic's AutogenerateDiffsDetected when models and migrations disagree."""
        from alembic import command

        self._schema(lambda connection: command.check(_alembic(connection)))

    def require_current(self) -> None:
        """Raises DatabaseError unless the schema is exactly this release's; an empty database is set up."""
        found, wanted = self.revision(), migrations()[-1]
        if found is None:
            self.upgrade()
        elif found != wanted:
            self._refuse_newer(found)
            raise DatabaseError(
                f"The database {self.shown_url} is at {found}, this release needs {wanted}: run `assent migrate`."
            )

    def _refuse_newer(self, found: str | None) -> None:
        if found is not None and found not in migrations():
            raise DatabaseError(
                f"The database {self.shown_url} is from a newer release of Assent (at {found}, unknown here). "
                "Install that release; nothing was changed."
            )

    def _schema(self, work: Callable[[Connection], T], engine: Engine | None = None) -> T:
        try:
            with (engine or self.engine).begin() as connection:
                return work(connection)
        except (OperationalError, DBAPIError) as error:
            raise DatabaseError(f"The database {self.shown_url} cannot be used: {_first_line(error)}") from error


def open_database(settings: Settings) -> Database:
    """The database of these settings at this release's schema. Raises ConfigurationError or DatabaseError."""
    if settings.database.startswith("sqlite"):
        ensure_writable(settings.data_dir)
    database = Database(settings.database)
    database.require_current()
    return database


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # Python's own BEGIN is deferred; ours below is not
    for pragma, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {pragma}={value}")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that later writes fails at once when another writer got in between.
    execute = driver(connection).execute
    if connection.get_execution_options().get("assent_read", False):
        execute("BEGIN")
        return
    # SQLite's own patience sleeps ever longer, so that who writes all the time leaves the others no gap.
    execute("PRAGMA busy_timeout=0")
    patience = monotonic() + BUSY_SECONDS
    while True:
        try:
            execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > patience:
                raise
            sleep(0.001)
    execute(f"PRAGMA busy_timeout={PRAGMAS['busy_timeout']}")


def driver(connection: Connection) -> Any:
    """The driver's own connection: SQLAlchemy's care for each statement costs ten times what SQLite does with it."""
    return connection.connection.driver_connection


def migrations() -> list[str]:
    """The revisions this release knows, oldest first: the name of each file begins with its own."""
    return sorted(path.name.partition("_")[0] for path in (resource("migrations") / "versions").glob("[0-9]*_*.py"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _alembic(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(resource("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error).__name__


def take_turn(session: Session, what: str) -> bool:
    """Whether this transaction alone does `what` until it ends. On SQLite one writes at a time anyway."""
    if session.get_bind().dialect.name == "sqlite":
        return True
    return bool(session.execute(text("SELECT pg_try_advisory_xact_lock(hashtext(:what))"), {"what": what}).scalar_one())


def writers(session: Session, model: type[Any]) -> set[str]:
    """The other transactions that may have added rows to this table which cannot be seen yet; none on SQLite.

    Who inserts holds a lock on the table from before the row's key is drawn until after the row can be seen.
    """
    if session.get_bind().dialect.name == "sqlite":
        return set()
    held = text(
        "SELECT virtualtransaction FROM pg_locks WHERE relation = CAST(:name AS regclass) AND mode = 'RowExclusiveLock'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND pid IS DISTINCT FROM pg_backend_pid()"
    )
    return set(session.execute(held, {"name": model.__tablename__}).scalars())
