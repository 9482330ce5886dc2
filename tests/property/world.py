"""A database of its own for each example, fast, and what of it the invariants look at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from lifecycle.db import Database
from lifecycle.settings import load_settings
from tests.conftest import migrated

TABLES = (
    "versions",
    "bodies",
    "engagements",
    "notices",
    "attempts",
    "campaigns",
    "terminations",
    "grounds",
    "requests",
    "events",
    "users",
    "graces",
)
# A Monday; the evening of a month's last day; an hour before summer time begins, and before it ends, in Berlin.
STARTS = [
    datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    datetime(2026, 1, 31, 22, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
]


# Makes a PostgreSQL database of this name for as long as it is needed, and gives its URL.
Maker = Callable[[str], AbstractContextManager[str]]


class World:
    """Settings and database of a small operator in Berlin: on SQLite, or on what `maker` makes."""

    def __init__(self, maker: Maker | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="assent-rules-"))
        self.settings = load_settings(
            data_dir=self.folder,
            operator="Acme",
            mail_from="Acme Legal <legal@acme.example>",
            secret_key="test-key",
            time_zone="Europe/Berlin",
            lease_seconds=120.0,
            inactivity_days=60,
            inactivity_notice_days=14,
        )
        self.kept = ExitStack()
        url = self.kept.enter_context(maker(self.folder.name.replace("-", "_").lower())) if maker else None
        self.database = Database(url or migrated(self.folder / "assent.sqlite3"))
        # Power loss is not what these tests are about, and waiting for the disk would halve the examples.
        if self.database.is_sqlite:
            event.listen(
                self.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF")
            )

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.database.engine.connect() as connection:
            return list(connection.execute(text(sql), values).mappings())

    def dump(self, *tables: str) -> dict[str, list[Any]]:
        """Every row of the tables, as stored."""
        return {table: self.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables or TABLES}

    def close(self) -> None:
        self.database.close()
        self.kept.close()
        shutil.rmtree(self.folder, ignore_errors=True)
