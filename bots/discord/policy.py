"""`/policy ask` and `/policy status`: what the policies say in their own words, and which bind the asker."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import discord
from discord import app_commands, ui
from sqlmodel import Session

from bots.discord.exchange import buttons, custom_id
from bots.discord.text import LIMIT, fit, plain, quoted, shortened, when
from lifecycle import choices, engagements, users
from lifecycle.answers.answering import MAX_QUESTION, Answer, Quote
from lifecycle.answers.asking import ask
from lifecycle.documents import store
from lifecycle.models import Document
from lifecycle.settings import Settings
from lifecycle.standing import DocumentStanding, Ending, standing
from lifecycle.states import EngagementKind, RequestKind

if TYPE_CHECKING:
    from bots.discord.client import Bot

LEFT_OUT = "*More passages fit the question; the links lead to them.*"
KEPT = "Kept, without your name, only if nothing answers it and you have prompt logging on"
CUT = " … *(cut; the whole passage stands behind the link)*"
NOT_LINKED = "This Discord account is not linked to an account at {operator}. `/contact` asks staff to link it."

# How a version came to bind, said as it happened: acceptance is not consent, and neither is silence.
HOW = {
    EngagementKind.ACCEPTED: "you accepted it",
    EngagementKind.DEEMED_BY_USE: "you were told of it and went on using the service",
    EngagementKind.DEEMED_BY_SILENCE: "you were told of it and did not object in time",
    EngagementKind.NOTIFIED: "you were told of it",
    EngagementKind.ACKNOWLEDGED: "you acknowledged it",
    EngagementKind.IMPORTED: "taken over from the records of an earlier system",
}


def ask_a_person(route: str = "") -> ui.View:
    """A button that opens the form for staff, for a request of the kind that the question asks for."""
    kind = RequestKind(route) if route in set(RequestKind) else RequestKind.QUESTION
    route = custom_id("contact", kind.value)
    return buttons(ui.Button[ui.View](label="Ask a person", custom_id=route))


Offer = app_commands.Choice[str]


class Policy(app_commands.Group, name="policy", description="The policies, in their own words"):
    @app_commands.command(description="Ask what the policies say; the answer is quoted from them")
    @app_commands.describe(
        question="Kept without your name only if nothing answers it and prompt logging is on",
        document="Look into this document only",
    )
    async def ask(
        self,
        interaction: "discord.Interaction[Bot]",
        question: app_commands.Range[str, 1, MAX_QUESTION],
        document: str | None = None,
    ) -> None:
        await interaction.response.defer(thinking=True)
        bot, asked = interaction.client, [document] if document else []
        found = await asyncio.to_thread(
            ask,
            bot.database,
            question,
            settings=bot.settings,
            documents=asked,
            locale=interaction.locale.value,
            discord_id=str(interaction.user.id),
            now=bot.clock(),
        )
        view = discord.utils.MISSING if found.answered else ask_a_person(found.route)
        await interaction.followup.send(answer_text(found), view=view, suppress_embeds=True)

    @ask.autocomplete("document")
    async def documents(self, interaction: "discord.Interaction[Bot]", typed: str) -> "list[Offer]":
        bot = interaction.client
        known = await bot.database.aread(_in_force, bot.clock())
        names = {document.slug: f"{document.title} ({document.slug})"[:100] for document in known}
        fitting = [(name, slug) for slug, name in names.items() if typed.casefold() in name.casefold()]
        return [Offer(name=name, value=slug) for name, slug in fitting[:25]]

    @app_commands.command(description="Which versions bind you, and what is asked of you (only you see this)")
    async def status(self, interaction: "discord.Interaction[Bot]") -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        bot = interaction.client
        lines = await bot.database.aread(_status, str(interaction.user.id), bot.settings, bot.clock())
        content, files = fit("\n".join(lines), whole="\n".join(lines), name="status.txt")
        await interaction.followup.send(content, files=files, ephemeral=True, suppress_embeds=True)


def _in_force(session: Session, now: datetime) -> list[Document]:
    return [document for document in store.documents(session) if store.in_force(session, document, at=now)]


# -- the answer ------------------------------------------------------------------------------------------


def answer_text(found: Answer) -> str:
    """The quotes by section, each with its source, in one message; a quote that is cut says so."""
    quotes = found.quotes or found.closest
    before = [line for line in (plain(found.lead_in), plain(found.reason), _standing_hint(found)) if line]
    after = [f"-# {plain(note)}" for note in found.notes]
    for kept in range(len(quotes), -1, -1):
        shown = [_by_section(quotes[:kept])] if kept else []
        left_out = ["", LEFT_OUT] if kept < len(quotes) else []
        text = "\n".join([*before, *shown, *left_out, *after])
        if len(text) <= LIMIT and (kept or not quotes):
            return text
    best = quotes[0]
    source = CUT + "\n" + _source(best)
    return shortened(quoted(best.text), LIMIT - len(source)) + source


def _standing_hint(found: Answer) -> str:
    return "`/policy status` shows what binds you and whether your access ends." if found.route == "standing" else ""


def _by_section(quotes: Sequence[Quote]) -> str:
    sections: dict[str, list[Quote]] = {}
    for quote in quotes:
        sections.setdefault(quote.url, []).append(quote)
    blocks = ([*(quoted(quote.text) for quote in those), _source(those[0])] for those in sections.values())
    return "\n\n".join(map("\n".join, blocks))


def _source(quote: Quote) -> str:
    section = " ".join(filter(None, (quote.number, quote.title))) or "the beginning"
    return f"— **{plain(quote.document)}**, version {quote.version}, section {plain(section)}: <{quote.url}>"


# -- the standing ----------------------------------------------------------------------------------------


def _status(session: Session, discord_id: str, settings: Settings, now: datetime) -> list[str]:
    user = users.by_discord(session, discord_id)
    if user is None:
        return [NOT_LINKED.format(operator=plain(settings.operator))]
    found = standing(session, user, zone=settings.zone, now=now)
    bound = {b.version.document_id: b for b in engagements.bound_versions(session, user, at=now)}
    lines = [_ending_line(found.termination)] if found.termination else []
    for document, item in zip(store.documents(session), found.documents, strict=True):
        lines.append(f"**{plain(document.title)}**")
        lines.append(_bound_line(bound.get(document.id)))
        lines += _due_lines(item)
        lines += _upcoming_lines(session, document, now)
    logging = "on" if choices.chosen(session, user, choices.PROMPT_LOGGING) else "off"
    return [*lines, f"Prompt logging is {logging}; `/account logging` changes that."]


def _bound_line(bound: engagements.Bound | None) -> str:
    if bound is None:
        return "- No version of it binds you."
    carried = bound.proof.version_id != bound.version.id
    how = HOW[bound.proof.kind] + ("; only wording was corrected since" if carried else "")
    return f"- Version {bound.version.number} binds you since {when(bound.since)}: {how}."


def _due_lines(item: DocumentStanding) -> list[str]:
    due = f" (your time: {when(item.due_by)})" if item.due_by else ""
    return [f"- {plain(item.why)}{due}"] if item.state not in {"bound", "none"} else []


def _upcoming_lines(session: Session, document: Document, now: datetime) -> list[str]:
    coming = store.upcoming(store.chain(session, document.id), now)
    return [f"- Version {v.number} comes in force {when(v.effective_at)}." for v in coming if v.effective_at]


def _ending_line(ending: Ending) -> str:
    reason = f"Reason: {plain(ending.reason)}" if ending.reason else ""
    if ending.takes_effect_at is None:
        return f"**The end of your access is decided**; it waits for the proof that you were told. {reason}".strip()
    access = f"access to {plain(ending.scope)}" if ending.scope else "access"
    tense = "ended" if ending.in_effect else "will end"
    again = f" You will have it again {when(ending.ends_at)}." if ending.ends_at else ""
    stayed = " It has no effect while your appeal is open." if ending.stayed_at else ""
    return f"**Your {access} {tense}** {when(ending.takes_effect_at)}.{again}{stayed} {reason}".strip()
