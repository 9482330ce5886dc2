"""120 questions of our own: answerable, near misses, off topic, hostile, misspelt, German. What was reached is a floor.

`floor` is a little below what is measured, so that a change for the better elsewhere may cost one question here.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lifecycle.answers import answering, measuring
from lifecycle.answers.answering import BY_MEANING, BY_WORDS
from lifecycle.answers.measuring import Labelled, Ranked
from lifecycle.documents import sections
from lifecycle.settings import Settings
from tests.answers.texts import CORPUS, MODEL, NIGHTLY, QA, questions, source, texts

SETTINGS = Settings()
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")
needs_model = pytest.mark.skipif(not MODEL.is_dir(), reason="../shared/qa/model is not here")
needs_qa = pytest.mark.skipif(not QA.is_dir(), reason="../shared/qa is not here")


def fared(*, demo: bool, locale: str = "", by_meaning: bool = False) -> list[Ranked]:
    return [
        fare(asked, by_meaning=by_meaning)
        for asked in questions()
        if (asked["text"] == "demo") is demo and (not locale or asked["locale"] == locale)
    ]


def fare(asked: dict[str, Any], *, by_meaning: bool) -> Ranked:
    read = texts(asked["text"], asked["locale"], by_meaning=by_meaning)
    labelled = Labelled(asked["question"], tuple(asked["sections"]), asked["locale"])
    return measuring.fare_on(read, labelled, settings=SETTINGS)


def test_there_are_120_questions_of_every_kind():
    asked = questions()
    assert len(asked) == len({(q["text"], q["question"]) for q in asked}) == 120
    kinds = Counter(q["kind"] for q in asked)
    assert kinds.keys() == {"plain", "slang", "misspelt", "near", "off", "hostile", "request"}
    assert all(bool(q["sections"]) is (q["kind"] in {"plain", "slang", "misspelt"}) for q in asked)
    assert sum(q["locale"] == "de" for q in asked) >= 20


@pytest.mark.parametrize(
    ("locale", "first", "in_three", "right", "wrong", "abstained", "auroc"),
    [("en", 0.80, 0.92, 0.76, 0.12, 0.95, 0.97), ("de", 0.8, 0.95, 0.75, 0.2, 0.66, 0.8)],
)
def test_questions_about_the_sample_policies_by_words(locale, first, in_three, right, wrong, abstained, auroc):
    found = measuring.table(fared(demo=True, locale=locale), BY_WORDS.answered)
    assert found.first >= first
    assert found.in_three >= in_three
    assert found.answered_right >= right
    assert found.answered_wrong <= wrong
    assert found.abstained_right >= abstained
    assert found.auroc >= auroc


@needs_corpus
def test_questions_about_policies_of_others_by_words():
    found = measuring.table(fared(demo=False), BY_WORDS.answered)
    assert found.first >= 0.7
    assert found.in_three >= 0.8
    assert found.answered_wrong <= 0.2
    assert found.abstained_right >= 0.85


@needs_corpus
@pytest.mark.parametrize(
    ("by_meaning", "first", "right", "wrong", "abstained", "auroc"),
    [(False, 0.75, 0.58, 0.14, 0.8, 0.86), pytest.param(True, 0.85, 0.75, 0.09, 0.88, 0.93, marks=needs_model)],
)
def test_further_questions_about_policies_of_others(by_meaning, first, right, wrong, abstained, auroc):
    """Written when the first 120 were no surprise any more. By meaning, the long texts are for the nightly run."""
    asked = [q for q in questions("further") if not by_meaning or (q["locale"] == "en" and (NIGHTLY or is_short(q)))]
    ranked = [fare(q, by_meaning=by_meaning) for q in asked]
    found = measuring.table(ranked, (BY_MEANING if by_meaning else BY_WORDS).answered)
    assert found.first >= first
    assert found.answered_right >= right
    assert found.answered_wrong <= wrong
    assert found.abstained_right >= abstained
    assert found.auroc >= auroc


def is_short(asked: dict[str, Any]) -> bool:
    return Path(CORPUS / asked["text"]).stat().st_size < 25_000


@needs_model
def test_questions_about_the_sample_policies_by_meaning():
    found = measuring.table(fared(demo=True, locale="en", by_meaning=True), BY_MEANING.answered)
    assert found.first >= 0.85
    assert found.in_three >= 0.95
    assert found.answered_right >= 0.74
    assert found.answered_wrong <= 0.08
    assert found.abstained_right >= 0.95
    assert found.auroc >= 0.96


@needs_qa
@pytest.mark.parametrize(
    ("by_meaning", "first", "right", "wrong"),
    [(False, 0.92, 0.9, 1), pytest.param(True, 1.0, 0.9, 0, marks=needs_model)],
)
def test_the_seed_questions(by_meaning, first, right, wrong):
    text = source("seed", QA / "seed_policy.md", "en", by_meaning)
    ranked = [
        measuring.fare_on([text], _seed(json.loads(line)), settings=SETTINGS)
        for line in (QA / "seed_questions.jsonl").read_text("utf-8").splitlines()
    ]
    found = measuring.table(ranked, (BY_MEANING if by_meaning else BY_WORDS).answered)
    assert found.first >= first
    assert found.in_three == 1
    assert found.answered_right >= right
    assert found.answered_wrong * found.answerable <= wrong + 1e-9
    assert found.abstained_right == 1
    assert found.auroc >= 0.96


def _seed(asked: dict[str, Any]) -> Labelled:
    return Labelled(asked["question"], tuple(f"seed#{n}" for n in (asked["section"], *asked["also"]) if n))


def test_every_label_names_a_section_there_is():
    for asked in (*questions(), *questions("further")):
        if asked["text"] == "demo" or CORPUS.is_dir():
            read = {each.document.slug: each.reading for each in texts(asked["text"], asked["locale"])}
            for reference in asked["sections"]:
                slug, _, name = reference.partition("#")
                assert sections.find(read[slug].sections, name) is not None, reference


@pytest.mark.parametrize("kind", ["request", "hostile"])
def test_orders_and_requests_are_answered_by_no_quote(kind):
    for asked in questions():
        if asked["kind"] == kind and asked["text"] == "demo":
            read = texts("demo", asked["locale"])
            best = answering.rank(asked["question"], read, settings=SETTINGS)[:1]
            assert answering.aside(asked["question"], read) or not any(found.answers for found in best), asked


def test_no_question_is_taken_from_elsewhere():
    """The files of ../shared are for measuring alone: none of their questions stands in the project."""
    if QA.is_dir():
        seed = {json.loads(line)["question"] for line in (QA / "seed_questions.jsonl").read_text().splitlines()}
        crowd = {json.loads(line)["question"] for line in (QA / "questions.jsonl").read_text().splitlines()}
        ours = {asked["question"].casefold() for asked in (*questions(), *questions("further"))}
        assert len(ours & {question.casefold() for question in seed | crowd}) == 0
