"""Lists, page by page: each thing once, in the order of its key, and an end that is said."""

import pytest
from starlette.testclient import TestClient

TEXT = {"texts": {"en": "# Terms\n\nBe nice.\n"}}


def fill(client: TestClient) -> None:
    """Five things on each list; each request owes two notices, that it came in and its answer."""
    for slug in ("privacy", "cookies", "acceptable-use", "acceptable"):
        client.post("/documents", json={"slug": slug, "title": slug})
    for _ in range(4):
        client.post("/documents/terms/versions", json=TEXT)
    for number in range(5):
        client.post("/requests", json={"kind": "question", "subject": f"Why {number}?", "user": "ada"})
        client.post(f"/requests/{number + 1}/reply", json={"text": "Because."})


@pytest.mark.parametrize(
    ("path", "name", "key", "count"),
    [
        ("/documents", "documents", "slug", 5),
        ("/documents/terms/versions", "versions", "version", 5),
        ("/notices", "notices", "id", 10),
        ("/requests", "requests", "number", 5),
    ],
)
def test_pages_hold_each_thing_once_and_the_last_has_no_next(client: TestClient, path, name, key, count) -> None:
    fill(client)
    everything = client.get(path).json()
    keys = [thing[key] for thing in everything[name]]
    assert (len(keys), keys, everything["next"]) == (count, sorted(keys), None)
    for limit in (1, 2, 5):
        pages = [client.get(path, params={"limit": limit}).json()]
        while pages[-1]["next"] is not None:
            pages.append(client.get(path, params={"limit": limit, "after": pages[-1]["next"]}).json())
        assert [thing for page in pages for thing in page[name]] == everything[name]
        assert len(pages) == -(-count // limit), "no empty page at the end"


def test_a_page_goes_on_where_it_stood_though_things_come_and_go(client: TestClient) -> None:
    fill(client)
    first = client.get("/requests", params={"limit": 2}).json()
    client.post("/requests/1/close")
    client.post("/requests", json={"kind": "question", "subject": "And then?"})
    rest = client.get("/requests", params={"after": first["next"]}).json()
    assert [request["number"] for request in rest["requests"]] == [3, 4, 5, 6]
    every = client.get("/requests", params={"all": True}).json()
    assert [request["number"] for request in every["requests"]] == [1, 2, 3, 4, 5, 6]
