"""Talking over Discord: answers always come, forms outlive a restart, calls are repeated safely."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import discord
from discord import app_commands, ui

from bots.discord.text import LIMIT, plain, shortened
from bots.discord.words import say
from lifecycle.errors import AssentError

log = logging.getLogger("assent.discord")

T = TypeVar("T")
Interaction = discord.Interaction[Any]

CANNOT_REACH = (aiohttp.ClientError, OSError)
FAILURES = (discord.DiscordException, *CANNOT_REACH)
PAUSES = (0.5, 1.5)


async def reply(interaction: Interaction, content: str, **more: Any) -> None:
    """Answer privately; after a deferral the answer keeps the deferral's own visibility."""
    if interaction.response.is_done():
        await interaction.followup.send(content, ephemeral=True, suppress_embeds=True, **more)
    else:
        await interaction.response.send_message(content, ephemeral=True, suppress_embeds=True, **more)


async def explain(interaction: Interaction, error: BaseException) -> None:
    """Tell the person in one sentence what went wrong; what they did not cause goes to the log instead."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, AssentError) and error.status < 500:
        said = shortened(plain(error.said), LIMIT)
    else:
        log.error("An interaction failed", exc_info=error)
        said = say(interaction.locale.value, "our_fault")
    try:
        await reply(interaction, said)
    except FAILURES as lost:
        log.warning("The person could not be told: %s", lost)


async def persistently(call: Callable[[], Awaitable[T]]) -> T:
    """Call, and again after a cut connection or a 503, which discord.py does not repeat itself.

    Only for calls that may be repeated: reading, editing, and sending under a fixed nonce.
    """
    for pause in PAUSES:
        try:
            return await call()
        except CANNOT_REACH:
            pass
        except discord.HTTPException as error:
            if error.status != 503:
                raise
        await asyncio.sleep(pause)
    return await call()


# -- buttons and forms -----------------------------------------------------------------------------------
#
# discord.py forgets its views and modals when it restarts. Ours are stopped before they are sent, so it never
# keeps them, and every press and every form comes back through one table of routes, by `custom_id`.


def custom_id(route: str, argument: str | int) -> str:
    return f"assent:{route}:{argument}"


def buttons(*those: ui.Button[ui.View]) -> ui.View:
    """Buttons that work for as long as their message stands."""
    view = ui.View(timeout=None)
    for button in those:
        view.add_item(button)
    view.stop()
    return view


async def show_form(interaction: Interaction, route: str, *fields: ui.Label[ui.Modal], title: str) -> None:
    """Open a form; what is filled in comes back on `route`."""
    form = ui.Modal(title=title, custom_id=route)
    for field in fields:
        form.add_item(field)
    form.stop()
    await interaction.response.send_modal(form)


def filled_in(interaction: Interaction) -> dict[str, str]:
    """What a submitted form holds, by the `custom_id` of its fields."""
    rows: list[dict[str, Any]] = dict(interaction.data or {}).get("components", [])  # type: ignore[assignment]
    fields = [row.get("component") or row["components"][0] for row in rows]
    return {field["custom_id"]: field.get("value") or "" for field in fields}
