"""A POST sent again under its Idempotency-Key is answered as the first time, and does nothing twice."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import sleep

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlmodel import Session, func, select
from starlette.testclient import TestClient

from lifecycle import idempotency, jobs, requests
from lifecycle.db import Database
from lifecycle.errors import InvalidInput
from lifecycle.idempotency import KEPT, AnsweredBefore, Claim
from lifecycle.models import IdempotencyKey, Request
from lifecycle.states import RequestKind
from tests.api.conftest import TOKEN, Clock
from tests.conftest import NOW

ASKED = {"kind": "question", "subject": "Why?", "user": "ada"}
KEY = {"Idempotency-Key": "7c0e9a5e-1f1b-4f0e-9d0a-2f9f8f1f8a11"}
CLAIM = Claim("k", "POST /requests", "0" * 64, 201)


def count(database: Database, model: type = Request) -> int:
    return database.read(lambda session: session.exec(select(func.count()).select_from(model)).one())


def test_the_same_request_again_gets_the_first_answer(client: TestClient, database: Database, clock: Clock) -> None:
    first = client.post("/requests", json=ASKED, headers=KEY)
    clock.now += KEPT - timedelta(seconds=1)
    again = client.post("/requests", json=ASKED, headers=KEY)
    assert (first.status_code, first.content, first.headers["content-type"]) == (
        again.status_code,
        again.content,
        again.headers["content-type"],
    )
    assert (first.status_code, count(database)) == (201, 1)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")


def test_a_key_changes_nothing_about_the_first_answer(client: TestClient) -> None:
    plain, keyed = (client.post("/requests", json=ASKED, headers=headers) for headers in ({}, KEY))
    assert plain.json() | {"number": 2, "joined_to": 1, "state": "joined"} == keyed.json()


def test_without_a_key_every_request_counts(client: TestClient, database: Database) -> None:
    for _ in range(2):
        client.post("/requests", json=ASKED)
    assert (count(database), count(database, IdempotencyKey)) == (2, 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/requests", ASKED | {"subject": "Why not?"}), ("/documents", ASKED), ("/requests/1/reply", {"text": "So."})],
)
def test_the_same_key_with_another_request_is_refused(client: TestClient, database: Database, path, body) -> None:
    client.post("/requests", json=ASKED, headers=KEY)
    refused = client.post(path, json=body, headers=KEY)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert (count(database), count(database, IdempotencyKey)) == (1, 1)


def test_another_request_under_the_key_is_told_which_came_first(client: TestClient) -> None:
    client.post("/requests", json=ASKED, headers=KEY)
    refused = client.post("/requests", json=ASKED | {"subject": "Why not?"}, headers=KEY)
    assert "came with another request (POST /requests at 2026-03-02T09:00:00+00:00)" in refused.json()["detail"]


def test_a_refusal_leaves_the_key_free_for_the_next_try(client: TestClient, database: Database) -> None:
    refused = client.post("/requests", json=ASKED | {"user": "bob"}, headers=KEY)
    assert (refused.status_code, count(database, IdempotencyKey)) == (404, 0)
    client.put("/users/bob", json={})
    assert client.post("/requests", json=ASKED | {"user": "bob"}, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel".encode(), b"a\tb"])
def test_a_key_that_is_none_is_refused(client: TestClient, database: Database, key) -> None:
    refused = client.post("/requests", json=ASKED, headers={"Idempotency-Key": key})
    assert (refused.status_code, count(database)) == (422, 0)
    assert "1 to 255 printable ASCII characters" in refused.json()["detail"]


def test_a_key_on_anything_but_a_post_has_no_meaning(client: TestClient, database: Database) -> None:
    for email in ("a@example.com", "b@example.com"):
        assert client.put("/users/bob", json={"email": email}, headers=KEY).json()["email"] == email
    assert client.get("/documents", headers=KEY).status_code == 200
    assert count(database, IdempotencyKey) == 0


def test_a_question_is_never_kept(client: TestClient, database: Database) -> None:
    for question in ("What survives?", "What else?"):
        assert client.post("/answers", json={"question": question}, headers=KEY).status_code == 200
    assert count(database, IdempotencyKey) == 0


async def test_of_many_at_once_under_one_key_one_does_the_work(interface: FastAPI, database: Database) -> None:
    transport = httpx.ASGITransport(interface)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=TOKEN | KEY) as client:
        answers = await asyncio.gather(*(client.post("/requests", json=ASKED) for _ in range(8)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sorted("idempotency-replayed" in answer.headers for answer in answers) == [False] + [True] * 7
    assert count(database) == 1


def test_the_second_waits_while_the_first_is_at_work(database: Database) -> None:
    begun, may_end = Event(), Event()

    def slow(session: Session) -> int:
        begun.set()
        assert may_end.wait(60)
        return 1

    def waiting(session: Session) -> bool:
        return bool(session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())

    def twice(session: Session) -> int:
        raise AssertionError("the second did the work again")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(database.run, idempotency.once, CLAIM, slow, now=NOW)
        assert begun.wait(60)
        second = pool.submit(database.run, idempotency.once, CLAIM, twice, now=NOW)
        while not (database.is_sqlite or second.done() or database.read(waiting)):
            sleep(0.01)  # on SQLite the second cannot even begin
        may_end.set()
        assert first.result() == 1
        with pytest.raises(AnsweredBefore) as known:
            second.result()
    assert (known.value.status, known.value.answer) == (201, "1")


def test_work_that_fails_leaves_neither_key_nor_half_of_itself(database: Database) -> None:
    def half(session: Session) -> None:
        requests.open_request(session, RequestKind.QUESTION, subject="Why?", source="api", now=NOW)
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        database.run(idempotency.once, CLAIM, half, now=NOW)
    assert (count(database), count(database, IdempotencyKey)) == (0, 0)


def test_after_a_day_a_key_is_new(client: TestClient, database: Database, clock: Clock) -> None:
    client.post("/requests", json=ASKED, headers=KEY)
    clock.now += KEPT
    other = client.post("/requests", json=ASKED | {"subject": "Why not?"}, headers=KEY)
    assert (other.status_code, other.json()["number"], count(database, IdempotencyKey)) == (201, 2, 1)


def test_the_sweep_forgets_keys_after_a_day_and_not_before(client, database, clock, make_settings) -> None:
    def swept() -> int:
        return jobs.run_jobs(jobs.IN_SWEEPS, database, make_settings(), clock.now)["forget_keys"]

    client.post("/requests", json=ASKED, headers=KEY)
    clock.now += KEPT - timedelta(seconds=1)
    client.post("/requests", json=ASKED, headers={"Idempotency-Key": "later"})
    assert swept() == 0
    clock.now += timedelta(seconds=1)
    assert (swept(), swept(), count(database, IdempotencyKey)) == (1, 0, 1)


NDJSON = KEY | {"Content-Type": "application/x-ndjson"}


def test_an_import_sent_again_gets_the_first_report(client: TestClient) -> None:
    body = b'{"external_id": "u1"}\n{}\n'
    first, again = (client.post("/users/import", content=body, headers=NDJSON) for _ in range(2))
    assert (first.json()["added"], [p["line"] for p in first.json()["problems"]]) == (1, [2])
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.headers["idempotency-replayed"] == "true"


def test_another_import_under_the_same_key_brings_nobody_in(client: TestClient) -> None:
    client.post("/users/import", content=b'{"external_id": "u1"}\n', headers=NDJSON)
    assert client.post("/users/import", content=b'{"external_id": "u2"}\n', headers=NDJSON).status_code == 422
    assert client.get("/users/u2/standing").status_code == 404
