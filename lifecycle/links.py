"""Signed links: who may answer for whom about which version, or prove to be who asked, and until when."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from functools import lru_cache
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from lifecycle.errors import InvalidInput
from lifecycle.settings import Settings

LIFETIME_SECONDS = 180 * 24 * 3600
PROOF_DAYS = 7


def answer_token(settings: Settings, user_id: int, version_id: int, *, now: datetime) -> str:
    """A token that lets its holder accept, decline or object to this version for this user, for 180 days."""
    return _signed(settings, "answer", f"{user_id},{version_id}", LIFETIME_SECONDS, now)


def read_answer_token(settings: Settings, token: str, *, now: datetime) -> tuple[int, int]:
    """The user and version ids of a token; raises InvalidInput when it is forged, damaged or too old."""
    user_id, version_id = _read(settings, "answer", token, now)
    return int(user_id), int(version_id)


def proof_token(settings: Settings, request_id: int, address: str, *, now: datetime) -> str:
    """A token that proves, for 7 days, that who holds it reads the mail of this address: for this request only."""
    return _signed(settings, "proof", f'{request_id},"{_digest(address)}"', PROOF_DAYS * 24 * 3600, now)


def read_proof_token(settings: Settings, token: str, *, now: datetime) -> tuple[int, str]:
    """The request id of a token and what `proves` compares; raises InvalidInput as `read_answer_token`."""
    request_id, digest = _read(settings, "proof", token, now)
    return int(request_id), str(digest)


def proves(digest: str, address: str) -> bool:
    """Whether a token was made for this address."""
    return bool(address) and hmac.compare_digest(digest, _digest(address))


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def version_url(settings: Settings, slug: str, number: int, *, locale: str = "", anchor: str = "") -> str:
    """The public page of a version."""
    query = f"?locale={locale}" if locale else ""
    return f"{settings.base_url}/{slug}/{number}{query}" + (f"#{anchor}" if anchor else "")


def _signed(settings: Settings, purpose: str, facts: str, seconds: int, now: datetime) -> str:
    """What the serializer makes of these facts, JSON already, and of when they end; without its detours."""
    plain = urlsafe_b64encode(f"[{facts},{int(now.timestamp()) + seconds}]".encode()).rstrip(b"=")
    signature = hmac.digest(_key(settings.signing_key, purpose), plain, "sha1")
    return (plain + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode("ascii")


def _read(settings: Settings, purpose: str, token: str, now: datetime) -> list[Any]:
    facts: list[Any]
    try:
        *facts, until = _serializer(settings.signing_key, purpose).loads(token)
        expired = now.timestamp() >= until
    except (BadSignature, ValueError, TypeError):
        raise InvalidInput("This link is not valid. Open it again from the mail, whole.") from None
    if expired:
        raise InvalidInput("This link has expired. Ask for a new one: write to us at the address below.")
    return facts


@lru_cache(maxsize=16)
def _serializer(key: str, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=f"assent-{purpose}")


@lru_cache(maxsize=16)
def _key(key: str, purpose: str) -> bytes:
    """What the serializer signs with. It would derive it anew for each of a million links."""
    return _serializer(key, purpose).make_signer().derive_key()
