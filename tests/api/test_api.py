"""The HTTP interface: what the host application does with it, from a text to a standing to an end."""

import json

import pytest
from starlette.testclient import TestClient

from lifecycle import users
from lifecycle.db import Database
from tests.conftest import NOW


def test_the_host_records_an_acceptance_and_asks_who_is_bound(client: TestClient) -> None:
    body = client.get("/documents/terms/in-force").json()
    told = {"document": "terms", "version": 1, "kind": "accepted", "sha256": body["sha256"], "wording": "I agree"}
    assert client.post("/users/ada/engagements", json=told).status_code == 201
    bound = client.get("/users/ada/bound", params={"document": "terms"}).json()
    assert (bound["version"], bound["proof"]["kind"]) == (1, "accepted")
    assert bound["why"] == "Bound to version 1 of terms (accepted)."
    assert client.get("/users/ada/standing").json()["decision"] == "allow"


def test_activity_reports_each_bad_entry_and_keeps_the_rest(client: TestClient, database: Database) -> None:
    seen = [{"user": "ada", "at": NOW.isoformat()}, {"user": "nobody", "at": NOW.isoformat()}]
    seen.append({"user": "ada", "at": "2026-03-02T09:00:00"})
    report = client.post("/activity", json={"seen": seen}).json()
    assert (report["recorded"], [p["user"] for p in report["problems"]]) == (1, ["nobody", "ada"])
    assert database.read(users.user, "ada").last_activity_at == NOW


def test_activity_without_an_instant_is_now(client: TestClient, database: Database) -> None:
    assert client.post("/activity", json={"seen": [{"user": "ada"}]}).json()["recorded"] == 1
    assert database.read(users.user, "ada").last_activity_at == NOW


@pytest.mark.parametrize("path", ["/requests/99", "/notices/99", "/erasures/99"])
def test_what_is_not_there_is_told_without_commands_of_another_face(client: TestClient, path: str) -> None:
    missing = client.get(path)
    assert missing.status_code == 404
    assert "99" in missing.json()["detail"]
    assert "`assent" not in missing.json()["detail"]


def test_a_user_leaves_without_a_reason_and_nobody_else_does(client: TestClient) -> None:
    refused = client.post("/users/ada/terminations", json={"initiated_by": "provider"})
    assert (refused.status_code, "Give the reason" in refused.json()["detail"]) == (422, True)
    assert client.post("/users/ada/terminations", json={"initiated_by": "user"}).json()["state"] == "in effect"
    why = client.get("/users/ada/standing").json()["why"]
    assert why.startswith("Access ended at")
    assert why.endswith("UTC.")


def test_a_termination_is_decided_read_and_rescinded(client: TestClient) -> None:
    cause = {"initiated_by": "provider", "reason": "Spam", "notice_days": 30}
    made = client.post("/users/ada/terminations", json=cause).json()
    assert made["state"] == "waiting"
    again = client.post("/users/ada/terminations", json=cause)
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")
    undone = client.post(f"/terminations/{made['id']}/rescind", json={"reason": "A mistake"}).json()
    assert undone["state"] == "rescinded"


def test_a_notice_is_found_by_its_user_and_shown_whole(client: TestClient) -> None:
    client.post("/users/ada/terminations", json={"initiated_by": "user", "reason": "Bye"})
    asked = {"user": "ada", "status": "owed", "purpose": "termination_notice"}
    [notice] = client.get("/notices", params=asked).json()["notices"]
    shown = client.get(f"/notices/{notice['id']}").json()
    assert shown == notice | {"tries": [], "reports": [], "message": None}
    assert client.get("/notices", params=asked | {"status": "sent"}).json()["notices"] == []


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


def test_the_standing_of_many_is_streamed_in_their_order(client: TestClient) -> None:
    answer = client.post("/standing", content=b"ada\n\nnobody\r\nada")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["user"] for one in found] == ["ada", "nobody", "ada"]
    assert found[0] == client.get("/users/ada/standing").json()
    assert found[1]["problem"] == "There is no user 'nobody'."
    assert client.post("/standing", content=b"\xff").status_code == 422


def test_after_the_end_the_host_asks_which_sections_still_hold(client: TestClient) -> None:
    client.post("/users/ada/engagements", json={"document": "terms", "version": 1, "kind": "accepted"})
    assert client.get("/users/ada/surviving").json() == {"termination": None, "since": None, "sections": []}
    client.post("/users/ada/terminations", json={"initiated_by": "user", "reason": "Enough."})
    [left] = client.get("/users/ada/surviving").json()["sections"]
    assert (left["document"], left["version"], left["number"]) == ("terms", 1, "2")
