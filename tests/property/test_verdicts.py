"""What is kept for an order of facts is what plain derivation makes of each user's own facts."""

from datetime import timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lifecycle import bindings, standing
from lifecycle.models import Version
from lifecycle.states import EngagementKind, Mode
from lifecycle.timetable import Course, Timetable
from lifecycle.verdicts import Fact, Verdict, derived, engagement, instant, verdict
from tests.conftest import NOW
from tests.helpers import ZONE

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
    return max(found.earliest, instant(facts[found.since][2])) if isinstance(found.since, int) else found.since


@given(data=st.data(), chain=versions())
@hypothesis_settings(max_examples=300)
def test_the_kept_verdict_is_the_derived_one(data: st.DataObject, chain: list[Version]) -> None:
    [course] = Timetable({"terms": chain}, {}).at(NOW).courses
    if not course.passed:
        return
    for facts in data.draw(users_of(len(chain))):
        mine = [fact for fact in facts if fact[2] <= NOW]
        found, meant = verdict(course, facts, NOW), derived(course, mine, NOW)
        assert (found.bound, found.by, since(found, mine)) == (meant.bound, meant.by, meant.since)
        assert (found.asked, found.told, found.said) == (meant.asked, meant.told, meant.said)
        known = bindings.binding(chain, [engagement(fact) for fact in mine], NOW)
        assert found.bound is (known.version if known else None)
        with patch.object(standing, "verdict", derived):
            plainly = standing._with_document(_anew(course), mine, {}, ZONE, NOW)
        assert standing._with_document(course, facts, {}, ZONE, NOW) == plainly


def _anew(course: Course) -> Course:
    return Course(course.slug, course.versions, course.passed, course.number, course.upcoming)
