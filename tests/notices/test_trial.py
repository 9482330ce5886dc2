"""A version's mail before it is published: what a user would get, and a real test mail that counts for nothing."""

import re
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from lifecycle import history, ledger, links, terminations, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import InvalidInput, NotFound, RuleRefused
from lifecycle.models import Notice, Version
from lifecycle.notices import addresses, claiming, keeping, outbox, trial
from lifecycle.notices.delivery import Dispatcher
from lifecycle.settings import Settings
from lifecycle.states import Channel, Initiator, Mode, NoticeStatus, Purpose
from tests.conftest import NOW, Mailbox
from tests.helpers import DAY, ZONE, add_user, published_terms

PUBLICATION = Publication(Mode.EXPLICIT, effective_at=NOW + 30 * DAY, deadline_days=14, changelog=("Nicer.",))
TABLES = ("users", "versions", "campaigns", "notices", "events", "engagements")


@pytest.fixture
def settings(make_settings: Callable[..., Settings], mailbox: Mailbox) -> Settings:
    return make_settings(smtp_url=mailbox.url, time_zone="Europe/Berlin")


def draft(session: Session) -> Version:
    document, _ = published_terms(session)
    add_user(session, "ada", locale="de", time_zone="Asia/Tokyo")
    return store.draft_version(session, document, {"en": "# Terms\n\nNew.\n"}, now=NOW)


def mail_to(session: Session, name: str, settings: Settings, publication: Publication = PUBLICATION) -> trial.Shown:
    version = session.get_one(Version, 2)
    return trial.mail_to(session, version, publication, name, settings=settings, now=NOW)


def send_test(session: Session, /, address: str, settings: Settings, **facts: Any) -> Notice:
    version = session.get_one(Version, 2)
    return trial.send_test(session, version, PUBLICATION, address, settings=settings, now=NOW, **facts)


def kept(database: Database, notice: Notice) -> bytes:
    message = database.read(keeping.message, notice.id)
    assert message is not None
    return message


def stored(database: Database) -> list[list[Any]]:
    with database.engine.connect() as connection:
        return [list(connection.execute(text(f"SELECT * FROM {name} ORDER BY 1"))) for name in TABLES]


# -- shown ---------------------------------------------------------------------------------------------------------


def test_the_mail_shown_is_the_one_that_leaves_once_the_version_is_published(database: Database, settings) -> None:
    database.run(draft)
    before = stored(database)
    shown = database.run(mail_to, "ada", settings)
    assert stored(database) == before

    def make_real(session: Session) -> None:
        version = publish(session, session.get_one(Version, 2), PUBLICATION, zone=ZONE, now=NOW)
        user = users.user(session, "ada")
        outbox.owe(
            session, Purpose.VERSION_PUBLISHED, f"version:{version.id}", user=user, version_id=version.id, now=NOW
        )

    database.run(make_real)
    [taken] = database.run(claiming.claim, limit=1, settings=settings, now=NOW)
    assert (shown.address, unnumbered(shown.message)) == (taken.address, unnumbered(taken.message))


def unnumbered(message: bytes) -> bytes:
    """A mail without the number of its notice, which has none before it is owed."""
    return re.sub(rb"(Message-ID: <)\w+\.", rb"\1", message)


def test_over_discord_the_message_is_shown(sqlite: Database, settings: Settings) -> None:
    sqlite.run(lambda s: (draft(s), add_user(s, "chatter", email="", discord_id="175928847299117063")))
    shown = sqlite.run(mail_to, "chatter", settings)
    assert (shown.channel, shown.address) == (Channel.DISCORD, "175928847299117063")
    assert b"Nicer" in shown.message


def test_who_would_not_be_told_has_no_mail_to_show(sqlite: Database, settings: Settings) -> None:
    def leave(session: Session) -> None:
        draft(session)
        add_user(session, "silent", email="")
        leaver = add_user(session, "leaver")
        cause = terminations.Cause(Initiator.USER, "Goodbye.")
        terminations.terminate(session, leaver, cause, effective_at=NOW, zone=ZONE, now=NOW)

    sqlite.run(leave)
    for name, error, why in [
        ("silent", RuleRefused, "'silent' would not be told: no address"),
        ("leaver", RuleRefused, "'leaver' would not be told: the user's access has ended"),
        ("nobody", NotFound, "There is no user 'nobody'"),
    ]:
        with pytest.raises(error, match=why):
            sqlite.run(mail_to, name, settings)


def test_what_cannot_be_published_is_not_shown_either(sqlite: Database, settings: Settings) -> None:
    sqlite.run(draft)
    with pytest.raises(InvalidInput, match="lies in the past"):
        sqlite.run(mail_to, "ada", settings, Publication(Mode.NOTICE, effective_at=NOW - DAY))


# -- sent to oneself -----------------------------------------------------------------------------------------------


async def test_a_test_mail_is_a_real_mail_that_tells_nobody(
    database: Database, settings: Settings, mailbox: Mailbox
) -> None:
    database.run(draft)
    test = database.run(send_test, "me@example.com", settings)
    dispatcher = Dispatcher(database, settings, clock=lambda: NOW)
    assert await dispatcher.drain() == 1
    await dispatcher.stop()
    [mail] = mailbox.messages("me@example.com")
    assert mail["Subject"].startswith("[Test] ")
    assert "Nicer." in str(mail)
    found = database.read(outbox.notice, test.id)
    assert (found.purpose, found.status, found.user_id, found.version_id) == (
        Purpose.TEST,
        NoticeStatus.SENT,
        None,
        None,
    )
    [attempt] = database.read(outbox.attempts, found)
    assert attempt.code == 250
    assert kept(database, test) == mailbox.received[0][2]
    assert database.read(lambda s: ledger.facts(s, users.user(s, "ada"))) == []
    assert [entry.verb for entry in database.read(history.of, "version", 2)] == ["drafted", "tested"]


def test_the_links_of_a_test_mail_act_for_nobody(sqlite: Database, settings: Settings) -> None:
    sqlite.run(draft)
    test = sqlite.run(send_test, "me@example.com", settings)
    body = kept(sqlite, test).decode().replace("=\r\n", "").replace("=3D", "=")
    token = body.split("/answer/")[1].split()[0].split('"')[0]
    user_id, version_id = links.read_answer_token(settings, token, now=NOW)
    assert (user_id, version_id) == (trial.NOBODY, 2)
    assert sqlite.read(lambda s: [user.id for user in [users.user(s, "ada")]]) == [1]


def test_a_test_mail_may_be_like_that_of_a_user(sqlite: Database, settings: Settings) -> None:
    sqlite.run(draft)
    test = sqlite.run(lambda s: send_test(s, "me@example.com", settings, like=users.user(s, "ada")))
    assert b"Content-Language: de" in kept(sqlite, test)


def test_each_test_mail_is_one_of_its_own_and_passes_ahead_of_campaigns(sqlite: Database, settings: Settings) -> None:
    sqlite.run(draft)
    for _ in range(2):
        sqlite.run(send_test, "me@example.com", settings)
    first, second = sqlite.read(outbox.notices)
    assert first.message_id != second.message_id
    assert first.priority < Purpose.VERSION_PUBLISHED.priority


def test_a_test_mail_names_its_own_notice_in_its_message_id_and_reply_address(
    sqlite: Database, settings: Settings
) -> None:
    sqlite.run(draft)
    taking = settings.model_copy(update={"inbox_address": "assent@in.acme.example"})
    test = sqlite.run(send_test, "me@example.com", taking)
    mail = message_from_bytes(kept(sqlite, test))
    assert mail["Message-ID"] == test.message_id
    assert addresses.notice_of(test.message_id) == test.id
    assert addresses.read(taking, str(mail["Reply-To"])) == (addresses.Post.REPLY, test.id)


def test_a_test_mail_wants_an_address(sqlite: Database, settings: Settings) -> None:
    sqlite.run(draft)
    with pytest.raises(InvalidInput, match="'nope' is not valid"):
        sqlite.run(send_test, "nope", settings)
    assert sqlite.read(outbox.notices) == []
