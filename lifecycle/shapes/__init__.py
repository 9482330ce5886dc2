"""The shapes in which things are shown as JSON: stable keys, natural names instead of our integers."""

from lifecycle.shapes.answers import answer, pin, unanswered
from lifecycle.shapes.messages import attempt, notice, reply, report, request, request_state, rollout
from lifecycle.shapes.people import (
    bound,
    engagement,
    erasure,
    grace,
    hold,
    surviving,
    termination,
    termination_state,
    user,
)
from lifecycle.shapes.shape import Shape
from lifecycle.shapes.texts import body, comparison, section, version, version_state

__all__ = [
    "Shape",
    "answer",
    "attempt",
    "body",
    "bound",
    "comparison",
    "engagement",
    "erasure",
    "grace",
    "hold",
    "notice",
    "pin",
    "reply",
    "report",
    "request",
    "request_state",
    "rollout",
    "section",
    "surviving",
    "termination",
    "termination_state",
    "unanswered",
    "user",
    "version",
    "version_state",
]
