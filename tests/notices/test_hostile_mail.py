"""Hostile names, addresses and texts in mails: nothing escapes, nothing crashes (10,000 of each in the nightly run)."""

import os
import random
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from lifecycle.errors import AssentError
from lifecycle.notices import addresses, samples
from lifecycle.notices.composing import compose, form
from lifecycle.notices.rendering import renderer
from lifecycle.settings import load_settings
from lifecycle.states import Purpose
from lifecycle.users import check_email
from tests.conftest import NOW

MANY = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 600
HEADERS = {
    "MIME-Version",
    "Content-Type",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Language",
    "Reply-To",
}
PIECES = [
    *"abcxyz019.+-_@@<>(),;:\\\"'[]{}%!#$&*=?/|~^` \t\0",
    "\r\n",
    "\n",
    "\r",
    "\x0b",
    "\x85",
    "\u2028",
    "\u202e",
    "ü",
    "用户",
    "ñ",
    "😀",
    "\ud800",
    "xn--",
    "example.com",
    "localhost",
    "=?UTF-8?Q?=0A?=",
    "=?utf-8?b?DQpCY2M6IHg=?=",
    "\r\nBcc: x@y.example\r\n",
    "{{7*7}}",
    "<script>",
    "javascript:",
    "zqv0qz",
    "%0d%0a",
    "." * 70,
    "a" * 65,
]
SETTINGS = load_settings(mail_from="Acme <legal@acme.example>", secret_key="k", inbox_address="assent@in.acme.example")


def fuzzed(seed: int, size: int = 12) -> str:
    chance = random.Random(seed)
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(1, size)))


def address(seed: int) -> str:
    """Two in three look like an address, so that more than the first check is tried."""
    return f"{fuzzed(seed, 4)}@{fuzzed(-seed, 3)}.example" if seed % 3 else fuzzed(seed)


def parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


def exact(part: str) -> str:
    return part.encode("utf-8", "surrogateescape").decode()


def carries_only_what_was_meant(data: bytes, to: str) -> None:
    mail = parsed(data)
    assert sorted(mail.keys()) == sorted(HEADERS), "no header more, none twice"
    [found] = mail["To"].addresses
    local, _, domain = to.rpartition("@")
    assert {exact(found.username), exact(found.username).strip('" \t')} & {local, local.strip('" \t')}
    assert exact(found.domain).strip() == domain.strip()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", data) is None, "every line ends as RFC 5322 has it"
    assert len(list(mail.walk())) == 3, "two parts in one, none added"


def test_no_fuzzed_address_gets_more_into_a_mail_than_one_recipient() -> None:
    values = samples.sample(Purpose.VERSION_PUBLISHED)
    made = form(renderer(), Purpose.VERSION_PUBLISHED, values, own=set(), locale="en", sender=SETTINGS.mail_from)
    taken = 0
    for seed in range(MANY):
        to = address(seed)
        lines: dict[str, Any] = {"message_id": f"<{seed}@acme.example>", "date": NOW}
        try:
            data = made.fill(values, to=to, reply_to=addresses.reply_to(SETTINGS, seed + 1), **lines).message
        except AssentError:
            continue
        taken += 1
        carries_only_what_was_meant(data, to)
    assert taken > MANY / 100, "some are addresses, or nothing was tried"


def test_no_fuzzed_address_crashes_what_users_are_checked_by_and_what_it_takes_can_be_mailed() -> None:
    mail = renderer().render(Purpose.REINSTATED, samples.sample(Purpose.REINSTATED), locale="en")
    for seed in range(MANY):
        try:
            to = check_email(address(seed))
        except AssentError:
            continue
        reply_to = addresses.reply_to(SETTINGS, 1)
        lines: dict[str, Any] = {"message_id": "<1@acme.example>", "date": NOW}
        carries_only_what_was_meant(compose(mail, sender=SETTINGS.mail_from, to=to, reply_to=reply_to, **lines), to)


@pytest.mark.parametrize("purpose", [Purpose.VERSION_PUBLISHED, Purpose.TERMINATION_NOTICE])
def test_no_fuzzed_name_or_text_becomes_header_page_or_template(purpose: Purpose) -> None:
    usual = samples.sample(purpose)
    plain = renderer().render(purpose, usual, locale="en")
    lines: dict[str, Any] = {
        "to": "ada@example.com",
        "reply_to": "r@acme.example",
        "message_id": "<1@acme.example>",
        "date": NOW,
    }
    for seed in range(MANY // 12):
        word = fuzzed(seed).encode("utf-8", "replace").decode()
        values = usual | {"external_id": word, "operator": word, "document": word, "reason": word}
        mail = renderer().render(purpose, values, locale="en")
        carries_only_what_was_meant(compose(mail, sender=SETTINGS.mail_from, **lines), "ada@example.com")
        assert mail.html.count("<a ") == plain.html.count("<a ")
        assert "<script" not in mail.html
        assert "49" not in mail.subject


def test_no_fuzzed_address_is_taken_for_one_that_we_signed() -> None:
    ours = addresses.return_path(SETTINGS, 7)
    for seed in range(MANY):
        chance, forged = random.Random(seed), list(ours)
        forged[chance.randrange(len(forged))] = chance.choice(PIECES)
        found = addresses.read(SETTINGS, "".join(forged))
        assert found is None or "".join(forged).lower() == ours.lower()
