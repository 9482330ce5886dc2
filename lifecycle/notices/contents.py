"""What each notice says: the values its template asks for, in the user's language and time zone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from lifecycle import clauses, clocks, effects, links, requests, terminations
from lifecycle.instants import add_calendar
from lifecycle.models import Reply, Request, Termination, User
from lifecycle.notices import to_many
from lifecycle.notices.readers import About, Known, Reader, of_all
from lifecycle.states import ANSWERS, Purpose

ENDINGS = {Purpose.TERMINATION_NOTICE, Purpose.TERMINATION_EFFECTIVE, Purpose.INACTIVITY_WARNING}


def values(known: Known, notice: About, who: Reader, *, now: datetime) -> dict[str, Any]:
    """The values for the notice's template."""
    if notice.purpose in to_many.TO_MANY:
        return to_many.said(known, notice, who, now=now).values
    whose = {"external_id": who.user.external_id if who.user else ""}
    return of_all(who.settings) | whose | BUILDERS[notice.purpose](known, notice, who, now)


def unwanted(known: Known, notice: About, *, now: datetime) -> str:
    """Why the notice must not go out any more; empty when it must."""
    if notice.version_id is not None:
        if known.version(notice).withdrawn_at is not None:
            return "the version was withdrawn"
        if known.ended(notice.user_id, now=now):
            return "the user's access has ended"
        return "the user has answered" if notice.purpose in to_many.REMINDERS and _answered(known, notice) else ""
    if notice.purpose in ENDINGS:
        termination = known.session.get_one(Termination, notice.termination_id)
        if termination.rescinded_at is not None or termination.reinstated_at is not None:
            return "the termination was taken back"
        if notice.purpose is Purpose.INACTIVITY_WARNING and termination.in_effect(now):
            return "the termination took effect"
    if notice.purpose in {Purpose.ERASURE_SCHEDULED, Purpose.REQUEST_OVERDUE}:
        return _request_over(known.session.get_one(Request, notice.request_id), notice.purpose)
    return ""


def _request_over(request: Request, purpose: Purpose) -> str:
    if purpose is Purpose.ERASURE_SCHEDULED and request.erase_at is None:
        return "the erasure was called off"
    return "the request was closed" if request.closed_at else ""


def _answered(known: Known, notice: About) -> bool:
    return notice.user_id is not None and any(
        fact.version_id == notice.version_id and fact.kind in ANSWERS for fact in known.facts(notice.user_id)
    )


def _termination(known: Known, notice: About, who: Reader, now: datetime) -> dict[str, Any]:
    termination = known.session.get_one(Termination, notice.termination_id)
    user = known.session.get_one(User, termination.user_id)
    period = add_calendar(now, who.settings.zone, days=termination.notice_days)
    earliest = termination.takes_effect_at or max(termination.effective_at, period)
    return {
        "initiated_by": termination.initiated_by,
        "decided_on": who.day(termination.decided_at),
        "effective_on": who.day(earliest),
        "notice_days": termination.notice_days,
        "reason": termination.reason,
        "facts": termination.facts,
        "automated": termination.automated,
        "grounds": [_clause(clause, who) for clause in clauses.grounds(known.session, termination)],
        "redress": termination.redress,
        "surviving": [_clause(c, who) for c in clauses.surviving(known.session, user, at=termination.decided_at)],
        "override_reason": termination.override_reason,
        "scope": termination.scope,
        "ends_on": who.day(termination.ends_at) if termination.ends_at else None,
        "emergency": termination.emergency,
        "legal_ground": termination.legal_ground,
        "exit_right": termination.exit_right,
    }


def _undone(known: Known, notice: About, who: Reader, now: datetime) -> dict[str, Any]:
    termination = known.session.get_one(Termination, notice.termination_id)
    undone = termination.rescinded_at or termination.reinstated_at or now
    return {
        "decided_on": who.day(termination.decided_at),
        "rescinded_on": who.day(undone),
        "reinstated_on": who.day(undone),
        "used_again": termination.undo_reason == terminations.USED_AGAIN,
        "suspension_over": termination.undo_reason == effects.SUSPENSION_OVER,
        "reason": termination.undo_reason,
    }


def _answer(known: Known, notice: About, who: Reader, now: datetime) -> dict[str, Any]:
    reply = known.session.get_one(Reply, notice.reply_id)
    request = known.session.get_one(Request, reply.request_id)
    return {
        "request_number": request.id,
        "kind": request.kind,
        "received_on": who.day(request.opened_at),
        "answer": reply.text,
    }


def _about_request(known: Known, notice: About, who: Reader, now: datetime) -> dict[str, Any]:
    request = known.session.get_one(Request, notice.request_id)
    zone = who.settings.zone
    due = clocks.due(request, zone)
    if notice.purpose is Purpose.REQUEST_OVERDUE:
        due = notice.due_at
    proof = _proof(request, who, now) if notice.purpose is Purpose.REQUEST_RECEIVED else ""
    refused = notice.purpose is Purpose.REQUEST_REFUSED
    return {
        "request_number": request.id,
        "kind": request.kind,
        "regime": request.regime,
        "received_on": who.day(request.opened_at),
        "due_on": who.day(due) if due else None,
        "reason": request.outcome_reason if refused else request.extension_reason,
        "prove_url": proof or None,
        "prove_by": who.day(now + timedelta(days=links.PROOF_DAYS)),
        "erase_on": who.day(request.erase_at) if request.erase_at else None,
    }


def _proof(request: Request, who: Reader, now: datetime) -> str:
    """The link that proves who asked, where that matters and there is an address to mail it to."""
    address = who.user.email if who.user else request.email
    if request.kind not in requests.PROVEN or request.verified_at or not address:
        return ""
    token = links.proof_token(who.settings, request.id, address, now=now)
    return f"{who.settings.base_url}/prove/{token}"


def _clause(clause: clauses.Clause, who: Reader) -> dict[str, Any]:
    url = links.version_url(who.settings, clause.slug, clause.version, locale=clause.locale, anchor=clause.anchor)
    return {
        "document": clause.document,
        "version": clause.version,
        "number": clause.number,
        "title": clause.title,
        "text": clause.text,
        "url": url,
    }


Builder = Callable[[Known, About, Reader, datetime], dict[str, Any]]
BUILDERS: dict[Purpose, Builder] = {
    Purpose.TERMINATION_NOTICE: _termination,
    Purpose.TERMINATION_EFFECTIVE: _termination,
    Purpose.INACTIVITY_WARNING: _termination,
    Purpose.TERMINATION_RESCINDED: _undone,
    Purpose.REINSTATED: _undone,
    Purpose.REQUEST_RECEIVED: _about_request,
    Purpose.REQUEST_EXTENDED: _about_request,
    Purpose.REQUEST_ANSWERED: _answer,
    Purpose.REQUEST_REFUSED: _about_request,
    Purpose.REQUEST_OVERDUE: _about_request,
    Purpose.ERASURE_SCHEDULED: _about_request,
}
