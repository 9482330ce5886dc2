"""Policy text to HTML that is safe to show: raw HTML is text, and only an allow list leaves the sanitiser (rule 12)."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin

from lifecycle.documents.compare import Change
from lifecycle.documents.markdown import PIECES, line_starts, pieces
from lifecycle.documents.sections import Addressable, Section, split
from lifecycle.documents.words import EditKind, words

TAGS = {
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "dl",
    "dt",
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
    "section",
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
ATTRIBUTES = {"a": {"href", "title", "id"}, "li": {"id"}, "ol": {"start"}, "section": {"id"}}
SCHEMES = {"http", "https", "mailto"}
EDITS = {EditKind.ADDED: "ins", EditKind.REMOVED: "del"}
HEADING = re.compile(r"\A\s*(?:#{1,6} [^\n]*|[^\n]+\n(?:=+|-+)[ \t\r]*)(?:\n+|\Z)")
FAR = 900  # characters of unchanged text in a row that are shown whole; of more, what lies near the changes
NEAR = 300

# Four times what the richest real texts ask for: what asks for more is shown without its markup.
STEPS = 15_000
# Deeper than this the parser drops what it reads.
DEPTH = 20

# Characters that a reader cannot see and that change what is seen: controls, and orders to write backwards.
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - set(map(ord, "\t\n\f\x85"))
_UNSHOWN = dict.fromkeys({*_CONTROLS, 0x202D, 0x202E, *range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF}, "\ufffd")


class TooMuchMarkup(Exception):
    """A text would take more work to show than any real one."""


def _count(state: StateBlock | StateInline) -> bool:
    state.env["steps"] = state.env.get("steps", 0) + 1
    if state.env["steps"] > STEPS:
        raise TooMuchMarkup
    return False


def _count_block(state: StateBlock, _start: int, _end: int, _silent: bool) -> bool:
    return _count(state)


def _count_inline(state: StateInline, _silent: bool) -> bool:
    return _count(state)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEPTH}).enable("table")
    parser.use(deflist_plugin).use(footnote_plugin)
    parser.block.ruler.before("table", "count", _count_block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.inline.ruler.before("text", "count", _count_inline)
    return parser


_markdown = _parser()


@lru_cache(maxsize=128)
def text_html(text: str) -> Markup:
    """A whole text, each section in an element whose id is the section's anchor.

    Text nested or marked up beyond all measure is shown as it stands, as paragraphs, so that no word is lost.
    """
    source = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").translate(_UNSHOWN)
    environment: dict[str, object] = {}
    try:
        if pieces(source) > PIECES:
            raise TooMuchMarkup
        tokens = _markdown.parse(source, environment)
    except TooMuchMarkup:
        return _as_it_stands(source)
    if any(token.level >= DEPTH - 1 for token in tokens):
        return _as_it_stands(source)
    sections = split(text)
    own_title = has_title(sections)
    for token in tokens:
        _keep_one_title(token, own_title)
    tokens = _in_sections(tokens, sections, line_starts(text))
    return _clean(_markdown.renderer.render(tokens, _markdown.options, environment))


def has_title(sections: Iterable[Addressable]) -> bool:
    """Whether a text brings the one heading of level 1 that its page needs; if not, the page has to say it."""
    return sum(section.level == 1 for section in sections) == 1


def _clean(html: str) -> Markup:
    shown = nh3.clean(
        html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel="nofollow noopener noreferrer"
    )
    return Markup(shown)  # noqa: S704  (sanitised)


def _as_it_stands(source: str) -> Markup:
    paragraphs = re.sub(r"\n\s*\n", "</p>\n<p>", escape(source))
    return Markup(f'<section id="_top"><p>{paragraphs}</p></section>')  # noqa: S704  (escaped)


def _in_sections(tokens: Sequence[Token], sections: Sequence[Section], starts: Sequence[int]) -> list[Token]:
    """The tokens with an element around each section; one that begins at an item of a list gives the item its id."""
    wanted = [(bisect_left(starts, section.start), section.anchor) for section in sections]
    wanted[0] = (0, sections[0].anchor)
    shown: list[Token] = []
    for token in tokens:
        at = token.map[0] if token.map else -1
        while wanted and token.level == 0 and token.nesting >= 0 and wanted[0][0] <= at:
            shown += _opened(wanted.pop(0)[1], first=not shown)
        if wanted and token.type == "list_item_open" and wanted[0][0] == at:
            token.attrSet("id", wanted.pop(0)[1])
        shown.append(token)
    while wanted:
        shown += _opened(wanted.pop(0)[1], first=not shown)
    return [*shown, Token("section_close", "section", -1, block=True)]


def _opened(anchor: str, *, first: bool) -> list[Token]:
    opening = Token("section_open", "section", 1, attrs={"id": anchor}, block=True)
    return [opening] if first else [Token("section_close", "section", -1, block=True), opening]


def _keep_one_title(token: Token, own_title: bool) -> None:
    """A second heading of level 1, or one inside a quote or a list, steps down to level 2."""
    if token.tag == "h1" and (token.level > 0 or not own_title):
        token.tag = "h2"


def change_html(change: Change) -> Markup:
    """One section's source with added and removed words marked; everything in it is text.

    A heading that stayed as it was, or came or went with its section, is left out, as the page names the section
    above; headings within are shown as such. What lies far from any change is left out too, with a word on how much.
    """
    last = len(change.edits) - 1
    shown = Markup("")
    begins = dict.fromkeys(EDITS, True)  # whether what is next added, or removed, begins a line
    for n, edit in enumerate(change.edits):
        if not edit.text.strip("#"):  # another level of a heading, which has a name for it: formatting
            continue
        named = HEADING.match(edit.text) if n == 0 else None
        text = edit.text[named.end() :] if named and (n == last or "\n" in named[0]) else edit.text
        text = text if text.strip() or edit.kind is EditKind.KEPT else edit.text
        shown += _edit(edit.kind, text, begins.get(edit.kind, all(begins.values())), first=n == 0, last=n == last)
        begins |= dict.fromkeys([edit.kind] if edit.kind in EDITS else EDITS, edit.text.endswith(("\n", "\r")))
    return shown.strip()


def _edit(kind: EditKind, text: str, begins: bool, *, first: bool, last: bool) -> Markup:
    if text.isspace():  # a mark on blank space says nothing and looks like a fault
        return Markup("") if kind is EditKind.REMOVED else escape(text)
    if kind not in EDITS:
        return _unchanged(text, begins, first, last)
    read = _read(text, begins)
    return Markup("<{0}>{1}</{0}>").format(EDITS[kind], read) if read else read


def _unchanged(text: str, begins: bool, first: bool, last: bool) -> Markup:
    if len(text) <= FAR:
        return _read(text, begins)
    before = "" if first else text[:NEAR].rsplit(None, 1)[0]
    after = "" if last else text[-NEAR:].split(None, 1)[-1]
    left_out = len(words(text)) - len(words(before)) - len(words(after))
    gap = Markup('<span class="gap">{} unchanged words</span>').format(left_out)
    return Markup("\n\n").join(part for part in (_read(before, begins), gap, _read(after, False)) if part)


def _read(text: str, begins: bool) -> Markup:
    """Source as a reader expects it: headings without their signs, and strong where they are whole; no escapes."""
    shown = Markup("")
    for line in text.splitlines(keepends=True):
        heading = _SIGN.match(line) if begins else None
        said = _ESCAPE.sub(r"\1", line[heading.end() :] if heading else line)
        name, end = said.rstrip(), said[len(said.rstrip()) :]
        whole = heading and name and "\n" in end
        shown += (Markup("<strong>{}</strong>").format(name) if whole else escape(name)) + end
        begins = True
    return shown


_SIGN = re.compile(r" {0,3}#{1,6}(?:[ \t]+|$)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
