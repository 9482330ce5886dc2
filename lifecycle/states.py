"""Enums, the transitions they allow, and the dates that follow from them. Pure: no clock, no database."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from lifecycle.errors import InvalidInput
from lifecycle.instants import add_calendar

E = TypeVar("E", bound=StrEnum)


class DocumentKind(StrEnum):
    TERMS = "terms"
    PRIVACY = "privacy"
    COOKIES = "cookies"
    ACCEPTABLE_USE = "acceptable-use"
    DPA = "dpa"
    COMMUNITY = "community"
    OTHER = "other"


class Mode(StrEnum):
    """How a version comes to bind, from the mildest to the strictest."""

    EDITORIAL = "editorial"
    NOTICE = "notice"
    CONTINUED_USE = "continued_use"
    SILENCE = "silence"
    EXPLICIT = "explicit"

    @property
    def strictness(self) -> int:
        return list(Mode).index(self)


class EngagementKind(StrEnum):
    NOTIFIED = "notified"
    VIEWED = "viewed"
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    DEEMED_BY_USE = "deemed_by_use"
    DEEMED_BY_SILENCE = "deemed_by_silence"
    DECLINED = "declined"
    OBJECTED = "objected"
    WITHDRAWN = "withdrawn"
    IMPORTED = "imported"
    BOUNCED = "bounced"  # the notice came back: what rests on it is void


# What a user says to a version; the last one counts.
ANSWERS = (EngagementKind.ACCEPTED, EngagementKind.DECLINED, EngagementKind.OBJECTED, EngagementKind.WITHDRAWN)

# What rests on a notice: void once the record says, later, that the notice of the version came back.
ON_NOTICE = (EngagementKind.NOTIFIED, EngagementKind.DEEMED_BY_USE, EngagementKind.DEEMED_BY_SILENCE)

# Which recorded facts make a version bind, by the strictest mode that stands between the user and it.
BINDING_KINDS: dict[Mode, frozenset[EngagementKind]] = {
    mode: frozenset({EngagementKind.ACCEPTED, EngagementKind.IMPORTED, *extra})
    for mode, extra in {
        Mode.EDITORIAL: {EngagementKind.NOTIFIED, EngagementKind.ACKNOWLEDGED},
        Mode.NOTICE: {EngagementKind.NOTIFIED, EngagementKind.ACKNOWLEDGED},
        Mode.CONTINUED_USE: {EngagementKind.DEEMED_BY_USE},
        Mode.SILENCE: {EngagementKind.DEEMED_BY_SILENCE},
        Mode.EXPLICIT: set[EngagementKind](),
    }.items()
}


class Decision(StrEnum):
    """What a user may do now."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"


class Channel(StrEnum):
    EMAIL = "email"
    DISCORD = "discord"


class Purpose(StrEnum):
    """What a notice is for; each has a template of the same name, but a test mail, which has that of what it tries."""

    VERSION_PUBLISHED = "version_published"
    ACCEPTANCE_REMINDER = "acceptance_reminder"
    ACCEPTANCE_OVERDUE = "acceptance_overdue"
    TERMINATION_NOTICE = "termination_notice"
    TERMINATION_EFFECTIVE = "termination_effective"
    INACTIVITY_WARNING = "inactivity_warning"
    TERMINATION_RESCINDED = "termination_rescinded"
    REINSTATED = "reinstated"
    REQUEST_RECEIVED = "request_received"
    REQUEST_EXTENDED = "request_extended"
    REQUEST_ANSWERED = "request_answered"
    REQUEST_REFUSED = "request_refused"
    REQUEST_OVERDUE = "request_overdue"
    ERASURE_SCHEDULED = "erasure_scheduled"
    TEST = "test"

    @property
    def priority(self) -> int:
        """Lower leaves first: what ends someone's access never queues behind a campaign."""
        bulk = {Purpose.VERSION_PUBLISHED, Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE}
        return 10 if self in bulk else 0


PRIORITIES = sorted({purpose.priority for purpose in Purpose})
TEMPLATED = [purpose for purpose in Purpose if purpose is not Purpose.TEST]


class NoticeStatus(StrEnum):
    OWED = "owed"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    FAILED = "failed"
    HELD = "held"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    DELIVERED = "delivered"
    BOUNCED = "bounced"


class RolloutState(StrEnum):
    """How far the telling of everyone has come; derived, but for the two that staff decide."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    OPEN = "open"
    FINISHED = "finished"


class AttemptOutcome(StrEnum):
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ReportKind(StrEnum):
    """What a relay further on says of a mail that was handed over."""

    DELIVERED = "delivered"
    DELAYED = "delayed"  # it is still being tried
    UNDELIVERED = "undelivered"  # given up; the address itself may be good: full, too large, taken for spam
    BAD_ADDRESS = "bad_address"  # given up, because nobody is there

    @property
    def bounced(self) -> bool:
        return self in {ReportKind.UNDELIVERED, ReportKind.BAD_ADDRESS}


class Initiator(StrEnum):
    """Who ends the access."""

    PROVIDER = "provider"
    USER = "user"
    INACTIVITY = "inactivity"


class OnObjection(StrEnum):
    """What follows an objection in time: the old version goes on binding, or the provider parts from the user."""

    KEEP = "keep"
    TERMINATE = "terminate"


class PromiseKind(StrEnum):
    """What a sentence of a text promises that a machine can check; `none` is said by staff alone."""

    NOTICE = "notice"
    WITHOUT_NOTICE = "without_notice"
    CONTACT = "contact"
    INVITE = "invite"
    AGE = "age"
    DELETION = "deletion"
    NONE = "none"


class Emergency(StrEnum):
    """Why access may end before its notice: the law demands it, or someone's safety."""

    LAW = "law"
    SAFETY = "safety"


class ToldBy(StrEnum):
    """How staff gave a notice that no channel could."""

    POST = "post"
    PUBLISHED = "published"


class RequestKind(StrEnum):
    QUESTION = "question"
    SUPPORT = "support"
    ERASURE = "erasure"
    ACCESS = "access"
    OPT_OUT = "opt_out"
    OBJECTION = "objection"
    APPEAL = "appeal"
    ABUSE = "abuse"
    UNDERAGE = "underage"


class RequestOutcome(StrEnum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    ERASED = "erased"


# What the law gives people a claim to; asked twice while open, it is one request.
CLAIMS = frozenset({RequestKind.ERASURE, RequestKind.ACCESS, RequestKind.OPT_OUT, RequestKind.OBJECTION})

# Waiting for the dispatcher, at their due instant.
PENDING_STATUSES = (NoticeStatus.OWED, NoticeStatus.DEFERRED, NoticeStatus.UNKNOWN)
# Proof that the notice was sent, as long as it has not come back.
PROVEN_STATUSES = (NoticeStatus.SENT, NoticeStatus.DELIVERED)

NOTICE_TRANSITIONS: dict[NoticeStatus, frozenset[NoticeStatus]] = {
    NoticeStatus.OWED: frozenset(
        {NoticeStatus.SENDING, NoticeStatus.SENT, NoticeStatus.HELD, NoticeStatus.CANCELLED, NoticeStatus.FAILED}
    ),
    NoticeStatus.SENDING: frozenset(
        {NoticeStatus.SENT, NoticeStatus.DEFERRED, NoticeStatus.FAILED, NoticeStatus.UNKNOWN}
    ),
    # A late word from a worker that lost its lease may prove that a copy left, whatever became of the repeat.
    NoticeStatus.DEFERRED: frozenset(
        {NoticeStatus.SENDING, NoticeStatus.SENT, NoticeStatus.HELD, NoticeStatus.CANCELLED, NoticeStatus.FAILED}
    ),
    NoticeStatus.HELD: frozenset({NoticeStatus.OWED, NoticeStatus.SENT, NoticeStatus.CANCELLED}),
    NoticeStatus.UNKNOWN: frozenset(
        {NoticeStatus.SENDING, NoticeStatus.SENT, NoticeStatus.OWED, NoticeStatus.CANCELLED, NoticeStatus.BOUNCED}
    ),
    NoticeStatus.FAILED: frozenset({NoticeStatus.OWED, NoticeStatus.SENT, NoticeStatus.CANCELLED}),
    NoticeStatus.SENT: frozenset({NoticeStatus.DELIVERED, NoticeStatus.BOUNCED}),
    NoticeStatus.DELIVERED: frozenset({NoticeStatus.BOUNCED}),
    NoticeStatus.BOUNCED: frozenset(),
    NoticeStatus.CANCELLED: frozenset(),
    NoticeStatus.SKIPPED: frozenset({NoticeStatus.OWED, NoticeStatus.CANCELLED}),
}

MAX_DOUBTS = 2  # rule 7: one hand-over in doubt is repeated once, then it is left to staff


def parse_choice(kind: type[E], value: str, *, what: str) -> E:
    """The member of `kind` written `value`; raises InvalidInput that lists the members."""
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"{what} {value!r} is not one of: {', '.join(kind)}.") from None


def answer_deadline(mode: Mode, effective_at: datetime, told_at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Until when who was told at `told_at` may answer: the later of the version's deadline and the one from then."""
    if mode is Mode.SILENCE:  # the window ends no earlier than the version comes in force
        return max(effective_at, add_calendar(told_at, zone, days=days))
    return add_calendar(max(effective_at, told_at), zone, days=days)


def next_try(now: datetime, attempts: int, jitter: float) -> datetime:
    """When a deferred notice is tried again: 1, 2, 4 … minutes up to 4 hours, times 1 to 1.25 by `jitter` in 0..1."""
    minutes = min(2 ** max(attempts - 1, 0), 240)
    return now + timedelta(minutes=minutes) * (1 + jitter / 4)
