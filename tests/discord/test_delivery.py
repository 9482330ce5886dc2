"""Notices owed over Discord."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from bots.discord.delivery import MOST, TOO_LONG
from bots.discord.exchange import PAUSES
from bots.discord.text import LIMIT, split
from lifecycle import terminations, users
from lifecycle.db import Database
from lifecycle.models import Attempt, Notice, Termination
from lifecycle.notices import claiming, keeping, outbox
from lifecycle.states import AttemptOutcome, Channel, EngagementKind, Initiator, NoticeStatus, Purpose
from tests.conftest import NOW
from tests.discord.conftest import POLL, World
from tests.discord.test_end_to_end import World as Live
from tests.discord.test_end_to_end import needs_fakecord
from tests.discord.test_end_to_end import world as live  # noqa: F401
from tests.helpers import ZONE, engage, published_terms

LONGEST_BRIDGED = POLL + sum(PAUSES)
RULES = [f"Rule {n} for @everyone: nobody sells what was lent to them, not even in part." for n in range(99)]


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


def kept(database: Database, notice: Notice) -> bytes:
    message = database.read(keeping.message, notice.id)
    assert message is not None
    return message


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
    assert str(body["content"]).encode() == kept(owing.database, sent)
    assert body["allowed_mentions"] == {"parse": []}
    assert body["enforce_nonce"] is True
    assert body["nonce"] == sent.message_id[1:26]
    assert attempts(owing)[0].reply.startswith("Discord message ")


def end(session: Session, /, **facts: Any) -> Termination:
    """The end of Ada's access is decided, and she is owed the word of it."""
    cause = terminations.Cause(Initiator.PROVIDER, "Access was resold.", **facts)
    return terminations.terminate(session, users.user(session, "ada"), cause, notice_days=30, zone=ZONE, now=NOW)


async def test_a_long_termination_notice_arrives_whole_in_several_messages(world: World) -> None:
    def end_for_many_reasons(session) -> None:
        _, version = published_terms(session, text="# Terms\n\n## 1. Use\n\n" + "\n\n".join(RULES) + "\n")
        engage(session, users.user(session, "ada"), version, EngagementKind.ACCEPTED)
        end(session, grounds=[("terms", "1")], facts="\n\n".join(RULES), redress="Write to us.")

    world.link()
    world.database.run(end_for_many_reasons)
    await world.go_round()
    sent, arrived = notice(world), world.dms()
    assert sent.status is NoticeStatus.SENT
    assert arrived == split(kept(world.database, sent).decode())
    assert 5 < len(arrived) <= MOST
    assert max(map(len, arrived)) <= LIMIT
    lines = "\n".join(arrived).split("\n")
    shown = [rule.replace("@", "\\@") for rule in RULES]
    assert [line for line in lines if line in shown] == shown
    assert [line.removeprefix("> ") for line in lines if line.startswith("> ")] == shown
    nonces = [body["nonce"] for body in sends(world)]
    assert len(set(nonces)) == len(nonces) == len(arrived)
    assert nonces[0] == sent.message_id[1:26]
    assert max(map(len, nonces)) <= 25
    assert attempts(world)[0].reply.count(",") == len(arrived) - 1


async def test_what_would_be_a_flood_of_messages_goes_along_as_a_file(world: World) -> None:
    world.link()
    world.database.run(end, facts="\n\n".join(RULES * 4))
    await world.go_round()
    (message,) = world.alice.user.dm_channel.history()
    assert message.content == TOO_LONG
    assert await message.attachments[0].read() == kept(world.database, notice(world))


@needs_fakecord
async def test_a_notice_that_broke_off_is_in_doubt_and_its_repeat_doubles_nothing(live: Live) -> None:  # noqa: F811
    live.link()
    live.database.run(end, facts="\n\n".join(RULES))
    live.discord.fail("create_message", 401, when=lambda call: call.body["nonce"].endswith(".2"))
    await live.begin()
    (doubted,) = await live.notices(NoticeStatus.UNKNOWN, purpose=Purpose.TERMINATION_NOTICE)
    (tried,) = live.database.read(outbox.attempts, doubted)
    assert (tried.outcome, tried.code) == (AttemptOutcome.UNKNOWN, 401)
    assert tried.reply.startswith("2 of 5 messages arrived, then: 401")

    def repeat_now(session) -> None:
        outbox.notice(session, doubted.id).due_at = NOW

    live.database.run(repeat_now)
    (sent,) = await live.notices(NoticeStatus.SENT, purpose=Purpose.TERMINATION_NOTICE)
    assert [message.content for message in live.alice.dm_channel.messages] == split(kept(live.database, sent).decode())
    assert live.pings() == []


@needs_fakecord
async def test_a_notice_that_is_refused_halfway_goes_by_another_way(live: Live) -> None:  # noqa: F811
    live.link()
    live.database.run(end, facts="\n\n".join(RULES))
    live.link(email="ada@example.com")
    live.discord.fail("create_message", 403, 50007, when=lambda call: call.body["nonce"].endswith(".1"))
    await live.begin()
    refused, owed = await live.notices(NoticeStatus.FAILED, NoticeStatus.OWED, purpose=Purpose.TERMINATION_NOTICE)
    assert refused.reason.startswith("1 of 5 messages arrived, then: 403")
    assert owed.channel is Channel.EMAIL


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
        claiming.claim(session, limit=1, settings=owing.bot.settings, channel=Channel.DISCORD, now=NOW)

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
