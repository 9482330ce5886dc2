"""What the notices to many say: of a new version, and the reminders of it. For all whom the same concerns made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session

from lifecycle import bindings, exits, links
from lifecycle.documents import store
from lifecycle.models import Document, Engagement, Grace, Version
from lifecycle.notices.readers import About, Addressee, Known, Reader, of_all
from lifecycle.states import EngagementKind, Mode, Purpose

ANSWERABLE = {Mode.EXPLICIT, Mode.SILENCE}
REMINDERS = {Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE}
TO_MANY = {Purpose.VERSION_PUBLISHED, *REMINDERS}
# What is said to all of one language and zone. What stands here is kept once for all of them, and so outlives each of
# them: never what is about a person.
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


def own(purpose: Purpose, values: Mapping[str, Any]) -> set[str]:
    """Which of the values are one person's own, where many get the same notice but for those."""
    return set(values) - COMMON if purpose in TO_MANY else set()


@dataclass(eq=False, slots=True)
class Group:
    """Readers of one language and zone of whom the same is on record."""

    same: dict[str, Any]  # is said to all of that language and zone
    theirs: dict[str, Any]  # goes by their record
    asked: bool  # to answer


class Said(NamedTuple):
    """What a notice to many says: to all of a group, and the reader's own."""

    group: Group
    own: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        return self.group.same | self.own


def said(known: Known, notice: About, who: Reader, *, now: datetime) -> Said:
    """What a notice to many says."""
    version, user = known.version(notice), _user(who)
    facts = tuple([(fact.version_id, fact.kind, fact.at) for fact in known.facts(user.id)])
    graces = tuple([grace.id for grace in known.graces(user.id)])
    about = (notice.purpose, version.id, who.locale, who.zone, bool(user.external_id), facts, graces)
    group = known.once(about, _group, known, version, who, now)
    token = links.answer_token(who.settings, user.id, version.id, now=now) if group.asked else None
    url = f"{who.settings.base_url}/answer/{token}" if token else None
    return Said(group, group.theirs | {"external_id": user.external_id, "answer_url": url})


def _group(known: Known, version: Version, who: Reader, now: datetime) -> Group:
    user, versions = _user(who), known.chain(version.document_id)
    mode, due = _asked(version, versions, known.facts(user.id), known.graces(user.id), who, now)
    same = known.once((version.id, who.locale, who.zone), _to_all, known.session, version, versions, who, now)
    right = _exit_right(version, known.facts(user.id), who, now, is_change=same["compare_url"] is not None)
    same = of_all(who.settings) | same | {"mode": mode}
    return Group(same, {"due_on": who.day(due) if due else None, **right}, mode in ANSWERABLE)


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


def _user(who: Reader) -> Addressee:
    assert who.user is not None, "notices about versions have a user"
    return who.user


def _known(instant: datetime | None) -> datetime:
    assert instant is not None, "only published versions are told of"
    return instant
