"""The bytes handed to the relay: built by the standard library; for a campaign once, then spliced for each person.

What makes a message one person's are a few header lines and the blanks of its draft. Only the lines these stand in
are encoded for each person; whatever is unusual in an address is left to the standard library.
"""

import re
from binascii import b2a_qp
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from lifecycle.errors import TemplateError
from lifecycle.notices.rendering import (
    Blank,
    Draft,
    Pieces,
    Rendered,
    Renderer,
    header_text,
    html_value,
    joined,
    text_value,
)
from lifecycle.states import Purpose

STUMBLES = (MessageError, ValueError, LookupError, AttributeError)  # what Python 3.11 raises at odd addresses
BOUNDARY = "=_assent"  # quoted-printable never writes it, so no value can end a part


def compose(rendered: Rendered, *, sender: str, to: str, reply_to: str, message_id: str, date: datetime) -> bytes:
    """The exact bytes handed to the relay: multipart text and HTML, CRLF lines, headers of RFC 5322 and RFC 3834.

    Raises TemplateError for what is no address, and when the bytes, read back, do not hold exactly the headers meant.
    """
    name, address = parseaddr(sender)
    if "@" not in address:
        name, address = "", sender
    message = EmailMessage(policy=_EXACT.clone(utf8=not (address + to).isascii()))  # RFC 6532, as SMTPUTF8 announces
    meant = {
        "From": _mailbox(address, header_text(name)),
        "To": _mailbox(to),
        "Subject": rendered.subject,
        "Date": format_datetime(date),
        "Message-ID": message_id,
        "Auto-Submitted": "auto-generated",
        "Content-Language": rendered.locale,
    } | ({"Reply-To": reply_to} if reply_to else {})
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    message.set_boundary(BOUNDARY)
    for header, value in meant.items():  # after the content, which takes every Content-… header set before with it
        try:
            message[header] = value
        except STUMBLES:
            raise TemplateError(f"{value!r} cannot stand in the header {header}.") from None
    data = message.as_bytes()
    _require_as_meant(data, meant)
    return data


def _mailbox(address: str, name: str = "") -> str:
    local, _, domain = address.rpartition("@")
    try:
        address.encode()  # half a character is none
        if address.isascii():
            return str(Address(name, addr_spec=address))
        return str(Address(name, local, domain))
    except STUMBLES:
        raise TemplateError(f"{address!r} is not an e-mail address.") from None


class _Exact(policy.EmailPolicy):
    """Python 3.11 adds and drops blanks where it folds a long subject; whole encoded words come back exactly."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        text = str(value)
        if name != "Subject" or (text.isascii() and len(text) < 65):
            return super().fold_binary(name, value)
        encoded = Header(text, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
        return f"{name}: {encoded}\r\n".encode("ascii")


_EXACT = _Exact(linesep="\r\n")


def _require_as_meant(data: bytes, meant: Mapping[str, str]) -> None:
    """Python 3.11 lets an encoded newline through into headers, so the bytes are read back and compared."""
    found = message_from_bytes(data, policy=policy.default)
    extra = set(found.keys()) ^ {*meant, "MIME-Version", "Content-Type"}
    try:
        wrong = [name for name in ("To", "Subject", "Message-ID") if str(found[name]) != meant[name]]
    except STUMBLES:
        raise TemplateError(f"The message for {meant['To']!r} cannot be read back.") from None
    if extra or wrong or len(found.keys()) != len(set(found.keys())):
        raise TemplateError(f"The message would not carry the headers meant: {', '.join(sorted(extra) + wrong)}.")


# -- a campaign's message ----------------------------------------------------------------------------------------------

_TO, _ID, _DATE = "to@blank.invalid", "<id@blank.invalid>", datetime(2000, 1, 1, tzinfo=UTC)
_TEXT, _HTML = "The text.\n", "The page.\n"
DOT = ord(".")
_LONGEST = 66  # so that no line with it passes 78, where the standard library folds (RFC 5322, 2.1.1)
_PLAIN = re.compile(rf"(?=.{{1,{_LONGEST}}}\Z)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PLAIN_ID = re.compile(r"<[A-Za-z0-9._-]+@[A-Za-z0-9.-]+>")

_shown_date = lru_cache(maxsize=16)(format_datetime)
_Slot = tuple[Pieces, Callable[[str], str]]
# No encoding changes it and no line break can: a dot alone on a line, quoted-printable writes in another way.
_AS_IT_IS = re.compile(r"[A-Za-z0-9:/@_.+-]*[A-Za-z0-9:/@_+-]").fullmatch
_FREE = frozenset("~^`|{}*$[]!%")  # if the mail has no other use for it, one of these stands in for such a value
_Key = tuple[int | str, ...]
MOST_MOULDS = 256


class Written(NamedTuple):
    """A message, and whether a line of it may begin with a dot."""

    message: bytes
    dotted: bool = True


class Form:
    """The message of a draft, with everything in place that is the same for all."""

    def __init__(self, draft: Draft, *, sender: str) -> None:
        self._draft, self._sender = draft, sender
        shell = compose(
            Rendered(draft.subject, _TEXT, _HTML, draft.locale),
            sender=sender,
            to=_TO,
            reply_to="",
            message_id=_ID,
            date=_DATE,
        )
        head, _, rest = shell.partition(b"\r\n\r\n")
        before, text, between, html, after = re.split(rb"(The text\.\r\n|The page\.\r\n)", rest)
        assert (text, html) == (b"The text.\r\n", b"The page.\r\n")
        self._head = _without(head, To=_TO, Date=format_datetime(_DATE), **{"Message-ID": _ID})
        self._body: list[bytes | _Slot] = [
            b"\r\n" + before,
            *_encoded_once(draft.text, text_value),
            between,
            *_encoded_once(draft.html, html_value),
            after,
        ]
        blanks = {piece.name for pieces in (draft.text, draft.html) for piece in pieces if isinstance(piece, Blank)}
        self._names, self._moulds = sorted(blanks), dict[_Key, _Mould]()
        self.common = self._head + self._filled(defaultdict(str))
        self._free = sorted(char for char in _FREE if char.encode() not in self.common)

    def fill(self, own: Mapping[str, Any], *, to: str, reply_to: str, message_id: str, date: datetime) -> Written:
        """The message of one person, equal to what `compose` makes of the filled draft. Raises as `compose` does."""
        plain = _PLAIN.fullmatch(to) and _PLAIN_ID.fullmatch(message_id) and len(message_id) <= _LONGEST
        if not plain:
            lines = {"to": to, "reply_to": reply_to, "message_id": message_id}
            return Written(compose(self._draft.filled(own), sender=self._sender, **lines, date=date))
        head = f"To: {to}\r\nDate: {_shown_date(date)}\r\nMessage-ID: {message_id}\r\n".encode("ascii")
        head = self._head + head + _answers_to(reply_to)
        values = [str(own[name]) for name in self._names]
        free = len(self._free)
        key = tuple([len(value) if n < free and _AS_IT_IS(value) else value for n, value in enumerate(values)])
        if [kept for kept in key if isinstance(kept, str) and not _FREE.isdisjoint(kept)]:
            return Written(head + self._filled(own))
        body, dotted = (self._moulds.get(key) or self._cast(key)).pour(values)
        return Written(head + body, dotted)

    def _filled(self, own: Mapping[str, Any]) -> bytes:
        parts = self._body
        return b"".join(
            [part if isinstance(part, bytes) else _encoded(joined(part[0], own, part[1])) for part in parts]
        )

    def _cast(self, key: "_Key") -> "_Mould":
        if len(self._moulds) >= MOST_MOULDS:
            self._moulds.clear()
        runs = [size if isinstance(size, str) else self._free[n] * size for n, size in enumerate(key)]
        stand_ins = ["" if isinstance(size, str) else self._free[n] for n, size in enumerate(key)]
        body = self._filled(dict(zip(self._names, runs, strict=True)))
        mould = self._moulds[key] = _Mould(body, stand_ins)
        return mould


class _Mould:
    """The body for values of which only the lengths matter, for no encoding changes them; all others are part of it.

    A gap is a run of the character that stood in for a value; a soft line break parts a long one.
    """

    def __init__(self, body: bytes, stand_ins: Sequence[str]) -> None:
        runs = "|".join(re.escape(char) + "+" for char in stand_ins if char)
        self._parts = re.split(f"({runs})".encode(), body) if runs else [body]
        self._shown = [0] * len(stand_ins)  # how many characters of each value, counting every time it is shown
        self._gaps: list[tuple[int, int, int, int]] = []  # which part shows which value, from where to where
        for place in range(1, len(self._parts), 2):
            nth, start = stand_ins.index(chr(self._parts[place][0])), 0
            start, self._shown[nth] = self._shown[nth], self._shown[nth] + len(self._parts[place])
            self._gaps.append((place, nth, start, self._shown[nth]))
        self._begins_line = [(n, start) for place, n, start, _ in self._gaps if self._parts[place - 1][-1:] == b"\n"]
        self._dotted = any(b"\n." in part for part in self._parts)

    def pour(self, values: Sequence[str]) -> tuple[bytes, bool]:
        """The body with these values, and whether a line of it begins with a dot."""
        parts = self._parts.copy()
        shown = [
            value.encode("ascii") * (size // len(value)) if size else b""
            for value, size in zip(values, self._shown, strict=True)
        ]
        for place, nth, start, stop in self._gaps:
            parts[place] = shown[nth][start:stop]
        dots = [nth for nth, start in self._begins_line if shown[nth][start] == DOT]
        return b"".join(parts), self._dotted or bool(dots)


def _answers_to(reply_to: str) -> bytes:
    if not reply_to:
        return b""
    return f"Reply-To: {reply_to}\r\n".encode("ascii") if _PLAIN.fullmatch(reply_to) else _folded_reply_to(reply_to)


@lru_cache(maxsize=64)
def _folded_reply_to(reply_to: str) -> bytes:
    message = EmailMessage(policy=_EXACT.clone(utf8=not reply_to.isascii()))
    message["Reply-To"] = reply_to
    return message.as_bytes().removesuffix(b"\r\n")


def form(
    templates: Renderer,
    purpose: Purpose,
    values: Mapping[str, Any],
    *,
    own: Collection[str],
    locale: str,
    sender: str,
) -> Form:
    """The form of a notice to many, made once for all for whom the values but their `own` are the same."""
    same = (templates, purpose, locale, sender)
    key = (*same, *((name, bool(value) if name in own else _frozen(value)) for name, value in values.items()))
    if (found := _forms.get(key)) is None:
        if len(_forms) >= MOST_FORMS:
            _forms.clear()
        draft = templates.draft(purpose, values, locale=locale, own=own)
        found = Form(draft, sender=sender)
        if draft.common:
            _forms[key] = found
    return found


MOST_FORMS = 256
_forms: dict[tuple[Any, ...], Form] = {}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _without(head: bytes, **lines: str) -> bytes:
    """The header without these lines, each of which it must hold."""
    for name, value in lines.items():
        line = f"\r\n{name}: {value}\r\n".encode("ascii")
        before, found, after = (b"\r\n" + head + b"\r\n").partition(line)
        assert found, line
        head = (before + b"\r\n" + after).strip(b"\r\n")
    return head + b"\r\n"


def _encoded_once(pieces: Pieces, encode: Callable[[str], str]) -> Iterator[bytes | _Slot]:
    """What is the same for all as its bytes; the lines with a blank as they are."""
    for is_common, lines in groupby(_lines(pieces), lambda line: all(isinstance(piece, str) for piece in line)):
        if is_common:
            yield _encoded("".join(str(piece) for line in lines for piece in line))
        else:
            yield from ((line, encode) for line in lines)


def _lines(pieces: Pieces) -> Iterator[list[str | Blank]]:
    line: list[str | Blank] = []
    for piece in pieces:
        whole = piece.splitlines(keepends=True) if isinstance(piece, str) else [piece]
        for part in whole:
            line.append(part)
            if isinstance(part, str) and part.endswith("\n"):
                yield line
                line = []
    if line:
        yield [*line, "\n"]


def _encoded(lines: str) -> bytes:
    """Whole lines in quoted-printable (RFC 2045, 6.7)."""
    return b2a_qp(lines.replace("\n", "\r\n").encode(), quotetabs=False, istext=True, header=False)
