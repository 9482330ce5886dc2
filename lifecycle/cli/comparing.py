"""A comparison of two texts on the terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from lifecycle.cli import output
from lifecycle.documents.compare import Change, ChangeKind, Edit, EditKind
from lifecycle.documents.sections import Section
from lifecycle.shapes import Shape

AROUND = 80  # characters of unchanged text shown on either side of a change
STYLES = {EditKind.KEPT: "dim", EditKind.REMOVED: "red strike", EditKind.ADDED: "green underline"}
# For terminals without colour, files and screen readers; as wdiff writes it.
MARKS = {EditKind.KEPT: ("", ""), EditKind.REMOVED: ("[-", "-]"), EditKind.ADDED: ("{+", "+}")}


def changes_shape(changes: Sequence[Change]) -> Shape:
    """The comparison for programs; the edits of a section, strung together, give both texts."""
    return {"summary": _summary(changes), "changes": [_change_shape(change) for change in changes]}


def _summary(changes: Sequence[Change]) -> dict[str, int]:
    kinds = Counter(change.kind for change in changes)
    words = {
        "words_added": sum(c.words_added for c in changes),
        "words_removed": sum(c.words_removed for c in changes),
    }
    return {kind.value: kinds[kind] for kind in ChangeKind} | words


def _change_shape(change: Change) -> Shape:
    return {
        "kind": change.kind,
        "old": _section(change.old),
        "new": _section(change.new),
        "words_added": change.words_added,
        "words_removed": change.words_removed,
        "edits": [{"kind": edit.kind, "text": edit.text} for edit in change.edits],
    }


def _section(section: Section | None) -> Shape | None:
    return {"number": section.number, "title": section.title, "anchor": section.anchor} if section else None


def print_changes(title: str, changes: Sequence[Change]) -> None:
    """A line of numbers, then each section that differs with its words marked."""
    counts = _summary(changes)
    if counts["kept"] == len(changes):
        return output.print_line(f"{title}: the texts are the same.")
    output.print_line(
        f"{title}: sections: {counts['changed']} changed, {counts['added']} added, {counts['removed']} removed, "
        f"{counts['kept']} kept; words: {counts['words_added']} added, {counts['words_removed']} removed."
    )
    console = output.console()
    for change in changes:
        if change.kind is not ChangeKind.KEPT:
            console.print()
            console.print(Text(output.clean(f"{change.kind.upper()}: {_named(change)}"), style="bold"))
            console.print(_marked(change.edits, plain=console.no_color or not console.is_terminal), soft_wrap=True)
    return None


def _named(change: Change) -> str:
    was, now = (
        f"{s.number} {s.title}".strip() or "(opening text)" for s in (change.old or change.section, change.section)
    )
    return now if was == now else f"{was} → {now}"


def _marked(edits: Sequence[Edit], *, plain: bool) -> Text:
    text = Text()
    for n, edit in enumerate(edits):
        before, after = MARKS[edit.kind] if plain else ("", "")
        shown = _shortened(edit.text, n == 0, n == len(edits) - 1) if edit.kind is EditKind.KEPT else edit.text
        text.append(before + output.clean(shown) + after, style=STYLES[edit.kind])
    text.rstrip()
    return text


def _shortened(text: str, first: bool, last: bool) -> str:
    """Unchanged text near a change; what is further away is left out."""
    return "".join(_ends(text, first, last))


def _ends(text: str, first: bool, last: bool) -> Iterator[str]:
    room = AROUND * (2 - first - last)
    if len(text) <= room + AROUND:
        yield text
        return
    yield "" if first else text[:AROUND].rsplit(" ", 1)[0]
    yield " … "
    yield "" if last else text[-AROUND:].split(" ", 1)[-1]
