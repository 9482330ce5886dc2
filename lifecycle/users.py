"""People bound by documents, known by the host's `external_id`."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import update
from sqlmodel import Session, col, func, select

from lifecycle import history
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.inserting import chunks
from lifecycle.models import User
from lifecycle.notices import outbox
from lifecycle.rows import as_given, execute, given, is_first

FIELDS = ("email", "locale", "time_zone", "discord_id")


def upsert(session: Session, external_id: str, *, actor: str = "host", now: datetime, **facts: Any) -> User:
    """Add the user, or change the given facts of one there is: email, locale, time_zone, discord_id.

    Raises InvalidInput for an unknown fact or a bad value, Conflict when the Discord id belongs to someone else.
    """
    values = _checked(external_id, facts)
    user = session.exec(select(User).where(User.external_id == external_id)).first()
    _require_free_discord(session, values.get("discord_id"), external_id)
    if user is None:
        user = User(external_id=external_id, created_at=now, **values)
        session.add(user)
        session.flush()
        history.record(session, actor, "added", "user", user.id, now=now)
        return user
    changed = sorted(name for name, value in values.items() if getattr(user, name) != value)
    for name in changed:
        setattr(user, name, values[name])
    if "email" in changed:
        correct_address(session, user, now=now)
    if changed:
        history.record(session, actor, "changed", "user", user.id, now=now, fields=changed)
    return user


def correct_address(session: Session, user: User, *, now: datetime) -> None:
    """Mail goes to the user's address again, and with it what came back before."""
    if user.email_bounced_at is None:
        return
    user.email_bounced_at = None
    session.add(user)
    session.flush()
    outbox.owe_what_came_back(session, user, now=now)


def user(session: Session, external_id: str) -> User:
    """The user; raises NotFound."""
    found = session.exec(select(User).where(User.external_id == external_id)).first()
    if found is None:
        raise unknown(external_id)
    return found


def unknown(external_id: str) -> NotFound:
    """What there is to say of an id that is no user's."""
    return NotFound(f"There is no user {external_id!r}. Import or PUT the user first.")


def ids(session: Session, external_ids: Collection[str]) -> dict[str, int]:
    """Our own ids of those of these users whom we know."""
    found: dict[str, int] = {}
    for some in chunks(sorted(external_ids), 1000):
        found |= dict(session.exec(select(User.external_id, User.id).where(col(User.external_id).in_(some))).all())
    return found


def by_discord(session: Session, discord_id: str) -> User | None:
    """The user linked to a Discord account, if any."""
    return session.exec(select(User).where(User.discord_id == discord_id)).first()


def count(session: Session) -> int:
    return session.exec(select(func.count()).select_from(User)).one()


def touch(session: Session, seen: Mapping[int, datetime]) -> None:
    """Remember the latest instant at which each of these users used the service."""
    if seen:
        execute(session, _TOUCH, given=as_given(session, list(seen.items())))
    for user in [known for known in session.identity_map.values() if isinstance(known, User) and known.id in seen]:
        session.refresh(user, ["last_activity_at"])


_WHO, _SEEN = given(User, "id", "last_activity_at")
_TOUCH = (
    update(User)
    .where(is_first(col(User.id), _WHO))
    .where(col(User.last_activity_at).is_(None) | (col(User.last_activity_at) < _SEEN))
    .values(last_activity_at=_SEEN)
)


def check_email(address: str) -> str:
    """The address in normal form; raises InvalidInput that names it and the fault."""
    try:
        return validate_email(address, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise InvalidInput(f"E-mail address {address!r} is not valid: {error}") from None


def _checked(external_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    if not external_id.isprintable() or external_id != external_id.strip() or not 0 < len(external_id) <= 200:
        raise InvalidInput(
            f"External id {external_id!r} must have 1 to 200 characters, all printable, and no blanks around it."
        )
    if unknown := sorted(set(facts) - set(FIELDS)):
        raise InvalidInput(f"Unknown field {unknown[0]!r} for a user. Known: {', '.join(FIELDS)}.")
    return {name: CHECKS[name](value) for name, value in facts.items() if value is not None}


def _check_locale(locale: str) -> str:
    try:
        Locale.parse(locale.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        raise InvalidInput(f"Locale {locale!r} is not known, such as 'en' or 'de-AT'.") from None
    return locale.replace("_", "-")


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"Time zone {name!r} is not in the IANA database, such as 'Europe/Berlin'.") from None
    return name


def _check_discord(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 20):
        raise InvalidInput(f"Discord id {value!r} is not a number such as '175928847299117063'.")
    return value


CHECKS: dict[str, Any] = {
    "email": lambda value: check_email(value) if value else "",
    "locale": lambda value: _check_locale(value) if value else "",
    "time_zone": lambda value: _check_zone(value) if value else "",
    "discord_id": lambda value: _check_discord(str(value)) if value else None,
}


def _require_free_discord(session: Session, discord_id: str | None, external_id: str) -> None:
    owner = by_discord(session, discord_id) if discord_id else None
    if owner is not None and owner.external_id != external_id:
        raise Conflict(
            f"Discord id {discord_id} is linked to user {owner.external_id!r} already; unlink it there first."
        )
