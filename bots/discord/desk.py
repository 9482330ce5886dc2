"""What staff do with the buttons of a request: answer it, take more time, refuse it, close it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import discord
from discord import ui
from sqlmodel import Session

from bots.discord.exchange import custom_id, filled_in, reply, show_form
from bots.discord.staff import BY
from bots.discord.text import when
from lifecycle import clocks, deadlines, requests
from lifecycle.errors import RuleRefused
from lifecycle.states import Channel

if TYPE_CHECKING:
    from bots.discord.client import Bot

Handler = Callable[["discord.Interaction[Bot]", str], Awaitable[None]]
UNHEARD = " It had no answer, so the person hears nothing of it."


@dataclass(frozen=True, slots=True)
class Form:
    """A form with one field, and the route on which it comes back."""

    route: str
    title: str
    label: str
    hint: str


ANSWER = Form("reply", "Answer request {number}", "Answer", "The person gets these words.")
EXTENSION = Form("extend", "More time for request {number}", "Reason", "The person gets it, with the new date.")
REFUSAL = Form("refusal", "Refuse request {number}", "Reasons", "The person gets them, and where to complain.")


def _require_staff(interaction: "discord.Interaction[Bot]") -> None:
    """Who can press a button in the staff channel can see it; from anywhere else nothing is taken."""
    if interaction.channel_id != interaction.client.settings.discord_staff_channel_id:
        raise RuleRefused("Requests are answered in the staff channel only.")


def opening(form: Form) -> Handler:
    """What the button does that opens this form."""

    async def open_form(interaction: "discord.Interaction[Bot]", number: str) -> None:
        _require_staff(interaction)
        paragraph = discord.TextStyle.paragraph
        text = ui.TextInput[ui.Modal](custom_id="text", style=paragraph, max_length=requests.MAX_TEXT)
        field = ui.Label(text=form.label, description=form.hint, component=text)
        await show_form(interaction, custom_id(form.route, number), field, title=form.title.format(number=number))

    return open_form


async def answer(interaction: "discord.Interaction[Bot]", number: str) -> None:
    bot, text = await _accept(interaction)
    channel = await bot.database.arun(_answer, int(number), text, bot.clock())
    await reply(interaction, f"Your answer to request {number} goes out {BY[channel]}.")


async def extend(interaction: "discord.Interaction[Bot]", number: str) -> None:
    bot, text = await _accept(interaction)
    due = await bot.database.arun(_extend, int(number), text, bot.settings.zone, bot.clock())
    await reply(interaction, f"Request {number} is now due {when(due)}; the person is told so, and why.")


async def refuse(interaction: "discord.Interaction[Bot]", number: str) -> None:
    bot, text = await _accept(interaction)
    await bot.database.arun(_refuse, int(number), text, bot.clock())
    await reply(interaction, f"Request {number} is refused and closed; the person is told why.")


async def close(interaction: "discord.Interaction[Bot]", number: str) -> None:
    bot, _ = await _accept(interaction)
    answered = await bot.database.arun(_close, int(number), bot.clock())
    await reply(interaction, f"Request {number} is closed.{'' if answered else UNHEARD}")


async def _accept(interaction: "discord.Interaction[Bot]") -> "tuple[Bot, str]":
    """Take what staff pressed or wrote."""
    _require_staff(interaction)
    await interaction.response.defer(thinking=True, ephemeral=True)
    return interaction.client, filled_in(interaction).get("text", "")


def _answer(session: Session, number: int, text: str, now: datetime) -> Channel | None:
    return requests.answer(session, requests.request(session, number), text, now=now).channel


def _extend(session: Session, number: int, reason: str, zone: ZoneInfo, now: datetime) -> datetime:
    found = deadlines.extend(session, requests.request(session, number), reason, zone=zone, now=now)
    due = clocks.due(found, zone)
    assert due is not None, "what was extended has a clock"
    return due


def _refuse(session: Session, number: int, reasons: str, now: datetime) -> None:
    requests.refuse(session, requests.request(session, number), reasons, now=now)


def _close(session: Session, number: int, now: datetime) -> bool:
    """Close it; whether it was answered."""
    return requests.close(session, requests.request(session, number), now=now).answered_at is not None
