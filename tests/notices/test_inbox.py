"""The listener: real conversations in LMTP and SMTP, real addresses, real requests and bounces in the database."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

import pytest

from lifecycle import app as composition
from lifecycle import requests
from lifecycle.db import Database
from lifecycle.errors import ConfigurationError
from lifecycle.models import Notice, Request
from lifecycle.notices import addresses, inbox, outbox
from lifecycle.settings import Settings
from lifecycle.states import NoticeStatus
from tests.conftest import NOW
from tests.helpers import HOUR
from tests.notices.test_bounces import standard
from tests.notices.test_reports import told

LATER = NOW + HOUR


@pytest.fixture(params=["lmtp", "smtp"])
def settings(request: pytest.FixtureRequest, make_settings: Callable[..., Settings]) -> Settings:
    listen = f"{request.param}://127.0.0.1:0"
    return make_settings(inbox_address="assent@in.acme.example", inbox_listen=listen, request_regime="gdpr-12")


@pytest.fixture
def notice(sqlite: Database, settings: Settings) -> Notice:
    return sqlite.run(told, settings)


@pytest.fixture
async def port(sqlite: Database, settings: Settings) -> AsyncIterator[int]:
    async with inbox.receiving(sqlite, settings, clock=lambda: LATER) as port:
        yield port


async def hand_in(
    settings: Settings, port: int, data: bytes, *to: str, sender: str = "ada@example.com"
) -> dict[str, tuple[int, bytes]] | str:
    """The refused recipients, or the server's last word where it took nobody or no message."""

    def talk() -> dict[str, tuple[int, bytes]] | str:
        kind: Any = smtplib.LMTP if settings.inbox_listen.startswith("lmtp") else smtplib.SMTP
        with kind("127.0.0.1", port, local_hostname="mx.example") as client:
            try:
                refused: dict[str, tuple[int, bytes]] = client.sendmail(sender, list(to), data)
            except smtplib.SMTPRecipientsRefused as error:
                return " ".join(f"{code} {text.decode()}" for code, text in error.recipients.values())
            except smtplib.SMTPResponseException as error:
                text: Any = error.smtp_error
                return f"{error.smtp_code} {text.decode()}"
            return refused

    return await asyncio.to_thread(talk)


def a_reply(text: str = "I do not agree.\n", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Ada <ada@example.com>"
    mail["Subject"] = "Re: Terms: please accept"
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def opened(database: Database) -> list[Request]:
    return [request for request in database.read(requests.requests) if request.source == "mail"]


async def test_a_bounce_to_a_signed_return_path_is_put_down(sqlite, settings, notice, port) -> None:
    to = addresses.return_path(settings, notice.id)
    assert await hand_in(settings, port, standard("failed", "5.1.1"), to, sender="") == {}
    assert sqlite.read(outbox.notice, notice.id).status is NoticeStatus.BOUNCED


async def test_mail_to_an_address_that_is_not_signed_is_refused(sqlite, settings, notice, port) -> None:
    for to in ("assent@in.acme.example", "assent+b1-aaaaaaaaaaaaaaaa@in.acme.example", "root@localhost"):
        assert await hand_in(settings, port, standard("failed", "5.1.1"), to) == "550 5.1.1 No such address here"
    assert sqlite.read(outbox.notice, notice.id).status is NoticeStatus.SENT


async def test_a_reply_becomes_a_request_of_the_person_who_got_the_notice(sqlite, settings, notice, port) -> None:
    to = addresses.reply_to(settings, notice.id)
    assert await hand_in(settings, port, a_reply().as_bytes(), to) == {}
    [request] = opened(sqlite)
    assert (request.subject, request.user_id, request.opened_at) == ("Re: Terms: please accept", 1, LATER)
    assert request.regime == "gdpr-12", "the operator's clock runs for mail too"
    assert request.details == f"I do not agree.\n\nIn reply to notice {notice.id} (version_published)."


async def test_of_two_recipients_the_second_is_asked_for_again(sqlite, settings, notice, port) -> None:
    to, other = (make(settings, notice.id) for make in (addresses.reply_to, addresses.return_path))
    refused = await hand_in(settings, port, a_reply().as_bytes(), to, other)
    assert refused == {other: (452, b"4.5.3 One recipient at a time, please")}
    assert len(opened(sqlite)) == 1


async def test_a_mail_of_a_machine_is_taken_and_set_aside(sqlite, settings, notice, port) -> None:
    to = addresses.reply_to(settings, notice.id)
    automatic = [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; why=x"},
        {"Precedence": "bulk"},
        {"X_Autoreply": "yes"},
        {"List_Id": "<news.example>"},
    ]
    for headers in automatic:
        assert await hand_in(settings, port, a_reply(**headers).as_bytes(), to) == {}
    assert await hand_in(settings, port, a_reply().as_bytes(), to, sender="") == {}
    assert opened(sqlite) == []
    assert await hand_in(settings, port, a_reply(Auto_Submitted="no").as_bytes(), to) == {}
    assert len(opened(sqlite)) == 1


async def test_a_bounce_sent_to_the_reply_address_counts_by_our_message_id(sqlite, settings, notice, port) -> None:
    data = standard("failed", "5.1.1").replace(b"<7.abcdefghijklmnop@acme.example>", notice.message_id.encode())
    assert await hand_in(settings, port, data, addresses.reply_to(settings, notice.id), sender="") == {}
    assert sqlite.read(outbox.notice, notice.id).status is NoticeStatus.BOUNCED
    assert opened(sqlite) == []


async def test_the_same_mail_twice_is_one_request(sqlite, settings, notice, port) -> None:
    for _ in range(2):
        assert await hand_in(settings, port, a_reply().as_bytes(), addresses.reply_to(settings, notice.id)) == {}
    assert len(opened(sqlite)) == 1


async def test_attachments_are_named_and_a_strangers_address_is_said(sqlite, settings, notice, port) -> None:
    mail = a_reply(From="Eve <eve@elsewhere.example>")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename='pic"<script>.png')
    assert await hand_in(settings, port, mail.as_bytes(), addresses.reply_to(settings, notice.id)) == {}
    [request] = opened(sqlite)
    assert "Written from Eve <eve@elsewhere.example>, which is not the address of the user." in request.details
    assert "Attachments, not kept: pic__script_.png." in request.details


async def test_html_alone_is_taken_as_its_words_and_a_long_mail_is_cut_with_a_word(
    sqlite, settings, notice, port
) -> None:
    mail = a_reply()
    mail.set_content("<style>p{}</style><p>One</p><script>x()</script><p>Two &amp; three</p>", subtype="html")
    long = a_reply("x" * 9000, Subject="Long")
    for one in (mail, long):
        assert await hand_in(settings, port, one.as_bytes(), addresses.reply_to(settings, notice.id)) == {}
    words, cut = opened(sqlite)
    assert words.details.startswith("One\nTwo & three\n\nIn reply")
    assert len(cut.details) <= requests.MAX_TEXT
    assert "longer than a request can be" in cut.details


async def test_nobody_can_flood_staff(sqlite, settings, notice, port) -> None:
    to = addresses.reply_to(settings, notice.id)
    said = [await hand_in(settings, port, a_reply(f"No. {n}\n").as_bytes(), to) for n in range(21)]
    assert said[:20] == [{}] * 20
    assert str(said[20]).startswith("451 4.3.0 There are 20 open requests")
    assert len(opened(sqlite)) == 20


async def test_a_mail_too_large_is_refused(sqlite, settings, notice, port) -> None:
    to = addresses.reply_to(settings, notice.id)
    said = await hand_in(settings, port, a_reply().as_bytes() + b"x\r\n" * 3_400_000, to)
    assert str(said).startswith("552")
    assert opened(sqlite) == []


async def test_while_the_database_is_away_mail_is_to_be_sent_again(sqlite, settings, notice, port) -> None:
    sqlite.run(lambda session: session.connection().exec_driver_sql("DROP TABLE reports"))
    to = addresses.return_path(settings, notice.id)
    said = await hand_in(settings, port, standard("failed", "5.1.1"), to, sender="")
    assert said == "451 4.3.0 It is on our side; try again later"


async def test_the_worker_runs_the_listener(sqlite, make_settings, notice, mailbox) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = make_settings(
        inbox_address="assent@in.acme.example", inbox_listen=f"lmtp://127.0.0.1:{port}", smtp_url=mailbox.url
    )
    app = composition.App(settings, sqlite)
    async with composition.running(app, web=False, worker=True, port=0):
        to = addresses.return_path(settings, notice.id)
        assert await hand_in(settings, port, standard("failed", "5.1.1"), to, sender="") == {}
        with pytest.raises(ConfigurationError, match=r"ASSENT_INBOX_LISTEN lmtp://.* cannot be had"):
            async with composition.running(app, web=False, worker=True, port=0):
                pass
    assert sqlite.read(outbox.notice, notice.id).status is NoticeStatus.BOUNCED
