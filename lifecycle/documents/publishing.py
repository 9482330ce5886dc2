"""Making a version known: rehearse it, publish it once, withdraw it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from lifecycle import history, regimes
from lifecycle.documents import review, store
from lifecycle.errors import Conflict, InvalidInput, RuleRefused
from lifecycle.models import Document, Notice, User, Version
from lifecycle.notices import campaigns, outbox
from lifecycle.states import Mode, add_calendar

MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Publication:
    """How a version is made known; periods in calendar days of the operator's zone.

    `deadline_days` is how long told users have to accept (explicit) or to object (silence).
    Without `effective_at` the version comes in force `notice_days` after it is published. `allow_loss` confirms a text
    that lacks most words of the version before it.
    """

    mode: Mode
    effective_at: datetime | None = None
    notice_days: int = 0
    deadline_days: int = 0
    changelog: tuple[str, ...] = ()
    notify: bool = True
    notify_at: datetime | None = None
    regime: str = "contract"
    override_reason: str = ""
    allow_loss: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What publishing would do: whom it tells, whom it cannot reach, and until when the mail takes."""

    published_at: datetime
    effective_at: datetime
    by_email: int
    by_discord: int
    unreachable: int
    last_mail_at: datetime
    warnings: list[str]


def publish(
    session: Session, version: Version, publication: Publication, *, zone: ZoneInfo, actor: str = "staff", now: datetime
) -> Version:
    """Publish a version once, and begin telling users about it (not for editorial changes).

    Raises Conflict when it is published already, InvalidInput for an instant in the past or a bad period,
    RuleRefused when the effective date leaves less than the notice period, the regime asks for more, or a text lost
    most of its words without `allow_loss`.
    """
    effective_at = _check(session, version, publication, zone=zone, now=now)
    decided = {
        "mode": publication.mode,
        "published_at": now,
        "effective_at": effective_at,
        "notice_days": publication.notice_days,
        "deadline_days": publication.deadline_days,
        "changelog": "\n".join(publication.changelog),
        "regime": publication.regime,
        "override_reason": publication.override_reason,
    }
    unpublished = (col(Version.id) == version.id, col(Version.published_at).is_(None))
    if session.execute(update(Version).where(*unpublished).values(**decided)).rowcount != 1:  # type: ignore[attr-defined]
        raise _published_already(session, version)
    session.refresh(version)
    history.record(
        session,
        actor,
        "published",
        "version",
        version.id,
        now=now,
        mode=publication.mode.value,
        effective_at=effective_at,
        notify=publication.notify,
        regime=publication.regime,
    )
    if publication.notify and publication.mode is not Mode.EDITORIAL:
        campaigns.start(session, version, at=publication.notify_at or now)
    return version


def publish_imported(
    session: Session,
    version: Version,
    *,
    mode: Mode,
    published_at: datetime,
    effective_at: datetime,
    changelog: tuple[str, ...] = (),
    now: datetime,
) -> None:
    """Record a publication that happened before Assent kept the texts: nobody is told, nobody is bound by it alone."""
    version.mode, version.published_at, version.effective_at = mode, published_at, effective_at
    version.imported = True
    session.add(version)
    session.flush()
    history.record(
        session,
        "import",
        "published",
        "version",
        version.id,
        now=now,
        mode=mode.value,
        published_at=published_at,
        effective_at=effective_at,
    )


def rehearse(
    session: Session, version: Version, publication: Publication, *, per_hour: int, zone: ZoneInfo, now: datetime
) -> Rehearsal:
    """What `publish` would do now; raises what it would raise, and changes nothing."""
    effective_at = _check(session, version, publication, zone=zone, now=now)
    total = session.exec(select(func.count()).select_from(User)).one()
    by_email = session.exec(select(func.count()).select_from(User).where(User.email != "")).one()
    linked = (User.email == "", col(User.discord_id).is_not(None))
    by_discord = session.exec(select(func.count()).select_from(User).where(*linked)).one()
    silent = not publication.notify or publication.mode is Mode.EDITORIAL
    last = (publication.notify_at or now) + timedelta(hours=by_email / per_hour if per_hour and not silent else 0)
    rehearsal = Rehearsal(
        now,
        effective_at,
        0 if silent else by_email,
        0 if silent else by_discord,
        0 if silent else total - by_email - by_discord,
        last,
        [],
    )
    rehearsal.warnings.extend(_warnings(session, version, publication, rehearsal))
    return rehearsal


def withdraw(session: Session, version: Version, *, reason: str, actor: str = "staff", now: datetime) -> Version:
    """Take a published version back from now on; what it bound until now stays on record.

    Raises Conflict when it is not published or withdrawn already, InvalidInput without a reason.
    """
    if not reason.strip():
        raise InvalidInput("Give the reason for the withdrawal; it is shown wherever the version is.")
    if version.published_at is None:
        raise Conflict(f"Version {version.number} is not published, so it cannot be withdrawn.")
    if version.withdrawn_at is not None:
        raise Conflict(f"Version {version.number} was withdrawn at {version.withdrawn_at.isoformat()} already.")
    version.withdrawn_at, version.withdrawn_reason = now, reason
    session.add(version)
    history.record(session, actor, "withdrawn", "version", version.id, now=now)
    outbox.cancel(session, Notice.version_id == version.id, reason="the version was withdrawn", now=now)
    return version


def _check(session: Session, version: Version, publication: Publication, *, zone: ZoneInfo, now: datetime) -> datetime:
    """When the version comes in force; raises what is wrong with the publication."""
    if version.published_at is not None:
        raise _published_already(session, version)
    for name, days in (("notice_days", publication.notice_days), ("deadline_days", publication.deadline_days)):
        if not 0 <= days <= MAX_DAYS:
            raise InvalidInput(f"{name} is {days}; it must lie between 0 and {MAX_DAYS}.")
    earliest = add_calendar(now, zone, days=publication.notice_days)
    effective_at = publication.effective_at or earliest
    for name, instant in (("effective_at", effective_at), ("notify_at", publication.notify_at or now)):
        if instant < now:
            raise InvalidInput(
                f"{name} {instant.isoformat()} lies in the past (now {now.isoformat()}). Choose a later one."
            )
    if effective_at < earliest:
        raise RuleRefused(
            f"effective_at {effective_at.isoformat()} leaves less than the notice period of "
            f"{publication.notice_days} days; the earliest is {earliest.isoformat()}."
        )
    if not publication.allow_loss:
        review.require_texts_kept(session, version, _previous(session, version, effective_at))
    days = (effective_at.astimezone(zone).date() - now.astimezone(zone).date()).days
    _require_regime(session, version, publication, days, on=now.astimezone(zone).date())
    return effective_at


def _require_regime(session: Session, version: Version, publication: Publication, days: int, *, on: date) -> None:
    if publication.mode is Mode.EDITORIAL:  # changes no meaning, so no law asks for its announcement
        regimes.regime(publication.regime)
        return
    told = bool(publication.changelog) or all(body.changelog for body in store.bodies(session, version))
    given = {"notice": publication.notify, "changes": told}
    regimes.require_change(publication.regime, days, given, on=on, override_reason=publication.override_reason)


def _published_already(session: Session, version: Version) -> Conflict:
    slug = session.get_one(Document, version.document_id).slug
    at = version.published_at.isoformat() if version.published_at else "the same moment by someone else"
    return Conflict(f"Version {version.number} of {slug!r} was published at {at}; draft a new version to change it.")


def _warnings(session: Session, version: Version, publication: Publication, rehearsal: Rehearsal) -> list[str]:
    previous = _previous(session, version, rehearsal.effective_at)
    locales = {body.locale for body in store.bodies(session, version)}
    lost = {body.locale for body in store.bodies(session, previous)} - locales if previous else set()
    found = {
        f"{rehearsal.unreachable} users have neither e-mail nor Discord and cannot be told.": rehearsal.unreachable > 0,
        "The last mail leaves after the version comes in force.": rehearsal.last_mail_at > rehearsal.effective_at,
        f"The version in force also has texts in: {', '.join(sorted(lost))}; this one has not.": bool(lost),
        "An editorial change is not announced; the old acceptance carries over.": publication.mode is Mode.EDITORIAL,
        "Nobody is told, so this binds nobody who was bound before.": not publication.notify
        and publication.mode is not Mode.EDITORIAL,
    }
    warnings = [warning for warning, holds in found.items() if holds]
    return warnings + review.advice(session, version, previous, publication.mode)


def _previous(session: Session, version: Version, effective_at: datetime) -> Version | None:
    return store.in_force(session, session.get_one(Document, version.document_id), at=effective_at)
