"""What changed between two texts: sections aligned, words marked, and never a wrong claim.

The edits of a comparison, strung together, are the old text without what was added, and the new one
without what was removed; `apply` proves it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from lifecycle.documents.sections import Section, split
from lifecycle.errors import InvalidInput

TOKEN = re.compile(r"\w+|\s|[^\w\s]")
WORD = re.compile(r"\w+")
LINE = re.compile(r"[^\n]*\n|[^\n]+")
MANY = 4000  # tokens from which difflib may ignore the commonest ones as anchors, or it takes quadratic time


class ChangeKind(StrEnum):
    """What became of a section; a kept one may have gained or lost blank space around it."""

    KEPT = "kept"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


class EditKind(StrEnum):
    KEPT = "kept"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of text that both sides have, or only the new one, or only the old one."""

    kind: EditKind
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one section: `old` is None for an added one, `new` for a removed one."""

    kind: ChangeKind
    old: Section | None
    new: Section | None
    edits: tuple[Edit, ...]

    @property
    def section(self) -> Section:
        """The section as it is named now, or was named last."""
        found = self.new or self.old
        assert found is not None, "a change has at least one side"
        return found

    @property
    def words_added(self) -> int:
        return _words(self.edits, EditKind.ADDED)

    @property
    def words_removed(self) -> int:
        return _words(self.edits, EditKind.REMOVED)


def compare(old: str, new: str) -> list[Change]:
    """The sections of both texts in order, aligned; words marked inside those that changed."""
    return [_change(old, new, before, after) for before, after in _align(split(old), split(new))]


def apply(old: str, changes: Iterable[Change]) -> str:
    """The new text, byte for byte. Raises InvalidInput when the changes were made from another old text."""
    edits = [edit for change in changes for edit in change.edits]
    if "".join(edit.text for edit in edits if edit.kind is not EditKind.ADDED) != old:
        raise InvalidInput("This comparison was made from another text, so it cannot be applied to this one.")
    return "".join(edit.text for edit in edits if edit.kind is not EditKind.REMOVED)


def _change(old: str, new: str, before: Section | None, after: Section | None) -> Change:
    was = old[before.start : before.end] if before else ""
    now = new[after.start : after.end] if after else ""
    if before is None:
        return Change(ChangeKind.ADDED, None, after, (Edit(EditKind.ADDED, now),))
    if after is None:
        return Change(ChangeKind.REMOVED, before, None, (Edit(EditKind.REMOVED, was),))
    kind = ChangeKind.KEPT if was.strip() == now.strip() else ChangeKind.CHANGED
    return Change(kind, before, after, tuple(_merged(_line_edits(was, now))))


# -- sections ------------------------------------------------------------------------------------------------

Key = Callable[[Section], str]
# The surest sign first; what it leaves over is tried by the next.
SIGNS: tuple[Key, ...] = (
    lambda section: section.anchor,
    lambda section: section.title.casefold(),
    lambda section: section.number.casefold(),
)
Pair = tuple[Section | None, Section | None]


def _align(old: Sequence[Section], new: Sequence[Section], signs: Sequence[Key] = SIGNS) -> Iterator[Pair]:
    """Pairs in an order that is that of both texts; what has no counterpart stands alone."""
    if not signs or not old or not new:
        yield from ((section, None) for section in old)
        yield from ((None, section) for section in new)
        return
    sign, weaker = signs[0], signs[1:]
    # A section without the sign is like no other, so its key is never one of the other side.
    keys_old = [sign(section) or f"\0old {n}" for n, section in enumerate(old)]
    keys_new = [sign(section) or f"\0new {n}" for n, section in enumerate(new)]
    matcher = SequenceMatcher(None, keys_old, keys_new, autojunk=False)
    at_old = at_new = 0
    for i, j, size in matcher.get_matching_blocks():
        yield from _align(old[at_old:i], new[at_new:j], weaker)
        yield from zip(old[i : i + size], new[j : j + size], strict=True)
        at_old, at_new = i + size, j + size


# -- words ---------------------------------------------------------------------------------------------------


def _line_edits(old: str, new: str) -> Iterator[Edit]:
    """Whole lines first, which is fast; words only inside the lines that differ."""
    a, b = LINE.findall(old), LINE.findall(new)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        was, now = "".join(a[i1:i2]), "".join(b[j1:j2])
        yield from _word_edits(was, now) if tag == "replace" else _edits(tag, was, now)


def _word_edits(old: str, new: str) -> Iterator[Edit]:
    a, b = TOKEN.findall(old), TOKEN.findall(new)
    matcher = SequenceMatcher(str.isspace, a, b, autojunk=len(b) > MANY)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield from _edits(tag, "".join(a[i1:i2]), "".join(b[j1:j2]))


def _edits(tag: str, was: str, now: str) -> Iterator[Edit]:
    if tag == "equal":
        yield Edit(EditKind.KEPT, was)
        return
    yield from (Edit(kind, text) for kind, text in ((EditKind.REMOVED, was), (EditKind.ADDED, now)) if text)


def _merged(edits: Iterable[Edit]) -> Iterator[Edit]:
    """Neighbours of one kind as one."""
    last: Edit | None = None
    for edit in edits:
        if last is not None and last.kind is edit.kind:
            last = Edit(last.kind, last.text + edit.text)
            continue
        if last is not None:
            yield last
        last = edit
    if last is not None:
        yield last


def _words(edits: Iterable[Edit], kind: EditKind) -> int:
    return sum(len(WORD.findall(edit.text)) for edit in edits if edit.kind is kind)
