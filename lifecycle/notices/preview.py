"""Sample values for every template, and a check of all templates against values that like to break things."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_name

from lifecycle.errors import TemplateError
from lifecycle.notices.composing import compose
from lifecycle.notices.rendering import CONTROLS, Rendered, Renderer
from lifecycle.states import TEMPLATED, Channel, Emergency, Initiator, Mode, Purpose, RequestKind

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
    "address that acts": "javascript:alert(1)",
    "Markdown": "[click](javascript:alert(1)) **bold** `code` # not a heading",
    "mentions": "@everyone @here <@1> <@&2> <#3> <:x:4> <t:5:R> :smile: @\u200beveryone",
    "Discord's mark-up": "# big\n-# small\n- item\n1. item\n> quote\n>>> all\n||hidden|| [a](https://a.example) ~~no~~",
}

_ANYONE = {"public_url": URL, "reply_to": "legal@example.com", "external_id": "user-1"}

_TEXTS: dict[str, dict[str, Any]] = {
    "en": {
        "document": "Terms of Service",
        "title": "Acceptable use",
        "text": "You do not resell access.",
        "survives": "Liability",
        "surviving_text": "Liability is limited.",
        "changes": ["Prompts are no longer logged by default.", "Section 4 names the appeal address."],
        "reason": "Access was resold.",
        "facts": "On 27 February 2026 your key answered requests of 214 other companies.",
        "redress": "Write to legal@example.com within six months; a person reads it.",
        "undone": "The matter was cleared up.",
        "delay": "Your data lies with two of our suppliers.",
        "answer": "Your account and its logs were erased today.",
    },
    "de": {
        "document": "Nutzungsbedingungen",
        "title": "Zulässige Nutzung",
        "text": "Sie verkaufen Ihren Zugang nicht weiter.",
        "survives": "Haftung",
        "surviving_text": "Die Haftung ist beschränkt.",
        "changes": [
            "Eingaben werden nicht mehr von selbst protokolliert.",
            "Abschnitt 4 nennt die Adresse für Einsprüche.",
        ],
        "reason": "Der Zugang wurde weiterverkauft.",
        "facts": "Am 27. Februar 2026 beantwortete Ihr Schlüssel Anfragen von 214 anderen Unternehmen.",
        "redress": "Schreiben Sie innerhalb von sechs Monaten an legal@example.com; ein Mensch liest es.",
        "undone": "Die Sache hat sich aufgeklärt.",
        "delay": "Ihre Daten liegen bei zwei unserer Zulieferer.",
        "answer": "Ihr Konto und seine Protokolle wurden heute gelöscht.",
    },
}


def _day(instant: datetime, locale: str, zone: str) -> str:
    """An instant as a notice writes it."""
    local, region = instant.astimezone(ZoneInfo(zone)), {"en": "en_GB"}.get(locale, locale.replace("-", "_"))
    day, time = format_date(local, "long", locale=region), format_time(local, "HH:mm", locale=region)
    return f"{day}, {time} ({get_timezone_name(local, locale=region)})"


def _samples(locale: str, zone: str = "Europe/Berlin") -> dict[str, dict[str, Any]]:
    """By the thing that a notice is about; in English where we have no sample in the language, but for the dates."""
    texts = _TEXTS.get(locale.split("-")[0], _TEXTS["en"])
    told, undone, ends, due = (
        _day(SENT.replace(month=m, day=d), locale, zone) for m, d in ((3, 2), (3, 5), (4, 1), (5, 1))
    )
    clause = {
        "document": texts["document"],
        "version": 1,
        "number": "4.2",
        "title": texts["title"],
        "text": texts["text"],
        "url": f"{URL}/terms/1#acceptable-use",
    }
    return {
        "version": {
            "document": texts["document"],
            "number": 2,
            "mode": Mode.EXPLICIT,
            "in_force": False,
            "published_on": told,
            "effective_on": ends,
            "changes": texts["changes"],
            "url": f"{URL}/terms/2",
            "compare_url": f"{URL}/terms/compare/1/2",
            "answer_url": f"{URL}/answer/sample-token",
            "due_on": due,
        },
        "termination": {
            "initiated_by": Initiator.PROVIDER,
            "decided_on": told,
            "effective_on": ends,
            "notice_days": 30,
            "reason": texts["reason"],
            "facts": texts["facts"],
            "automated": False,
            "grounds": [clause],
            "redress": texts["redress"],
            "surviving": [{**clause, "number": "9", "title": texts["survives"], "text": texts["surviving_text"]}],
            "override_reason": "",
            "scope": "",
            "ends_on": None,
            "emergency": None,
            "legal_ground": "",
            "exit_right": "",
        },
        "undone": {
            "decided_on": told,
            "rescinded_on": undone,
            "reinstated_on": undone,
            "used_again": False,
            "suspension_over": False,
            "reason": texts["undone"],
        },
        "request": {
            "request_number": 17,
            "kind": RequestKind.ERASURE,
            "regime": "gdpr-12",
            "received_on": told,
            "due_on": ends,
            "reason": texts["delay"],
            "prove_url": f"{URL}/prove/sample-token",
            "prove_by": undone,
            "erase_on": undone,
        },
        "answer": {
            "request_number": 17,
            "kind": RequestKind.ERASURE,
            "received_on": told,
            "answer": texts["answer"],
        },
    }


_ABOUT: dict[Purpose, str] = {
    Purpose.VERSION_PUBLISHED: "version",
    Purpose.ACCEPTANCE_REMINDER: "version",
    Purpose.ACCEPTANCE_OVERDUE: "version",
    Purpose.TERMINATION_NOTICE: "termination",
    Purpose.TERMINATION_EFFECTIVE: "termination",
    Purpose.INACTIVITY_WARNING: "termination",
    Purpose.TERMINATION_RESCINDED: "undone",
    Purpose.REINSTATED: "undone",
    Purpose.REQUEST_RECEIVED: "request",
    Purpose.REQUEST_EXTENDED: "request",
    Purpose.REQUEST_ANSWERED: "answer",
    Purpose.REQUEST_REFUSED: "request",
    Purpose.REQUEST_OVERDUE: "request",
    Purpose.ERASURE_SCHEDULED: "request",
}
# What a template branches on, so that every branch is rendered. Only these modes ask for an answer.
_ANSWERABLE = {Mode.EXPLICIT, Mode.SILENCE}
_UNANSWERED: Mapping[str, Any] = {"answer_url": None, "due_on": None}
[_CLAUSE] = _samples("en")["termination"]["grounds"]
_VERSION_TURNS: list[Mapping[str, Any]] = [
    *(
        {"mode": mode, "in_force": now, **({} if mode in _ANSWERABLE else _UNANSWERED)}
        for mode in Mode
        for now in (True, False)
    ),
    *({"mode": mode, "due_on": None} for mode in sorted(_ANSWERABLE)),
    {"mode": Mode.NOTICE, "changes": [], "compare_url": None, **_UNANSWERED},
    {"changes": []},
]
_TERMINATION_TURNS: list[Mapping[str, Any]] = [
    *({"initiated_by": initiator} for initiator in Initiator),
    {"automated": True, "override_reason": "The mailbox is gone.", "notice_days": 0},
    {"facts": "", "grounds": [], "redress": "", "surviving": []},
    {"scope": "posting", "ends_on": "1 April 2026", "legal_ground": "Penal Code, § 1", "grounds": []},
    *({"emergency": emergency, "override_reason": "A court order."} for emergency in Emergency),
    {"initiated_by": Initiator.USER, "exit_right": "version 2 of terms"},
    {"notice_days": 1, "grounds": [_CLAUSE, {**_CLAUSE, "number": "", "title": "", "text": ""}]},
]
_KINDS: list[Mapping[str, Any]] = [{"kind": kind} for kind in RequestKind]
TURNS: dict[Purpose, list[Mapping[str, Any]]] = {
    Purpose.VERSION_PUBLISHED: _VERSION_TURNS,
    Purpose.ACCEPTANCE_REMINDER: [],
    Purpose.ACCEPTANCE_OVERDUE: [],
    Purpose.TERMINATION_NOTICE: _TERMINATION_TURNS,
    Purpose.TERMINATION_EFFECTIVE: _TERMINATION_TURNS,
    Purpose.INACTIVITY_WARNING: [],
    Purpose.TERMINATION_RESCINDED: [{"used_again": True}],
    Purpose.REINSTATED: [{"used_again": True}, {"suspension_over": True}],
    Purpose.REQUEST_RECEIVED: [*_KINDS, {"due_on": None, "prove_url": None}, {"external_id": ""}],
    Purpose.REQUEST_EXTENDED: [*_KINDS, {"external_id": ""}],
    Purpose.REQUEST_ANSWERED: _KINDS,
    Purpose.REQUEST_REFUSED: [*_KINDS, {"regime": "ccpa"}, {"regime": "contract"}, {"external_id": ""}],
    Purpose.REQUEST_OVERDUE: [*_KINDS],
    Purpose.ERASURE_SCHEDULED: [{"external_id": ""}],
}
for _turns in TURNS.values():
    _turns.append({"reply_to": ""})
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


def sample(
    purpose: Purpose, *, operator: str = "Example Ltd", locale: str = "en", zone: str = "Europe/Berlin"
) -> dict[str, Any]:
    """Values for the template of this purpose, such as a reader of this language in this time zone would get."""
    return {**_ANYONE, "operator": operator, **_samples(locale, zone)[_ABOUT[purpose]]}


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
