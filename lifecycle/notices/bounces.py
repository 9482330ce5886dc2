"""What a bounce says: RFC 3464 reports, and the free text of mail systems that write none. Pure; nothing is trusted.

Which notice it is about, and whether that one is ours, is for the caller to find out from `message_ids`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, message_from_string
from email.header import decode_header, make_header
from email.message import Message

from lifecycle.states import ReportKind

MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class Bounce:
    """One mail's fate by a relay's own words: enhanced status code (RFC 3463) and address where it names them."""

    kind: ReportKind
    code: str = ""
    address: str = ""
    text: str = ""
    message_ids: list[str] = field(default_factory=list)


def parse(data: bytes) -> Message:
    """The mail, however broken: the forgiving policy never raises, and headers stay as they were written."""
    return message_from_bytes(data)


def read(mail: Message) -> Bounce | None:
    """What the mail reports about another; None when it is no delivery report."""
    blocks = [block for part in mail.walk() if part.get_content_type() in _STATUS_TYPES for block in _blocks(part)]
    found = _standard(blocks) if blocks else _free_text(mail)
    return found and Bounce(found.kind, found.code, found.address, found.text, list(dict.fromkeys(_about(mail))))


def header(mail: Message, name: str) -> str:
    """A header as people read it, on one line; empty when there is none."""
    value = mail.get(name, "")
    try:
        value = str(make_header(decode_header(value)))
    except (ValueError, LookupError, UnicodeError):
        value = str(value)
    return " ".join(value.encode("utf-8", "replace").decode().split())


def text_of(part: Message) -> str:
    """The text of a part, in whatever character set it claims, without NUL."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        text = payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = payload.decode("utf-8", "replace")
    return text.replace("\0", "")


# -- reports of RFC 3464 and, with addresses beyond ASCII, RFC 6533 ------------------------------------------------

_STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
# Nobody is at the address (X.1.x, but for the two that speak of the sender), or the mailbox was closed (X.2.1).
_NOBODY = re.compile(r"5\.(1\.(?!7$|8$)\d+|2\.1)$")
_PLAIN_CODE = re.compile(r"(?:^|\D)([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")


def _standard(blocks: list[Message]) -> Bounce | None:
    fates = [fate for block in blocks if (fate := _fate(block)) is not None]
    return max(fates, key=lambda fate: list(ReportKind).index(fate.kind), default=None)  # the worst counts


def _blocks(part: Message) -> Iterator[Message]:
    """The header blocks of a status part: one of the message, then one of each recipient."""
    payload = part.get_payload()
    for block in payload if isinstance(payload, list) else []:
        if isinstance(block, Message):
            yield block
            rest = block.get_payload()
            if isinstance(rest, str):  # Python reads only the older type as blocks, of the newer the first
                yield from (message_from_string(more.lstrip()) for more in re.split(r"\r?\n\r?\n", rest))


def _fate(block: Message) -> Bounce | None:
    action = header(block, "Action").lower().split(" ")[0]
    text = header(block, "Diagnostic-Code").partition(";")[2].strip() or header(block, "Diagnostic-Code")
    status = _PLAIN_CODE.search(header(block, "Status")) or _PLAIN_CODE.search(text)
    code = ".".join(status.groups()) if status else ""
    address = (header(block, "Original-Recipient") or header(block, "Final-Recipient")).partition(";")[2].strip()
    if not (action or code) or action in {"relayed", "expanded"}:
        return None
    by_code = {"2": "delivered", "4": "delayed", "5": "failed"}
    match action or by_code.get(code[:1], ""):
        case "delivered":
            kind = ReportKind.DELIVERED
        case "delayed":
            kind = ReportKind.DELAYED
        case "failed":
            kind = _given_up(code, text)
        case _:
            return None
    return Bounce(kind, code, address, text[:MAX_TEXT])


def _given_up(code: str, text: str) -> ReportKind:
    vague = not code or code.endswith((".0.0", ".5.0"))
    nobody = _NOBODY.match(code) or (vague and _SAYS_NOBODY.search(text))
    return ReportKind.BAD_ADDRESS if nobody else ReportKind.UNDELIVERED


# -- free text -----------------------------------------------------------------------------------------------------

_SAYS_NOBODY = re.compile(
    r"(user|recipient|address|account|mailbox|alias)[^.\n]{0,40}"
    r"(unknown|not found|n[o']t exist|no longer|disabled|inactive|invalid|rejected)"
    r"|(unknown|no such|invalid|non-?existent) (user|recipient|address|mailbox|account|local part|alias|domain)"
    r"|no mailbox here|unrouteable address|user doesn't have a|empfänger[^\n]{0,60}(unbekannt|nicht gefunden)"
    r"|(couldn't|could not) find any host",
    re.IGNORECASE,
)
_SAYS_LATER = re.compile(
    r"will (be retried|keep trying|continue to|try again)|warning message only|do(es)? not need to resend"
    r"|delivery[^.\n]{0,30}delayed|has not (yet )?been delivered",
    re.IGNORECASE,
)
_SAYS_GIVEN_UP = re.compile(
    r"(could|can)( ?not|n't) be delivered|wasn't able to deliver|(delivery|it)[^.\n]{0,40}(failed|failure)"
    r"|undeliver(able|ed)|permanent(ly)? (error|failure|fatal)|returned (mail|to sender)|failure notice|giving up"
    r"|unzustellbar|nicht zugestellt|\b5\d\d[ -]5\.\d",
    re.IGNORECASE,
)
_COPY_BEGINS = re.compile(
    r"^.*(below this line is a copy|this is a copy of|original message|returned message|message headers?).*$",
    re.IGNORECASE | re.MULTILINE,
)
_FROM_A_SYSTEM = re.compile(r"mailer-?daemon|postmaster|mail delivery (sub)?system|mdaemon", re.IGNORECASE)


def _free_text(mail: Message) -> Bounce | None:
    """By a few phrases that such mail has in common; only from senders that look like a mail system's own."""
    failed = header(mail, "X-Failed-Recipients").split(",")[0].strip()
    if not (failed or _FROM_A_SYSTEM.search(header(mail, "From"))):
        return None
    first = next((text_of(part) for part in mail.walk() if part.get_content_type() == "text/plain"), "")
    said = header(mail, "Subject") + "\n" + _IN_TEXT.sub("", _COPY_BEGINS.split(first)[0])
    code = next((".".join(found.groups()) for found in _PLAIN_CODE.finditer(said)), "")
    if _SAYS_LATER.search(said) or code.startswith("4."):
        kind = ReportKind.DELAYED
    elif failed or code.startswith("5.") or _SAYS_GIVEN_UP.search(said):
        kind = _given_up(code, said)
    else:
        return None
    address = failed or next(iter(re.findall(r"<([^<>\s@]+@[^<>\s]+)>", said)), "")
    return Bounce(kind, code, address, " ".join(said.split())[:MAX_TEXT])


# -- which mail it is about ----------------------------------------------------------------------------------------

_IN_TEXT = re.compile(r"^[>\s]*Message-ID:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)


def _about(mail: Message) -> Iterator[str]:
    """The Message-IDs that the report quotes: of the mail or headers that it carries, in its text, or as a reply."""
    for part in mail.walk():
        if part is not mail and part.get("Message-ID"):  # walk() goes into the returned mail
            yield str(part["Message-ID"]).strip()
        elif part.get_content_type() in {"text/rfc822-headers", "message/global-headers", "text/plain"}:
            yield from _IN_TEXT.findall(text_of(part))
    for name in ("In-Reply-To", "References"):
        yield from re.findall(r"<[^<>\s]+>", str(mail.get(name, "")))
