"""What is recorded between a user and a version: labelled by what really happened, once, and never from outside."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest
from sqlalchemy import event
from sqlmodel import Session

from lifecycle import engagements, history, ledger, users
from lifecycle.db import Database
from lifecycle.documents import store, texts
from lifecycle.documents.publishing import Publication, publish, withdraw
from lifecycle.errors import InvalidInput, RuleRefused
from lifecycle.models import Trace, Version
from lifecycle.states import EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, TICK, ZONE, add_user, bound_by, engage, next_version, published_terms, tell

K = EngagementKind
GERMAN = "# Bedingungen\n\nSei nett.\n"


# -- what users do -------------------------------------------------------------------------------------------------


def test_an_acceptance_keeps_what_was_shown_and_how(session: Session) -> None:
    published_terms(session)
    user, version = add_user(session), next_version(session, Mode.EXPLICIT, texts={"en": "# Terms", "de": GERMAN})
    shown = store.body(session, version, "de").sha256
    fact = engage(session, user, version, K.ACCEPTED, sha256=shown, wording="Ich stimme zu", channel="web")
    assert (fact.sha256, fact.locale, fact.wording, fact.channel) == (shown, "de", "Ich stimme zu", "web")
    assert (fact.kind, fact.at, fact.recorded_at, fact.actor) == (K.ACCEPTED, NOW, NOW, "user")
    assert bound_by(session, user) == (2, K.ACCEPTED)


def test_without_a_hash_the_text_in_the_users_language_was_shown(session: Session) -> None:
    published_terms(session)
    version = next_version(session, Mode.EXPLICIT, texts={"en": "# Terms", "de": GERMAN})
    assert engage(session, add_user(session, locale="de-AT"), version, K.ACCEPTED).locale == "de"


def test_a_hash_of_another_text_is_refused(session: Session) -> None:
    _, version = published_terms(session)
    other = texts.sha256("other words")
    with pytest.raises(InvalidInput, match=f"SHA-256 '{other}' is not that of a text of version 1"):
        engage(session, add_user(session), version, K.ACCEPTED, sha256=other)


def test_where_an_act_came_from_is_kept_apart_and_never_in_history(session: Session) -> None:
    _, version = published_terms(session)
    fact = engage(session, add_user(session), version, K.ACCEPTED, ip="192.0.2.7", user_agent="Browser/1")
    assert session.get_one(Trace, fact.id).ip == "192.0.2.7"
    [entry] = history.of(session, "engagement", fact.id)
    assert (entry.verb, entry.actor) == ("accepted", "user")
    assert "192.0.2.7" not in entry.entry
    assert "Browser" not in entry.entry


def test_the_same_answer_twice_is_one_fact_and_one_entry(session: Session) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    facts = [engage(session, user, version, K.ACCEPTED, at=NOW + n * HOUR, wording=str(n)) for n in range(3)]
    assert {(fact.id, fact.at, fact.wording) for fact in facts} == {(facts[0].id, NOW, "0")}
    assert len(history.of(session, "engagement", facts[0].id)) == 1


def test_the_same_acceptance_from_many_places_at_once_is_one_fact(sqlite: Database) -> None:
    sqlite.run(lambda s: (published_terms(s), add_user(s)))
    together = Barrier(4)

    def accept(_: int) -> int:
        together.wait()
        return sqlite.run(lambda s: engage(s, users.user(s, "ada"), s.get_one(Version, 1), K.ACCEPTED).id)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(accept, range(4)))) == 1


def test_an_acceptance_that_comes_between_any_two_steps_of_the_same_one_is_the_same_fact(two_processes) -> None:
    ours, theirs = two_processes
    ours.run(published_terms)

    def accept(session: Session, name: str) -> int:
        return engage(session, users.user(session, name), session.get_one(Version, 1), K.ACCEPTED).id

    ids: dict[int, set[int]] = {}
    for step in range(1, 9):
        name, steps, before = ours.run(add_user, f"u{step}").external_id, count(1), set[int]()

        def come_between(_, __, statement, *___, name=name, step=step, steps=steps, before=before) -> None:
            now_or_never = statement.startswith("INSERT INTO engagements")  # afterwards they would wait for us
            if not before and (next(steps) == step or now_or_never):
                before.add(theirs.run(accept, name))

        event.listen(ours.engine, "before_cursor_execute", come_between)
        ids[step] = before | {ours.run(accept, name)}
        event.remove(ours.engine, "before_cursor_execute", come_between)
    assert {step for step, found in ids.items() if len(found) > 1} == set()


def test_an_answer_can_be_taken_back_and_given_again(database: Database) -> None:
    def there_and_back(session: Session) -> list[tuple[EngagementKind, int]]:
        _, version = published_terms(session)
        user = add_user(session)
        for hours, kind in enumerate([K.DECLINED, K.ACCEPTED, K.WITHDRAWN, K.ACCEPTED, K.WITHDRAWN]):
            engage(session, user, version, kind, at=NOW + hours * HOUR)
        binds = [bound_by(session, user, at=NOW + hours * HOUR) is not None for hours in range(5)]
        assert binds == [False, True, False, True, False]
        return [(fact.kind, fact.nth) for fact in ledger.facts(session, user)]

    assert database.run(there_and_back) == [
        (K.DECLINED, 1),
        (K.ACCEPTED, 1),
        (K.WITHDRAWN, 1),
        (K.ACCEPTED, 2),
        (K.WITHDRAWN, 2),
    ]


@pytest.mark.parametrize(
    ("before", "then", "message"),
    [
        (K.ACCEPTED, K.DECLINED, "Version 1 was accepted; withdraw the acceptance instead"),
        (K.ACCEPTED, K.OBJECTED, "Version 1 was accepted; withdraw the acceptance instead"),
        (None, K.WITHDRAWN, "Version 1 was never accepted"),
        (K.DECLINED, K.WITHDRAWN, "Version 1 was declined, so nothing"),
        (K.OBJECTED, K.WITHDRAWN, "Version 1 was objected to, so nothing"),
    ],
)
def test_an_answer_that_does_not_fit_the_last_one_is_refused(
    session: Session, before: EngagementKind | None, then: EngagementKind, message: str
) -> None:
    _, version = published_terms(session, mode=Mode.SILENCE)
    user = add_user(session)
    if before:
        engage(session, user, version, before)
    with pytest.raises(RuleRefused, match=message):
        engage(session, user, version, then)


@pytest.mark.parametrize("kind", [K.NOTIFIED, K.DEEMED_BY_USE, K.DEEMED_BY_SILENCE])
def test_what_assent_derives_cannot_be_claimed_from_outside(session: Session, kind: EngagementKind) -> None:
    _, version = published_terms(session)
    with pytest.raises(InvalidInput, match=f"'{kind.value}' is derived by Assent"):
        engage(session, add_user(session), version, kind)


def test_a_draft_is_not_on_offer(session: Session) -> None:
    document, _ = published_terms(session)
    draft = store.draft_version(session, document, {"en": "Draft."}, now=NOW)
    with pytest.raises(RuleRefused, match="Version 2 of 'terms' is not published"):
        engage(session, add_user(session), draft, K.ACCEPTED)


def test_a_version_is_on_offer_from_its_publication_until_its_withdrawal(session: Session) -> None:
    _, version = published_terms(session)
    ada, bob, eve = (add_user(session, name) for name in ("ada", "bob", "eve"))
    with pytest.raises(RuleRefused, match="was not on offer at 2026-03-02T08:59:59"):
        engage(session, ada, version, K.ACCEPTED, at=NOW - TICK)
    with pytest.raises(InvalidInput, match="lies in the future"):
        engagements.engage(session, ada, version, K.ACCEPTED, at=NOW + TICK, zone=ZONE, now=NOW)
    withdraw(session, version, reason="a mistake", now=NOW + HOUR)
    assert engage(session, bob, version, K.ACCEPTED, at=NOW + HOUR - TICK, now=NOW + DAY).kind is K.ACCEPTED
    with pytest.raises(RuleRefused, match="Version 1 of 'terms' was withdrawn at"):
        engage(session, eve, version, K.ACCEPTED, at=NOW + HOUR)


def test_seeing_and_acknowledging_are_not_accepting(session: Session) -> None:
    _, version = published_terms(session)
    user = add_user(session)
    for kind in (K.VIEWED, K.ACKNOWLEDGED):
        engage(session, user, version, kind)
    assert bound_by(session, user) is None


def test_what_another_system_knew_is_labelled_imported(database: Database) -> None:
    def take_over(session: Session) -> tuple[int, EngagementKind] | None:
        _, version = published_terms(session)
        user = add_user(session)
        ids = {engagements.import_binding(session, user, version, at=NOW, now=NOW).id for _ in range(2)}
        assert len(ids) == 1
        return bound_by(session, user)

    assert database.run(take_over) == (1, K.IMPORTED)


def test_nothing_is_taken_over_about_a_draft_or_the_future(session: Session) -> None:
    document, version = published_terms(session)
    user, draft = add_user(session), store.draft_version(session, document, {"en": "Draft."}, now=NOW)
    with pytest.raises(RuleRefused, match="Version 2 is not published"):
        engagements.import_binding(session, user, draft, at=NOW, now=NOW)
    with pytest.raises(InvalidInput, match="lies in the future"):
        engagements.import_binding(session, user, version, at=NOW + TICK, now=NOW)


# -- being told ----------------------------------------------------------------------------------------------------


def test_a_version_by_notice_binds_who_was_told_and_nobody_else(session: Session) -> None:
    published_terms(session)
    ada, bob = add_user(session, "ada"), add_user(session, "bob")
    version = next_version(session, Mode.NOTICE)
    tell(session, ada, version, at=NOW + HOUR)
    assert bound_by(session, ada, at=NOW + HOUR - TICK) is None
    later = NOW + HOUR
    assert [bound_by(session, user, at=later) for user in (ada, bob)] == [None, None]  # version 1 had to be accepted
    engage(session, ada, session.get_one(Version, 1), K.ACCEPTED, at=later)
    assert bound_by(session, ada, at=later) == (2, K.NOTIFIED)


def test_being_told_twice_is_one_fact_with_the_first_instant(database: Database) -> None:
    def twice(session: Session) -> list[object]:
        _, version = published_terms(session, mode=Mode.NOTICE)
        user = add_user(session)
        return [tell(session, user, version, at=NOW + n * HOUR).at for n in range(2)]

    assert database.run(twice) == [NOW, NOW]


# -- what bound when -----------------------------------------------------------------------------------------------


def test_what_bound_in_the_past_is_still_known(session: Session) -> None:
    _, first = published_terms(session)
    user, second = add_user(session), next_version(session, Mode.EXPLICIT, effective_at=NOW + DAY)
    engage(session, user, first, K.ACCEPTED)
    engage(session, user, second, K.ACCEPTED, at=NOW + 2 * DAY)
    instants = (NOW - TICK, NOW, NOW + 2 * DAY - TICK, NOW + 2 * DAY)
    assert [bound_by(session, user, at=at) for at in instants] == [
        None,
        (1, K.ACCEPTED),
        (1, K.ACCEPTED),
        (2, K.ACCEPTED),
    ]


def test_all_that_binds_a_user_is_listed_by_document(session: Session) -> None:
    _, terms = published_terms(session)
    user = add_user(session)
    privacy = store.create_document(session, "privacy", title="Privacy", now=NOW)
    store.create_document(session, "cookies", title="Cookies", now=NOW)
    policy = store.draft_version(session, privacy, {"en": "We keep little."}, now=NOW)
    publish(session, policy, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)
    engage(session, user, terms, K.ACCEPTED)
    tell(session, user, policy)
    found = engagements.bound_versions(session, user, at=NOW)
    assert [(bound.version.id, bound.proof.kind) for bound in found] == [
        (policy.id, K.NOTIFIED),
        (terms.id, K.ACCEPTED),
    ]


def test_the_unanswered_are_found_in_pages_and_only_they(session: Session) -> None:
    _, version = published_terms(session)
    people = {name: add_user(session, name) for name in ("ada", "bob", "eve", "joe", "kim", "lea")}
    told = {name: tell(session, user, version) for name, user in people.items() if name != "lea"}
    engage(session, people["ada"], version, K.DECLINED)
    engagements.import_binding(session, people["bob"], version, at=NOW, now=NOW)
    engage(session, people["eve"], version, K.VIEWED)
    first = ledger.unanswered(session, Mode.EXPLICIT, limit=2)
    assert first == [told["eve"], told["joe"]]
    assert ledger.unanswered(session, Mode.EXPLICIT, after=first[-1].id, limit=2) == [told["kim"]]
    assert ledger.unanswered(session, Mode.SILENCE) == []
    withdraw(session, version, reason="a mistake", now=NOW + HOUR)
    assert ledger.unanswered(session, Mode.EXPLICIT) == []
