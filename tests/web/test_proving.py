"""The page behind the link that proves who asked: opening it does nothing, its buttons do what they say."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from lifecycle import links, requests, users
from lifecycle.app import App, site
from lifecycle.db import Database
from lifecycle.models import Request
from lifecycle.settings import Settings
from lifecycle.states import RequestKind
from tests.conftest import NOW
from tests.helpers import DAY, add_user


class Page:
    """The pages, at an instant that may be moved, and request 1 of ada behind them."""

    def __init__(self, database: Database, settings: Settings, kind: RequestKind) -> None:
        self.database, self.settings, self.now = database, settings, NOW
        self.client = TestClient(site(App(settings, database, lambda: self.now)))
        database.run(lambda s: requests.open_request(s, kind, subject="?", user=add_user(s), source="discord", now=NOW))
        self.url = f"/prove/{links.proof_token(settings, 1, 'ada@example.com', now=NOW)}"

    @property
    def request(self) -> Request:
        return self.database.read(requests.request, 1)

    def press(self, button: str) -> str:
        return self.client.post(self.url, data={"button": button}).text


@pytest.fixture
def make_page(sqlite: Database, make_settings: Callable[..., Settings]) -> Callable[..., Page]:
    return lambda kind=RequestKind.ERASURE: Page(sqlite, make_settings(), kind)


def test_opening_the_link_changes_nothing(make_page) -> None:
    page = make_page()
    for method in ("get", "head"):
        getattr(page.client, method)(page.url)
    shown = page.client.get(page.url).text
    assert "for the account <strong>ada</strong>" in shown
    assert (page.request.verified_at, page.request.erase_at) == (None, None)


def test_saying_it_was_me_proves_it_and_erases_nothing(make_page) -> None:
    page = make_page()
    assert "Thank you." in page.press("me")
    assert (page.request.verified_at, page.request.verified_by, page.request.erase_at) == (NOW, "mailed link", None)


def test_who_reads_german_is_asked_in_german(make_page) -> None:
    page = make_page()
    page.database.run(lambda s: users.upsert(s, "ada", locale="de", now=NOW))
    shown = page.client.get(page.url).text
    assert "Mein ganzes Konto löschen</button>" in shown
    assert "um die Löschung von Daten gebeten, für das Konto <strong>ada</strong>" in shown
    assert "Das Konto wird am" in page.press("erase")


def test_the_whole_account_goes_only_by_its_own_button_and_after_the_wait(make_page) -> None:
    page = make_page()
    shown = page.press("erase")
    assert "The account will be erased on" in shown
    assert "<form" not in shown
    assert page.request.erase_at == NOW + 3 * DAY
    page.now = NOW + DAY
    page.press("erase")
    assert page.request.erase_at == NOW + 3 * DAY


def test_a_request_for_a_copy_offers_no_erasure(make_page) -> None:
    page = make_page(RequestKind.ACCESS)
    assert "Erase my whole account" not in page.client.get(page.url).text
    page.press("erase")
    assert (page.request.verified_at, page.request.erase_at) == (None, None)


@pytest.mark.parametrize("later", [7 * DAY, 90 * DAY])
def test_the_link_expires(make_page, later) -> None:
    page = make_page()
    page.now = NOW + later
    answer = page.client.post(page.url, data={"button": "erase"})
    assert (answer.status_code, page.request.verified_at) == (422, None)
    assert "This link has expired" in answer.text


def test_a_link_to_an_address_that_is_no_longer_the_accounts_proves_nothing(make_page) -> None:
    page = make_page()
    page.database.run(lambda s: users.upsert(s, "ada", email="ada@elsewhere.example", now=NOW))
    assert "went to another address" in page.press("erase")
    assert page.request.verified_at is None


@pytest.mark.parametrize("spoil", [lambda url: url[:-1], lambda url: url.replace("prove/W", "prove/X")])
def test_a_damaged_link_proves_nothing(make_page, spoil) -> None:
    page = make_page()
    assert page.client.post(spoil(page.url), data={"button": "me"}).status_code == 422
    assert page.request.verified_at is None


def test_a_link_to_answer_with_is_no_proof(make_page) -> None:
    page = make_page()
    token = links.answer_token(page.settings, 1, 1, now=NOW)
    assert page.client.post(f"/prove/{token}", data={"button": "me"}).status_code == 422


def test_another_button_is_refused_and_a_closed_request_says_so(make_page) -> None:
    page = make_page()
    assert page.client.post(page.url, data={"button": "<script>"}).status_code == 422
    page.database.run(lambda s: requests.close(s, requests.request(s, 1), now=NOW))
    shown = page.press("me")
    assert "was closed on" in shown
    assert page.request.verified_at is None
