"""Documents, their versions, bodies and sections."""

from datetime import datetime

from sqlalchemy import JSON, Text, UniqueConstraint

from lifecycle.columns import ExactText
from lifecycle.models.base import STRICT, Field, SQLModel, choice, instant, key, maybe_instant
from lifecycle.states import DocumentKind, Mode, OnObjection, PromiseKind


class Document(SQLModel, table=True):
    """A named text with a history."""

    __tablename__ = "documents"
    __table_args__ = STRICT

    id: int = key()
    slug: str = Field(unique=True)
    title: str
    kind: DocumentKind = choice(DocumentKind)
    default_locale: str
    created_at: datetime = instant()


class Version(SQLModel, table=True):
    """One immutable text of a document, with its publication once it has one."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("document_id", "number"), STRICT)

    id: int = key()
    document_id: int = Field(foreign_key="documents.id", index=True)
    number: int
    created_at: datetime = instant()
    imported: bool = False

    mode: Mode | None = choice(Mode, default=None, nullable=True)
    changelog: str = Field(default="", sa_type=Text)
    published_at: datetime | None = maybe_instant()
    effective_at: datetime | None = maybe_instant(index=True)
    notice_days: int = 0
    deadline_days: int = 0
    regime: str = "contract"
    override_reason: str = Field(default="", sa_type=Text)
    on_objection: OnObjection = choice(OnObjection, default=OnObjection.KEEP)
    objection_notice_days: int = 30

    withdrawn_at: datetime | None = maybe_instant()
    withdrawn_reason: str = Field(default="", sa_type=Text)


class Body(SQLModel, table=True):
    """The text of a version in one locale."""

    __tablename__ = "bodies"
    __table_args__ = (UniqueConstraint("version_id", "locale"), STRICT)

    id: int = key()
    version_id: int = Field(foreign_key="versions.id")
    locale: str
    title: str
    text: str = Field(sa_type=ExactText)
    changelog: str = Field(default="", sa_type=Text)
    sha256: str = Field(index=True)
    created_at: datetime = instant()


class SectionRow(SQLModel, table=True):
    """An addressable piece of a body: its source is `text[start:end]`, offsets in characters."""

    __tablename__ = "sections"
    __table_args__ = (UniqueConstraint("body_id", "position"), UniqueConstraint("body_id", "anchor"), STRICT)

    id: int = key()
    body_id: int = Field(foreign_key="bodies.id")
    position: int
    level: int
    number: str
    title: str
    anchor: str
    path: list[str] = Field(sa_type=JSON)
    start: int
    end: int
    survives: bool = False


class Origin(SQLModel, table=True):
    """Where an imported version comes from: the commit of a git repository, by its id."""

    __tablename__ = "origins"
    __table_args__ = (UniqueConstraint("document_id", "source"), STRICT)

    id: int = key()
    document_id: int = Field(foreign_key="documents.id")
    version_id: int = Field(foreign_key="versions.id", unique=True)
    source: str


class PromiseMark(SQLModel, table=True):
    """What staff say that a sentence promises, in whatever version of the document it stands."""

    __tablename__ = "promise_marks"
    __table_args__ = (UniqueConstraint("document_id", "locale", "quote"), STRICT)

    id: int = key()
    document_id: int = Field(foreign_key="documents.id")
    locale: str
    quote: str = Field(sa_type=Text)
    kind: PromiseKind = choice(PromiseKind)
    value: str = ""
    made_at: datetime = instant()
