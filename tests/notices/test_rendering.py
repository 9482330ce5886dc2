"""Mail templates: each renders in every turn, misses nothing in silence, and says the same in both parts."""

import re
import shutil
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, meta, nodes

from lifecycle.errors import TemplateError
from lifecycle.notices import preview, rendering, samples
from lifecycle.notices.rendering import Renderer, header_text, renderer
from lifecycle.settings import resource
from lifecycle.states import TEMPLATED, Channel, Purpose

TEMPLATES = resource("templates")
LOCALES = ["de", "en"]
WORD = re.compile(r"\w+")
BLOCKS = {"br", "p", "li", "h1", "h2", "h3", "blockquote", "ul", "hr", "div"}
MAIL = [(purpose, locale) for purpose in TEMPLATED for locale in LOCALES]
each_mail = pytest.mark.parametrize(("purpose", "locale"), MAIL)


class Page(HTMLParser):
    """An HTML part as a mail program reads it; links are written out as in the text part."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.styles: list[str] = []
        self.said = ""
        self._open: list[str] = []
        self._link = ("", 0)
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.styles.append(attributes.get("style") or "")
        self._open.append(tag)
        self.said += " " if tag in BLOCKS else ""
        if attributes.get("class") == "sheet":
            self.said = ""
        if tag == "a":
            self._link = (attributes.get("href") or "", len(self.said))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        self.said += " " if tag in BLOCKS else ""
        href, start = self._link
        if tag == "a" and self.said[start:] != href:
            self.said += f": {href}"

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.styles.append(data)
        elif "head" not in self._open:
            self.said += data

    @property
    def links(self) -> list[str | None]:
        return [attributes.get("href") for tag, attributes in self.tags if tag == "a"]


def turns(purpose: Purpose) -> Iterator[dict[str, Any]]:
    """The values for every branch of the template."""
    for turn in [{}, *samples.TURNS[purpose]]:
        yield {**samples.sample(purpose), **turn}


def without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {known: value for known, value in values.items() if known != name}


def sources(name: str) -> Iterator[nodes.Template]:
    """The template and all that it includes, parsed."""
    parsed = Environment(trim_blocks=True, lstrip_blocks=True).parse((TEMPLATES / name).read_text("utf-8"))
    yield parsed
    for included in meta.find_referenced_templates(parsed):
        assert included is not None
        yield from sources(included)


def words(text: str) -> str:
    return f" {' '.join(WORD.findall(text))} "


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of our templates that a test may change; a new Renderer reads it."""
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr(rendering, "resource", lambda name: tmp_path / name)
    return tmp_path / "templates"


# -- every template ------------------------------------------------------------------------------------------------


def test_there_is_a_template_for_every_purpose_in_every_language() -> None:
    assert renderer().locales() == LOCALES
    missing = [mail for mail in MAIL if not (TEMPLATES / "email" / mail[1] / f"{mail[0].value}.md").is_file()]
    assert missing == []


@each_mail
def test_every_turn_of_a_template_renders(purpose: Purpose, locale: str) -> None:
    for values in turns(purpose):
        mail = renderer().render(purpose, values, locale=locale)
        assert mail.locale == locale
        assert "\n" not in mail.subject
        for part in (mail.subject, mail.text, mail.html):
            assert part.strip()
            assert not re.search(r"zqv|\{\{|\{%|None|True|False", part)


@each_mail
def test_every_sentence_of_a_template_is_said_in_some_turn(purpose: Purpose, locale: str) -> None:
    mails = [renderer().render(purpose, values, locale=locale) for values in turns(purpose)]
    said = "".join(words(mail.subject) + words(mail.text) for mail in mails)
    literals = [
        literal.data.removeprefix("Subject: ")
        for source in sources(f"email/{locale}/{purpose.value}.md")
        for literal in source.find_all(nodes.TemplateData)
    ]
    pieces = [piece for literal in literals for piece in literal.split("\n\n")]
    assert [piece for piece in pieces if words(piece).strip() not in said] == []


@each_mail
def test_text_and_html_say_the_same_words(purpose: Purpose, locale: str) -> None:
    for values in turns(purpose):
        mail = renderer().render(purpose, values, locale=locale)
        marks = {"-", ">", "--"}
        assert [word for word in mail.text.split() if word not in marks] == Page(mail.html).said.split()


@each_mail
def test_html_is_styled_in_place_and_loads_nothing(purpose: Purpose, locale: str) -> None:
    for values in turns(purpose):
        mail = renderer().render(purpose, values, locale=locale)
        page = Page(mail.html)
        assert {tag for tag, _ in page.tags} <= {"html", "head", "style", "meta", "title", "body", "div"} | (
            {"h1", "h2", "h3", "p", "a", "ul", "li", "hr", "br", "blockquote", "strong"}
        )
        names = {name for _, attributes in page.tags for name in attributes}
        assert not names & {"src", "srcset", "background", "poster", "http-equiv"}
        assert not re.search(r"url\(|@import|expression", " ".join(page.styles), re.IGNORECASE)
        unstyled = {tag for tag, attributes in page.tags if not attributes.get("style")}
        assert not unstyled & {"body", "div", "h1", "h2", "h3", "p", "a", "ul", "li", "hr", "blockquote"}
        assert any("prefers-color-scheme:dark" in style for style in page.styles)


@each_mail
def test_every_link_of_a_mail_is_one_of_its_values(purpose: Purpose, locale: str) -> None:
    for values in turns(purpose):
        mail = renderer().render(purpose, values, locale=locale)
        assert all(link and link.startswith(samples.URL) for link in Page(mail.html).links)


def test_a_page_names_its_language_and_direction(installation: Path) -> None:
    shutil.copytree(installation / "email/en", installation / "email/ar")
    for locale, direction in (("en", "ltr"), ("de", "ltr"), ("ar", "rtl")):
        mail = Renderer().render(Purpose.REINSTATED, samples.sample(Purpose.REINSTATED), locale=locale)
        page = Page(mail.html)
        named = [a for tag, a in page.tags if tag == "html" or a.get("role") == "article"]
        assert [(a["lang"], a["dir"]) for a in named] == [(locale, direction)] * 2


# -- what is missing -----------------------------------------------------------------------------------------------


@each_mail
def test_a_missing_value_is_an_error_that_names_template_and_variable(purpose: Purpose, locale: str) -> None:
    name = f"email/{locale}/{purpose.value}.md"
    asked = set[str]().union(*(meta.find_undeclared_variables(source) for source in sources(name)))
    assert {"operator", "reply_to"} <= asked
    for variable in asked:
        said = set()
        for values in turns(purpose):
            try:
                renderer().render(purpose, without(values, variable), locale=locale)
            except TemplateError as error:
                said.add(str(error))
        assert said == {f"Template {name}: '{variable}' is undefined."}


def test_a_missing_value_inside_a_clause_is_an_error_too() -> None:
    values = samples.sample(Purpose.TERMINATION_NOTICE)
    values["grounds"] = [without(values["grounds"][0], "text")]
    with pytest.raises(TemplateError, match=r"email/en/termination_notice\.md: .*'text'"):
        renderer().render(Purpose.TERMINATION_NOTICE, values, locale="en")


@pytest.mark.parametrize("channel", list(Channel))
def test_staff_read_the_kind_of_an_overdue_request_in_their_own_language(channel: Channel) -> None:
    for turn in turns(Purpose.REQUEST_OVERDUE):
        mail = renderer().render(Purpose.REQUEST_OVERDUE, turn, locale="de", channel=channel)
        assert f"({turn['kind']})" not in mail.text
    assert "ein Antrag auf Löschung" in mail.text


def test_a_missing_template_is_named() -> None:
    with pytest.raises(TemplateError, match=r"There is no template email/fr/reinstated\.md"):
        renderer().render(Purpose.REINSTATED, samples.sample(Purpose.REINSTATED), locale="fr")


def test_a_missing_part_of_a_template_is_named(installation: Path) -> None:
    (installation / "email/en/_footer.md").unlink()
    with pytest.raises(TemplateError, match=r"There is no template email/en/_footer\.md"):
        Renderer().render(Purpose.REINSTATED, samples.sample(Purpose.REINSTATED), locale="en")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Hello {{ operator }}", "must begin with a line 'Subject: …'"),
        ("Subject: {{ operator", "does not compile"),
        ("Subject: {% if operator %}Hello", "does not compile"),
        ("Subject: Hello\n\n{{ operater }}", "'operater' is undefined"),
    ],
)
def test_a_template_that_cannot_be_used_is_named_with_what_is_wrong(installation: Path, source, message) -> None:
    (installation / "email/en/reinstated.md").write_text(source, "utf-8")
    with pytest.raises(TemplateError, match=rf"Template email/en/reinstated\.md.* {message}"):
        Renderer().render(Purpose.REINSTATED, samples.sample(Purpose.REINSTATED), locale="en")


def test_the_check_says_which_template_is_wrong(installation: Path) -> None:
    (installation / "email/de/reinstated.md").write_text("Subject: {{ nobody }}", "utf-8")
    faults = preview.check(Renderer(), [Purpose.REINSTATED])[1]
    assert faults == ["Template email/de/reinstated.md: 'nobody' is undefined."]


# -- which template ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "default", "chosen"),
    [
        ("de", "en", "de"),
        ("de-AT", "en", "de"),
        ("fr", "de", "de"),
        ("fr-CA", "de-CH", "de"),
        ("", "de", "de"),
        ("fr", "nl", "en"),
        ("", "", "en"),
    ],
)
def test_the_language_is_the_readers_then_the_operators_then_english(wanted, default, chosen) -> None:
    assert renderer().locale_for(wanted, default) == chosen


def test_a_template_for_the_very_region_comes_first(installation: Path) -> None:
    shutil.copytree(installation / "email/de", installation / "email/de-AT")
    assert Renderer().locale_for("de-AT", "en") == "de-AT"
    assert Renderer().locale_for("de-CH", "en") == "de"


def test_without_english_there_is_still_a_language(installation: Path) -> None:
    shutil.rmtree(installation / "email/en")
    assert Renderer().locale_for("fr", "nl") == "de"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("purpose", TEMPLATED)
def test_each_channel_has_its_own_words_for_the_same_facts(purpose: Purpose, locale: str) -> None:
    values = samples.sample(purpose)
    mail, chat = (renderer().render(purpose, values, locale=locale, channel=channel) for channel in Channel)
    assert mail.text != chat.text
    assert (bool(mail.html), chat.html) == (True, "")


# -- texts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "fit"),
    [
        ("Terms", "Terms"),
        ("  Terms \t of\u00a0 Service ", "Terms of Service"),
        ("Terms\r\nBcc: x@y", "Terms Bcc: x@y"),
        ("=?UTF-8?Q?=0A?=", "= ?UTF-8?Q?=0A?="),
        ("a\u202eb\u2066c\u2028d\x00e\x85f", "a b c d e f"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 198 + " yz", "x" * 198 + "…"),
    ],
)
def test_a_header_is_one_line_without_controls_and_of_limited_length(value: str, fit: str) -> None:
    assert header_text(value) == fit


def test_the_text_part_quotes_lists_and_writes_links_out(installation: Path) -> None:
    source = "Subject: Hi\n\n# Head\n\n> {{ operator }}\n>\n> two\n\n- one\n- [b](https://a.example)\n\n---\n\n**End**"
    (installation / "email/en/reinstated.md").write_text(source, "utf-8")
    mail = Renderer().render(Purpose.REINSTATED, {"operator": "Ex"}, locale="en")
    assert mail.text == "Head\n\n> Ex\n\n> two\n- one\n- b: https://a.example\n\n--\n\nEnd\n"
