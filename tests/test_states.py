"""Words, the transitions they allow, and calendar arithmetic: pure, so every rule can be said as a property."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import InvalidInput
from lifecycle.states import (
    NOTICE_TRANSITIONS,
    PENDING_STATUSES,
    Mode,
    NoticeStatus,
    Purpose,
    add_calendar,
    next_try,
    parse_choice,
    parse_instant,
    require_aware,
)
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


# -- instants and words --------------------------------------------------------------------------------------------


def test_an_instant_is_read_in_any_zone_and_kept_in_utc() -> None:
    assert parse_instant("2026-03-02T10:00:00+01:00") == NOW
    assert parse_instant("2026-03-02T09:00:00Z").tzinfo is UTC
    assert require_aware(NOW.astimezone(timezone(timedelta(hours=-8)))).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-03-02T09:00:00", "at '2026-03-02T09:00:00' has no time zone; add one"),
        ("tomorrow", "at 'tomorrow' is not an instant such as"),
        ("2026-02-30T09:00:00Z", "at '2026-02-30T09:00:00Z' is not an instant"),
        ("", "at '' is not an instant"),
    ],
)
def test_an_instant_without_a_zone_or_meaning_is_refused_by_name(value: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_instant(value, what="at")


def test_an_unknown_word_is_answered_with_those_there_are() -> None:
    assert parse_choice(Mode, "silence", what="mode") is Mode.SILENCE
    with pytest.raises(InvalidInput, match="mode 'loud' is not one of: editorial, notice, continued_use, silence, exp"):
        parse_choice(Mode, "loud", what="mode")


def test_modes_are_ordered_by_what_they_ask_of_a_user() -> None:
    mildest_first = [Mode.EDITORIAL, Mode.NOTICE, Mode.CONTINUED_USE, Mode.SILENCE, Mode.EXPLICIT]
    assert [mode.strictness for mode in mildest_first] == sorted({mode.strictness for mode in Mode})


def test_what_ends_access_leaves_before_any_campaign() -> None:
    bulk = {Purpose.VERSION_PUBLISHED, Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE}
    others = set(Purpose) - bulk
    assert max(purpose.priority for purpose in others) < min(purpose.priority for purpose in bulk)


# -- the life of a notice ------------------------------------------------------------------------------------------


def test_every_status_says_what_may_follow_and_none_follows_itself() -> None:
    assert set(NOTICE_TRANSITIONS) == set(NoticeStatus)
    assert all(status not in after for status, after in NOTICE_TRANSITIONS.items())


def test_what_was_cancelled_or_came_back_stays_so() -> None:
    final = {status for status, after in NOTICE_TRANSITIONS.items() if not after}
    assert final == {NoticeStatus.BOUNCED, NoticeStatus.CANCELLED}


def test_what_was_sent_can_only_prove_to_have_arrived_or_to_have_come_back() -> None:
    assert NOTICE_TRANSITIONS[NoticeStatus.SENT] == {NoticeStatus.DELIVERED, NoticeStatus.BOUNCED}
    assert NOTICE_TRANSITIONS[NoticeStatus.DELIVERED] == {NoticeStatus.BOUNCED}


def test_only_what_waits_for_the_dispatcher_is_handed_over() -> None:
    before_sending = {status for status, after in NOTICE_TRANSITIONS.items() if NoticeStatus.SENDING in after}
    assert before_sending == set(PENDING_STATUSES)


def test_what_is_on_its_way_is_never_cancelled_or_owed_anew() -> None:
    assert NOTICE_TRANSITIONS[NoticeStatus.SENDING].isdisjoint({NoticeStatus.CANCELLED, NoticeStatus.OWED})


def test_only_a_hand_over_can_end_in_doubt_or_be_put_off() -> None:
    for outcome in (NoticeStatus.UNKNOWN, NoticeStatus.DEFERRED):
        assert [s for s, after in NOTICE_TRANSITIONS.items() if outcome in after] == [NoticeStatus.SENDING]


def test_a_late_proof_is_taken_in_every_status_in_which_a_copy_may_have_left() -> None:
    deaf = {status for status, after in NOTICE_TRANSITIONS.items() if NoticeStatus.SENT not in after}
    done = {NoticeStatus.SENT, NoticeStatus.DELIVERED, NoticeStatus.BOUNCED}
    assert deaf == {*done, NoticeStatus.CANCELLED, NoticeStatus.SKIPPED}


# -- trying again --------------------------------------------------------------------------------------------------


def test_each_try_waits_twice_as_long_up_to_four_hours() -> None:
    waits = [(next_try(NOW, attempts, 0) - NOW) / timedelta(minutes=1) for attempts in range(1, 12)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240]


@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_next_try_lies_ahead_and_its_jitter_is_at_most_a_quarter(attempts: int, jitter: float) -> None:
    least = next_try(NOW, attempts, 0)
    assert NOW < least <= next_try(NOW, attempts, jitter) <= NOW + (least - NOW) * 1.25
    assert least <= next_try(NOW, attempts + 1, 0)
