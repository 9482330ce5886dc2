"""Where personal data stands: of every column of every table, whether it goes with an erased person, or why it stays.

A test holds this list against the tables, so that no new column is forgotten.
"""

from typing import Any

from lifecycle.models import (
    Attempt,
    Choice,
    Engagement,
    Erasure,
    Grace,
    Ground,
    Hold,
    IdempotencyKey,
    Message,
    Notice,
    Reply,
    Report,
    Request,
    Termination,
    Trace,
    User,
)

GONE = "(erased)"

# Rows that go as a whole.
DELETED = frozenset({Trace, IdempotencyKey, Message})

# What is put in the place of a person's data. `users.external_id` becomes a random pseudonym.
ERASED: dict[type[Any], dict[str, Any]] = {
    User: {
        "external_id": "",
        "email": "",
        "email_bounced_at": None,
        "locale": "",
        "time_zone": "",
        "discord_id": None,
        "last_activity_at": None,
    },
    Notice: {"address": "", "reason": GONE},
    Attempt: {"address": "", "reply": ""},
    Report: {"address": "", "text": ""},
    Request: {
        "discord_id": "",
        "email": "",
        "subject": "",
        "details": "",
        "outcome_reason": "",
        "extension_reason": "",
        "verified_by": "",
    },
    Reply: {"text": ""},
    Termination: {
        "reason": GONE,
        "facts": "",
        "redress": "",
        "scope": "",
        "legal_ground": "",
        "told_evidence": "",
        "stay_reason": "",
        "override_reason": "",
        "undo_reason": "",
    },
    Grace: {"reason": GONE, "undo_reason": ""},
    Hold: {"reason": GONE, "lift_reason": ""},
    Choice: {},
    Engagement: {},
    Ground: {},
    Erasure: {},
}

# What stays of a person, under the pseudonym: why, and which columns.
STAYS: dict[type[Any], tuple[str, str]] = {
    User: ("since when there was somebody", "id created_at erased_at"),
    Engagement: (
        "which version, which act, when, with the hash and the button shown: proof of what bound whom",
        "id user_id version_id kind nth at recorded_at actor channel sha256 locale wording notice_id activity_at",
    ),
    Notice: (
        "that notice was given, of what and when, and the hash of its exact message",
        "id key purpose channel user_id version_id termination_id reply_id request_id created_at due_at priority "
        "status attempts doubts claim lease_until begun_at sent_at message_id message_sha256",
    ),
    Attempt: ("when each try was made and how it ended", "id notice_id nth started_at finished_at outcome code"),
    Report: ("what was reported of it, and when", "id notice_id digest kind code source at"),
    Request: (
        "that something was asked, of which kind and when, and what became of it: the record that the laws ask for",
        "id user_id kind source regime joined_to opened_at answered_at closed_at outcome extended_at verified_at "
        "erase_at erased_at staff_message_id",
    ),
    Reply: ("when it was answered", "id request_id nth at channel"),
    Termination: (
        "that access ended, when, under which law and with how much notice",
        "id user_id initiated_by automated regime emergency exit_right decided_at notice_days effective_at ends_at "
        "takes_effect_at took_effect_at told_by told_at stayed_at overridden_at rescinded_at reinstated_at",
    ),
    Ground: ("the clauses of our own texts that it rested on", "id termination_id section_id"),
    Grace: ("that a deadline was moved", "id version_id user_id until actor decided_at undone_at"),
    Hold: ("that data was held, and how long", "id user_id placed_at lifted_at"),
    Choice: ("what was opted into or out of, and when: proof that it was honoured", "id user_id name value at source"),
    Erasure: ("this erasure itself", "id user_id request_id cause erased_at scrubbed_at report"),
}

# Tables in which nobody's data stands: our own texts and what staff say of them, what is counted, questions
# kept without their asker, and the history, which holds ids and hashes.
NOBODYS = frozenset(
    {"documents", "versions", "bodies", "sections", "origins", "promise_marks", "pins", "pin_places", "unanswered"}
    | {"campaigns", "message_forms", "relay_buckets", "relay_outages", "events", "timetable_marks", "alembic_version"}
)
