"""The public pages: every text safe to show, and a place to answer that looking never changes."""

from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
from sqlmodel import Session, select
from starlette.testclient import TestClient

from lifecycle import links, users
from lifecycle.app import App, site
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.compare import compare
from lifecycle.models import Engagement, Trace
from lifecycle.scheduler import utc_now
from lifecycle.settings import Settings
from lifecycle.states import EngagementKind, Mode
from lifecycle.web import feeds, health, pages
from lifecycle.web.markup import TAGS, change_html, text_html
from tests.conftest import NOW
from tests.helpers import add_user, engage, next_version, published_terms


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def client(sqlite: Database, settings: Settings) -> Iterator[TestClient]:
    sqlite.run(published_terms)
    sqlite.run(add_user)
    with TestClient(site(App(settings, sqlite, lambda: NOW))) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/terms", "/terms/1", "/terms/history", "/terms/compare/1/1", "/style.css"])
def test_the_pages_are_there_and_allow_no_script(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/nope", "/terms/9", "/terms/abc", "/terms/compare/1/9", "/a/b/c/d/e"])
def test_what_is_not_there_is_said_in_the_same_look(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 404
    assert "To all terms and policies" in page.text


def test_a_section_link_lands(client: TestClient) -> None:
    assert '<section id="liability">' in client.get("/terms").text


def test_looking_at_the_answer_page_changes_nothing(client: TestClient, settings: Settings, sqlite: Database) -> None:
    page = client.get(f"/answer/{links.answer_token(settings, 1, 1, now=utc_now())}")
    assert "I accept this version" in page.text
    assert sqlite.read(lambda s: s.exec(select(Engagement)).all()) == []


def test_an_answer_is_kept_with_its_words_and_where_it_came_from(
    client: TestClient, settings: Settings, sqlite: Database
) -> None:
    page = client.post(f"/answer/{links.answer_token(settings, 1, 1, now=utc_now())}", data={"answer": "accept"})
    assert "you accepted this version" in page.text
    [fact] = sqlite.read(lambda s: s.exec(select(Engagement)).all())
    assert (fact.kind.value, fact.wording, fact.channel) == ("accepted", "I accept this version", "web")
    assert sqlite.read(lambda s: s.get_one(Trace, fact.id)).user_agent == "testclient"


def test_who_reads_german_is_asked_in_german_and_the_german_words_are_kept(
    client: TestClient, settings: Settings, sqlite: Database
) -> None:
    sqlite.run(lambda s: users.upsert(s, "ada", locale="de-AT", now=NOW))
    url = f"/answer/{links.answer_token(settings, 1, 1, now=utc_now())}"
    asked = client.get(url).text
    assert '<html lang="de">' in asked
    assert "Ich lehne diese Version ab</button>" in asked
    done = client.post(url, data={"answer": "accept"}).text
    assert "dass Sie diese Version angenommen haben" in done
    assert "Für Sie gilt Version 1 seit" in done
    [fact] = sqlite.read(lambda s: s.exec(select(Engagement)).all())
    assert fact.wording == "Ich nehme diese Version an"


def test_the_answer_page_says_what_binds_now_in_the_zone_of_its_other_dates(
    client: TestClient, settings: Settings, sqlite: Database
) -> None:
    url = f"/answer/{links.answer_token(settings, 1, 1, now=utc_now())}"
    assert "No version of this text binds you yet." in client.get(url).text
    client.post(url, data={"answer": "accept"})
    assert "Version 1 binds you since <time" in client.get(url).text


def test_the_history_tells_the_version_in_force_from_those_before(client: TestClient, sqlite: Database) -> None:
    sqlite.run(next_version, Mode.NOTICE)
    lines = [line for line in client.get("/terms/history").text.splitlines() if ", published" in line]
    assert [line.split(" <time")[0] for line in lines] == ["In force since", "In force from"]


@pytest.mark.parametrize("token", ["forged", "WzEsMV0.aaaa.bbbb"])
def test_a_forged_link_is_refused(client: TestClient, token: str) -> None:
    page = client.get(f"/answer/{token}")
    assert page.status_code == 422
    assert "This link is not valid" in page.text


def test_an_answer_that_is_not_offered_is_refused(client: TestClient, settings: Settings) -> None:
    page = client.post(f"/answer/{links.answer_token(settings, 1, 1, now=utc_now())}", data={"answer": "object"})
    assert page.status_code == 404


def test_supervisors_are_answered(client: TestClient) -> None:
    assert client.get("/healthz").text == client.get("/readyz").text == "ok\n"
    assert "assent_users 1" in client.get("/metrics").text


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1)) [y](data:text/html,x) [z](vbscript:x)",
        "# <a onclick=x>h</a>\n\n> <iframe src=//evil.example></iframe>",
        "| a |\n| - |\n| <svg onload=x> |",
        "{{ 7 * 7 }} {% include 'x' %}",
        "![pixel](https://evil.example/p.gif)",
    ],
)
def test_hostile_text_becomes_no_more_than_text(text: str) -> None:
    seen = Seen()
    seen.feed(str(text_html(text)))
    assert seen.tags <= TAGS | {"section"}
    assert {name for name, _ in seen.attributes} <= {"id", "href", "rel", "title", "start"}
    assert not any("script:" in value or value.startswith("data:") for _, value in seen.attributes)


def test_the_answer_page_leads_to_all_that_changed_since_the_version_that_binds(
    client: TestClient, settings: Settings, sqlite: Database
) -> None:
    def further(session: Session) -> int:
        user, terms = users.user(session, "ada"), store.document(session, "terms")
        engage(session, user, store.version(session, terms, 1), EngagementKind.ACCEPTED)
        next_version(session, Mode.EXPLICIT)
        return next_version(session, Mode.EXPLICIT, texts={"en": "# Terms\n\nOther.\n"}).id

    token = links.answer_token(settings, 1, sqlite.run(further), now=utc_now())
    page = client.get(f"/answer/{token}").text
    assert '<a href="/terms/compare/1/3?locale=en">See all that changed since version 1, which binds you</a>' in page
    compared = client.get("/terms/compare/1/3?locale=en").text
    assert 'in between came version <a href="/terms/2?locale=en">2</a>' in compared


def test_what_lies_far_from_a_change_is_left_out_of_a_comparison_and_counted() -> None:
    text = "# Terms\n\n" + "word " * 1000 + "\n\nThe end.\n"
    [change] = compare(text, text.replace("The end", "An end"))
    shown = change_html(change)
    assert "<del>The</del><ins>An</ins> end." in shown
    assert "unchanged words" in shown
    assert len(shown) < 600


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("## 2. Fees\n\nFree.\n", "## 2. Fees\n\nPaid.\n", "<del>Free</del><ins>Paid</ins>."),
        ("## 2. Fees\n\nFree.\n", "## 2. Prices\n\nFree.\n", "2. <del>Fees</del><ins>Prices</ins>\n\nFree."),
        ("## 2\\. Fees\n\nNone \\#1.\n", "## 3\\. Fees\n\nNone \\#1.\n", "<del>2</del><ins>3</ins>. Fees\n\nNone #1."),
        ("## Fees\n\nFree.\n", "### Fees\n\nFree.\n", "Fees\n\nFree."),
        ("", "## Age\n\nYou are 16.\n", "<ins>You are 16.\n</ins>"),
        ("", "## Age\n", "<ins><strong>Age</strong>\n</ins>"),
        ("A # b\n", "A # c\n", "A # <del>b</del><ins>c</ins>"),
    ],
)
def test_a_comparison_shows_headings_and_escapes_as_readers_expect_them(old: str, new: str, shown: str) -> None:
    [change] = [change for change in compare(old, new) if change.was != change.now and change.now]
    assert change_html(change) == shown


def test_a_section_that_took_in_others_shows_their_headings_as_headings() -> None:
    parts = [
        " ".join(f"{word}{n}" for word in ["we", "keep", "what", "you", "give", "us", "for", "days"]) + ".\n"
        for n in range(3)
    ]
    old = "# A\n\n" + parts[0] + "\n# B\n\n" + parts[1] + "\n# C\n\n" + parts[2]
    merged = [change for change in compare(old, "# A\n\n" + "\n".join(parts)) if len(change.old) > 1]
    assert merged
    assert "#" not in change_html(merged[0])
    assert "<strong>B</strong>" in change_html(merged[0])


def test_no_document_can_hide_behind_a_page_of_assent(settings: Settings, sqlite: Database) -> None:
    """Each page's first word that would be a slug is refused as one."""
    public = pages.Pages(settings, sqlite, lambda: NOW)
    routers = [health.routes(sqlite), feeds.routes(public), pages.routes(public)]
    paths = [str(getattr(route, "path", "")) for router in routers for route in router.routes]
    words = {path.split("/")[1].partition(".")[0] for path in paths}
    taken = {word for word in words if store.SLUG.match(word)}
    assert {"prove", "answer", "documents"} <= taken <= store.RESERVED
