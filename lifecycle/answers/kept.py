"""What was worked out of a text, kept in a folder: a restart reads in milliseconds what took a tenth of a second."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from lifecycle.answers import counting, language, passages
from lifecycle.answers.counting import Words
from lifecycle.answers.passages import Passage
from lifecycle.documents import headings, markdown, sections, sentences
from lifecycle.documents.sections import Section

# What a text becomes depends on these: with another release of any of them it is worked out anew.
MODULES = (counting, language, passages, headings, markdown, sections, sentences)
LIBRARIES = ("markdown-it-py", "mdurl", "rapidfuzz", "sentencex", "snowballstemmer")

Worked = tuple[Sequence[Section], Sequence[Passage], Words]


def place(folder: Path, body: str, locale: str) -> Path:
    """Where the workings of a body in this language are kept, for this release of the code."""
    return folder / f"{sha256(to_json([_release(), locale, body])).hexdigest()}.json"


def load(path: Path, body: str) -> Worked | None:
    """What was saved there of this body; None when nothing was, or when a byte of it is not as it was written."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest != _digest(content):
        return None
    with _uncollected():
        return _read(content, body)


def _read(content: bytes, body: str) -> Worked:
    kept = from_json(content)
    found: list[Passage] = []
    for section, start, end, heading, leading, lead_in in kept["passages"]:
        led = leading if lead_in is None else found[lead_in].text
        found.append(Passage(section, start, end, body[start:end], heading, led, lead_in))
    pieces = [Section(**{**piece, "path": tuple(piece["path"])}) for piece in kept["sections"]]
    return pieces, found, Words(kept["postings"], frozenset(kept["names"]), frozenset(kept["long"]))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing that is read is garbage, and looking through it again and again takes longer than to read it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def save(path: Path, worked: Worked) -> None:
    """Whole or not at all."""
    pieces, found, words = worked
    content = to_json(
        {
            "sections": [asdict(piece) for piece in pieces],
            "passages": [_row(passage) for passage in found],
            "postings": words.postings,
            "names": sorted(words.names),
            "long": sorted(words.long),
        }
    )
    write(path, _digest(content) + b"\n" + content)


def write(path: Path, content: bytes) -> None:
    """Whole or not at all; a folder that cannot be written only costs the time again."""
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except OSError:
        if partial:
            Path(partial).unlink(missing_ok=True)


def _row(passage: Passage) -> tuple[Any, ...]:
    """Without what is in the body, or in the passage that leads in."""
    leading = passage.leading if passage.lead_in is None else ""
    return passage.section, passage.start, passage.end, passage.heading, leading, passage.lead_in


def _digest(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()


@cache
def _release() -> str:
    files = [Path(__file__), *(Path(module.__file__) for module in MODULES if module.__file__)]
    files += sorted(language.LEXICON.glob("*.toml"))
    versions = [sys.version, *map(version, LIBRARIES)]
    return sha256(b"\0".join([*(file.read_bytes() for file in files), *map(str.encode, versions)])).hexdigest()
