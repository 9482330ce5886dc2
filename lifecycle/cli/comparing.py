"""A comparison of two versions, as a person, a page or a program wants it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from rich.text import Text

from lifecycle import shapes
from lifecycle.cli import output
from lifecycle.documents import telling
from lifecycle.documents.compare import ChangeKind
from lifecycle.documents.comparison import Comparison
from lifecycle.documents.words import Edit, EditKind
from lifecycle.settings import Settings

AROUND = 80  # characters of unchanged text shown on either side of a change
STYLES = {EditKind.KEPT: "dim", EditKind.REMOVED: "red strike", EditKind.ADDED: "green underline"}
# For terminals without colour, files and screen readers; as wdiff writes it.
MARKS = {EditKind.KEPT: ("", ""), EditKind.REMOVED: ("[-", "-]"), EditKind.ADDED: ("{+", "+}")}


class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


def print_comparison(found: Comparison, form: Format, *, note: str, settings: Settings) -> None:
    """Print it in one form; `note` says why the old version is the one it is."""
    match form:
        case Format.JSON:
            output.print_json(shapes.comparison(found))
        case Format.MARKDOWN:
            word = " ".join(filter(None, [note, telling.amounts_to(found.natures, found.returns_to)]))
            print(telling.markdown(_title(found), found.totals, word, found.changes), end="")
        case Format.HTML:
            from lifecycle.web.pages import comparison_page

            print(comparison_page(settings, found, note=note))
        case Format.TEXT:
            _print_text(found, note)


def _title(found: Comparison) -> str:
    return f"{found.document.title}: version {found.old.number} to {found.new.number}"


def _print_text(found: Comparison, note: str) -> None:
    """A line of numbers, what they amount to, then each section that differs with its words marked."""
    title = f"{found.document.slug}: version {found.old.number} → {found.new.number}"
    if not found.natures:
        return output.print_line(f"{title}: the texts are the same.")
    output.print_line(f"{title}: {telling.headline(found.totals)}.")
    for line in filter(None, [note, telling.amounts_to(found.natures, found.returns_to), _between(found)]):
        output.print_line(line)
    console = output.console()
    for change in found.changes:
        if change.kind is not ChangeKind.KEPT:
            console.print()
            kind, _, small = telling.about(change).partition(": ")
            line = f"{kind.upper()}: {telling.names(change)}" + (f" ({small})" if small else "")
            console.print(Text(output.clean(line), style="bold"))
            console.print(_marked(change.edits, plain=console.no_color or not console.is_terminal), soft_wrap=True)
    return None


def _between(found: Comparison) -> str:
    skipped = [str(version.number) for version in found.between]
    return f"Versions in between: {', '.join(skipped)}." if skipped else ""


def _marked(edits: Sequence[Edit], *, plain: bool) -> Text:
    text = Text()
    for n, edit in enumerate(edits):
        if edit.text.isspace():  # a mark on blank space says nothing and looks like a fault
            text.append("" if edit.kind is EditKind.REMOVED else output.clean(edit.text))
            continue
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
