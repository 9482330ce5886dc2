"""Who reads notices, and what is on record of them: read for many at once, so that a mail costs no query of its own."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy
from babel.dates import format_date, format_time, get_timezone_name
from sqlmodel import Session, col

from lifecycle import endings, graces, ledger
from lifecycle.documents import store
from lifecycle.models import Engagement, Grace, Notice, User, Version
from lifecycle.notices.outbox import Due
from lifecycle.notices.rendering import renderer
from lifecycle.rows import among, fetch
from lifecycle.settings import Settings

T = TypeVar("T")


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


class Reader(NamedTuple):
    """Who reads the notice: their language, their zone, and how the operator is reached."""

    user: Addressee | None
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


_USERS = sqlalchemy.select(*(getattr(User, name) for name in Addressee._fields)).where(among(col(User.id), "ids"))
About = Notice | Due  # the object, or the row of many


class Known:
    """What some notices are about."""

    def __init__(self, session: Session, notices: Sequence[About]) -> None:
        ids = {notice.user_id for notice in notices if notice.user_id is not None}
        told = {notice.user_id for notice in notices if notice.user_id is not None and notice.version_id is not None}
        self.session = session
        self._users = {user.id: user for user in fetch(session, Addressee, _USERS, ids=ids)}
        self._ended = endings.open_terminations(session, told) if told else {}
        self._facts = ledger.facts_by_user(session, told) if told else {}
        self._graces = graces.of_users(session, told) if told else []
        self._versions: dict[int | None, Version] = {}
        self._made: dict[Any, Any] = {}

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
        if (found := self._versions.get(notice.version_id)) is None:
            found = self._versions[notice.version_id] = self.session.get_one(Version, notice.version_id)
        return found

    def chain(self, document_id: int) -> list[Version]:
        return self.once(("chain", document_id), store.chain, self.session, document_id)

    def once(self, key: Any, make: Callable[..., T], *given: Any, **named: Any) -> T:
        """What `make` makes of what is given, the first time it is asked for under this key."""
        if (made := self._made.get(key)) is None:
            made = self._made[key] = make(*given, **named)
        found: T = made
        return found


def reader(known: Known, notice: About, settings: Settings) -> Reader:
    user = known.user(notice)
    reads = (user.locale, user.time_zone) if user else ("", "")
    return Reader(user, *known.once(reads, _reads, *reads, settings), settings)


def _reads(locale: str, time_zone: str, settings: Settings) -> tuple[str, ZoneInfo]:
    zone = ZoneInfo(time_zone) if time_zone else settings.zone
    return renderer().locale_for(locale, settings.default_locale), zone


def of_all(settings: Settings) -> dict[str, Any]:
    """The values that are the same in every notice."""
    return {
        "operator": settings.operator,
        "public_url": settings.base_url,
        "reply_to": settings.reply_to or ("" if settings.inbox_address else settings.mail_from),
    }
