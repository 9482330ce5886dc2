"""What calendars are derived from besides versions: deadlines moved by staff, and a mark that all of it changed."""

from datetime import datetime

from sqlalchemy import BigInteger, Text

from lifecycle.models.base import STRICT, Field, SQLModel, instant, key, maybe_instant


class Grace(SQLModel, table=True):
    """A decision of staff about the deadline of a version, for one user or (without one) for all.

    It ends no earlier than `until`; without `until` there is no deadline: the users are exempt. One that is undone
    counted until then, so that what a user did in time stays done in time.
    """

    __tablename__ = "graces"
    __table_args__ = STRICT

    id: int = key()
    version_id: int = Field(foreign_key="versions.id", index=True)
    user_id: int | None = Field(default=None, foreign_key="users.id", index=True, nullable=True)
    until: datetime | None = maybe_instant()
    reason: str = Field(sa_type=Text)
    actor: str
    decided_at: datetime = instant()
    undone_at: datetime | None = maybe_instant()
    undo_reason: str = Field(default="", sa_type=Text)

    @property
    def exempts(self) -> bool:
        return self.until is None and self.undone_at is None

    @property
    def lasts_until(self) -> datetime | None:
        """To when the deadline is put off; None while it is lifted."""
        known = [instant for instant in (self.until, self.undone_at) if instant is not None]
        return min(known, default=None)


class TimetableMark(SQLModel, table=True):
    """One row whose random token the database changes whenever documents, versions or graces for all do."""

    __tablename__ = "timetable_marks"
    __table_args__ = STRICT

    id: int = key()
    token: int = Field(sa_type=BigInteger)
