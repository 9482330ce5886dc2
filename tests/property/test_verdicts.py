"""What is kept for an order of facts is what plain derivation makes of each user's own facts."""

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lifecycle import bindings, judging, verdicts
from lifecycle.models import Version
from lifecycle.states import EngagementKind, Mode
from lifecycle.timetable import Course, Timetable
from lifecycle.verdicts import Fact, Verdict, derived, engagement, instant, verdict
from tests.conftest import NOW
from tests.helpers import HOUR, ZONE

K = EngagementKind
hours = st.integers(-60, 10).map(lambda n: NOW + timedelta(hours=n))
kinds = st.sampled_from([kind.value for kind in EngagementKind])


@st.composite
def versions(draw: st.DrawFn) -> list[Version]:
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        withdrawn = draw(st.none() | st.none() | st.none() | hours)
        facts = {"mode": draw(st.sampled_from(Mode)), "effective_at": draw(hours), "withdrawn_at": withdrawn}
        found.append(Version(id=number, document_id=1, number=number, created_at=NOW, deadline_days=1, **facts))
    return sorted(found, key=lambda version: (version.effective_at, version.number))


@st.composite
def users_of(draw: st.DrawFn, about: int) -> list[list[Fact]]:
    """Several users whose facts came in the same order, each at instants of their own, some at the same."""
    order = draw(st.lists(st.tuples(st.integers(1, about), kinds), max_size=7))
    each = st.lists(hours, min_size=len(order), max_size=len(order)).map(sorted)
    return [
        [(version, kind, at, n) for n, ((version, kind), at) in enumerate(zip(order, draw(each), strict=True))]
        for _ in range(3)
    ]


def since(found: Verdict, facts: list[Fact]) -> object:
    if not isinstance(found.since, int):
        return found.since
    assert found.earliest is not None
    return max(found.earliest, instant(facts[found.since][2]))


@given(data=st.data(), chain=versions())
@hypothesis_settings(max_examples=300)
def test_the_kept_verdict_is_the_derived_one(data: st.DataObject, chain: list[Version]) -> None:
    [course] = Timetable({"terms": chain}, {}).at(NOW).courses
    if not course.passed:
        return
    for facts in data.draw(users_of(len(chain))):
        mine = [fact for fact in facts if fact[2] <= NOW]
        found, meant = verdict(course, mine, NOW), derived(course, mine, NOW)
        assert (found.bound, found.by, since(found, mine)) == (meant.bound, meant.by, meant.since)
        assert (found.asked, found.told, found.said) == (meant.asked, meant.told, meant.said)
        known = bindings.binding(chain, [engagement(fact) for fact in mine], NOW)
        assert found.bound is (known.version if known else None)
        with patch.object(judging, "verdict", derived):
            plainly = judging.stand(_anew(course), mine, {}, ZONE, NOW)
        assert judging.stand(course, mine, {}, ZONE, NOW) == plainly


def _course(*facts: dict[str, Any]) -> Course:
    same: dict[str, Any] = {"document_id": 1, "created_at": NOW, "effective_at": NOW - 40 * HOUR, "mode": Mode.EXPLICIT}
    chain = [Version(id=n, number=n, **{**same, **fact}) for n, fact in enumerate(facts, 1)]
    [course] = Timetable({"terms": chain}, {}).at(NOW).courses
    return course


def _facts(*facts: tuple[int, EngagementKind, int]) -> list[Fact]:
    """Facts about versions, each so many hours ago."""
    return [(version, kind.value, NOW - ago * HOUR, n) for n, (version, kind, ago) in enumerate(facts)]


@pytest.mark.parametrize("first", ["later", "at once"])
def test_an_answer_at_the_instant_of_silence_breaks_it_and_a_later_one_does_not(first: str) -> None:
    course = _course({}, {"mode": Mode.SILENCE})
    silent = [(1, K.ACCEPTED, 30), (2, K.NOTIFIED, 20), (2, K.DEEMED_BY_SILENCE, 9)]
    answered = {"later": _facts(*silent, (2, K.DECLINED, 8)), "at once": _facts(*silent, (2, K.DECLINED, 9))}
    bound = {when: verdict(course, answered[when], NOW).number for when in sorted(answered, key=lambda w: w != first)}
    assert bound == {"later": 2, "at once": 1}


@pytest.mark.parametrize("withdrawn", [None, NOW - 5 * HOUR])
def test_since_when_the_older_version_binds_again_is_each_users_own(withdrawn: datetime | None) -> None:
    course = _course({}, {"withdrawn_at": withdrawn})
    for ago in (20, 10, 4):
        taken_back = _facts((1, K.ACCEPTED, 30), (2, K.ACCEPTED, 25), (2, K.WITHDRAWN, ago))
        meant = max(NOW - ago * HOUR, NOW - 25 * HOUR) if withdrawn is None else min(NOW - ago * HOUR, withdrawn)
        assert since(verdict(course, taken_back, NOW), taken_back) == meant


def test_who_falls_back_from_a_withdrawn_version_is_bound_since_its_withdrawal() -> None:
    course = _course({}, {"withdrawn_at": NOW - 5 * HOUR})
    accepted_both = _facts((1, K.ACCEPTED, 30), (2, K.ACCEPTED, 25))
    found = verdict(course, accepted_both, NOW)
    assert (found.number, since(found, accepted_both)) == (1, NOW - 5 * HOUR)


def test_a_withdrawn_version_is_thought_through_once_for_all_who_were_told_of_it() -> None:
    course = _course({}, {"withdrawn_at": NOW - 5 * HOUR}, {"effective_at": NOW - 3 * HOUR})
    verdict(course, _facts((1, K.ACCEPTED, 30), (2, K.NOTIFIED, 20), (3, K.ACCEPTED, 2)), NOW)
    another = _facts((1, K.ACCEPTED, 29), (2, K.NOTIFIED, 7), (3, K.ACCEPTED, 1))
    with patch.object(verdicts, "derived", side_effect=AssertionError("thought through again")):
        assert verdict(course, another, NOW).number == 3


def _anew(course: Course) -> Course:
    return Course(course.slug, course.versions, course.passed, course.number, course.upcoming, course.turns)
