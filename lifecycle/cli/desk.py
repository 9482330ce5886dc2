"""What a command works at: the settings, the database and the instant at which it was called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from lifecycle.db import Database, open_database
from lifecycle.errors import InvalidInput
from lifecycle.instants import add_calendar
from lifecycle.settings import Settings, load_settings

RELATIVE = re.compile(r"([+-])(\d{1,9})(s|min|h|d|w)\Z")
UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}
INSTANT_HELP = "an instant (2026-01-31T09:00), a day, now, or from now: +30d, +2h, +10s"


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings, database, and the one `now` of this call."""

    settings: Settings
    database: Database
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.zone

    def when(self, text: str | None, option: str) -> datetime | None:
        """The instant written in an option, if it was given."""
        return None if text is None else parse_when(text, zone=self.zone, now=self.now, option=option)


@contextmanager
def open_desk() -> Iterator[Desk]:
    """Raises ConfigurationError or DatabaseError that says what to do."""
    settings = load_settings()
    database = open_database(settings)
    try:
        yield Desk(settings, database, datetime.now(UTC))
    finally:
        database.close()


def parse_when(text: str, *, zone: ZoneInfo, now: datetime, option: str) -> datetime:
    """ISO 8601 (without a zone: the operator's), `now`, or from now such as +30d; days are calendar days. In UTC.

    Anything else is wrong usage of `option`.
    """
    try:
        if text == "now":
            return now
        if found := RELATIVE.match(text):
            return _from_now(int(found[1] + found[2]), found[3], zone, now)
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not {INSTANT_HELP}.", param_hint=option) from None


def _from_now(amount: int, unit: str, zone: ZoneInfo, now: datetime) -> datetime:
    if unit in UNITS:
        return now + amount * UNITS[unit]
    return add_calendar(now, zone, days=amount * (7 if unit == "w" else 1))


def read_file(path: Path) -> bytes:
    """The bytes of a file; raises InvalidInput that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
