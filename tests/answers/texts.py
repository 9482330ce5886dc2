"""The sample texts and, where they are, those of ../shared, ready for questions without a database."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lifecycle.answers.meaning import model
from lifecycle.answers.sources import Source, read
from lifecycle.models import Document, Version
from lifecycle.states import DocumentKind

SHARED = Path(__file__).parents[2].parent / "shared"
CORPUS, QA = SHARED / "corpus", SHARED / "qa"
MODEL = QA / "model"
SAMPLES = Path(__file__).parents[2] / "lifecycle" / "demo" / "texts"
SLUGS = ("privacy-policy", "terms", "acceptable-use")
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def questions(name: str = "questions") -> list[dict[str, Any]]:
    """The project's own questions, labelled with the sections that answer them before anything was run."""
    lines = Path(__file__).with_name(f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@cache
def texts(name: str, locale: str, *, by_meaning: bool = False) -> Sequence[Source]:
    """`demo`: the three sample policies; else one text of the corpus."""
    if name == "demo":
        return [source(slug, SAMPLES / slug / f"2.{locale}.md", locale, by_meaning) for slug in SLUGS]
    return [source("", CORPUS / name, locale, by_meaning)]


def source(slug: str, path: Path, locale: str, by_meaning: bool = False) -> Source:
    text = path.read_text("utf-8")
    text = text.split("---\n", 2)[2] if text.startswith("---\n") else text
    return of(text, slug=slug, locale=locale, by_meaning=by_meaning)


def of(text: str, *, slug: str = "terms", locale: str = "en", by_meaning: bool = False) -> Source:
    reading = read(text, locale=locale, chosen=model(MODEL) if by_meaning and locale == "en" else None)
    document = Document(slug=slug, title=slug, kind=DocumentKind.OTHER, default_locale=locale, created_at=NOW)
    return Source(document, Version(document_id=1, number=2, created_at=NOW), locale, slug, reading, None, None)
