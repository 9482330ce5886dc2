"""Comparing two texts."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.documents.compare import Change, ChangeKind, apply, compare
from lifecycle.documents.sections import split
from lifecycle.documents.words import EditKind
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
    assert kinds(changes)[2:] == [("kept", "Use"), ("added", "Age"), ("renamed", "Fees"), ("renamed", "End")]
    assert changes[3].old == ()
    assert changes[3].words_added == 5  # the number counts: it is written


def test_a_removed_section_is_removed():
    changes = compare(OLD, OLD.replace("## 2. Fees\n\nYou pay monthly.\n\n", ""))
    assert kinds(changes)[3:] == [("removed", "Fees"), ("kept", "End")]
    assert changes[3].new == ()
    assert changes[3].words_removed == 5


def test_a_section_under_a_new_title_is_renamed():
    changes = compare(OLD, OLD.replace("Fees", "Payment"))
    assert kinds(changes)[3] == ("renamed", "Payment")
    assert [section.title for section in changes[3].old] == ["Fees"]


def test_a_section_with_another_text_under_another_title_is_found_by_its_number():
    changes = compare(OLD, OLD.replace("Fees\n\nYou pay monthly.", "Payment\n\nNothing is free."))
    assert kinds(changes)[3] == ("changed", "Payment")
    assert changes[3].old[0].title == "Fees"


DATA = """## Data

We collect your name, your e-mail address and the pages that you visit.

We keep the data for two years after your last visit, then we delete it.

"""
SHARING = "## Sharing\n\nNobody gets your data but the courts, and they only when they order it in writing.\n\n"
CONTACT = "## Contact\n\nWrite to the address at the end of this page, and a person will answer you.\n\n"


def test_a_section_that_changed_places_is_moved_and_no_word_of_it_is_marked():
    changes = compare(DATA + SHARING + CONTACT, CONTACT + DATA + SHARING)
    assert kinds(changes) == [("moved", "Contact"), ("kept", "Data"), ("kept", "Sharing")]
    assert sum(change.words_added + change.words_removed for change in changes) == 0


def test_a_section_may_move_and_change():
    changes = compare(DATA + SHARING + CONTACT, CONTACT.replace("person", "lawyer") + DATA + SHARING)
    assert kinds(changes)[0] == ("changed", "Contact")
    assert [change.moved for change in changes] == [True, False, False]


def test_one_section_made_two_is_split():
    halves = DATA.replace("We keep", "## Retention\n\nWe keep")
    changes = compare(DATA + SHARING, halves + SHARING)
    assert kinds(changes) == [("split", "Data"), ("kept", "Sharing")]
    assert [section.title for section in changes[0].new] == ["Data", "Retention"]
    assert (changes[0].words_added, changes[0].words_removed) == (1, 0)


def test_two_sections_made_one_are_merged():
    halves = DATA.replace("We keep", "## Retention\n\nWe keep")
    changes = compare(SHARING + halves, SHARING + DATA)
    assert kinds(changes) == [("kept", "Sharing"), ("merged", "Data")]
    assert [section.title for section in changes[1].old] == ["Data", "Retention"]


def test_a_part_that_comes_before_the_rest_is_split_off_too():
    halves = DATA.replace("## Data", "## What we collect").replace("We keep", "## Data\n\nWe keep")
    changes = compare(DATA + SHARING, halves + SHARING)
    assert kinds(changes) == [("split", "What we collect"), ("kept", "Sharing")]


def test_sections_that_share_only_common_words_are_not_taken_for_each_other():
    other = "## Refunds\n\nYou can have your money back within the first thirty days.\n\n"
    assert kinds(compare(DATA + SHARING, DATA + other)) == [
        ("kept", "Data"),
        ("removed", "Sharing"),
        ("added", "Refunds"),
    ]


def test_a_removed_section_stands_after_what_it_followed():
    changes = compare(DATA + SHARING + CONTACT, DATA + CONTACT)
    assert kinds(changes) == [("kept", "Data"), ("removed", "Sharing"), ("kept", "Contact")]


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
def test_each_section_of_either_side_stands_in_exactly_one_change(old: str, new: str):
    changes = compare(old, new)
    assert sorted(section.position for change in changes for section in change.old) == list(range(len(split(old))))
    assert [section for change in changes for section in change.new] == split(new)
    for change in changes:
        assert change.was == "".join(old[section.start : section.end] for section in change.old)
        assert change.now == "".join(new[section.start : section.end] for section in change.new)


@given(
    st.permutations([DATA, SHARING, CONTACT, "## A\n\n", "## B\n\nb\n\n"]), st.permutations([DATA, SHARING, CONTACT])
)
def test_sections_in_any_order_apply(old: list[str], new: list[str]):
    changes = compare("".join(old), "".join(new))
    assert apply("".join(old), changes) == "".join(new)
    assert {change.kind for change in changes} <= {ChangeKind.KEPT, ChangeKind.MOVED, ChangeKind.REMOVED}


@given(TEXTS)
def test_nothing_differs_from_itself(text: str):
    changes = compare(text, text)
    assert all(change.kind is ChangeKind.KEPT for change in changes)
    assert all(edit.kind is EditKind.KEPT for change in changes for edit in change.edits)


@needs_corpus
def test_real_versions_apply_to_the_next_ones():
    index = json.loads((SHARED / "corpus" / "index.json").read_text())
    pairs = [pair for document in index["documents"] for pair in pairwise(document["versions"])]
    for before, after in pairs:
        old, new = ((SHARED / "corpus" / version["file"]).read_bytes().decode() for version in (before, after))
        assert apply(old, compare(old, new)) == new, after["file"]
    assert len(pairs) == 205


EACH_HAS_ANOTHER_PART = """
from lifecycle.documents.compare import compare

core = " ".join(f"core{n}" for n in range(40))
parts = [" ".join(f"{word}{part}" for word in ("we", "keep", "what", "you")) for part in range(9)]
old = "".join(f"# {name}\\n\\n{core} {part}\\n\\n" for name, part in zip("ABCDEFGHI", parts))
new = " and ".join(["# New\\n\\n", core, *parts])
print([section.title for change in compare(old, new) if change.new for section in change.old])
"""


def test_of_sections_that_are_equally_alike_the_same_are_chosen_in_every_process():
    """Python orders sets of words another way in each process."""
    seen = {
        subprocess.run(
            [sys.executable, "-c", EACH_HAS_ANOTHER_PART],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(1, 6)
    }
    assert len(seen) == 1
