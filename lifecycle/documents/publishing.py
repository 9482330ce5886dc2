"""Making a version known: rehearse it, publish it once, withdraw it."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, select

from lifecycle import history, regimes
from lifecycle.documents import planning, practice, review, store, survival
from lifecycle.documents.planning import Day, MailPlan, Unreached
from lifecycle.documents.practice import Plan, Practice
from lifecycle.errors import Conflict, InvalidInput, RuleRefused
from lifecycle.instants import add_calendar
from lifecycle.models import Campaign, Document, Notice, Version
from lifecycle.notices import campaigns, outbox, rollouts
from lifecycle.states import Channel, Mode, OnObjection

MAX_DAYS = 3650
MANY_MAILS = 1000


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
    on_objection: OnObjection = OnObjection.KEEP
    objection_notice_days: int = 30

    @property
    def announced(self) -> bool:
        """Whether users are told; an editorial change changes nothing for them."""
        return self.notify and self.mode is not Mode.EDITORIAL


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What publishing would do: whom it tells, whom it cannot reach, and until when the mail takes.

    `reasons` counts the unreachable, `unreached` names the first hundred of them. `plan` says how many mails leave on
    which day; `refusal` says why publishing would be refused for what the mail takes, and which values would do.
    """

    published_at: datetime
    effective_at: datetime
    by_email: int
    by_discord: int
    unreachable: int
    reasons: dict[str, int]
    unreached: list[Unreached]
    per_hour: int
    first_mail_at: datetime
    last_mail_at: datetime
    plan: list[Day]
    refusal: str
    warnings: list[str]


def publish(
    session: Session,
    version: Version,
    publication: Publication,
    *,
    zone: ZoneInfo,
    per_hour: int = 0,
    actor: str = "staff",
    now: datetime,
) -> Version:
    """Publish a version once, and begin telling users about it (not for editorial changes).

    Raises Conflict when it is published already, InvalidInput for an instant in the past or a bad period,
    RuleRefused when the effective date leaves less than the notice period, the regime asks for more, a text lost most
    of its words without `allow_loss`, or a relay that takes `per_hour` mails (0: as many as come) has told the last
    user only after the deadline.
    """
    effective_at = _check(session, version, publication, zone=zone, now=now)
    plan = _plan(session, publication, per_hour=per_hour, now=now)
    if refusal := _too_late(plan, publication, effective_at, zone=zone, now=now):
        raise RuleRefused(refusal)
    decided = {
        "mode": publication.mode,
        "published_at": now,
        "effective_at": effective_at,
        "notice_days": publication.notice_days,
        "deadline_days": publication.deadline_days,
        "changelog": "\n".join(publication.changelog),
        "regime": publication.regime,
        "override_reason": publication.override_reason,
        "on_objection": publication.on_objection,
        "objection_notice_days": publication.objection_notice_days,
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
    if publication.announced:
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
    session: Session,
    version: Version,
    publication: Publication,
    *,
    per_hour: int,
    zone: ZoneInfo,
    done: Practice | None = None,
    now: datetime,
) -> Rehearsal:
    """What `publish` would do now, without doing it; raises what it would raise, but for mail that takes too long.

    `done` is what the settings say about what texts promise.
    """
    effective_at = _check(session, version, publication, zone=zone, now=now)
    told, silent = planning.audience(session, now=now) if publication.announced else ({}, {})
    plan = _plan(session, publication, per_hour=per_hour, now=now)
    rehearsal = Rehearsal(
        published_at=now,
        effective_at=effective_at,
        by_email=told.get(Channel.EMAIL, 0),
        by_discord=told.get(Channel.DISCORD, 0),
        unreachable=sum(silent.values()),
        reasons=silent,
        unreached=[who for _, who in planning.unreached(session, now=now)] if silent else [],
        per_hour=per_hour,
        first_mail_at=plan.begins_at,
        last_mail_at=plan.ends_at,
        plan=plan.days(zone),
        refusal=_too_late(plan, publication, effective_at, zone=zone, now=now),
        warnings=[],
    )
    rehearsal.warnings.extend(_warnings(session, version, publication, rehearsal, zone))
    kept = Plan(now, effective_at, announced=publication.announced, zone=zone)
    rehearsal.warnings.extend(practice.disagreements(session, version, kept, done or Practice()))
    rehearsal.warnings.extend(survival.advice(session, version))
    return rehearsal


def _plan(session: Session, publication: Publication, *, per_hour: int, now: datetime) -> MailPlan:
    mails = planning.mails(session, now=now) if publication.announced else 0
    begins_at = publication.notify_at or now
    return planning.plan_mails(session, mails, begins_at=begins_at, per_hour=per_hour, now=now)


def _too_late(
    plan: MailPlan, publication: Publication, effective_at: datetime, *, zone: ZoneInfo, now: datetime
) -> str:
    """Why publishing is refused for the time that the mail takes; empty when it is not."""
    if not publication.announced or not plan.mails:
        return ""
    earliest = now if plan.begins_at == publication.notify_at else plan.begins_at
    days = publication.deadline_days
    return planning.too_late(plan, publication.mode, days, effective_at=effective_at, earliest=earliest, zone=zone)


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
    for campaign in session.exec(select(Campaign).where(Campaign.version_id == version.id)):
        if not rollouts.is_through(session, campaign):
            rollouts.cancel(session, campaign, reason="the version was withdrawn", actor=actor, now=now)
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


def _warnings(
    session: Session, version: Version, publication: Publication, rehearsal: Rehearsal, zone: ZoneInfo
) -> list[str]:
    previous = _previous(session, version, rehearsal.effective_at)
    locales = {body.locale for body in store.bodies(session, version)}
    lost = {body.locale for body in store.bodies(session, previous)} - locales if previous else set()
    last, days = rehearsal.last_mail_at, publication.notice_days
    whole = add_calendar(last, zone, days=days)  # when everyone would have had the whole notice
    late = publication.announced and last > rehearsal.effective_at
    short = publication.announced and not late and last > rehearsal.published_at and whole > rehearsal.effective_at
    at_once = not rehearsal.per_hour and rehearsal.by_email >= MANY_MAILS
    nowhere = rehearsal.reasons.get(outbox.NO_ADDRESS, 0)
    found = {
        f"{nowhere} users have neither e-mail nor Discord and cannot be told.": nowhere > 0,
        "The last mail leaves after the version comes in force; "
        f"effective_at {planning.minute(last)} or later would tell everyone before.": late,
        f"Not everyone is told {days} days ahead; "
        f"effective_at {planning.minute(whole)} or later would give all the whole period.": short and days > 0,
        f"ASSENT_RELAY_PER_HOUR is not set, so {rehearsal.by_email} mails are taken to leave at once.": at_once,
        f"The version in force also has texts in: {', '.join(sorted(lost))}; this one has not.": bool(lost),
        "An editorial change is not announced; the old acceptance carries over.": publication.mode is Mode.EDITORIAL,
        "Nobody is told, so this binds nobody who was bound before.": not publication.notify
        and publication.mode is not Mode.EDITORIAL,
    }
    warnings = [warning for warning, holds in found.items() if holds]
    return warnings + review.advice(session, version, previous, publication.mode)


def _previous(session: Session, version: Version, effective_at: datetime) -> Version | None:
    return store.in_force(session, session.get_one(Document, version.document_id), at=effective_at)
