"""One look-up ahead of whoever uses them, and what a connection of look-ups hands out."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event, Thread, enumerate
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle import verdicts
from lifecycle.db import Database
from lifecycle.lookups import one_ahead
from tests.conftest import NOW
from tests.helpers import settles


def looking_ahead() -> list[Thread]:
    return [thread for thread in enumerate() if thread.name.startswith("assent-ahead")]


class Counted:
    """Numbers from 1, which tell how many were asked for and can fail at one of them."""

    def __init__(self, end: int, *, fails_at: int = 0) -> None:
        self.end, self.fails_at, self.asked = end, fails_at, 0

    def __iter__(self) -> Iterator[int]:
        for number in range(1, self.end + 1):
            self.asked = number
            if number == self.fails_at:
                raise ValueError(f"no {number}")
            yield number


@given(st.integers(0, 20))
def test_all_come_in_their_order_and_leave_no_thread(end: int) -> None:
    assert list(one_ahead(iter(Counted(end)))) == list(range(1, end + 1))
    assert looking_ahead() == []


def test_the_next_is_made_while_one_is_used() -> None:
    used = Event()

    def waiting() -> Iterator[int]:
        yield 1
        assert used.wait(10), "nobody used the first while the second was made"
        yield 2

    ahead = one_ahead(waiting())
    assert next(ahead) == 1
    used.set()
    assert list(ahead) == [2]


def test_no_more_than_one_is_made_ahead() -> None:
    numbers = Counted(10)
    ahead = one_ahead(iter(numbers))
    assert numbers.asked == 0, "nothing is made before somebody asks"
    next(ahead)
    assert settles(lambda: numbers.asked == 2)
    sleep(0.05)
    assert numbers.asked == 2
    ahead.close()


@given(st.integers(1, 12))
def test_an_error_comes_in_its_place_after_all_that_was_good(place: int) -> None:
    ahead = one_ahead(iter(Counted(12, fails_at=place)))
    assert [next(ahead) for _ in range(place - 1)] == list(range(1, place))
    with pytest.raises(ValueError, match=f"no {place}"):
        next(ahead)
    assert looking_ahead() == []


@pytest.mark.parametrize("leave", ["closed", "dropped", "failed"])
def test_whoever_stops_early_leaves_no_thread(leave: str) -> None:
    ahead = one_ahead(iter(Counted(10)))
    next(ahead)
    assert looking_ahead()
    if leave == "closed":
        ahead.close()
    elif leave == "dropped":
        del ahead
    else:
        with pytest.raises(KeyError):
            ahead.throw(KeyError("the reader went away"))
    assert looking_ahead() == []


def test_an_instant_is_looked_up_in_utc_whatever_the_zone_of_the_server(postgresql_url: str) -> None:
    elsewhere = Database(f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}options=-c%20TimeZone%3DAsia/Kolkata")
    try:
        [[found]] = elsewhere.look_up("SELECT CAST(:at AS timestamptz)", at=NOW)
        assert verdicts.instant(found) == NOW
        [[found]] = elsewhere.look_up("SELECT CAST(:at AS timestamptz)", at="2026-07-01 00:30:00.25-03")
        assert verdicts.instant(found) == datetime(2026, 7, 1, 3, 30, 0, 250_000, tzinfo=UTC)
        assert verdicts.instant(found).tzinfo is UTC
    finally:
        elsewhere.close()
