"""Workers that die or fall asleep in the middle of a campaign lose nothing and double only what was in doubt."""

from pathlib import Path

from tests.crash import many_workers


async def test_each_user_gets_the_notice_once_or_twice_if_it_was_in_doubt(postgresql_url: str, tmp_path: Path) -> None:
    report = await many_workers.run(postgresql_url, tmp_path, notices=200)
    assert report.broken() == [], report
