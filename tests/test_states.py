"""Words and the transitions they allow: pure, so every rule can be said as a property."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import InvalidInput
from lifecycle.states import NOTICE_TRANSITIONS, PENDING_STATUSES, Mode, NoticeStatus, Purpose, next_try, parse_choice
from tests.conftest import NOW

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


# -- words ---------------------------------------------------------------------------------------------------------


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
