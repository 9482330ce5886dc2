"""What became of people who were erased, and what keeps others from being."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text

from lifecycle.models.base import STRICT, Field, SQLModel, instant, key, maybe_instant


class Erasure(SQLModel, table=True):
    """That a person's data went, why, what of it stayed; nothing here says who it was.

    `scrubbed_at` is when the database's files held no trace of it any more.
    """

    __tablename__ = "erasures"
    __table_args__ = STRICT

    id: int = key()
    user_id: int = Field(foreign_key="users.id", unique=True)
    request_id: int | None = Field(default=None, foreign_key="requests.id", nullable=True)
    cause: str
    erased_at: datetime = instant()
    scrubbed_at: datetime | None = maybe_instant()
    report: dict[str, Any] = Field(sa_type=JSON)


class Hold(SQLModel, table=True):
    """A legal hold: while it stands, the person's data stays."""

    __tablename__ = "holds"
    __table_args__ = STRICT

    id: int = key()
    user_id: int = Field(foreign_key="users.id", index=True)
    reason: str = Field(sa_type=Text)
    placed_at: datetime = instant()
    lifted_at: datetime | None = maybe_instant()
    lift_reason: str = Field(default="", sa_type=Text)
