"""People bound by documents, what they chose, and what they asked."""

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint

from lifecycle.models.base import STRICT, Field, SQLModel, choice, instant, key, maybe_instant
from lifecycle.states import Channel, RequestKind, RequestOutcome


class User(SQLModel, table=True):
    """A person by the host's `external_id`; an empty string means the host gave none."""

    __tablename__ = "users"
    __table_args__ = STRICT

    id: int = key()
    external_id: str = Field(unique=True)
    email: str = ""
    email_bounced_at: datetime | None = maybe_instant()
    locale: str = ""
    time_zone: str = ""
    discord_id: str | None = Field(default=None, unique=True, nullable=True)
    created_at: datetime = instant()
    last_activity_at: datetime | None = maybe_instant(index=True)
    erased_at: datetime | None = maybe_instant()

    @property
    def takes_mail(self) -> bool:
        """Whether there is an address, and no mail to it came back because nobody is there."""
        return bool(self.email) and self.email_bounced_at is None


class Choice(SQLModel, table=True):
    """What a user opted into or out of; the latest row of a key counts."""

    __tablename__ = "choices"
    __table_args__ = STRICT

    id: int = key()
    user_id: int = Field(foreign_key="users.id", index=True)
    name: str
    value: bool
    at: datetime = instant()
    source: str


class Request(SQLModel, table=True):
    """What someone asked of staff. Someone without an account is known by Discord id or e-mail address alone.

    `joined_to` is the open request of the same person that this one repeats. `erase_at` is when the account behind
    an erasure request goes, once the person has proven to be its owner and wants that.
    """

    __tablename__ = "requests"
    __table_args__ = STRICT

    id: int = key()
    user_id: int | None = Field(default=None, foreign_key="users.id", index=True, nullable=True)
    discord_id: str = ""
    email: str = ""
    kind: RequestKind = choice(RequestKind)
    subject: str = Field(sa_type=Text)
    details: str = Field(default="", sa_type=Text)
    source: str
    regime: str = "contract"
    joined_to: int | None = Field(default=None, foreign_key="requests.id", index=True, nullable=True)
    opened_at: datetime = instant()
    answered_at: datetime | None = maybe_instant()
    closed_at: datetime | None = maybe_instant()
    outcome: RequestOutcome | None = choice(RequestOutcome, default=None, nullable=True)
    outcome_reason: str = Field(default="", sa_type=Text)
    extended_at: datetime | None = maybe_instant()
    extension_reason: str = Field(default="", sa_type=Text)
    verified_at: datetime | None = maybe_instant()
    verified_by: str = Field(default="", sa_type=Text)
    erase_at: datetime | None = maybe_instant()
    erased_at: datetime | None = maybe_instant()
    staff_message_id: str = ""


class Reply(SQLModel, table=True):
    """An answer of staff to a request."""

    __tablename__ = "replies"
    __table_args__ = (UniqueConstraint("request_id", "nth"), STRICT)

    id: int = key()
    request_id: int = Field(foreign_key="requests.id")
    nth: int
    text: str = Field(sa_type=Text)
    at: datetime = instant()
    channel: Channel | None = choice(Channel, default=None, nullable=True)
