"""Instants and calendar arithmetic: pure, so every rule can be said as a property."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import InvalidInput
from lifecycle.instants import add_calendar, in_utc, require_aware
from tests.conftest import NOW

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")])
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def berlin(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold)  # type: ignore[arg-type,misc]


# -- the calendar --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (berlin(2026, 1, 31, 9), 1, berlin(2026, 2, 28, 9)),
        (berlin(2024, 1, 31, 9), 1, berlin(2024, 2, 29, 9)),
        (berlin(2024, 2, 29, 9), 12, berlin(2025, 2, 28, 9)),
        (berlin(2026, 3, 31, 9), -1, berlin(2026, 2, 28, 9)),
        (berlin(2026, 12, 31, 9), 2, berlin(2027, 2, 28, 9)),
    ],
)
def test_a_month_is_a_month_and_ends_with_the_month(start: datetime, months: int, end: datetime) -> None:
    assert add_calendar(start, BERLIN, months=months) == end


@pytest.mark.parametrize(
    ("start", "hours"),
    [(berlin(2026, 3, 28, 9), 23), (berlin(2026, 10, 24, 9), 25), (berlin(2026, 6, 1, 9), 24)],
    ids=["into summer time", "out of summer time", "within summer time"],
)
def test_a_day_ends_at_the_same_time_on_the_wall(start: datetime, hours: int) -> None:
    end = add_calendar(start, BERLIN, days=1)
    assert end.astimezone(BERLIN).hour == 9
    assert end - start.astimezone(UTC) == timedelta(hours=hours)


def test_a_time_that_the_clocks_skip_moves_on_with_them() -> None:
    assert add_calendar(berlin(2026, 3, 28, 2, 30), BERLIN, days=1) == berlin(2026, 3, 29, 3, 30).astimezone(UTC)


def test_of_a_time_that_comes_twice_the_later_ends_a_period() -> None:
    assert add_calendar(berlin(2026, 10, 24, 2, 30), BERLIN, days=1) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("fold", [0, 1])
def test_no_period_at_all_is_the_same_instant_even_in_an_hour_that_comes_twice(fold: int) -> None:
    twice = berlin(2026, 10, 25, 2, 30, fold=fold).astimezone(UTC)
    assert add_calendar(twice, BERLIN) == twice


def test_the_operators_zone_decides_which_day_it_is() -> None:
    late = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)  # in Berlin it is the 31st already
    assert add_calendar(late, ZoneInfo("UTC"), months=1) == datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    assert add_calendar(late, BERLIN, months=1) == datetime(2026, 2, 27, 23, 30, tzinfo=UTC)


@given(INSTANTS, ZONES, st.integers(-400, 4000))
def test_days_move_the_date_by_exactly_as_many(start: datetime, zone: ZoneInfo, days: int) -> None:
    end = add_calendar(start, zone, days=days)
    assert end.tzinfo is UTC
    assert end.astimezone(zone).date() == start.astimezone(zone).date() + timedelta(days=days)
    assert abs(end - start - timedelta(days=days)) <= timedelta(hours=1)


@given(INSTANTS, ZONES, st.integers(-48, 240))
def test_months_keep_the_day_or_take_the_last_there_is(start: datetime, zone: ZoneInfo, months: int) -> None:
    began = start.astimezone(zone).date()
    year, month = divmod(began.year * 12 + began.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    assert add_calendar(start, zone, months=months).astimezone(zone).date() == date(
        year, month + 1, min(began.day, last)
    )


@given(INSTANTS, ZONES, st.integers(0, 400), st.integers(0, 400))
def test_a_longer_period_never_ends_sooner(start: datetime, zone: ZoneInfo, one: int, other: int) -> None:
    shorter, longer = sorted((one, other))
    assert add_calendar(start, zone, days=shorter) <= add_calendar(start, zone, days=longer)


# -- instants ------------------------------------------------------------------------------------------------------


def test_an_instant_is_taken_in_any_zone_and_kept_in_utc() -> None:
    kept = require_aware(NOW.astimezone(timezone(timedelta(hours=-8))))
    assert (kept, kept.tzinfo) == (NOW, UTC)


def test_an_instant_without_a_zone_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="at '2026-03-02T09:00:00' has no time zone; add one"):
        require_aware(NOW.replace(tzinfo=None), what="at")


@pytest.mark.parametrize("zone", [UTC, BERLIN])
def test_an_instant_is_shown_in_utc_to_the_minute(zone: tzinfo) -> None:
    assert in_utc(NOW.replace(second=59).astimezone(zone)) == "2026-03-02 09:00 UTC"
