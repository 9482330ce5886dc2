"""Measuring: what a table says, which thresholds suit, and files of labelled questions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.answers.measuring import LOSS, Labelled, Ranked, fare_on, read_labelled, table, tune
from lifecycle.errors import InvalidInput
from lifecycle.settings import Settings
from tests.answers.texts import texts

YES, NO = Labelled("Can I?", ("terms#1",)), Labelled("What about fish?")


@pytest.mark.parametrize("line", ["# Terms", "[1, 2]", '"text"', "\x00"])
def test_a_file_of_something_else_is_refused_with_what_a_line_should_be(line: str) -> None:
    with pytest.raises(InvalidInput, match=r'q.jsonl, line 1: the line is not a JSON object such as \{"question"'):
        read_labelled(line, name="q.jsonl")


def test_a_table_tells_right_wrong_and_silent():
    ranked = [
        Ranked(YES, 0.9, 1),
        Ranked(YES, 0.8, 2),
        Ranked(YES, 0.2, 1),
        Ranked(YES, 0.1, None),
        Ranked(NO, 0.5, None),
        Ranked(NO, 0.15, None),
    ]
    found = table(ranked, 0.5)
    assert (found.answerable, found.unanswerable, found.first, found.in_three) == (4, 2, 0.5, 0.75)
    assert (found.answered_right, found.answered_wrong, found.abstained_right) == (0.25, 0.25, 0.5)
    assert found.auroc == 5 / 8


def test_a_threshold_shuts_out_wrong_answers_and_lies_between_scores():
    ranked = [Ranked(YES, 0.9, 1), Ranked(YES, 0.8, 1), Ranked(NO, 0.6, None), Ranked(YES, 0.5, 1)]
    found = tune(ranked)
    assert found.answered == 0.7
    assert found.closest <= found.answered


def test_a_few_wrong_answers_are_put_up_with_for_many_right_ones():
    ranked = [Ranked(NO, 0.6, None), *(Ranked(YES, 0.5, 1) for _ in range(int(LOSS) + 1))]
    assert tune(ranked).answered < 0.5


ranked = st.builds(
    Ranked,
    st.sampled_from([YES, NO]),
    st.integers(0, 200).map(lambda percent: percent / 100),
    st.sampled_from([1, 2, 3, None]),
)


@given(st.lists(ranked, min_size=1, max_size=30))
def test_tuned_thresholds_are_never_worse_than_silence(found):
    tuned = tune(found).answered
    spoken = [r for r in found if r.score >= tuned]
    right = sum(r.place == 1 for r in spoken)
    assert right >= LOSS * (len(spoken) - right) - 1e-9


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('{"question": "a b"', "line 1:"),
        ('{"question": "a", "sections": "terms#1"}', "`sections` a list"),
        ('{"question": "a", "sections": ["terms"]}', "'terms' is not a document and a section"),
        ('\n{"question": " ", "sections": []}', "line 2: A question has 1 to"),
        ('{"question": "a", "answer": "b"}', "unknown: answer"),
        ('{"question": "a", "sections": ["t#1"]}', "needs questions that a text answers and questions that none does"),
        ("", "it has 0 in all"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(lines, why):
    with pytest.raises(InvalidInput, match=r"q\.jsonl") as refused:
        read_labelled(lines, name="q.jsonl")
    assert why in str(refused.value)


def test_a_label_counts_for_the_sections_below_it_and_must_be_there():
    read = texts("demo", "en")
    asked = "How do I opt out of prompt logging?"
    assert fare_on(read, Labelled(asked, ("privacy-policy#3",)), settings=Settings()).place == 1
    with pytest.raises(InvalidInput, match=r"'terms#99' is in no text in force"):
        fare_on(read, Labelled(asked, ("terms#99",)), settings=Settings())
