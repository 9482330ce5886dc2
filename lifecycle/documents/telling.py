"""A comparison told in words, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten

from lifecycle.documents.compare import Change, ChangeKind
from lifecycle.documents.natures import Nature
from lifecycle.documents.sections import Section
from lifecycle.documents.words import EditKind

LONGEST = 120  # characters of a section's name
NATURES = {
    Nature.FORMATTING: "the formatting",
    Nature.LINKS: "where links lead",
    Nature.DATE: "the printed date",
    Nature.ORDER: "the order",
    Nature.FURNITURE: "the page's furniture (navigation, banners, footers, page data)",
}


def headline(counts: Mapping[str, int]) -> str:
    """How many sections became what, and how many words came and went."""
    kinds = [f"{counts[kind]} {kind}" for kind in ChangeKind if counts[kind] and kind is not ChangeKind.KEPT]
    sections = ", ".join([*kinds, f"{counts[ChangeKind.KEPT]} kept"])
    return f"sections: {sections}; words: {counts['words_added']} added, {counts['words_removed']} removed"


def amounts_to(found: Iterable[Nature], returns_to: int | None = None) -> str:
    """What the difference as a whole is, in a sentence; empty when there is no more to say than that words differ."""
    known = frozenset(found)
    if not known:
        return "The two texts are the same."
    if returns_to is not None:
        return f"This is the text of version {returns_to} again, word for word."
    if Nature.WORDS in known:
        return ""
    return (
        f"Only {listed([NATURES[nature] for nature in NATURES if nature in known])} changed; the policy says the same."
    )


def about(change: Change) -> str:
    """What became of the section: `changed`, `moved and renamed`, `changed: only where links lead`, ..."""
    kind = change.kind.value
    if change.moved and change.kind is not ChangeKind.MOVED:
        kind = f"moved and {kind}"
    small = change.natures - {Nature.WORDS} if Nature.WORDS not in change.natures else frozenset()
    return f"{kind}: only {listed([NATURES[nature] for nature in NATURES if nature in small])}" if small else kind


def names(change: Change) -> str:
    """The section's name, or the old and the new one."""
    was, now = _named(change.old), _named(change.new)
    return f"{was} → {now}" if was and now and was != now else now or was


def listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _named(sections: Sequence[Section]) -> str:
    found = (f"{section.number} {section.title}".strip() for section in sections)
    return " + ".join(shorten(name, LONGEST, placeholder=" …") or "(opening text)" for name in found)


# -- Markdown --------------------------------------------------------------------------------------------------------

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+.!|~&-])")
_ELEMENTS = {EditKind.ADDED: "ins", EditKind.REMOVED: "del"}


def markdown(title: str, counts: Mapping[str, int], word: str, changes: Iterable[Change]) -> str:
    """The comparison for an issue, a wiki or a mail: each section that differs, its source with <ins> and <del>."""
    lines = [f"# {escape(title)}", "", f"{headline(counts)[0].upper()}{headline(counts)[1:]}."]
    lines += ["", escape(word)] if word else []
    for change in changes:
        if change.kind is not ChangeKind.KEPT:
            lines += ["", f"## {escape(names(change))}", "", f"*{about(change)}*", "", *_quoted(change)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\1", text)


def _quoted(change: Change) -> list[str]:
    # A mark must not reach over a line end, or it would not close within its paragraph.
    return ["> " + line for line in "".join(_marked(change)).strip().replace("\r\n", "\n").split("\n")]


def _marked(change: Change) -> Iterable[str]:
    for edit in change.edits:
        element = _ELEMENTS.get(edit.kind)
        for piece in re.split(r"(\s*\n\s*)", edit.text):
            if not piece.strip():
                yield "\n\n" if "\n" in piece else piece
            else:
                yield f"<{element}>{escape(piece)}</{element}>" if element else escape(piece)
