"""Ranking: the right passage first in the words people use, and silence where the text is silent."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.answers import language
from lifecycle.answers.answering import BY_WORDS
from lifecycle.answers.passages import Passage, passages
from lifecycle.answers.ranking import Index
from lifecycle.documents.sections import split

LEXICON = Path(language.__file__).with_name("lexicon")

ENGLISH = """# Terms and privacy of Lumen

## Prompts
We store the prompts you send for thirty days unless you opt out of logging in your settings.

## Sharing
We disclose personal data to payment processors and to nobody else. We do not rent or trade it.

## Deletion
You may ask us to erase your account. We then remove everything within a month.

## Children
The service is not meant for persons under 13 years of age.

## Ending
We may suspend or terminate your access upon notice. You may end this by ceasing to use the service.

## Payment
Credits are billed monthly. Unused credits are reimbursed within two weeks.

## Law
The courts of Berlin have jurisdiction over any dispute.
"""
GERMAN = """# Bedingungen von Lumen

## Eingaben
Wir speichern Ihre Eingaben dreißig Tage, sofern Sie der Protokollierung nicht widersprechen.

## Weitergabe
Wir geben personenbezogene Daten an Zahlungsdienstleister weiter, sonst an niemanden.

## Löschung
Sie können die Löschung Ihres Kontos verlangen.

## Kinder
Der Dienst richtet sich nicht an Personen unter 16 Jahren.

## Kündigung
Wir können Ihren Zugang mit Frist sperren oder kündigen.
"""


def index(body: str, locale: str = "en") -> Index:
    return Index(passages(body, split(body), locale=locale), locale=locale)


def section(body: str, question: str, locale: str = "en") -> str:
    hits = index(body, locale).search(question)
    assert hits, question
    assert hits[0].score >= BY_WORDS.closest, (question, hits[0])
    return hits[0].passage.heading.rpartition(" › ")[2]


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("Do you share my data with processors?", "Sharing"),
        ("who gets my data", "Sharing"),
        ("do u guys sell my stuff", "Sharing"),
        ("how do I nuke my acc?", "Deletion"),
        ("can i wipe my account", "Deletion"),
        ("can my kids use this", "Children"),
        ("i'm 12, is that ok?", "Children"),
        ("can you ban me", "Ending"),
        ("will i get kicked", "Ending"),
        ("do you keep logs of my chats", "Prompts"),
        ("how do I turn off logging", "Prompts"),
        ("can i get my money back", "Payment"),
        ("can I sue you", "Law"),
    ],
)
def test_everyday_words_find_the_words_of_the_field(question, heading):
    assert section(ENGLISH, question) == heading


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("Gebt ihr meine Daten an andere Firmen?", "Weitergabe"),
        ("wie kann ich meinen acc löschen", "Löschung"),
        ("wie kann ich mein konto loeschen", "Löschung"),
        ("ab 14 erlaubt für kinder?", "Kinder"),
        ("könnt ihr mich bannen", "Kündigung"),
        ("Werden meine Eingaben protokolliert?", "Eingaben"),
    ],
)
def test_german_is_read_as_german(question, heading):
    assert section(GERMAN, question, "de-AT") == heading


@pytest.mark.parametrize(
    "question",
    [
        "What's the weather in Lisbon tomorrow?",
        "Who won the cup final?",
        "Do you use cookies?",
        "Is everything encrypted at rest?",
        "Why does the API answer 429?",
        "",
        "???",
        "the of and",
    ],
)
def test_where_the_text_is_silent_nothing_reaches_the_threshold(question):
    assert all(hit.score < BY_WORDS.closest for hit in index(ENGLISH).search(question))


def test_hits_come_best_first_and_no_more_than_asked_for():
    hits = index(ENGLISH).search("when do you terminate or suspend my access", k=3)
    assert 0 < len(hits) <= 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_equal_hits_keep_the_order_of_the_text():
    same = [Passage(n, n, n + 1, "We never sell data.", "") for n in range(4)]
    assert [hit.passage.section for hit in Index(same, locale="en").search("sell data")] == [0, 1, 2, 3]


def test_a_heading_helps_but_the_text_itself_counts_more():
    named = Passage(0, 0, 1, "It ends at once, always.", "Refunds")
    found = [named, Passage(1, 1, 2, "We give refunds, always.", "")]
    hits = Index(found, locale="en").search("refunds")
    assert [hit.passage.section for hit in hits] == [1, 0]


@pytest.mark.parametrize(
    ("locale", "body", "of_us", "of_readers"),
    [
        ("en", "# T\n\n## Resale\n\nYou may not sell access on.\n", "Do you sell my data?", "May I sell my access?"),
        (
            "de",
            "# T\n\n## Verkauf\n\nSie dürfen den Zugang nicht verkaufen.\n",
            "Verkaufen Sie meine Daten?",
            "Darf ich meinen Zugang verkaufen?",
        ),
    ],
)
def test_what_readers_must_not_do_is_no_answer_to_what_we_do(locale, body, of_us, of_readers):
    read = index(body, locale)
    [ours], [theirs] = read.search(of_us), read.search(of_readers)
    assert ours.score < BY_WORDS.answered
    assert ours.score < theirs.score


def test_link_targets_are_not_searched():
    found = [Passage(0, 0, 1, "See [here](https://example.com/refunds) for more.", "")]
    assert Index(found, locale="en").search("refunds") == []


def test_an_index_of_nothing_finds_nothing():
    assert Index([], locale="en").search("Do you sell my data?") == []


@pytest.mark.parametrize(
    ("locale", "body", "question"),
    [
        (
            "fr",
            "Vos données sont supprimées après un an.\n\nNous vendons des livres.",
            "supprimer mes données",
        ),
        ("ja", "位置情報は収集しません。\n\n広告を表示します。", "位置情報を収集しますか"),
        ("tlh", "Datum unum est.\n\nAlia res hic est.", "datum unum"),
    ],
)
def test_a_language_without_a_lexicon_is_searched_by_its_stems_or_plain_words(locale, body, question):
    hits = index(body, locale).search(question)
    assert hits[0].passage.start == 0
    assert hits[0].score >= BY_WORDS.closest


@given(st.text(max_size=80) | st.lists(st.sampled_from(ENGLISH.split())).map(" ".join))
def test_scores_stay_between_nothing_and_everything(question):
    hits = BUILT.search(question, k=100)
    assert all(0 < hit.score <= 1 + 1e-9 for hit in hits)
    assert all(hit.passage.text in ENGLISH for hit in hits)


def test_one_index_answers_many_threads_alike():
    questions = [
        "do you sell data",
        "can you ban me",
        "how old must I be",
        "refund",
        "terminated access",
    ] * 40
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(BUILT.search, questions)) == [BUILT.search(question) for question in questions]


def test_every_topic_has_words_for_both_sides_in_every_language():
    lexicon = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in LEXICON.glob("*.toml")}
    assert lexicon.keys() == {"en", "de"}
    for kind in ("topics", "shapes", "aside"):
        assert lexicon["en"][kind].keys() == lexicon["de"][kind].keys()
    topics = [topic for words in lexicon.values() for topic in words["topics"].values()]
    assert all(topic["said"].split() and topic["asked"].split() for topic in topics)


BUILT = index(ENGLISH)
