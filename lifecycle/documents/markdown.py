"""Reading Markdown: its blocks with their place in the body, and its words without the markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

MARKDOWN = MarkdownIt("commonmark").enable("table")
_WITHOUT_TABLES = MarkdownIt("commonmark")  # for texts without a bar, which have none

# The line endings of CommonMark and no others: str.splitlines would also cut at \f, \x85 and \u2028.
LINE_END = re.compile(r"\r\n?|\n")

# Four times what the richest real texts have. What has more is not read for its markup.
PIECES = 30_000
_BLANKS = re.compile(r"[ \t]{25}")

_TAG = re.compile(r"<[^<>]*>")


def line_starts(body: str) -> list[int]:
    """The offset of each line as CommonMark counts lines, and the end of the text as the last entry."""
    return [0, *(match.end() for match in LINE_END.finditer(body)), len(body)]


def pieces(source: str) -> int:
    """What reading a text for its markup costs: by lines and cells, and by what they are indented."""
    return source.count("\n") + source.count("|") + len(_BLANKS.findall(source))


def blocks(body: str, environment: dict[str, Any]) -> list[Token]:
    """The block tokens of a body; their line map counts its lines; link definitions go to the environment."""
    tokens: list[Token] = []
    source = LINE_END.sub("\n", body.removeprefix("\ufeff")).replace("\0", "\ufffd")
    parser = MARKDOWN if "|" in source else _WITHOUT_TABLES
    parser.block.parse(source, parser, environment, tokens)
    return tokens


def spans(text: str, environment: dict[str, Any]) -> list[Token]:
    """The inline tokens of a block's content; references are looked up in the environment."""
    return MARKDOWN.parseInline(text, environment)[0].children or []


def spoken(children: Iterable[Token]) -> str:
    """Inline tokens as read aloud: no emphasis, no tags, links and pictures by their words."""
    breaks = {"softbreak": " ", "hardbreak": "\n", "html_inline": ""}
    return "".join(breaks.get(token.type, token.content) for token in children)


def plain(text: str) -> str:
    """Markdown as readable text, a line a block: links by their label, no emphasis, list markers or tags."""
    return "\n".join(line for line in map(str.strip, _lines(MARKDOWN.parse(text))) if line)


def _lines(tokens: Iterable[Token]) -> Iterator[str]:
    cells: list[str] = []
    in_row = False
    for token in tokens:
        if token.type in ("tr_open", "tr_close"):
            in_row = token.nesting == 1
            yield " | ".join(cells)
            cells.clear()
        elif token.type == "inline":
            text = spoken(token.children or [])
            if in_row:
                cells.append(text)
            else:
                yield text
        elif token.type in ("fence", "code_block", "html_block"):
            yield _TAG.sub("", token.content) if token.type == "html_block" else token.content
