"""Pins: a question that staff put to a section holds there until the section reads otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session

from lifecycle import choices, engagements, history, users
from lifecycle.answers import curating, unanswered
from lifecycle.answers.answering import Answer, Outcome, answer
from lifecycle.answers.asking import ask
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Document
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Mode
from tests.conftest import NOW
from tests.helpers import ZONE, published_terms

TEXT = "# Terms\n\n## 1. Seats\n\nA seat is for one person.\n\n## 2. Fish\n\nWe feed the fish on Mondays.\n"
VAIN = "May I park my caravan in the yard?"
SETTINGS = Settings()


@pytest.fixture
def terms(database: Database) -> Database:
    database.run(published_terms, text=TEXT)
    return database


def put(session: Session, question: str, user: str = "") -> Answer:
    asker = users.user(session, user) if user else None
    return answer(session, question, settings=SETTINGS, locale="en", user=asker, now=NOW)


def of(session: Session) -> Document:
    return store.document(session, "terms")


def pinned(session: Session, question: str = "Can two colleagues work together?", lead_in: str = "Sorry.") -> int:
    return curating.pin(session, of(session), question, "1", lead_in=lead_in, now=NOW).id


def change(session: Session, old: str, new: str) -> None:
    version = store.draft_version(session, of(session), {"en": TEXT.replace(old, new)}, now=NOW)
    publish(session, version, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)


def test_a_pin_answers_the_question_in_the_sections_own_words(terms: Database):
    assert not terms.read(put, "Can two colleagues work together?").answered
    number = terms.run(pinned)
    found = terms.read(put, "hey, how can TWO colleagues work together??")
    assert [quote.text for quote in found.quotes] == ["A seat is for one person."]
    assert (found.lead_in, found.pin, found.quotes[0].number) == ("Sorry.", number, "1")


def test_another_question_is_not_taken_for_the_pinned_one(terms: Database):
    terms.run(pinned)
    assert terms.read(put, "Can two colleagues fight a bear?").pin is None


def test_a_pin_rests_where_its_section_changed_until_it_is_confirmed(terms: Database):
    number = terms.run(pinned)
    terms.run(change, "one person", "two persons")
    doubts = terms.read(lambda s: curating.doubts(s, curating.by_number(s, number), now=NOW))
    assert doubts == [curating.Doubt(2, "seats")]
    assert terms.read(put, "Can two colleagues work together?").pin is None
    terms.run(lambda s: curating.confirm(s, curating.by_number(s, number), now=NOW))
    assert terms.read(put, "Can two colleagues work together?").quotes[0].text == "A seat is for two persons."
    assert terms.read(lambda s: curating.doubts(s, curating.by_number(s, number), now=NOW)) == []


def test_a_change_elsewhere_leaves_a_pin_alone(terms: Database):
    number = terms.run(pinned)
    terms.run(change, "Mondays", "Tuesdays")
    assert terms.read(put, "Can two colleagues work together?").pin == number


def test_a_section_that_is_gone_is_said_and_another_can_be_named(terms: Database):
    number = terms.run(pinned)
    terms.run(change, "## 1. Seats\n\nA seat is for one person.\n\n", "")
    found = terms.read(lambda s: curating.doubts(s, curating.by_number(s, number), now=NOW))
    assert found == [curating.Doubt(2, "")]
    with pytest.raises(InvalidInput, match="There is no section 'seats' in version 2"):
        terms.run(lambda s: curating.confirm(s, curating.by_number(s, number), now=NOW))
    terms.run(lambda s: curating.confirm(s, curating.by_number(s, number), "Fish", now=NOW))
    assert terms.read(put, "Can two colleagues work together?").quotes[0].title == "Fish"


def test_whoever_is_bound_by_the_old_version_still_gets_the_pin(terms: Database):
    def accept(session: Session) -> None:
        user = users.upsert(session, "ada", now=NOW)
        first = store.version(session, of(session), 1)
        engagements.engage(session, user, first, EngagementKind.ACCEPTED, zone=ZONE, now=NOW)

    number = terms.run(pinned)
    terms.run(accept)
    terms.run(change, "one person", "two persons")
    assert terms.read(put, "Can two colleagues work together?", "ada").pin == number
    assert terms.read(put, "Can two colleagues work together?").pin is None


def test_a_pin_can_be_confirmed_for_a_draft_before_it_comes_in_force(terms: Database):
    number = terms.run(pinned)
    draft = {"en": TEXT.replace("one person", "three")}
    terms.run(lambda s: store.draft_version(s, of(s), draft, now=NOW).number)
    assert terms.read(lambda s: curating.doubts(s, curating.by_number(s, number), now=NOW))[0].version == 2
    terms.run(lambda s: curating.confirm(s, curating.by_number(s, number), version=2, now=NOW))
    assert terms.read(lambda s: curating.doubts(s, curating.by_number(s, number), now=NOW)) == []


def test_what_cannot_be_pinned_is_refused_and_nothing_is_kept(terms: Database):
    terms.run(pinned)
    for error, words in (
        (Conflict, lambda s: pinned(s, "please, can two colleagues work together")),
        (InvalidInput, lambda s: curating.pin(s, of(s), "What about seats?", "99", now=NOW)),
        (InvalidInput, lambda s: curating.pin(s, of(s), "???", "1", now=NOW)),
        (InvalidInput, lambda s: pinned(s, "Where is the moon?", "x" * 301)),
        (NotFound, lambda s: curating.by_number(s, 99)),
    ):
        with pytest.raises(error):
            terms.run(words)
    assert len(terms.read(curating.pins)) == 1


def test_a_removed_pin_is_off_and_its_life_is_in_the_history(terms: Database):
    number = terms.run(pinned)
    terms.run(lambda s: curating.remove(s, curating.by_number(s, number), now=NOW))
    assert terms.read(put, "Can two colleagues work together?").pin is None
    with pytest.raises(Conflict):
        terms.run(lambda s: curating.remove(s, curating.by_number(s, number), now=NOW))
    verbs = [event.verb for event in terms.read(history.of, "pin", number)]
    assert verbs == ["confirmed", "pinned", "removed"]


# -- asked in vain


def asked(database: Database, question: str, user: str = "ada", now=NOW) -> Answer:
    return ask(database, question, settings=SETTINGS, locale="en", user=user, now=now)


@pytest.fixture
def ada(terms: Database) -> Database:
    terms.run(lambda s: users.upsert(s, "ada", now=NOW))
    return terms


def test_a_question_in_vain_is_kept_once_with_a_count_and_without_a_name(ada: Database):
    assert asked(ada, VAIN).outcome is Outcome.SILENT
    asked(ada, f"  {VAIN.upper()} ")
    (kept,) = ada.read(unanswered.unanswered)
    assert (kept.question, kept.times, kept.locale) == (VAIN.lower(), 2, "en")
    assert [event.verb for event in ada.read(history.of, "question", kept.id)] == ["asked in vain"]


def test_nothing_is_kept_of_who_opted_out_or_is_unknown_or_was_answered(ada: Database):
    asked(ada, VAIN, user="")
    asked(ada, "Do you feed the fish on Mondays?")
    asked(ada, "delete my account now")
    ada.run(lambda s: choices.choose(s, users.user(s, "ada"), choices.PROMPT_LOGGING, False, source="api", now=NOW))
    asked(ada, VAIN)
    assert ada.read(unanswered.unanswered) == []


def test_what_may_name_a_person_is_blotted_out(ada: Database):
    asked(ada, "Would ada@example.org get a caravan, or <@123456>, or +49 170 1234567, see https://a.example/ada?")
    (kept,) = ada.read(unanswered.unanswered)
    assert kept.question == "would … get a caravan, or …, or …, see …?"


def test_a_dismissed_question_leaves_the_list_and_old_ones_go(ada: Database):
    asked(ada, VAIN)
    (kept,) = ada.read(unanswered.unanswered)
    ada.run(unanswered.dismiss, kept.id, now=NOW)
    assert ada.read(unanswered.unanswered) == []
    with pytest.raises(NotFound):
        ada.run(unanswered.dismiss, 99, now=NOW)
    asked(ada, "Is there a zeppelin?", now=NOW + timedelta(days=181))
    assert [each.question for each in ada.read(unanswered.unanswered)] == ["is there a zeppelin?"]
