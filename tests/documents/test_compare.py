"""Comparing two texts."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.documents.compare import Change, ChangeKind, EditKind, apply, compare
from lifecycle.errors import InvalidInput
from tests.conftest import SHARED, needs_corpus

OLD = (
    "Hello.\n\n# Terms\n\n## 1. Use\n\nBe nice.\n\n## 2. Fees\n\nYou pay monthly.\n\n"
    "## 3. End\n\nEither side may end it.\n"
)


def kinds(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.kind.value, change.section.title) for change in changes]


def marked(change: Change) -> str:
    marks = {EditKind.KEPT: "{}", EditKind.ADDED: "+{}+", EditKind.REMOVED: "-{}-"}
    return "".join(marks[edit.kind].format(edit.text) for edit in change.edits)


def test_the_same_text_is_kept_whole():
    assert {change.kind for change in compare(OLD, OLD)} == {ChangeKind.KEPT}
    assert sum(change.words_added + change.words_removed for change in compare(OLD, OLD)) == 0


def test_a_changed_word_marks_its_section_and_no_other():
    changes = compare(OLD, OLD.replace("monthly", "every month"))
    assert kinds(changes) == [("kept", ""), ("kept", "Terms"), ("kept", "Use"), ("changed", "Fees"), ("kept", "End")]
    assert marked(changes[3]) == "## 2. Fees\n\nYou pay -monthly-+every month+.\n\n"
    assert (changes[3].words_added, changes[3].words_removed) == (2, 1)


def test_an_inserted_section_is_added_though_the_numbers_after_it_shift():
    new = OLD.replace("## 2. Fees", "## 2. Age\n\nYou are 16.\n\n## 3. Fees").replace("## 3. End", "## 4. End")
    changes = compare(OLD, new)
    assert kinds(changes)[2:] == [("kept", "Use"), ("added", "Age"), ("changed", "Fees"), ("changed", "End")]
    assert changes[3].old is None
    assert changes[3].words_added == 5  # the number counts: it is written


def test_a_removed_section_is_removed():
    changes = compare(OLD, OLD.replace("## 2. Fees\n\nYou pay monthly.\n\n", ""))
    assert kinds(changes)[3:] == [("removed", "Fees"), ("kept", "End")]
    assert changes[3].new is None
    assert changes[3].words_removed == 5


def test_a_section_with_a_new_title_is_found_by_its_number():
    changes = compare(OLD, OLD.replace("Fees", "Payment"))
    assert kinds(changes)[3] == ("changed", "Payment")
    assert changes[3].old is not None
    assert changes[3].old.title == "Fees"


def test_blank_space_around_a_section_changes_nothing_that_is_said():
    changes = compare(OLD, OLD.replace("Be nice.\n", "Be nice.\n\n\n"))
    assert {change.kind for change in changes} == {ChangeKind.KEPT}
    assert apply(OLD, changes) == OLD.replace("Be nice.\n", "Be nice.\n\n\n")


def test_a_comparison_applies_to_its_own_old_text_only():
    changes = compare(OLD, "# Other\n")
    assert apply(OLD, changes) == "# Other\n"
    with pytest.raises(InvalidInput, match="made from another text"):
        apply(OLD + " ", changes)


@pytest.mark.parametrize(
    ("old", "new"), [("", ""), ("", OLD), (OLD, ""), ("a", "b"), ("a\r\nb\r", "a\nb\n"), ("\n", "")]
)
def test_edges_apply_too(old: str, new: str):
    assert apply(old, compare(old, new)) == new


LINES = st.sampled_from(
    [
        "# Terms",
        "## 1. Use",
        "## 2. Fees",
        "### (a) Detail",
        "## Fees",
        "Setext",
        "---",
        "",
        "\t",
        "- item",
        "{{ x }}",
        "You may use it.",
        "You must not use it.",
        "Wörter und 日本語",
        "\u202e",
        "a\rb",
        "\x0c",
        "\x85 \u2028",
    ]
)
TEXTS = st.lists(LINES, max_size=25).map("\n".join) | st.text(max_size=200)


@given(TEXTS, TEXTS)
def test_applying_the_comparison_gives_the_new_text(old: str, new: str):
    changes = compare(old, new)
    assert apply(old, changes) == new


@given(TEXTS, TEXTS)
def test_each_section_of_either_side_stands_in_exactly_one_change_in_its_order(old: str, new: str):
    from lifecycle.documents.sections import split

    changes = compare(old, new)
    assert [change.old for change in changes if change.old] == split(old)
    assert [change.new for change in changes if change.new] == split(new)
    for change in changes:
        was = "".join(edit.text for edit in change.edits if edit.kind is not EditKind.ADDED)
        assert change.old is None or was == old[change.old.start : change.old.end]


@given(TEXTS)
def test_nothing_differs_from_itself(text: str):
    changes = compare(text, text)
    assert all(change.kind is ChangeKind.KEPT for change in changes)
    assert all(edit.kind is EditKind.KEPT for change in changes for edit in change.edits)


@needs_corpus
def test_real_versions_apply_to_the_next_ones():
    index = json.loads((SHARED / "corpus" / "index.json").read_text())
    files = sorted(path for path in (SHARED / "corpus").rglob("*.md"))
    assert index
    tried = 0
    for before, after in pairwise(files):
        if before.parent == after.parent:
            old, new = before.read_bytes().decode(), after.read_bytes().decode()
            assert apply(old, compare(old, new)) == new, after
            tried += 1
    assert tried > 100
