"""Text on its way to Discord."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.text import LIMIT, fit, plain, quoted, shortened


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("@everyone <@1> <#2> <:x:3>", r"\@everyone \<\@1\> \<\#2\> \<:x:3\>"),
        ("*a* _b_ ~c~ ||d|| `e` \\", r"\*a\* \_b\_ \~c\~ \|\|d\|\| \`e\` \\"),
        ("# title\n- item\n-# small", "\\# title\n\\- item\n\\-\\# small"),
        ("[bank](https://evil.example)", r"\[bank\](https://evil.example)"),
        ("see https://acme.example/a_b-c?d=e*", r"see https://acme.example/a_b-c?d=e\*"),
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
