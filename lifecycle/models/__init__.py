"""The tables, one file per thing."""

from lifecycle.models.answer import Pin, PinPlace, Unanswered
from lifecycle.models.document import Body, Document, Origin, PromiseMark, SectionRow, Version
from lifecycle.models.engagement import Engagement, Trace
from lifecycle.models.erasure import Erasure, Hold
from lifecycle.models.event import Event
from lifecycle.models.idempotency import IdempotencyKey
from lifecycle.models.notice import Attempt, Campaign, Message, MessageForm, Notice, RelayBucket, RelayOutage, Report
from lifecycle.models.termination import Ground, Termination
from lifecycle.models.timetable import Grace, TimetableMark
from lifecycle.models.user import Choice, Reply, Request, User

__all__ = [
    "Attempt",
    "Body",
    "Campaign",
    "Choice",
    "Document",
    "Engagement",
    "Erasure",
    "Event",
    "Grace",
    "Ground",
    "Hold",
    "IdempotencyKey",
    "Message",
    "MessageForm",
    "Notice",
    "Origin",
    "Pin",
    "PinPlace",
    "PromiseMark",
    "RelayBucket",
    "RelayOutage",
    "Reply",
    "Report",
    "Request",
    "SectionRow",
    "Termination",
    "TimetableMark",
    "Trace",
    "Unanswered",
    "User",
    "Version",
]
