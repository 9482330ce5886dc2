"""`assent ask` and `assent answers` on the sample policies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Assent

SAMPLES = Path(__file__).parents[2] / "lifecycle" / "demo" / "texts"
QUESTIONS = [
    {"question": "Do you sell my data?", "sections": ["privacy-policy#4.4"]},
    {"question": "how do i quit", "sections": ["terms#11.1"]},
    {"question": "What's the capital of Australia?", "sections": []},
]


@pytest.fixture
def samples(assent: Assent) -> Assent:
    assent.done("import", str(SAMPLES))
    return assent


def test_an_answer_shows_quote_section_version_link_and_why(samples: Assent):
    shown = samples.done("ask", "Do you sell my data?").out
    assert "“We do not sell your personal data, and we do not share it for advertising.”" in shown
    assert "Privacy Policy, version 1, 4.4 No sale" in shown
    assert "/privacy-policy/1?locale=en#no-sale" in shown
    assert "for “sell”" in shown


def test_what_asks_for_an_act_is_sent_on_without_a_quote(samples: Assent):
    found = samples.done("ask", "delete my account now", "--json").json
    assert (found["outcome"], found["route"], found["quotes"], found["closest"]) == ("aside", "erasure", [], [])


def test_what_only_comes_close_is_no_answer(samples: Assent):
    found = samples.done("ask", "Is there a fee for kids?", "--json").json
    assert (found["answered"], found["outcome"], found["quotes"]) == (False, "closest", [])
    assert 1 <= len(found["closest"]) <= 3
    assert "These passages come closest" in samples.done("ask", "Is there a fee for kids?").out


def test_labelled_questions_are_measured_and_thresholds_tuned(samples: Assent):
    file = samples.file("q.jsonl", "\n".join(map(json.dumps, QUESTIONS)))
    table = samples.done("answers", "evaluate", str(file), "--json").json["table"]
    assert (table["answerable"], table["unanswerable"], table["first"]) == (2, 1, 1.0)
    assert "right section first" in samples.done("answers", "evaluate", str(file), "--misses").out
    tuned = samples.done("answers", "tune", str(file), "--json").json["thresholds"]
    assert 0 <= tuned["closest"] <= tuned["answered"] < 1
    assert f"answer_threshold = {tuned['answered']:g}" in samples.done("answers", "tune", str(file)).out


def test_a_file_of_questions_that_cannot_be_used_is_refused_with_its_line(samples: Assent):
    file = samples.file("q.jsonl", '{"question": "Why?", "sections": ["terms"]}')
    assert "line 1: 'terms' is not a document and a section" in samples.refused("answers", "evaluate", str(file))
    assert "cannot be read" in samples.refused("answers", "tune", "missing.jsonl")
