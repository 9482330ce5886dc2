"""Instants on the command line."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import typer

from lifecycle.cli.desk import parse_when

BERLIN = ZoneInfo("Europe/Berlin")
BEFORE_SUMMER = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)


def when(text: str) -> datetime:
    return parse_when(text, zone=BERLIN, now=BEFORE_SUMMER, option="--at")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-05-01T09:00:00Z", datetime(2026, 5, 1, 9, 0, tzinfo=UTC)),
        ("2026-05-01T09:00:00+05:30", datetime(2026, 5, 1, 3, 30, tzinfo=UTC)),
        ("2026-05-01T09:00", datetime(2026, 5, 1, 7, 0, tzinfo=UTC)),
        ("2026-05-01", datetime(2026, 4, 30, 22, 0, tzinfo=UTC)),
        ("now", BEFORE_SUMMER),
        ("+10s", datetime(2026, 3, 28, 12, 0, 10, tzinfo=UTC)),
        ("+5min", datetime(2026, 3, 28, 12, 5, tzinfo=UTC)),
        ("+24h", datetime(2026, 3, 29, 12, 0, tzinfo=UTC)),
        ("-2h", datetime(2026, 3, 28, 10, 0, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_the_operators_zone_unless_it_names_one(text: str, meant: datetime):
    assert when(text) == meant


def test_a_day_from_now_is_the_same_hour_on_the_wall_across_a_change_of_the_clock():
    assert when("+1d") == datetime(2026, 3, 29, 11, 0, tzinfo=UTC)
    assert when("+1w") == datetime(2026, 4, 4, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "+5", "+5m", "5d", "2026-13-01", "2026-02-30", "+999999999d", "1e9"])
def test_anything_else_is_wrong_usage_that_shows_how(text: str):
    with pytest.raises(typer.BadParameter, match=r"is not an instant .*\+30d") as error:
        when(text)
    assert error.value.param_hint == "--at"
