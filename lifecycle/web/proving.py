"""The page behind the link that proves who asked: what was asked, and the button that says so."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from lifecycle import clocks, identity
from lifecycle.errors import InvalidInput
from lifecycle.models import Request, User
from lifecycle.settings import Settings
from lifecycle.states import RequestKind

# What the buttons send.
ME, ERASE = "me", "erase"
WORDS = {
    "en": {ME: "It was me: go on with what I asked for", ERASE: "Erase my whole account"},
    "de": {ME: "Ich war es: Machen Sie, worum ich gebeten habe", ERASE: "Mein ganzes Konto löschen"},
}


def page(session: Session, settings: Settings, token: str, now: datetime) -> dict[str, Any]:
    """What the page shows. Looking changes nothing: mail scanners open links too."""
    request, user = identity.asked(session, settings, token, now=now)
    language = ((user.locale if user else "") or settings.default_locale).split("-")[0]
    return {
        "language": language,
        "token": token,
        "request": request,
        "user": user,
        "due": clocks.due(request, settings.zone),
        "buttons": _buttons(request, user, language),
        "wait_days": settings.erasure_wait_days,
    }


def _buttons(request: Request, user: User | None, language: str = "en") -> list[tuple[str, str]]:
    """The buttons that would still do something."""
    if request.closed_at is not None:
        return []
    words = WORDS.get(language, WORDS["en"])
    buttons = [] if request.verified_at else [(ME, words[ME])]
    if request.kind is RequestKind.ERASURE and user is not None and request.erase_at is None:
        buttons.append((ERASE, words[ERASE]))
    return buttons


def prove(session: Session, settings: Settings, token: str, button: str, now: datetime) -> None:
    """Do what the button says; pressed again it changes nothing. Raises InvalidInput for any other."""
    request, user = identity.asked(session, settings, token, now=now)
    if button not in {ME, ERASE}:
        raise InvalidInput(f"{button!r} is no button of this page. Open the link again and press one.")
    if button not in dict(_buttons(request, user)):
        return
    identity.prove(session, request, by=identity.BY_LINK, now=now)
    if button == ERASE:
        identity.schedule_erasure(session, request, settings, actor="user", now=now)
