"""Signed links: who may answer for whom about which version, until when."""

from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer

from lifecycle.errors import InvalidInput
from lifecycle.settings import Settings

LIFETIME_SECONDS = 180 * 24 * 3600


def answer_token(settings: Settings, user_id: int, version_id: int, *, now: datetime) -> str:
    """A token that lets its holder accept, decline or object to this version for this user, for 180 days."""
    return _serializer(settings).dumps([user_id, version_id, int(now.timestamp()) + LIFETIME_SECONDS])


def read_answer_token(settings: Settings, token: str, *, now: datetime) -> tuple[int, int]:
    """The user and version ids of a token; raises InvalidInput when it is forged, damaged or too old."""
    try:
        user_id, version_id, until = _serializer(settings).loads(token)
    except (BadSignature, ValueError, TypeError):
        raise InvalidInput("This link is not valid. Open it again from the mail, whole.") from None
    if now.timestamp() >= until:
        raise InvalidInput("This link has expired. Ask for a new one by replying to the mail it came in.")
    return int(user_id), int(version_id)


def version_url(settings: Settings, slug: str, number: int, *, locale: str = "", anchor: str = "") -> str:
    """The public page of a version."""
    query = f"?locale={locale}" if locale else ""
    return f"{settings.base_url}/{slug}/{number}{query}" + (f"#{anchor}" if anchor else "")


def _serializer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(settings.signing_key, salt="assent-answer")
