"""What is said beside the quotes, by language."""

from collections.abc import Mapping
from dataclasses import dataclass

# What a question asks for beside the policy's words, and where it goes: the standing, or a request of this kind.
ROUTES = {"own_case": "standing", "money": "support", "erasure": "erasure", "access": "access", "support": "support"}


@dataclass(frozen=True, slots=True)
class Wording:
    silent: str
    closest: str
    nothing_in_force: str
    binds_you: str
    coming: str
    aside: Mapping[str, str]


_WORDINGS = {
    "en": Wording(
        silent="The policy doesn't say.",
        closest="The policy doesn't answer this for certain. These passages come closest:",
        nothing_in_force="No policy is in force yet.",
        binds_you="{document}: version {version} binds you; for others version {other} is in force.",
        coming="{document}: version {other} comes in force on {day}.",
        aside={
            "own_case": "That is about your own case, which no policy answers. Your status may, or a person.",
            "money": "That is about a payment of yours, not about the policy. A person can look into it.",
            "erasure": "That asks us to delete something, and no quote from a policy does that. "
            "Send a request for deletion; a person takes care of it.",
            "access": "That asks for your data. Send a request for it; a person takes care of it.",
            "support": "That is a matter for support, not for the policy. A person can help.",
        },
    ),
    "de": Wording(
        silent="Dazu sagt die Richtlinie nichts.",
        closest="Eine sichere Antwort gibt die Richtlinie nicht. Am nächsten kommen diese Stellen:",
        nothing_in_force="Noch ist keine Richtlinie in Kraft.",
        binds_you="{document}: Für Sie gilt Version {version}; für andere ist Version {other} in Kraft.",
        coming="{document}: Version {other} tritt am {day} in Kraft.",
        aside={
            "own_case": "Das betrifft Ihren eigenen Fall; darauf antwortet keine Richtlinie, sondern Ihr Status "
            "oder ein Mensch.",
            "money": "Das betrifft eine Zahlung von Ihnen, nicht die Richtlinie. Ein Mensch kann das prüfen.",
            "erasure": "Das ist eine Bitte, etwas zu löschen; ein Zitat aus einer Richtlinie tut das nicht. "
            "Stellen Sie einen Antrag auf Löschung; ein Mensch kümmert sich darum.",
            "access": "Das ist eine Bitte um Ihre Daten. Stellen Sie einen Antrag; ein Mensch kümmert sich darum.",
            "support": "Das ist eine Sache für den Support, nicht für die Richtlinie. Ein Mensch kann helfen.",
        },
    ),
}


def of(locale: str) -> Wording:
    """In the language of the locale, else in English."""
    return _WORDINGS.get(locale.split("-")[0], _WORDINGS["en"])
