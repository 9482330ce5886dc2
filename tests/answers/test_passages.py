"""Passages: what may be quoted, and that every quote stands in the text as it is. Sentences have tests of their own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.answers.passages import passages
from lifecycle.documents.sections import split
from tests.answers.texts import CORPUS, NIGHTLY
from tests.documents.test_sentences import markup

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")


def texts(body: str, locale: str = "en") -> list[str]:
    return [passage.text for passage in passages(body, split(body), locale=locale)]


# --- what is a passage


def test_sentences_items_and_rows_are_passages_and_headings_are_their_context():
    body = (
        "# Terms\n\n## 2. Use of data\n\nWe use what you send. We never sell it.\n\n"
        "* To keep your account\n* To bill you\n\n"
        "| Data | Kept for |\n|---|---|\n| Server logs | thirty days |\n"
    )
    found = passages(body, split(body), locale="en")
    assert [passage.text for passage in found] == [
        "We use what you send.",
        "We never sell it.",
        "To keep your account",
        "To bill you",
        "Server logs | thirty days",
    ]
    assert {(passage.section, passage.heading) for passage in found} == {(1, "Terms › Use of data")}


def test_an_empty_text_has_no_passages():
    assert texts("") == texts("# Only a heading\n") == []


@pytest.mark.parametrize(
    "body",
    [
        "Contact us.",
        "**Information we collect about you**",
        "__How we use it:__",
        "Last updated: 2023-06-30",
        "Last updated on 5 May 2024.",
        "**Last Updated:** May 5, 2024",
        "Effective date: January 1, 2024",
        "Stand: 12. Mai 2024",
        "Zuletzt aktualisiert am 1. Juli 2025",
        "Dernière mise à jour le 3 mars 2024",
        "```\nsome code in a fence\n```",
        "<!-- -->",
        "***",
        "7\\. Reporting Violations of Your Rights, Our Policies, or Applicable Laws.",
        "11.9 30 Day Right to Opt-Out.",
    ],
)
def test_furniture_is_no_passage(body):
    assert texts(body) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Effective immediately, users under 13 are banned.",
        "Last updated versions bind everyone who uses the service.",
        "Stand by your word.",
        "10.4 YOUR SOLE REMEDY IS TO STOP USING THE SERVICE.",
        "**We never sell** what you send us.",
    ],
)
def test_sentences_that_only_begin_like_furniture_are_kept(sentence):
    assert texts(sentence) == [sentence]


def test_a_dated_heading_is_no_context():
    body = "# Privacy\n\n## Last updated: 2024-05-01\n\n### Cookies\n\nWe use no cookies.\n"
    assert [passage.heading for passage in passages(body, split(body), locale="en")] == ["Privacy › Cookies"]


def test_a_marker_that_is_also_in_the_text_does_not_shift_the_start():
    assert texts("- a - a - a") == ["a - a - a"]


# --- every quote stands in the text


@given(st.lists(markup | st.text(max_size=4)).map("".join))
def test_every_passage_is_verbatim_and_inside_its_section(body):
    sections = split(body)
    found = passages(body, sections, locale="en")
    for passage in found:
        section = sections[passage.section]
        assert passage.text == body[passage.start : passage.end] != ""
        assert section.start <= passage.start < passage.end <= section.end
        assert passage.text == passage.text.strip()
    assert all(a.end <= b.start for a, b in pairwise(found))


@needs_corpus
def test_passages_of_real_policies_are_verbatim_and_inside_their_sections():
    """A text of four here, all nightly; `python -m benchmarks.answers` looks at quotes from the whole corpus."""
    for path in sorted(CORPUS.rglob("*.md"))[:: 1 if NIGHTLY else 4]:
        body = path.read_bytes().decode("utf-8")
        sections = split(body)
        for passage in passages(body, sections, locale="en"):
            section = sections[passage.section]
            assert passage.text == body[passage.start : passage.end], path
            assert section.start <= passage.start < passage.end <= section.end, path
