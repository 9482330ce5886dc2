"""The staff-only channel: each request stands there once, shows what became of it and until when it is due."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import discord
from discord import ui
from sqlmodel import Session, col, or_, select

from bots.discord.exchange import FAILURES, buttons, custom_id, log, persistently
from bots.discord.text import fit, plain, quoted, when
from lifecycle import clocks, requests
from lifecycle.models import Notice, Reply, Request, User
from lifecycle.states import MAX_DOUBTS, PENDING_STATUSES, PROVEN_STATUSES, Channel, NoticeStatus, RequestOutcome

if TYPE_CHECKING:
    from bots.discord.client import Bot

# How long after an answer or the closing the message in the channel still follows what happens.
FOLLOWED = timedelta(days=3)

ERASED = "What was written here was erased."
NOT_PROVEN = "Not proven yet that it was them: give or delete nothing before"
BY = {Channel.DISCORD: "as a direct message", Channel.EMAIL: "by e-mail", None: "nowhere: no address known"}


# -- what staff see --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Card:
    """A request as staff see it. `undelivered` holds the numbers of answers that reached nobody."""

    number: int
    message_id: str
    nonce: str
    content: str
    whole: str
    routes: Mapping[str, str]  # of its buttons, by their labels
    undelivered: frozenset[int]
    erased: bool = False

    def fitted(self) -> tuple[str, list[discord.File]]:
        return fit(self.content, whole=self.whole, name=f"request-{self.number}.txt")

    def view(self) -> ui.View:
        given = self.routes.items()
        return buttons(*(ui.Button(label=label, custom_id=custom_id(to, self.number)) for label, to in given))


def card(session: Session, request: Request, zone: ZoneInfo) -> Card:
    """The request with its deadline, its answers and how each was delivered."""
    replies = requests.replies(session, request)
    fates = {one.nth: _fate(session, one) for one in replies}
    refused = request.outcome is RequestOutcome.REFUSED
    status = "refused" if refused else "closed" if request.closed_at else "answered" if replies else "open"
    kind = request.kind.value.replace("_", " ")
    lines = [f"**Request {request.id}** · {kind} · {status}", _origin(session, request)]
    if request.erased_at:
        return Card(request.id, request.staff_message_id, "", "\n".join([lines[0], ERASED]), "", {}, frozenset(), True)
    lines += _clock(request, zone)
    lines += [f"**{plain(request.subject)}**", *([quoted(request.details)] if request.details else [])]
    for again in requests.joined(session, request):
        lines.append(f"Asked again, {when(again.opened_at)}: **{plain(again.subject)}**")
        lines += [quoted(again.details)] if again.details else []
    for one in replies:
        lines += [f"Answer {one.nth}, {when(one.at)}: {fates[one.nth][0]}", quoted(one.text)]
    if refused:
        lines += ["The reasons:", quoted(request.outcome_reason)]
    whole = "\n\n".join([request.subject, request.details, *(f"Answer {one.nth}:\n{one.text}" for one in replies)])
    nonce = f"r{request.id}-{int(request.opened_at.timestamp() * 1000)}"
    lost = frozenset(nth for nth, (_, reached) in fates.items() if not reached)
    routes = _routes(request, zone)
    return Card(request.id, request.staff_message_id, nonce, "\n".join(lines), whole, routes, lost)


def _routes(request: Request, zone: ZoneInfo) -> dict[str, str]:
    if request.closed_at:
        return {}
    more = clocks.extended_due(request, zone) is not None and request.extended_at is None
    return {"Answer": "answer"} | ({"More time": "more-time"} if more else {}) | {"Refuse": "refuse", "Close": "close"}


def _clock(request: Request, zone: ZoneInfo) -> list[str]:
    """Until when it is due, and whether what it asks for may be done yet."""
    if request.closed_at:
        return []
    lines, due = [], clocks.due(request, zone)
    if due is not None:
        extended = ", after more time was taken" if request.extended_at else ""
        lines.append(f"Due {when(due)}, by {request.regime}{extended}")
    if request.kind in requests.PROVEN:
        lines.append(f"Proven {when(request.verified_at)} that it was them" if request.verified_at else NOT_PROVEN)
    return lines


def _origin(session: Session, request: Request) -> str:
    user = session.get(User, request.user_id) if request.user_id else None
    person = f"<@{request.discord_id}>" if request.discord_id else ""
    account = f"account {plain(user.external_id)}" if user else "no account linked"
    who = ", ".join(filter(None, (person, account)))
    return f"From {who}, by {plain(request.source)}, {when(request.opened_at)}"


def _fate(session: Session, reply: Reply) -> tuple[str, bool]:
    """What became of an answer, and whether it reached the person or still may."""
    notices = session.exec(select(Notice).where(Notice.reply_id == reply.id).order_by(col(Notice.id))).all()
    if not notices:
        return "has no address to go to", False
    last = next((notice for notice in notices if notice.status in PROVEN_STATUSES), notices[-1])
    if last.status in PROVEN_STATUSES:
        return f"delivered {BY[last.channel]}", True
    if last.status is NoticeStatus.UNKNOWN and last.doubts >= MAX_DOUBTS:
        return f"perhaps delivered {BY[last.channel]}; see `assent notice show {last.id}`", True
    if last.status in {*PENDING_STATUSES, NoticeStatus.SENDING}:
        return f"on its way {BY[last.channel]}", True
    return f"could not be delivered: {plain(last.reason)}", False


def _unposted(session: Session, zone: ZoneInfo) -> list[Card]:
    return [card(session, request, zone) for request in requests.unposted(session)]


def _followed(session: Session, zone: ZoneInfo, now: datetime) -> list[Card]:
    """Posted requests to which something happened lately."""
    since = now - FOLLOWED
    answered = select(Reply.request_id).where(Reply.at > since)
    again = select(Request.joined_to).where(Request.opened_at > since, col(Request.joined_to).is_not(None))
    lately = or_(
        col(Request.closed_at) > since,
        col(Request.extended_at) > since,
        col(Request.verified_at) > since,
        col(Request.erased_at).is_not(None),  # until its card was blanked, however long the bot was away
        col(Request.id).in_(answered),
        col(Request.id).in_(again),
    )
    posted = select(Request).where(Request.staff_message_id != "", lately).order_by(col(Request.id))
    return [card(session, request, zone) for request in session.exec(posted)]


def _remember(session: Session, number: int, message_id: str) -> None:
    requests.posted(session, requests.request(session, number), message_id)


class Board:
    """Keeps the channel like the database, also for what came in by other ways or while the bot was away."""

    def __init__(self, bot: "Bot") -> None:
        self._bot = bot
        self._shown: dict[int, Card] = {}
        self._fresh: set[int] = set()  # posted by this process, and nothing has happened to them since
        self._complaint = ""

    async def post(self) -> None:
        """Post each request that staff have not seen yet, once."""
        await self._each(await self._bot.database.aread(_unposted, self._bot.settings.zone), self._post)

    async def refresh(self) -> None:
        """Show on each message what became of its request; say aloud when an answer reached nobody."""
        followed = await self._bot.database.aread(_followed, self._bot.settings.zone, self._bot.clock())
        self._shown = {one.number: shown for one in followed if (shown := self._shown.get(one.number))}
        await self._each([one for one in followed if self._shown.get(one.number) != one], self._update)

    async def _each(self, cards: list[Card], work: Callable[[discord.TextChannel, Card], Awaitable[None]]) -> None:
        """Do the work for each; one that fails keeps none of the others back, and is raised at the end."""
        channel = self.channel() if cards else None
        faults = []
        for one in cards if channel else []:
            try:
                await work(cast("discord.TextChannel", channel), one)
            except FAILURES as error:
                faults.append(error)
        if faults:
            raise faults[0]

    async def _post(self, channel: discord.TextChannel, one: Card) -> None:
        async def send() -> discord.Message:
            content, files = one.fitted()
            return await channel.send(content, files=files, view=one.view(), nonce=one.nonce, suppress_embeds=True)

        message = await persistently(send)
        await self._bot.database.arun(_remember, one.number, str(message.id))
        self._fresh.add(one.number)

    async def _update(self, channel: discord.TextChannel, one: Card) -> None:
        await self._edit(channel, one)
        for nth in sorted(one.undelivered - self._told_of(one)):
            await self._complain(channel, one, nth)
        self._shown[one.number] = one
        self._fresh.discard(one.number)
        if one.erased:
            await self._bot.database.arun(_remember, one.number, "")

    def _told_of(self, one: Card) -> frozenset[int]:
        """The undelivered answers of which staff were told: of a card from before a restart, all there are."""
        before = self._shown.get(one.number)
        return before.undelivered if before else frozenset() if one.number in self._fresh else one.undelivered

    async def _edit(self, channel: discord.TextChannel, one: Card) -> None:
        async def edit() -> None:
            content, files = one.fitted()
            message = channel.get_partial_message(int(one.message_id))
            await message.edit(content=content, attachments=files, view=one.view())

        try:
            await persistently(edit)
        except discord.NotFound:
            log.warning("The message about request %s was deleted from the staff channel.", one.number)

    async def _complain(self, channel: discord.TextChannel, one: Card, nth: int) -> None:
        text = f"Answer {nth} to request {one.number} could not be delivered; the request's message says why."
        await persistently(lambda: channel.send(text, nonce=f"u{nth}{one.nonce}"))

    def channel(self) -> discord.TextChannel | None:
        """The staff channel; None, with a line in the log, when requests cannot be shown there."""
        number = self._bot.settings.discord_staff_channel_id
        found = self._bot.get_channel(number)
        complaint = _complaint(number, found)
        if complaint and complaint != self._complaint:
            log.error(complaint)
        self._complaint = complaint
        return found if isinstance(found, discord.TextChannel) and not complaint else None


def _complaint(number: int, found: object) -> str:
    """Why requests cannot be shown in what was found under the staff channel's number; empty when they can."""
    if not number:
        return "Set ASSENT_DISCORD_STAFF_CHANNEL_ID to show requests to staff; they are kept until then."
    if not isinstance(found, discord.TextChannel):
        return f"ASSENT_DISCORD_STAFF_CHANNEL_ID {number} is no text channel that the bot can see."
    if found.permissions_for(found.guild.default_role).view_channel:
        return f"Everyone can see channel {found.name!r}: hide it from @everyone to have requests there."
    mine = found.permissions_for(found.guild.me)
    if not (mine.view_channel and mine.send_messages and mine.attach_files):
        return f"The bot may not see channel {found.name!r}, or send messages and files there: allow it that."
    return ""
