"""From a template and values to a notice: a mail in two parts, or a Discord message; no way in for what a value holds.

Every `{{ value }}` leaves Jinja as a marker of letters and digits. Markdown is rendered with the markers in it, and
each marker is then replaced by its value, encoded for the place it stands in. So a value can never become
Markdown, HTML, a header, a mention or template code.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache
from html import escape
from typing import Any
from urllib.parse import quote

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, UndefinedError, pass_context
from jinja2 import TemplateError as JinjaError
from jinja2.runtime import Context
from markdown_it import MarkdownIt
from markdown_it.token import Token

from lifecycle.errors import TemplateError
from lifecycle.settings import resource
from lifecycle.states import Channel, Purpose

MARKER = re.compile(r"zqv(\d+)qz")
SUBJECT_LIMIT = 200
RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A notice before it is addressed; over Discord it has no HTML."""

    subject: str
    text: str
    html: str
    locale: str


class Renderer:
    """The mail templates of one installation."""

    def __init__(self) -> None:
        self.folder = resource("templates")
        self._jinja = Environment(
            loader=FileSystemLoader(self.folder),
            undefined=StrictUndefined,
            finalize=_mark,
            autoescape=False,  # noqa: S701  (values never reach the page through Jinja: see the module's docstring)
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._layout = Environment(loader=FileSystemLoader(self.folder), undefined=StrictUndefined, autoescape=True)
        self._inliner = css_inline.CSSInliner(
            extra_css=(self.folder / "email" / "layout.css").read_text("utf-8"),
            load_remote_stylesheets=False,
            keep_style_tags=True,
            keep_at_rules=True,
        )
        self._markdown = MarkdownIt("commonmark", {"html": False})

    def locales(self) -> list[str]:
        """The locales there are templates for."""
        return sorted(path.name for path in (self.folder / "email").iterdir() if path.is_dir())

    def locale_for(self, wanted: str, default: str) -> str:
        """The best locale there is: de-AT, then de, then the default, then English."""
        there = self.locales()
        candidates = [wanted, wanted.split("-")[0], default, default.split("-")[0], "en"]
        return next((locale for locale in candidates if locale in there), there[0])

    def render(
        self, purpose: Purpose, values: Mapping[str, Any], *, locale: str, channel: Channel = Channel.EMAIL
    ) -> Rendered:
        """Subject, text and HTML of a notice. Raises TemplateError naming the template and what it misses.

        Where a channel has no template of its own in a language, the mail's is used.
        """
        own = f"{channel.value}/{locale}/{purpose.value}.md"
        name = own if (self.folder / own).is_file() else f"email/{locale}/{purpose.value}.md"
        given: list[str] = []
        source = self._source(name, {**values, "_given": given})
        head, _, body = source.partition("\n")
        if not head.startswith("Subject: "):
            raise TemplateError(f"Template {name} must begin with a line 'Subject: …'.")
        subject = header_text(_fill(head.removeprefix("Subject: "), given, str))
        if channel is Channel.DISCORD:
            return Rendered(discord_text(subject, inline=True), _discord_body(body, given), "", locale)
        tokens = self._markdown.parse(body.strip())
        html = self._markdown.renderer.render(tokens, self._markdown.options, {})
        page = self._layout.get_template("email/layout.html").render(
            subject=subject,
            lang=locale,
            dir="rtl" if locale.split("-")[0] in RIGHT_TO_LEFT else "ltr",
            content=_Safe(_fill(html, given, _html_value)),
            operator=str(values.get("operator", "")),
        )
        return Rendered(subject, _fill(as_text(tokens), given, _text_value), self._inliner.inline(page), locale)

    def _source(self, name: str, values: Mapping[str, Any]) -> str:
        try:
            return self._jinja.get_template(name).render(**values)
        except TemplateNotFound as error:
            raise TemplateError(f"There is no template {error.name}.") from None
        except UndefinedError as error:
            raise TemplateError(f"Template {name}: {error.message}.") from None
        except JinjaError as error:
            raise TemplateError(f"Template {name} does not compile: {error}.") from None


@pass_context
def _mark(context: Context, value: Any) -> str:
    given: list[str] = context["_given"]
    given.append(str(value))
    return f"zqv{len(given) - 1}qz"


def _fill(text: str, given: list[str], encode: Callable[[str], str]) -> str:
    return MARKER.sub(lambda found: encode(given[int(found[1])]), text)


class _Safe(str):
    """HTML that is safe by construction, as Jinja's layout expects it."""

    def __html__(self) -> str:
        return self


def _html_value(value: str) -> str:
    return "<br>".join(escape(CONTROLS.sub(" ", line)) for line in value.splitlines())


def _text_value(value: str) -> str:
    return "\n".join(CONTROLS.sub(" ", line) for line in value.splitlines())


def header_text(value: str) -> str:
    """A value fit for a header: one line, no control or direction characters, nothing that reads as an encoded word."""
    flat = " ".join(CONTROLS.sub(" ", value).split()).replace("=?", "= ?")
    return flat if len(flat) <= SUBJECT_LIMIT else flat[: SUBJECT_LIMIT - 1].rstrip() + "…"


# -- the text part ---------------------------------------------------------------------------------------------------


def as_text(tokens: list[Token]) -> str:
    """The plain text that says the same as the HTML: links written out, lists with dashes, quotes with bars."""
    lines: list[str] = []
    prefix: list[str] = []
    bullet = ""
    for token in tokens:
        if token.type == "blockquote_open":
            prefix.append("> ")
        elif token.type == "list_item_open":
            prefix.append("  ")
            bullet = f"{token.info}. " if token.info else "- "
        elif token.type in {"blockquote_close", "list_item_close"}:
            prefix.pop()
        elif token.type == "inline":
            lead = "".join(prefix)
            if bullet:
                lead, bullet = lead[:-2] + bullet, ""
            lines.append(lead + _inline(token.children or []))
            lines.append("")
        elif token.type == "hr":
            lines += ["--", ""]
    return re.sub(r"\n\n(?=\s*- )", "\n", "\n".join(lines).strip()) + "\n"


def _inline(children: list[Token]) -> str:
    out: list[str] = []
    links: list[tuple[str, int]] = []
    for child in children:
        if child.type == "link_open":
            links.append((str(child.attrGet("href")), len(out)))
        elif child.type == "link_close":
            href, start = links.pop()
            label = "".join(out[start:])
            out[start:] = [label if label == href else f"{label}: {href}"]
        else:
            out.append("\n" if child.type in {"softbreak", "hardbreak"} else child.content)
    return "".join(out)


# -- Discord ---------------------------------------------------------------------------------------------------------

# A link ends before what Discord reads as mark-up and before the punctuation of its sentence.
_LINKED = r"\([^\s<>()\\`*|]*\)|[^\s<>()\[\]\\`*|"
_URL = re.compile(rf"(https?://(?:{_LINKED}])+(?:{_LINKED}.,:;!?\"'„“”‚‘’«»…]))", re.IGNORECASE)
_MEANS = re.compile(r"[\\*_~`|<>\[\]@#]|:(?=//|[\w+-]+(?::|$))")
_BEGINS_LIST = re.compile(r"^(\d+)(?=\.(?:\s|$))|^(?=[-+](?:\s|\\#|$))")
_ZERO_WIDTH = re.compile("[\u00ad\u180e\u200b\u2060-\u2064\ufeff]+")  # not the joiners, which scripts and emoji need
_PLACE = re.compile(rf"<{MARKER.pattern}>|{MARKER.pattern}")


def discord_text(value: str, *, link: str = "<{}>", inline: bool = False) -> str:
    """The value, shown by Discord as it was written: nothing in it formats, mentions or masks; links stay, in full."""
    lines = [_escaped(CONTROLS.sub(" ", line), link) for line in value.splitlines()]
    return "\n".join(line if inline and n == 0 else line_start(line) for n, line in enumerate(lines))


def _escaped(line: str, link: str) -> str:
    pieces = _URL.split(_ZERO_WIDTH.sub("", line).strip())
    return "".join(link.format(piece) if n % 2 else _MEANS.sub(r"\\\g<0>", piece) for n, piece in enumerate(pieces))


def line_start(text: str) -> str:
    """Escaped text that comes to stand at the start of a line: it begins no list there."""
    return _BEGINS_LIST.sub(r"\1\\", text)


def _discord_body(source: str, given: list[str]) -> str:
    lines = re.sub(r"\n{3,}", "\n\n", source.strip()).split("\n")
    return "\n".join(_PLACE.sub(lambda found: _discord_value(found, given), line) for line in lines)


def _discord_value(found: re.Match[str], given: list[str]) -> str:
    """A value in its place on a line of the template; one that is quoted there stays so with all its lines."""
    if link := found[1]:
        return f"<{re.sub(r'[^!-~]|[<>*|`]', lambda odd: quote(odd[0]), given[int(link)])}>"
    before = MARKER.sub("", found.string[: found.start()])
    text = discord_text(given[int(found[2])].strip(), inline=any(char.isalnum() for char in before))
    return re.sub(r"\n+", "\n> ", text) if before.startswith("> ") else text


# -- the message -------------------------------------------------------------------------------------------------------


def compose(rendered: Rendered, *, sender: str, to: str, reply_to: str, message_id: str, date: datetime) -> bytes:
    """The exact bytes handed to the relay: multipart text and HTML, CRLF lines, headers of RFC 5322 and RFC 3834.

    Raises TemplateError for what is no address, and when the bytes, read back, do not hold exactly the headers meant.
    """
    name, address = parseaddr(sender)
    message = EmailMessage(policy=_EXACT.clone(utf8=not (address + to).isascii()))  # RFC 6532, as SMTPUTF8 announces
    meant = {
        "From": _mailbox(address, header_text(name)),
        "To": _mailbox(to),
        "Subject": rendered.subject,
        "Date": format_datetime(date),
        "Message-ID": message_id,
        "Auto-Submitted": "auto-generated",
        "Content-Language": rendered.locale,
    } | ({"Reply-To": reply_to} if reply_to else {})
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    for header, value in meant.items():  # after the content, which takes every Content-… header set before with it
        message[header] = value
    data = message.as_bytes()
    _require_as_meant(data, meant)
    return data


def _mailbox(address: str, name: str = "") -> str:
    local, _, domain = address.rpartition("@")
    try:
        if address.isascii():
            return str(Address(name, addr_spec=address))
        return str(Address(name, local, domain))
    except (MessageError, ValueError, IndexError):
        raise TemplateError(f"{address!r} is not an e-mail address.") from None


class _Exact(policy.EmailPolicy):
    """Python 3.11 adds and drops blanks where it folds a long subject; whole encoded words come back exactly."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        text = str(value)
        if name != "Subject" or (text.isascii() and len(text) < 65):
            return super().fold_binary(name, value)
        encoded = Header(text, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
        return f"{name}: {encoded}\r\n".encode("ascii")


_EXACT = _Exact(linesep="\r\n")


def _require_as_meant(data: bytes, meant: Mapping[str, str]) -> None:
    """Python 3.11 lets an encoded newline through into headers, so the bytes are read back and compared."""
    found = message_from_bytes(data, policy=policy.default)
    extra = set(found.keys()) ^ {*meant, "MIME-Version", "Content-Type"}
    wrong = [name for name in ("To", "Subject", "Message-ID") if str(found[name]) != meant[name]]
    if extra or wrong or len(found.keys()) != len(set(found.keys())):
        raise TemplateError(f"The message would not carry the headers meant: {', '.join(sorted(extra) + wrong)}.")


@cache
def renderer() -> Renderer:
    """The renderer of this process; templates are read once."""
    return Renderer()
