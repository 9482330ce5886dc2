"""Policy text to HTML that is safe to show: raw HTML is text, and only an allow list leaves the sanitiser (rule 12)."""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from lifecycle.documents.compare import Change
from lifecycle.documents.sections import Section, split
from lifecycle.documents.words import Edit, EditKind

TAGS = {
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
EDITS = {EditKind.ADDED: "ins", EditKind.REMOVED: "del"}
HEADING = re.compile(r"\A\s*#{1,6} [^\n]*\n+")

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@lru_cache(maxsize=128)
def text_html(text: str) -> Markup:
    """A whole text, each section in an element whose id is the section's anchor."""
    own_title = has_title(text)
    return Markup("\n").join(_section(text, section, own_title) for section in split(text))


def has_title(text: str) -> bool:
    """Whether the text brings the one heading of level 1 that its page needs; if not, the page has to say it."""
    return sum(section.level == 1 for section in split(text)) == 1


def _section(text: str, section: Section, own_title: bool) -> Markup:
    # Section by section, so that nothing left open in one reaches into the next.
    tokens = _markdown.parse(text[section.start : section.end].replace("\0", "\ufffd"))
    for token in tokens:
        _keep_one_title(token, own_title)
    shown = nh3.clean(
        _markdown.renderer.render(tokens, _markdown.options, {}),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="nofollow noopener noreferrer",
    )
    return Markup('<section id="{}">{}</section>').format(section.anchor, Markup(shown))  # noqa: S704  (sanitised)


def _keep_one_title(token: Token, own_title: bool) -> None:
    """A second heading of level 1, or one inside a quote or a list, steps down to level 2."""
    if token.tag == "h1" and (token.level > 0 or not own_title):
        token.tag = "h2"


def change_html(change: Change) -> Markup:
    """One section's source with added and removed words marked; everything in it is text.

    A heading that stayed as it was is left out: the page names the section above.
    """
    return Markup("").join(_edit(edit, first=number == 0) for number, edit in enumerate(change.edits)).rstrip()


def _edit(edit: Edit, *, first: bool) -> Markup:
    if edit.text.isspace():  # a mark on blank space says nothing and looks like a fault
        return Markup("") if edit.kind is EditKind.REMOVED else escape(edit.text)
    if edit.kind in EDITS:
        return Markup("<{0}>{1}</{0}>").format(EDITS[edit.kind], edit.text)
    return escape(HEADING.sub("", edit.text) if first else edit.text)
