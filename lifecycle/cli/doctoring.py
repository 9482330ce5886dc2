"""What `assent doctor` looks at. It changes nothing: no table, no mail."""

from __future__ import annotations

import asyncio
import os
import socket
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from lifecycle import history
from lifecycle.db import Database
from lifecycle.errors import AssentError
from lifecycle.instants import in_utc
from lifecycle.notices import breaker, preview, signing
from lifecycle.notices.composing import compose
from lifecycle.notices.rendering import Rendered, renderer
from lifecycle.notices.smtp import Relay
from lifecycle.settings import Settings, ensure_writable


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and the word about it."""

    level: Level
    about: str
    word: str


def examine(settings: Settings) -> list[Finding]:
    """Every check in turn; a check that is refused is a fault with its reason, and the others go on."""
    return [finding for about, check in CHECKS.items() for finding in _run(about, check, settings)]


def _run(about: str, check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    try:
        return list(check(settings))
    except AssentError as error:
        return [Finding(Level.FAULT, about, str(error))]


def _settings(settings: Settings) -> Iterator[Finding]:
    known = {f"ASSENT_{name.upper()}" for name in Settings.model_fields}
    given = {name for name in os.environ if name.startswith("ASSENT_")} | _in_file()
    for name in sorted(given - known):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Known ones stand in the file that `assent init` writes."
        yield Finding(Level.FAULT, "settings", f"{name} is no setting, so it does nothing. {hint}")
    yield Finding(Level.OK, "settings", f"{len(given & known)} set, the rest as shipped")


def _in_file() -> set[str]:
    """The keys of assent.toml, as variables; that it can be read was checked when the settings were loaded."""
    path = Path("assent.toml")
    return {f"ASSENT_{name.upper()}" for name in tomllib.loads(path.read_text("utf-8"))} if path.is_file() else set()


def _data_folder(settings: Settings) -> Iterator[Finding]:
    ensure_writable(settings.data_dir)
    yield Finding(Level.OK, "data folder", f"{settings.data_dir.resolve()} can be written")


def _database(settings: Settings) -> Iterator[Finding]:
    database = Database(settings.database)
    try:
        if database.revision() is None:
            yield Finding(Level.FAULT, "database", f"{database.shown_url} is empty. Run `assent init`.")
            return
        database.require_current()
        yield Finding(Level.OK, "database", f"{database.shown_url} is at this release's {database.revision()}")
        if outage := database.read(breaker.outage):
            since = in_utc(outage.since)
            yield Finding(Level.FAULT, "mail relay", f"Since {since} it refuses everything, so no mail is tried.")
        problems = database.read(history.verify)
        yield from (Finding(Level.FAULT, "history", problem) for problem in problems)
        if not problems:
            yield Finding(Level.OK, "history", "the entries and the texts are as they were written")
    finally:
        database.close()


def _templates(settings: Settings) -> Iterator[Finding]:
    tried, faults = preview.check(renderer(settings.wording_dir), thorough=False)
    yield from (Finding(Level.FAULT, "templates", fault) for fault in faults)
    if not faults:
        rendered = f"{tried} notices rendered in {', '.join(renderer().locales())}"
        yield Finding(Level.OK, "templates", f"{rendered}; `assent template check` tries more")


def _relay(settings: Settings) -> Iterator[Finding]:
    refusal = asyncio.run(Relay(settings).refusal())
    if refusal:
        yield Finding(Level.FAULT, "mail relay", f"The relay of ASSENT_SMTP_URL cannot be used: {refusal}")
    else:
        yield Finding(Level.OK, "mail relay", "it answers")


def _bot(settings: Settings) -> Iterator[Finding]:
    if settings.discord_token:
        yield Finding(Level.OK, "Discord bot", "ASSENT_DISCORD_TOKEN is set")
    else:
        yield Finding(Level.NOTE, "Discord bot", "The Discord bot is off: set ASSENT_DISCORD_TOKEN.")


def _inbox(settings: Settings) -> Iterator[Finding]:
    if not settings.inbox_address:
        word = "Bounces are taken by `assent notice bounce` and provider hooks alone: set ASSENT_INBOX_ADDRESS."
        yield Finding(Level.NOTE, "mail inbox", word)
    elif not settings.inbox_listen:
        word = f"No worker here takes mail to {settings.inbox_address}: set ASSENT_INBOX_LISTEN on one of them."
        yield Finding(Level.NOTE, "mail inbox", word)
    else:
        yield _listener(settings.inbox_listen)


def _listener(where: str) -> Finding:
    """A worker that takes mail there, a place that one could take, or neither."""
    url = urlsplit(where)
    place = str(url.hostname), int(url.port or 0)
    try:
        with socket.create_connection(place, timeout=3) as line:
            line.settimeout(3)
            if line.recv(3) == b"220":
                return Finding(Level.OK, "mail inbox", f"mail is taken at {where}")
        return Finding(
            Level.FAULT, "mail inbox", f"Something else than a mail server is at ASSENT_INBOX_LISTEN {where}."
        )
    except TimeoutError:
        return Finding(Level.FAULT, "mail inbox", f"What is at ASSENT_INBOX_LISTEN {where} does not answer.")
    except OSError:
        pass
    try:
        socket.create_server(place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET).close()
    except OSError as error:
        word = f"ASSENT_INBOX_LISTEN {where} cannot be had here: {error.strerror}."
        return Finding(Level.FAULT, "mail inbox", word)
    return Finding(Level.NOTE, "mail inbox", f"No worker takes mail at {where} now; `assent serve` will.")


def _dkim(settings: Settings) -> Iterator[Finding]:
    if settings.dkim_key is None:
        yield Finding(Level.NOTE, "DKIM", "Mails are not signed here; most relays sign them.")
        return
    lines = {"sender": settings.mail_from, "to": settings.sender, "reply_to": "", "message_id": "<doctor@localhost>"}
    mail = compose(Rendered("Doctor", "Doctor.\n", "<p>Doctor.</p>", "en"), **lines, date=datetime.now(UTC))
    message = signing.signed(mail, settings)
    if signing.published(message):
        yield Finding(Level.OK, "DKIM", "the key in the DNS fits ASSENT_DKIM_KEY")
    else:
        yield Finding(Level.FAULT, "DKIM", "The DNS has no key for ASSENT_DKIM_SELECTOR that fits ASSENT_DKIM_KEY.")


CHECKS = {
    "settings": _settings,
    "data folder": _data_folder,
    "database": _database,
    "templates": _templates,
    "mail relay": _relay,
    "mail inbox": _inbox,
    "DKIM": _dkim,
    "Discord bot": _bot,
}
