"""The connection to Discord: commands, one table of buttons and forms, the round that keeps both up."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import discord
import yarl
from discord import app_commands
from discord.asset import Asset
from discord.ext import tasks
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord import contact, delivery, desk, staff
from bots.discord.account import Account
from bots.discord.exchange import FAILURES, explain, log, persistently
from bots.discord.policy import Policy
from bots.discord.words import Translator
from lifecycle.db import Database
from lifecycle.errors import AssentError, ConfigurationError
from lifecycle.settings import Settings

REST_AFTER_FAULT = timedelta(seconds=30)
PATIENCE_SECONDS = 30.0

# Where presses of buttons and submitted forms go, by `custom_id`: "assent:route:argument".
ROUTES: dict[str, Callable[["discord.Interaction[Bot]", str], Awaitable[None]]] = {
    "contact": contact.open_form,
    "request": contact.take,
    "answer": desk.opening(desk.ANSWER),
    "reply": desk.answer,
    "more-time": desk.opening(desk.EXTENSION),
    "extend": desk.extend,
    "refuse": desk.opening(desk.REFUSAL),
    "refusal": desk.refuse,
    "close": desk.close,
}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Tree(app_commands.CommandTree["Bot"]):
    async def on_error(self, interaction: "discord.Interaction[Bot]", error: app_commands.AppCommandError) -> None:
        await explain(interaction, error)


class Bot(discord.Client):
    """The bot over one database. It reads no messages, so it needs no privileged intent."""

    def __init__(self, settings: Settings, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # it never speaks
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            max_ratelimit_timeout=PATIENCE_SECONDS,
        )
        self.settings, self.database, self.clock = settings, database, clock
        self.intake = asyncio.Lock()
        self.tree = Tree(self)
        self.tree.add_command(Policy())
        self.tree.add_command(Account())
        self.tree.add_command(contact.contact)
        self._board = staff.Board(self)
        self._round = tasks.loop(seconds=settings.poll_seconds)(self._go_round)
        self._busy = asyncio.Lock()
        self._rests: dict[str, datetime] = {}
        self._seen: deque[int] = deque(maxlen=1000)

    async def setup_hook(self) -> None:
        await self.tree.set_translator(Translator())
        await persistently(self.tree.sync)
        self._round.start()

    async def on_ready(self) -> None:
        log.info("Connected to Discord as %s.", self.user)
        self._board.channel()  # says in the log what is wrong with it

    async def on_interaction(self, interaction: "discord.Interaction[Bot]") -> None:
        """Route a button or a form; Discord may deliver one twice, after a lost connection."""
        prefix, _, rest = str(dict(interaction.data or {}).get("custom_id", "")).partition(":")
        route, _, argument = rest.partition(":")
        if prefix != "assent" or interaction.id in self._seen:
            return
        self._seen.append(interaction.id)
        try:
            await ROUTES[route](interaction, argument)
        except Exception as error:
            await explain(interaction, error)

    async def _go_round(self) -> None:
        if self.is_ready():
            async with self._busy:
                await self._unless_resting("posting requests", self._board.post)
                await self._unless_resting("updating requests", self._board.refresh)
                await self._unless_resting("delivering notices", lambda: delivery.deliver(self))

    async def _unless_resting(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do a part of the round; after a fault it rests a while, and the other parts go on."""
        if self._rests.get(name, self.clock()) > self.clock():
            return
        try:
            await work()
        except Exception as error:
            expected = isinstance(error, (AssentError, *FAILURES))
            log.error("Fault while %s: %s", name, error, exc_info=not expected)
            self._rests[name] = self.clock() + REST_AFTER_FAULT

    async def close(self) -> None:
        """Let a message under way end, then disconnect."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._busy:
                self._round.cancel()
        except TimeoutError:
            log.warning("A hand-over did not end in time; it stays in doubt.")
            self._round.cancel()
        await super().close()


def point_at(url: str) -> None:
    """Let discord.py talk to another server than Discord's own, by ASSENT_DISCORD_API_URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigurationError(f"ASSENT_DISCORD_API_URL must be like 'http://127.0.0.1:9000' (found {url!r}).")
    root = yarl.URL(url.rstrip("/"))
    Route.BASE = f"{root}/api/v10"
    Asset.BASE = f"{root}/files"
    DiscordWebSocket.DEFAULT_GATEWAY = root.with_scheme("wss" if parts.scheme == "https" else "ws") / "gateway" / ""


async def serve(settings: Settings, database: Database) -> None:
    """Run the bot until it is cancelled. Raises ConfigurationError when Discord cannot be used."""
    if settings.discord_api_url:
        point_at(settings.discord_api_url)
    async with Bot(settings, database) as bot:
        try:
            await bot.start(settings.discord_token)
        except discord.LoginFailure:
            raise ConfigurationError(
                "Discord refuses the token in ASSENT_DISCORD_TOKEN. Copy it again from the developer portal."
            ) from None
        except FAILURES as error:
            why = str(error) or type(error).__name__
            raise ConfigurationError(f"Discord cannot be used at {Route.BASE}: {why}.") from error
