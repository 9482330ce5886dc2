"""The demo's mailbox in a real browser, and in it every mail in every language."""

from __future__ import annotations

import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from lifecycle.app import serving
from lifecycle.demo.mailbox import Mailbox
from lifecycle.demo.mailbox import page as mailbox_page
from lifecycle.notices import samples
from lifecycle.notices.composing import compose
from lifecycle.notices.rendering import renderer
from lifecycle.states import TEMPLATED, Purpose
from tests.browser.conftest import in_background
from tests.browser.looks import faint_texts, sticks_out
from tests.conftest import NOW

if TYPE_CHECKING:
    from tests.browser.conftest import Visit

HOSTILE = "<script>alert(1)</script><img src=https://elsewhere.example/pixel.gif onerror=alert(2)>"


@dataclass
class Post:
    """The mailbox as it is served, and the port at which it takes mail."""

    url: str
    port: int
    box: Mailbox = field(default_factory=Mailbox)

    def send(self, purpose: Purpose, locale: str = "en", to: str = "ada@users.example", **values: Any) -> None:
        mail = renderer().render(purpose, {**samples.sample(purpose), **values}, locale=locale)
        data = compose(
            mail,
            sender="Acme <legal@acme.example>",
            to=to,
            reply_to="",
            message_id=f"<{len(self.box.mails)}@acme.example>",
            date=NOW,
        )
        with smtplib.SMTP("127.0.0.1", self.port) as relay:
            relay.sendmail("legal@acme.example", [to], data)


@pytest.fixture
def post(port: int) -> Iterator[Post]:
    @asynccontextmanager
    async def both() -> AsyncIterator[Post]:
        box = Mailbox()
        async with box.listening() as smtp, serving(mailbox_page(box), port=port):
            yield Post(f"http://127.0.0.1:{port}", smtp, box)

    with in_background(both()) as made:
        yield made


@pytest.fixture
def every_mail(post: Post) -> list[str]:
    """Sends every mail in every language; what each is."""
    kinds = [(purpose, locale) for locale in renderer().locales() for purpose in TEMPLATED]
    for purpose, locale in kinds:
        post.send(purpose, locale)
    return [f"{locale} {purpose.value}" for purpose, locale in kinds]


def test_an_empty_mailbox_says_so(visit: Visit, post: Post) -> None:
    assert "No mail yet." in visit(post.url).locator("main").inner_text()


def test_the_newest_mail_is_first(visit: Visit, post: Post) -> None:
    post.send(Purpose.VERSION_PUBLISHED)
    post.send(Purpose.TERMINATION_NOTICE, to="ben@users.example")
    page = visit(post.url)
    assert page.locator("h1").inner_text() == "Mailbox: 2 mails"
    assert page.locator("td:nth-child(2)").all_inner_texts() == ["ben@users.example", "ada@users.example"]


def test_a_mail_is_shown_as_html_as_text_and_with_its_headers(visit: Visit, post: Post) -> None:
    post.send(Purpose.VERSION_PUBLISHED, "de", document="Nutzungsbedingungen")
    page = visit(post.url)
    page.get_by_role("link", name="Nutzungsbedingungen").click()
    html = page.frame_locator("iframe")
    assert html.locator("h1").inner_text() == "Nutzungsbedingungen, Version 2"
    assert html.locator("html").get_attribute("lang") == "de"
    text, headers = page.locator("pre").all_inner_texts()
    assert text.startswith("Nutzungsbedingungen, Version 2\n")
    assert "To: ada@users.example" in headers
    raw = page.request.get(post.url + "/mail/1/raw")
    assert (raw.body(), raw.headers["content-type"]) == (post.box.mails[0].data, "text/plain; charset=utf-8")


def test_a_link_in_a_mail_opens_beside_the_mailbox(visit: Visit, post: Post) -> None:
    post.send(Purpose.VERSION_PUBLISHED, answer_url=post.url + "/mail/1/raw")
    page = visit(post.url + "/mail/1")
    with page.expect_popup() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Accept or decline").click()
    opened.value.wait_for_url(post.url + "/mail/1/raw")
    assert page.url == post.url + "/mail/1"


def test_hostile_values_in_a_mail_do_nothing(visit: Visit, post: Post) -> None:
    post.send(Purpose.TERMINATION_NOTICE, reason=HOSTILE, operator=HOSTILE, redress=HOSTILE)
    page = visit(post.url)
    page.locator("td a").click()
    assert HOSTILE in page.locator("h1").inner_text()
    html = page.frame_locator("iframe")
    assert HOSTILE in html.locator("body").inner_text()
    assert html.locator("script, img").count() == page.locator("script, img").count() == 0


def test_a_mail_that_is_not_there_is_said_in_words(visit: Visit, post: Post) -> None:
    page = visit(post.url + "/mail/7")
    assert "There is no mail 7; 0 have arrived." in page.locator("main").inner_text()
    page.get_by_role("link", name="All mail").click()
    assert page.url == post.url + "/"


@pytest.mark.parametrize("width", [360, 1200])
def test_no_mail_is_wider_than_its_window(visit: Visit, post: Post, every_mail: list[str], width: int) -> None:
    assert _judged(visit, post, every_mail, sticks_out, width=width) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_mail_stands_out_from_its_background(
    visit: Visit, post: Post, every_mail: list[str], scheme: str
) -> None:
    assert _judged(visit, post, every_mail, faint_texts, scheme=scheme) == {}


def test_every_mail_has_its_language_a_title_and_one_heading(visit: Visit, post: Post, every_mail: list[str]) -> None:
    page = visit(post.url)
    for number, name in enumerate(every_mail, start=1):
        page.goto(f"{post.url}/mail/{number}/html")
        assert page.locator("html").get_attribute("lang") == name.split()[0], name
        assert page.title() == post.box.mails[number - 1].subject, name
        assert page.locator("h1").count() == 1, name


def _judged(visit: Visit, post: Post, names: list[str], judge: Callable[..., Any], **window: Any) -> dict[str, Any]:
    """What is wrong with the mailbox's pages and with each mail as HTML, by name."""
    paths = {"mailbox": "/", "mail": "/mail/1", "no mail": "/mail/99"}
    paths |= {name: f"/mail/{number}/html" for number, name in enumerate(names, start=1)}
    page, faults = visit(post.url, **window), {}
    for name, path in paths.items():
        page.goto(post.url + path)
        faults[name] = judge(page)
    return {name: found for name, found in faults.items() if found}
