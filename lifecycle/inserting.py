"""Rows that go in unless they are there: owing or recording a thing twice is harmless so."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlmodel import Session

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """`items` in runs of at most `size`, to stay below a database's limit of bound values."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def insert_once(session: Session, model: type[Any], rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows whose unique keys are new; how many were. Owing or recording a thing twice is harmless so."""
    return sum(
        _insert_new(session, insert_into(session)(model.__table__).values(list(some))) for some in chunks(rows, 200)
    )


def insert_selected(session: Session, model: type[Any], columns: Sequence[str], rows: Any) -> int:
    """`INSERT … SELECT` of the rows whose unique keys are new; how many were."""
    return _insert_new(session, insert_into(session)(model.__table__).from_select(list(columns), rows))


def insert_into(session: Session) -> Any:
    """The database's own INSERT, which can leave out rows whose unique keys are there."""
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    return insert


def _insert_new(session: Session, insert: Any) -> int:
    # Without preserve_rowcount SQLAlchemy answers -1 for an INSERT on PostgreSQL.
    options = {"preserve_rowcount": True}
    return session.connection().execute(insert.on_conflict_do_nothing(), execution_options=options).rowcount
