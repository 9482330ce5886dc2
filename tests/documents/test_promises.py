"""Promises: which sentences promise what a machine can check, what staff say of them, and where they are not kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, select

from lifecycle import history
from lifecycle.documents import promises, store
from lifecycle.documents.practice import Plan, Practice, disagreements, practice
from lifecycle.documents.promises import find
from lifecycle.documents.publishing import Publication, rehearse
from lifecycle.errors import InvalidInput, NotFound
from lifecycle.models import Document, Event, Version
from lifecycle.states import DocumentKind, Mode, PromiseKind
from tests.conftest import NOW
from tests.helpers import ZONE


def found(text: str, locale: str = "en") -> list[tuple[str, str]]:
    return [(promise.kind.value, promise.value) for promise in find(text, locale=locale)]


@pytest.fixture
def draft(session: Session):
    """A draft of `terms` with a text a language."""

    def made(**texts: str) -> tuple[Document, Version]:
        known = session.exec(select(Document)).first()
        document = known or store.create_document(session, "terms", title="Terms", kind=DocumentKind.TERMS, now=NOW)
        version = store.draft_version(session, document, texts, now=NOW)
        return document, version

    return made


# --- what is a promise


@pytest.mark.parametrize(
    ("locale", "sentence", "kind", "value"),
    [
        ("en", "We will give you 30 days' notice of material changes.", "notice", "30 days"),
        (
            "en",
            "You hear of changes at least thirty (30) calendar days before they apply.",
            "notice",
            "30 days",
        ),
        ("en", "If we modify these terms, you get two weeks notice.", "notice", "2 weeks"),
        ("en", "Changes are announced with a notice period of at least 1 month.", "notice", "1 month"),
        ("en", "We may change this policy at any time without prior notice.", "without_notice", ""),
        ("en", "You must be at least 16 years old.", "age", "16"),
        ("en", "We do not collect data from children under the age of thirteen (13).", "age", "13"),
        ("en", "You can delete your account in the settings.", "deletion", ""),
        ("en", "We delete your data within 30 days of your request.", "deletion", "30 days"),
        ("en", "Write to [us](mailto:Help@example.com).", "contact", "help@example.com"),
        ("en", "Ask us on https://discord.gg/example any time.", "invite", "discord.gg/example"),
        ("de", "Über Änderungen informieren wir Sie mindestens 30 Tage im Voraus.", "notice", "30 days"),
        ("de", "Änderungen teilen wir mit einer Frist von zwei Wochen mit.", "notice", "2 weeks"),
        ("de", "Wir können diese Bedingungen jederzeit ohne Ankündigung ändern.", "without_notice", ""),
        ("de", "Sie müssen mindestens 16 Jahre alt sein.", "age", "16"),
        ("de", "Kinder unter 13 Jahren dürfen den Dienst nicht nutzen.", "age", "13"),
        ("de", "Sie können Ihr Konto in den Einstellungen löschen.", "deletion", ""),
        ("fr", "Nous vous informons des modifications 30 jours à l’avance.", "notice", "30 days"),
    ],
)
def test_a_promise_is_found_with_its_value(locale, sentence, kind, value):
    assert found(f"# Terms\n\n## 2. Changes\n\nSome words. {sentence} More words.", locale) == [(kind, value)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Refunds take 30 days.",
        "You may object within 14 days.",
        "At least three (3) calendar days pass.",
        "We keep logs for 90 days.",
        "We may add, remove or change features without notice.",
        "Notice the 30 birds that changed.",
        "# 30 days' notice of changes",
    ],
)
def test_other_sentences_promise_nothing(sentence):
    assert found(sentence) == []


def test_a_promise_says_where_it_stands():
    (promise,) = find("# Terms\n\n## 7. Changes\n\nWe give 30 days' notice of changes.\n", locale="en")
    assert str(promise) == "“We give 30 days' notice of changes.” (en, section 7)"


def test_a_language_without_wordings_still_has_its_addresses():
    assert found("Skriv till oss: help@example.com", "sv") == [("contact", "help@example.com")]


# --- what staff say

TEXT = "# Terms\n\nWe tell you well ahead, that is for a month.\n\nWe give 30 days' notice of changes.\n"


def test_staff_mark_a_sentence_and_the_mark_holds_for_later_versions(session, draft):
    document, version = draft(en=TEXT)
    promises.mark(session, document, "for a month", locale="en", kind=PromiseKind.NOTICE, value="1 month", now=NOW)
    _, later = draft(en=TEXT + "\nMore.\n")
    for one in (version, later):
        assert [(p.value, p.marked) for p in promises.promises(session, one)] == [("30 days", False), ("1 month", True)]


def test_staff_dismiss_what_was_found_and_take_it_back(session, draft):
    document, version = draft(en=TEXT)
    promises.mark(session, document, "30 DAYS'", locale="en", kind=PromiseKind.NONE, now=NOW)
    assert promises.promises(session, version) == []
    promises.unmark(session, document, "30 days'", locale="en", now=NOW)
    assert [promise.value for promise in promises.promises(session, version)] == ["30 days"]


def test_marks_stand_in_the_history_without_their_words(session, draft):
    document, _ = draft(en=TEXT)
    promises.mark(session, document, "for a month", locale="en", kind=PromiseKind.NOTICE, value="1 month", now=NOW)
    promises.unmark(session, document, "for a month", locale="en", now=NOW)
    session.flush()
    events = [event for event in session.exec(select(Event)) if event.thing == "promise"]
    assert [event.verb for event in events] == ["marked", "unmarked"]
    assert "month" not in events[0].entry
    assert history.verify(session) == []


@pytest.mark.parametrize(
    ("quote", "kind", "value", "error"),
    [
        ("no such words", "none", "", NotFound),
        ("", "none", "", NotFound),
        ("we", "none", "", InvalidInput),
        ("for a month", "notice", "soon", InvalidInput),
        ("for a month", "notice", "", InvalidInput),
        ("for a month", "age", "old", InvalidInput),
        ("for a month", "none", "30 days", InvalidInput),
    ],
)
def test_a_mark_needs_one_sentence_and_a_value_of_its_kind(session, draft, quote, kind, value, error):
    document, _ = draft(en=TEXT)
    with pytest.raises(error):
        promises.mark(session, document, quote, locale="en", kind=PromiseKind(kind), value=value, now=NOW)


def test_only_what_is_marked_can_be_unmarked(session, draft):
    document, _ = draft(en=TEXT)
    with pytest.raises(NotFound, match="No marked sentences"):
        promises.unmark(session, document, "for a month", locale="en", now=NOW)


# --- where they are not kept


def plan(days: int = 14, *, announced: bool = True) -> Plan:
    return Plan(NOW, NOW + timedelta(days=days), announced=announced, zone=ZONE)


@pytest.mark.parametrize(("days", "announced", "warned"), [(14, True, True), (30, True, False), (14, False, False)])
def test_notice_shorter_than_promised_is_warned_of(session, draft, days, announced, warned):
    _, version = draft(en="We give 30 days' notice of changes.")
    told = disagreements(session, version, plan(days, announced=announced), Practice())
    assert [("promises 30 days of notice" in one, f"gives {days} days" in one) for one in told] == [
        (True, True)
    ] * warned


def test_a_month_of_notice_is_a_month_of_the_calendar(session, draft):
    _, version = draft(en="We give one month's notice of changes.")
    short, whole = (
        Plan(at, datetime(2026, 3, 31, 9, tzinfo=UTC), announced=True, zone=ZONE)
        for at in (datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 2, 28, 9, tzinfo=UTC))
    )
    assert len(disagreements(session, version, short, Practice())) == 1
    assert disagreements(session, version, whole, Practice()) == []


@pytest.mark.parametrize(
    ("text", "done", "warning"),
    [
        ("We may change these terms without notice.", Practice(), "nobody is told"),
        ("Ask us on discord.gg/example.", Practice(discord=False), "ASSENT_DISCORD_TOKEN is not set"),
        ("You can ask us to delete your data within 2 days.", Practice(erasure_wait_days=3), "ERASURE_WAIT_DAYS is 3"),
        ("Write to old@example.com.", Practice(frozenset({"new@example.com"})), "mail is read at new@example.com"),
        ("Last updated: 1 May 2020", Practice(), "2020-05-01"),
    ],
)
def test_a_text_that_says_other_than_what_is_done_is_warned_of(session, draft, text, done, warning):
    _, version = draft(en=text)
    (told,) = disagreements(session, version, plan(), done)
    assert warning in told


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("Ask us on discord.gg/example.", Practice(discord=True)),
        ("You can ask us to delete your data within 30 days.", Practice(erasure_wait_days=3)),
        ("Write to new@example.com or the authority@state.example.", Practice(frozenset({"new@example.com"}))),
        ("Write to anyone@example.com.", Practice()),
        (f"Last updated: {NOW.date()}", Practice()),
    ],
)
def test_a_text_that_says_what_is_done_is_not_warned_of(session, draft, text, done):
    _, version = draft(en=text)
    assert disagreements(session, version, plan(), done) == []


def test_languages_that_promise_other_things_are_warned_of(session, draft):
    _, version = draft(en="You are at least 16 years old.", de="Sie sind mindestens 18 Jahre alt.")
    (told,) = disagreements(session, version, plan(), Practice())
    assert told == "The texts do not promise the same age in all languages: de: 18; en: 16."


def test_what_is_done_is_read_from_the_settings(make_settings):
    done = practice(make_settings(mail_from="Terms <Notices@example.com>", reply_to="help@example.com"))
    assert done.addresses >= {"notices@example.com", "help@example.com"}
    assert done.discord is False


def test_a_rehearsal_warns_of_promises_that_are_not_kept(session, draft):
    _, version = draft(en="We give 30 days' notice of changes.")
    publication = Publication(mode=Mode.NOTICE, notice_days=14)
    found = rehearse(session, version, publication, per_hour=0, zone=ZONE, now=NOW)
    assert any(
        "promises 30 days of notice, but this publication gives 14 days" in warning for warning in found.warnings
    )
