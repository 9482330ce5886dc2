"""What commands print: tables and lines for people, JSON for programs. Stored text never reaches the terminal raw."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

T = TypeVar("T")
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

# Escape sequences could rewrite the screen, direction characters the order of what is read.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WIDE = 200


def clean(text: str) -> str:
    """Text that cannot steer a terminal."""
    return CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def plain(value: Any) -> Any:
    """The value in JSON's types; instants in ISO 8601, in UTC."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return plain(asdict(value))
        case _:
            return value


def print_json(value: Any, *, indent: int | None = 2) -> None:
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=indent))


def print_line(text: str = "") -> None:
    console().print(Text(clean(text)), soft_wrap=True)


def print_note(text: str) -> None:
    """A word beside the result, to stderr."""
    console(stderr=True).print(Text(clean(text)), soft_wrap=True)


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    zone: ZoneInfo,
    empty: str = "",
    stderr: bool = False,
) -> None:
    """A table, or what to do next when there is nothing in it."""
    rows = list(rows)
    if not rows:
        return print_line(empty)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(spoken(cell, zone))) for cell in row))
    console(stderr=stderr).print(table)
    return None


def print_facts(facts: Mapping[str, Any], *, zone: ZoneInfo) -> None:
    """Names and values, one a line; what is empty is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], ()):
            grid.add_row(Text(name), Text(clean(spoken(value, zone))))
    console().print(grid)


def spoken(value: Any, zone: ZoneInfo) -> str:
    """A value as a person reads it: instants in the operator's zone, yes and no, lists with commas."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M %Z}"
        case list() | tuple():
            return ", ".join(spoken(item, zone) for item in value)
        case _:
            return str(value)


def tracker(what: str) -> Callable[[Iterable[T]], Iterable[T]]:
    """Wraps the steps of long work in a progress bar: on stderr, and only when that is a terminal."""

    def track(items: Iterable[T]) -> Iterator[T]:
        from rich.progress import track as rich_track

        known = list(items)
        yield from rich_track(known, what, console=console(stderr=True), disable=not sys.stderr.isatty())

    return track


def confirm(about: str, *, yes: bool) -> None:
    """Ask before what cannot be undone: on a terminal, unless told not to. Ends the command when the answer is no."""
    if not yes and sys.stdin is not None and sys.stdin.isatty():
        print_note(about)
        typer.confirm("Go on?", default=False, abort=True, err=True)
