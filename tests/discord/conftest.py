"""A small company on a simulated Discord, with the real bot in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import discord
import pytest
import pytest_asyncio
import simcord
from simcord.builders import ChannelHandle, GuildHandle

from bots.discord.client import Bot
from lifecycle import requests, users
from lifecycle.db import Database
from lifecycle.models import Notice, Request
from lifecycle.notices import outbox
from lifecycle.settings import Settings
from tests.conftest import NOW

POLL = 0.5


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **period: float) -> None:
        self.now += timedelta(**period)


@dataclass
class World:
    """The guild, its people, the bot's database, and the round of the bot."""

    env: simcord.Env
    bot: Bot
    database: Database
    clock: Clock
    guild: GuildHandle
    general: ChannelHandle
    staff: ChannelHandle
    alice: Any  # simcord's MemberActor, whose answers may all be None
    sam: Any

    async def go_round(self) -> None:
        """The bot does one round: posts, updates, delivers."""
        await self.env.advance_time(POLL)

    async def restart(self, *, before: Callable[[], object] = lambda: None) -> None:
        """The bot's process dies and a new one starts over the same database; Discord stays as it is."""
        old = self.bot
        self.bot = Bot(old.settings, self.database, clock=self.clock)
        before()
        await self.env.restart_bot(self.bot)

    def closed(self) -> ChannelHandle:
        """A channel that nobody sees, not even the bot."""
        nobody: Any = {self.guild.default_role: discord.PermissionOverwrite(view_channel=False)}
        return self.guild.create_text_channel("closed", overwrites=nobody)

    def link(self, name: str = "ada", **facts: str) -> None:
        """Link Alice's Discord account to a user."""
        given = {"discord_id": str(self.alice.id), **facts}
        self.database.run(lambda session: users.upsert(session, name, now=self.clock(), **given))

    async def contact(self, subject: str = "Delete me", details: str = "All of it.", kind: str = "erasure") -> Any:
        """Alice fills in the form, and the bot does a round."""
        shown = await self.alice.slash(self.general, "contact", kind=kind)
        done = await self.alice.submit_modal(shown, {"subject": subject, "details": details})
        await self.go_round()
        return done

    async def answer(self, text: str = "It is done.", number: int = 1) -> Any:
        """Sam answers by the button; the bot sends it in one round and shows it in the next."""
        shown = await self.sam.click(self.card(number), label="Answer")
        done = await self.sam.submit_modal(shown, {"text": text})
        await self.go_round()
        await self.go_round()
        return done

    def cards(self) -> list[discord.Message]:
        return [message for message in self.staff.history() if message.content.startswith("**Request")]

    def card(self, number: int = 1) -> discord.Message:
        return next(message for message in self.cards() if f"Request {number}**" in message.content)

    def dms(self) -> list[str]:
        return [message.content for message in self.alice.user.dm_channel.history()]

    def requests(self) -> list[Request]:
        return self.database.read(requests.requests, open_only=False)

    def notices(self) -> list[Notice]:
        return self.database.read(outbox.notices)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simcord_bot(sqlite: Database, make_settings: Callable[..., Settings], clock: Clock) -> Bot:
    settings = make_settings(discord_token="t", poll_seconds=POLL, public_url="https://acme.example")
    return Bot(settings, sqlite, clock=clock)


@pytest_asyncio.fixture
async def world(simcord_env: simcord.Env, simcord_bot: Bot, sqlite: Database, clock: Clock) -> World:
    guild = simcord_env.create_guild()
    role, see = guild.create_role("Staff"), discord.PermissionOverwrite(view_channel=True)
    hidden: Any = {
        guild.default_role: discord.PermissionOverwrite(view_channel=False),
        role: see,
        simcord_bot.user: see,
    }
    staff = guild.create_text_channel("requests", overwrites=hidden)
    simcord_bot.settings.discord_staff_channel_id = staff.id
    return World(
        simcord_env,
        simcord_bot,
        sqlite,
        clock,
        guild,
        guild.create_text_channel("general"),
        staff,
        guild.add_member(simcord_env.create_user("alice")),
        guild.add_member(simcord_env.create_user("sam"), roles=[role]),
    )
