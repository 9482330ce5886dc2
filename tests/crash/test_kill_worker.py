"""A worker that is killed while it sends loses nothing and floods nobody (rule 7)."""

from pathlib import Path

from lifecycle.db import Database
from tests.crash import kill_worker


async def test_whoever_is_told_while_workers_and_smtp_servers_die_gets_one_notice_and_at_most_two_copies(
    sqlite: Database, tmp_path: Path
) -> None:
    report = await kill_worker.run(sqlite.url, tmp_path, notices=150, kills=3, seed=4, relay=True)
    assert report.kills == 3
    assert report.broken() == [], report


async def test_whoever_is_told_while_workers_die_gets_one_notice_and_at_most_two_copies(
    database_url: str, tmp_path: Path
) -> None:
    report = await kill_worker.run(database_url, tmp_path, notices=200, kills=4, seed=1)
    assert report.kills == 4
    assert report.broken() == [], report
