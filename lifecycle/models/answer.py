"""What staff say about questions, and the questions that found no answer."""

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint

from lifecycle.models.base import STRICT, Field, SQLModel, instant, key, maybe_instant


class Pin(SQLModel, table=True):
    """A question that staff say a section answers, with a sentence of theirs to lead in."""

    __tablename__ = "pins"
    __table_args__ = STRICT

    id: int = key()
    document_id: int = Field(foreign_key="documents.id", index=True)
    locale: str
    question: str = Field(sa_type=Text)
    lead_in: str = Field(default="", sa_type=Text)
    made_at: datetime = instant()
    removed_at: datetime | None = maybe_instant()


class PinPlace(SQLModel, table=True):
    """A section as it read when staff confirmed that it answers: the hash of its text."""

    __tablename__ = "pin_places"
    __table_args__ = (UniqueConstraint("pin_id", "anchor", "sha256"), STRICT)

    id: int = key()
    pin_id: int = Field(foreign_key="pins.id")
    anchor: str
    sha256: str
    confirmed_at: datetime = instant()


class Unanswered(SQLModel, table=True):
    """A question that found no answer. Nothing tells who asked it."""

    __tablename__ = "unanswered"
    __table_args__ = (UniqueConstraint("question", "locale"), STRICT)

    id: int = key()
    question: str
    locale: str
    outcome: str
    times: int = 1
    first_at: datetime = instant()
    last_at: datetime = instant(index=True)
    dismissed_at: datetime | None = maybe_instant()
