"""Notices over Discord: they say what the mails say, in Discord's own Markdown, and a value stays a value."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import nodes
from typer.testing import CliRunner, Result

from bots.discord.words import WORDS
from lifecycle.cli import template
from lifecycle.errors import InvalidInput
from lifecycle.notices import preview, samples
from lifecycle.notices.rendering import Rendered, Renderer, discord_text, renderer
from lifecycle.states import TEMPLATED, Channel, Mode, Purpose
from tests.notices.test_compose import HOSTILE, PLAIN, one_line
from tests.notices.test_rendering import (  # noqa: F401
    LOCALES,
    MAIL,
    TEMPLATES,
    each_mail,
    installation,
    sources,
    words,
)

AWKWARD = [
    *HOSTILE,
    *preview.AWKWARD.values(),
    "<@1> <@!2> <@&3> <#4> <:x:5> <a:x:6> <t:7:R> </cmd:8> <id:guide> @everyone @here",
    "@\u200beveryone <\u2060@1> [\ufeffa](https://evil.example)",
    "[masked](https://evil.example) [masked](<https://evil.example>) https://evil.example/@everyone/_x_",
    "https://*.evil.example https://_ a https://_ https://a**b c**",
    "**bold** *it* _it_ __under__ ~~no~~ ||hidden|| `code` ```fence``` ¯\\_(ツ)_/¯",
    *"`|~_*\\:@<>#-+",
    *("**", "||", "~~", ":x", "1."),
    "> ",
    "# ",
    "# big\n## b\n### c\n-# small\n- item\n* item\n  - item\n1. item\n> quote\n>>> all",
    "\u200b# big\n\u00a0- item\n\ufeff> quote\n\u2060-# small\n\u30001. item",
    ":smile: :+1: 10:30:00",
]


# -- what Discord makes of a text --------------------------------------------------------------------------------------
#
# The rules of its clients, in their order: https://github.com/ParadoxV5/Discord-Markdown tells them at length.

LEAD = re.compile(
    r"(?m)^ *(?:(?P<quote>>(?:>>)? )|(?P<heading>#{1,3}\s+)|(?P<small>-# )|(?P<list>(?:[-+*]|\d+\.)(?:\s|$)))"
)
INLINE = re.compile(
    r"""\\(?P<escape>[^0-9A-Za-z\s])
    | <(?P<link>https?://[^\s>]+)>
    | (?P<mention><(?:@[!&]?|\#|a?:\w+:|t:|/|id:)[^>\n]*>|@everyone|@here)
    | (?P<bare>https?://[^\s<]+[^<.,:;"'\]\s])
    | (?P<masked>\[[^\]]*\]\([^)]*\))
    | (?P<code>`+[^`]+`+)
    | \*\*(?P<bold>(?:\\.|[^\\])+?)\*\*(?!\*)
    | (?P<under>__.+?__) | (?P<struck>~~.+?~~) | (?P<spoiler>\|\|.+?\|\|) | (?P<it>\*\S.*?\*|_\S.*?_)
    | (?P<emoji>:[\w+-]+:)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def inline(text: str, marks: list[str]) -> str:
    def shown(found: re.Match[str]) -> str:
        kind, inner = found.lastgroup or "", found[found.lastgroup or 0]
        marks.extend([] if kind == "escape" else [kind])
        return inline(inner, marks) if kind == "bold" else inner

    return INLINE.sub(shown, text)


def read(text: str) -> tuple[str, list[str]]:
    """What Discord shows, and the mark-up that it found; a quote counts once, however many lines it has."""
    leads = [found.lastgroup or "" for found in LEAD.finditer(text)]
    marks = [lead for n, lead in enumerate(leads) if lead != "quote" or leads[n - 1 : n] != ["quote"]]
    shown = inline(LEAD.sub("", text), marks)
    return shown, marks


def message(notice: Rendered) -> str:
    """As `delivery` puts it together."""
    return f"**{notice.subject}**\n\n{notice.text}"


def render(purpose: Purpose, values: Mapping[str, Any], locale: str) -> str:
    notice = renderer().render(purpose, values, locale=locale, channel=Channel.DISCORD)
    assert notice.html == ""
    return message(notice)


def casts(purpose: Purpose, locale: str) -> Iterator[dict[str, Any]]:
    """The values for every branch of the template, in the reader's language."""
    for turn in [{}, *samples.TURNS[purpose]]:
        yield {**samples.sample(purpose, locale=locale), **turn}


def spoiled(values: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The values with all that people write replaced, also inside clauses and lists."""

    def spoil(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [spoiled(item, text) if isinstance(item, Mapping) else spoil(name, item) for item in value]
        return text if name in preview.FREE and isinstance(value, str) else value

    return {name: spoil(name, value) for name, value in values.items()}


def said_in(value: Any) -> Iterator[str]:
    """Every text among the values, also inside clauses and lists."""
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from said_in(inner)
    elif isinstance(value, str) and not isinstance(value, Enum) and value:
        yield value


ABOUT_REQUESTS = {purpose for purpose in Purpose if purpose.value.startswith("request_")}


# -- every template ------------------------------------------------------------------------------------------------


def test_there_is_a_discord_template_for_every_purpose_in_every_language() -> None:
    missing = [mail for mail in MAIL if not (TEMPLATES / "discord" / mail[1] / f"{mail[0].value}.md").is_file()]
    assert missing == []


@each_mail
def test_every_turn_of_a_message_renders(purpose: Purpose, locale: str) -> None:
    for values in casts(purpose, locale):
        text = render(purpose, values, locale)
        assert text == text.strip()
        assert not re.search(r"zqv|\{\{|\{%|None|True|False|\n\n\n|<[a-z]+>|</", text)


@each_mail
def test_every_sentence_of_a_message_is_said_in_some_turn(purpose: Purpose, locale: str) -> None:
    said = "".join(words(render(purpose, values, locale)) for values in casts(purpose, locale))
    literals = [
        literal.data.removeprefix("Subject: ")
        for source in sources(f"discord/{locale}/{purpose.value}.md")
        for literal in source.find_all(nodes.TemplateData)
    ]
    pieces = [piece for literal in literals for piece in literal.split("\n")]
    assert [piece for piece in pieces if words(piece).strip() not in said] == []


@each_mail
def test_a_message_says_every_fact_that_the_mail_says(purpose: Purpose, locale: str) -> None:
    footer = {"user-1", "legal@example.com"} if purpose in ABOUT_REQUESTS else set[str]()
    for values in casts(purpose, locale):
        mail = renderer().render(purpose, values, locale=locale)
        shown = read(render(purpose, values, locale))[0]
        facts = {fact for fact in said_in(values) if fact in mail.subject + mail.text} - footer
        assert {fact for fact in facts if fact not in shown} == set()
        assert shown.startswith(f"{mail.subject}\n")


@each_mail
def test_a_message_speaks_of_no_mail_and_writes_links_out_without_a_preview(purpose: Purpose, locale: str) -> None:
    for values in casts(purpose, locale):
        text = render(purpose, values, locale)
        assert not re.search(r"\bE?-?mails?\b", text, re.IGNORECASE)
        _, marks = read(text)
        assert set(marks) <= {"bold", "heading", "list", "quote", "small", "code", "link"}
        assert text.count("https://") == marks.count("link") == text.count(f"<{samples.URL}")


@pytest.mark.parametrize("locale", LOCALES)
def test_a_message_names_the_kinds_of_request_as_the_bot_does(locale: str) -> None:
    texts = [path.read_text("utf-8") for path in (TEMPLATES / "discord" / locale).iterdir()]
    named = {kind for text in texts for kind in re.findall(r"/contact` \([“„](.+?)[”“]\)", text)}
    assert named == {WORDS[locale]["kind.appeal"], WORDS[locale]["kind.erasure"]}


@pytest.mark.parametrize("locale", LOCALES)
def test_a_ground_is_quoted_whole_under_its_section(locale: str) -> None:
    values = samples.sample(Purpose.TERMINATION_NOTICE, locale=locale)
    values["grounds"][0]["text"] = "One.\n\nTwo, # not a heading.\n> Three."
    text = render(Purpose.TERMINATION_NOTICE, values, locale)
    [heading] = [line for line in text.split("\n") if line.startswith("**") and "4.2" in line]
    quote = text.partition(heading)[2].partition("<https")[0]
    assert quote.startswith("\n> One.\n> Two, \\# not a heading.\n> \\> Three.\n")


def test_where_a_language_has_no_message_the_mails_words_are_used(installation) -> None:  # noqa: F811
    for path in (installation / "discord/en").iterdir():
        path.unlink()
    values = {**samples.sample(Purpose.TERMINATION_NOTICE), "operator": "@everyone"}
    text = message(Renderer().render(Purpose.TERMINATION_NOTICE, values, locale="en", channel=Channel.DISCORD))
    shown, marks = read(text)
    assert "mention" not in marks
    assert "@everyone decided to end your access (account user-1)" in shown
    assert "\n> You do not resell access.\n" in text


# -- values --------------------------------------------------------------------------------------------------------


def visible(text: str) -> str:
    """The text as a person reads it, but for what has no width and ends no line."""
    return one_line(re.sub("[\u00ad\u180e\u200b\u2060-\u2064\ufeff]", "", text))


def spaceless(text: str) -> str:
    return "".join(visible(text).split())


def require_a_value_stays_a_value(purpose: Purpose, locale: str, values: Mapping[str, Any], value: str) -> None:
    shown, marks = read(render(purpose, spoiled(values, value), locale))
    _, usual = read(render(purpose, spoiled(values, PLAIN if value else ""), locale))
    linked = "link" if "http" in value.casefold() else ""
    assert [mark for mark in marks if mark != linked] == [mark for mark in usual if mark != linked]
    assert spaceless(value) in spaceless(shown)


@st.composite
def messages(draw: st.DrawFn) -> tuple[Purpose, str, dict[str, Any], str]:
    purpose, locale = draw(st.sampled_from(TEMPLATED)), draw(st.sampled_from(LOCALES))
    anything = st.one_of(
        st.text(max_size=400),
        st.lists(st.sampled_from(AWKWARD), max_size=3).map("".join),
        st.text("@<>#:*_~|`[]()\\-+.1 \n\u200bax/", max_size=60),
    )
    return purpose, locale, draw(st.sampled_from(list(casts(purpose, locale)))), draw(anything)


@given(messages())
def test_a_value_stays_a_value(drawn) -> None:
    require_a_value_stays_a_value(*drawn)


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize("locale", LOCALES)
def test_an_awkward_name_or_clause_neither_mentions_nor_formats(value: str, locale: str) -> None:
    for purpose in TEMPLATED:
        require_a_value_stays_a_value(purpose, locale, samples.sample(purpose, locale=locale), value)


@given(st.text("@<>#:*_~|`[]()\\-+.1 \n\u200bahtps/", max_size=80))
@example("https://_ a https://_")
@example("(https://a.example/b_(c)_d), *https://a.example*")
@example("steam://x http://[::1]/ https://*.a.example")
def test_what_is_escaped_is_shown_as_it_was_written_and_only_links_are_marked(text: str) -> None:
    shown, marks = read(discord_text(text))
    assert set(marks) <= {"link"}
    assert spaceless(shown) == spaceless(text)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.example/~b_c/1?locale=de#nutzung", "https://a.example/~b_c/1?locale=de#nutzung"),
        ("https://a.example/1#über uns", "https://a.example/1#%C3%BCber%20uns"),
        (
            "https://a.example/> @everyone <https://b.example",
            "https://a.example/%3E%20@everyone%20%3Chttps://b.example",
        ),
        ("https://a.example/**\n\u202e|`", "https://a.example/%2A%2A%0A%E2%80%AE%7C%60"),
    ],
)
def test_a_link_ends_where_the_template_ends_it(url: str, sent: str) -> None:
    values = {**samples.sample(Purpose.ACCEPTANCE_REMINDER), "url": url}
    assert f"\n- Read version 2: <{sent}>\n" in render(Purpose.ACCEPTANCE_REMINDER, values, "en")


def test_only_what_begins_a_line_is_kept_from_beginning_a_list() -> None:
    values = {**samples.sample(Purpose.VERSION_PUBLISHED, locale="de"), "operator": "3. AG", "changes": ["1. x", "- y"]}
    text = render(Purpose.VERSION_PUBLISHED, values, "de")
    assert "\n3\\. AG hat am 2. März 2026, 10:00" in text
    assert "\n- 1\\. x\n- \\- y\n" in text


# -- samples, check and preview ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "day", "document"),
    [
        ("en", "1 April 2026, 11:00 (Central European Summer Time)", "Terms of Service"),
        ("de", "1. April 2026, 11:00 (Mitteleuropäische Sommerzeit)", "Nutzungsbedingungen"),
        ("de-AT", "1. April 2026, 11:00 (Mitteleuropäische Sommerzeit)", "Nutzungsbedingungen"),
        ("fr", "1 avril 2026, 11:00 (heure d’été d’Europe centrale)", "Terms of Service"),
    ],
)
def test_a_sample_is_in_the_readers_language(locale: str, day: str, document: str) -> None:
    values = samples.sample(Purpose.VERSION_PUBLISHED, locale=locale)
    assert (values["effective_on"], values["document"]) == (day, document)


@pytest.mark.parametrize("channel", Channel)
def test_a_german_preview_holds_no_english_date(channel: Channel) -> None:
    for purpose in TEMPLATED:
        notice = renderer().render(purpose, samples.sample(purpose, locale="de"), locale="de", channel=channel)
        assert re.search(r"\d\. (Februar|März|April|Mai) 2026", notice.text)
        assert not re.search(r"\d (February|March|April|May) 2026|European", notice.subject + notice.text)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("channel", Channel)
def test_only_a_version_that_can_be_answered_has_a_link_to_answer_by(channel: Channel, locale: str) -> None:
    found: dict[Mode, set[bool]] = {}
    for values in casts(Purpose.VERSION_PUBLISHED, locale):
        notice = renderer().render(Purpose.VERSION_PUBLISHED, values, locale=locale, channel=channel)
        found.setdefault(values["mode"], set()).add("/answer/" in notice.text)
    assert found == {mode: {mode in {Mode.EXPLICIT, Mode.SILENCE}} for mode in Mode}


def test_the_check_covers_the_messages_too_and_names_what_is_wrong(installation) -> None:  # noqa: F811
    (installation / "discord/de/reinstated.md").write_text("Subject: {{ nobody }}", "utf-8")
    faults = preview.check(Renderer(), [Purpose.REINSTATED])[1]
    assert faults == ["Template discord/de/reinstated.md: 'nobody' is undefined."]


def test_the_check_finds_a_value_that_becomes_mark_up(
    installation,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lifecycle.notices.rendering.discord_text", lambda value, **_: value)
    faults = preview.check(Renderer(), [Purpose.REINSTATED])[1]
    for cast in ("mentions", "Discord's mark-up", "Markdown"):
        assert f"discord/en/reinstated.md: a value became mark-up ({cast})." in faults
    assert not [fault for fault in faults if fault.startswith("email/")]


def run(*words: str) -> Result:
    return CliRunner().invoke(template.app, list(words))


@pytest.mark.parametrize("purpose", TEMPLATED)
@pytest.mark.parametrize("locale", LOCALES)
def test_a_preview_shows_a_message_as_it_leaves(purpose: Purpose, locale: str, monkeypatch) -> None:
    monkeypatch.setenv("ASSENT_OPERATOR", "Acme")
    monkeypatch.setenv("ASSENT_TIME_ZONE", "Europe/Berlin")
    done = run("preview", purpose.value, "--channel", "discord", "--locale", locale)
    assert done.exit_code == 0
    assert done.output == render(purpose, samples.sample(purpose, operator="Acme", locale=locale), locale) + "\n"


def test_a_preview_is_of_a_mail_unless_told_otherwise() -> None:
    mail = run("preview", "reinstated")
    assert mail.output == run("preview", "reinstated", "--channel", "email").output
    assert mail.output.startswith("Subject: You have access")


def test_a_message_has_no_html_to_preview() -> None:
    assert isinstance(run("preview", "reinstated", "--channel", "discord", "--html").exception, InvalidInput)
    assert run("preview", "reinstated", "--channel", "pigeon").exit_code == 2
