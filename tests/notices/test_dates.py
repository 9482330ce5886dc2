"""Instants in notices: in the reader's language and time zone, with the zone named, across changes of the clock too."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from lifecycle.notices import readers
from lifecycle.notices.rendering import renderer
from lifecycle.settings import load_settings
from lifecycle.states import Purpose
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, add_user, published_terms
from tests.notices.test_contents import about


def reader(locale: str, zone: str) -> readers.Reader:
    return readers.Reader(None, locale, ZoneInfo(zone), load_settings())


@pytest.mark.parametrize(
    ("locale", "zone", "instant", "written"),
    [
        ("en", "UTC", NOW, "2 March 2026, 09:00 (Coordinated Universal Time)"),
        ("de", "UTC", NOW, "2. März 2026, 09:00 (Koordinierte Weltzeit)"),
        ("en", "Europe/Berlin", NOW, "2 March 2026, 10:00 (Central European Standard Time)"),
        ("de", "Europe/Berlin", NOW, "2. März 2026, 10:00 (Mitteleuropäische Normalzeit)"),
        ("de", "Europe/Berlin", NOW + 30 * DAY, "1. April 2026, 11:00 (Mitteleuropäische Sommerzeit)"),
        ("en", "America/New_York", NOW, "2 March 2026, 04:00 (Eastern Standard Time)"),
        ("en", "Pacific/Auckland", NOW + 3 * HOUR, "3 March 2026, 01:00 (New Zealand Daylight Time)"),
        ("en", "Asia/Kathmandu", NOW, "2 March 2026, 14:45 (GMT+05:45)"),
    ],
)
def test_an_instant_is_written_as_the_reader_writes_it_with_the_zone_named(locale, zone, instant, written) -> None:
    assert reader(locale, zone).day(instant) == written


@pytest.mark.parametrize("locale", ["de", "en"])
def test_the_hour_that_comes_twice_is_told_apart(locale: str) -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    twice = [reader(locale, "Europe/Berlin").day(first + n * HOUR) for n in (0, 1)]
    assert [text.count(", 02:30 (") for text in twice] == [1, 1]
    assert twice[0] != twice[1]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)), st.data())  # noqa: DTZ001
def test_every_zone_has_a_name_and_the_clock_shows_its_time(instant: datetime, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(available_timezones())))
    for locale in renderer().locales():
        written = reader(locale, zone).day(instant)
        day, _, name = written.removesuffix(")").partition(" (")
        assert day.endswith(f", {instant.astimezone(ZoneInfo(zone)):%H:%M}")
        assert name.strip()


def test_language_and_zone_are_the_readers_and_else_the_operators(session: Session, make_settings) -> None:
    settings = make_settings(time_zone="Asia/Tokyo", default_locale="de-CH")
    _, version = published_terms(session)
    found = {}
    for name, facts in {
        "none": {},
        "austrian": {"locale": "de-AT", "time_zone": "Europe/Vienna"},
        "briton": {"locale": "en-GB", "time_zone": "Europe/London"},
        "french": {"locale": "fr", "time_zone": "Europe/Paris"},
    }.items():
        notice = about(session, Purpose.REINSTATED, add_user(session, name, **facts), version)
        who = readers.reader(readers.Known(session, [notice]), notice, settings)
        found[name] = (who.locale, who.zone.key)
    assert found == {
        "none": ("de", "Asia/Tokyo"),
        "austrian": ("de", "Europe/Vienna"),
        "briton": ("en", "Europe/London"),
        "french": ("de", "Europe/Paris"),
    }
