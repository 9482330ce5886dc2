"""The product as its users start it, `python -m bots`, against a Discord on loopback: nothing of it is replaced."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bots.__main__ import OFF
from lifecycle import requests, users
from lifecycle.db import Database
from lifecycle.models import Notice
from lifecycle.notices import outbox
from lifecycle.states import Channel, NoticeStatus, Purpose, RequestKind
from tests.conftest import NOW, SHARED
from tests.helpers import published_terms

FAKECORD = SHARED / "fakecord"
ROOT = Path(__file__).parents[2]
TERMS = "# Terms\n\n## 1. Accounts\n\nYou must be at least 16 years old to open an account, @everyone.\n"

needs_fakecord = pytest.mark.skipif(not FAKECORD.is_dir(), reason="../shared/fakecord is not here")


def start(**settings: str) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        **{f"ASSENT_{name.upper()}": value for name, value in settings.items()},
    }
    return subprocess.Popen([sys.executable, "-m", "bots"], env=env, stderr=subprocess.PIPE, text=True)


def test_without_a_token_the_bot_says_that_it_is_off():
    bot = start()
    assert bot.communicate(timeout=30)[1] == OFF + "\n"
    assert bot.returncode == 1


def test_a_server_address_that_is_none_is_refused_by_name(tmp_path):
    bot = start(discord_token="t", discord_api_url="localhost", data_dir=str(tmp_path / "data"))
    said = bot.communicate(timeout=30)[1]
    assert said == "ASSENT_DISCORD_API_URL must be like 'http://127.0.0.1:9000' (found 'localhost').\n"
    assert bot.returncode == 1


def test_a_server_that_does_not_answer_is_one_clear_line(tmp_path):
    bot = start(discord_token="t", discord_api_url="http://127.0.0.1:1", data_dir=str(tmp_path / "data"))
    assert bot.communicate(timeout=60)[1].splitlines()[-1].startswith("Discord cannot be used at http://127.0.0.1:1/")
    assert bot.returncode == 1


@dataclass
class World:
    """A guild on the local Discord, the bot's database, and the bot's process."""

    discord: Any
    guild: Any
    general: Any
    staff: Any
    alice: Any
    sam: Any
    database: Database
    processes: list[subprocess.Popen[str]]

    def start(self, **overrides: str) -> subprocess.Popen[str]:
        usual = {
            "discord_token": self.discord.token,
            "discord_api_url": self.discord.url,
            "discord_staff_channel_id": str(self.staff.id),
            "database_url": self.database.url,
            "public_url": "https://acme.example",
            "operator": "Acme",
            "poll_seconds": "0.1",
        }
        self.processes.append(start(**{**usual, **overrides}))
        return self.processes[-1]

    async def begin(self) -> subprocess.Popen[str]:
        """Start the bot and wait until it is connected."""
        bot = self.start()
        await self.discord.ready(timeout=30)
        return bot

    def link(self, **facts: str) -> None:
        given = {"discord_id": str(self.alice.id), **facts}
        self.database.run(lambda session: users.upsert(session, "ada", now=NOW, **given))

    async def ask_staff(self, subject: str = "Delete me") -> Any:
        """Alice writes to staff; the message about it in the staff channel."""
        shown = await self.alice.slash("contact", kind="erasure")
        done = await self.alice.submit_modal(shown, subject=subject, details="All, @everyone <@&1>")
        assert done.ephemeral
        return await self.staff.next(subject)

    async def answer(self, card: Any, text: str) -> None:
        shown = await self.sam.click(card, "Answer")
        done = await self.sam.submit_modal(shown, text=text)
        assert done.ephemeral

    async def notices(self, *statuses: NoticeStatus, purpose: Purpose = Purpose.REQUEST_ANSWERED) -> list[Notice]:
        """The notices of this purpose, once they stand in these statuses."""

        def found() -> list[Notice]:
            return self.database.read(outbox.notices, purpose=purpose)

        await self.discord.until(
            lambda: [notice.status for notice in found()] == [*statuses], f"notices to be {statuses}"
        )
        return found()

    def pings(self) -> list[str]:
        rooms = (self.general, self.staff, self.alice.dm_channel)
        return [ping for room in rooms for message in room.messages for ping in message.pings]


@pytest_asyncio.fixture
async def world(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.syspath_prepend(str(FAKECORD))
    from fakecord import FakeDiscord  # type: ignore[import-not-found, unused-ignore]

    sqlite.run(published_terms, text=TERMS)
    async with FakeDiscord(timeout=15) as discord:  # leaving raises if a call was one that Discord would refuse
        guild = discord.new_guild("Acme")
        role = guild.role("Staff")
        found = World(
            discord,
            guild,
            guild.channel("general"),
            guild.channel("requests", only=[role]),
            guild.user("alice"),
            guild.user("sam", roles=[role]),
            sqlite,
            [],
        )
        yield found
        for process in found.processes:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()


@needs_fakecord
async def test_a_question_is_answered_in_the_policys_words_or_left_to_a_person(world: World) -> None:
    await world.begin()
    told = await world.alice.slash("policy ask", question="How old must I be to open an account?", document="terms")
    assert "> You must be at least 16 years old to open an account, \\@everyone." in told.text
    assert "— **Terms**, version 1, section 1 Accounts: <https://acme.example/terms/1?locale=en#accounts>" in told.text
    silent = await world.alice.slash("policy ask", question="What is the capital of France?")
    assert silent.text == "The policy doesn't say."
    shown = await world.alice.click(silent.message, "Ask a person")
    assert shown.modal["title"] == "Ask a question"
    assert await world.alice.autocomplete("policy ask", "document", "term", question="x")
    assert world.pings() == []


@needs_fakecord
async def test_status_is_for_the_asker_alone(world: World) -> None:
    world.link()
    await world.begin()
    status = await world.alice.slash("policy status")
    assert status.ephemeral
    assert "**Terms**\n- No version of it binds you." in status.text
    logging = await world.alice.slash("account logging", setting="off")
    assert logging.ephemeral
    assert "Prompt logging is off" in logging.text


@needs_fakecord
async def test_a_request_goes_to_staff_and_their_answer_comes_back(world: World) -> None:
    await world.begin()
    card = await world.ask_staff()
    assert not world.alice.sees(card)
    await world.answer(card, "It is all deleted.")
    assert "It is all deleted." in (await world.alice.next_dm()).content
    await world.notices(NoticeStatus.SENT)
    await world.discord.until(lambda: "delivered as a direct message" in card.content, "the message to be updated")
    await world.sam.click(card, "Close")
    await world.discord.until(lambda: not card.components, "the buttons to be gone")
    assert world.pings() == []
    assert len(world.staff.messages) == 1


@needs_fakecord
async def test_three_quick_submissions_open_one_request(world: World) -> None:
    await world.begin()
    shown = [await world.alice.slash("contact", kind="question") for _ in range(3)]
    for form in shown:
        await world.alice.submit_modal(form, subject="Same", details="words", wait=False)
    await world.staff.next("Same")
    await world.discord.gateway.redeliver(3)
    await world.discord.settle(0.5)
    assert len(world.database.read(requests.requests)) == len(world.staff.messages) == 1


@needs_fakecord
async def test_closed_direct_messages_leave_an_e_mail_owed(world: World) -> None:
    world.link(email="ada@example.com")
    world.alice.close_dms()
    await world.begin()
    card = await world.ask_staff()
    await world.answer(card, "It is all deleted.")
    refused, owed = await world.notices(NoticeStatus.FAILED, NoticeStatus.OWED)
    assert "50007" in refused.reason
    assert owed.channel is Channel.EMAIL
    await world.discord.until(lambda: "on its way by e-mail" in card.content, "the message to be updated")


@needs_fakecord
async def test_an_answer_that_reaches_nobody_is_told_to_staff(world: World) -> None:
    await world.begin()
    card = await world.ask_staff()
    world.guild.remove(world.alice)
    await world.answer(card, "Where are you?")
    assert (await world.staff.next("could not be delivered")).pings == []
    await world.discord.until(lambda: "50278" in card.content, "the reason on the message")


@needs_fakecord
async def test_a_killed_bot_comes_back_to_its_old_buttons_and_forms(world: World) -> None:
    first = await world.begin()
    card = await world.ask_staff()
    form = await world.sam.click(card, "Answer")
    first.kill()
    await world.discord.until(lambda: not world.discord.gateway.ready, "the bot to be gone")
    world.database.run(requests.open_request, RequestKind.SUPPORT, subject="Came in meanwhile", source="web", now=NOW)
    await world.begin()
    await world.sam.submit_modal(form, text="Begun before the crash.")
    await world.alice.next_dm("Begun before the crash.")
    await world.answer(card, "Pressed after it.")
    await world.alice.next_dm("Pressed after it.")
    await world.staff.next("Came in meanwhile")
    assert len(world.staff.messages) == 2


@needs_fakecord
@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 0.1}])
async def test_a_cut_connection_or_a_busy_discord_costs_no_message_and_doubles_none(world: World, fault: Any) -> None:
    await world.begin()
    world.discord.fail("create_message", **fault)
    card = await world.ask_staff()
    world.discord.fail("create_message", **fault)
    await world.answer(card, "Once.")
    await world.alice.next_dm("Once.")
    (sent,) = await world.notices(NoticeStatus.SENT)
    assert sent.attempts == 1
    await world.discord.settle(0.5)
    assert (len(world.alice.dm_channel.messages), len(world.staff.messages)) == (1, 1)


@needs_fakecord
async def test_a_stopped_bot_leaves_quietly(world: World) -> None:
    bot = await world.begin()
    bot.terminate()
    assert "Traceback" not in bot.communicate(timeout=30)[1]
    assert bot.returncode == 0


@needs_fakecord
async def test_a_refused_token_is_one_clear_line(world: World) -> None:
    bot = world.start(discord_token="wrong")
    await world.discord.until(lambda: bot.poll() is not None, "the bot to give up")
    said = bot.communicate()[1].splitlines()[-1]
    assert said == "Discord refuses the token in ASSENT_DISCORD_TOKEN. Copy it again from the developer portal."
    assert bot.returncode == 1


def test_bots_write_no_address_of_their_own():
    """Only discord.py itself knows Discord's address; the setting replaces it whole."""
    sources = [path.read_text() for path in (ROOT / "bots").rglob("*.py")]
    assert not any("discord.com" in source for source in sources)
