"""The end of a user's access and the clauses it rests on."""

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint, text

from lifecycle.models.base import STRICT, Field, SQLModel, choice, instant, key, maybe_instant
from lifecycle.states import Emergency, Initiator, ToldBy

OPEN = text("rescinded_at IS NULL AND reinstated_at IS NULL")


class Termination(SQLModel, table=True):
    """A decision to end access. `takes_effect_at` is unknown until its notice is proven sent (rule 5).

    A suspension is one with an end (`ends_at`). While it is stayed, after an appeal, it has no effect.
    """

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
    scope: str = Field(default="", sa_type=Text)  # what of the service it ends; empty: all of it
    emergency: Emergency | None = choice(Emergency, default=None, nullable=True)
    legal_ground: str = Field(default="", sa_type=Text)
    exit_right: str = Field(default="", sa_type=Text)
    decided_at: datetime = instant()
    notice_days: int = 0
    effective_at: datetime = instant()
    ends_at: datetime | None = maybe_instant(index=True)

    takes_effect_at: datetime | None = maybe_instant(index=True)
    took_effect_at: datetime | None = maybe_instant()
    told_by: ToldBy | None = choice(ToldBy, default=None, nullable=True)
    told_at: datetime | None = maybe_instant()
    told_evidence: str = Field(default="", sa_type=Text)
    stayed_at: datetime | None = maybe_instant()
    stay_reason: str = Field(default="", sa_type=Text)
    overridden_at: datetime | None = maybe_instant()
    override_reason: str = Field(default="", sa_type=Text)
    rescinded_at: datetime | None = maybe_instant()
    reinstated_at: datetime | None = maybe_instant()
    undo_reason: str = Field(default="", sa_type=Text)

    @property
    def is_whole(self) -> bool:
        """Whether it ends all of the service for good: no part of it, and no suspension."""
        return not self.scope and self.ends_at is None

    def in_effect(self, now: datetime) -> bool:
        """Whether it stands in the user's way at `now`."""
        undone = self.rescinded_at is not None or self.reinstated_at is not None
        begun = self.takes_effect_at is not None and self.takes_effect_at <= now
        return begun and not undone and self.stayed_at is None and not self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        """Whether its end has come, on record or not."""
        return self.ends_at is not None and self.ends_at <= now


class Ground(SQLModel, table=True):
    """The section of the version that bound the user on which a termination rests."""

    __tablename__ = "grounds"
    __table_args__ = (UniqueConstraint("termination_id", "section_id"), STRICT)

    id: int = key()
    termination_id: int = Field(foreign_key="terminations.id", index=True)
    section_id: int = Field(foreign_key="sections.id")
