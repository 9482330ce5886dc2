"""An answer is the policy's own words, or none: quotes, what comes close, silence, and what no policy answers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.answers.answering import CLOSE, LEAD, MAX_QUOTES, Answer, Outcome, extract, rank
from lifecycle.answers.sources import Source
from lifecycle.settings import Settings
from tests.answers.texts import CORPUS, MODEL, of, questions, texts
from tests.documents.test_sentences import markup

SETTINGS = Settings()
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")


def put(question: str, text: str, settings: Settings = SETTINGS) -> Answer:
    return extract(question, [of(text)], settings=settings, locale="en")


def require_verbatim(found: Answer, read: list[Source]) -> None:
    """Rule 10: every quote stands, letter by letter, in the section and version that it names."""
    by_slug = {source.document.slug: source for source in read}
    for quote in (*found.quotes, *found.closest, *found.candidates):
        source = by_slug[quote.slug]
        section = next(s for s in source.reading.sections if s.anchor == quote.anchor)
        assert quote.text in source.reading.text[section.start : section.end]
        assert quote.version == source.version.number
    assert len(found.quotes) <= MAX_QUOTES >= len(found.closest)
    assert found.answered is bool(found.quotes)


# --- the four outcomes


def test_the_best_sentences_are_quoted_together_by_section_in_the_texts_order():
    text = "# T\n\n## Fees\n\nA fee is due monthly. The fee is 5 euro.\n\n## Law\n\nThe courts of Berlin decide.\n"
    found = put("what is the fee", text)
    assert [quote.text for quote in found.quotes] == ["A fee is due monthly.", "The fee is 5 euro."]
    assert all(quote.score >= CLOSE * found.candidates[0].score for quote in found.quotes)


def test_an_item_comes_with_the_sentence_that_leads_in_to_it():
    text = "# T\n\nYou may not use the service:\n\n* to send spam to strangers\n* to mine coins\n"
    assert [quote.text for quote in put("can i send spam", text).quotes] == [
        "You may not use the service:",
        "to send spam to strangers",
    ]


def test_a_lead_in_of_two_words_comes_with_its_items_too():
    text = "# T\n\nIt depends on the matter. We may:\n\n- warn you,\n- suspend your account at once.\n"
    assert [quote.text for quote in put("can you suspend me", text).quotes] == [
        "We may:",
        "suspend your account at once.",
    ]


def test_why_names_the_words_of_the_question_as_they_were_asked():
    text = "# T\n\nWir verkaufen Ihre Daten an niemanden.\n\nKinder unter 13 Jahren sind ausgeschlossen.\n"
    for asked, why in (("Verkauft ihr Daten?", "verkauft"), ("darf mein 12-jähriger mitmachen", "jähriger")):
        read = [of(text, locale="de")]
        at_will = SETTINGS.model_copy(update={"answer_threshold": 0.1, "closest_threshold": 0.0})
        assert why in extract(asked, read, settings=at_will).quotes[0].why


def test_a_row_is_found_by_the_head_of_its_table_which_is_not_quoted():
    text = "# T\n\n| Data | Kept for |\n|---|---|\n| Server logs | thirty days |\n| Invoices | eight years |\n"
    found = put("how long are server logs kept", text)
    assert [quote.text for quote in found.quotes] == ["Server logs | thirty days"]


def test_a_question_for_a_period_is_hardly_answered_without_one():
    asked = "how long do you keep my data"
    without, within = (put(asked, f"# T\n\nWe keep your data {how}.\n") for how in ("in Berlin", "for 30 days"))
    assert within.candidates[0].score > 1.3 * without.candidates[0].score


def test_what_comes_close_is_said_to_be_no_answer():
    strict = Settings(answer_threshold=0.95, closest_threshold=0.05)
    found = put("Is there a rebate on fees for kids?", "# T\n\n## Kids\n\nChildren pay no fees here.\n", strict)
    assert (found.outcome, found.quotes) == (Outcome.CLOSEST, [])
    assert found.closest[0].text == "Children pay no fees here."
    assert "for certain" in found.reason


def test_headings_are_context_and_never_an_answer():
    found = put("refunds", "# Refunds\n\n## Refunds of all kinds\n\nSee the price page for this matter.\n")
    assert all("Refunds" not in quote.text for quote in (*found.quotes, *found.closest))


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("Why was I banned?", "standing"),
        ("why is my account blocked", "standing"),
        ("where is my refund", "support"),
        ("i got charged twice!!", "support"),
        ("delete my account now", "erasure"),
        ("please delete my data", "erasure"),
        ("send me all my data", "access"),
        ("unlock my acc", "support"),
        ("i cant log in", "support"),
    ],
)
def test_what_asks_for_an_act_or_about_ones_own_case_goes_elsewhere(question, route):
    found = extract(question, texts("demo", "en"), settings=SETTINGS)
    assert (found.outcome, found.route, found.quotes, found.closest) == (Outcome.ASIDE, route, [], ())


@pytest.mark.parametrize(
    "question", ["how do I delete my account?", "can i get a refund", "can you ban me", "what happens if i am banned"]
)
def test_what_asks_for_the_rule_is_answered(question):
    assert extract(question, texts("demo", "en"), settings=SETTINGS).answered


def test_germans_are_told_in_german():
    read = texts("demo", "de")
    assert (
        extract("Wie wird das Wetter?", read, settings=SETTINGS, locale="de").reason
        == "Dazu sagt die Richtlinie nichts."
    )
    assert "Antrag auf Löschung" in extract("löscht mein konto", read, settings=SETTINGS, locale="de").reason


def test_the_operators_own_name_says_no_more_than_you():
    text = "# T\n\nAcme Widgets, Inc. runs this service for you.\n\nWe sell no data to anyone.\n"
    assert put("does acme sell data", text).quotes[0].text == "We sell no data to anyone."


def test_what_only_points_on_gives_way_to_what_says_it():
    text = "# T\n\n## A\n\nHow we use cookies is described in section B.\n\n## B\n\nWe use cookies to sign you in.\n"
    assert put("do you use cookies", text).quotes[0].text == "We use cookies to sign you in."


@pytest.mark.skipif(not MODEL.is_dir(), reason="../shared/qa/model is not here")
def test_by_meaning_the_best_section_gains_by_its_lead_and_no_other_does():
    text = "# T\n\n## A\n\nYou must be 13 to sign up.\n\n## B\n\nThe moon is made of stone.\n\n## C\n\nStone is hard.\n"
    read = [of(text, by_meaning=True)]
    (best, *others), hits = rank("how old must I be", read, settings=SETTINGS), read[0].reading.index.search
    plain = {hit.passage.start: hit.score for hit in hits("how old must I be")}
    lead = plain[best.hit.passage.start] - plain[others[0].hit.passage.start]
    assert best.hit.score == pytest.approx(plain[best.hit.passage.start] + LEAD * lead)
    assert [each.hit.score for each in others] == [plain[each.hit.passage.start] for each in others]


# --- rule 10


@given(st.lists(markup | st.text(max_size=4)).map("".join), st.text(min_size=1, max_size=60), st.floats(0, 1))
def test_every_quote_of_any_text_to_any_question_is_verbatim(body, question, threshold):
    read = [of(body)]
    asked = f"{question} data sell refund how long"
    at_will = SETTINGS.model_copy(update={"answer_threshold": threshold, "closest_threshold": 0.0})
    require_verbatim(extract(asked, read, settings=at_will), read)


def test_every_quote_to_the_projects_questions_is_verbatim():
    for asked in questions():
        if asked["text"] == "demo" or CORPUS.is_dir():
            read = list(texts(asked["text"], asked["locale"]))
            require_verbatim(extract(asked["question"], read, settings=SETTINGS), read)


@needs_corpus
def test_every_quote_from_real_policies_to_random_questions_is_verbatim():
    """A few hundred here; `python -m benchmarks.answers` puts ten thousand to the whole corpus."""
    dice = random.Random(6)
    for path in sorted(CORPUS.rglob("*.md"))[::25]:
        text = path.read_bytes().decode()
        read, words = [of(text)], text.split() or ["data"]
        for _ in range(20):
            question = " ".join(dice.choices(words, k=4))[:400]
            require_verbatim(extract(question, read, settings=SETTINGS), read)
