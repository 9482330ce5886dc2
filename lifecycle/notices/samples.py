"""Sample values for every template, of every turn that a template can take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_name

from lifecycle.states import Emergency, Initiator, Mode, Purpose, RequestKind

URL = "https://policies.example.com"
SENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

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


@dataclass(frozen=True)
class _Days:
    """The instants of a sample, as a notice writes them."""

    told: str
    undone: str
    ends: str
    due: str


def _version(texts: dict[str, Any], days: _Days) -> dict[str, Any]:
    return {
        "document": texts["document"],
        "number": 2,
        "mode": Mode.EXPLICIT,
        "in_force": False,
        "published_on": days.told,
        "effective_on": days.ends,
        "changes": texts["changes"],
        "url": f"{URL}/terms/2",
        "compare_url": f"{URL}/terms/compare/1/2",
        "answer_url": f"{URL}/answer/sample-token",
        "due_on": days.due,
        "exit_until": None,
        "exit_source": "",
    }


def _clause(texts: dict[str, Any]) -> dict[str, Any]:
    return {
        "document": texts["document"],
        "version": 1,
        "number": "4.2",
        "title": texts["title"],
        "text": texts["text"],
        "url": f"{URL}/terms/1#acceptable-use",
    }


def _termination(texts: dict[str, Any], days: _Days) -> dict[str, Any]:
    clause = _clause(texts)
    return {
        "initiated_by": Initiator.PROVIDER,
        "decided_on": days.told,
        "effective_on": days.ends,
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
    }


def _undone(texts: dict[str, Any], days: _Days) -> dict[str, Any]:
    return {
        "decided_on": days.told,
        "rescinded_on": days.undone,
        "reinstated_on": days.undone,
        "used_again": False,
        "suspension_over": False,
        "reason": texts["undone"],
    }


def _request(texts: dict[str, Any], days: _Days) -> dict[str, Any]:
    return {
        "request_number": 17,
        "kind": RequestKind.ERASURE,
        "regime": "gdpr-12",
        "received_on": days.told,
        "due_on": days.ends,
        "reason": texts["delay"],
        "prove_url": f"{URL}/prove/sample-token",
        "prove_by": days.undone,
        "erase_on": days.undone,
    }


def _answer(texts: dict[str, Any], days: _Days) -> dict[str, Any]:
    return {
        "request_number": 17,
        "kind": RequestKind.ERASURE,
        "received_on": days.told,
        "answer": texts["answer"],
    }


_ABOUT: dict[Purpose, Callable[[dict[str, Any], _Days], dict[str, Any]]] = {
    Purpose.VERSION_PUBLISHED: _version,
    Purpose.ACCEPTANCE_REMINDER: _version,
    Purpose.ACCEPTANCE_OVERDUE: _version,
    Purpose.TERMINATION_NOTICE: _termination,
    Purpose.TERMINATION_EFFECTIVE: _termination,
    Purpose.INACTIVITY_WARNING: _termination,
    Purpose.TERMINATION_RESCINDED: _undone,
    Purpose.REINSTATED: _undone,
    Purpose.REQUEST_RECEIVED: _request,
    Purpose.REQUEST_EXTENDED: _request,
    Purpose.REQUEST_ANSWERED: _answer,
    Purpose.REQUEST_REFUSED: _request,
    Purpose.REQUEST_OVERDUE: _request,
    Purpose.ERASURE_SCHEDULED: _request,
}
# What a template branches on, so that every branch is rendered. Only these modes ask for an answer.
_ANSWERABLE = {Mode.EXPLICIT, Mode.SILENCE}
_UNANSWERED: Mapping[str, Any] = {"answer_url": None, "due_on": None}
_CLAUSE = _clause(_TEXTS["en"])
_VERSION_TURNS: list[Mapping[str, Any]] = [
    *(
        {"mode": mode, "in_force": now, **({} if mode in _ANSWERABLE else _UNANSWERED)}
        for mode in Mode
        for now in (True, False)
    ),
    *({"mode": mode, "due_on": None} for mode in sorted(_ANSWERABLE)),
    {"mode": Mode.NOTICE, "changes": [], "compare_url": None, **_UNANSWERED},
    {"changes": []},
    {"exit_until": "1 April 2026", "exit_source": "Directive (EU) 2019/770, Art. 19(2)"},
]
_TERMINATION_TURNS: list[Mapping[str, Any]] = [
    *({"initiated_by": initiator} for initiator in Initiator),
    {"automated": True, "override_reason": "The mailbox is gone.", "notice_days": 0},
    {"facts": "", "grounds": [], "redress": "", "surviving": []},
    {"scope": "posting", "ends_on": "1 April 2026", "legal_ground": "Penal Code, § 1", "grounds": []},
    *({"emergency": emergency, "override_reason": "A court order."} for emergency in Emergency),
    {"initiated_by": Initiator.USER, "reason": ""},
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


def sample(
    purpose: Purpose, *, operator: str = "Example Ltd", locale: str = "en", zone: str = "Europe/Berlin"
) -> dict[str, Any]:
    """Values for the template of this purpose, such as a reader of this language in this time zone would get.

    In English where we have no sample in the language, but for the dates.
    """
    days = _Days(*(_day(SENT.replace(month=m, day=d), locale, zone) for m, d in ((3, 2), (3, 5), (4, 1), (5, 1))))
    texts = _TEXTS.get(locale.split("-")[0], _TEXTS["en"])
    return {**_ANYONE, "operator": operator, **_ABOUT[purpose](texts, days)}
