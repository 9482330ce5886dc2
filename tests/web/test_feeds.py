"""What machines read: feeds that a feed reader takes, and versions as JSON with their sections."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import feedparser
import pytest
from sqlmodel import Session
from starlette.testclient import TestClient

from lifecycle.app import App, site
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish, withdraw
from lifecycle.settings import Settings
from lifecycle.states import Mode
from lifecycle.web import feeds
from tests.helpers import NOW, TERMS, ZONE, next_version, published_terms

URL = "https://legal.example"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def client(sqlite: Database, make_settings: Callable[..., Settings]) -> Iterator[TestClient]:
    sqlite.run(published_terms)
    sqlite.run(_more)
    with TestClient(site(App(make_settings(public_url=URL), sqlite, lambda: LATER))) as client:
        yield client


def _more(session: Session) -> None:
    next_version(
        session, Mode.NOTICE, texts={"en": TERMS + "\n## 3. <Age> & \x07more\n", "de": "# Bedingungen\n"}, now=LATER
    )
    privacy = store.create_document(session, "privacy", title="Privacy & <Cookies>", now=NOW)
    version = store.draft_version(session, privacy, {"en": "# P\n"}, changelogs={"en": ["First & last."]}, now=NOW)
    publish(session, version, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)
    store.draft_version(session, privacy, {"en": "# Secret draft\n"}, now=NOW)


def read(client: TestClient, path: str) -> feedparser.FeedParserDict:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/atom+xml"
    found = feedparser.parse(answer.content)
    assert not found.bozo, found.get("bozo_exception")
    return found


def test_the_feed_of_a_document_has_an_entry_for_each_published_version(client: TestClient) -> None:
    found = read(client, "/terms/feed.atom")
    assert found.version == "atom10"
    assert found.feed.title == "Terms"
    assert [entry.link for entry in found.entries] == [f"{URL}/terms/2", f"{URL}/terms/1"]
    links = {(link.rel, link.href) for link in found.entries[0].links}
    assert ("related", f"{URL}/terms/compare/1/2") in links
    assert ("alternate", f"{URL}/terms/2.json") in links
    assert not [link for link in found.entries[1].links if link.rel == "related"]


def test_the_feed_of_all_has_all_documents_newest_first_and_no_drafts(client: TestClient) -> None:
    found = read(client, "/feed.atom")
    titles = [entry.title for entry in found.entries]
    assert titles[0] == "Terms, version 2"
    assert set(titles[1:]) == {"Terms, version 1", "Privacy & <Cookies>, version 1"}
    assert "First & last." in client.get("/feed.atom").text.replace("&amp;", "&")
    assert "Secret" not in client.get("/feed.atom").text


@pytest.mark.parametrize("path", ["/feed.atom", "/terms/feed.atom"])
def test_a_feed_has_what_the_standard_asks_for(client: TestClient, path: str) -> None:
    feed = ElementTree.fromstring(client.get(path).content)
    atom = {"a": feeds.ATOM}
    for element in (feed, *feed.findall("a:entry", atom)):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"a:{name}", atom)) == 1, name
        assert element.findtext("a:id", "", atom).startswith("urn:uuid:")
    assert feed.findtext("a:author/a:name", "", atom) == "Acme"
    assert [link.get("href") for link in feed.findall("a:link[@rel='self']", atom)] == [f"{URL}{path}"]
    ids = [element.text for element in feed.iterfind(".//a:id", atom)]
    assert len(set(ids)) == len(ids)


def test_ids_stay_when_the_pages_move_and_the_entry_changes_when_a_version_is_withdrawn(
    client: TestClient, sqlite: Database, make_settings: Callable[..., Settings]
) -> None:
    before = read(client, "/terms/feed.atom")
    sqlite.run(lambda s: withdraw(s, store.version(s, store.document(s, "terms"), 2), reason="A mistake.", now=LATER))
    with TestClient(site(App(make_settings(public_url="https://new.example"), sqlite, lambda: LATER))) as moved:
        after = read(moved, "/terms/feed.atom")
    assert [entry.id for entry in after.entries] == [entry.id for entry in before.entries]
    assert after.feed.id == before.feed.id
    assert "Withdrawn on 2026-03-02: A mistake." in after.entries[0].summary


def test_a_reader_who_has_the_feed_is_not_sent_it_again(client: TestClient) -> None:
    tag = client.get("/feed.atom").headers["etag"]
    again = client.get("/feed.atom", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/feed.atom", headers={"If-None-Match": '"other"'}).status_code == 200


def test_long_feeds_come_in_pages(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ENTRIES", 1)
    first = read(client, "/terms/feed.atom")
    [following] = [link.href for link in first.feed.links if link.rel == "next"]
    second = read(client, following.removeprefix(URL))
    assert [entry.link for feed in (first, second) for entry in feed.entries] == [f"{URL}/terms/2", f"{URL}/terms/1"]
    assert not [link for link in second.feed.links if link.rel == "next"]


def test_a_version_as_json_has_its_sections_whose_texts_joined_are_the_text(client: TestClient) -> None:
    found = client.get("/terms/2.json").json()
    assert (found["document"], found["version"], found["kind"], found["locale"]) == ("terms", 2, "terms", "en")
    assert "".join(section["text"] for section in found["sections"]) == found["text"]
    [liability] = [section for section in found["sections"] if section["title"] == "Liability"]
    assert liability["url"] == f"{URL}/terms/2?locale=en#liability"
    assert client.get("/terms.json").json() == found
    assert client.get("/terms/2.json?locale=de").json()["text"] == "# Bedingungen\n"
    assert client.get("/terms.json").headers["access-control-allow-origin"] == "*"


def test_all_documents_are_listed_for_machines_without_drafts(client: TestClient) -> None:
    privacy, terms = client.get("/documents.json").json()["documents"]
    assert (terms["in_force"], terms["url"], terms["feed"]) == (2, f"{URL}/terms.json", f"{URL}/terms/feed.atom")
    assert privacy["versions"] == [f"{URL}/privacy/1.json"]


@pytest.mark.parametrize(
    "path", ["/nope.json", "/nope/feed.atom", "/terms/9.json", "/privacy/2.json", "/feed.atom?page=0"]
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str | None, str | None]] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag == "link" and facts.get("rel") == "alternate":
            self.found.add((facts.get("type"), facts.get("href")))


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ("/", "/feed.atom"),
        ("/terms", "/terms/feed.atom"),
        ("/terms", "/terms/2.json?locale=en"),
        ("/terms/1", "/terms/1.json?locale=en"),
        ("/terms/history", "/terms/feed.atom"),
    ],
)
def test_pages_name_what_machines_read(client: TestClient, path: str, href: str) -> None:
    links = Links(client.get(path).text).found
    assert href in {target for _, target in links}
    assert client.get(href).status_code == 200
