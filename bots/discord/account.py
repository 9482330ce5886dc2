"""`/account logging`: a person's own choice about prompt logging."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from sqlmodel import Session

from bots.discord.exchange import reply
from bots.discord.text import plain
from bots.discord.words import EN, say
from lifecycle import choices, users

if TYPE_CHECKING:
    from bots.discord.client import Bot


class Account(app_commands.Group, name="account", description=EN["account"]):
    @app_commands.command(description=EN["logging"])
    @app_commands.describe(setting=EN["logging.setting"])
    async def logging(self, interaction: "discord.Interaction[Bot]", setting: Literal["on", "off"]) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        bot, locale = interaction.client, interaction.locale.value
        known = await bot.database.arun(_choose, str(interaction.user.id), setting == "on", bot.clock())
        said = f"logging.{setting}" if known else "not_linked"
        await reply(interaction, say(locale, said, operator=plain(bot.settings.operator)))


def _choose(session: Session, discord_id: str, value: bool, now: datetime) -> bool:
    """Record the choice of a linked user; whether there is one."""
    user = users.by_discord(session, discord_id)
    if user is not None:
        choices.choose(session, user, choices.PROMPT_LOGGING, value, source="discord", now=now)
    return user is not None
