"""Column types beyond those of SQLAlchemy, their names in STRICT tables, and an instant some seconds later."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Double, Enum, Float, Integer, LargeBinary, String
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import JSON, BigInteger, TypeDecorator

from lifecycle.instants import require_aware


class UTCDateTime(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, timestamptz on PostgreSQL, sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant = value if value.tzinfo is UTC else require_aware(value)
        return instant if dialect.name == "postgresql" else instant.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactText(TypeDecorator[str]):
    """A text kept as its UTF-8 bytes: real policies hold NUL characters, which PostgreSQL's text cannot."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode("utf-8")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8")


def text_enum(kind: type[Any]) -> Any:
    """A column type that stores a StrEnum as its text value."""
    return Enum(kind, native_enum=False, length=32, values_callable=lambda members: [m.value for m in members])


# STRICT tables of SQLite know these names only; what a type means is kept on the Python side.
STRICT_NAMES: dict[type[Any], str] = {
    Boolean: "INTEGER",
    BigInteger: "INTEGER",
    DateTime: "TEXT",
    Enum: "TEXT",
    Double: "REAL",
    Float: "REAL",
    Integer: "INTEGER",
    JSON: "TEXT",
    LargeBinary: "BLOB",
    String: "TEXT",
}


def _strict(name: str) -> Callable[..., str]:
    return lambda element, compiler, **kw: name


for _type, _name in STRICT_NAMES.items():
    compiles(_type, "sqlite")(_strict(_name))


class later_by(FunctionElement[datetime]):
    """SQL for an instant plus a number of seconds: `later_by(instant, seconds)`."""

    type = UTCDateTime()
    inherit_cache = True


@compiles(later_by, "sqlite")
def _later_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    instant, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(strftime('%Y-%m-%d %H:%M:%f', {instant}, '+' || ({seconds}) || ' seconds') || '000')"


@compiles(later_by, "postgresql")
def _later_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    instant, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({instant} + ({seconds}) * interval '1 second')"
