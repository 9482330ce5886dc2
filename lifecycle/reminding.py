"""Reminders before a deadline, and the word that it passed: one at a time, by each user's own notice (rule 4).

Which stage a user has come to is worked out from the clock. So after an outage the latest one is owed, and one that
waited too long does not leave any more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, select

from lifecycle import bindings, graces, ledger
from lifecycle.documents import store
from lifecycle.instants import add_calendar
from lifecycle.models import Engagement, Grace, Notice, User, Version
from lifecycle.notices import outbox
from lifecycle.notices.outbox import Due
from lifecycle.settings import Settings
from lifecycle.states import Mode, Purpose

REPLACED = "a later reminder takes its place"
EVERYONE = 0  # no key of a user: what is given to all counts for it, and nothing else


@dataclass(frozen=True, slots=True)
class Stage:
    """So many days before the deadline; 0 is the word that it passed."""

    days: int

    @property
    def purpose(self) -> Purpose:
        return Purpose.ACCEPTANCE_REMINDER if self.days else Purpose.ACCEPTANCE_OVERDUE

    def thing(self, version: Version) -> str:
        return f"version:{version.id}:{self.days}d" if self.days else f"version:{version.id}"


def stages(settings: Settings) -> list[Stage]:
    """From the earliest to the last."""
    return [Stage(days) for days in sorted({*settings.reminder_days, 0}, reverse=True)]


def stage(session: Session, told: Engagement, settings: Settings, *, now: datetime) -> Stage | None:
    """The stage that a told user has come to; none for a day that had passed when the user was told."""
    version = session.get_one(Version, told.version_id)
    due = graces.due_by(session, version, told, settings.zone)
    reached = (s for s in stages(settings) if _reached(add_calendar(due, settings.zone, days=-s.days), s, told, now))
    return min(reached, key=lambda stage: stage.days, default=None)


def _reached(at: datetime, stage: Stage, told: Engagement, now: datetime) -> bool:
    return at <= now and (told.at < at or not stage.days)


def remind(session: Session, told: Engagement, settings: Settings, *, now: datetime) -> bool:
    """Owe the user the reminder of the stage they have come to, in the place of those before; whether there is one."""
    user, version = session.get_one(User, told.user_id), session.get_one(Version, told.version_id)
    come_to = stage(session, told, settings, now=now)
    if come_to is None or graces.is_exempt(session, user.id, version) or _moot(session, user, version, now):
        return False
    thing = come_to.thing(version)
    owed = outbox.owe(session, come_to.purpose, thing, user=user, now=now, version_id=version.id)
    earlier = (
        Notice.user_id == user.id,
        Notice.version_id == version.id,
        Notice.id != owed.id,
        Notice.purpose == Purpose.ACCEPTANCE_REMINDER,
    )
    outbox.cancel(session, *earlier, reason=REPLACED, now=now)
    return True


def superseded(session: Session, notice: Notice | Due, settings: Settings, *, now: datetime) -> str:
    """Why a reminder comes too late to leave: a later stage has been reached; empty when it has not."""
    if notice.purpose is not Purpose.ACCEPTANCE_REMINDER or notice.user_id is None:
        return ""
    user, version = session.get_one(User, notice.user_id), session.get_one(Version, notice.version_id)
    told = ledger.notified(session, user, version)
    come_to = stage(session, told, settings, now=now) if told is not None else None
    days = notice.key.split("/")[1].rpartition(":")[2].removesuffix("d")
    return REPLACED if come_to is not None and come_to.days < int(days) else ""


def _moot(session: Session, user: User, version: Version, now: datetime) -> bool:
    """Whether a later version binds the user already, or is what must be accepted now."""
    chain = store.chain(session, version.document_id)
    bound = bindings.binding(chain, ledger.facts(session, user), now)
    unbound = bindings.unbound(chain, bound, now)
    in_force = version in store.standing_chain(chain, now)
    asked = [later for later in unbound if later.mode is Mode.EXPLICIT]
    return in_force and asked[-1:] != [version]


# -- whom to look at -----------------------------------------------------------------------------------------------


def due_reminders(session: Session, settings: Settings, *, now: datetime) -> list[tuple[Any, ...]]:
    """SQL for engagements by which a reminder may be owed that is not, a condition for each version and stage.

    A look at all who were told, every minute, would take a million users' time for nobody.
    """
    return [
        condition
        for version in _asking(session, Mode.EXPLICIT, now)
        if not _taken_over(session, version, now) and not graces.is_exempt(session, EVERYONE, version)
        for condition in _by_stage(session, version, settings, now)
    ]


def due_silences(session: Session, settings: Settings, *, now: datetime) -> list[tuple[Any, ...]]:
    """SQL for engagements whose window to object may have closed, a condition for each version."""
    asking = _asking(session, Mode.SILENCE, now)
    found = ((v, told_until(v, 0, settings, _for_all(session, v), now=now)) for v in asking)
    return [(Engagement.version_id == version.id, col(Engagement.at) <= until) for version, until in found if until]


def _for_all(session: Session, version: Version) -> list[Grace]:
    return graces.of(session, EVERYONE, version.id)


def told_until(
    version: Version, days: int, settings: Settings, given: Sequence[Grace] = (), *, now: datetime
) -> datetime | None:
    """The latest instant of being told from which `days` before the deadline has come by now; None when there is none.

    The deadline never falls while the instant rises. `given` are the graces for all; one of a user's own puts theirs
    off still more.
    """
    early, late = datetime(1970, 1, 1, tzinfo=UTC), now

    def has_come(told_at: datetime) -> bool:
        due = bindings.deadline(version, told_at, settings.zone, given)
        return add_calendar(due, settings.zone, days=-days) <= now

    if has_come(late):
        return late
    if not has_come(early):
        return None
    while late - early > datetime.resolution:
        middle = early + (late - early) / 2
        early, late = (middle, late) if has_come(middle) else (early, middle)
    return early


def _asking(session: Session, mode: Mode, now: datetime) -> list[Version]:
    published = select(Version).where(Version.mode == mode, col(Version.published_at) <= now)
    return list(session.exec(published.where(col(Version.withdrawn_at).is_(None))))


def _taken_over(session: Session, version: Version, now: datetime) -> bool:
    """Whether a later version must be accepted instead, whoever is asked."""
    chain = store.standing_chain(store.chain(session, version.document_id), now)
    return version in chain and any(v.mode is Mode.EXPLICIT for v in chain[chain.index(version) + 1 :])


def _by_stage(session: Session, version: Version, settings: Settings, now: datetime) -> Iterator[tuple[Any, ...]]:
    later: datetime | None = None
    for come_to in reversed(stages(settings)):
        until = told_until(version, come_to.days, settings, _for_all(session, version), now=now)
        if until is None:
            continue
        owed = select(Notice.id).where(
            Notice.user_id == Engagement.user_id,
            Notice.version_id == version.id,
            col(Notice.key).startswith(f"{come_to.purpose.value}/{come_to.thing(version)}/", autoescape=True),
        )
        told = [Engagement.version_id == version.id, col(Engagement.at) <= until, ~owed.exists()]
        if later is not None:
            told.append(col(Engagement.at) > later)
        if come_to.days >= version.deadline_days > 0:  # for who was told in force that day had passed
            told.append(col(Engagement.at) < version.effective_at)
        later = until
        yield tuple(told)
