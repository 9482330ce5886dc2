"""The composition root: settings, database and clock of one process."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lifecycle.db import Database, open_database
from lifecycle.scheduler import Clockwork, utc_now
from lifecycle.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class App:
    """What every face of Assent needs."""

    settings: Settings
    database: Database
    clock: Callable[[], datetime] = utc_now

    def clockwork(self) -> Clockwork:
        return Clockwork(self.database, self.settings, clock=self.clock)

    def close(self) -> None:
        self.database.close()


def open_app(settings: Settings | None = None, *, clock: Callable[[], datetime] = utc_now) -> App:
    """Open the database at this release's schema. Raises ConfigurationError or DatabaseError that says what to do."""
    settings = settings or load_settings()
    return App(settings, open_database(settings), clock)
