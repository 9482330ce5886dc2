"""Roll-outs over HTTP: rehearsed, steered, and answered for."""

import pytest
from sqlmodel import Session
from starlette.testclient import TestClient

from lifecycle.db import Database
from lifecycle.notices import campaigns
from tests.conftest import NOW
from tests.helpers import DAY, add_user

PLAN = {"mode": "notice", "effective_at": (NOW + 30 * DAY).isoformat()}
TWO = "/documents/terms/versions/2"


@pytest.fixture
def drafted(client: TestClient, database: Database) -> TestClient:
    database.run(add_user, "silent", email="")
    client.post("/documents/terms/versions", json={"texts": {"en": "# Terms\n\nNew.\n"}})
    return client


@pytest.fixture
def begun(drafted: TestClient, database: Database) -> TestClient:
    def plan(session: Session) -> None:
        for campaign in campaigns.open_campaigns(session, now=NOW):
            campaigns.plan_chunk(session, campaign, now=NOW)

    assert drafted.post(f"{TWO}/publish", json=PLAN).status_code == 200
    database.run(plan)
    return drafted


def test_a_rehearsal_holds_the_plan_and_whom_it_leaves_out(drafted: TestClient) -> None:
    found = drafted.post(f"{TWO}/rehearse", json=PLAN).json()
    assert found["plan"] == [{"day": "2026-03-02", "mails": 1}]
    assert (found["refusal"], found["unreached"][0]["user"]) == ("", "silent")
    assert [who["user"] for who in drafted.get(f"{TWO}/unreachable").json()["unreachable"]] == ["silent"]


def test_the_mail_of_a_user_can_be_looked_at_and_a_test_mail_asked_for(drafted: TestClient) -> None:
    shown = drafted.post(f"{TWO}/rehearse/mail", json={**PLAN, "user": "ada"}).json()
    assert shown["address"] == "ada@example.com"
    assert "To: ada@example.com" in shown["message"]
    owed = drafted.post(f"{TWO}/rehearse/test", json={**PLAN, "address": "me@example.com"})
    assert (owed.status_code, owed.json()["purpose"], owed.json()["status"]) == (202, "test", "owed")
    refused = drafted.post(f"{TWO}/rehearse/mail", json={**PLAN, "user": "silent"})
    assert (refused.status_code, "would not be told" in refused.json()["detail"]) == (409, True)


def test_a_rollout_is_looked_at_and_steered(begun: TestClient) -> None:
    assert begun.get(f"{TWO}/rollout").json()["waiting"] == 1
    assert begun.post(f"{TWO}/rollout/pause").json()["state"] == "paused"
    assert begun.post(f"{TWO}/rollout/resume").json()["state"] == "running"
    assert begun.post(f"{TWO}/rollout/cancel", json={"reason": " "}).status_code == 422
    assert begun.post(f"{TWO}/rollout/cancel", json={"reason": "Oops."}).json()["state"] == "cancelled"
    assert begun.post(f"{TWO}/rollout/pause").status_code == 409
    assert begun.get("/documents/terms/versions/1/rollout").status_code == 404


def test_a_rollout_is_begun_later(drafted: TestClient) -> None:
    drafted.post(f"{TWO}/publish", json={**PLAN, "notify": False})
    begun = drafted.post(f"{TWO}/rollout", json={"at": (NOW + DAY).isoformat()})
    assert (begun.status_code, begun.json()["state"]) == (201, "scheduled")
