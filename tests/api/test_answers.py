"""Answers over HTTP: outcomes, pins, and what was asked in vain."""

from fastapi.testclient import TestClient
from sqlmodel import Session

from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.states import Mode
from tests.conftest import NOW
from tests.helpers import ZONE, add_user

TEXT = "# Terms\n\n## 1. Seats\n\nA seat is for one person.\n"
PIN = {"document": "seats", "question": "Can two colleagues work together?", "section": "1", "lead_in": "Sorry."}


def published(session: Session) -> None:
    document = store.create_document(session, "seats", title="Seats", now=NOW)
    version = store.draft_version(session, document, {"en": TEXT}, now=NOW)
    publish(session, version, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)


VAIN = {"question": "May I park a caravan?", "user": "vera"}


def test_pins_are_made_listed_confirmed_and_removed(client: TestClient, database: Database):
    database.run(published)
    assert client.post("/answers", json={"question": PIN["question"]}).json()["answered"] is False
    made = client.post("/answers/pins", json=PIN)
    assert made.status_code == 201
    assert (made.json()["section"], made.json()["doubts"]) == ("seats", [])
    found = client.post("/answers", json={"question": PIN["question"]}).json()
    assert (found["outcome"], found["lead_in"], found["pin"]) == ("answered", "Sorry.", made.json()["number"])
    assert client.post("/answers/pins", json=PIN).status_code == 409
    assert client.post(f"/answers/pins/{found['pin']}/confirm", json={}).status_code == 200
    assert [pin["question"] for pin in client.get("/answers/pins").json()["pins"]] == [PIN["question"]]
    assert client.post(f"/answers/pins/{found['pin']}/remove").json()["removed_at"]
    assert client.get("/answers/pins").json() == {"pins": [], "next": None}
    assert client.post("/answers/pins/99/remove").status_code == 404


def test_what_was_asked_in_vain_is_listed_and_dismissed(client: TestClient, database: Database):
    database.run(published)
    database.run(add_user, "vera")
    assert client.post("/answers", json=VAIN).json()["outcome"] == "silent"
    (kept,) = client.get("/answers/unanswered").json()["unanswered"]
    assert (kept["question"], kept["times"]) == ("may i park a caravan?", 1)
    assert client.post(f"/answers/unanswered/{kept['number']}/dismiss").json()["dismissed_at"]
    assert client.get("/answers/unanswered").json()["unanswered"] == []
