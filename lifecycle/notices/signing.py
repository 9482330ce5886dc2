"""DKIM (RFC 6376), for operators whose relay does not sign: the signed bytes are those kept and handed over."""

from functools import cache
from pathlib import Path
from typing import Any

from lifecycle.errors import ConfigurationError
from lifecycle.settings import Settings

SIGNED = ("From", "To", "Subject", "Date", "Message-ID", "Reply-To", "Auto-Submitted", "MIME-Version", "Content-Type")


def signed(message: bytes, settings: Settings) -> bytes:
    """The message with its signature in front; as it is when no key is set. Raises ConfigurationError."""
    if settings.dkim_key is None:
        return message
    domain = (settings.dkim_domain or settings.sender.rpartition("@")[2]).encode("idna")
    names = {line.partition(b":")[0].lower() for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    dkim = _library()
    try:
        header: bytes = dkim.sign(
            message,
            settings.dkim_selector.encode("ascii"),
            domain,
            _key(settings.dkim_key),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name.encode() for name in SIGNED if name.lower().encode() in names],
        )
    except (dkim.DKIMException, ValueError) as error:
        raise ConfigurationError(f"ASSENT_DKIM_KEY {str(settings.dkim_key)!r} cannot sign: {error}") from None
    return header + message


def published(message: bytes) -> bool:
    """Whether the key in the DNS fits the message's signature."""
    found: bool = _library().verify(message)
    return found


def _library() -> Any:
    try:
        import dkim
    except ModuleNotFoundError:
        raise ConfigurationError("ASSENT_DKIM_KEY is set, but dkimpy is missing: install 'assent[dkim]'.") from None
    return dkim


@cache
def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"ASSENT_DKIM_KEY {str(path)!r} cannot be read ({error.strerror}).") from None
