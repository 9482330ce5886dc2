"""One zip with all that is on record about a user: to read, to compute with, and to check without a database."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session, col, select

from lifecycle import choices, clauses, engagements, history, requests, shapes, standing
from lifecycle.documents import store
from lifecycle.models import Choice, Document, Engagement, Notice, Request, Termination, Trace, User, Version
from lifecycle.notices import keeping, outbox, reports
from lifecycle.sealing import FORMAT, seal
from lifecycle.settings import Settings, resource
from lifecycle.shapes import Shape
from lifecycle.states import Channel

Files = dict[str, bytes]


def case_file(session: Session, user: User, settings: Settings, *, actor: str = "staff", now: datetime) -> bytes:
    """The zip: `index.html` to read, `case.json`, every text and message, and `manifest.json` with their SHA-256.

    The same record at the same instant gives the same bytes. The manifest's own hash goes into the history, so that a
    case file can later be told from one that was made up.
    """
    case, files = _gather(session, user, settings, now)
    files["case.json"] = _json(case)
    files["index.html"] = _page().render(case=case, zone=settings.zone, words=_words(files)).encode()
    packed, manifest = seal(files)
    digest = hashlib.sha256(manifest).hexdigest()
    history.record(session, actor, "made case file", "user", user.id, now=now, manifest=digest)
    return packed


def _gather(session: Session, user: User, settings: Settings, now: datetime) -> tuple[Shape, Files]:
    files: Files = {}
    facts = _engagements(session, user)
    notices = outbox.notices(session, user=user, limit=1_000_000)
    endings = _of(session, Termination, user)
    bound = engagements.bound_versions(session, user, at=now)
    why = standing.reasons(session, user, zone=settings.zone, at=now)
    grounds = [clause for ending in endings for clause in clauses.grounds(session, ending)]
    shown = {fact.version_id for fact, _ in facts} | {n.version_id for n in notices if n.version_id}
    shown |= {found.version.id for found in bound} | {_version_id(session, c.slug, c.version) for c in grounds}
    asked = _of(session, Request, user)
    case = {
        "format": FORMAT,
        "made_at": now,
        "operator": settings.operator,
        "user": shapes.user(user),
        "bound": [shapes.bound(session, found, why.get(_slug(session, found.version.id), "")) for found in bound],
        "surviving": shapes.surviving(clauses.still_binding(session, user, now=now)),
        "texts": [text for version in sorted(shown) for text in _texts(session, version, files)],
        "engagements": [
            shapes.engagement(session, fact) | {"ip": t.ip if t else "", "user_agent": t.user_agent if t else ""}
            for fact, t in facts
        ],
        "choices": [choices.shape(choice) for choice in _of(session, Choice, user)],
        "notices": [_notice(session, notice, files) for notice in notices],
        "requests": [_request(session, request, settings.zone, now) for request in asked],
        "terminations": [_termination(session, user, ending, now) for ending in endings],
        "history": _history(session, user, facts, notices, asked, endings),
    }
    return _plain(case), files


def _of(session: Session, model: type[Any], user: User) -> list[Any]:
    return list(session.exec(select(model).where(model.user_id == user.id).order_by(model.id)))


def _engagements(session: Session, user: User) -> list[tuple[Engagement, Trace | None]]:
    query = select(Engagement, Trace).outerjoin(Trace, col(Trace.engagement_id) == col(Engagement.id))
    found = session.exec(query.where(Engagement.user_id == user.id).order_by(col(Engagement.at), col(Engagement.id)))
    return [(fact, trace) for fact, trace in found]


def _slug(session: Session, version_id: int) -> str:
    return session.get_one(Document, session.get_one(Version, version_id).document_id).slug


def _version_id(session: Session, slug: str, number: int) -> int:
    return store.version(session, store.document(session, slug), number).id


def _texts(session: Session, version_id: int, files: Files) -> Iterator[Shape]:
    """Every language of a version: which one was shown stands with the engagement, where that is known."""
    version, slug = session.get_one(Version, version_id), _slug(session, version_id)
    for body in store.bodies(session, version):
        name = f"texts/{slug}/{version.number}.{body.locale}.md"
        files[name] = body.text.encode()
        yield {
            "document": slug,
            "version": version.number,
            "locale": body.locale,
            "title": body.title,
            "mode": version.mode,
            "published_at": version.published_at,
            "effective_at": version.effective_at,
            "sha256": body.sha256,
            "file": name,
        }


def _notice(session: Session, notice: Notice, files: Files) -> Shape:
    tries = [shapes.attempt(attempt) for attempt in outbox.attempts(session, notice)]
    said = [shapes.report(report) for report in reports.of(session, notice)]
    more: Shape = {"tries": tries, "reports": said, "message": None, "message_sha256": notice.message_sha256}
    if (message := keeping.message(session, notice.id)) is not None:
        name = f"messages/{notice.id}.{'eml' if notice.channel is Channel.EMAIL else 'txt'}"
        files[name] = message
        more |= {"message": name, "message_sha256": hashlib.sha256(message).hexdigest()}
    return shapes.notice(session, notice) | more


def _request(session: Session, request: Request, zone: ZoneInfo, now: datetime) -> Shape:
    said = [shapes.reply(reply) for reply in requests.replies(session, request)]
    return shapes.request(session, request, zone=zone, now=now) | {"replies": said}


def _termination(session: Session, user: User, ending: Termination, now: datetime) -> Shape:
    surviving = clauses.surviving(session, user, at=ending.decided_at)
    named = [
        {"document": c.slug, "version": c.version, "number": c.number, "title": c.title, "text": c.text}
        for c in surviving
    ]
    return shapes.termination(session, ending, now=now) | {"surviving": named}


def _history(
    session: Session,
    user: User,
    facts: Sequence[tuple[Engagement, Trace | None]],
    notices: Sequence[Notice],
    asked: Sequence[Request],
    endings: Sequence[Termination],
) -> list[Shape]:
    things = [("user", user.id), *(("engagement", fact.id) for fact, _ in facts)]
    things += [("notice", notice.id) for notice in notices] + [("request", one.id) for one in asked]
    things += [("termination", ending.id) for ending in endings]
    found = [event for thing, thing_id in things for event in history.of(session, thing, thing_id)]
    # An earlier case file is no part of the case: so the same record gives the same file.
    kept = [event for event in sorted(found, key=lambda event: event.id) if event.verb != "made case file"]
    return [{"number": event.id, "entry": event.entry, "sha256": event.sha256} for event in kept]


# -- what it looks like ----------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """The value in JSON's types, instants in UTC."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def _words(files: Files) -> dict[str, str]:
    """What texts and messages say, by file; of a mail, its text part."""
    return {name: _readable(name, data) for name, data in files.items() if name.startswith(("texts/", "messages/"))}


def _readable(name: str, data: bytes) -> str:
    if not name.endswith(".eml"):
        return data.decode("utf-8", "replace")
    mail = message_from_bytes(data, policy=policy.default)
    part = mail.get_body(("plain",))
    head = "\n".join(f"{header}: {mail[header]}" for header in ("From", "To", "Date", "Subject", "Message-ID"))
    return f"{head}\n\n{part.get_content() if part else ''}"


@cache
def _page() -> Any:
    folder = resource("templates") / "casefile"
    jinja = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["day"] = _day
    return jinja.get_template("index.html")


def _day(instant: str | None, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(zone):%Y-%m-%d %H:%M %Z}" if instant else ""
