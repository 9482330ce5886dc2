"""Words marked between two texts: exact on both sides, as few as can be, and where a reader would put the marks."""

from difflib import SequenceMatcher
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.documents import words
from lifecycle.documents.words import EditKind, count, longest_rising, mark

MARKS = {EditKind.KEPT: "{}", EditKind.ADDED: "+{}+", EditKind.REMOVED: "-{}-"}


def marked(old: str, new: str) -> str:
    return "".join(MARKS[edit.kind].format(edit.text) for edit in mark(old, new))


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("You may go.", "You must go.", "You -may-+must+ go."),
        ("You may go", "You may go.", "You may go+.+"),
        ("a b", "a  b", "a + +b"),
        ("free; paid", "free, paid", "free-;-+,+ paid"),
        ("one two three", "one three", "one -two -three"),
        ("don't", "don’t", "don-'-+’+t"),
    ],
)
def test_marks_stand_on_what_differs(old: str, new: str, shown: str):
    assert marked(old, new) == shown


def test_a_script_without_blanks_is_marked_by_the_character():
    assert marked("同意する。", "同意したい。") == "同意-する-+したい+。"


def test_no_word_is_marked_in_part():
    assert marked("unhappy", "happy") == "-unhappy-+happy+"
    assert marked("नमस्ते", "नमस्ता") == "-नमस्ते-+नमस्ता+"


def test_a_few_words_between_long_changes_are_no_reason_to_tear_the_phrase_apart():
    old = (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa the lambda mu nu xi omicron pi rho sigma tau upsilon"
    )
    new = (
        "one two three four five six seven eight nine ten the eleven twelve thirteen fourteen fifteen sixteen seventeen"
    )
    assert [edit.kind for edit in mark(old, new)] == [EditKind.REMOVED, EditKind.ADDED]


TEXTS = (
    st.lists(st.sampled_from(["a", "b", "c", "the", " ", " ", "\n", ".", ",", "ü", "語", "1"])).map("".join) | st.text()
)


@given(TEXTS, TEXTS)
def test_the_edits_are_both_texts_and_neighbours_differ_in_kind(old: str, new: str):
    edits = mark(old, new)
    assert "".join(edit.text for edit in edits if edit.kind is not EditKind.ADDED) == old
    assert "".join(edit.text for edit in edits if edit.kind is not EditKind.REMOVED) == new
    assert all(edit.text for edit in edits)
    assert all(one.kind is not next_.kind for one, next_ in pairwise(edits))


WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=60)


@given(WORDS, WORDS)
def test_hardly_more_words_are_marked_than_an_exact_search_would(old: list[str], new: list[str]):
    edits = mark(" ".join(old), " ".join(new))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    exact = len(old) + len(new) - 2 * sum(block.size for block in matcher.get_matching_blocks())
    assert count(edits, EditKind.ADDED) + count(edits, EditKind.REMOVED) <= 1.1 * exact


@given(WORDS, WORDS)
def test_texts_too_large_for_one_table_are_cut_at_phrases_they_share(old: list[str], new: list[str]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "CELLS", 20)
        edits = mark(" ".join(old), " ".join(new))
    assert "".join(edit.text for edit in edits if edit.kind is not EditKind.ADDED) == " ".join(old)
    assert "".join(edit.text for edit in edits if edit.kind is not EditKind.REMOVED) == " ".join(new)


def test_a_large_text_with_one_changed_word_has_one_marked_word():
    old = [f"w{n}" for n in range(40_000)]
    new = [*old[:20_000], "changed", *old[20_001:]]
    edits = mark(" ".join(old), " ".join(new))
    assert (count(edits, EditKind.ADDED), count(edits, EditKind.REMOVED)) == (1, 1)


@given(st.lists(st.integers(0, 30)))
def test_the_longest_rising_chain_rises_and_none_is_longer(values: list[int]):
    chain = [values[place] for place in longest_rising(values)]
    assert all(one < next_ for one, next_ in pairwise(chain))
    best = [0] * (len(values) + 1)
    for n, value in enumerate(values):
        best[n + 1] = 1 + max((best[m + 1] for m in range(n) if values[m] < value), default=0)
    assert len(chain) == max(best)
