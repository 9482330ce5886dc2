"""The page behind a signed link: what it asks, which answers are open, and the answer given."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from lifecycle import bindings, engagements, graces, ledger, links, responses, standing
from lifecycle.documents import store
from lifecycle.errors import NotFound
from lifecycle.models import Body, Document, Engagement, User, Version
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Mode

# What the buttons of the answer page say and do; the words pressed are kept with the engagement.
Buttons = list[tuple[str, EngagementKind, str]]
KINDS = {
    "accept": EngagementKind.ACCEPTED,
    "decline": EngagementKind.DECLINED,
    "object": EngagementKind.OBJECTED,
}
WORDS = {
    "en": {
        "accept": "I accept this version",
        "decline": "I decline this version",
        "object": "I object to this version",
    },
    "de": {
        "accept": "Ich nehme diese Version an",
        "decline": "Ich lehne diese Version ab",
        "object": "Ich widerspreche dieser Version",
    },
}


def _who(session: Session, settings: Settings, token: str, now: datetime) -> tuple[User, Version, Body]:
    user_id, version_id = links.read_answer_token(settings, token, now=now)
    user, version = session.get(User, user_id), session.get(Version, version_id)
    if user is None or version is None:
        raise NotFound("What this link is about is no longer here.")
    return user, version, store.body(session, version, user.locale)


def question(session: Session, settings: Settings, token: str, now: datetime) -> dict[str, Any]:
    """What the page asks. Looking changes nothing: mail scanners open links too."""
    user, version, body = _who(session, settings, token, now)
    document = session.get_one(Document, version.document_id)
    asking, mode = _asked(session, user, version, now)
    language = _language(settings, user)
    told = ledger.notified(session, user, asking)
    due = graces.due_by(session, asking, told, settings.zone) if told else None
    stands = standing.standing(session, user, zone=settings.zone, now=now)
    last = ledger.last_answer(session, user, version)
    bound = engagements.bound(session, user, document, at=now)
    return {
        "token": token,
        "user": user,
        "document": document,
        "version": version,
        "body": body,
        "changes": (body.changelog or version.changelog).splitlines(),
        "binding": bound.version if bound and bound.version.id != version.id else None,
        "mode": mode,
        "due": due,
        "last": last,
        "stands": next(item for item in stands.documents if item.slug == document.slug),
        "withdrawn": version.withdrawn_at is not None and version.withdrawn_at <= now,
        "buttons": _open_buttons(version, mode, last, due, language, now),
        "language": language,
    }


def _asked(session: Session, user: User, version: Version, now: datetime) -> tuple[Version, Mode]:
    versions, known = store.chain(session, version.document_id), ledger.facts(session, user)
    return bindings.asked_of(versions, known, version, at=max(now, version.effective_at or now))


def _language(settings: Settings, user: User) -> str:
    """The language in which the page speaks to the user, whatever those of the text."""
    return (user.locale or settings.default_locale).split("-")[0]


def _buttons(mode: Mode, language: str) -> Buttons:
    names = ["object"] if mode is Mode.SILENCE else ["accept", "decline"]
    words = WORDS.get(language, WORDS["en"])
    return [(name, KINDS[name], words[name]) for name in names]


def _open_buttons(
    version: Version, mode: Mode, last: Engagement | None, due: datetime | None, language: str, now: datetime
) -> Buttons:
    """The buttons that would do something: not the answer given, nor one that would be refused."""
    if version.withdrawn_at is not None and version.withdrawn_at <= now:
        return []
    if mode is Mode.SILENCE and due is not None and due < now:
        return []
    given = last.kind if last else None
    offered = _buttons(mode, language)
    return [each for each in offered if each[1] is not given and (given, each[1]) not in engagements.REFUSED]


def answer(
    session: Session,
    settings: Settings,
    token: str,
    choice: str,
    sha256: str,
    *,
    ip: str,
    user_agent: str,
    now: datetime,
) -> str:
    user, version, _ = _who(session, settings, token, now)
    _, mode = _asked(session, user, version, now)
    offered = {name: (kind, words) for name, kind, words in _buttons(mode, _language(settings, user))}
    if choice not in offered:
        raise NotFound(f"{choice!r} is not an answer to this version. Open the link again and press a button.")
    kind, words = offered[choice]
    responses.respond(
        session,
        user,
        version,
        kind,
        sha256=sha256,
        wording=words,
        channel="web",
        ip=ip,
        user_agent=user_agent,
        zone=settings.zone,
        now=now,
    )
    return kind.value
