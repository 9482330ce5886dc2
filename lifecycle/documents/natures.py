"""What a change is made of: words, or only formatting, links, the printed date, the order, or a page's furniture.

Histories recorded from web pages are noisy, and most of what differs in them means nothing new to anyone. Each name
given here is proven by taking away: without what it names, both texts say the same.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files

from markdown_it.token import Token

from lifecycle.documents.dates import cued
from lifecycle.documents.sections import MARKDOWN
from lifecycle.documents.words import words


class Nature(StrEnum):
    """What differs between two texts; `words` is all that no other name covers."""

    FORMATTING = "formatting"
    LINKS = "links"
    DATE = "date"
    ORDER = "order"
    FURNITURE = "furniture"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item or cell as it is read, and where its links lead."""

    text: str
    targets: tuple[str, ...] = ()
    linked: int = 0  # characters of the text that are links


def natures(old: str, new: str) -> frozenset[Nature]:
    """Of what the difference of two Markdown texts is made; empty when they are the same."""
    if old == new:
        return frozenset()
    found = set[Nature]()
    fronts = [front[0] if (front := _FRONT_MATTER.match(side)) else "" for side in (old, new)]
    if fronts[0] != fronts[1]:
        found.add(Nature.FURNITURE)
    a, b = (blocks(side.removeprefix(front)) for side, front in zip((old, new), fronts, strict=True))
    for nature, without in TAKEN_AWAY:
        less_a, less_b = without(a), without(b)
        if _difference(less_a, less_b) + _led_away(less_a, less_b) < _difference(a, b) + _led_away(a, b):
            found.add(nature)
        a, b = less_a, less_b
    return frozenset(found | set(_rest(a, b, bool(found))))


def _rest(a: Sequence[Block], b: Sequence[Block], explained: bool) -> Iterator[Nature]:
    """The natures of a difference that is neither furniture nor date."""
    if not _difference(a, b):
        if _read(a) != _read(b):
            yield Nature.ORDER
        if _led_away(a, b):
            yield Nature.LINKS
        elif not explained and _read(a) == _read(b):
            yield Nature.FORMATTING
    else:
        yield Nature.WORDS


def _difference(a: Sequence[Block], b: Sequence[Block]) -> int:
    """How many blocks one side has and the other has not; none when both read the same with other breaks."""
    if _read(a) == _read(b):
        return 0
    one, other = (Counter(block.text for block in side) for side in (a, b))
    return (one - other).total() + (other - one).total()


def _led_away(a: Sequence[Block], b: Sequence[Block]) -> int:
    """How many links lead where none of the other side does."""
    one, other = (Counter(target for block in side for target in block.targets) for side in (a, b))
    return (one - other).total() + (other - one).total()


def _read(side: Iterable[Block]) -> str:
    return "".join(block.text for block in side).replace(" ", "")


# -- reading ---------------------------------------------------------------------------------------------------------

# What typesetting changes and no reader takes for another word.
_TYPESETTING = str.maketrans(
    {**dict.fromkeys("‘’‚‛′`´", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—―−", "-")}
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")
)


def blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text in reading order, without markup; those without words or links are left out."""
    found = (_block(token) for token in MARKDOWN.parse(text.replace("\0", "\ufffd")))
    return [block for block in found if block and (block.text or block.targets)]


def _block(token: Token) -> Block | None:
    if token.type in ("fence", "code_block"):
        return Block(_normal(token.content))
    if token.type == "html_block":
        return Block(_normal(re.sub(r"<[^<>]*>", " ", token.content)))
    return _inline(token.children or []) if token.type == "inline" else None


def _inline(children: Sequence[Token]) -> Block:
    text: list[str] = []
    targets: list[str] = []
    linked, in_link = 0, False
    for child in children:
        if child.type in ("link_open", "link_close"):
            in_link = child.type == "link_open"
        if child.type in ("link_open", "image"):
            targets.append(str(child.attrs.get("href") or child.attrs.get("src") or ""))
        elif child.type in ("softbreak", "hardbreak"):
            text.append(" ")
        elif child.type in ("text", "code_inline") and not (in_link and _ADDRESS.match(child.content)):
            text.append(child.content)
            linked += len(child.content) if in_link else 0
    return Block(_normal("".join(text)), tuple(targets), linked)


_ADDRESS = re.compile(r"https?://|www\.")  # a link that shows where it leads says nothing else


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text.translate(_TYPESETTING)).split())


# -- what may be taken away ------------------------------------------------------------------------------------------

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(?:(?:[ \t]*[\w-]+:|[ \t]+|#).*\r?\n|[ \t]*\r?\n)*---[ \t]*(?:\r?\n|\Z)")
PROSE = 8  # words of running text from which a block is part of what is being said
_AROUND = " \t!?.:;,*|·•–—-›»<>←→↑↓×✕"
_FURNITURE = re.compile(
    "|".join(tomllib.loads(files("lifecycle.documents").joinpath("furniture.toml").read_text("utf-8"))["phrases"]),
    re.IGNORECASE,
)


def _without_furniture(side: Sequence[Block]) -> list[Block]:
    """Without what a page has around its text: at both ends whatever is all links, everywhere the usual words."""
    told = [n for n, block in enumerate(side) if _tells(block)]
    first, last = (told[0], told[-1]) if told else (len(side), -1)
    return [
        block
        for n, block in enumerate(side)
        if not (len(words(block.text)) <= PROSE and _FURNITURE.fullmatch(block.text.strip(_AROUND)))
        and not ((n < first or n > last) and _all_links(block))
    ]


def _tells(block: Block) -> bool:
    return not _all_links(block) and len(words(block.text)) >= PROSE


def _all_links(block: Block) -> bool:
    return bool(block.targets) and block.linked >= 0.8 * len(block.text)


_MONTH = r"[^\W\d_\u3040-\u9fff]{3,12}\.?"
_DATE = re.compile(
    rf"\d{{1,4}}[./-] ?\d{{1,2}}[./-] ?\d{{1,4}}|\d{{4}} ?年 ?\d{{1,2}} ?月 ?\d{{1,2}} ?日"
    rf"|\d{{1,2}}(?:\.|st|nd|rd|th|er|º)? (?:of |de )?{_MONTH},? (?:de |del )?\d{{4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|{_MONTH} \d{{4}}"
)


def _without_dates(side: Sequence[Block]) -> list[Block]:
    """Without the dates in lines that say when the text was made or came in force."""
    return [replace(block, text=_DATE.sub("", block.text)) if _says_date(block.text) else block for block in side]


def _says_date(text: str) -> bool:
    return len(words(text)) <= 25 and bool(cued(text) or _DATE.fullmatch(text))


TAKEN_AWAY: tuple[tuple[Nature, Callable[[Sequence[Block]], list[Block]]], ...] = (
    (Nature.FURNITURE, _without_furniture),
    (Nature.DATE, _without_dates),
)
