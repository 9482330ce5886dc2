"""What each notice says: the values its template asks for, in the user's language and time zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_name
from sqlmodel import Session

from lifecycle import bindings, clauses, clocks, effects, graces, ledger, links, requests, standing, terminations
from lifecycle.documents import store
from lifecycle.models import Document, Notice, Reply, Request, Termination, User, Version
from lifecycle.notices.rendering import renderer
from lifecycle.settings import Settings
from lifecycle.states import Mode, Purpose, add_calendar

ANSWERABLE = {Mode.EXPLICIT, Mode.SILENCE}
ENDINGS = {Purpose.TERMINATION_NOTICE, Purpose.TERMINATION_EFFECTIVE, Purpose.INACTIVITY_WARNING}
REMINDERS = {Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the notice: their language, their zone, and how the operator is reached."""

    user: User | None
    locale: str
    zone: ZoneInfo
    settings: Settings

    def day(self, instant: datetime) -> str:
        """An instant as the reader writes it, with the zone named."""
        local = instant.astimezone(self.zone)
        locale = {"en": "en_GB"}.get(self.locale, self.locale.replace("-", "_"))
        day, time = format_date(local, "long", locale=locale), format_time(local, "HH:mm", locale=locale)
        return f"{day}, {time} ({get_timezone_name(local, locale=locale)})"


def reader(session: Session, notice: Notice, settings: Settings) -> Reader:
    user = session.get(User, notice.user_id) if notice.user_id else None
    locale = renderer().locale_for(user.locale if user else "", settings.default_locale)
    zone = ZoneInfo(user.time_zone) if user and user.time_zone else settings.zone
    return Reader(user, locale, zone, settings)


def values(session: Session, notice: Notice, who: Reader, *, now: datetime) -> dict[str, Any]:
    """The values for the notice's template."""
    settings = who.settings
    common = {
        "operator": settings.operator,
        "public_url": settings.base_url,
        "reply_to": settings.reply_to or settings.mail_from,
        "external_id": who.user.external_id if who.user else "",
    }
    return common | BUILDERS[notice.purpose](session, notice, who, now)


def unwanted(session: Session, notice: Notice, *, now: datetime) -> str:
    """Why the notice must not go out any more; empty when it must."""
    if notice.version_id is not None:
        version = session.get_one(Version, notice.version_id)
        if version.withdrawn_at is not None:
            return "the version was withdrawn"
        user = session.get_one(User, notice.user_id)
        ended = standing.open_termination(session, user)
        if ended is not None and ended.is_whole and ended.in_effect(now):
            return "the user's access has ended"
        if notice.purpose in REMINDERS and ledger.last_answer(session, user, version):
            return "the user has answered"
    if notice.purpose in ENDINGS:
        termination = session.get_one(Termination, notice.termination_id)
        if termination.rescinded_at is not None or termination.reinstated_at is not None:
            return "the termination was taken back"
        if notice.purpose is Purpose.INACTIVITY_WARNING and termination.in_effect(now):
            return "the termination took effect"
    if notice.purpose in {Purpose.ERASURE_SCHEDULED, Purpose.REQUEST_OVERDUE}:
        return _request_over(session.get_one(Request, notice.request_id), notice.purpose)
    return ""


def _request_over(request: Request, purpose: Purpose) -> str:
    if purpose is Purpose.ERASURE_SCHEDULED and request.erase_at is None:
        return "the erasure was called off"
    return "the request was closed" if request.closed_at else ""


def _version(session: Session, notice: Notice, who: Reader, now: datetime) -> dict[str, Any]:
    version = session.get_one(Version, notice.version_id)
    document = session.get_one(Document, version.document_id)
    body = store.body(session, version, who.locale)
    effective_at, published_at = _known(version.effective_at), _known(version.published_at)
    versions = store.chain(session, document.id)
    mode, due = _asked(session, version, versions, who, effective_at, now)
    token = links.answer_token(who.settings, _user(who).id, version.id, now=now)
    before = [v for v in store.standing_chain(versions, published_at) if v.id != version.id]
    pair = f"{before[-1].number}/{version.number}" if before else ""
    compare = f"{who.settings.base_url}/{document.slug}/compare/{pair}?locale={body.locale}" if pair else None
    return {
        "document": body.title,
        "number": version.number,
        "mode": mode,
        "in_force": effective_at <= now,
        "published_on": who.day(published_at),
        "effective_on": who.day(effective_at),
        "changes": [line for line in (body.changelog or version.changelog).splitlines() if line.strip()],
        "url": links.version_url(who.settings, document.slug, version.number, locale=body.locale),
        "compare_url": compare,
        "answer_url": f"{who.settings.base_url}/answer/{token}" if mode in ANSWERABLE else None,
        "due_on": who.day(due) if due else None,
    }


def _asked(
    session: Session, version: Version, versions: list[Version], who: Reader, effective_at: datetime, now: datetime
) -> tuple[Mode, datetime | None]:
    """What it takes to bind this user, and until when: an earlier version left unanswered may ask for more."""
    user = _user(who)
    asking, mode = bindings.asked_of(versions, ledger.facts(session, user), version, at=max(now, effective_at))
    told = ledger.notified(session, user, asking)
    due = bindings.deadline(asking, told.at if told else now, who.settings.zone, graces.of(session, user.id, asking.id))
    runs = asking is version or (asking.mode is Mode.EXPLICIT and due > now)
    return mode, due if mode in ANSWERABLE and runs else None


def _termination(session: Session, notice: Notice, who: Reader, now: datetime) -> dict[str, Any]:
    termination = session.get_one(Termination, notice.termination_id)
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
        "grounds": [_clause(clause, who) for clause in clauses.grounds(session, termination)],
        "redress": termination.redress,
        "surviving": [_clause(c, who) for c in clauses.surviving(session, _user(who), at=termination.decided_at)],
        "override_reason": termination.override_reason,
        "scope": termination.scope,
        "ends_on": who.day(termination.ends_at) if termination.ends_at else None,
        "emergency": termination.emergency,
        "legal_ground": termination.legal_ground,
        "exit_right": termination.exit_right,
    }


def _undone(session: Session, notice: Notice, who: Reader, now: datetime) -> dict[str, Any]:
    termination = session.get_one(Termination, notice.termination_id)
    undone = termination.rescinded_at or termination.reinstated_at or now
    return {
        "decided_on": who.day(termination.decided_at),
        "rescinded_on": who.day(undone),
        "reinstated_on": who.day(undone),
        "used_again": termination.undo_reason == terminations.USED_AGAIN,
        "suspension_over": termination.undo_reason == effects.SUSPENSION_OVER,
        "reason": termination.undo_reason,
    }


def _answer(session: Session, notice: Notice, who: Reader, now: datetime) -> dict[str, Any]:
    reply = session.get_one(Reply, notice.reply_id)
    request = session.get_one(Request, reply.request_id)
    return {
        "request_number": request.id,
        "kind": request.kind,
        "received_on": who.day(request.opened_at),
        "answer": reply.text,
    }


def _about_request(session: Session, notice: Notice, who: Reader, now: datetime) -> dict[str, Any]:
    request = session.get_one(Request, notice.request_id)
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
    address = requests.address(request, who.user)
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


def _user(who: Reader) -> User:
    assert who.user is not None, "notices about versions and terminations have a user"
    return who.user


def _known(instant: datetime | None) -> datetime:
    assert instant is not None, "only published versions are told of"
    return instant


Builder = Callable[[Session, Notice, Reader, datetime], dict[str, Any]]
BUILDERS: dict[Purpose, Builder] = {
    Purpose.VERSION_PUBLISHED: _version,
    Purpose.ACCEPTANCE_REMINDER: _version,
    Purpose.ACCEPTANCE_OVERDUE: _version,
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
