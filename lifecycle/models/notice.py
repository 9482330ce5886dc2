"""Notices, the tries to deliver them, and the campaigns that owe them."""

from datetime import datetime

from sqlalchemy import Double, Index, LargeBinary, Text, UniqueConstraint, text

from lifecycle.models.base import STRICT, Field, SQLModel, choice, instant, key, maybe_instant
from lifecycle.states import MAX_DOUBTS, PENDING_STATUSES, AttemptOutcome, Channel, NoticeStatus, Purpose, ReportKind

# Written out, not bound: only so do both databases see that a query may use the index below.
PENDING = text(f"status IN {tuple(map(str, PENDING_STATUSES))}")
WAITING = text(f"{PENDING} AND doubts < {MAX_DOUBTS}")

# Most notices are of campaigns, which should not pay for these indexes.
OF_REQUEST, OF_TERMINATION = text("request_id IS NOT NULL"), text("termination_id IS NOT NULL")


class Notice(SQLModel, table=True):
    """A message owed for one purpose over one channel; `key` says it is the only one (rule 6)."""

    __tablename__ = "notices"
    __table_args__ = (
        Index(
            "ix_notices_waiting", "channel", "priority", "due_at", "id", sqlite_where=WAITING, postgresql_where=WAITING
        ),
        Index(None, "status", "id"),
        Index(None, "version_id", "purpose", "status", "sent_at"),
        Index("ix_notices_request_id", "request_id", sqlite_where=OF_REQUEST, postgresql_where=OF_REQUEST),
        Index(
            "ix_notices_termination_id", "termination_id", sqlite_where=OF_TERMINATION, postgresql_where=OF_TERMINATION
        ),
        STRICT,
    )

    id: int = key()
    key: str = Field(unique=True)
    purpose: Purpose = choice(Purpose)
    channel: Channel = choice(Channel)
    user_id: int | None = Field(default=None, foreign_key="users.id", index=True, nullable=True)
    address: str = ""
    version_id: int | None = Field(default=None, foreign_key="versions.id", nullable=True)
    termination_id: int | None = Field(default=None, foreign_key="terminations.id", nullable=True)
    reply_id: int | None = Field(default=None, foreign_key="replies.id", nullable=True)
    request_id: int | None = Field(default=None, foreign_key="requests.id", nullable=True)

    created_at: datetime = instant()
    due_at: datetime = instant()
    priority: int
    status: NoticeStatus = choice(NoticeStatus, default=NoticeStatus.OWED)
    reason: str = Field(default="", sa_type=Text)
    attempts: int = 0
    doubts: int = 0
    claim: str = ""
    lease_until: datetime | None = maybe_instant()
    begun_at: datetime | None = maybe_instant()  # of the hand-over under way, else of the last one
    sent_at: datetime | None = maybe_instant()
    message_id: str = ""
    message_sha256: str = ""  # of the exact message, once the message itself was erased


class Message(SQLModel, table=True):
    """The exact message of a notice from its first try on; `content` is compressed against the form, if it has one."""

    __tablename__ = "messages"
    __table_args__ = STRICT

    notice_id: int = Field(primary_key=True, foreign_key="notices.id")
    form_id: int | None = Field(default=None, foreign_key="message_forms.id", nullable=True)
    content: bytes = Field(sa_type=LargeBinary)


class MessageForm(SQLModel, table=True):
    """What is the same in the messages of a campaign: the dictionary with which they are kept compressed."""

    __tablename__ = "message_forms"
    __table_args__ = STRICT

    id: int = key()
    sha256: str = Field(unique=True)
    common: bytes = Field(sa_type=LargeBinary)


class Attempt(SQLModel, table=True):
    """One try at a notice, written down at its end, with the relay's own words."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("notice_id", "nth"), STRICT)

    id: int = key()
    notice_id: int = Field(foreign_key="notices.id")
    nth: int
    address: str
    started_at: datetime = instant()
    finished_at: datetime | None = maybe_instant()
    outcome: AttemptOutcome = choice(AttemptOutcome)
    code: int | None = Field(default=None, nullable=True)
    reply: str = Field(default="", sa_type=Text)


class Report(SQLModel, table=True):
    """What was said of a mail after its hand-over, by a bounce or by the provider; `digest` makes it one report."""

    __tablename__ = "reports"
    __table_args__ = STRICT

    id: int = key()
    notice_id: int = Field(foreign_key="notices.id", index=True)
    digest: str = Field(unique=True)
    kind: ReportKind = choice(ReportKind)
    code: str = ""
    address: str = ""
    text: str = Field(default="", sa_type=Text)
    source: str
    at: datetime = instant()


class Campaign(SQLModel, table=True):
    """The telling of everyone about a version, resumable at `cursor` (the last user id done).

    Up to `settled` nobody can turn up any more. Up to `doubted` somebody may, whom a transaction of `writers` adds.
    `paced_until` is the first instant that its notices leave free of the relay's hour.
    """

    __tablename__ = "campaigns"
    __table_args__ = STRICT

    id: int = key()
    version_id: int = Field(foreign_key="versions.id", unique=True)
    started_at: datetime = instant()
    cursor: int = 0
    planned: int = 0
    settled: int = 0
    doubted: int = 0
    writers: str = Field(default="", sa_type=Text)
    paced_until: datetime | None = maybe_instant()
    finished_at: datetime | None = maybe_instant()
    paused_at: datetime | None = maybe_instant()
    cancelled_at: datetime | None = maybe_instant()
    cancelled_reason: str = Field(default="", sa_type=Text)


class RelayBucket(SQLModel, table=True):
    """How many mails may still leave for one limit of the relay, as it stood at an instant; see notices/pacing.py."""

    __tablename__ = "relay_buckets"
    __table_args__ = STRICT

    name: str = Field(primary_key=True)
    level: float = Field(sa_type=Double)
    at: datetime = instant()


class RelayOutage(SQLModel, table=True):
    """The relay refuses everything, for as long as the row stands; see notices/breaker.py. There is one relay."""

    __tablename__ = "relay_outages"
    __table_args__ = STRICT

    name: str = Field(primary_key=True)
    since: datetime = instant()
    why: str = Field(sa_type=Text)
    tries: int = 1
    probe_at: datetime = instant()
    probed: bool = False
