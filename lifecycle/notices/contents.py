"""What each notice says: the values its template asks for, in the user's language and time zone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy
from babel.dates import format_date, format_time, get_timezone_name
from sqlmodel import Session, col

from lifecycle import bindings, clauses, clocks, effects, endings, exits, graces, ledger, links, requests, terminations
from lifecycle.documents import store
from lifecycle.instants import add_calendar
from lifecycle.models import Document, Engagement, Grace, Notice, Reply, Request, Termination, User, Version
from lifecycle.notices.outbox import Due
from lifecycle.notices.rendering import renderer
from lifecycle.rows import among, fetch
from lifecycle.settings import Settings
from lifecycle.states import ANSWERS, EngagementKind, Mode, Purpose

ANSWERABLE = {Mode.EXPLICIT, Mode.SILENCE}
ENDINGS = {Purpose.TERMINATION_NOTICE, Purpose.TERMINATION_EFFECTIVE, Purpose.INACTIVITY_WARNING}
REMINDERS = {Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE}
TO_MANY = {Purpose.VERSION_PUBLISHED, *REMINDERS}
# Of a notice to many, what is said to all of one language and zone. What stands here is kept once for all of them,
# and so outlives each of them: never what is about a person.
COMMON = {
    "changes",
    "compare_url",
    "document",
    "effective_on",
    "in_force",
    "mode",
    "number",
    "operator",
    "public_url",
    "published_on",
    "reply_to",
    "url",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the notice: their language, their zone, and how the operator is reached."""

    user: "Addressee | User | None"
    locale: str
    zone: ZoneInfo
    settings: Settings

    def day(self, instant: datetime) -> str:
        """An instant as the reader writes it, with the zone named."""
        return _day(instant, self.zone, self.locale)


@lru_cache(maxsize=1024)
def _day(instant: datetime, zone: ZoneInfo, written: str) -> str:
    local = instant.astimezone(zone)
    locale = {"en": "en_GB"}.get(written, written.replace("-", "_"))
    day, time = format_date(local, "long", locale=locale), format_time(local, "HH:mm", locale=locale)
    return f"{day}, {time} ({get_timezone_name(local, locale=locale)})"


class Addressee(NamedTuple):
    """What a notice asks of the user it goes to."""

    id: int
    external_id: str
    email: str
    email_bounced_at: datetime | None
    discord_id: str | None
    locale: str
    time_zone: str

    @property
    def takes_mail(self) -> bool:
        """As `User.takes_mail`."""
        return bool(self.email) and self.email_bounced_at is None


_USERS = sqlalchemy.select(*(getattr(User, name) for name in Addressee._fields)).where(among(col(User.id), "ids"))
About = Notice | Due  # the object, or the row of many


class Known:
    """What some notices are about, read for all of them at once: a mail of a campaign costs no query of its own."""

    def __init__(self, session: Session, notices: Sequence[About]) -> None:
        ids = {notice.user_id for notice in notices if notice.user_id is not None}
        told = {notice.user_id for notice in notices if notice.user_id is not None and notice.version_id is not None}
        self.session = session
        self._users = {user.id: user for user in fetch(session, Addressee, _USERS, ids=ids)}
        self._ended = endings.open_terminations(session, told) if told else {}
        self._facts = ledger.facts_by_user(session, told) if told else {}
        self._graces = graces.of_users(session, told) if told else []
        self._made: dict[tuple[Any, ...], Any] = {}

    def user(self, notice: About) -> Addressee | None:
        return self._users[notice.user_id] if notice.user_id is not None else None

    def facts(self, user_id: int) -> list[Engagement]:
        return self._facts[user_id]

    def graces(self, user_id: int) -> list[Grace]:
        """What counts for the user now, and for everyone."""
        return [grace for grace in self._graces if grace.user_id in (user_id, None)] if self._graces else []

    def ended(self, user_id: int | None, *, now: datetime) -> bool:
        """Whether the user's access has ended."""
        found = self._ended.get(user_id) if user_id is not None else None
        return found is not None and found.is_whole and found.in_effect(now)

    def version(self, notice: About) -> Version:
        return self.once(lambda: self.session.get_one(Version, notice.version_id), "version", notice.version_id)

    def chain(self, document_id: int) -> list[Version]:
        return self.once(lambda: store.chain(self.session, document_id), "chain", document_id)

    def once(self, make: Callable[[], T], *key: Any) -> T:
        """What `make` makes, the first time it is asked for under this key."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made


def reader(known: Known, notice: About, settings: Settings) -> Reader:
    user = known.user(notice)
    locale, time_zone = (user.locale, user.time_zone) if user else ("", "")
    return Reader(user, *known.once(lambda: _reads(locale, time_zone, settings), "reads", locale, time_zone), settings)


def _reads(locale: str, time_zone: str, settings: Settings) -> tuple[str, ZoneInfo]:
    zone = ZoneInfo(time_zone) if time_zone else settings.zone
    return renderer().locale_for(locale, settings.default_locale), zone


def values(known: Known, notice: About, who: Reader, *, now: datetime) -> dict[str, Any]:
    """The values for the notice's template."""
    if notice.purpose in TO_MANY:
        to_many = said(known, notice, who, now=now)
        return to_many.same | to_many.own
    return _of_all(who) | _external_id(who) | BUILDERS[notice.purpose](known, notice, who, now)


def _of_all(who: Reader) -> dict[str, Any]:
    settings = who.settings
    return {
        "operator": settings.operator,
        "public_url": settings.base_url,
        "reply_to": settings.reply_to or ("" if settings.inbox_address else settings.mail_from),
    }


def _external_id(who: Reader) -> dict[str, str]:
    return {"external_id": who.user.external_id if who.user else ""}


def own(purpose: Purpose, values: Mapping[str, Any]) -> set[str]:
    """Which of the values are one person's own, where many get the same notice but for those."""
    return set(values) - COMMON if purpose in TO_MANY else set()


class Said(NamedTuple):
    """The values of a notice to many: the same for all whose `key` is, and the reader's own."""

    key: tuple[Any, ...]
    same: dict[str, Any]
    own: dict[str, Any]


def said(known: Known, notice: About, who: Reader, *, now: datetime) -> Said:
    """What a notice to many says."""
    version, user = known.version(notice), _user(who)
    facts = tuple([(fact.version_id, fact.kind, fact.at) for fact in known.facts(user.id)])
    moved = tuple([grace.id for grace in known.graces(user.id)])
    key = (notice.purpose, version.id, who.locale, who.zone, bool(user.external_id), facts, moved)
    same, theirs = known.once(lambda: _to_some(known, version, who, now), *key)
    asked = same["mode"] in ANSWERABLE
    url = f"{who.settings.base_url}/answer/{links.answer_token(who.settings, user.id, version.id, now=now)}" * asked
    return Said(key, same, theirs | {"external_id": user.external_id, "answer_url": url or None})


def unwanted(known: Known, notice: About, *, now: datetime) -> str:
    """Why the notice must not go out any more; empty when it must."""
    if notice.version_id is not None:
        if known.version(notice).withdrawn_at is not None:
            return "the version was withdrawn"
        if known.ended(notice.user_id, now=now):
            return "the user's access has ended"
        if notice.purpose in REMINDERS and _answered(known, notice):
            return "the user has answered"
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


def _to_some(known: Known, version: Version, who: Reader, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said to all readers of whom the same is on record, and what of it goes by each one's own record."""
    user, versions = _user(who), known.chain(version.document_id)
    mode, due = _asked(version, versions, known.facts(user.id), known.graces(user.id), who, now)
    same = known.once(lambda: _to_all(known.session, version, versions, who, now), version.id, who.locale, who.zone)
    right = _exit_right(version, known.facts(user.id), who, now, is_change=same["compare_url"] is not None)
    return _of_all(who) | same | {"mode": mode}, {"due_on": who.day(due) if due else None, **right}


def _exit_right(
    version: Version, facts: Sequence[Engagement], who: Reader, now: datetime, *, is_change: bool
) -> dict[str, Any]:
    """Until when the reader may leave free of charge because of the change, and by which rule."""
    told = next((f.at for f in facts if f.version_id == version.id and f.kind is EngagementKind.NOTIFIED), now)
    found = exits.exit_right("", version, "exit_right", at=told, zone=who.settings.zone)
    if found is None or found.until < now or not is_change or version.mode is Mode.EDITORIAL:
        return {"exit_until": None, "exit_source": ""}
    return {"exit_until": who.day(found.until), "exit_source": found.source}


def _to_all(session: Session, version: Version, versions: list[Version], who: Reader, now: datetime) -> dict[str, Any]:
    """What is said to all readers of this language and zone."""
    document = session.get_one(Document, version.document_id)
    body = store.body(session, version, who.locale)
    effective_at, published_at = _known(version.effective_at), _known(version.published_at)
    before = [v for v in store.standing_chain(versions, published_at) if v.id != version.id]
    pair = f"{before[-1].number}/{version.number}" if before else ""
    compare = f"{who.settings.base_url}/{document.slug}/compare/{pair}?locale={body.locale}" if pair else None
    return {
        "document": body.title,
        "number": version.number,
        "in_force": effective_at <= now,
        "published_on": who.day(published_at),
        "effective_on": who.day(effective_at),
        "changes": [line for line in (body.changelog or version.changelog).splitlines() if line.strip()],
        "url": links.version_url(who.settings, document.slug, version.number, locale=body.locale),
        "compare_url": compare,
    }


def _asked(
    version: Version,
    versions: list[Version],
    facts: list[Engagement],
    graces: list[Grace],
    who: Reader,
    now: datetime,
) -> tuple[Mode, datetime | None]:
    """What it takes to bind this user, and until when: an earlier version left unanswered may ask for more."""
    at = max(now, _known(version.effective_at))
    asking, mode = bindings.asked_of(versions, facts, version, at=at)
    told = next((f.at for f in facts if f.version_id == asking.id and f.kind is EngagementKind.NOTIFIED), now)
    due = bindings.deadline(asking, told, who.settings.zone, [g for g in graces if g.version_id == asking.id])
    runs = asking is version or (asking.mode is Mode.EXPLICIT and due > now)
    return mode, due if mode in ANSWERABLE and runs else None


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


def _user(who: Reader) -> Addressee | User:
    assert who.user is not None, "notices about versions and terminations have a user"
    return who.user


def _known(instant: datetime | None) -> datetime:
    assert instant is not None, "only published versions are told of"
    return instant


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
