"""Text for Discord: what is quoted cannot ping, mask a link or leave its quote; no cut goes unsaid."""

import re
from datetime import datetime
from io import BytesIO

import discord

from lifecycle.notices.rendering import CONTROLS

LIMIT = 2000
CUT = "\n*Cut here: the whole text is in the file.*"

_URL = re.compile(r"(https?://[^\s<>()\[\]\\`*|~]+)")
_FORMATTING = re.compile(r"[\\*_~`|<>\[\]@#]|^[-+](?=[\s#])")


def plain(text: str) -> str:
    """The text as it was written: nothing in it formats, mentions or masks; links stay links, in full."""
    return "\n".join(_plain_line(line) for line in text.splitlines())


def _plain_line(line: str) -> str:
    pieces = _URL.split(CONTROLS.sub(" ", line).strip())
    return "".join(piece if n % 2 else _FORMATTING.sub(r"\\\g<0>", piece) for n, piece in enumerate(pieces))


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
