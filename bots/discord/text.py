"""Text for Discord: what is quoted cannot ping, mask a link or leave its quote; no cut goes unsaid."""

from datetime import datetime
from io import BytesIO

import discord

from lifecycle.notices.rendering import discord_text, line_start

LIMIT = 2000
CUT = "\n*Cut here: the whole text is in the file.*"


def plain(text: str) -> str:
    """The text as it was written: nothing in it formats, mentions or masks; links stay links, in full."""
    return discord_text(text, link="{}")


def quoted(text: str) -> str:
    """The text, plain, with every line inside a block quote."""
    return "\n".join(f"> {line}" for line in plain(text).split("\n"))


def when(instant: datetime) -> str:
    """An instant that Discord shows in each reader's own zone and language."""
    return f"<t:{int(instant.timestamp())}:f>"


def shortened(text: str, room: int) -> str:
    """At most `room` characters, cut at a blank if there is one, never inside an escape."""
    if len(text) <= room:
        return text
    head = text[:room]
    return head[: max(head.rfind(" "), head.rfind("\n"), room // 2)].rstrip().rstrip("\\")


def fit(content: str, *, whole: str, name: str) -> tuple[str, list[discord.File]]:
    """A message's content and files: what is too long is cut with a word about it, and `whole` goes along."""
    if len(content) <= LIMIT:
        return content, []
    return shortened(content, LIMIT - len(CUT)) + CUT, [discord.File(BytesIO(whole.encode()), name)]


def split(text: str, *, limit: int = LIMIT) -> list[str]:
    """The text as messages of at most `limit` characters, nothing lost: cut between paragraphs, else lines, else words.

    A quote goes on as a quote, and what a cut brings to the start of a message begins no list there.
    """
    parts, text = [], text.rstrip()
    while len(text) > limit:
        lead = "> " if text.startswith("> ") else ""
        at = _cut(text, limit, after=len(lead))
        parts.append(text[:at].rstrip())
        rest = text[at:].lstrip()
        text = rest if text[at] == "\n" else lead + line_start(rest)
    return [*parts, text]


def _cut(text: str, limit: int, *, after: int) -> int:
    """Where the first message ends: at the last and best gap there is, never inside an escape."""
    for gap in ("\n\n", "\n", " "):
        at = text.rfind(gap, after + 1, limit + len(gap))
        if at > 0:
            return at
    escapes = limit - len(text[:limit].rstrip("\\"))
    return limit - escapes % 2
