"""Users over HTTP: good lines go in, bad ones come back with their number."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import Session, select
from starlette.testclient import TestClient

from lifecycle.api.imports import IN_MEMORY
from lifecycle.db import Database
from lifecycle.models import User
from tests.api.conftest import TOKEN, Clock

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}


def known(database: Database) -> set[str]:
    def names(session: Session) -> set[str]:
        return set(session.exec(select(User.external_id)))

    return database.read(names)


def lines(*users: object) -> bytes:
    return b"".join(json.dumps(user).encode() + b"\n" for user in users)


def test_good_lines_go_in_and_bad_ones_are_told_by_number(client: TestClient, database: Database, clock: Clock) -> None:
    clock.now += timedelta(days=1)
    body = lines({"external_id": "u1", "email": "u1@example.com"}, {"external_id": "ada", "locale": "de"})
    body += b"{ no JSON\n\n" + lines({"external_id": "u2", "shoe": 43}, {"external_id": "u3", "email": "nope"})
    body += '{"external_id": "Jürgen"}\n'.encode("latin-1")
    body += lines({"external_id": "u4", "bound": "terms@1", "bound_at": "2026-03-02T09:00:00Z"})
    report = client.post("/users/import", content=body, headers=NDJSON)
    assert report.status_code == 200
    told = report.json()
    assert (told["added"], told["known"], told["bound"]) == (2, 1, 1)
    assert [(p["line"], p["value"]) for p in told["problems"]] == [
        (3, "{ no JSON"),
        (5, '{"external_id": "u2", "shoe": 43}'),
        (6, "u3"),
        (7, '{"external_id": "J?rgen"}'),
    ]
    assert [p["problem"].split(".")[0] for p in told["problems"]] == [
        "The line is not a JSON object",
        "Unknown key 'shoe'",
        "E-mail address 'nope' is not valid: An email address must have an @-sign",
        "The line is not UTF-8",
    ]
    assert known(database) == {"ada", "u1", "u4"}
    assert client.get("/users/u4/bound?document=terms").json()["proof"]["kind"] == "imported"


def test_csv_is_taken_too(client: TestClient, database: Database) -> None:
    body = b"external_id,email\nu1,u1@example.com\nu2\n"
    told = client.post("/users/import", content=body, headers=CSV).json()
    assert (told["added"], [p["line"] for p in told["problems"]]) == (1, [3])
    assert known(database) == {"ada", "u1"}


def test_a_body_too_large_for_memory_goes_in_as_well(client: TestClient, database: Database) -> None:
    names = [f"u{number}" for number in range(1100)]
    body = lines(*({"external_id": name} for name in names)) + b" " * IN_MEMORY
    told = client.post("/users/import", content=iter([body[:1000], body[1000:]]), headers=NDJSON).json()
    assert (told["added"], told["problems"]) == (1100, [])
    assert known(database) == {"ada", *names}


def test_importing_again_changes_nothing(client: TestClient, clock: Clock) -> None:
    body = lines({"external_id": "u1"}, {"external_id": "u2"})
    first = client.post("/users/import", content=body, headers=NDJSON).json()
    clock.now += timedelta(minutes=1)
    again = client.post("/users/import", content=body, headers=NDJSON).json()
    assert ((first["added"], first["known"]), (again["added"], again["known"])) == ((2, 0), (0, 2))


@pytest.mark.parametrize(
    ("content", "kind", "status", "detail"),
    [
        (b"", "application/x-ndjson", 422, "The body is empty."),
        (b"\n \n", "text/csv", 422, "The body is empty."),
        (b"external_id,shoe\n", "text/csv", 422, "The body: unknown column 'shoe' in line 1."),
        (b"email\n", "text/csv", 422, "The body: line 1 must name the column external_id"),
        (b"{}", "application/json", 415, "application/json is not taken; send application/x-ndjson or text/csv."),
    ],
)
def test_what_is_no_list_of_users_is_refused_whole(client, database, content, kind, status, detail) -> None:
    refused = client.post("/users/import", content=content, headers={"Content-Type": kind})
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.status_code, refused.json()["detail"].startswith(detail)) == (status, True), refused.text
    assert known(database) == {"ada"}


async def test_a_body_that_is_cut_off_brings_nobody_in(interface: FastAPI, database: Database) -> None:
    scope: dict[str, Any] = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http"}
    scope |= {"method": "POST", "path": "/users/import", "root_path": "", "query_string": b"", "server": ("api", 80)}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in {**TOKEN, **NDJSON}.items()]
    parts: list[dict[str, Any]] = [{"type": "http.request", "body": lines({"external_id": "u1"}), "more_body": True}]
    parts.append({"type": "http.disconnect"})
    said = []

    async def receive():
        return parts.pop(0) if parts else await asyncio.Future()

    async def send(message):
        said.append(message)

    await interface(scope, receive, send)
    assert said[0]["status"] == 400
    assert known(database) == {"ada"}
