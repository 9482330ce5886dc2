"""Direct messages for notices owed over Discord: claimed, handed over under a fixed nonce, put on record."""

from datetime import datetime
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import discord
from sqlmodel import Session, col, select

from bots.discord.exchange import FAILURES, persistently
from bots.discord.text import split
from lifecycle.models import Notice
from lifecycle.notices import outbox
from lifecycle.notices.claiming import claim
from lifecycle.notices.conversation import Reply
from lifecycle.notices.recording import Handover, Outcome, record, recover
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome, Channel, NoticeStatus

if TYPE_CHECKING:
    from bots.discord.client import Bot

# So many in a row, then the staff channel gets its turn.
ROUND = 10
# Into so many messages a notice is split; one that is longer still is no longer read as messages.
MOST = 10
TOO_LONG = "This message is longer than Discord shows; it is in the file."


def due(session: Session, now: datetime) -> bool:
    """Whether something is to be sent over Discord, or was left in doubt by a process that died."""
    at = outbox.next_due(session, channel=Channel.DISCORD)
    stale = select(Notice.id).where(
        Notice.status == NoticeStatus.SENDING,
        Notice.channel == Channel.DISCORD,
        col(Notice.lease_until) <= now,
    )
    return (at is not None and at <= now) or session.exec(stale.limit(1)).first() is not None


def take(session: Session, settings: Settings, now: datetime) -> tuple[Handover, str] | None:
    """Claim the next notice, with the nonce of all its copies; one at a time, so at most one is in doubt."""
    recover(session, now=now, channel=Channel.DISCORD)
    claimed = claim(session, limit=1, settings=settings, channel=Channel.DISCORD, now=now)
    if not claimed:
        return None
    message_id = claimed[0].message_id
    return claimed[0], message_id.lstrip("<")[:25]  # all that Discord takes for a nonce


async def deliver(bot: "Bot") -> None:
    """Send what is due, up to ROUND messages."""
    for _ in range(ROUND):
        if not await bot.database.aread(due, bot.clock()):
            return
        taken = await bot.database.arun(take, bot.settings, bot.clock())
        if taken is not None:
            handover, nonce = taken
            outcome = Outcome(handover, await hand_over(bot, handover, nonce), bot.clock())
            await bot.database.arun(record, [outcome], settings=bot.settings, now=bot.clock())


async def hand_over(bot: "Bot", handover: Handover, nonce: str) -> Reply:
    """Send one notice as a direct message, or as several. Never raises for what Discord or the network can do.

    `deferred` and `failed` mean that the person does not have the notice, `unknown` that they may. Of several
    messages the first may have arrived when the next does not: that is in doubt, unless Discord refuses for good.
    """
    if not handover.address:
        return Reply(AttemptOutcome.FAILED, None, "no Discord account is linked")
    try:
        place = await persistently(lambda: bot.create_dm(discord.Object(int(handover.address))))
    except FAILURES as error:
        return _reply(error, without_code=AttemptOutcome.DEFERRED)
    parts = split(handover.message.decode())
    file = handover.message if len(parts) > MOST else None
    sent: list[str] = []
    try:
        for text in parts if file is None else [TOO_LONG]:
            message = await persistently(partial(_send, place, text, _nonce(nonce, len(sent)), file))
            sent.append(str(message.id))
    except FAILURES as error:
        return _after(sent, len(parts), _reply(error, without_code=AttemptOutcome.UNKNOWN))
    return Reply(AttemptOutcome.SENT, None, f"Discord message {', '.join(sent)}")


def _nonce(nonce: str, nth: int) -> str:
    """Each message of a notice has its own, the same in all copies."""
    return f"{nonce[:-2]}.{nth}" if nth else nonce


def _after(sent: list[str], parts: int, reply: Reply) -> Reply:
    """What it means that a message failed after others of its notice had arrived: another try would repeat those."""
    if not sent:
        return reply
    outcome = AttemptOutcome.UNKNOWN if reply.outcome is AttemptOutcome.DEFERRED else reply.outcome
    return reply._replace(outcome=outcome, text=f"{len(sent)} of {parts} messages arrived, then: {reply.text}")


async def _send(place: discord.DMChannel, text: str, nonce: str, file: bytes | None) -> discord.Message:
    files = [discord.File(BytesIO(file), "message.txt")] if file else []
    return await place.send(text, files=files, nonce=nonce, suppress_embeds=True)


def _reply(error: Exception, *, without_code: AttemptOutcome) -> Reply:
    """Discord's own word decides; where none came, the step does.

    A refusal is final, such as 50007 (direct messages closed) and 50278 (no server in common). Too many
    requests, a fault of Discord's and a token no longer taken are nothing of the person's: tried again.
    """
    if isinstance(error, discord.RateLimited):
        return Reply(AttemptOutcome.DEFERRED, 429, str(error))
    if not isinstance(error, discord.HTTPException):
        return Reply(without_code, None, str(error) or type(error).__name__)
    later = error.status in {401, 429} or error.status >= 500
    return Reply(AttemptOutcome.DEFERRED if later else AttemptOutcome.FAILED, error.code or error.status, str(error))
