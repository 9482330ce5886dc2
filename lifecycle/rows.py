"""Rows by the thousand, written and read by the driver's own means: what is asked for each mail and each user."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    cast,
    column,
    literal_column,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.expression import FunctionElement, SelectBase
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Session

from lifecycle.db import driver
from lifecycle.instants import require_aware

T = TypeVar("T")


def execute(session: Session, statement: UpdateBase, /, **values: Any) -> None:
    """A statement of a module by the driver's own means."""
    _run(session, statement, values)


def fetch(session: Session, kind: Callable[..., T], statement: SelectBase | UpdateBase, /, **values: Any) -> list[T]:
    """The rows of a statement of a module by the driver's own means, a `kind` made of the columns of each."""
    session.flush()
    prepared, cursor = _run(session, statement, values)
    return prepared.read(kind, cursor.fetchall())


def _run(session: Session, statement: SelectBase | UpdateBase, values: dict[str, Any]) -> tuple["_Prepared", Any]:
    connection = session.connection()
    prepared = _prepared(statement, connection.dialect, tuple(values))
    return prepared, driver(connection).cursor().execute(prepared.sql, prepared.bound(values))


class _Prepared:
    """A compiled statement, and how its values go to the driver and come back: column by column."""

    def __init__(self, statement: UpdateBase | SelectBase, dialect: Dialect, names: tuple[str, ...]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))
        self.sql = str(compiled)
        self._names: Sequence[str] = compiled.positiontup if compiled.positional else list(compiled.params)
        self._positional, to_driver = bool(compiled.positional), compiled._bind_processors
        self._given = [(name, to_driver.get(name)) for name in names]
        fixed = {name: value for name, value in compiled.params.items() if name not in names}
        self._fixed = {name: _processed([value], to_driver.get(name))[0] for name, value in fixed.items()}
        columns = compiled._result_columns if compiled._result_columns else []
        self._from_driver = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]

    def bound(self, values: dict[str, Any]) -> Any:
        """The values as the driver takes them."""
        given = {name: process(values[name]) if process else values[name] for name, process in self._given}
        given |= self._fixed
        return [given[name] for name in self._names] if self._positional else given

    def read(self, kind: Callable[..., T], rows: Sequence[tuple[Any, ...]]) -> list[T]:
        """What is made of the driver's rows."""
        columns = zip(zip(*rows, strict=True), self._from_driver, strict=True) if rows else ()
        return list(map(kind, *(_processed(*column) for column in columns))) if rows else []


def _processed(column: Sequence[Any], processor: Callable[[Any], Any] | None) -> Sequence[Any]:
    if processor is None:
        return column
    processed = {key: processor(value) for key, value in {id(value): value for value in column}.items()}
    return [processed[id(value)] for value in column]


@lru_cache(maxsize=256)
def _prepared(statement: UpdateBase | SelectBase, dialect: Dialect, names: tuple[str, ...]) -> _Prepared:
    return _Prepared(statement, dialect, names)


class Ids(TypeDecorator[Sequence[int]]):
    """Any number of ids as one value."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(BigInteger) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))


class among(FunctionElement[int]):
    """SQL for a column being one of the ids given as `name`: the same statement, however many these are."""

    type = Integer()  # a Boolean would be compared with 1 on SQLite, which no index is used for
    inherit_cache = True

    def __init__(self, column: Any, name: str) -> None:
        super().__init__(column, bindparam(name, type_=Ids()))


@compiles(among, "sqlite")
def _among_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    column, ids = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608  (a placeholder)


@compiles(among, "postgresql")
def _among_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    column, ids = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY({ids})"


def as_tuple(*values: Any) -> tuple[Any, ...]:
    """The columns of a row as they are."""
    return values


# -- many rows as one value --------------------------------------------------------------------------------------------


def as_given(session: Session, rows: Sequence[Sequence[Any]]) -> str:
    """The rows as `given` reads them. They go to the database in one step, in which Python can do something else."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    return json.dumps(rows, default=_sqlite_instant if sqlite else datetime.isoformat, separators=(",", ":"))


@lru_cache(maxsize=1024)  # most are written several times over, in rows of different tables
def _sqlite_instant(instant: datetime) -> str:
    return require_aware(instant).replace(tzinfo=None).isoformat(" ", "microseconds")


def given(model: type[Any], *names: str | TypeEngine[Any]) -> list[ColumnElement[Any]]:
    """SQL for rows that a statement is given as the value `given`, made by `as_given`: of these columns' types, or of
    a type itself. The rows may go on beyond what is named, so that several statements can be given the same."""
    row = each_row(bindparam("given", type_=String())).table_valued(column("value", JSON)).c.value
    items = (item(row, literal_column(str(nth))) for nth in range(len(names)))
    types = (getattr(model, name).type if isinstance(name, str) else name for name in names)
    return [cast(*each) for each in zip(items, types, strict=True)]


def parameters(model: type[Any], *names: str) -> list[ColumnElement[Any]]:
    """SQL for values of these columns that a statement is given by their names."""
    return [bindparam(name, type_=getattr(model, name).type) for name in names]


def is_first(named: Any, first: ColumnElement[Any]) -> ColumnElement[bool]:
    """SQL for a column being the `first` of a given row, which an index is used for."""
    return and_(_among_firsts(named), named == first)


class _among_firsts(FunctionElement[int]):
    """SQL for a column being the first of any given row: says nothing more, but leads to an index.

    PostgreSQL takes any number of given rows for a hundred, and would rather read a whole table of some thousand rows.
    """

    type = Integer()  # as of `among`
    inherit_cache = True

    def __init__(self, column: Any) -> None:
        super().__init__(column, bindparam("given", type_=String()))


@compiles(_among_firsts, "sqlite")
def _among_firsts_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "1"  # it begins with the rows given anyway


@compiles(_among_firsts, "postgresql")
def _among_firsts_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    column, rows = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY(ARRAY(SELECT (g ->> 0)::bigint FROM jsonb_array_elements(CAST({rows} AS jsonb)) g))"  # noqa: S608


class each_row(FunctionElement[Any]):
    """SQL for the rows of a JSON array."""

    name = "each_row"
    inherit_cache = True


class item(FunctionElement[Any]):
    """SQL for the nth of a row."""

    name = "item"
    inherit_cache = True


@compiles(each_row, "sqlite")
def _each_row_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(each_row, "postgresql")
def _each_row_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **kw)} AS jsonb))"


@compiles(item, "sqlite")
def _item_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    row, nth = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_extract({row}, '$[{nth}]')"


@compiles(item, "postgresql")
def _item_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    row, nth = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({row} ->> {nth})"
