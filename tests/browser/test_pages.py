"""The public pages in a real browser; `visit` fails every test in which a script runs or a request leaves loopback."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.browser.looks import faint_texts, sticks_out
from tests.browser.world import CRUEL

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.browser.world import World

KEYBOARD_STEPS = 40


# -- every page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_is_wider_than_its_window(visit: Visit, world: World, width: int) -> None:
    page, wide = visit(world.url, width=width), {}
    for name, url in world.pages().items():
        page.goto(url)
        wide[name] = sticks_out(page)
    assert {name: pixels for name, pixels in wide.items() if pixels > 0} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_background(visit: Visit, world: World, scheme: str) -> None:
    page, faint = visit(world.url, scheme=scheme), {}
    for name, url in world.pages().items():
        page.goto(url)
        faint[name] = faint_texts(page)
    assert {name: texts for name, texts in faint.items() if texts} == {}


def test_dark_mode_is_dark(visit: Visit, world: World) -> None:
    colour = "getComputedStyle(document.body).color"
    assert visit(world.url, scheme="light").evaluate(colour) != visit(world.url, scheme="dark").evaluate(colour)


def test_every_page_has_a_language_a_title_one_heading_and_its_landmarks(visit: Visit, world: World) -> None:
    page, found = visit(world.url), {}
    for name, url in world.pages().items():
        page.goto(url)
        found[name] = (
            page.locator("html").get_attribute("lang"),
            bool(page.title().partition(" · ")[0].strip()),
            page.get_by_role("heading", level=1).count(),
            *(page.get_by_role(landmark).count() for landmark in ("banner", "main", "contentinfo")),
        )
    german = {name for name, facts in found.items() if facts[0] == "de"}
    assert german == {"german version", "question in German"}
    assert {name: facts for name, facts in found.items() if facts[1:] != (True, 1, 1, 1, 1)} == {}


def test_no_link_leads_nowhere(visit: Visit, world: World) -> None:
    page, seen = visit(world.url), {}
    for url in world.pages().values():
        page.goto(url)
        hrefs = page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
        seen.update({href.partition("#")[0]: url for href in hrefs if href.startswith(world.url)})
    broken = {href: on for href, on in seen.items() if page.request.get(href).status != 200}
    # A page that is an error page stands under its own address, which its skip link names again.
    assert {href: on for href, on in broken.items() if href != on} == {}


def test_the_keyboard_can_skip_to_the_text(visit: Visit, world: World) -> None:
    page = visit(world.url + "/privacy")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the text"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


# -- reading and comparing ---------------------------------------------------------------------------------------


def test_the_index_leads_to_every_text(visit: Visit, world: World) -> None:
    page = visit(world.url)
    assert page.locator(".cards h2").all_inner_texts() == ["Cookies", "Hostile", "Layered", "Privacy", "Withdrawn"]
    page.get_by_role("link", name="Privacy").click()
    assert page.locator("article h1").inner_text() == "Privacy"
    assert "Privacy, version 2 is in force since 2026-03-02 09:00 UTC." in page.locator(".status").inner_text()


def test_the_contents_lead_to_the_section_and_mark_it(visit: Visit, world: World) -> None:
    page = visit(world.url + "/privacy", width=360)
    page.get_by_text("Contents").click()
    page.get_by_role("link", name="10 Logs").click()
    section = page.locator("section:target")
    assert (page.url, section.get_attribute("id")) == (f"{world.url}/privacy#logs", "logs")
    box = section.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 400, "the section is at the top of the window"
    paint = "element => getComputedStyle(element).backgroundColor"
    assert section.evaluate(paint) != page.locator("section#part-1").evaluate(paint)


def test_a_link_to_a_section_opens_there(visit: Visit, world: World) -> None:
    page = visit(world.url + "/privacy/1#part-7")
    box = page.locator("section:target").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 400


def test_the_language_can_be_switched_and_is_kept(visit: Visit, world: World) -> None:
    page = visit(world.url + "/privacy")
    page.get_by_role("link", name="Deutsch").click()
    assert page.locator("article[lang=de] h1").inner_text() == "Datenschutz"
    assert page.locator("[aria-current=true]").inner_text() == "Deutsch"
    assert page.locator("aside ul[lang=de]").inner_text() == "Protokolle werden 30 Tage aufbewahrt."
    page.goto(world.url + "/privacy/1?locale=de")
    page.locator(".status").get_by_role("link", name="version 2").click()
    assert page.locator("article").get_attribute("lang") == "de"


def test_added_and_removed_words_differ_by_more_than_colour(visit: Visit, world: World) -> None:
    page = visit(world.url + "/privacy/history")
    page.get_by_role("link", name="what changed").click()
    removed, added = page.locator("pre del").first, page.locator("pre ins").first
    assert (removed.inner_text(), added.inner_text()) == ("90", "30")
    line = "element => getComputedStyle(element).textDecorationLine"
    assert (removed.evaluate(line), added.evaluate(line)) == ("line-through", "underline")
    spoken = "element => getComputedStyle(element, '::before').content"
    assert "removed" in removed.evaluate(spoken)
    assert "added" in added.evaluate(spoken)
    assert page.locator("h2").all_inner_texts() == ["10 Logs", "11 Tables"]


def test_a_comparison_speaks_the_readers_language(visit: Visit, world: World) -> None:
    page = visit(world.url + "/privacy/compare/1/2?locale=de")
    assert (page.locator("pre del").inner_text(), page.locator("pre ins").inner_text()) == ("Sie", "Er")
    page.get_by_role("link", name="English").click()
    assert page.locator("pre del").first.inner_text() == "90"


# -- answering ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "button", "said"),
    [("Enter", "I accept this version", "accepted"), ("Space", "I decline this version", "declined")],
)
def test_the_keyboard_alone_can_answer(visit: Visit, world: World, key: str, button: str, said: str) -> None:
    page = visit(world.answer_page())
    for _ in range(KEYBOARD_STEPS):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == button:
            break
    assert page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    with page.expect_navigation():
        page.keyboard.press(key)
    assert f"you {said} this version" in page.get_by_role("status").inner_text()
    assert world.answers() == [said]


def test_a_second_click_is_harmless(visit: Visit, world: World) -> None:
    page = visit(world.answer_page())
    page.get_by_role("button", name="I accept").dblclick()
    page.wait_for_selector("[role=status]")
    page.reload()
    assert "you accepted this version" in page.get_by_role("status").inner_text()
    assert world.answers() == ["accepted"]


def test_the_same_answer_from_two_windows_is_one(visit: Visit, world: World) -> None:
    windows = [visit(world.answer_page()) for _ in range(2)]
    for page in windows:
        page.get_by_role("button", name="I decline").click()
        assert "you declined this version" in page.get_by_role("status").inner_text()
    assert world.answers() == ["declined"]


def test_only_what_can_still_be_answered_is_offered(visit: Visit, world: World) -> None:
    page = visit(world.answer_page())
    page.get_by_role("button", name="I decline").click()
    assert page.get_by_role("button").all_inner_texts() == ["I accept this version"]
    page.get_by_role("button", name="I accept").click()
    assert page.get_by_role("button").count() == 0
    assert "There is nothing more to answer" in page.locator("main").inner_text()
    assert world.answers() == ["declined", "accepted"]


def test_an_answer_that_came_too_late_is_refused_in_words(visit: Visit, world: World) -> None:
    late = visit(world.answer_page())
    visit(world.answer_page()).get_by_role("button", name="I accept").click()
    late.get_by_role("button", name="I decline").click()
    assert late.locator("h1").inner_text() == "That is not possible"
    assert "withdraw the acceptance instead" in late.locator("main").inner_text()
    assert world.answers() == ["accepted"]


def test_what_binds_by_silence_offers_an_objection(visit: Visit, world: World) -> None:
    page = visit(world.answer_page("ada", "cookies", 1))
    page.get_by_role("button", name="I object").click()
    assert "you objected to this version" in page.get_by_role("status").inner_text()
    assert world.answers() == ["objected"]


def test_what_an_earlier_version_still_asks_is_asked_of_a_milder_one(visit: Visit, world: World) -> None:
    page = visit(world.answer_page("ada", "layered", 2))
    assert "binds you only if you accept it" in page.locator("main").inner_text()
    page.get_by_role("button", name="I accept").click()
    assert "Version 2 binds you since" in page.locator("main").inner_text()


def test_what_was_withdrawn_asks_for_no_answer(visit: Visit, world: World) -> None:
    page = visit(world.answer_page("ada", "withdrawn", 2))
    assert "there is nothing to answer" in page.locator("main").inner_text()
    assert page.get_by_role("button").count() == 0


# -- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nope", "/privacy/9", "/answer", "/privacy/compare/1/two"])
def test_a_wrong_address_is_said_in_words(visit: Visit, world: World, path: str) -> None:
    page = visit(world.url + path, width=360)
    assert page.locator("h1").inner_text() == "Not found"
    assert "There is no" in page.locator("main").inner_text()
    page.get_by_role("link", name="To all terms and policies").click()
    assert page.url == world.url + "/"


def test_a_forged_link_is_refused_in_words(visit: Visit, world: World) -> None:
    page = visit(world.answer_page()[:-1] + "_")
    assert page.locator("h1").inner_text() == "That did not work"
    assert "This link is not valid. Open it again from the mail" in page.locator("main").inner_text()
    assert page.get_by_role("button").count() == 0


def test_an_expired_link_says_how_to_get_a_new_one(visit: Visit, world: World) -> None:
    page = visit(world.answer_page(age=timedelta(days=181)))
    assert "This link has expired. Ask for a new one" in page.locator("main").inner_text()
    assert page.get_by_role("button").count() == 0


# -- hostile texts -----------------------------------------------------------------------------------------------


def test_a_hostile_text_is_shown_and_does_nothing(visit: Visit, world: World) -> None:
    page = visit(world.url + "/hostile")
    article = page.locator("article")
    assert '<script>alert("block")</script>' in article.inner_text()
    assert "{{ 7 * 7 }}" in article.inner_text()
    assert page.locator("script, style, iframe, svg, img, base, [onclick], [onerror], [onmouseover]").count() == 0
    assert article.locator("a[href^='javascript'], a[href^='data']").count() == 0
    for word in ("raw", "link", "data", "heading"):
        article.get_by_text(word).first.click()
    assert page.url == world.url + "/hostile"
    assert page.locator("footer").is_visible(), "nothing broke out of the text"


def test_hostile_names_and_reasons_are_only_text(visit: Visit, world: World) -> None:
    page = visit(world.answer_page(CRUEL, "hostile"))
    assert CRUEL in page.locator("main p").first.inner_text()
    assert CRUEL in page.locator("h1").inner_text()
    page.goto(world.url + "/withdrawn/history")
    assert CRUEL in page.locator("main").inner_text()
    page.goto(world.url + "/hostile/compare/1/2")
    assert '<script>alert("block")</script>' in page.locator("main").inner_text()
    assert page.locator("img, script").count() == 0
