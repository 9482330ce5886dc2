"""Text on its way to Discord."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.text import LIMIT, fit, plain, quoted, shortened, split


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("@everyone <@1> <#2> <:x:3>", r"\@everyone \<\@1\> \<\#2\> \<\:x:3\>"),
        ("@\u200beveryone \ufeff- item", r"\@everyone - item"),
        ("\u2060- item\n\u200b1. item", "\\- item\n1\\. item"),
        ("> quote\n>>> all\n<t:1:R> </cmd:2>", "\\> quote\n\\>\\>\\> all\n\\<t\\:1:R\\> \\</cmd:2\\>"),
        ("1. first\n12.\nin 2. place", "1\\. first\n12\\.\nin 2. place"),
        (":smile: at 10:30:00, ratio :x", r"\:smile: at 10\:30:00, ratio \:x"),
        ("*a* _b_ ~c~ ||d|| `e` \\", r"\*a\* \_b\_ \~c\~ \|\|d\|\| \`e\` \\"),
        ("# title\n- item\n-# small", "\\# title\n\\- item\n\\-\\# small"),
        ("[bank](https://evil.example)", r"\[bank\](https://evil.example)"),
        ("see https://acme.example/a_b-c?d=e*", r"see https://acme.example/a_b-c?d=e\*"),
        ("see https://acme.example/~a/b_(c_d), or", "see https://acme.example/~a/b_(c_d), or"),
        ("https://*.acme.example https://_ x_", r"https\://\*.acme.example https\://\_ x\_"),
        ("well-known: no change - really", "well-known: no change - really"),
        ("hidden \u202eright to left\x00", "hidden  right to left"),
    ],
)
def test_text_is_shown_as_it_was_written(written, sent):
    assert plain(written) == sent


@given(st.text())
def test_every_line_of_a_quote_stands_inside_it(text):
    assert all(line.startswith("> ") for line in quoted(text).splitlines())


@given(st.text(), st.integers(1, 60))
def test_a_cut_keeps_to_its_room_and_ends_in_no_escape(text, room):
    cut = shortened(plain(text), room)
    assert len(cut) <= room
    assert cut == plain(text) or not cut.endswith("\\")


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 3 * LIMIT])
def test_a_message_keeps_to_the_limit_and_the_whole_goes_along_when_it_was_cut(size):
    content, files = fit("x" * size, whole="all of it", name="whole.txt")
    assert len(content) <= LIMIT
    assert [file.fp.read() for file in files] == ([b"all of it"] if size > LIMIT else [])


# -- one text in several messages ----------------------------------------------------------------------------------

LINES = st.lists(st.text("ab1 .-+#>*\\@\u4e2d", max_size=60).map(plain), max_size=12)


def unescaped(text):
    """What is shown, but for the blanks and quote marks of cuts."""
    shown = re.sub(r"\\([^0-9A-Za-z\s])|^> ", r"\1", text, flags=re.MULTILINE)
    return "".join(shown.split())


@given(LINES, st.sampled_from(["\n", "\n\n"]), st.sampled_from(["", "> "]), st.integers(12, 80))
def test_nothing_is_lost_when_a_text_is_split(lines, gap, lead, limit):
    text = gap.join(lead + line for line in lines if line)
    parts = split(text, limit=limit)
    assert all(len(part) <= limit for part in parts)
    assert "".join(map(unescaped, parts)) == unescaped(text)
    assert all(parts) or parts == [text] == [""]
    assert all(line.startswith(lead) for part in parts for line in part.splitlines() if line)
    assert not any(re.match(r"(> )?(-|\+|\d+\.)( |$)", part) for part in parts)


@given(LINES)
def test_a_text_that_fits_is_one_message_as_it_is(lines):
    text = "\n".join(lines).strip()
    assert split(text) == [text]


def test_a_text_is_split_between_paragraphs_while_those_fit():
    paragraphs = [f"Paragraph {n}.\n" + "word " * 150 + "end." for n in range(9)]
    parts = split("\n\n".join(paragraphs))
    assert len(parts) == 5
    assert [each for part in parts for each in part.split("\n\n")] == paragraphs


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one\ntwo\nthree", ["one\ntwo", "three"]),
        ("> one two three", ["> one two", "> three"]),
        ("> one\n> two\n> three", ["> one", "> two", "> three"]),
        ("0123456789abcde", ["0123456789", "abcde"]),
        ("012345678\\*abc", ["012345678", "\\*abc"]),
        ("up to and - no list", ["up to and", "\\- no list"]),
        ("chapter 10. is long", ["chapter", "10\\. is", "long"]),
        ("one two   \n", ["one two"]),
    ],
)
def test_a_text_without_paragraphs_is_split_at_lines_then_words_then_anywhere(text, parts):
    assert split(text, limit=10) == parts
