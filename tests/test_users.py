"""Users: added or changed by the host's id, with every bad value named."""

import pytest
from sqlmodel import Session, select

from lifecycle import choices, users
from lifecycle.db import Database
from lifecycle.errors import Conflict, InvalidInput, NotFound
from lifecycle.models import Choice, Event, User
from tests.conftest import NOW
from tests.helpers import add_user


def test_a_user_is_added_once_and_then_changed(database: Database) -> None:
    first = database.run(lambda s: users.upsert(s, "u1", email="Ada@Example.com", locale="de_AT", now=NOW))
    again = database.run(lambda s: users.upsert(s, "u1", time_zone="Europe/Vienna", now=NOW))
    assert first.id == again.id
    assert (again.email, again.locale, again.time_zone) == ("Ada@example.com", "de-AT", "Europe/Vienna")


def test_a_fact_that_is_not_given_stays_and_an_empty_one_goes(sqlite: Database) -> None:
    sqlite.run(lambda s: users.upsert(s, "u1", email="ada@example.com", discord_id="123", now=NOW))
    sqlite.run(lambda s: users.upsert(s, "u1", email=None, locale="en", now=NOW))
    assert sqlite.read(users.user, "u1").email == "ada@example.com"
    sqlite.run(lambda s: users.upsert(s, "u1", email="", discord_id="", now=NOW))
    found = sqlite.read(users.user, "u1")
    assert (found.email, found.discord_id) == ("", None)


@pytest.mark.parametrize(
    ("external_id", "facts", "message"),
    [
        ("", {}, "must have 1 to 200 characters"),
        (" u1", {}, "no blanks around it"),
        ("x" * 201, {}, "1 to 200 characters"),
        ("u1", {"email": "ada"}, "'ada' is not valid"),
        ("u1", {"email": "a@b\r\nBcc: c@d.example"}, "is not valid"),
        ("u1", {"locale": "tlh"}, "Locale 'tlh' is not known"),
        ("u1", {"time_zone": "Mars/Base"}, "Time zone 'Mars/Base' is not in the IANA database"),
        ("u1", {"time_zone": "../etc/passwd"}, "is not in the IANA database"),
        ("u1", {"discord_id": "ada#1"}, "Discord id 'ada#1' is not a number"),
        ("u1", {"nickname": "ada"}, "Unknown field 'nickname' for a user. Known: email"),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_stored(
    sqlite: Database, external_id: str, facts: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        sqlite.run(lambda s: users.upsert(s, external_id, now=NOW, **facts))
    assert sqlite.read(users.count) == 0


def test_a_discord_account_belongs_to_one_user(sqlite: Database) -> None:
    sqlite.run(lambda s: users.upsert(s, "u1", discord_id="123", now=NOW))
    with pytest.raises(Conflict, match="Discord id 123 is linked to user 'u1' already"):
        sqlite.run(lambda s: users.upsert(s, "u2", discord_id="123", now=NOW))


def test_an_unknown_user_is_named(sqlite: Database) -> None:
    with pytest.raises(NotFound, match="no user 'nobody'"):
        sqlite.read(users.user, "nobody")


def test_the_history_of_a_user_holds_no_personal_data(sqlite: Database) -> None:
    sqlite.run(lambda s: users.upsert(s, "ada-lovelace", email="ada@example.com", discord_id="4711", now=NOW))
    sqlite.run(lambda s: users.upsert(s, "ada-lovelace", email="new@example.com", now=NOW))
    entries = "".join(sqlite.read(lambda s: s.exec(select(Event.entry)).all()))
    assert '"fields":["email"]' in entries
    for secret in ("ada", "example.com", "4711"):
        assert secret not in entries


def test_the_latest_activity_counts_whatever_the_order_of_arrival(sqlite: Database) -> None:
    def touch_twice(session: Session) -> User:
        user = add_user(session)
        users.touch(session, {user.id: NOW})
        users.touch(session, {user.id: NOW.replace(year=2020)})
        return user

    assert sqlite.run(touch_twice).last_activity_at == NOW


def test_the_latest_choice_counts_and_the_same_choice_twice_is_one(sqlite: Database) -> None:
    def choose(session: Session) -> list[bool]:
        user, seen = add_user(session), []
        for value in (False, False, True):
            choices.choose(session, user, choices.PROMPT_LOGGING, value, source="api", now=NOW)
            seen.append(choices.chosen(session, user, choices.PROMPT_LOGGING))
        return seen

    assert sqlite.run(choose) == [False, False, True]
    assert len(sqlite.read(lambda s: s.exec(select(Choice)).all())) == 2


def test_who_never_chose_has_the_default(sqlite: Database) -> None:
    assert sqlite.run(lambda s: choices.chosen(s, add_user(s), choices.ANALYTICS, default=False)) is False
