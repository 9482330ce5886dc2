"""Requests that were answered and may come again."""

from datetime import datetime

from sqlalchemy import Text

from lifecycle.models.base import STRICT, Field, SQLModel, instant


class IdempotencyKey(SQLModel, table=True):
    """The host's key of a request, what it was sent for, and what it was answered. Forgotten after a day."""

    __tablename__ = "idempotency_keys"
    __table_args__ = STRICT

    key: str = Field(primary_key=True)
    request: str
    sha256: str
    status: int
    answer: str = Field(default="", sa_type=Text)
    created_at: datetime = instant(index=True)
