"""Who gets in, and what is said when something is refused: a problem document that says what to do."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from lifecycle.api import api
from lifecycle.db import Database
from lifecycle.settings import Settings
from tests.api.conftest import TOKEN
from tests.conftest import NOW

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic test-token"}])
@pytest.mark.parametrize("path", ["/documents", "/nowhere", "/openapi.json"])
def test_nobody_gets_in_without_the_token(sqlite: Database, make_settings, given, path) -> None:
    refused = TestClient(api(make_settings(), sqlite, lambda: NOW)).get(path, headers=given)
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/documents", "/users/import"])
def test_without_the_token_not_even_the_body_is_read(sqlite: Database, make_settings, path) -> None:
    interface, heard = api(make_settings(), sqlite, lambda: NOW), []

    async def listening(scope, receive, send):
        async def noting():
            heard.append(await receive())
            return heard[-1]

        await interface(scope, noting, send)

    refused = TestClient(listening).post(path, content=b"{ never JSON", headers=JSON)
    assert (refused.status_code, heard) == (401, [])


def test_a_token_may_have_letters_beyond_ascii(sqlite: Database, make_settings: Callable[..., Settings]) -> None:
    client = TestClient(api(make_settings(api_token="schlüssel"), sqlite, lambda: NOW))
    answer = client.get("/documents", headers=[(b"Authorization", "Bearer schlüssel".encode())])
    assert answer.status_code == 200


def test_without_a_token_set_the_api_is_off(sqlite: Database, make_settings: Callable[..., Settings]) -> None:
    off = TestClient(api(make_settings(api_token=""), sqlite, lambda: NOW)).get("/documents", headers=TOKEN)
    assert (off.status_code, off.json()["detail"]) == (503, "The API is off: set ASSENT_API_TOKEN.")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/documents/nope", None, 404, "There is no document 'nope'. Known: terms."),
        ("GET", "/documents/terms/versions/9", None, 404, "'terms' has no version 9. Known: 1."),
        ("GET", "/documents/terms/in-force?at=2020-01-01T00:00:00Z", None, 404, "No version of 'terms' was in force"),
        ("GET", "/users/nobody/standing", None, 404, "There is no user 'nobody'."),
        ("GET", "/notices/9", None, 404, "There is no notice 9."),
        ("GET", "/requests/9", None, 404, "There is no request 9."),
        ("GET", "/terminations/9", None, 404, "There is no termination 9."),
        ("GET", "/nowhere", None, 404, "There is no GET /nowhere."),
        ("DELETE", "/documents", None, 405, "There is no DELETE /documents."),
        ("GET", "/notices?status=lost", None, 422, "status: Input should be 'owed'"),
        ("GET", "/notices?limit=1000", None, 422, "limit: Input should be less than or equal to 200"),
        ("GET", "/notices?after=-1", None, 422, "after: Input should be greater than or equal to 0"),
        ("GET", "/requests/99999999999999999999", None, 422, "out of range"),
        ("GET", "/documents/terms/versions/99999999999999999999", None, 422, "out of range"),
        ("GET", "/users/ada/bound?document=terms&at=2026-01-01T00:00:00", None, 422, "has no time zone"),
        ("GET", "/users/ada/bound?document=terms&at=0001-01-01T00:00:00%2B09:00", None, 422, "out of range"),
        ("GET", "/users/ada/bound?document=terms&at=yesterday", None, 422, "at: Input should be a valid datetime"),
        ("PUT", "/users/u1", {"shoe": 43}, 422, "shoe: Extra inputs are not permitted"),
        ("PUT", "/users/u1", {"email": "nope"}, 422, "E-mail address 'nope' is not valid"),
        ("PUT", "/users/u1", ["locale"], 422, "valid dictionary"),
        ("POST", "/documents", {"slug": "Terms!", "title": "T"}, 422, "Slug 'Terms!' may hold only"),
        ("POST", "/documents", {"slug": "terms", "title": "T"}, 409, "Document 'terms' exists already"),
        ("POST", "/documents/terms/versions", {"texts": {"en": " "}}, 422, "The text is empty."),
        ("POST", "/documents/terms/versions/1/publish", {"mode": "notice"}, 409, "was published at"),
        ("POST", "/documents/terms/versions/1/publish", {"mode": "shout"}, 422, "mode: Input should be 'editorial'"),
        ("POST", "/users/ada/engagements", {"document": "terms", "version": 1, "kind": "notified"}, 422, "is derived"),
        ("POST", "/notices/1/resolve", {"outcome": "retry"}, 404, "There is no notice 1."),
        ("POST", "/answers", {"question": " "}, 422, "A question has 1 to"),
    ],
)
def test_a_refusal_is_a_problem_document(client: TestClient, method, path, body, status, detail) -> None:
    refused = client.request(method, path, json=body)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == refused.status_code == status, refused.text
    assert detail in refused.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b'{"slug": "a", ', 422, "The body is not JSON: Expecting property name"),
        (b"", 422, "The body: Field required"),
        (b'{"slug": "a", "title": "\\ud800"}', 422, "A number or instant is out of range, or a text holds"),
        ('{"slug": "a", "title": "Über uns"}'.encode("latin-1"), 400, "The body is not UTF-8."),
        (b"[" * 200_000, 400, ""),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client: TestClient, content, status, detail) -> None:
    refused = client.post("/documents", content=content, headers=JSON)
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.status_code, refused.json()["detail"].startswith(detail)) == (status, True), refused.text


def test_a_nul_is_refused_or_kept_but_never_an_error_of_ours(client: TestClient) -> None:
    asked = {"kind": "question", "subject": "a\0b"}
    answers = [client.post("/requests", json=asked), client.get("/documents/a%00b"), client.get("/users/%00/standing")]
    assert {answer.status_code for answer in answers} <= {201, 404, 422}


def test_an_error_of_ours_shows_nothing_of_our_insides(interface: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    interface.state.clock = broken
    answer = TestClient(interface, headers=TOKEN, raise_server_exceptions=False).get("/documents")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
