"""What the interface takes: every field named, nothing else let in."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lifecycle.instants import require_aware
from lifecycle.states import DocumentKind, Emergency, EngagementKind, Initiator, Mode, OnObjection, RequestKind, ToldBy

Instant = Annotated[datetime, AfterValidator(require_aware)]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewDocument(Input):
    slug: str
    title: str
    kind: DocumentKind = DocumentKind.OTHER
    default_locale: str = "en"


class NewVersion(Input):
    texts: dict[str, str]
    titles: dict[str, str] = {}
    changelogs: dict[str, list[str]] = {}
    surviving: list[str] = []
    allow_loss: bool = False


class NewPublication(Input):
    mode: Mode
    effective_at: Instant | None = None
    notice_days: int = 0
    deadline_days: int = 0
    changelog: list[str] = []
    notify: bool = True
    notify_at: Instant | None = None
    regime: str = "contract"
    override_reason: str = ""
    allow_loss: bool = False
    on_objection: OnObjection = OnObjection.KEEP
    objection_notice_days: int = 30


class RehearsedMail(NewPublication):
    user: str


class TestMail(NewPublication):
    address: str
    user: str | None = None


class NewRollout(Input):
    at: Instant | None = None


class Reason(Input):
    reason: str


class UserFacts(Input):
    email: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    discord_id: str | None = None


class Seen(Input):
    user: str
    at: datetime | None = None  # now; one without a zone is a problem of its own entry


class NewEngagement(Input):
    document: str
    version: int
    kind: EngagementKind
    sha256: str = ""
    wording: str = ""
    channel: str = "api"
    ip: str = ""
    user_agent: str = ""
    at: Instant | None = None


class GroundReference(Input):
    document: str
    section: str


class NewTermination(Input):
    initiated_by: Initiator
    reason: str = ""
    grounds: list[GroundReference] = []
    facts: str = ""
    automated: bool = False
    notice_days: int = 0
    notice_at: Instant | None = None
    effective_at: Instant | None = None
    regime: str = "contract"
    redress: str = ""
    override_reason: str = ""
    scope: str = ""
    ends_at: Instant | None = None
    emergency: Emergency | None = None
    legal_ground: str = ""


class NewGrace(Input):
    document: str
    version: int
    user: str | None = None
    until: Instant | None = None
    reason: str


class NewAppeal(Input):
    text: str
    stay: bool = False


class NoticeGiven(Input):
    by: ToldBy
    evidence: str
    told_at: Instant


class Resolution(Input):
    outcome: str


class NewRequest(Input):
    kind: RequestKind
    subject: str
    details: str = ""
    user: str | None = None
    email: str = ""
    regime: str | None = None


class Proof(Input):
    how: str = ""


class ErasureDate(Input):
    at: Instant | None = None


class NewChoice(Input):
    value: bool
    source: str = "api"


class NewReply(Input):
    text: str


class Question(Input):
    question: str
    documents: list[str] = []
    locale: str = ""
    user: str | None = None


class NewPin(Input):
    document: str
    question: str
    section: str
    locale: str = ""
    lead_in: str = ""
    version: int | None = None


class Confirmation(Input):
    section: str = ""
    version: int | None = None


class Activity(Input):
    seen: list[Seen] = Field(max_length=10_000)
