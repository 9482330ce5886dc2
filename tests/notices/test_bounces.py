"""What a bounce says: the standard's form, and those of mail systems that have one of their own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.notices import bounces
from lifecycle.notices.bounces import Bounce
from lifecycle.states import ReportKind

OURS = "<7.abcdefghijklmnop@acme.example>"
KIND = ReportKind


def standard(
    action: str, status: str, diagnostic: str = "", *, returned: str = "message/rfc822", utf8: bool = False
) -> bytes:
    """A report as RFC 3464 has it, with the returned mail or its headers."""
    status_type = "message/global-delivery-status" if utf8 else "message/delivery-status"
    original = f"From: legal@acme.example\nMessage-ID: {OURS}\nSubject: Terms: version 2\n\nUser unknown, 4.2.2\n"
    lines = [
        "From: MAILER-DAEMON@mx.example (Mail Delivery System)",
        "To: assent@in.acme.example",
        "Message-ID: <report@mx.example>",
        "Subject: Undelivered Mail Returned to Sender",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"',
        "",
        "--=_b",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "This is the mail system at host mx.example. Your message could not be delivered.",
        "--=_b",
        f"Content-Type: {status_type}",
        "",
        "Reporting-MTA: dns; mx.example",
        "Arrival-Date: Mon, 2 Mar 2026 09:00:00 +0000",
        "",
        "Final-Recipient: rfc822; ada@example.com",
        f"Action: {action}",
        f"Status: {status}",
        *([f"Diagnostic-Code: smtp; {diagnostic}"] if diagnostic else []),
        "",
        "--=_b",
        f"Content-Type: {returned}",
        "",
        original,
        "--=_b--",
        "",
    ]
    return "\n".join(lines).replace("\n", "\r\n").encode()


def read(data: bytes) -> Bounce | None:
    return bounces.read(bounces.parse(data))


@pytest.mark.parametrize(
    ("action", "status", "diagnostic", "kind"),
    [
        ("failed", "5.1.1", "550 5.1.1 <ada@example.com>: user unknown", KIND.BAD_ADDRESS),
        ("failed", "5.1.2", "Host not found", KIND.BAD_ADDRESS),
        ("failed", "5.1.10", "recipient not found", KIND.BAD_ADDRESS),
        ("failed", "5.2.1", "mailbox disabled", KIND.BAD_ADDRESS),
        ("failed", "5.0.0", "550 No such user here", KIND.BAD_ADDRESS),
        ("failed", "5.0.0", "550 go away", KIND.UNDELIVERED),
        ("failed", "5.2.2", "552 mailbox full", KIND.UNDELIVERED),
        ("failed", "5.7.1", "554 looks like spam", KIND.UNDELIVERED),
        ("failed", "5.1.8", "bad sender address", KIND.UNDELIVERED),
        ("failed", "4.4.7", "delivery time expired", KIND.UNDELIVERED),
        ("FAILED", "5.1.1", "", KIND.BAD_ADDRESS),
        ("delayed", "4.4.1", "connection timed out", KIND.DELAYED),
        ("delivered", "2.0.0", "", KIND.DELIVERED),
    ],
)
def test_a_standard_report_says_whether_the_mail_arrived_and_whether_anybody_is_there(
    action: str, status: str, diagnostic: str, kind: ReportKind
) -> None:
    found = read(standard(action, status, diagnostic))
    assert found is not None
    assert (found.kind, found.code, found.address) == (kind, status, "ada@example.com")
    assert found.message_ids == [OURS]
    assert found.text == diagnostic


@pytest.mark.parametrize("action", ["relayed", "expanded", "lost"])
def test_a_report_that_says_nothing_of_the_end_is_none(action: str) -> None:
    assert read(standard(action, "2.0.0")) is None


def test_the_action_may_be_missing_and_the_code_stand_in_the_diagnosis() -> None:
    data = standard("failed", "5.1.1", "550 5.1.1 gone").replace(b"Action: failed\r\n", b"")
    assert read(data).kind is KIND.BAD_ADDRESS  # type: ignore[union-attr]
    data = data.replace(b"Status: 5.1.1\r\n", b"")
    assert read(data).code == "5.1.1"  # type: ignore[union-attr]


def test_the_report_of_addresses_beyond_ascii_is_read_as_well() -> None:
    found = read(standard("failed", "5.1.1", "gone", utf8=True))
    assert found is not None
    assert (found.kind, found.address, found.message_ids) == (KIND.BAD_ADDRESS, "ada@example.com", [OURS])


def test_headers_alone_are_enough_to_name_the_mail() -> None:
    assert read(standard("failed", "5.1.1", returned="text/rfc822-headers")).message_ids == [OURS]  # type: ignore[union-attr]


QMAIL = f"""From: MAILER-DAEMON@mx.example
To: assent@in.acme.example
Subject: failure notice

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@example.com>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 unknown user
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Return-Path: <legal@acme.example>
Message-ID: {OURS}
Subject: Terms

We will keep trying to be clear. 4.2.2
"""

EXIM = f"""From: Mail Delivery System <Mailer-Daemon@mx.example>
To: assent@in.acme.example
X-Failed-Recipients: ada@example.com
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@example.com
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

Message-ID: {OURS}
Subject: Terms
"""

WARNING = f"""From: Mail Delivery System <Mailer-Daemon@mx.example>
To: assent@in.acme.example
Subject: Warning: message 1abc delayed 24 hours

A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours. No action is required on your part. Delivery attempts will continue.

Message-ID: {OURS}
"""

GERMAN = f"""From: postmaster@firma.example
To: assent@in.acme.example
Subject: Unzustellbar: Terms
In-Reply-To: {OURS}
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Ihre Nachricht wurde nicht zugestellt. Der Empf=E4nger <ada@example.com> ist unbekannt.
"""


@pytest.mark.parametrize(
    ("mail", "kind", "address"),
    [
        (QMAIL, KIND.BAD_ADDRESS, "ada@example.com"),
        (EXIM, KIND.BAD_ADDRESS, "ada@example.com"),
        (WARNING, KIND.DELAYED, ""),
        (GERMAN, KIND.BAD_ADDRESS, "ada@example.com"),
    ],
    ids=["qmail", "Exim", "Exim's warning", "in German"],
)
def test_free_text_of_a_mail_system_is_understood(mail: str, kind: ReportKind, address: str) -> None:
    found = read(mail.encode())
    assert found is not None
    assert (found.kind, found.address, found.message_ids) == (kind, address, [OURS])


def test_a_person_who_writes_of_failed_deliveries_sends_no_report() -> None:
    assert read(QMAIL.replace("MAILER-DAEMON", "ada").encode()) is None


def test_an_answer_of_a_machine_is_no_report() -> None:
    away = "From: ada@example.com\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away. User unknown.\n"
    assert read(away.encode()) is None
    read_receipt = standard("failed", "5.1.1").replace(b"delivery-status", b"disposition-notification")
    assert read(read_receipt.replace(b"MAILER-DAEMON", b"ada").replace(b"Mail Delivery System", b"Ada")) is None


@settings(max_examples=60)
@given(st.binary(max_size=400), st.integers(0, 1500), st.integers(0, 60))
def test_no_mail_however_broken_makes_the_reader_stumble(noise: bytes, place: int, cut: int) -> None:
    whole = standard("failed", "5.1.1", "550 gone")
    for data in (noise, whole[:place] + noise + whole[place + cut :], QMAIL.encode()[:place] + noise):
        found = read(data)
        assert found is None or (len(found.text) <= bounces.MAX_TEXT and isinstance(found.kind, ReportKind))
