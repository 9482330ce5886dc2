"""Notices owed over Discord."""

from datetime import timedelta
from typing import Any

import pytest

from bots.discord.exchange import PAUSES
from lifecycle import users
from lifecycle.documents import store
from lifecycle.models import Attempt, Notice
from lifecycle.notices import delivery, outbox
from lifecycle.states import Channel, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.discord.conftest import POLL, World
from tests.helpers import published_terms

LONGEST_BRIDGED = POLL + sum(PAUSES)


@pytest.fixture
def owing(world: World) -> World:
    """Alice, known by her Discord account alone, is owed the word of a new version."""
    world.link()

    def owe(session) -> None:
        _, version = published_terms(session)
        outbox.owe(
            session,
            Purpose.VERSION_PUBLISHED,
            "version:1",
            user=users.user(session, "ada"),
            now=NOW,
            version_id=version.id,
        )

    world.database.run(owe)
    return world


def notice(world: World) -> Notice:
    (found,) = world.notices()
    return found


def attempts(world: World) -> list[Attempt]:
    return world.database.read(outbox.attempts, notice(world))


def sends(world: World) -> list[Any]:
    path = f"/channels/{world.alice.user.dm_channel.id}/messages"
    return [entry.json for entry in world.env.http_requests if entry.method == "POST" and entry.path == path]


async def test_a_notice_is_sent_once_byte_for_byte_and_proves_that_the_user_was_told(owing: World) -> None:
    for _ in range(3):
        await owing.go_round()
    (body,) = sends(owing)
    sent = notice(owing)
    assert (sent.status, sent.channel) == (NoticeStatus.SENT, Channel.DISCORD)
    assert str(body["content"]).encode() == sent.message
    assert body["allowed_mentions"] == {"parse": []}
    assert body["enforce_nonce"] is True
    assert body["nonce"] == sent.message_id[1:26]
    assert attempts(owing)[0].reply.startswith("Discord message ")


async def test_a_message_too_long_for_discord_goes_along_as_a_file(owing: World) -> None:
    def lengthen(session) -> None:
        version = store.version(session, store.document(session, "terms"), 1)
        version.changelog = "\n".join(f"Change {n} in many words that make the message long." for n in range(60))
        session.add(version)

    with owing.database.engine.begin() as connection:  # the changelog of a published version is frozen
        for name in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='trigger'").scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    owing.database.run(lengthen)
    await owing.go_round()
    (message,) = owing.alice.user.dm_channel.history()
    assert message.content == "This message is longer than Discord shows; it is in the file."
    assert await message.attachments[0].read() == notice(owing).message


@pytest.mark.parametrize("code", [50007, 50278, 10013])
async def test_a_refusal_is_final(owing: World, code: int) -> None:
    path = f"/channels/{owing.alice.user.dm_channel.id}/messages"
    owing.env.inject_error("POST", path, status=403, code=code, message="no", times=None)
    for _ in range(3):
        await owing.go_round()
        owing.clock.advance(hours=1)
    assert notice(owing).status is NoticeStatus.FAILED
    assert [(attempt.code, attempt.reply) for attempt in attempts(owing)] == [
        (code, f"403 Forbidden (error code: {code}): no")
    ]


@pytest.mark.parametrize("status", [429, 503, 401])
async def test_what_is_no_refusal_is_tried_again_later_under_the_same_nonce(owing: World, status: int) -> None:
    path = f"/channels/{owing.alice.user.dm_channel.id}/messages"
    owing.env.inject_error("POST", path, status=status, times=3 if status == 503 else 1)
    await owing.env.advance_time(LONGEST_BRIDGED)
    assert notice(owing).status is NoticeStatus.DEFERRED
    owing.clock.advance(minutes=2)
    await owing.go_round()
    assert notice(owing).status is NoticeStatus.SENT
    assert len({body["nonce"] for body in sends(owing)}) == 1
    assert len(owing.dms()) == 1


async def test_a_503_is_bridged_without_a_second_attempt(owing: World) -> None:
    owing.env.inject_error("POST", f"/channels/{owing.alice.user.dm_channel.id}/messages", status=503)
    await owing.env.advance_time(LONGEST_BRIDGED)
    assert (notice(owing).status, notice(owing).attempts) == (NoticeStatus.SENT, 1)


async def test_a_user_who_cannot_be_written_to_at_all_is_a_refusal_too(owing: World) -> None:
    owing.env.inject_error("POST", "/users/@me/channels", status=400, code=50033, message="Invalid Recipient(s)")
    await owing.go_round()
    assert notice(owing).status is NoticeStatus.FAILED
    assert sends(owing) == []


async def test_a_user_unlinked_meanwhile_is_not_written_to(owing: World) -> None:
    def unlink(session) -> None:
        users.user(session, "ada").discord_id = None

    owing.database.run(unlink)
    await owing.go_round()
    assert (notice(owing).status, notice(owing).reason) == (NoticeStatus.FAILED, "no Discord account is linked")


async def test_what_a_dead_process_was_sending_is_repeated_once_under_the_same_nonce(owing: World) -> None:
    def claim_and_die(session) -> None:
        delivery.claim(session, limit=1, settings=owing.bot.settings, channel=Channel.DISCORD, now=NOW)

    owing.database.run(claim_and_die)
    await owing.go_round()
    assert notice(owing).status is NoticeStatus.SENDING
    owing.clock.advance(seconds=owing.bot.settings.lease_seconds)
    await owing.go_round()
    assert (notice(owing).status, notice(owing).doubts) == (NoticeStatus.SENT, 1)
    assert len(owing.dms()) == 1


async def test_a_notice_waits_for_its_instant(owing: World) -> None:
    def postpone(session) -> None:
        (found,) = outbox.notices(session)
        found.due_at = NOW + timedelta(hours=1)

    owing.database.run(postpone)
    await owing.go_round()
    assert owing.dms() == []
    owing.clock.advance(hours=1)
    await owing.go_round()
    assert len(owing.dms()) == 1
