"""`/contact`: a form for staff, a number for the person. The staff channel learns of it from `staff`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import discord
from discord import app_commands, ui
from sqlmodel import Session, select

from bots.discord.exchange import custom_id, filled_in, reply, show_form
from bots.discord.text import when
from bots.discord.words import EN, say
from lifecycle import clocks, requests, users
from lifecycle.models import Request
from lifecycle.requests import MAX_TEXT
from lifecycle.settings import Settings
from lifecycle.states import RequestKind, parse_choice

if TYPE_CHECKING:
    from bots.discord.client import Bot

# The same words from the same person within this time are one request.
REPEATED = timedelta(minutes=1)
MAX_SUBJECT = 200


@app_commands.command(description=EN["contact"])
@app_commands.describe(kind=EN["contact.kind"])
@app_commands.choices(
    kind=[app_commands.Choice(name=EN[f"kind.{kind.value}"], value=kind.value) for kind in RequestKind]
)
async def contact(interaction: "discord.Interaction[Bot]", kind: str) -> None:
    await open_form(interaction, kind)


async def open_form(interaction: "discord.Interaction[Bot]", kind: str) -> None:
    """Show the form for a kind of request."""
    tell = partial(say, interaction.locale.value)
    title = tell(f"kind.{parse_choice(RequestKind, kind, what='Kind of request').value}")
    subject = ui.TextInput[ui.Modal](custom_id="subject", placeholder=tell("form.subject.hint"), max_length=MAX_SUBJECT)
    details = ui.TextInput[ui.Modal](
        custom_id="details",
        style=discord.TextStyle.paragraph,
        placeholder=tell("form.details.hint"),
        max_length=MAX_TEXT,
        required=False,
    )
    await show_form(
        interaction,
        custom_id("request", kind),
        ui.Label(text=tell("form.subject"), component=subject),
        ui.Label(text=tell("form.details"), component=details),
        title=title,
    )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a person is told about a request just taken down."""

    number: int
    has_email: bool
    joined: bool
    proof_mailed: bool
    whose: bool
    due: datetime | None

    def lines(self, locale: str) -> list[str]:
        tell = partial(say, locale)
        closed = tell("receipt.email" if self.has_email else "receipt.no_email")
        lines = [tell("receipt.again" if self.joined else "receipt", number=self.number, closed=closed)]
        if self.due:
            lines.append(tell("receipt.due", due=when(self.due)))
        if self.proof_mailed:
            lines.append(tell("receipt.proof"))
        return [*lines, tell("receipt.whose")] if self.whose else lines


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
            bot.settings,
            bot.clock(),
        )
    await reply(interaction, "\n".join(receipt.lines(interaction.locale.value)))


def _take(
    session: Session,
    discord_id: str,
    kind: RequestKind,
    subject: str,
    details: str,
    settings: Settings,
    now: datetime,
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
        regime=settings.request_regime,
        now=now,
    )
    first, has_email = requests.head(session, request), bool(user and user.email)
    provable = kind in requests.PROVEN and has_email and first.verified_at is None
    return Receipt(
        first.id,
        has_email,
        joined=first is not request,
        proof_mailed=provable,
        whose=user is None and kind in requests.PROVEN,
        due=clocks.due(first, settings.zone),
    )
