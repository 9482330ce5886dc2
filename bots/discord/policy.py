"""`/policy ask` and `/policy status`: what the policies say in their own words, and which bind the asker."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import discord
from discord import app_commands, ui
from sqlmodel import Session

from bots.discord.exchange import buttons, custom_id, reply
from bots.discord.text import LIMIT, plain, quoted, shortened, split, when
from bots.discord.words import EN, say
from lifecycle import choices, engagements, links, users
from lifecycle.answers.answering import MAX_QUESTION, Answer, Quote
from lifecycle.answers.asking import ask
from lifecycle.documents import store
from lifecycle.endings import Ending
from lifecycle.models import Document
from lifecycle.settings import Settings
from lifecycle.standing import DocumentStanding, standing
from lifecycle.states import Initiator, RequestKind

if TYPE_CHECKING:
    from bots.discord.client import Bot


def ask_a_person(locale: str, route: str = "") -> ui.View:
    """A button that opens the form for staff, for a request of the kind that the question asks for."""
    kind = RequestKind(route) if route in set(RequestKind) else RequestKind.QUESTION
    label = "person" if kind is RequestKind.QUESTION else f"kind.{kind.value}"
    return buttons(ui.Button[ui.View](label=say(locale, label), custom_id=custom_id("contact", kind.value)))


Offer = app_commands.Choice[str]


class Policy(app_commands.Group, name="policy", description=EN["policy"]):
    @app_commands.command(description=EN["ask"])
    @app_commands.describe(question=EN["ask.question"], document=EN["ask.document"], private=EN["ask.private"])
    async def ask(
        self,
        interaction: "discord.Interaction[Bot]",
        question: app_commands.Range[str, 1, MAX_QUESTION],
        document: str | None = None,
        private: bool = False,
    ) -> None:
        await interaction.response.defer(thinking=True, ephemeral=private)
        bot, locale, asked = interaction.client, interaction.locale.value, [document] if document else []
        found = await asyncio.to_thread(
            ask,
            bot.database,
            question,
            settings=bot.settings,
            documents=asked,
            locale=locale,
            discord_id=str(interaction.user.id),
            now=bot.clock(),
        )
        view = discord.utils.MISSING if found.answered else ask_a_person(locale, found.route)
        await interaction.followup.send(answer_text(found, locale), view=view, suppress_embeds=True)

    @ask.autocomplete("document")
    async def documents(self, interaction: "discord.Interaction[Bot]", typed: str) -> "list[Offer]":
        bot = interaction.client
        known = await bot.database.aread(_in_force, bot.clock())
        names = {document.slug: f"{document.title} ({document.slug})"[:100] for document in known}
        fitting = [(name, slug) for slug, name in names.items() if typed.casefold() in name.casefold()]
        return [Offer(name=name, value=slug) for name, slug in fitting[:25]]

    @app_commands.command(description=EN["status"])
    async def status(self, interaction: "discord.Interaction[Bot]") -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        bot, locale = interaction.client, interaction.locale.value
        lines = await bot.database.aread(_status, str(interaction.user.id), locale, bot.settings, bot.clock())
        for part in split("\n".join(lines)):
            await reply(interaction, part)


def _in_force(session: Session, now: datetime) -> list[Document]:
    return [document for document in store.documents(session) if store.in_force(session, document, at=now)]


# -- the answer ------------------------------------------------------------------------------------------


def answer_text(found: Answer, locale: str = "") -> str:
    """The quotes by section, each with its source, in one message; a quote that is cut says so."""
    quotes = found.quotes or found.closest
    hint = say(locale, "standing") if found.route == "standing" else ""
    before = [line for line in (plain(found.lead_in), plain(found.reason), hint) if line]
    after = [f"-# {plain(note)}" for note in found.notes]
    for kept in range(len(quotes), -1, -1):
        shown = [_by_section(quotes[:kept], locale)] if kept else []
        left_out = ["", f"*{say(locale, 'left_out')}*"] if kept < len(quotes) else []
        text = "\n".join([*before, *shown, *left_out, *after])
        if len(text) <= LIMIT and (kept or not quotes):
            return text
    best = quotes[0]
    source = f" … *({say(locale, 'cut')})*\n{_source(best, locale)}"
    return shortened(quoted(best.text), LIMIT - len(source)) + source


def _by_section(quotes: Sequence[Quote], locale: str) -> str:
    sections: dict[str, list[Quote]] = {}
    for quote in quotes:
        sections.setdefault(quote.url, []).append(quote)
    blocks = ([*(quoted(quote.text) for quote in those), _source(those[0], locale)] for those in sections.values())
    return "\n\n".join(map("\n".join, blocks))


def _source(quote: Quote, locale: str) -> str:
    section = plain(" ".join(filter(None, (quote.number, quote.title)))) or say(locale, "beginning")
    document = plain(quote.document)
    return say(locale, "source", document=document, version=quote.version, section=section, url=quote.url)


# -- the standing ----------------------------------------------------------------------------------------


def _status(session: Session, discord_id: str, locale: str, settings: Settings, now: datetime) -> list[str]:
    user = users.by_discord(session, discord_id)
    if user is None:
        return [say(locale, "not_linked", operator=plain(settings.operator))]
    found = standing(session, user, zone=settings.zone, now=now)
    bound = {b.version.document_id: b for b in engagements.bound_versions(session, user, at=now)}
    lines = _ending_lines(found.termination, locale) if found.termination else []
    for document, item in zip(store.documents(session), found.documents, strict=True):
        chain, of_user = store.chain(session, document.id), bound.get(document.id)
        shown = of_user.version if of_user else next(reversed(store.standing_chain(chain, now)), None)
        title = store.body(session, shown, user.locale or locale).title if shown else document.title
        lines.append(f"**{plain(title)}**")
        page = partial(links.version_url, settings, document.slug, locale=user.locale)
        lines.append("- " + _bound_line(of_user, page, locale))
        asked = next((version for version in chain if version.number == item.due_version), None)
        if asked is not None:
            answer = f"{settings.base_url}/answer/{links.answer_token(settings, user.id, asked.id, now=now)}"
            lines.append("- " + _due_line(item, page(asked.number), answer, locale, now))
        lines += [
            "- " + say(locale, "upcoming", number=v.number, url=page(v.number), at=when(v.effective_at))
            for v in store.upcoming(chain, now)
            if v.effective_at
        ]
    logging = "on" if choices.chosen(session, user, choices.PROMPT_LOGGING) else "off"
    lines.append(say(locale, f"logging.is_{logging}"))
    return [*lines, f"-# {say(locale, 'own_links')}"] if any("/answer/" in line for line in lines) else lines


def _bound_line(bound: engagements.Bound | None, page: Callable[[int], str], locale: str) -> str:
    if bound is None:
        return say(locale, "unbound")
    how, number = say(locale, f"how.{bound.proof.kind.value}"), bound.version.number
    if bound.proof.version_id != bound.version.id:
        how += say(locale, "corrected")
    return say(locale, "bound", number=number, url=page(number), since=when(bound.since), how=how)


def _due_line(item: DocumentStanding, url: str, answer: str, locale: str, now: datetime) -> str:
    """What is asked of the user about a version, by its state, with the link to answer where that helps."""
    state, due = item.state, item.due_by
    if state == "declined" and due is not None:
        state = "declined_still" if due > now else "declined_over"
    version = say(locale, "version", number=item.due_version, url=url)
    return say(locale, f"due.{state}", version=version, answer=answer, due=when(due) if due else "")


def _ending_lines(ending: Ending, locale: str) -> list[str]:
    how = "waiting" if ending.takes_effect_at is None else "over" if ending.in_effect else "coming"
    scope = say(locale, "end.scope", scope=plain(ending.scope)) if ending.scope else ""
    at = when(ending.takes_effect_at) if ending.takes_effect_at else ""
    line = say(locale, f"end.{'stayed' if ending.stayed_at else how}", scope=scope, at=at)
    if ending.ends_at:
        line += say(locale, "end.until", until=when(ending.ends_at))
    if ending.reason:
        line += say(locale, "end.reason", reason=plain(ending.reason))
    return [line, say(locale, "end.appeal")] if ending.initiated_by == Initiator.PROVIDER else [line]
