"""`/contact`: a form for staff, a number for the person. The staff channel learns of it from `staff`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import discord
from discord import app_commands, ui
from sqlmodel import Session, select

from bots.discord.exchange import custom_id, filled_in, reply, show_form
from lifecycle import requests, users
from lifecycle.models import Request
from lifecycle.requests import MAX_TEXT
from lifecycle.states import RequestKind, parse_choice

if TYPE_CHECKING:
    from bots.discord.client import Bot

# The same words from the same person within this time are one request.
REPEATED = timedelta(minutes=1)
MAX_SUBJECT = 200

KINDS = {
    RequestKind.QUESTION: "Ask a question",
    RequestKind.SUPPORT: "Get support",
    RequestKind.ACCESS: "Get a copy of my data",
    RequestKind.ERASURE: "Have my data deleted",
    RequestKind.OPT_OUT: "Opt out of a use of my data",
    RequestKind.OBJECTION: "Object to a change or a use",
    RequestKind.APPEAL: "Appeal a decision",
    RequestKind.UNDERAGE: "Report a child's account",
}


@app_commands.command(description="Write to staff; only they and you see it")
@app_commands.describe(kind="What it is about")
@app_commands.choices(kind=[app_commands.Choice(name=name, value=kind.value) for kind, name in KINDS.items()])
async def contact(interaction: "discord.Interaction[Bot]", kind: str) -> None:
    await open_form(interaction, kind)


async def open_form(interaction: "discord.Interaction[Bot]", kind: str) -> None:
    """Show the form for a kind of request."""
    label = KINDS[parse_choice(RequestKind, kind, what="Kind of request")]
    subject = ui.TextInput[ui.Modal](custom_id="subject", max_length=MAX_SUBJECT)
    details = ui.TextInput[ui.Modal](
        custom_id="details", style=discord.TextStyle.paragraph, max_length=MAX_TEXT, required=False
    )
    await show_form(
        interaction,
        custom_id("request", kind),
        ui.Label(text="Subject", component=subject),
        ui.Label(text="Details", component=details),
        title=label,
    )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a person is told about a request just taken down."""

    number: int
    has_email: bool
    joined: bool
    proof_mailed: bool


async def take(interaction: "discord.Interaction[Bot]", kind: str) -> None:
    """Take down what the form says, once, and give the person its number."""
    await interaction.response.defer(thinking=True, ephemeral=True)
    bot, form = interaction.client, filled_in(interaction)
    async with bot.intake:
        receipt = await bot.database.arun(
            _take,
            str(interaction.user.id),
            parse_choice(RequestKind, kind, what="Kind of request"),
            form["subject"],
            form["details"],
            bot.settings.request_regime,
            bot.clock(),
        )
    closed = "or by e-mail if yours are closed" if receipt.has_email else "so keep yours open"
    known = "You have asked for that already: your request has" if receipt.joined else "Your request has"
    lines = [f"{known} the number **{receipt.number}**. Staff answer by direct message, {closed} to this server."]
    if receipt.proof_mailed:
        lines.append("You get an e-mail with a link: open it to prove that it is you. Before that, nothing is touched.")
    await reply(interaction, "\n".join(lines))


def _take(
    session: Session, discord_id: str, kind: RequestKind, subject: str, details: str, regime: str, now: datetime
) -> Receipt:
    user = users.by_discord(session, discord_id)
    same = session.exec(
        select(Request)
        .where(Request.discord_id == discord_id, Request.kind == kind, Request.opened_at > now - REPEATED)
        .where(Request.subject == subject.strip(), Request.details == details.strip())
    ).first()
    request = same or requests.open_request(
        session,
        kind,
        subject=subject,
        details=details,
        user=user,
        discord_id=discord_id,
        source="discord",
        regime=regime,
        now=now,
    )
    first, has_email = requests.head(session, request), bool(user and user.email)
    provable = kind in requests.PROVEN and has_email and first.verified_at is None
    return Receipt(first.id, has_email, joined=first is not request, proof_mailed=provable)
