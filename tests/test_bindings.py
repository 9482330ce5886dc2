"""Which version binds: by the record alone, as strictly as the strictest mode on the way to it. No database here."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.bindings import Bound, asking, binding, deadline, mode_of, pending, unbound
from lifecycle.documents import store
from lifecycle.models import Engagement, Version
from lifecycle.states import EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import TICK, ZONE

K = EngagementKind


def day(number: float) -> datetime:
    return NOW + timedelta(days=number)


def version(number: int, mode: Mode | None, *, on: float | None = None, **facts: Any) -> Version:
    """Version `number`, in force on that day, or on day 10 times its number."""
    effective_at = day(on if on is not None else 10 * number)
    return Version(
        id=number, document_id=1, number=number, mode=mode, published_at=NOW, effective_at=effective_at, **facts
    )


def fact(number: int, kind: EngagementKind, on: float, *, id: int = 0) -> Engagement:
    """A fact about version `number`; without an id, facts of one day have none that says which was first."""
    return Engagement(id=id or int(on * 100), user_id=1, version_id=number, kind=kind, at=day(on), actor="user")


def bound_number(versions: Sequence[Version], facts: Sequence[Engagement], on: float) -> int | None:
    found = binding(versions, facts, day(on))
    return found.version.number if found else None


ACCEPTED_FIRST = [fact(1, K.ACCEPTED, 11)]

# -- the five modes ------------------------------------------------------------------------------------------------

BINDING = {
    Mode.EDITORIAL: {K.NOTIFIED, K.ACKNOWLEDGED, K.ACCEPTED, K.IMPORTED},
    Mode.NOTICE: {K.NOTIFIED, K.ACKNOWLEDGED, K.ACCEPTED, K.IMPORTED},
    Mode.CONTINUED_USE: {K.DEEMED_BY_USE, K.ACCEPTED, K.IMPORTED},
    Mode.SILENCE: {K.DEEMED_BY_SILENCE, K.ACCEPTED, K.IMPORTED},
    Mode.EXPLICIT: {K.ACCEPTED, K.IMPORTED},
}


@pytest.mark.parametrize(("mode", "kind"), list(product(Mode, K)))
def test_each_mode_binds_by_its_own_facts_and_no_others(mode: Mode, kind: EngagementKind) -> None:
    assert bound_number([version(1, mode)], [fact(1, kind, 11)], 12) == (1 if kind in BINDING[mode] else None)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.EDITORIAL])
def test_a_change_that_was_only_posted_binds_nobody(mode: Mode) -> None:
    assert bound_number([version(1, Mode.EXPLICIT), version(2, mode)], ACCEPTED_FIRST, 400) == 1


def test_an_editorial_change_carries_the_old_acceptance_over() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EDITORIAL)]
    assert binding(chain, ACCEPTED_FIRST, day(20)) == Bound(chain[1], day(20), ACCEPTED_FIRST[0])


@pytest.mark.parametrize("kind", [K.ACCEPTED, K.NOTIFIED])
def test_what_an_editorial_change_carried_over_stays_the_proof(kind: EngagementKind) -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EDITORIAL)]
    found = binding(chain, [*ACCEPTED_FIRST, fact(2, kind, 25)], day(30))
    assert found is not None
    assert found.proof.at <= found.since  # a proof that is younger than what it proves proves nothing


def test_an_editorial_change_carries_nothing_over_a_version_that_does_not_bind() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.NOTICE), version(3, Mode.EDITORIAL)]
    assert bound_number(chain, ACCEPTED_FIRST, 40) == 1
    assert bound_number(chain, [*ACCEPTED_FIRST, fact(2, K.NOTIFIED, 21)], 40) == 3


def test_an_editorial_first_version_binds_nobody_who_was_not_told() -> None:
    assert bound_number([version(1, Mode.EDITORIAL)], [], 400) is None


# -- when ----------------------------------------------------------------------------------------------------------


def test_a_version_binds_from_the_instant_at_which_it_is_in_force() -> None:
    chain, told = [version(1, Mode.NOTICE)], [fact(1, K.NOTIFIED, 3)]
    assert binding(chain, told, day(10) - TICK) is None
    assert binding(chain, told, day(10)) == Bound(chain[0], day(10), told[0])


def test_a_version_in_force_binds_from_the_instant_of_the_fact() -> None:
    chain, accepted = [version(1, Mode.EXPLICIT)], fact(1, K.ACCEPTED, 11)
    assert binding(chain, [accepted], accepted.at - TICK) is None
    assert binding(chain, [accepted], day(99)) == Bound(chain[0], accepted.at, accepted)


def test_who_accepts_the_new_version_early_is_bound_to_the_old_one_until_it_is_in_force() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT)]
    early = [*ACCEPTED_FIRST, fact(2, K.ACCEPTED, 12)]
    assert [bound_number(chain, early, on) for on in (19, 20)] == [1, 2]


def test_accepting_an_older_version_later_does_not_lead_back_to_it() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT)]
    assert bound_number(chain, [fact(2, K.ACCEPTED, 21), fact(1, K.ACCEPTED, 22)], 23) == 2


def test_the_first_fact_is_the_proof_and_later_ones_change_nothing() -> None:
    first, second = fact(1, K.NOTIFIED, 11), fact(1, K.ACCEPTED, 12)
    assert binding([version(1, Mode.NOTICE)], [second, first], day(13)) == Bound(
        version(1, Mode.NOTICE), day(11), first
    )


# -- what was left unanswered on the way ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "then", "kind"),
    [
        (Mode.EXPLICIT, Mode.NOTICE, K.NOTIFIED),
        (Mode.EXPLICIT, Mode.CONTINUED_USE, K.DEEMED_BY_USE),
        (Mode.EXPLICIT, Mode.SILENCE, K.DEEMED_BY_SILENCE),
        (Mode.SILENCE, Mode.NOTICE, K.NOTIFIED),
        (Mode.SILENCE, Mode.CONTINUED_USE, K.DEEMED_BY_USE),
        (Mode.CONTINUED_USE, Mode.EDITORIAL, K.NOTIFIED),
    ],
)
def test_a_milder_version_does_not_slip_in_what_a_stricter_one_had_to_ask_for(
    left: Mode, then: Mode, kind: EngagementKind
) -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, left), version(3, then)]
    mild = [*ACCEPTED_FIRST, fact(3, kind, 31)]
    assert bound_number(chain, mild, 40) == 1
    assert bound_number(chain, [*mild, fact(3, K.ACCEPTED, 32)], 40) == 3


def test_once_the_stricter_version_is_accepted_the_milder_one_binds_by_telling() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT), version(3, Mode.NOTICE)]
    facts = [*ACCEPTED_FIRST, fact(3, K.NOTIFIED, 31), fact(2, K.ACCEPTED, 35)]
    assert [bound_number(chain, facts, on) for on in (34, 36)] == [1, 3]


def test_a_stricter_version_that_was_taken_back_is_no_longer_in_the_way() -> None:
    withdrawn = version(2, Mode.EXPLICIT, withdrawn_at=day(33))
    chain = [version(1, Mode.EXPLICIT), withdrawn, version(3, Mode.NOTICE)]
    told = [*ACCEPTED_FIRST, fact(3, K.NOTIFIED, 31)]
    assert binding(chain, told, day(33) - TICK) == Bound(chain[0], day(11), told[0])
    assert binding(chain, told, day(33)) == Bound(chain[2], day(33), told[1])


# -- taking back ---------------------------------------------------------------------------------------------------


def test_a_withdrawn_acceptance_leads_back_to_what_bound_before_and_a_new_one_forth_again() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT)]
    again = fact(2, K.ACCEPTED, 23)
    facts = [*ACCEPTED_FIRST, fact(2, K.ACCEPTED, 21), fact(2, K.WITHDRAWN, 22), again]
    assert [bound_number(chain, facts, on) for on in (21, 22, 23)] == [2, 1, 2]
    assert binding(chain, facts, day(30)) == Bound(chain[1], day(23), again)


def test_a_version_that_was_taken_back_leads_back_to_the_one_before() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT, withdrawn_at=day(25))]
    facts = [*ACCEPTED_FIRST, fact(2, K.ACCEPTED, 21)]
    assert binding(chain, facts, day(24)) == Bound(chain[1], day(21), facts[1])
    assert binding(chain, facts, day(25)) == Bound(chain[0], day(25), facts[0])


@pytest.mark.parametrize("answer", [K.DECLINED, K.OBJECTED])
def test_an_answer_in_time_breaks_a_silence_that_was_put_down_already(answer: EngagementKind) -> None:
    chain, silence = [version(1, Mode.SILENCE)], fact(1, K.DEEMED_BY_SILENCE, 24)
    assert bound_number(chain, [silence, fact(1, answer, 23)], 30) is None
    assert bound_number(chain, [silence, fact(1, answer, 24)], 30) is None
    assert bound_number(chain, [silence, fact(1, answer, 25)], 30) == 1


def test_of_two_acts_at_one_instant_the_one_written_later_counts() -> None:
    accepted, withdrawn = fact(1, K.ACCEPTED, 11, id=1), fact(1, K.WITHDRAWN, 11, id=2)
    assert bound_number([version(1, Mode.EXPLICIT)], [withdrawn, accepted], 12) is None


# -- until when ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "explicit", "silence"), [(5, 17, 12), (10, 17, 17), (13, 20, 20)], ids=["before", "at", "after"]
)
def test_the_deadline_is_the_later_of_the_versions_and_the_users(told: int, explicit: int, silence: int) -> None:
    for mode, end in ((Mode.EXPLICIT, explicit), (Mode.SILENCE, silence)):
        assert deadline(version(1, mode, deadline_days=7), day(told), ZONE) == day(end)


def test_the_window_to_object_never_closes_before_the_version_is_in_force() -> None:
    assert deadline(version(1, Mode.SILENCE, deadline_days=3), day(1), ZONE) == day(10)


def test_a_deadline_is_counted_on_the_operators_wall() -> None:
    spring = deadline(version(1, Mode.EXPLICIT, deadline_days=20), day(0), ZONE)  # clocks go forward on day 27
    assert spring == day(30) - timedelta(hours=1)


# -- what does not bind yet ----------------------------------------------------------------------------------------


def test_what_came_after_the_bound_version_is_unbound() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.NOTICE), version(3, Mode.NOTICE)]
    assert unbound(chain, binding(chain, ACCEPTED_FIRST, day(25)), day(25)) == [chain[1]]
    assert unbound(chain, None, day(25)) == chain[:2]


def test_what_is_pending_ends_with_the_version_itself_even_before_it_is_in_force() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT), version(3, Mode.NOTICE)]
    assert pending(chain, ACCEPTED_FIRST, chain[2], at=day(25)) == chain[1:]
    assert pending(chain, [*ACCEPTED_FIRST, fact(2, K.ACCEPTED, 21)], chain[2], at=day(25)) == [chain[2]]


def test_the_strictest_pending_version_asks_and_of_equals_the_latest() -> None:
    first, second, mild = version(1, Mode.EXPLICIT), version(2, Mode.EXPLICIT), version(3, Mode.NOTICE)
    assert asking([first, second, mild]) is second
    assert asking([mild]) is mild


def test_a_draft_asks_for_the_strictest_until_its_mode_is_decided() -> None:
    assert mode_of(version(1, None)) is Mode.EXPLICIT


# -- for any record ------------------------------------------------------------------------------------------------

DAYS = st.integers(0, 60)


@st.composite
def records(draw: st.DrawFn) -> tuple[list[Version], list[Engagement]]:
    """A chain of up to four versions, some taken back, and up to twelve facts about them."""
    days = draw(st.lists(DAYS, min_size=1, max_size=4, unique=True).map(sorted))
    ends = st.one_of(st.none(), DAYS.map(day))
    chain = [
        version(n, draw(st.sampled_from(Mode)), on=on, withdrawn_at=draw(ends)) for n, on in enumerate(days, start=1)
    ]
    drawn = draw(st.lists(st.tuples(st.integers(1, len(chain)), st.sampled_from(K), DAYS), max_size=12))
    return chain, [fact(number, kind, on, id=n) for n, (number, kind, on) in enumerate(drawn, start=1)]


@given(records(), DAYS, st.randoms(use_true_random=False))
def test_binding_is_a_function_of_the_facts_and_not_of_their_order(record, on, random) -> None:
    chain, facts = record
    shuffled = random.sample(facts, len(facts))
    assert binding(chain, shuffled, day(on)) == binding(chain, facts, day(on))


@given(records(), records(), DAYS)
def test_facts_about_other_documents_change_nothing(record, other, on) -> None:
    chain, facts = record
    elsewhere = [Engagement(**{**found.model_dump(), "version_id": found.version_id + 100}) for found in other[1]]
    assert binding(chain, [*elsewhere, *facts], day(on)) == binding(chain, facts, day(on))


@given(records(), DAYS)
def test_what_bound_at_an_instant_does_not_depend_on_what_came_after(record, on) -> None:
    chain, facts = record
    found = binding(chain, facts, day(on))
    known = [past for past in facts if past.at <= day(on)]
    then = [published for published in chain if published.effective_at <= day(on)]
    assert binding(then, known, day(on)) == found


@given(records(), DAYS)
def test_nothing_binds_without_a_fact_that_its_mode_allows(record, on) -> None:
    chain, facts = record
    found = binding(chain, facts, day(on))
    if found is None:
        return
    about = chain[found.proof.version_id - 1]
    as_strict = [BINDING[mode] for mode in Mode if mode.strictness >= mode_of(about).strictness]
    assert found.proof in facts
    assert found.proof.at <= day(on)
    assert found.since <= day(on)
    assert found.proof.kind in set().union(*as_strict)
    standing = store.standing_chain(chain, day(on))
    between = standing[standing.index(about) + 1 : standing.index(found.version) + 1]
    assert all(carried.mode is Mode.EDITORIAL for carried in between)


@given(records(), DAYS)
def test_since_is_the_very_instant_from_which_the_version_bound(record, on) -> None:
    chain, facts = record
    found = binding(chain, facts, day(on))
    if found is not None:
        then, before = binding(chain, facts, found.since), binding(chain, facts, found.since - TICK)
        assert then is not None
        assert then.version is found.version
        assert before is None or before.version is not found.version


@given(records(), DAYS)
def test_an_acceptance_that_stands_is_never_lost(record, on) -> None:
    chain, facts = record
    last = len(chain)
    accepted = [*facts, fact(last, K.ACCEPTED, on, id=99)]
    if chain[-1] in store.standing_chain(chain, day(on)):
        assert bound_number(chain, accepted, on) == last


def test_an_editorial_version_that_bound_by_itself_keeps_its_own_proof_when_one_before_it_binds_later() -> None:
    chain = [version(1, Mode.EXPLICIT), version(2, Mode.CONTINUED_USE), version(3, Mode.EDITORIAL)]
    own = fact(3, K.IMPORTED, 30)
    facts = [*ACCEPTED_FIRST, own, fact(2, K.NOTIFIED, 31), fact(2, K.DEEMED_BY_USE, 32)]
    assert binding(chain, facts, day(40)) == Bound(chain[2], day(30), own)
