"""Where what the texts promise, a publication and the settings do not agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from lifecycle.documents import dates, store
from lifecycle.documents.promises import Promise, promises
from lifecycle.documents.wordings import ADDRESS, calendar
from lifecycle.instants import add_calendar
from lifecycle.models import Version
from lifecycle.settings import Settings
from lifecycle.states import PromiseKind


@dataclass(frozen=True, slots=True)
class Practice:
    """What the service really does, as its settings have it."""

    addresses: frozenset[str] = frozenset()
    discord: bool = True
    erasure_wait_days: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a publication does: when the version is made known and comes in force, and whether users are told."""

    published_at: datetime
    effective_at: datetime
    announced: bool
    zone: ZoneInfo

    @property
    def days(self) -> int:
        """How many days of the calendar lie between."""
        first, last = (instant.astimezone(self.zone).date() for instant in (self.published_at, self.effective_at))
        return (last - first).days


def practice(settings: Settings) -> Practice:
    """What the settings say about the promises that texts make."""
    named = (settings.mail_from, settings.reply_to, settings.inbox_address, settings.staff_email)
    return Practice(
        addresses=frozenset(address.lower() for name in named for address in ADDRESS.findall(name)),
        discord=bool(settings.discord_token),
        erasure_wait_days=settings.erasure_wait_days,
    )


def disagreements(session: Session, version: Version, plan: Plan, done: Practice) -> list[str]:
    """Where what the texts promise, the publication and the settings do not agree; a sentence each."""
    made = promises(session, version)
    warnings = [warning for promise in made if (warning := _broken(promise, plan, done))]
    on = [instant.astimezone(plan.zone).date() for instant in (plan.published_at, plan.effective_at)]
    for body in store.bodies(session, version):
        warnings += [f"{body.locale}: {one}" for one in dates.disagreements(body.text, locale=body.locale, on=on)]
    return list(dict.fromkeys([*warnings, *_across_languages(made), *_nowhere_read(made, done)]))


def _broken(promise: Promise, plan: Plan, done: Practice) -> str:
    match promise.kind:
        case PromiseKind.NOTICE if plan.announced:
            earliest = add_calendar(plan.published_at, plan.zone, **calendar(promise.value))
            if plan.effective_at < earliest:
                given = f"this publication gives {plan.days} days"
                return f"The text promises {promise.value} of notice, but {given}: {promise}."
        case PromiseKind.WITHOUT_NOTICE if plan.announced:
            return f"The text says that nobody is told, but users are told of this version: {promise}."
        case PromiseKind.INVITE if not done.discord:
            return f"The text invites to Discord, but ASSENT_DISCORD_TOKEN is not set: {promise}."
        case PromiseKind.DELETION if promise.value:
            earliest = add_calendar(plan.published_at, plan.zone, **calendar(promise.value))
            if add_calendar(plan.published_at, plan.zone, days=done.erasure_wait_days) > earliest:
                return (
                    f"The text promises deletion within {promise.value}, but ASSENT_ERASURE_WAIT_DAYS is "
                    f"{done.erasure_wait_days}: {promise}."
                )
    return ""


def _across_languages(made: Sequence[Promise]) -> Iterator[str]:
    for kind in (PromiseKind.NOTICE, PromiseKind.AGE):
        by_locale: dict[str, set[str]] = {}
        for promise in made:
            if promise.kind is kind:
                by_locale.setdefault(promise.locale, set()).add(promise.value)
        if len({frozenset(values) for values in by_locale.values()}) > 1:
            told = "; ".join(f"{locale}: {', '.join(sorted(values))}" for locale, values in sorted(by_locale.items()))
            yield f"The texts do not promise the same {kind.value} in all languages: {told}."


def _nowhere_read(made: Sequence[Promise], done: Practice) -> Iterator[str]:
    """Addresses are many in a text, and most belong to others; one of them should be one at which we read."""
    by_locale: dict[str, list[str]] = {}
    for promise in made:
        if promise.kind is PromiseKind.CONTACT:
            by_locale.setdefault(promise.locale, []).append(promise.value)
    for locale, named in by_locale.items():
        if done.addresses and not done.addresses & set(named):
            yield (
                f"{locale}: The text names {', '.join(dict.fromkeys(named))} for contact, "
                f"but mail is read at {', '.join(sorted(done.addresses))}."
            )
