"""What all tables share."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from lifecycle.columns import UTCDateTime, text_enum

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

STRICT = {"sqlite_strict": True}


def instant(**kwargs: Any) -> Any:
    """A required instant in UTC."""
    return Field(sa_type=UTCDateTime, **kwargs)


def maybe_instant(**kwargs: Any) -> Any:
    """An instant in UTC that may be unknown."""
    return Field(default=None, sa_type=UTCDateTime, nullable=True, **kwargs)


def choice(kind: type[Any], **kwargs: Any) -> Any:
    """A StrEnum stored as its text."""
    return Field(sa_type=text_enum(kind), **kwargs)


def key() -> Any:
    """The integer primary key that joins and set-based SQL use."""
    return Field(default=None, primary_key=True)


__all__ = ["STRICT", "Field", "SQLModel", "choice", "datetime", "instant", "key", "maybe_instant"]
