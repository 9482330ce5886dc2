"""Policy text to HTML that is safe to show: raw HTML is text, and only an allow list leaves the sanitiser (rule 12)."""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from lifecycle.documents.compare import Change, EditKind
from lifecycle.documents.sections import Section, split

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

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@lru_cache(maxsize=128)
def text_html(text: str) -> Markup:
    """A whole text, each section in an element whose id is the section's anchor."""
    return Markup("\n").join(_section(text, section) for section in split(text))


def _section(text: str, section: Section) -> Markup:
    # Section by section, so that nothing left open in one reaches into the next.
    shown = nh3.clean(
        _markdown.render(text[section.start : section.end].replace("\0", "\ufffd")),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="nofollow noopener noreferrer",
    )
    return Markup('<section id="{}">{}</section>').format(section.anchor, Markup(shown))  # noqa: S704  (sanitised)


def change_html(change: Change) -> Markup:
    """One section's source with added and removed words marked; everything in it is text."""
    return Markup("").join(
        Markup("<{0}>{1}</{0}>").format(EDITS[edit.kind], edit.text) if edit.kind in EDITS else escape(edit.text)
        for edit in change.edits
    )
