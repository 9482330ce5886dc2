"""The HTTP interface: a bearer token, thin endpoints, problems that say what to do."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from lifecycle import users
from lifecycle.api import api
from lifecycle.db import Database
from lifecycle.settings import Settings
from tests.conftest import NOW
from tests.helpers import add_user, published_terms


@pytest.fixture
def client(sqlite: Database, make_settings: Callable[..., Settings]) -> Iterator[TestClient]:
    sqlite.run(published_terms)
    sqlite.run(add_user)
    with TestClient(api(make_settings(), sqlite, lambda: NOW)) as client:
        client.headers["Authorization"] = "Bearer test-token"
        yield client


def test_nobody_gets_in_without_the_token(client: TestClient) -> None:
    refused = client.get("/documents", headers={"Authorization": "Bearer wrong"})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_without_a_token_set_the_api_is_off(sqlite: Database, make_settings: Callable[..., Settings]) -> None:
    off = TestClient(api(make_settings(api_token=""), sqlite, lambda: NOW)).get("/documents")
    assert (off.status_code, off.json()["detail"]) == (503, "The API is off: set ASSENT_API_TOKEN.")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/documents/nope", None, 404, "There is no document 'nope'. Known: terms."),
        ("GET", "/nowhere", None, 404, "There is no GET /nowhere."),
        ("DELETE", "/documents", None, 405, "There is no DELETE /documents."),
        ("PUT", "/users/u1", {"shoe": 43}, 422, "shoe: Extra inputs are not permitted"),
        ("PUT", "/users/u1", {"email": "nope"}, 422, "E-mail address 'nope' is not valid"),
        ("POST", "/documents/terms/versions/1/publish", {"mode": "notice"}, 409, "was published at"),
        ("GET", "/users/ada/bound?document=terms&at=2026-01-01T00:00:00", None, 422, "has no time zone"),
    ],
)
def test_a_refusal_is_a_problem_document(
    client: TestClient, method: str, path: str, body: object, status: int, detail: str
) -> None:
    refused = client.request(method, path, json=body)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == refused.status_code == status
    assert detail in refused.json()["detail"]


def test_the_host_records_an_acceptance_and_asks_who_is_bound(client: TestClient) -> None:
    body = client.get("/documents/terms/in-force").json()
    told = {"document": "terms", "version": 1, "kind": "accepted", "sha256": body["sha256"], "wording": "I agree"}
    assert client.post("/users/ada/engagements", json=told).status_code == 201
    bound = client.get("/users/ada/bound", params={"document": "terms"}).json()
    assert (bound["version"], bound["proof"]["kind"]) == (1, "accepted")
    assert client.get("/users/ada/standing").json()["decision"] == "allow"


def test_activity_reports_each_bad_entry_and_keeps_the_rest(client: TestClient, sqlite: Database) -> None:
    seen = [{"user": "ada", "at": NOW.isoformat()}, {"user": "nobody", "at": NOW.isoformat()}]
    report = client.post("/activity", json={"seen": seen}).json()
    assert (report["recorded"], [p["user"] for p in report["problems"]]) == (1, ["nobody"])
    assert sqlite.read(users.user, "ada").last_activity_at == NOW


def test_a_termination_is_decided_read_and_rescinded(client: TestClient) -> None:
    cause = {"initiated_by": "provider", "reason": "Spam", "notice_days": 30}
    made = client.post("/users/ada/terminations", json=cause).json()
    assert made["state"] == "waiting"
    again = client.post("/users/ada/terminations", json=cause)
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")
    undone = client.post(f"/terminations/{made['id']}/rescind", json={"reason": "A mistake"}).json()
    assert undone["state"] == "rescinded"


def test_notices_come_in_pages(client: TestClient) -> None:
    client.post("/users/ada/terminations", json={"initiated_by": "user", "reason": "Bye"})
    page = client.get("/notices", params={"limit": 1}).json()
    assert [notice["purpose"] for notice in page["notices"]] == ["termination_notice"]
    assert client.get("/notices", params={"limit": 1, "after": page["next"]}).json() == {"notices": [], "next": None}


def test_a_request_is_opened_answered_and_closed(client: TestClient) -> None:
    made = client.post("/requests", json={"kind": "erasure", "subject": "Delete it", "user": "ada"}).json()
    number = made["number"]
    assert client.post(f"/requests/{number}/reply", json={"text": "Done."}).status_code == 201
    client.post(f"/requests/{number}/close")
    shown = client.get(f"/requests/{number}").json()
    assert ([reply["text"] for reply in shown["replies"]], shown["closed_at"] is not None) == (["Done."], True)


def test_an_answer_quotes_or_says_that_the_policy_does_not(client: TestClient) -> None:
    found = client.post("/answers", json={"question": "What survives termination?"}).json()
    assert found["quotes"][0]["text"] == "This survives termination."
    silent = client.post("/answers", json={"question": "Is there a discount for students?"}).json()
    assert (silent["answered"], silent["reason"]) == (False, "The policy doesn't say.")


def test_a_new_version_is_drafted_compared_rehearsed_published_and_withdrawn(client: TestClient) -> None:
    text = "# Terms\n\n## 1. Use\n\nBe very nice.\n"
    assert client.post("/documents/terms/versions", json={"texts": {"en": text}}).json()["state"] == "draft"
    kinds = {change["kind"] for change in client.get("/documents/terms/compare/1/2").json()["changes"]}
    assert "changed" in kinds
    plan = {"mode": "notice", "changelog": ["Nicer."]}
    assert client.post("/documents/terms/versions/2/rehearse", json=plan).json()["by_email"] == 1
    assert client.post("/documents/terms/versions/2/publish", json=plan).json()["state"] == "in force"
    assert client.post("/documents/terms/versions/2/withdraw", json={"reason": "Oops"}).json()["state"] == "withdrawn"
