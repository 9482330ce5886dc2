"""Events that a mail provider posts as JSON: checked by their HMAC, then read by a mapping from the settings. Pure."""

import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lifecycle.errors import InvalidInput
from lifecycle.states import ReportKind

_PLACE = re.compile(r"\{(?:(body)|header:([^{}]+)|json:([^{}]+))\}")


class Webhook(BaseModel):
    """How one provider signs its events, and where in them stands what. A path names keys and list places: `a.b.0.c`.

    `signed` is the text under the signature, of `{body}`, `{header:NAME}` and `{json:PATH}`. `signature` is a header,
    or a path after `json:`; of several in it, parted by blanks, one that begins with `prefix` must fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=8)
    signature: str = "X-Signature"
    prefix: str = ""
    signed: str = "{body}"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"

    events: str = ""
    kind: tuple[str, ...] = Field(min_length=1)
    kinds: dict[str, ReportKind] = Field(min_length=1)
    message_id: str = ""
    return_path: str = ""
    address: str = ""
    code: str = ""
    reason: str = ""

    @field_validator("signed")
    @classmethod
    def _known_places(cls, value: str) -> str:
        if re.search(r"[{}]", _PLACE.sub("", value)) or not _PLACE.search(value):
            raise ValueError("must be written with {body}, {header:NAME} and {json:PATH}, such as '{body}'")
        return value

    @field_validator("secret")
    @classmethod
    def _decodable(cls, value: str) -> str:
        _key(value)
        return value


@dataclass(frozen=True, slots=True)
class Event:
    """What one event says; `digest` is the same each time the provider posts it."""

    kind: ReportKind
    digest: str
    message_id: str
    return_path: str
    address: str
    code: str
    reason: str


def genuine(hook: Webhook, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the body was signed with the secret. `headers` must not mind case."""
    given = str(_dig(_json(body), hook.signature[5:])) if hook.signature.startswith("json:") else None
    given = headers.get(hook.signature, "") if given is None else given
    digest = hmac.digest(_key(hook.secret), _signed(hook, body, headers), hook.algorithm)
    ours = digest.hex() if hook.encoding == "hex" else b64encode(digest).decode()
    return any(
        hmac.compare_digest(one.encode("utf-8", "replace"), (hook.prefix + ours).encode()) for one in given.split()
    )


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix("base64:"), validate=True) if secret.startswith("base64:") else secret.encode()


def _signed(hook: Webhook, body: bytes, headers: Mapping[str, str]) -> bytes:
    out, end = b"", 0
    for found in _PLACE.finditer(hook.signed):
        out += hook.signed[end : found.start()].encode()
        whole, header, path = found.groups()
        out += (
            body
            if whole
            else (headers.get(header, "") if header else str(_dig(_json(body), path))).encode("utf-8", "replace")
        )
        end = found.end()
    return out + hook.signed[end:].encode()


def events(hook: Webhook, body: bytes) -> Iterator[Event]:
    """The events that the mapping knows; others (opened, clicked, sent) are passed over. Raises InvalidInput."""
    found = _dig(_json(body), hook.events) if hook.events else _json(body)
    for event in found if isinstance(found, list) else [found]:
        word = "/".join(str(part) for path in hook.kind if (part := _dig(event, path)) is not None)
        if word in hook.kinds:
            yield _event(hook, event, hook.kinds[word])


def _event(hook: Webhook, event: Any, kind: ReportKind) -> Event:
    def text(path: str) -> str:
        value = _dig(event, path) if path else None
        return (
            "" if value is None else " ".join(str(value).encode("utf-8", "replace").decode().replace("\0", "").split())
        )

    message_id = text(hook.message_id).strip("<>")
    digest = hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()
    return Event(
        kind,
        digest,
        f"<{message_id}>" if message_id else "",
        text(hook.return_path),
        text(hook.address),
        text(hook.code),
        text(hook.reason),
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not JSON.") from None


def _dig(value: Any, path: str) -> Any:
    """What stands at the path; None where it leads nowhere."""
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
