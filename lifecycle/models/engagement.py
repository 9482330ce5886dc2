"""Append-only facts about a user and a version."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint

from lifecycle.models.base import STRICT, Field, SQLModel, choice, instant, key, maybe_instant
from lifecycle.states import EngagementKind


class Engagement(SQLModel, table=True):
    """What really happened between a user and a version; `nth` makes the same act twice one fact."""

    __tablename__ = "engagements"
    __table_args__ = (
        UniqueConstraint("user_id", "version_id", "kind", "nth"),
        Index(None, "user_id", "at", "id", "version_id", "kind"),  # all that standing asks for, in its order
        STRICT,
    )

    id: int = key()
    user_id: int = Field(foreign_key="users.id")
    version_id: int = Field(foreign_key="versions.id", index=True)
    kind: EngagementKind = choice(EngagementKind)
    nth: int = 1
    at: datetime = instant()
    recorded_at: datetime = instant()
    actor: str
    channel: str = ""
    sha256: str = ""
    locale: str = ""
    wording: str = ""
    notice_id: int | None = Field(default=None, foreign_key="notices.id", nullable=True)
    activity_at: datetime | None = maybe_instant()


class Trace(SQLModel, table=True):
    """Where an act came from: personal data, kept apart so that erasing it leaves the fact untouched."""

    __tablename__ = "traces"
    __table_args__ = STRICT

    engagement_id: int = Field(primary_key=True, foreign_key="engagements.id")
    ip: str = ""
    user_agent: str = ""
