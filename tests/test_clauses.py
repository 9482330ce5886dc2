"""Clauses are quoted from the version that bound the user, in the user's language, and never from another one."""

from dataclasses import replace

import pytest
from sqlmodel import Session

from lifecycle import clauses, terminations
from lifecycle.clauses import Clause, bound_sections, surviving
from lifecycle.documents import store, survival
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import InvalidInput, NotFound, RuleRefused
from lifecycle.models import User, Version
from lifecycle.states import Emergency, EngagementKind, Initiator, Mode
from tests.conftest import NOW
from tests.helpers import DAY, TICK, ZONE, add_user, engage, published_terms

BILINGUAL = {
    "en": "# Terms\n\n## 1. Use\n\nBe *nice*, see [the list](https://a.example).\n\n## 2. Liability\n\nNone.\n",
    "de": "# Bedingungen\n\n## 1. Nutzung\n\nSei nett.\n\n## 2. Haftung\n\nKeine.\n",
}


def bound_user(session: Session, name: str = "ada", *, locale: str = "") -> User:
    """A user bound to version 1 of `terms`."""
    user = add_user(session, name, locale=locale)
    engage(session, user, session.get_one(Version, 1), EngagementKind.ACCEPTED)
    return user


def another_version(session, texts, *, surviving=()) -> Version:
    document = store.document(session, "terms")
    version = store.draft_version(session, document, texts, surviving=surviving, now=NOW)
    return publish(session, version, Publication(Mode.EXPLICIT, notify=False), zone=ZONE, now=NOW)


@pytest.mark.parametrize("reference", ["2", "2.", "Liability", "#liability", "liability", " liability "])
def test_a_section_is_meant_by_number_title_or_anchor(session: Session, reference: str) -> None:
    published_terms(session)
    [row] = bound_sections(session, bound_user(session), [("terms", reference)], at=NOW)
    assert (row.number, row.title) == ("2", "Liability")


def test_a_section_named_twice_is_one(session: Session) -> None:
    published_terms(session)
    twice = [("terms", "2"), ("terms", "1"), ("terms", "Liability")]
    assert [row.number for row in bound_sections(session, bound_user(session), twice, at=NOW)] == ["2", "1"]


def test_a_clause_of_a_version_that_does_not_bind_is_no_ground(session: Session) -> None:
    published_terms(session)
    user, newer = bound_user(session), another_version(session, {"en": "# Terms\n\n## 9. New\n\nNo bots.\n"})
    with pytest.raises(InvalidInput, match="Version 1 of 'terms', which binds user 'ada', has no section '9'"):
        bound_sections(session, user, [("terms", "9")], at=NOW)
    engage(session, user, newer, EngagementKind.ACCEPTED, at=NOW + DAY)
    assert [row.number for row in bound_sections(session, user, [("terms", "9")], at=NOW + DAY)] == ["9"]
    assert [row.number for row in bound_sections(session, user, [("terms", "2")], at=NOW)] == ["2"]


def test_where_nothing_binds_there_is_no_ground(session: Session) -> None:
    published_terms(session)
    with pytest.raises(RuleRefused, match="No version of 'terms' binds user 'ada', so it can be no ground"):
        bound_sections(session, add_user(session), [("terms", "1")], at=NOW)
    with pytest.raises(NotFound, match=r"no document 'rules'\. Known: terms"):
        bound_sections(session, add_user(session), [("rules", "1")], at=NOW)


def test_grounds_are_quoted_as_readable_text_without_their_heading(session: Session) -> None:
    published_terms(session, text=BILINGUAL["en"])
    user = bound_user(session)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.", grounds=[("terms", "1")])
    made = terminations.terminate(session, user, cause, zone=ZONE, now=NOW)
    assert clauses.grounds(session, made) == [
        Clause("Terms", "terms", 1, "en", "1", "Use", "use", "Be nice, see the list.")
    ]


def test_grounds_stay_those_of_the_version_that_bound_when_the_end_was_decided(session: Session) -> None:
    published_terms(session)
    user = bound_user(session)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.", grounds=[("terms", "1")])
    made = terminations.terminate(session, user, cause, zone=ZONE, now=NOW)
    newer = another_version(session, {"en": "# Terms\n\n## 1. Use\n\nBe nicer.\n"})
    engage(session, user, newer, EngagementKind.ACCEPTED, at=NOW + DAY)
    assert [(clause.version, clause.text) for clause in clauses.grounds(session, made)] == [(1, "Be nice.")]


@pytest.mark.parametrize(
    ("locale", "text"), [("de-AT", "Sei nett."), ("fr", "Be nice, see the list."), ("", "Be nice")]
)
def test_clauses_are_quoted_in_the_users_language_if_there_is_a_text(session: Session, locale: str, text: str) -> None:
    published_terms(session)
    bilingual = another_version(session, BILINGUAL)
    user = bound_user(session, locale=locale)
    engage(session, user, bilingual, EngagementKind.ACCEPTED)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.", grounds=[("terms", "1")])
    [clause] = clauses.grounds(session, terminations.terminate(session, user, cause, zone=ZONE, now=NOW))
    assert clause.text.startswith(text)


def test_what_survives_is_what_was_marked_in_the_version_that_bound(session: Session) -> None:
    published_terms(session)
    ada, bob = bound_user(session), bound_user(session, "bob", locale="de")
    newer = another_version(session, BILINGUAL, surviving=["1", "2"])
    engage(session, bob, newer, EngagementKind.ACCEPTED)
    assert surviving(session, ada, at=NOW) == [
        Clause("Terms", "terms", 1, "en", "2", "Liability", "liability", "This survives termination.")
    ]
    assert [(clause.version, clause.title) for clause in surviving(session, bob, at=NOW)] == [
        (2, "Nutzung"),
        (2, "Haftung"),
    ]


def test_nothing_survives_where_nothing_bound(session: Session) -> None:
    published_terms(session)
    assert surviving(session, add_user(session), at=NOW) == []
    ada = bound_user(session)
    assert surviving(session, ada, at=NOW - DAY) == []


def test_after_the_end_the_ledger_says_which_sections_of_which_version_still_hold(session: Session) -> None:
    published_terms(session)
    user = bound_user(session)
    cause = terminations.Cause(Initiator.USER, "Enough.")
    made = terminations.terminate(session, user, cause, effective_at=NOW + DAY, zone=ZONE, now=NOW)
    assert clauses.still_binding(session, user, now=NOW + DAY - TICK) is None, "while there is access, all of it binds"
    found = clauses.still_binding(session, user, now=NOW + DAY)
    assert found is not None
    assert (found.termination, found.since) == (made, NOW + DAY)
    assert [(clause.slug, clause.version, clause.number) for clause in found.clauses] == [("terms", 1, "2")]
    survival.mark(session, session.get_one(Version, 1), "1", now=NOW + DAY)
    marked = clauses.still_binding(session, user, now=NOW + DAY)
    assert marked is not None
    assert [clause.number for clause in marked.clauses] == ["1", "2"], "a mark may come later"
    terminations.reinstate(session, made, reason="Welcome back.", now=NOW + 2 * DAY)
    assert clauses.still_binding(session, user, now=NOW + 2 * DAY) is None


def test_what_ends_a_part_or_for_a_time_leaves_no_survivors(session: Session) -> None:
    published_terms(session)
    at_once = terminations.Cause(
        Initiator.PROVIDER, "Spam.", emergency=Emergency.SAFETY, override_reason="It cannot wait."
    )
    for name, cause in (("ada", replace(at_once, scope="chat")), ("bob", replace(at_once, ends_at=NOW + 9 * DAY))):
        user = bound_user(session, name)
        assert terminations.terminate(session, user, cause, zone=ZONE, now=NOW).in_effect(NOW)
        assert clauses.still_binding(session, user, now=NOW) is None


def test_a_text_without_headings_is_one_clause_and_quoted_whole(session: Session) -> None:
    published_terms(session, text="Be nice.\n\nAlways.\n")
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.", grounds=[("terms", "_top")])
    [clause] = clauses.grounds(session, terminations.terminate(session, bound_user(session), cause, zone=ZONE, now=NOW))
    assert clause.text == "Be nice.\nAlways."
