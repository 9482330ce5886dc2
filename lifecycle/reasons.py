"""A termination's statement of reasons in the field set of the European Commission's DSA Transparency Database.

Names and values as in the database's API documentation for creating a statement (DSA, Art. 17 and 24(5)). It must
hold no personal data, so the user is left out; whether reason and facts name anyone, staff must look.
"""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from lifecycle import clauses, engagements, links
from lifecycle.errors import RuleRefused
from lifecycle.models import Document, Termination, User
from lifecycle.settings import Settings
from lifecycle.states import Initiator

LIMITS = {
    "decision_facts": 5000,
    "incompatible_content_ground": 500,
    "incompatible_content_explanation": 2000,
    "illegal_content_legal_ground": 500,
    "illegal_content_explanation": 2000,
    "decision_ground_reference_url": 500,
}


@dataclass(frozen=True, slots=True)
class Filing:
    """What the database asks for and a termination does not know: how the case came up, and what kind it is."""

    category: str = "STATEMENT_CATEGORY_SCOPE_OF_PLATFORM_SERVICE"
    source_type: str = "SOURCE_VOLUNTARY"
    content_type: str = "CONTENT_TYPE_OTHER"
    content_type_other: str = "Account"
    automated_detection: bool = False
    territorial_scope: tuple[str, ...] = ()


def statement(session: Session, termination: Termination, filing: Filing, *, settings: Settings) -> dict[str, Any]:
    """The statement as JSON-able fields; texts are cut to the lengths that the database takes (characters).

    Raises RuleRefused for what the provider did not decide: there is nothing to give reasons for.
    """
    if termination.initiated_by is not Initiator.PROVIDER:
        raise RuleRefused(
            f"Termination {termination.id} is by {termination.initiated_by.value}: the database takes the reasons of "
            "the provider's decisions alone."
        )
    fields = {
        **_decision(termination),
        **_ground(session, termination, settings),
        "decision_facts": termination.facts or termination.reason,
        "content_type": [filing.content_type],
        "category": filing.category,
        "content_date": termination.decided_at.date().isoformat(),
        "application_date": (termination.takes_effect_at or termination.effective_at).date().isoformat(),
        "source_type": filing.source_type,
        "automated_detection": "Yes" if filing.automated_detection else "No",
        "automated_decision": "AUTOMATED_DECISION_" + ("FULLY" if termination.automated else "NOT_AUTOMATED"),
        "puid": f"termination-{termination.id}",
    }
    if filing.content_type == "CONTENT_TYPE_OTHER":
        fields["content_type_other"] = filing.content_type_other
    if filing.territorial_scope:
        fields["territorial_scope"] = list(filing.territorial_scope)
    return {name: value[: LIMITS[name]] if name in LIMITS else value for name, value in fields.items()}


def _decision(termination: Termination) -> dict[str, Any]:
    """The account when all access ends, the provision of the service when a part of it does; and until when."""
    ends = {} if termination.ends_at is None else {"on": termination.ends_at.date().isoformat()}
    if termination.scope:
        verb = "SUSPENSION" if ends else "TERMINATION"
        named = {"decision_provision": f"DECISION_PROVISION_PARTIAL_{verb}"}
        return named | ({"end_date_service_restriction": ends["on"]} if ends else {})
    named = {"decision_account": f"DECISION_ACCOUNT_{'SUSPENDED' if ends else 'TERMINATED'}"}
    return named | ({"end_date_account_restriction": ends["on"]} if ends else {})


def _ground(session: Session, termination: Termination, settings: Settings) -> dict[str, Any]:
    if termination.legal_ground:
        return {
            "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
            "illegal_content_legal_ground": termination.legal_ground,
            "illegal_content_explanation": termination.reason,
        }
    rests_on = clauses.grounds(session, termination)
    named = [f"{c.document}, version {c.version}, {c.number} {c.title}".rstrip() for c in rests_on]
    fields = {
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": "; ".join(named) or _bound(session, termination) or termination.reason,
        "incompatible_content_explanation": termination.reason,
        "incompatible_content_illegal": "No",
    }
    if rests_on:
        first = rests_on[0]
        fields["decision_ground_reference_url"] = links.version_url(
            settings, first.slug, first.version, locale=first.locale, anchor=first.anchor
        )
    return fields


def _bound(session: Session, termination: Termination) -> str:
    """The texts that bound the user when it was decided: what it rests on where it names no section."""
    user = session.get_one(User, termination.user_id)
    bound = engagements.bound_versions(session, user, at=termination.decided_at)
    titles = ((session.get_one(Document, found.version.document_id).title, found.version.number) for found in bound)
    return "; ".join(f"{title}, version {number}" for title, number in titles)
