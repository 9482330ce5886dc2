"""Events of a mail provider, in the shapes that docs/http.md writes down: signed, and matched to our notices."""

import hashlib
import hmac
import json
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from lifecycle import app as composition
from lifecycle.api import hooks as endpoint
from lifecycle.db import Database
from lifecycle.errors import ConfigurationError
from lifecycle.models import Notice
from lifecycle.notices import addresses, outbox, reports
from lifecycle.settings import Settings, load_settings
from lifecycle.states import NoticeStatus
from tests.conftest import NOW
from tests.helpers import HOUR
from tests.notices.test_reports import told

DOCS = (Path(__file__).parents[2] / "docs" / "http.md").read_text("utf-8")
EXAMPLES = [tomllib.loads(block.partition("```")[0])["webhook"] for block in DOCS.split("```toml\n")[1:]]
SVIX, MAILGUN, BATCH = EXAMPLES
PLAIN = {"secret": "a long secret", "kind": ["event"], "kinds": {"bounced": "bad_address"}, "message_id": "id"}
S = NoticeStatus


@pytest.fixture
def make(make_settings: Callable[..., Settings]) -> Callable[[dict[str, Any]], Settings]:
    return lambda hook: make_settings(webhook=hook, inbox_address="assent@in.acme.example", public_url="http://test")


@pytest.fixture
def notice(sqlite: Database, make) -> Notice:
    return sqlite.run(told, make(PLAIN))


def client(database: Database, settings: Settings) -> TestClient:
    return TestClient(composition.site(composition.App(settings, database, lambda: NOW + HOUR)))


def mac(secret: str, text: bytes) -> bytes:
    key = b64decode(secret.removeprefix("base64:")) if secret.startswith("base64:") else secret.encode()
    return hmac.digest(key, text, hashlib.sha256)


def svix(message_id: str, what: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"type": "email.bounced", "data": {"message_id": message_id, "to": ["a@b.c"], **what}}).encode()
    signature = b64encode(mac(SVIX["secret"], b"msg_1.1700000000." + body)).decode()
    signed = f"v1,AAAA v1,{signature} v2,BBBB"
    return body, {"svix-id": "msg_1", "svix-timestamp": "1700000000", "Svix-Signature": signed}


def mailgun(message_id: str, event: str, severity: str | None) -> bytes:
    signature = mac(MAILGUN["secret"], b"1700000000token").hex()
    data: dict[str, Any] = {"event": event, "message": {"headers": {"message-id": message_id.strip("<>")}}}
    data |= {"severity": severity} if severity else {}
    data |= {"delivery-status": {"enhanced-code": "5.1.1", "message": "no such\r\nmailbox"}, "recipient": "ada@x.y"}
    signed = {"timestamp": "1700000000", "token": "token", "signature": signature}
    return json.dumps({"signature": signed, "event-data": data}).encode()


def status(database: Database, notice: Notice) -> NoticeStatus:
    return NoticeStatus(database.read(outbox.notice, notice.id).status)


def test_a_provider_that_signs_as_svix_does(sqlite: Database, make, notice: Notice) -> None:
    hook = client(sqlite, make(SVIX))
    body, headers = svix(notice.message_id, {"bounce": {"type": "Permanent", "message": "gone"}})
    for _ in range(2):
        said = hook.post("/hooks/delivery", content=body, headers=headers)
        assert (said.status_code, said.json()) == (200, {"taken": 1, "not_ours": 0})
    assert status(sqlite, notice) is S.BOUNCED
    [report] = sqlite.read(reports.of, notice)
    assert (report.kind, report.address, report.text, report.source) == ("bad_address", "a@b.c", "gone", "provider")


@pytest.mark.parametrize(
    ("event", "severity", "then"),
    [("delivered", None, S.DELIVERED), ("failed", "temporary", S.SENT), ("failed", "permanent", S.BOUNCED)],
)
def test_a_provider_that_signs_as_mailgun_does(sqlite, make, notice, event, severity, then) -> None:
    said = client(sqlite, make(MAILGUN)).post("/hooks/delivery", content=mailgun(notice.message_id, event, severity))
    assert said.json() == {"taken": 1, "not_ours": 0}
    assert status(sqlite, notice) is then
    assert [report.text for report in sqlite.read(reports.of, notice)] == ["no such mailbox"]


def test_a_batch_is_matched_by_the_envelopes_sender(sqlite: Database, make, notice: Notice) -> None:
    settings = make(BATCH)
    ours = {"from": addresses.return_path(settings, notice.id), "to": "ada@example.com"}
    forged = {"from": "assent+b1-aaaaaaaaaaaaaaaa@in.acme.example", "to": "ada@example.com"}
    batch = [
        {"what": "opened", "envelope": ours},
        {"what": "hard", "envelope": forged},
        {"what": "hard", "envelope": ours, "smtp": "550 gone"},
        "nonsense",
    ]
    body = json.dumps({"batch": batch}).encode()
    headers = {"X-Hook-Signature": "sha256=" + mac(BATCH["secret"], body).hex()}
    said = client(sqlite, settings).post("/hooks/delivery", content=body, headers=headers)
    assert said.json() == {"taken": 1, "not_ours": 1}
    assert status(sqlite, notice) is S.BOUNCED


def test_nothing_without_its_signature_is_taken(sqlite: Database, make, notice: Notice) -> None:
    hook = client(sqlite, make(SVIX))
    body, headers = svix(notice.message_id, {"bounce": {"type": "Permanent"}})
    for wrong_body, wrong in [
        (body, {}),
        (body, headers | {"svix-timestamp": "1700000001"}),
        (body, headers | {"Svix-Signature": "v1,"}),
        (body.replace(b"Permanent", b"Transient"), headers),
    ]:
        said = hook.post("/hooks/delivery", content=wrong_body, headers=wrong)
        assert (said.status_code, said.headers["content-type"]) == (401, "application/problem+json")
    assert status(sqlite, notice) is S.SENT


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b"[1, null, {}]"])
def test_what_is_no_event_is_refused_or_passed_over(sqlite: Database, make, body: bytes) -> None:
    headers = {"X-Signature": mac(PLAIN["secret"], body).hex()}  # type: ignore[arg-type]
    said = client(sqlite, make(PLAIN)).post("/hooks/delivery", content=body, headers=headers)
    assert said.status_code == 422 or said.json() == {"taken": 0, "not_ours": 0}


def test_too_much_at_once_is_refused(sqlite: Database, make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MAX_BYTES", 10)
    assert client(sqlite, make(PLAIN)).post("/hooks/delivery", content=b"x" * 11).status_code == 413


def test_without_a_mapping_nobody_is_expected(sqlite: Database, make_settings) -> None:
    said = client(sqlite, make_settings()).post("/hooks/delivery", content=b"{}")
    assert (said.status_code, said.json()["detail"]) == (404, "No provider is expected here: set ASSENT_WEBHOOK.")


def test_an_event_that_overtakes_the_hand_over_is_asked_for_again(sqlite: Database, make, notice: Notice) -> None:
    sqlite.run(lambda s: s.execute(update(Notice).values(status=S.SENDING)))
    said = client(sqlite, make(MAILGUN)).post("/hooks/delivery", content=mailgun(notice.message_id, "delivered", None))
    assert (said.status_code, said.headers["retry-after"]) == (503, "60")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"secret": "short"}, "secret"),
        ({"secret": "base64:not base64"}, "secret"),
        ({"signed": "{body}{{7*7}}"}, "signed"),
        ({"signed": "nothing"}, "signed"),
        ({"kinds": {"bounced": "gone"}}, "kinds.bounced"),
        ({"kinds": {}}, "kinds"),
        ({"kind": []}, "kind"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_by_name_without_its_secret(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(webhook=PLAIN | change)
    assert str(refused.value).startswith(f"ASSENT_WEBHOOK {named}: ")
    assert "secret'" not in str(refused.value)
    assert "short" not in str(refused.value).replace("too_short", "")


def test_the_mapping_may_stand_in_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_WEBHOOK", json.dumps(PLAIN))
    found = load_settings().webhook
    assert found is not None
    assert found.kinds == {"bounced": "bad_address"}
