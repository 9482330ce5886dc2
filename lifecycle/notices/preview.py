"""Sample values for every template, and a check of all templates against values that like to break things."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from lifecycle.errors import TemplateError
from lifecycle.notices.rendering import CONTROLS, Renderer, compose
from lifecycle.states import Initiator, Mode, Purpose, RequestKind

URL = "https://policies.example.com"
SENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

AWKWARD = {
    "empty": "",
    "right-to-left": "شروط الخدمة \u202eevil\u202c",
    "300 characters": "Überlänge " * 30,
    "script": "<script>alert(1)</script>",
    "template code": "{{7*7}}{% raw %}",
    "line ends": "first\r\nBcc: everyone@example.com\r\n\r\nsecond",
    "encoded word": "=?UTF-8?Q?=0ABcc:_everyone@example.com?=",
    "Markdown": "[click](javascript:alert(1)) **bold** `code` # not a heading",
}

_ANYONE = {
    "operator": "Example Ltd",
    "public_url": URL,
    "reply_to": "legal@example.com",
    "external_id": "user-1",
}
_CLAUSE = {
    "document": "Terms of Service",
    "version": 1,
    "number": "4.2",
    "title": "Acceptable use",
    "text": "You do not resell access.",
    "url": f"{URL}/terms/1#acceptable-use",
}
_VERSION = {
    "document": "Terms of Service",
    "number": 2,
    "mode": Mode.EXPLICIT,
    "in_force": False,
    "published_on": "2 March 2026, 09:00 (Central European Time)",
    "effective_on": "1 April 2026, 09:00 (Central European Time)",
    "changes": ["Prompts are no longer logged by default.", "Section 4 names the appeal address."],
    "url": f"{URL}/terms/2",
    "compare_url": f"{URL}/terms/compare/1/2",
    "answer_url": f"{URL}/answer/sample-token",
    "due_on": "1 May 2026, 09:00 (Central European Time)",
}
_TERMINATION = {
    "initiated_by": Initiator.PROVIDER,
    "decided_on": "2 March 2026, 09:00 (Central European Time)",
    "effective_on": "1 April 2026, 09:00 (Central European Time)",
    "notice_days": 30,
    "reason": "Access was resold.",
    "facts": "On 27 February 2026 your key answered requests of 214 other companies.",
    "automated": False,
    "grounds": [_CLAUSE],
    "redress": "Answer this mail within six months; a person reads it.",
    "surviving": [{**_CLAUSE, "number": "9", "title": "Liability", "text": "Liability is limited."}],
    "override_reason": "",
}
_UNDONE = {
    "decided_on": "2 March 2026, 09:00 (Central European Time)",
    "rescinded_on": "5 March 2026, 09:00 (Central European Time)",
    "reinstated_on": "5 March 2026, 09:00 (Central European Time)",
    "used_again": False,
    "reason": "The matter was cleared up.",
}
_ANSWER = {
    "request_number": 17,
    "kind": RequestKind.ERASURE,
    "received_on": "2 March 2026, 09:00 (Central European Time)",
    "answer": "Your account and its logs were erased today.",
}
SAMPLES: dict[Purpose, Mapping[str, Any]] = {
    Purpose.VERSION_PUBLISHED: _VERSION,
    Purpose.ACCEPTANCE_REMINDER: _VERSION,
    Purpose.ACCEPTANCE_OVERDUE: _VERSION,
    Purpose.TERMINATION_NOTICE: _TERMINATION,
    Purpose.TERMINATION_EFFECTIVE: _TERMINATION,
    Purpose.TERMINATION_RESCINDED: _UNDONE,
    Purpose.REINSTATED: _UNDONE,
    Purpose.REQUEST_ANSWERED: _ANSWER,
}
# What a template branches on, so that every branch is rendered.
_VERSION_TURNS: list[Mapping[str, Any]] = [
    *({"mode": mode, "in_force": now} for mode in Mode for now in (True, False)),
    {"mode": Mode.NOTICE, "changes": [], "compare_url": None, "answer_url": None, "due_on": None},
    {"changes": []},
]
_TERMINATION_TURNS: list[Mapping[str, Any]] = [
    *({"initiated_by": initiator} for initiator in Initiator),
    {"automated": True, "override_reason": "The mailbox is gone.", "notice_days": 0},
    {"facts": "", "grounds": [], "redress": "", "surviving": []},
    {"notice_days": 1, "grounds": [_CLAUSE, {**_CLAUSE, "number": "", "title": ""}]},
]
TURNS: dict[Purpose, list[Mapping[str, Any]]] = {
    Purpose.VERSION_PUBLISHED: _VERSION_TURNS,
    Purpose.ACCEPTANCE_REMINDER: [],
    Purpose.ACCEPTANCE_OVERDUE: [],
    Purpose.TERMINATION_NOTICE: _TERMINATION_TURNS,
    Purpose.TERMINATION_EFFECTIVE: _TERMINATION_TURNS,
    Purpose.TERMINATION_RESCINDED: [{"used_again": True}],
    Purpose.REINSTATED: [{"used_again": True}],
    Purpose.REQUEST_ANSWERED: [{"kind": kind} for kind in RequestKind],
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
    "answer",
}


def sample(purpose: Purpose, *, operator: str = "Example Ltd") -> dict[str, Any]:
    """Values for the template of this purpose, such as it would get."""
    return {**_ANYONE, "operator": operator, **SAMPLES[purpose]}


def check(renderer: Renderer) -> tuple[int, list[str]]:
    """Render every template in every locale and turn, for every awkward value; how many mails, and what is wrong.

    A fault names the template, and the value that showed it where it was one.
    """
    tried, faults = 0, dict[str, None]()
    for locale in renderer.locales():
        for purpose in Purpose:
            for cast, values in _casts(purpose):
                tried += 1
                faults |= dict.fromkeys(_faults(renderer, purpose, locale, cast, values))
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


def _casts(purpose: Purpose) -> Iterator[tuple[str, dict[str, Any]]]:
    usual = sample(purpose)
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


def _faults(renderer: Renderer, purpose: Purpose, locale: str, cast: str, values: Mapping[str, Any]) -> Iterator[str]:
    named = f"email/{locale}/{purpose.value}.md"
    try:
        mail = renderer.render(purpose, values, locale=locale)
        compose(
            mail,
            sender="Example <a@example.com>",
            to="b@example.com",
            reply_to="",
            message_id="<1@example.com>",
            date=SENT,
        )
    except TemplateError as error:
        yield str(error)
        return
    checks = {
        "the subject is empty": not mail.subject.strip(),
        "the subject holds control characters": bool(CONTROLS.search(mail.subject)),
        "a value became HTML": _Tags(mail.html).hostile,
        "a value was run as template code": cast == "template code" and "49" in mail.subject + mail.text,
        "a part is empty": not (mail.text.strip() and mail.html.strip()),
        "a marker was left over": "zqv" in mail.subject + mail.text + mail.html,
    }
    yield from (f"{named}: {fault}{f' ({cast})' if cast else ''}." for fault, holds in checks.items() if holds)
