"""Signed links: who may answer for whom about which version, until when."""

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from lifecycle.errors import InvalidInput
from lifecycle.settings import Settings

LIFETIME_SECONDS = 180 * 24 * 3600


def answer_token(settings: Settings, user_id: int, version_id: int) -> str:
    """A token that lets its holder accept, decline or object to this version for this user."""
    return _serializer(settings).dumps([user_id, version_id])


def read_answer_token(settings: Settings, token: str) -> tuple[int, int]:
    """The user and version ids of a token; raises InvalidInput when it is forged, damaged or too old."""
    try:
        user_id, version_id = _serializer(settings).loads(token, max_age=LIFETIME_SECONDS)
    except SignatureExpired:
        raise InvalidInput("This link has expired. Ask for a new one by replying to the mail it came in.") from None
    except (BadSignature, ValueError, TypeError):
        raise InvalidInput("This link is not valid. Open it again from the mail, whole.") from None
    return int(user_id), int(version_id)


def version_url(settings: Settings, slug: str, number: int, *, locale: str = "", anchor: str = "") -> str:
    """The public page of a version."""
    query = f"?locale={locale}" if locale else ""
    return f"{settings.base_url}/{slug}/{number}{query}" + (f"#{anchor}" if anchor else "")


def _serializer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.signing_key, salt="assent-answer")
