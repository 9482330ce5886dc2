"""A small operator with a policy of the usual kind, its people, mail and days; everything through real faces."""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lifecycle import jobs
from lifecycle.app import App, site
from lifecycle.db import Database
from lifecycle.notices.delivery import Dispatcher
from lifecycle.settings import Settings
from tests.conftest import NOW, Mailbox, migrated

POLICY = """# Policy

## 1. Changes

We may change this policy without prior notice. Using the service after you were told of a change means that it applies.

## 2. Logging

We keep the prompts you send for ninety days. You can switch the logging of prompts off in your settings.

## 3. Deletion

Write to support to have your prompts deleted, or delete your account; then all of your data goes with it.

## 4. Contact

Ask us anything in our Discord server.

## 5. Termination

We may end your access upon notice if you break this policy. You may end it at any time by ceasing to use the service.

## 6. Survival

Sections 6 and 7 survive the end of your access.

## 7. Liability

Our liability is limited to what you paid us.

## 8. Age

The service is not for children under thirteen, and we delete their accounts.
"""
CHANGED = POLICY.replace("ninety days", "thirty days")


@dataclass
class Operator:
    """The operator's Assent: its pages and API, its mailbox, and a clock that the test moves."""

    folder: Path
    settings: Settings
    database: Database
    mailbox: Mailbox
    now: datetime = NOW
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = TestClient(site(App(self.settings, self.database, lambda: self.now)))

    def call(self, method: str, path: str, /, status: int = 0, **body: Any) -> Any:
        """Call the API as the host application does."""
        sent = {"json": body} if body or method != "GET" else {}
        token = {"Authorization": "Bearer test-token"}
        answer = self.client.request(method, f"/api/v1{path}", headers=token, **sent)  # type: ignore[arg-type]
        assert answer.status_code == status or (not status and answer.is_success), answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def live(self, **period: float) -> None:
        """Let time pass, hour by hour at the end of it, with the clock's jobs and the mail running."""
        self.now += timedelta(**period)
        for _ in range(2):
            jobs.run_jobs(jobs.PLANNING, self.database, self.settings, self.now)
            jobs.run_jobs(jobs.TO_THE_INSTANT, self.database, self.settings, self.now)
            jobs.run_jobs(jobs.IN_SWEEPS, self.database, self.settings, self.now)
            asyncio.run(self._drain())

    async def _drain(self) -> None:
        dispatcher = Dispatcher(self.database, self.settings, clock=lambda: self.now)
        await dispatcher.drain()
        await dispatcher.stop()

    def mails(self, to: str) -> list[EmailMessage]:
        return self.mailbox.messages(f"{to}@example.com")

    def last_mail(self, to: str) -> str:
        """The text of the last mail to a person, its subject before it."""
        mail = self.mails(to)[-1]
        part = mail.get_body(("plain",))
        assert part is not None
        return f"{mail['Subject']}\n{' '.join(part.get_content().split())}"

    def link(self, to: str, kind: str) -> str:
        """The path of the link of a kind in the last mail to a person."""
        found = re.search(rf"https?://[^/\s]+(/{kind}/\S+)", self.last_mail(to))
        assert found is not None, self.last_mail(to)
        return found[1]

    def bound(self, user: str) -> tuple[int, str]:
        """Which version binds a user now, and the act that proves it."""
        found = self.call("GET", f"/users/{user}/bound?document=policy")
        return found["version"], found["proof"]["kind"]

    def decision(self, user: str) -> str:
        return str(self.call("GET", f"/users/{user}/standing")["decision"])

    def files(self) -> bytes:
        """Every byte in the data folder."""
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def operator(tmp_path: Path, mailbox: Mailbox, make_settings: Callable[..., Settings]) -> Iterator[Operator]:
    """The policy's first version is in force; ada and bob accepted it."""
    folder = tmp_path / "data"
    database = Database(migrated(folder / "assent.sqlite3"))
    settings = make_settings(
        data_dir=folder, smtp_url=mailbox.url, inactivity_days=365, reply_to="support@acme.example"
    )
    operator = Operator(folder, settings, database, mailbox)
    operator.call("POST", "/documents", slug="policy", title="Policy", kind="privacy")
    operator.call("POST", "/documents/policy/versions", texts={"en": POLICY}, surviving=["6", "7"])
    operator.call("POST", "/documents/policy/versions/1/publish", mode="explicit", notify=False)
    for name in ("ada", "bob"):
        operator.call("PUT", f"/users/{name}", email=f"{name}@example.com")
        operator.call("POST", f"/users/{name}/engagements", document="policy", version=1, kind="accepted")
        operator.call("POST", "/activity", seen=[{"user": name, "at": NOW.isoformat()}])
    yield operator
    database.close()
