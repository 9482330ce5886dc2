"""TLS to the relay: who it is has been proven before it hears a word of a mail."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from lifecycle.notices.smtp import Relay
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome
from tests.conftest import Mailbox

CERTIFICATE = Path(__file__).parent / "tls-test.pem"  # of 127.0.0.1, signed by itself
SENDER, ADA = "legal@acme.example", "ada@example.com"
MAIL = b"From: legal@acme.example\r\nTo: ada@example.com\r\nMessage-ID: <1@acme.example>\r\n\r\nHello.\r\n"


@contextmanager
def relay(scheme: str, host: str = "127.0.0.1") -> Iterator[tuple[Mailbox, str]]:
    """A real server that speaks TLS from the start (smtps) or after STARTTLS, and its URL under this host's name."""
    box = Mailbox()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        box.port = probe.getsockname()[1]
    if scheme == "smtps":
        controller = Controller(box, hostname="127.0.0.1", port=box.port, ssl_context=context)
    else:
        controller = Controller(box, hostname="127.0.0.1", port=box.port, tls_context=context, require_starttls=True)
    controller.start()
    yield box, f"{scheme}://{host}:{box.port}"
    controller.stop()


@pytest.fixture(params=["smtps", "smtp+starttls"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_relay_whose_certificate_is_trusted_gets_the_mail(
    scheme: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with relay(scheme) as (box, url):
        client = Relay(make_settings(smtp_url=url))
        reply = await client.send(SENDER, ADA, MAIL)
        await client.close()
    assert reply.outcome is AttemptOutcome.SENT
    assert [to for _, to, _ in box.received] == [ADA]


@pytest.mark.parametrize(
    ("trusted", "host", "why"),
    [(False, "127.0.0.1", "self-signed certificate"), (True, "localhost", "Hostname mismatch")],
)
async def test_a_relay_that_cannot_prove_who_it_is_hears_no_mail(
    scheme: str,
    trusted: bool,
    host: str,
    why: str,
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with relay(scheme, host) as (box, url):
        client = Relay(make_settings(smtp_url=url))
        reply = await client.send(SENDER, ADA, MAIL)
        await client.close()
    assert (reply.outcome, reply.code) == (AttemptOutcome.DEFERRED, None)
    assert why.casefold() in reply.text.casefold().replace("self signed", "self-signed")
    assert box.received == []
