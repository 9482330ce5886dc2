"""A check of all templates against values that like to break things."""

import re
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from lifecycle.errors import TemplateError
from lifecycle.notices.composing import compose
from lifecycle.notices.rendering import CONTROLS, Rendered, Renderer
from lifecycle.notices.samples import SENT, TURNS, sample
from lifecycle.states import TEMPLATED, Channel, Purpose

AWKWARD = {
    "empty": "",
    "right-to-left": "شروط الخدمة \u202eevil\u202c",
    "300 characters": "Überlänge " * 30,
    "script": "<script>alert(1)</script>",
    "template code": "{{7*7}}{% raw %}",
    "line ends": "first\r\nBcc: everyone@example.com\r\n\r\nsecond",
    "encoded word": "=?UTF-8?Q?=0ABcc:_everyone@example.com?=",
    "address that acts": "javascript:alert(1)",
    "Markdown": "[click](javascript:alert(1)) **bold** `code` # not a heading",
    "mentions": "@everyone @here <@1> <@&2> <#3> <:x:4> <t:5:R> :smile: @\u200beveryone",
    "Discord's mark-up": "# big\n-# small\n- item\n1. item\n> quote\n>>> all\n||hidden|| [a](https://a.example) ~~no~~",
}
# Values written by people; the others are ours.
FREE = {
    "operator",
    "external_id",
    "document",
    "title",
    "number",
    "text",
    "changes",
    "reason",
    "facts",
    "redress",
    "override_reason",
    "scope",
    "legal_ground",
    "exit_right",
    "answer",
}


def check(
    renderer: Renderer, purposes: Iterable[Purpose] = TEMPLATED, *, thorough: bool = True
) -> tuple[int, list[str]]:
    """Render the templates in every locale and turn, for every awkward value; how many notices, and what is wrong.

    A fault names the template, and the value that showed it where it was one. What is not thorough renders each
    template once, with ordinary values.
    """
    tried, faults = 0, dict[str, None]()
    for locale in renderer.locales():
        for purpose in purposes:
            for cast, values in _casts(purpose, locale) if thorough else [("", sample(purpose, locale=locale))]:
                for channel in Channel:
                    tried += 1
                    faults |= dict.fromkeys(_faults(renderer, purpose, locale, channel, cast, values))
    return tried, list(faults)


class _Tags(HTMLParser):
    """Whether a page, read as a mail program reads it, holds what can act."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hostile = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        links = [value or "" for name, value in attributes if name in {"href", "src"}]
        events = any(name.startswith("on") for name, _ in attributes)
        self.hostile |= tag == "script" or events or any(link.strip().startswith("javascript:") for link in links)


def _casts(purpose: Purpose, locale: str) -> Iterator[tuple[str, dict[str, Any]]]:
    usual = sample(purpose, locale=locale)
    for turn in [{}, *TURNS.get(purpose, [])]:
        yield "", {**usual, **turn}
    for name, text in AWKWARD.items():
        yield name, _spoiled(usual, text)


def _spoiled(values: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The values with every free text replaced, also inside clauses and lists."""

    def spoil(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [_spoiled(item, text) if isinstance(item, Mapping) else spoil(name, item) for item in value]
        return text if name in FREE and isinstance(value, str) else value

    return {name: spoil(name, value) for name, value in values.items()}


def _faults(
    renderer: Renderer, purpose: Purpose, locale: str, channel: Channel, cast: str, values: Mapping[str, Any]
) -> Iterator[str]:
    named = f"{channel.value}/{locale}/{purpose.value}.md"
    try:
        notice = renderer.render(purpose, values, locale=locale, channel=channel)
        if channel is Channel.DISCORD:
            harmless = _spoiled(values, "Word" if AWKWARD[cast] else "") if cast else values
            same = renderer.render(purpose, harmless, locale=locale, channel=channel)
            special = {"a value became mark-up": _marks(notice) != _marks(same)}
        else:
            _compose(notice)
            special = {"a value became HTML": _Tags(notice.html).hostile, "a part is empty": not notice.html.strip()}
    except TemplateError as error:
        yield str(error)
        return
    said = notice.subject + notice.text
    checks = special | {
        "the subject is empty": not notice.subject.strip(),
        "the subject holds control characters": bool(CONTROLS.search(notice.subject)),
        "a value was run as template code": cast == "template code" and "49" in said,
        "the text is empty": not notice.text.strip(),
        "a marker was left over": "zqv" in said + notice.html,
    }
    yield from (f"{named}: {fault}{f' ({cast})' if cast else ''}." for fault, holds in checks.items() if holds)


def _compose(mail: Rendered) -> None:
    sender, message_id = "Example <a@example.com>", "<1@example.com>"
    compose(mail, sender=sender, to="b@example.com", reply_to="", message_id=message_id, date=SENT)


_SHOWN = re.compile(r"\\[^0-9A-Za-z\s]|<https?://[^\s>]+>")
_MARKS = re.compile(r"[*_~`|\[\]@<#]|://|:[\w+-]+:|^(?:>>>|[-+]|\d+\.)(?=\s)", re.MULTILINE)


def _marks(message: Rendered) -> list[str]:
    """What Discord takes for mark-up in the message, but for links and for the quotes of each line."""
    return _MARKS.findall(_SHOWN.sub("", f"{message.subject}\n{message.text}"))
