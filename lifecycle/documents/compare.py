"""What changed between two texts: sections aligned, words marked, and never a wrong claim.

The edits of a change are its old sections without what was added, and its new ones without what was removed;
`apply` proves it for all of them together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate, pairwise

from lifecycle.documents import words
from lifecycle.documents.alignment import Group, align
from lifecycle.documents.natures import Nature, natures
from lifecycle.documents.sections import Section, split
from lifecycle.documents.words import Edit, EditKind, mark
from lifecycle.errors import InvalidInput

UNDERLINE = re.compile(r"\A[=-]+[ \t]*(?:\r\n?|\n|\Z)")


class ChangeKind(StrEnum):
    """What became of a section. A kept one may have gained or lost blank space around it."""

    KEPT = "kept"
    CHANGED = "changed"
    MOVED = "moved"
    RENAMED = "renamed"
    SPLIT = "split"
    MERGED = "merged"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one section: no `old` for an added one, no `new` for a removed one, several when split or merged.

    `renamed` is a section whose text is the same under another heading or number; one whose text changed is
    `changed`, whatever else happened to it; `moved` holds besides the kind.
    """

    kind: ChangeKind
    old: tuple[Section, ...]
    new: tuple[Section, ...]
    edits: tuple[Edit, ...]
    moved: bool = False

    @property
    def section(self) -> Section:
        """The section as it is named now, or was named last."""
        return (self.new or self.old)[0]

    @property
    def words_added(self) -> int:
        return words.count(self.edits, EditKind.ADDED)

    @property
    def words_removed(self) -> int:
        return words.count(self.edits, EditKind.REMOVED)

    @property
    def natures(self) -> frozenset[Nature]:
        """What the difference is made of, for a section that both sides have; worked out anew at each call."""
        return natures(self.was, self.now) if self.old and self.new else frozenset()

    @property
    def was(self) -> str:
        """The source of the old sections."""
        return _side(self.edits, EditKind.ADDED)

    @property
    def now(self) -> str:
        """The source of the new sections."""
        return _side(self.edits, EditKind.REMOVED)


Sections = Sequence[Section]
_split = lru_cache(maxsize=16)(split)  # whoever compares a text goes on to compare it with the next one


def compare(old: str, new: str, *, sections: tuple[Sections, Sections] | None = None) -> list[Change]:
    """Every section of both texts in one change, as one reads on in the new text; see `align`.

    `sections` are those of the old and of the new text, where they are known already: finding them in the text
    takes as long as all the rest.
    """
    pieces = sections or (_split(old), _split(new))
    return [_change(old, new, group) for group in align(old, new, *pieces)]


def apply(old: str, changes: Iterable[Change]) -> str:
    """The new text, byte for byte. Raises InvalidInput when the changes were made from another old text."""
    changes = list(changes)
    if _joined((change.old, change.was) for change in changes) != old:
        raise InvalidInput("This comparison was made from another text, so it cannot be applied to this one.")
    return _joined((change.new, change.now) for change in changes)


def totals(changes: Sequence[Change]) -> dict[str, int]:
    """How many sections became what, and how many words were added and removed."""
    kinds = Counter(change.kind for change in changes)
    added, removed = (sum(words.count(c.edits, kind) for c in changes) for kind in (EditKind.ADDED, EditKind.REMOVED))
    return {kind.value: kinds[kind] for kind in ChangeKind} | {"words_added": added, "words_removed": removed}


def _change(old: str, new: str, group: Group) -> Change:
    was = "".join(old[section.start : section.end] for section in group.old)
    now = "".join(new[section.start : section.end] for section in group.new)
    return Change(_kind(group, was, now), group.old, group.new, mark(was, now), group.moved)


def _kind(group: Group, was: str, now: str) -> ChangeKind:
    match len(group.old), len(group.new):
        case 0, _:
            return ChangeKind.ADDED
        case _, 0:
            return ChangeKind.REMOVED
        case 1, 1:
            return _kind_of_one(group, was, now)
        case 1, _:
            return ChangeKind.SPLIT
        case _:
            return ChangeKind.MERGED


def _kind_of_one(group: Group, was: str, now: str) -> ChangeKind:
    if was.strip() == now.strip():
        return ChangeKind.MOVED if group.moved else ChangeKind.KEPT
    [old], [new] = group.old, group.new
    if (old.number, old.title) != (new.number, new.title) and _below_heading(was) == _below_heading(now):
        return ChangeKind.RENAMED
    return ChangeKind.CHANGED


def _below_heading(source: str) -> str:
    return UNDERLINE.sub("", source.strip().partition("\n")[2]).strip()


def _side(edits: Iterable[Edit], without: EditKind) -> str:
    return "".join(edit.text for edit in edits if edit.kind is not without)


def _joined(parts: Iterable[tuple[Sequence[Section], str]]) -> str:
    """Sections cut from the sources of their changes and strung together in their own order."""
    cut: dict[int, str] = {}
    for sections, source in parts:
        ends = accumulate((section.end - section.start for section in sections), initial=0)
        cut |= {s.position: source[a:b] for s, (a, b) in zip(sections, pairwise(ends), strict=True)}
    return "".join(cut[position] for position in sorted(cut))
