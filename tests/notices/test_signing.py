"""DKIM: the mail that is kept and handed over is the one that was signed, and another library's eye agrees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest
from sqlmodel import Session

from lifecycle.db import Database
from lifecycle.errors import ConfigurationError
from lifecycle.notices import claiming, keeping, signing
from lifecycle.settings import Settings, load_settings
from tests.conftest import NOW
from tests.helpers import published_terms
from tests.notices.test_delivery import news

HERE = Path(__file__).parent


@pytest.fixture
def key() -> Path:
    """A key that signs nothing but these tests."""
    return HERE / "dkim-test.pem"


@pytest.fixture
def record() -> bytes:
    """What the DNS would say."""
    public = (HERE / "dkim-test.pub").read_bytes().split(b"\n")[1:-2]
    return b"v=DKIM1; k=rsa; p=" + b"".join(public)


def verifies(message: bytes, record: bytes) -> bool:
    asked: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return record

    found: bool = dkim.verify(message, dnsfunc=dns)
    assert asked == [b"s1._domainkey.acme.example."]
    return found


def kept(session: Session, notice_id: int) -> bytes | None:
    return keeping.message(session, notice_id)


def test_the_mail_kept_and_handed_over_is_the_signed_one(
    sqlite: Database, make_settings: Callable[..., Settings], key: Path, record: bytes
) -> None:
    settings = make_settings(dkim_key=key, dkim_selector="s1", inbox_address="assent@in.acme.example")
    sqlite.run(published_terms)
    for name in ("ada", "bob"):
        sqlite.run(news, name)
    first, second = sqlite.run(claiming.claim, limit=2, settings=settings, now=NOW)
    for handover in (first, second):
        assert verifies(handover.message, record)
        assert sqlite.read(kept, handover.notice_id) == handover.message
    assert not verifies(first.message.replace(b"Acme", b"Evil", 3), record)


@pytest.mark.parametrize("header", [b"Subject", b"To", b"Date", b"Message-ID", b"Auto-Submitted"])
def test_no_header_that_matters_can_be_changed_and_no_second_sender_added(header, make_settings, key, record) -> None:
    settings = make_settings(dkim_key=key, dkim_selector="s1")
    lines = [b"From: legal@acme.example", b"Subject: a", b"To: b@c.example", b"Date: x", b"Message-ID: <1@x>"]
    signed = signing.signed(b"\r\n".join([*lines, b"Auto-Submitted: auto-generated", b"", b"Hi.\r\n"]), settings)
    assert verifies(signed, record)
    assert not verifies(signed.replace(b"\r\n" + header + b": ", b"\r\n" + header + b": z"), record)
    assert not verifies(b"From: eve@evil.example\r\n" + signed, record)


def test_without_a_key_nothing_is_signed(make_settings) -> None:
    assert signing.signed(b"From: a@b.c\r\n\r\nHi.\r\n", make_settings()) == b"From: a@b.c\r\n\r\nHi.\r\n"


@pytest.mark.parametrize("half", [{"dkim_selector": "s1"}, {"dkim_key": "key.pem"}])
def test_half_a_setting_is_refused_by_name(half: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="ASSENT_DKIM_KEY and ASSENT_DKIM_SELECTOR go together"):
        load_settings(**half)


def test_a_key_that_is_none_is_said(make_settings, tmp_path: Path) -> None:
    for path, fault in ((tmp_path / "none.pem", "cannot be read"), (tmp_path / "bad.pem", "cannot sign")):
        (tmp_path / "bad.pem").write_text("nonsense")
        with pytest.raises(ConfigurationError, match=f"ASSENT_DKIM_KEY .* {fault}"):
            signing.signed(b"From: a@b.c\r\n\r\nHi.\r\n", make_settings(dkim_key=path, dkim_selector="s1"))
