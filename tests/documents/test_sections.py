"""Sections: what is a heading, how a section is named and found, and that nothing of the text is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.documents.markdown import plain
from lifecycle.documents.sections import Section, beneath, extent, find, split

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")

POLICY = """Preface.

# Terms of Service

Welcome.

## 1\\. What **we** [collect](https://example.com)

### 1.1 Prompts

### 1.2 Payment

## 2. Ending

Either side may end this.
"""


def joined(body: str) -> str:
    return "".join(body[section.start : section.end] for section in split(body))


def only(body: str) -> Section:
    (section,) = split(body)
    return section


def named(heading: str) -> tuple[str, str]:
    section = only(f"# {heading}")
    return section.number, section.title


# --- what becomes a section


def test_sections_come_with_number_title_level_and_path():
    assert [(s.level, s.number, s.title, s.path) for s in split(POLICY)] == [
        (0, "", "", ()),
        (1, "", "Terms of Service", ()),
        (2, "1", "What we collect", ("Terms of Service",)),
        (3, "1.1", "Prompts", ("Terms of Service", "What we collect")),
        (3, "1.2", "Payment", ("Terms of Service", "What we collect")),
        (2, "2", "Ending", ("Terms of Service",)),
    ]
    assert [s.position for s in split(POLICY)] == list(range(6))


def test_a_section_reaches_from_its_heading_to_the_next():
    section = split(POLICY)[-1]
    assert POLICY[section.start : section.end] == "## 2. Ending\n\nEither side may end this.\n"
    assert POLICY[section.text_start : section.end].strip() == "Either side may end this."


def test_setext_headings_count_like_atx_ones():
    assert [(s.level, s.title) for s in split("Policy\n===\n\nText.\n\nCookies\n---\nText.")] == [
        (1, "Policy"),
        (2, "Cookies"),
    ]


LINES = [
    "", "", "", "Some words.", "Words (a)", "More", "**Bold**", "**Bold** and not", "# One", "## 2. Two", " ### 3",
    "#hash",
    "===", "---", "1. Scope", "2. Said in a whole sentence.", "1.1 Part", "(a) point", "- item", "  - deeper",
    "- # no heading",
    "   indented", "    code", "\tcode", "> quote", "> # no heading", "| a | b |", "|---|---|", "<table>", "</table>",
    "<!-- hidden", "-->", "```", "[Word]: /address", "[Word]", "Article 5", "§ 7 Rest", "\u00a0**Bold**", "1.", "* * *",
]  # fmt: skip


texts_of_lines = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)


def found(body: str, *, after: int = 0) -> list[tuple[object, ...]]:
    """What was found, each with its source and its text, of the sections after so many characters."""
    return [
        (s.level, s.number, s.title, s.anchor, s.path, body[max(s.start, after) : s.end], body[s.text_start :])
        for s in split(body)
        if s.end > after
    ]


@given(texts_of_lines)
def test_a_text_reads_the_same_in_pieces_and_parsed_whole(body):
    """A link may be defined anywhere in a text, so that one with a definition is not cut."""
    defined = "Defined\n\n[defined]: /x\n\n"
    assert [one[:5] for one in found(defined + body, after=len(defined)) if one[2]] == [
        one[:5] for one in found("Defined\n\n" + body, after=9) if one[2]
    ]
    assert [one[5:] for one in found(defined + body, after=len(defined))][1:] == [
        one[5:] for one in found("Defined\n\n" + body, after=9)
    ][1:]


@given(texts_of_lines, st.sampled_from(["\r\n", "\r"]))
def test_the_kind_of_line_ending_makes_no_difference(body, end):
    other = [
        tuple(part.replace(end, "\n") if isinstance(part, str) else part for part in one)
        for one in found(body.replace("\n", end))
    ]
    assert found(body) == other


def test_a_long_text_has_sections_too_but_one_of_more_lines_than_anyone_reads_has_none():
    long = "# One\n\n" + "a\n\n" * 40_000 + "# Two\n"
    assert [section.title for section in split(long)] == ["One", "Two"]
    assert only("# One\n\n" + "a\n\n" * 150_000).level == 0


@pytest.mark.parametrize("heading", ["# a{}\n", "# *a{}*\n\n", "**a{}**\n\n"])
def test_more_headings_than_anyone_reads_belong_to_the_last_section(heading):
    body = "".join(map(heading.format, range(10_000)))
    sections = split(body)
    assert 1_000 <= len(sections) < 10_000
    assert joined(body) == body


@pytest.mark.parametrize("table", ["1. a\n" * 30_000, "1. x\n" + " " * 600_000 + "x\n", "1. x\n" + "|" * 30_000])
def test_a_piece_that_is_too_much_to_parse_hides_no_heading_around_it(table):
    assert [section.title for section in split(f"# One\n\n{table}\n\n# Two *too*\n")] == ["One", "Two too"]


def test_a_heading_of_endless_length_is_not_read_for_its_markup():
    assert only("# " + "*a* " * 1_000).title == ("*a* " * 1_000).strip()


@pytest.mark.parametrize("body", ["", "Just text.\n\nMore.", " \n\n", "\ufeff"])
def test_text_without_headings_is_one_section(body):
    assert (only(body).level, only(body).anchor, joined(body)) == (0, "_top", body)


@pytest.mark.parametrize("before", ["", "\n\n", " \t\r\n", "\ufeff", "\ufeff\n", "\u2028\n"])
def test_blank_lines_before_the_first_heading_are_no_preamble(before):
    section = only(f"{before}# Terms\n\nText.")
    assert (section.title, section.start) == ("Terms", 0)


@pytest.mark.parametrize(
    "body",
    [
        "```\n# not a heading\n```\n",
        "```\n# not a heading, the fence never closes",
        "    # not a heading\n",
        "> # not of the top level\n",
        "- # not of the top level\n",
        "#not a heading\n",
        "\\# not a heading\n",
        "line\u2028# not a heading\n",
        "line\x0b# not a heading\n",
        "line\x85# not a heading\n",
        "<div>\n# not a heading\n</div>\n",
    ],
)
def test_what_is_no_heading_in_commonmark_makes_no_section(body):
    assert only(body).level == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_ending_of_commonmark_is_a_line_ending(end):
    body = end.join(["Text.", "# One", "Text.", "", "Two", "---", "Text.", ""])
    assert [(s.title, body[s.start :][:3]) for s in split(body)[1:]] == [("One", "# O"), ("Two", "Two")]


def test_form_feeds_and_line_separators_do_not_shift_the_offsets():
    body = "a\x0cb\u2028c\x85d\x0be\n\n# Title\nText."
    assert body[split(body)[1].start :].startswith("# Title")


@pytest.mark.parametrize(
    ("line", "number", "title"),
    [
        ("**Cookies**", "", "Cookies"),
        ("__Cookies:__", "", "Cookies:"),
        ("**1\\. Cookies**", "1", "Cookies"),
        ("**2.1** **Cookies**", "2.1", "Cookies"),
        ("[**Cookies**](https://x.example)", "", "Cookies"),
        ("**What do we keep?**", "", "What do we keep?"),
        ("**الكوكيز**", "", "الكوكيز"),
        ("1. **Cookies**", "1", "Cookies"),
    ],
)
def test_a_bold_line_of_its_own_begins_a_section(line, number, title):
    for below in ("\n\nWe use few.", "  \nWe use few."):
        section = split(f"Preface.\n\n{line}{below}")[1]
        assert (section.level, section.number, section.title) == (0, number, title)


@pytest.mark.parametrize(
    "text",
    [
        "**We never sell it.**\n\nMore.",
        "**Note:** we never sell it.\n\nMore.",
        "We **never** sell it.\n\nMore.",
        "> **Cookies**\n\nMore.",
        "* **Cookies**\n\nMore.",
        "**Last updated: 5 May 2024**\n\nMore.",
        "**Effective 05/12/2024**\n\nMore.",
        "We sign:\n\n**The team**",
        "**" + "very " * 40 + "long**\n\nMore.",
        "***\n\nMore.",
    ],
)
def test_bold_words_that_are_no_line_of_their_own_begin_no_section(text):
    assert len(split(text)) == 1


NUMBERED = """# Terms

## 2. Use

2.1 You may use it.

2.2. You may neither:

(a) lend it, nor

(b) burn it.

2.3(b) The rest stays.

## Ending

§ 7 Haftung

Wir haften nicht.

§ 8 Schluss

Ende.
"""


def test_numbered_paragraphs_are_sections_beneath_their_heading():
    assert [(s.number, s.title, s.path) for s in split(NUMBERED)[2:]] == [
        ("2.1", "", ("Terms", "Use")),
        ("2.2", "", ("Terms", "Use")),
        ("(a)", "", ("Terms", "Use", "2.2")),
        ("(b)", "", ("Terms", "Use", "2.2")),
        ("", "Ending", ("Terms",)),
        ("§ 7", "Haftung", ("Terms", "Ending")),
        ("§ 8", "Schluss", ("Terms", "Ending")),
    ]


def test_a_point_beneath_a_section_is_found_by_both_numbers_put_together():
    sections = split(NUMBERED)
    assert find(sections, "2.2(b)") == find(sections, "(b)") == sections[5]
    assert find(sections, "2.2(c)") is None


def test_a_section_is_quoted_with_its_numbered_paragraphs_and_without_the_next_heading():
    sections = split(NUMBERED)
    use, ending = sections[1], sections[6]
    assert (extent(sections, use), extent(sections, ending)) == (ending.start, len(NUMBERED))
    assert [s.number for s in beneath(sections, use)] == ["2.1", "2.2", "(a)", "(b)"]


@pytest.mark.parametrize(
    ("first", "second", "numbers"),
    [
        ("1\\. Scope", "2\\. Ending", ["1", "2"]),
        ("1. Scope", "2. Ending", ["1", "2"]),
        ("Article 5", "Article 6 – Droit", ["Article 5", "Article 6"]),
        ("Art. 1 Scope", "Art. 2 Law", ["Art. 1", "Art. 2"]),
        ("第1条（適用）", "第2条（変更）", ["第1条", "第2条"]),
        ("제1조 (목적)", "제2조 (정의)", ["제1조", "제2조"]),
        ("المادة 1 النطاق", "المادة 2 الإنهاء", ["المادة 1", "المادة 2"]),
        ("Статья 1. Предмет", "Статья 2. Сроки", ["Статья 1", "Статья 2"]),
        ("1.1.2 Words", "1.1.3 «Words»", ["1.1.2", "1.1.3"]),
        ("a) lend it", "b) burn it", ["a", "b"]),
        ("المادة الأولى: التعريفات", "المادة (2) النطاق", ["المادة الأولى", "المادة (2)"]),
        ("1- التعريفات", "2- الاستخدام", ["1", "2"]),
        ("一、总则", "二、服务", ["一", "二"]),
        ("（一）范围", "（二）费用", ["（一）", "（二）"]),
        ("第十二条（適用）", "第一百零三条（変更）", ["第十二条", "第一百零三条"]),
        ("제 1 조 (목적)", "제 2 조 (정의)", ["제 1 조", "제 2 조"]),
        ("Стаття 1. Загальні", "Стаття 2. Оплата", ["Стаття 1", "Стаття 2"]),
        ("Članak 1.", "Članak 2.", ["Članak 1", "Članak 2"]),
        ("Հոդված 1. Ընդհանուր", "Հոդված 2. Գին", ["Հոդված 1", "Հոդված 2"]),
        ("1 § Allmänt", "2 § Pris", ["1 §", "2 §"]),
        ("Article premier : Objet", "Article 2 : Prix", ["Article premier", "Article 2"]),
        ("Article 1er. Objet", "Article 2. Prix", ["Article 1er", "Article 2"]),
        ("Cláusula 1ª - Objeto", "CLÁUSULA SEGUNDA - PREÇO", ["Cláusula 1ª", "CLÁUSULA SEGUNDA"]),
        ("PRIMERA.- Objeto", "SEGUNDA.- Precio", ["PRIMERA", "SEGUNDA"]),
        ("I. DEFINITIONS", "II. FEES", ["I", "II"]),
    ],
)
def test_a_text_without_headings_has_its_numbers_for_sections(first, second, numbers):
    body = f"{first}\n\nOne thing is so.\n\n{second}\n\nAnother is not.\n"
    assert [section.number for section in split(body)] == numbers
    assert joined(body) == body


@pytest.mark.parametrize(
    "paragraphs",
    [
        ["2.1 Only one paragraph has a number.", "The rest has none."],
        ["1.5 million users read this.", "3.50 euros is the price."],
        ["15\\. Mai 2024", "16\\. Juni 2024"],
        ["30 days of notice are given.", "14 days are not enough."],
        ["2023 was a good year.", "2024 was not."],
        ["Part of it is true.", "Section headings have no effect."],
    ],
)
def test_paragraphs_that_begin_with_an_amount_or_a_word_are_no_sections(paragraphs):
    assert len(split("\n\n".join(paragraphs))) == 1


@pytest.mark.parametrize(
    "body",
    [
        "Term\n: what it means\n\nOther\n: means more\n",
        "Text[^1].\n\n[^1]: A note.\n",
        "<table><tr><td># no heading</td></tr></table>\n",
        "| a | b |\n|---|---|\n| 1. x | **y** |\n",
        "שלום עולם.\n\nמה נשמע?\n",
    ],
)
def test_definitions_notes_tables_and_raw_html_stay_within_their_section(body):
    assert (len(split(body)), joined(body)) == (1, body)


# --- how a section is named


@pytest.mark.parametrize(
    ("heading", "number", "title"),
    [
        ("8. CHANGES", "8", "CHANGES"),
        (r"8\. CHANGES", "8", "CHANGES"),
        ("**8\\. CHANGES**", "8", "CHANGES"),
        ("1.2.3 Scope", "1.2.3", "Scope"),
        ("2.3(b) Scope", "2.3(b)", "Scope"),
        ("3 .Scope", "3", "Scope"),
        ("4) Scope", "4", "Scope"),
        ("5 - Scope", "5", "Scope"),
        ("6 Scope", "6", "Scope"),
        ("(a) Scope", "(a)", "Scope"),
        ("b. Scope", "b", "Scope"),
        ("IV. Scope", "IV", "Scope"),
        ("A. Scope", "A", "Scope"),
        ("§ 7 Haftung", "§ 7", "Haftung"),
        ("§7a Haftung", "§7a", "Haftung"),
        ("Article 5", "Article 5", ""),
        ("ARTICLE 13 –TRI ET GESTION", "ARTICLE 13", "TRI ET GESTION"),
        ("Section 9: Termination", "Section 9", "Termination"),
        ("Art. 4 Widerruf", "Art. 4", "Widerruf"),
        ("第3条 適用範囲", "第3条", "適用範囲"),
        ("13. الأطفال", "13", "الأطفال"),
    ],
)
def test_the_number_is_kept_as_printed_and_taken_off_the_title(heading, number, title):
    assert named(heading) == (number, title)


@pytest.mark.parametrize(
    "heading",
    [
        "A domicile",
        "Security",
        "Particulars",
        "Section headings",
        "24/7 support",
        "24-hour support",
        "2FA",
        "30 days of notice",
        "2023-06-30",
        "30.06.2023",
        "U.S. users",
        "I agree",
        "Para comercializar",
    ],
)
def test_words_and_dates_are_not_taken_for_numbers(heading):
    assert named(heading) == ("", heading)


def test_titles_are_plain_text():
    assert only("# `Code` ![logo](x.png) <b>bold</b> *and* [link][1] &amp; more\n\n[1]: /x").title == (
        "Code logo bold and link & more"
    )


def test_a_heading_id_in_braces_is_the_anchor_and_no_part_of_the_title():
    section = only("# Improve security {: #security }")
    assert (section.title, section.anchor) == ("Improve security", "security")


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("8. Changes to this Policy!", "changes-to-this-policy"),
        ("Réclamations & Größe", "reclamations-grosse"),
        ("Widerspruch, Löschung", "widerspruch-loschung"),
        ("データの定義", "データの定義"),
        ("उपयोगकर्ताओं के लिए", "उपयोगकर्ताओं-के-लिए"),
        ("Ваши права", "ваши-права"),
        ("Article 5", "article-5"),
        ("!?", "section"),
        ("word " * 40, "word" + "-word" * 15),
    ],
)
def test_anchors_are_readable_in_every_script(heading, anchor):
    assert only(f"# {heading}\n").anchor == anchor


def test_an_anchor_is_told_apart_by_the_section_around_it():
    body = "# Data\n## Fees\n# Law\n## Fees\n"
    assert [s.anchor for s in split(body)] == ["data", "data-fees", "law", "law-fees"]
    assert [s.anchor for s in split("# New\n## Fees\n" + body)][2:] == ["data", "data-fees", "law", "law-fees"]


def test_an_anchor_survives_renumbering_and_new_neighbours():
    before = split("# 1. Data\n# 2. Ending\n")
    after = split("New preface.\n\n# 1. Scope\n# 2. Data\n# 3. Ending\n")
    assert {s.anchor for s in before} < {s.anchor for s in after}


def test_equal_titles_get_numbered_anchors():
    body = "# Fees\n# Fees\n# Fees 2\n# Fees\n"
    assert [s.anchor for s in split(body)] == ["fees", "fees-2", "fees-2-2", "fees-3"]


# --- how a section is found


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("1", "What we collect"),
        ("1.", "What we collect"),
        ("Section 1", "What we collect"),
        ("§ 1.2", "Payment"),
        (" section 1.1 ", "Prompts"),
        ("ending", "Ending"),
        ("#ending", "Ending"),
        ("What we collect", "What we collect"),
        ("WHAT WE  COLLECT", "What we collect"),
    ],
)
def test_a_section_is_found_by_number_anchor_or_title(reference, title):
    found = find(split(POLICY), reference)
    assert found is not None
    assert found.title == title


@pytest.mark.parametrize("reference", ["", " ", "9", "1.3", "Section", "§", "collect", "."])
def test_an_unknown_reference_finds_nothing(reference):
    assert find(split(POLICY), reference) is None


def test_printed_words_are_optional_in_a_reference():
    sections = split("# Article 5\n# § 7 Haftung\n# 2.3(b) Scope\n# (a) Data\n")
    found = [find(sections, reference) for reference in ("5", "article 5.", "§7", "2.3(B)", "a")]
    assert found == [sections[0], *sections]


def test_a_number_that_stands_twice_finds_nothing_unless_its_words_tell_it_apart():
    sections = split("# Section 1: Data\n# Article 1: Fees\n# a. Scope\n# a. Law\n")
    assert find(sections, "1") is None
    assert find(sections, "a") is None
    assert find(sections, "Article 1") == sections[1]
    assert find(sections, "law") == sections[3]


def test_an_ambiguous_number_that_is_an_anchor_finds_that_section():
    sections = split("# 1. Data\n# 1. Fees\n# Rules {: #1 }\n")
    assert find(sections, "1") == sections[2]


# --- nothing is lost

pieces = st.sampled_from(
    [
        "# ",
        "## 1. ",
        "\n",
        "\r\n",
        "\r",
        "\x0b",
        "\x0c",
        "\x85",
        "\u2028",
        "\t",
        "    ",
        "```\n",
        "~~~",
        "===\n",
        "---\n",
        "> ",
        "- ",
        "1. ",
        "| a | b |\n",
        "|-|-|\n",
        "<div>",
        "[x]: /y\n",
        "\ufeff",
        "\\",
        "**",
        "word ",
        "§ 7 ",
        "ä",
    ]
)


@given(st.lists(pieces | st.text(max_size=5)).map("".join) | st.text())
def test_sections_joined_are_the_body_and_anchors_are_unique(body):
    sections = split(body)
    assert "".join(body[s.start : s.end] for s in sections) == body
    assert len({s.anchor for s in sections}) == len(sections)
    assert all(s.anchor and not s.anchor.isspace() for s in sections)


@given(st.lists(pieces | st.text(max_size=5)).map("".join))
def test_every_section_can_be_found_by_its_anchor_unless_a_number_is_meant(body):
    sections = split(body)
    for section in sections:
        if not any(section.anchor in (s.number.casefold(), s.title.casefold()) for s in sections):
            found = find(sections, "#" + section.anchor)
            assert found == section or (found is not None and found.number)


def corpus_files() -> list[tuple[Path, dict[str, Any], bool]]:
    if not CORPUS.is_dir():
        return []
    documents = json.loads((CORPUS / "index.json").read_text("utf-8"))["documents"]
    return [
        (CORPUS / version["file"], document, version is document["versions"][-1])
        for document in documents
        for version in document["versions"]
    ]


@needs_corpus
def test_every_real_policy_comes_back_whole():
    files = corpus_files()
    assert len(files) == 248
    for path, _, _ in files:
        body = path.read_bytes().decode("utf-8")
        assert joined(body) == body, path


@needs_corpus
def test_real_policies_have_as_many_sections_as_commonmark_counts_headings():
    """`md_headings` is of each document's last version; a heading behind a byte order mark is not in it."""
    for path, document, last in corpus_files():
        if last:
            body = path.read_bytes().decode("utf-8")
            headings = sum(section.level > 0 for section in split(body))
            assert headings == document["md_headings"] + body.startswith("\ufeff#"), path


# --- plain text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("See *our* [**models**](https://x.example/m) page.", "See our models page."),
        ("* First\n* Second\n", "First\nSecond"),
        ("3. Third\n   goes on", "Third goes on"),
        ("# 1\\. Title\n\nText  \nnext line", "1. Title\nText\nnext line"),
        ("| a | b |\n|---|---|\n| c | d |", "a | b\nc | d"),
        ("<p>Raw <b>HTML</b></p>", "Raw HTML"),
        ("Inline <b>HTML</b> &amp; `code`", "Inline HTML & code"),
        ("> quoted\n> text", "quoted text"),
        ("![a logo](x.png)", "a logo"),
        ("", ""),
    ],
)
def test_plain_is_what_a_reader_sees(markdown, text):
    assert plain(markdown) == text
