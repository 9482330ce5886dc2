"""A text as it is kept: decoded from UTF-8, not blank, in a language, and named by its hash."""

import hashlib
import re

from lifecycle.errors import InvalidInput

LOCALE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")


def check_locale(locale: str) -> str:
    """The locale itself; raises InvalidInput unless it looks like 'en' or 'de-AT' (BCP 47)."""
    if not LOCALE.match(locale):
        raise InvalidInput(f"Locale {locale!r} is not a language tag such as 'en' or 'de-AT'.")
    return locale


def check_text(text: str) -> str:
    """The text itself; raises InvalidInput when it is blank."""
    if not text.strip():
        raise InvalidInput("The text is empty. A version needs words.")
    return text


def decode(data: bytes, *, name: str) -> str:
    """The text of a file; raises InvalidInput naming the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name} is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}. Save it as UTF-8."
        ) from None


def sha256(text: str) -> str:
    """The hash that names a body: SHA-256 of its UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
