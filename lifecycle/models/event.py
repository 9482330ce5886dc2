"""The append-only history."""

from datetime import datetime

from sqlalchemy import Index, Text

from lifecycle.models.base import STRICT, Field, SQLModel, instant, key


class Event(SQLModel, table=True):
    """Who did what to which thing, when. `entry` is the canonical byte form (RFC 8785), `sha256` its hash."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "thing", "thing_id"), STRICT)

    id: int = key()
    at: datetime = instant()
    actor: str
    verb: str
    thing: str
    thing_id: int
    entry: str = Field(sa_type=Text)
    sha256: str
