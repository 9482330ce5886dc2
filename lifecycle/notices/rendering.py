"""From a template and values to a notice: a mail in two parts, or a Discord message; no way in for what a value holds.

Every `{{ value }}` leaves Jinja as a marker of letters and digits. Markdown is rendered with the markers in it, and
each marker is then replaced by its value, encoded for the place it stands in. So a value can never become
Markdown, HTML, a header, a mention or template code.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import css_inline
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    UndefinedError,
    pass_context,
)
from jinja2 import TemplateError as JinjaError
from jinja2.runtime import Context
from markdown_it import MarkdownIt
from markdown_it.token import Token

from lifecycle.errors import TemplateError
from lifecycle.notices import wording
from lifecycle.notices.wording import Wording
from lifecycle.settings import resource
from lifecycle.states import Channel, Initiator, Purpose

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


class Blank:
    """The place of a value that is one person's own: a template may show it, and ask whether there is one."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self.name = name

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        raise TypeError(f"{self.name!r} differs from person to person: a template can only show it")

    def __str__(self) -> str:
        raise TypeError(f"{self.name!r} differs from person to person: a template can only show it")


Pieces = Sequence[str | Blank]


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail for all who get the same, but for what stands in its blanks; `common` unless it is one person's alone."""

    subject: str
    text: Pieces
    html: Pieces
    locale: str
    common: bool

    def filled(self, own: Mapping[str, Any]) -> Rendered:
        """The mail of one person."""
        text, html = joined(self.text, own, text_value), joined(self.html, own, html_value)
        return Rendered(self.subject, text, html, self.locale)


class Renderer:
    """The mail templates of one installation, and its own wording. Raises TemplateError where that is faulty."""

    def __init__(self, wording_dir: Path | None = None) -> None:
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
            extra_css=_lean((self.folder / "email" / "layout.css").read_text("utf-8")),
            load_remote_stylesheets=False,
            keep_style_tags=True,
            keep_at_rules=True,
        )
        self._markdown = MarkdownIt("commonmark", {"html": False})
        self.wordings = wording.load(wording_dir, self.locales(), self._blocks) if wording_dir else {}

    def _blocks(self, locale: str, purpose: Purpose) -> frozenset[str]:
        return frozenset(self._jinja.get_template(f"email/{locale}/{purpose.value}.md").blocks)

    @cached_property
    def _there(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "email").iterdir() if path.is_dir())

    def locales(self) -> list[str]:
        """The locales there are templates for."""
        return list(self._there)

    def locale_for(self, wanted: str, default: str) -> str:
        """The best locale there is: de-AT, then de, then the default, then English."""
        there = self._there
        candidates = [wanted, wanted.split("-")[0], default, default.split("-")[0], "en"]
        return next((locale for locale in candidates if locale in there), there[0])

    def render(
        self, purpose: Purpose, values: Mapping[str, Any], *, locale: str, channel: Channel = Channel.EMAIL
    ) -> Rendered:
        """Subject, text and HTML of a notice. Raises TemplateError naming the template and what it misses.

        Where a channel has no template of its own in a language, the mail's is used.
        """
        if channel is Channel.EMAIL:
            return self.draft(purpose, values, locale=locale).filled({})
        own = f"{channel.value}/{locale}/{purpose.value}.md"
        name = own if (self.folder / own).is_file() else f"email/{locale}/{purpose.value}.md"
        given: list[Any] = []
        head, body = self._source(name, values, given)
        subject = header_text(_filled(head, given))
        return Rendered(discord_text(subject, inline=True), _discord_body(body, given), "", locale)

    def draft(self, purpose: Purpose, values: Mapping[str, Any], *, locale: str, own: Collection[str] = ()) -> Draft:
        """The mail to everyone for whom the other values are the same, with a blank for each of their `own`.

        Raises TemplateError naming the template and what it misses, or what of their own it does not just show.
        """
        blanks = {name: Blank(name) for name in own if values.get(name)}
        given: list[Any] = []
        own_words = self._worded(purpose, values, locale)
        name = f"email/{locale}/{purpose.value}.md"
        head, body = self._source(name, {**values, **blanks}, given, own_words)
        if any(isinstance(value, Blank) for value in _given(head, given)):  # its folding would be each person's own
            return replace(self.draft(purpose, values, locale=locale), common=False)
        subject = header_text(_filled(head, given))
        tokens = self._markdown.parse(body.strip())
        page = self._layout.get_template("email/layout.html").render(
            subject=_marker(subject, given),
            lang=locale,
            dir="rtl" if locale.split("-")[0] in RIGHT_TO_LEFT else "ltr",
            content=_Safe(self._markdown.renderer.render(tokens, self._markdown.options, {})),
            operator=_marker(values.get("operator", ""), given),
        )
        html = _pieces(self._inliner.inline(page), given, html_value)
        return Draft(subject, _pieces(as_text(tokens), given, text_value), html, locale, common=True)

    def _worded(self, purpose: Purpose, values: Mapping[str, Any], locale: str) -> Wording | None:
        """The operator's wording. What users or the clock begin has other content, and stays as shipped."""
        if values.get("initiated_by", Initiator.PROVIDER) != Initiator.PROVIDER:
            return None
        return self.wordings.get((locale, purpose))

    def _source(
        self, name: str, values: Mapping[str, Any], given: list[Any], own_words: Wording | None = None
    ) -> tuple[str, str]:
        """The subject and the Markdown, with a marker for each value, which is added to `given`."""
        known = {**values, "_given": given}
        try:
            template = self._jinja.get_template(name)
            source = self._fill_in(template, known, own_words) if own_words else template.render(known)
        except TemplateNotFound as error:
            raise TemplateError(f"There is no template {error.name}.") from None
        except UndefinedError as error:
            raise TemplateError(f"Template {name}: {error.message}.") from None
        except JinjaError as error:
            raise TemplateError(f"Template {name} does not compile: {error}.") from None
        except TypeError as error:
            raise TemplateError(f"Template {name}: {error}.") from None
        head, _, body = source.partition("\n")
        if not head.startswith("Subject: "):
            raise TemplateError(f"Template {name} must begin with a line 'Subject: …'.")
        return head.removeprefix("Subject: "), body

    def _fill_in(self, template: Template, values: Mapping[str, Any], own_words: Wording) -> str:
        """The operator's wording with values and blocks in their places, and the footer that no wording leaves out."""
        context = template.new_context(dict(values))

        def place(name: str) -> str:
            block = template.blocks.get(name)
            return "".join(block(context)) if block else _mark(context, values[name])

        subject, body = own_words.fill(place)
        assert template.name is not None
        footer = self._jinja.get_template(template.name.rpartition("/")[0] + "/_footer.md").render(**values)
        return f"Subject: {subject}\n{body}\n\n{footer}"


def _lean(css: str) -> str:
    """The rules without the white space that only people need: they go out with every mail."""
    return re.sub(r"\s*([{};:,])\s*", r"\1", css).replace(";}", "}").strip()


@pass_context
def _mark(context: Context, value: Any) -> str:
    return _marker(value if isinstance(value, Blank) else str(value), context["_given"])


def _marker(value: str | Blank, given: list[Any]) -> str:
    given.append(value)
    return f"zqv{len(given) - 1}qz"


def _given(text: str, given: Sequence[Any]) -> list[Any]:
    """The values whose markers stand in the text."""
    return [given[int(number)] for number in MARKER.findall(text)]


def _filled(text: str, given: Sequence[Any]) -> str:
    return MARKER.sub(lambda found: given[int(found[1])], text)


def _pieces(text: str, given: Sequence[Any], encode: Callable[[str], str]) -> list[str | Blank]:
    """The text with the values in their places: each encoded, or left blank."""
    pieces: list[str | Blank] = []
    common = ""
    for nth, piece in enumerate(MARKER.split(text)):
        value = given[int(piece)] if nth % 2 else piece
        if isinstance(value, Blank):
            pieces += [common, value]
            common = ""
        else:
            common += encode(value) if nth % 2 else value
    return [*pieces, common]


def joined(pieces: Pieces, own: Mapping[str, Any], encode: Callable[[str], str]) -> str:
    """The pieces as one text, with each blank filled."""
    return "".join([piece if isinstance(piece, str) else encode(str(own[piece.name])) for piece in pieces])


class _Safe(str):
    """HTML that is safe by construction, as Jinja's layout expects it."""

    def __html__(self) -> str:
        return self


def html_value(value: str) -> str:
    return "<br>".join(escape(CONTROLS.sub(" ", line)) for line in value.splitlines())


def text_value(value: str) -> str:
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


@cache
def renderer(wording_dir: Path | None = None) -> Renderer:
    """The renderer of this process; templates, and the operator's wording in that folder, are read once."""
    return Renderer(wording_dir)
