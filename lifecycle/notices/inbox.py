"""Where mail comes in: a listener behind the operator's mail server, for bounces and replies to signed addresses."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SMTPSession
from sqlmodel import Session

from lifecycle.db import Database
from lifecycle.errors import AssentError, ConfigurationError, DatabaseError, NotYet
from lifecycle.notices import addresses, bounces, replies, reports
from lifecycle.notices.addresses import Post
from lifecycle.settings import Settings

MAX_BYTES = 10_000_000
log = logging.getLogger("assent.inbox")


class _SMTP(SMTP):
    line_length_limit = 100_000  # people's programs write longer lines than the standard has


class _LMTP(LMTP):
    line_length_limit = _SMTP.line_length_limit


class Inbox:
    """Takes mail to addresses that we signed, one recipient at a time, and refuses all other."""

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._database, self._settings, self._clock = database, settings, clock

    async def handle_RCPT(
        self, server: SMTP, session: SMTPSession, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time, please"  # LMTP answers for each, aiosmtpd for all
        if addresses.read(self._settings, address) is None:
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Yes"

    async def handle_DATA(self, server: SMTP, session: SMTPSession, envelope: Envelope) -> str:
        """The mail is ours only once it is on record; whatever keeps us from that is the sender's to try again."""
        try:
            done = await self._database.arun(self._take, envelope)
        except NotYet as error:
            return f"451 4.3.0 {_one_line(error)}"
        except DatabaseError as error:
            log.error("A mail could not be taken: %s", error)
        except AssentError as error:
            return f"554 5.6.0 {_one_line(error)}"
        except Exception:
            log.exception("A mail could not be taken")
        else:
            return f"250 2.0.0 {done}"
        return "451 4.3.0 It is on our side; try again later"

    def _take(self, session: Session, envelope: Envelope) -> str:
        found = addresses.read(self._settings, envelope.rcpt_tos[0])
        assert found is not None, "only signed recipients are taken"
        (post, notice_id), data, now = found, envelope.original_content or b"", self._clock()
        mail = bounces.parse(data)
        if post is Post.REPLY and bounces.read(mail) is None:
            written = {"sender": envelope.mail_from or "", "regime": self._settings.request_regime}
            request = replies.take_reply(session, mail, notice_id, **written, now=now)
            return f"Request {request.id}" if request else "Automatic, set aside"
        to, settings = envelope.rcpt_tos, self._settings
        notice = reports.take_bounce(session, data, arrived_at=to, source="mail", settings=settings, now=now)
        return f"Notice {notice.id}" if notice else "No delivery report, set aside"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).encode("ascii", "replace").decode()[:200]


@asynccontextmanager
async def receiving(database: Database, settings: Settings, *, clock: Callable[[], datetime]) -> AsyncIterator[int]:
    """Listen at ASSENT_INBOX_LISTEN while the block runs; the port. Raises ConfigurationError when it cannot."""
    url, loop = urlsplit(settings.inbox_listen), asyncio.get_running_loop()
    inbox = Inbox(database, settings, clock=clock)
    options: dict[str, Any] = {
        "data_size_limit": MAX_BYTES,
        "enable_SMTPUTF8": True,
        "hostname": settings.inbox_address.rpartition("@")[2],
        "ident": "Assent",
        "loop": loop,
    }
    protocol = _LMTP if url.scheme == "lmtp" else _SMTP
    try:
        server = await loop.create_server(lambda: protocol(inbox, **options), url.hostname, url.port or 0)
    except OSError as error:
        raise ConfigurationError(
            f"ASSENT_INBOX_LISTEN {settings.inbox_listen} cannot be had ({error.strerror}); choose another port, "
            "or run one worker with it alone."
        ) from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()  # not waiting for mail servers that keep their connection open
