"""Policies as HTML: every word shown, every section with its anchor, and no hostile text more than text."""

from __future__ import annotations

import re

import html5lib
import pytest

from benchmarks.hostile_texts import NAMED
from lifecycle.documents.markdown import PIECES
from lifecycle.documents.sections import split
from lifecycle.web.markup import STEPS, text_html
from tests.conftest import SHARED, needs_corpus
from tests.web import hostile


def words(html: str) -> list[str]:
    tree = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    return re.findall(r"\w+", "".join(tree.itertext()))


def ids(html: str) -> list[str]:
    return re.findall(r'<(?:section|li) id="([^"]*)"', html)


# --- what a text becomes


def test_every_section_has_an_element_with_its_anchor():
    body = "Preface.\n\n# Terms\n\n**Cookies**\n\n1.1 One.\n\n1.2 Two.\n\n1. **Ending**\n2. **Law**\n\n## More\n"
    html = str(text_html(body))
    assert (
        ids(html)
        == [section.anchor for section in split(body)]
        == ["_top", "terms", "cookies", "1-1", "1-2", "ending", "law", "more"]
    )
    assert '<section id="ending">\n<ol>' in html
    assert '<li id="law">' in html


def test_a_link_may_be_defined_in_another_section():
    assert '<a href="https://x.example"' in text_html("# One\n\n[x][1]\n\n# Two\n\n[1]: https://x.example\n")


def test_definitions_and_notes_are_shown_as_such():
    html = text_html("Term\n: What it means\n\nText[^1].\n\n[^1]: A note.\n")
    assert "<dt>Term</dt>" in html
    assert '<a href="#fn1" id="fnref1"' in html
    assert '<li id="fn1"' in html


@pytest.mark.parametrize("line", ["{{ 7 * 7 }}", "{% include 'x' %}", "{# note #}", "${7*7}", "#{7*7}"])
def test_a_policy_never_passes_through_a_template_engine(line):
    assert line in text_html(f"Text {line} text.").replace("&#x27;", "'").replace("&#39;", "'")


@pytest.mark.parametrize(
    "body",
    [
        "> " * 30 + "deep words",
        "- " * 30 + "deep words",
        "\n".join("  " * depth + "- word" for depth in range(30)),
        "- word\n" + " " * 25 * PIECES + "last words",
        "*a " * STEPS + "last words",
        "line\n" * PIECES + "last words",
        "|a" * PIECES + "|\n" + "|-" * PIECES + "|\nlast words",
    ],
)
def test_a_text_beyond_all_measure_is_shown_as_it_stands_and_no_word_is_lost(body):
    html = str(text_html(body))
    assert sorted(words(html)) == sorted(re.findall(r"\w+", body))
    assert ids(html) == ["_top"]


def test_what_cannot_be_seen_and_turns_words_round_is_shown():
    assert "abc\ufffddef" in text_html("abc\u202edef")
    assert "abc\ufffddef" in text_html("abc\x1bdef")
    assert "abc\u200fdef" in text_html("abc\u200fdef")  # which Hebrew and Arabic texts need


# --- hostile texts


def test_made_up_texts_hold_nothing_outside_the_list(pytestconfig):
    """As many as `--hostile N` asks for; 50,000 nightly."""
    for number in range(pytestconfig.getoption("--hostile")):
        html = str(text_html(hostile.text(number)))
        assert list(hostile.outside_the_list(html)) == [], f"hostile.text({number})"


@pytest.mark.parametrize("name", NAMED)
def test_enormous_texts_hold_nothing_outside_the_list(name):
    """A small part of what `benchmarks/hostile_texts.py` measures."""
    assert list(hostile.outside_the_list(str(text_html(NAMED[name](400))))) == []


def test_the_judge_of_hostile_texts_can_say_no():
    for html in (
        "<script></script>",
        "<p onclick=x>",
        "<a href='javascript:x'>",
        "<p class=x>",
        "<svg/>",
        "<img src=x>",
    ):
        assert list(hostile.outside_the_list(html))


@needs_corpus
def test_real_policies_hold_nothing_outside_the_list_and_all_their_anchors():
    for path in sorted((SHARED / "corpus").rglob("*.md"))[::12]:
        body = path.read_bytes().decode("utf-8")
        html = str(text_html(body))
        assert list(hostile.outside_the_list(html)) == [], path
        assert [anchor for anchor in ids(html) if not anchor.startswith("fn")] == [s.anchor for s in split(body)], path
