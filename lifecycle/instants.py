"""Instants, always aware and in UTC (rule 11), and calendar arithmetic. Pure: no clock, no database."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from lifecycle.errors import InvalidInput


def require_aware(instant: datetime, *, what: str = "instant") -> datetime:
    """The instant in UTC; raises InvalidInput when it carries no zone (rule 11)."""
    if instant.tzinfo is None:
        raise InvalidInput(f"{what} {instant.isoformat()!r} has no time zone; add one, such as 'Z' or '+02:00'.")
    return instant.astimezone(UTC)


def in_utc(instant: datetime) -> str:
    """The instant for a person to read, to the minute."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def add_calendar(instant: datetime, zone: ZoneInfo, *, days: int = 0, months: int = 0) -> datetime:
    """`instant` plus whole calendar days and months as the clock on the wall in `zone` counts them.

    One month after 31 January is the last day of February; a day across a change to summer time may have
    23 hours. A wall time that the change skips moves on by as much as the clocks do (RFC 5545, 3.3.5); of one that
    comes twice the later counts, so that no period is cut short. Returns aware UTC.
    """
    if not (days or months):
        return instant.astimezone(UTC)
    wall = instant.astimezone(zone).replace(tzinfo=None) + relativedelta(months=months, days=days)
    return max(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def add_business_days(instant: datetime, zone: ZoneInfo, days: int) -> datetime:
    """`instant` plus whole days of Monday to Friday in `zone`, at the same time on the wall. Returns aware UTC."""
    wall = instant.astimezone(zone)
    passed = 0
    while days > 0:
        passed += 1
        days -= (wall.date() + timedelta(days=passed)).weekday() < 5
    return add_calendar(instant, zone, days=passed)
