"""The end of a user's access and the clauses it rests on."""

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint, text

from lifecycle.models.base import STRICT, Field, SQLModel, choice, instant, key, maybe_instant
from lifecycle.states import Initiator

OPEN = text("rescinded_at IS NULL AND reinstated_at IS NULL")


class Termination(SQLModel, table=True):
    """A decision to end access. `takes_effect_at` is unknown until its notice is proven sent (rule 5)."""

    __tablename__ = "terminations"
    __table_args__ = (
        Index("uq_terminations_open", "user_id", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
        STRICT,
    )

    id: int = key()
    user_id: int = Field(foreign_key="users.id", index=True)
    initiated_by: Initiator = choice(Initiator)
    reason: str = Field(sa_type=Text)
    facts: str = Field(default="", sa_type=Text)
    automated: bool = False
    regime: str = "contract"
    redress: str = Field(default="", sa_type=Text)
    decided_at: datetime = instant()
    notice_days: int = 0
    effective_at: datetime = instant()

    takes_effect_at: datetime | None = maybe_instant(index=True)
    took_effect_at: datetime | None = maybe_instant()
    overridden_at: datetime | None = maybe_instant()
    override_reason: str = Field(default="", sa_type=Text)
    rescinded_at: datetime | None = maybe_instant()
    reinstated_at: datetime | None = maybe_instant()
    undo_reason: str = Field(default="", sa_type=Text)


class Ground(SQLModel, table=True):
    """The section of the version that bound the user on which a termination rests."""

    __tablename__ = "grounds"
    __table_args__ = (UniqueConstraint("termination_id", "section_id"), STRICT)

    id: int = key()
    termination_id: int = Field(foreign_key="terminations.id", index=True)
    section_id: int = Field(foreign_key="sections.id")
