"""Passages: where sentences end, what may be quoted, and that every quote stands in the text as it is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.answers.passages import passages
from lifecycle.documents.sections import split

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
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
        "**We never sell** what you send us.",
    ],
)
def test_sentences_that_only_begin_like_furniture_are_kept(sentence):
    assert texts(sentence) == [sentence]


def test_a_dated_heading_is_no_context():
    body = "# Privacy\n\n## Last updated: 2024-05-01\n\n### Cookies\n\nWe use no cookies.\n"
    assert [passage.heading for passage in passages(body, split(body), locale="en")] == ["Privacy › Cookies"]


def test_raw_html_is_cut_at_its_block_tags():
    assert texts("<table><tr><td>We keep logs.</td><td>For <b>thirty</b> days only.</td></tr></table>") == [
        "We keep logs.",
        "For <b>thirty</b> days only.",
    ]


def test_paragraphs_inside_quotes_and_nested_lists_begin_behind_their_markers():
    assert texts("> We may end this.\n> You may too.\n\n1. * Only with notice\n\n   Second part here.\n") == [
        "We may end this.",
        "You may too.",
        "Only with notice",
        "Second part here.",
    ]


def test_a_marker_that_is_also_in_the_text_does_not_shift_the_start():
    assert texts("- a - a - a") == ["a - a - a"]


def test_a_sentence_cut_out_of_emphasis_carries_no_half_mark():
    assert texts("**We never sell data. We share it with processors.** More follows here.") == [
        "We never sell data.",
        "We share it with processors.",
        "More follows here.",
    ]


# --- where sentences end


@pytest.mark.parametrize(
    "sentence",
    [
        "We use processors, e.g. Google Analytics, to count visits.",
        "This applies to OpenRouter, Inc. Services and others.",
        "See No. 5 of the schedule.",
        "Laws of the U.S. Congress apply here.",
        "Ask Dr. Smith or Mrs. Jones about it.",
        r"1\. This clause begins with its number.",
        "**2.** This clause begins with its number.",
        "It costs 3.50 dollars per month.",
        "Write to legal@example.com. or not at all.",
        "See https://example.com/a.b?c=d. and so on.",
        "Read our [Terms. And conditions](https://example.com/a.b) first.",
        "Type `stop. Now` to end it.",
        "Wir nutzen Dienste, z. B. Google, zum Zählen.",
        "Wir nutzen Dienste, z.B. Google, zum Zählen.",
        "Das gilt d. h. Daten werden gelöscht.",
        "Die Muster GmbH. Berlin haftet nicht.",
        "Das gilt gem. Art. 6 Abs. 1 lit. f DSGVO.",
        "Das gilt ab dem 30. Juni 2023 für alle.",
        "Das gilt bis zum 1. Januar für alle.",
        "Siehe Nr. 7 sowie ggf. Anhang und evtl. Anlagen.",
        "Wait… there is more to it.",
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(sentence):
    assert texts(sentence) == [sentence]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("We collect no data from children under 13.", "If we learn of it, we delete it."),
        ("You may object within 30 days.", "After that it binds you."),
        ("Do you sell my data?", "No, we never do."),
        ("Stop using it!", "It ends at once."),
        ("(We may end this.)", "You may end it too."),
        ("We call it “the Service.”", "You may use it."),
        ("Read the [terms](https://example.com).", "They bind you all."),
        ("We share data with Google etc.", "They may not use it."),
        ("Ask us for the ref. no.", "We will send it."),
        ("Nutzer müssen 16 sein, nicht unter 13.", "Wenn wir davon erfahren, löschen wir."),
        ("Wir löschen alles.", "Ärgerlich ist das nicht."),
        ("Мы не продаём данные.", "Вы можете уйти."),
        ("私たちはデータを販売しません。", "いつでも退会できます。"),
    ],
)
def test_a_stop_between_sentences_ends_the_first(first, second):
    space = "" if first.endswith("。") else " "
    assert texts(f"{first}{space}{second}") == [first, second]


def test_a_sentence_may_run_over_lines_of_any_ending():
    assert texts("We never\r\nsell data.\rAsk us\nabout it.") == [
        "We never\r\nsell data.",
        "Ask us\nabout it.",
    ]


# --- every quote stands in the text

markup = st.sampled_from(
    [
        "# ",
        "- ",
        "1. ",
        "> ",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "\t",
        "    ",
        "| a | b c d |\n",
        "|-|-|\n",
        "<div>\n",
        "</p>",
        "\x0c",
        "\x1f",
        "\x85",
        "\u2028",
        "\xa0",
        "\ufeff",
        "```\n",
        "**",
        "_",
        "`",
        "\\",
        ". ",
        ".",
        "? ",
        "。",
        "z. B. ",
        "word ",
        "We sell data. ",
        "[a. B](c)",
        "13",
        "Ä",
    ]
)


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
    for path in sorted(CORPUS.rglob("*.md")):
        body = path.read_bytes().decode("utf-8")
        sections = split(body)
        for passage in passages(body, sections, locale="en"):
            section = sections[passage.section]
            assert passage.text == body[passage.start : passage.end], path
            assert section.start <= passage.start < passage.end <= section.end, path
