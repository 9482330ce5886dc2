"""The bytes handed to the relay, read back: exactly the headers meant, and a value stays a value wherever it stands."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecycle.errors import TemplateError
from lifecycle.models import Notice
from lifecycle.notices import samples
from lifecycle.notices.composing import compose
from lifecycle.notices.rendering import SUBJECT_LIMIT, Rendered, header_text, renderer
from lifecycle.notices.writing import message_id
from lifecycle.states import TEMPLATED, Purpose
from tests.conftest import NOW
from tests.notices.test_rendering import Page, turns, words

MEANT = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "Reply-To"]
MIME = ["MIME-Version", "Content-Type"]
DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOSTILE = [
    "",
    " ",
    "شروط الخدمة",
    "\u202eevil\u202c \u2066isolated",
    "Überlänge " * 30,
    "x" * 300,
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)><a href="javascript:alert(1)">',
    "</p></div></body><style>*{background:url(//x)}</style><!--",
    "&lt;b&gt; &amp; &#60;i&#62; &nbsp",
    "{{7*7}}",
    "{% include 'email/layout.html' %}{# #}",
    "{{ operator }}",
    "x\r\nBcc: x@y",
    "x\r\n\r\n<b>body</b>",
    "x\nSubject: other\n .\n.\nFrom here",
    "=?UTF-8?Q?=0A?=",
    "=?UTF-8?Q?x=0D=0ABcc:_x@y?=",
    "==??utf-8?q?=0A?=",
    "zqv0qz",
    "zqv1qzqv1qz",
    "[click](javascript:alert(1)) ![x](//x) <https://x.example>",
    "# head\n\n- item\n\n> quote\n\n---\n\n    code\n\n```\nfence",
    "**bold** _it_ `code` \\* &copy;",
    "👩‍👩‍👧‍👦 🇩🇪 e\u0301",
    "\x00\x07\x1b[31m\x7f\x85\u2028\u2029",
]
PLAIN = "Plainword"


def kept(value: Any, text: str) -> Any:
    """The value with every text in it replaced; what a template branches on and links stay."""
    if isinstance(value, Mapping):
        return {name: inner if name.endswith("url") else kept(inner, text) for name, inner in value.items()}
    if isinstance(value, list):
        return [kept(item, text) for item in value]
    return text if isinstance(value, str) and not isinstance(value, Enum) else value


def one_line(value: str) -> str:
    """The value as a person reads it on the page: blanks collapsed, and nothing that only steers."""
    steers = {char for char in value if unicodedata.category(char) == "Cc" or char in DIRECTIONS}
    return " ".join("".join(" " if char in steers else char for char in value).split())


def composed(mail: Rendered, **facts: Any) -> bytes:
    usual = {
        "sender": "Acme Legal <legal@acme.example>",
        "to": "ada@example.com",
        "reply_to": "desk@acme.example",
        "message_id": "<1@acme.example>",
        "date": NOW,
    }
    return compose(mail, **{**usual, **facts})


def a_mail(subject: str = "Hello", *, text: str = "Hello.\n", locale: str = "en") -> Rendered:
    return Rendered(subject, text, "<p>Hello.</p>", locale)


def read(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert [part.defects for part in message.walk()] == [[]] * 3
    return message


def header_names(data: bytes) -> list[str]:
    """The headers as they stand in the bytes, without the help of a parser."""
    head, _, _ = data.partition(b"\r\n\r\n")
    lines = re.sub(rb"\r\n[ \t]", b" ", head).split(b"\r\n")
    return [line.split(b":")[0].decode("ascii") for line in lines]


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    content: str = found.get_content()
    return content.replace("\r\n", "\n")


def require_lines_of_mail(data: bytes) -> None:
    """RFC 5322, 2.1.1 and 2.3: CRLF ends each line, never stands halved, and comes after at most 998 octets."""
    lines = data.split(b"\r\n")
    assert lines[-1] == b""
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)


def shape(page: Page) -> list[tuple[str, tuple[str, ...], Any]]:
    """What the page is built of, but for what follows from the number of lines of a value."""
    flowing = {"p", "br", "blockquote"}
    return [(tag, tuple(a), a.get("href")) for tag, a in page.tags if tag not in flowing]


# -- values --------------------------------------------------------------------------------------------------------


@st.composite
def mails(draw: st.DrawFn) -> tuple[Purpose, str, dict[str, Any], str]:
    purpose, locale = draw(st.sampled_from(TEMPLATED)), draw(st.sampled_from(renderer().locales()))
    anything = st.one_of(
        st.text(max_size=400), st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join), st.text("=?<>{}\r\nzqv01 ")
    )
    return purpose, locale, draw(st.sampled_from(list(turns(purpose)))), draw(anything)


def require_a_value_stays_a_value(purpose: Purpose, locale: str, values: Mapping[str, Any], value: str) -> None:
    mail = renderer().render(purpose, kept(values, value), locale=locale)
    same = renderer().render(purpose, kept(values, PLAIN if value else ""), locale=locale)
    data = composed(mail)
    message = read(data)
    require_lines_of_mail(data)

    assert sorted(header_names(data)) == sorted(MEANT + MIME)
    pattern = renderer().render(purpose, kept(values, PLAIN), locale=locale).subject
    assert message["Subject"] == header_text(pattern.replace(PLAIN, value))

    text, page = part(message, "plain"), Page(part(message, "html"))
    assert one_line(value) in one_line(text)
    assert one_line(value) in one_line(page.said)
    assert not [char for char in text if char in DIRECTIONS or (unicodedata.category(char) == "Cc" and char != "\n")]
    assert shape(page) == shape(Page(same.html))
    assert words(text) == words(page.said)


@given(mails())
def test_a_value_stays_a_value(mail) -> None:
    require_a_value_stays_a_value(*mail)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("locale", ["de", "en"])
def test_a_hostile_value_stays_a_value_in_every_mail(value: str, locale: str) -> None:
    for purpose in TEMPLATED:
        require_a_value_stays_a_value(purpose, locale, samples.sample(purpose), value)


# -- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply_to", ["", "desk@acme.example"])
def test_a_mail_carries_exactly_the_headers_meant(reply_to: str) -> None:
    data = composed(a_mail(locale="de"), reply_to=reply_to)
    message = read(data)
    meant = MEANT if reply_to else MEANT[:-1]
    assert sorted(header_names(data)) == sorted(meant + MIME)
    assert {name: str(message[name]) for name in meant} == {
        "From": "Acme Legal <legal@acme.example>",
        "To": "ada@example.com",
        "Subject": "Hello",
        "Date": "Mon, 02 Mar 2026 09:00:00 +0000",
        "Message-ID": "<1@acme.example>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "de",
    } | ({"Reply-To": reply_to} if reply_to else {})
    assert [p.get_content_type() for p in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert {p.get_content_charset() for p in message.iter_parts()} == {"utf-8"}


@given(st.text(max_size=2 * SUBJECT_LIMIT).map(header_text))
@example(header_text("Ä" * 300))
@example("a" * 56)
@example(("a " * 100).strip())
@example("word " * 13 + "é" * 20 + " word" * 13)
@example("👩‍👩‍👧‍👦" * 18)
def test_a_subject_comes_back_exactly(subject: str) -> None:
    data = composed(a_mail(subject))
    assert read(data)["Subject"] == subject
    assert data.isascii()
    require_lines_of_mail(data)
    head = data.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


@given(st.text())
def test_a_fit_header_text_stays_as_it_is(value: str) -> None:
    fit = header_text(value)
    assert header_text(fit) == fit
    assert len(fit) <= SUBJECT_LIMIT
    assert "=?" not in fit
    assert one_line(fit) == fit


@given(st.text())
def test_both_parts_come_back_exactly(text: str) -> None:
    text = one_line(text) + "\n\n" + " trailing \n.\n" + "ü" * 1200 + "\n"
    data = composed(a_mail(text=text))
    require_lines_of_mail(data)
    assert data.isascii()
    assert part(read(data), "plain") == text
    assert part(read(data), "html") == "<p>Hello.</p>\n"


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@y", "a\nb", "=?utf-8?q?x=0ABcc:_x@y?=", "=?utf-8?q?hello?="])
def test_a_subject_that_would_read_otherwise_is_refused(subject: str) -> None:
    with pytest.raises((TemplateError, ValueError)):
        composed(a_mail(subject))


def test_the_date_is_that_instant_in_any_zone() -> None:
    tokyo = datetime(2026, 3, 2, 18, 0, tzinfo=timezone(timedelta(hours=9)))
    dates = [read(composed(a_mail(), date=date))["Date"].datetime.astimezone(UTC) for date in (NOW, tokyo)]
    assert dates == [NOW, NOW]


# -- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("legal@acme.example", "", "legal@acme.example"),
        ("Müller & Söhne <legal@acme.example>", "Müller & Söhne", "legal@acme.example"),
        ('"Acme, Inc." <legal@acme.example>', "Acme, Inc.", "legal@acme.example"),
        ('"=?utf-8?q?x=0ABcc:_x@y?=" <legal@acme.example>', "= ?utf-8?q?x=0ABcc:_x@y?=", "legal@acme.example"),
        ("Müller und Töchter " * 4 + "<legal@acme.example>", ("Müller und Töchter " * 4).strip(), "legal@acme.example"),
        ("Ä" * 300 + " <legal@acme.example>", "Ä" * (SUBJECT_LIMIT - 1) + "…", "legal@acme.example"),
        ("Acme and Daughters " * 4 + "<legal@acme.example>", ("Acme and Daughters " * 4).strip(), "legal@acme.example"),
    ],
)
def test_the_senders_name_comes_back_exactly(sender: str, name: str, address: str) -> None:
    data = composed(a_mail(), sender=sender)
    require_lines_of_mail(data)
    assert sorted(header_names(data)) == sorted(MEANT + MIME)
    # Not by policy.default: Python 3.11 reads a blank between two encoded words of a name.
    shown, found = parseaddr(str(message_from_bytes(data, policy=policy.compat32)["From"]))
    assert (str(make_header(decode_header(shown))), found) == (name, address)


@pytest.mark.parametrize("to", ["o'hara+x@example.com", "x" * 64 + "@" + ".".join(["y" * 60] * 3) + ".example"])
def test_an_unusual_address_comes_back_exactly(to: str) -> None:
    assert read(composed(a_mail(), to=to))["To"].addresses[0].addr_spec == to


@pytest.mark.parametrize("to", ["jörg@example.com", "用户@例子.example", "ada@müller.example"])
def test_an_address_beyond_ascii_stands_in_utf_8(to: str) -> None:
    """RFC 6532; an encoded word must not stand inside an address (RFC 2047, 5)."""
    data = composed(a_mail("Grüße an Jörg"), to=to)
    require_lines_of_mail(data)
    assert f"\r\nTo: {to}\r\n".encode() in data
    assert sorted(header_names(data)) == sorted(MEANT + MIME)


@pytest.mark.parametrize("sender", ["notices@müller.example", "Jörg <jörg@müller.example>"])
def test_a_sender_beyond_ascii_stands_in_utf_8(sender: str) -> None:
    data = composed(a_mail(), sender=sender, reply_to=sender, message_id="<1@müller.example>")
    assert f"From: {sender}\r\n".encode() in data
    assert "Message-ID: <1@müller.example>\r\n".encode() in data


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"sender": "Acme, Inc. <legal@acme.example>"}, "'Acme, Inc. <legal@acme.example>'"),
        ({"to": ""}, "''"),
        ({"to": "ada"}, "'ada'"),
        ({"to": "a@b@c"}, "'a@b@c'"),
        ({"to": "ada@x\r\nBcc: x@y"}, r"'ada@x\\r\\nBcc: x@y'"),
        ({"to": "jörg@x\r\nBcc: x@y"}, r"'jörg@x\\r\\nBcc: x@y'"),
    ],
)
def test_what_is_no_address_is_refused_by_name(facts: dict[str, str], named: str) -> None:
    with pytest.raises(TemplateError, match=f"^{named} is not an e-mail address"):
        composed(a_mail(), **facts)


# -- the Message-ID ------------------------------------------------------------------------------------------------


def test_each_copy_of_a_notice_has_the_same_message_id_and_no_other_has_it(make_settings) -> None:
    settings = make_settings()
    first, again, second = (Notice(id=n, key=f"reinstated/termination:{n}/1/email", priority=0) for n in (1, 1, 2))
    assert message_id(first, settings) == message_id(again, make_settings())
    assert message_id(first, settings) != message_id(second, settings)
    assert message_id(first, settings) != message_id(first, make_settings(secret_key="another"))
    copies = [composed(a_mail(text=text), message_id=message_id(first, settings)) for text in ("One.\n", "Two.\n")]
    assert len({read(copy)["Message-ID"] for copy in copies}) == 1
    assert re.fullmatch(r"<1\.[a-z2-7]{16}@acme\.example>", message_id(first, settings))
