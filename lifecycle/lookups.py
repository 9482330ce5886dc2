"""Questions that are asked all the time: one reading statement, put to the driver itself on a connection of its own.

A session, its transaction and a check of the connection cost several times what such a question does.
"""

import re
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import create_engine

T = TypeVar("T")
Row = tuple[Any, ...]
# SQLite maps at most 2 GB of its file; what lies beyond is read through a cache far too small for it.
PRAGMAS = ("query_only=ON", "trusted_schema=OFF", "busy_timeout=30000", "mmap_size=2147418112")
IDLE = 8  # connections that wait for the next question


class LookUps:
    """Reading statements, each by itself. Connections that wait are tried again; one that broke is replaced."""

    def __init__(self, url: str) -> None:
        engine = create_engine(url)
        self._dialect, self._arguments = engine.dialect, engine.dialect.create_connect_args(engine.url)
        self._sqlite = engine.dialect.name == "sqlite"
        self._broken = engine.dialect.loaded_dbapi.OperationalError, engine.dialect.loaded_dbapi.InterfaceError
        self._idle: deque[Any] = deque()  # SQLAlchemy's pool takes as long as the question

    def rows(self, statement: str, values: Mapping[str, Any]) -> list[Row]:
        """All rows, in the driver's own types, but instants as text, in UTC: as objects they cost as much again.

        `statement` names its values `:so`; raises the driver's errors.
        """
        sql = statement if self._sqlite else _pyformat(statement)
        while True:
            try:
                connection, fresh = self._idle.pop(), False
            except IndexError:
                connection, fresh = self._connect(), True
            try:
                found: list[Row] = connection.execute(sql, values).fetchall()
            except BaseException as error:
                connection.close()
                if isinstance(error, self._broken) and not fresh:
                    continue
                raise
            self._put_back(connection)
            return found

    def _connect(self) -> Any:
        words, options = self._arguments
        if self._sqlite:
            options = {**options, "isolation_level": None, "check_same_thread": False}
            connection = self._dialect.loaded_dbapi.connect(*words, **options)
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        else:
            from psycopg.types.string import TextLoader  # here: most commands on SQLite never need psycopg

            connection = self._dialect.loaded_dbapi.connect(*words, **options, autocommit=True)
            connection.execute("SET TimeZone TO 'UTC'")
            connection.adapters.register_loader("timestamptz", TextLoader)
        return connection

    def _put_back(self, connection: Any) -> None:
        if len(self._idle) < IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def one_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items, none of them None: each is made in a thread while the one before it is used.

    What making one raises is raised in its place. Who stops early waits for the one being made, and no thread is left.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="assent-ahead") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


@cache
def _pyformat(statement: str) -> str:
    """The statement as psycopg wants it."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)
