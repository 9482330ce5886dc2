"""Addresses at which Assent itself takes mail: where a notice comes back to, and where a reply to it goes.

Each names its notice and is signed, so that nobody can make one up (VERP: the envelope says which mail came back).
"""

import hashlib
import hmac
import re
from enum import StrEnum
from functools import lru_cache
from itertools import product

from lifecycle.settings import Settings

_SIGNED = re.compile(r"\+([br])(\d{1,18})-([a-z2-7]{16})@", re.IGNORECASE)


class Post(StrEnum):
    """What comes to such an address."""

    BOUNCE = "b"
    REPLY = "r"


def return_path(settings: Settings, notice_id: int) -> str:
    """The envelope's sender of a notice: a signed address of its own, or the sender when Assent takes no mail."""
    return _signed(settings, Post.BOUNCE, notice_id) if settings.inbox_address else settings.sender


def reply_to(settings: Settings, notice_id: int) -> str:
    """Where a reply to a notice goes: as the operator says, else to the requests, else (empty) to the sender."""
    if settings.reply_to or not settings.inbox_address:
        return settings.reply_to
    return _signed(settings, Post.REPLY, notice_id)


def read(settings: Settings, address: str) -> tuple[Post, int] | None:
    """What comes to the address, and which notice it is about; None unless we signed it. Case is no matter."""
    found = _SIGNED.search(address)
    if found is None or not settings.inbox_address:
        return None
    post, notice_id = Post(found[1].lower()), int(found[2])
    ours = _signed(settings, post, notice_id)
    given = address.lower().encode("utf-8", "replace")
    return (post, notice_id) if hmac.compare_digest(ours.lower().encode(), given) else None


def find(settings: Settings, text: str) -> tuple[Post, int] | None:
    """The first address of ours in a text, such as a header."""
    candidates = re.findall(r"[^\s<>,;:\"]+@[^\s<>,;\"]+", text)
    return next((found for address in candidates if (found := read(settings, address)) is not None), None)


def message_id(settings: Settings, notice_id: int, key: str) -> str:
    """The Message-ID of every copy of a notice: it names the notice, and cannot be guessed (RFC 5322, 3.6.4)."""
    domain = settings.sender.rpartition("@")[2]
    return f"<{notice_id}.{_mac(settings, 'message-id', key)}@{domain}>"


def notice_of(message_id: str) -> int | None:
    """Which notice a Message-ID names. Whether it is ours, the one kept with the notice says."""
    found = re.fullmatch(r"<(\d{1,18})\.[a-z2-7]{16}@[^\s<>]+>", message_id)
    return int(found[1]) if found else None


def _signed(settings: Settings, post: Post, notice_id: int) -> str:
    local, _, domain = settings.inbox_address.rpartition("@")
    return f"{local}+{post.value}{notice_id}-{_mac(settings, post.name, str(notice_id))}@{domain}"


def _mac(settings: Settings, purpose: str, text: str) -> str:
    """80 bits of a keyed hash (BLAKE2b, RFC 7693), in letters that survive a relay which changes their case."""
    mac = hashlib.blake2b(f"{purpose}/{text}".encode(), digest_size=10, key=_key(settings.signing_key))
    bits = int.from_bytes(mac.digest(), "big")
    return "".join([_LETTERS[bits >> shift & 1023] for shift in range(70, -1, -10)])


@lru_cache(maxsize=16)
def _key(secret: str) -> bytes:
    """BLAKE2b takes a key of at most 64 bytes."""
    return hashlib.sha256(secret.encode()).digest()


_LETTERS = ["".join(pair) for pair in product("abcdefghijklmnopqrstuvwxyz234567", repeat=2)]  # base32 (RFC 4648)
