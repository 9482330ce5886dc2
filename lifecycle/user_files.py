"""Users from a file: CSV with a header, or NDJSON. One line is one user; a bad line loses nothing but itself."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO, TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from lifecycle import engagements, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.errors import AssentError, Conflict, InvalidInput
from lifecycle.instants import require_aware
from lifecycle.models import User, Version

BATCH = 500
COLUMNS = ("external_id", *users.FIELDS, "bound", "bound_at")
BINDING = re.compile(r"(?P<slug>[a-z0-9-]+)@(?P<number>\d{1,9})\Z")
MAX_LINE = 100_000

Reader = Callable[[str], Mapping[str, Any]]
Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was not imported: its number from 1, the user or text it holds, and what to do."""

    line: int
    value: str
    problem: str


@dataclass(slots=True)
class ImportReport:
    """How many users were new or known, how many bindings were taken over, and which lines were left out."""

    added: int = 0
    known: int = 0
    bound: int = 0
    problems: list[Problem] = field(default_factory=list)


def import_users(
    database: Database,
    path: Path,
    *,
    zone: ZoneInfo,
    now: datetime,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ImportReport:
    """Add or change the users of a .csv, .ndjson or .jsonl file, some hundred lines a transaction.

    An empty cell of a CSV leaves what is known alone; in NDJSON null does, and "" clears it. `bound` takes over from
    another system which versions bound the user at `bound_at` (without a zone: in `zone`).
    Raises InvalidInput when the file as a whole cannot be read; a second import of the same file adds nothing.
    """
    if path.suffix not in {".csv", ".ndjson", ".jsonl"}:
        raise InvalidInput(f"{str(path)!r} must end in .csv, .ndjson or .jsonl, so that it is clear how to read it.")
    try:
        file = BytesIO(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    as_csv = path.suffix == ".csv"
    return import_lines(database, file, as_csv=as_csv, name=repr(str(path)), zone=zone, now=now, progress=progress)


def import_lines(
    database: Database,
    file: IO[bytes],
    *,
    as_csv: bool,
    name: str,
    zone: ZoneInfo,
    now: datetime,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ImportReport:
    """`import_users` for an open file, which messages call `name`; a batch of its lines is in memory at a time."""
    lines, read = _open(file, as_csv, name)
    report = ImportReport()
    for batch in progress(iter(lambda: list(islice(lines, BATCH)), [])):
        part = database.run(_store_batch, batch, read, zone=zone, now=now)
        report.added += part.added
        report.known += part.known
        report.bound += part.bound
        report.problems += part.problems
    return report


# -- reading -----------------------------------------------------------------------------------------------------------


def _open(file: IO[bytes], as_csv: bool, name: str) -> tuple[Iterator[Line], Reader]:
    """The lines with something in them, and how one is read."""
    # Bytes that are not UTF-8 stay recognisable, so that they spoil their own line alone.
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")
    lines = ((n, line.removesuffix("\n")) for n, line in enumerate(text, start=1) if line.strip())
    first = next(lines, None)
    if first is None:
        raise InvalidInput(f"{name} is empty.")
    if as_csv and not _is_utf8(first[1]):
        raise InvalidInput(f"{name} is not a CSV file in UTF-8: line {first[0]} holds other bytes. Save it as such.")
    return (lines, _csv_reader(first[1], name)) if as_csv else (chain([first], lines), _read_json)


def _csv_reader(header: str, file: str) -> Reader:
    delimiter = max(",;\t", key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
    if unknown := [name for name in names if name not in COLUMNS]:
        raise InvalidInput(f"{file}: unknown column {unknown[0]!r} in line 1. Known: {', '.join(COLUMNS)}.")
    if "external_id" not in names or len(set(names)) < len(names):
        raise InvalidInput(f"{file}: line 1 must name the column external_id, and each column once.")

    def read(line: str) -> Mapping[str, Any]:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise InvalidInput(f"The line is not CSV: {error}. Each user is one line.") from None
        if len(cells) != len(names):
            raise InvalidInput(
                f"The line has {len(cells)} cells, the header {len(names)}; quote cells that hold a comma."
            )
        return {name: cell.strip() or None for name, cell in zip(names, cells, strict=True)}

    return read


def _read_json(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput("The line is not a JSON object.") from None
    if not isinstance(found, dict):
        raise InvalidInput("The line is not a JSON object.")
    if unknown := [name for name in found if name not in COLUMNS]:
        raise InvalidInput(f"Unknown key {unknown[0]!r}. Known: {', '.join(COLUMNS)}.")
    return {name: _json_text(name, value) for name, value in found.items()}


def _json_text(name: str, value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and name in {"external_id", "discord_id"}:
        return str(value)
    if value is None or isinstance(value, str):
        return value
    raise InvalidInput(f"{name} is {json.dumps(value)[:40]}; it must be a text.")


def _check_line(line: str) -> None:
    if len(line) > MAX_LINE:
        raise InvalidInput(f"The line has {len(line)} characters; at most {MAX_LINE} are taken.")
    if not _is_utf8(line):
        raise InvalidInput("The line is not UTF-8. Save the file as UTF-8.")


def _is_utf8(line: str) -> bool:
    return line.isascii() or not any("\udc80" <= char <= "\udcff" for char in line)


# -- storing -----------------------------------------------------------------------------------------------------------


def _store_batch(
    session: Session, lines: Sequence[Line], read: Reader, *, zone: ZoneInfo, now: datetime
) -> ImportReport:
    report = ImportReport()
    new: set[int] = set()
    for number, line in lines:
        row: Mapping[str, Any] = {}
        try:
            _check_line(line)
            row = read(line)
            with session.begin_nested():  # a line goes in whole or not at all
                user, bound = _store_one(session, row, zone=zone, now=now)
        except (AssentError, IntegrityError) as error:
            report.problems.append(Problem(number, _start(row.get("external_id") or line), _why(error)))
        else:
            first = user.created_at == now and user.id not in new
            new.add(user.id)
            report.added += first
            report.known += not first
            report.bound += bound
    return report


def _start(text: str) -> str:
    """Enough to know the line by, in characters that can be printed."""
    return text[:40].encode("utf-8", errors="replace").decode()


def _why(error: Exception) -> str:
    return (
        str(error) if isinstance(error, AssentError) else "The host changed this user at the same moment; import again."
    )


def _store_one(session: Session, row: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> tuple[User, int]:
    facts = {name: row[name] for name in users.FIELDS if row.get(name) is not None}
    user = users.upsert(session, row.get("external_id") or "", actor="import", now=now, **facts)
    bindings = (row.get("bound") or "").split()
    at = _bound_at(row.get("bound_at"), zone, now) if bindings else now
    for binding in bindings:
        engagements.import_binding(session, user, _version(session, binding), at=at, now=now)
    return user, len(bindings)


def _version(session: Session, binding: str) -> Version:
    found = BINDING.match(binding)
    if found is None:
        raise InvalidInput(
            f"bound {binding!r} is not a document and version such as 'terms@2'; put blanks between several."
        )
    return store.version(session, store.document(session, found["slug"]), int(found["number"]))


def _bound_at(value: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    if not value:
        raise InvalidInput("bound needs bound_at: the instant since which the user is bound.")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidInput(f"bound_at {value!r} is not an instant such as '2026-01-31T09:00:00Z'.") from None
    at = require_aware(parsed if parsed.tzinfo else parsed.replace(tzinfo=zone), what="bound_at")
    if at > now:
        raise Conflict(f"bound_at {value!r} lies in the future (now {now.isoformat()}).")
    return at
