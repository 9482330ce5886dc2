"""A mail to the signed reply address of a notice becomes a request of the person who got the notice."""

import re
from datetime import datetime
from email.message import Message
from html.parser import HTMLParser

from sqlmodel import Session, col, func, select

from lifecycle import requests
from lifecycle.errors import NotYet
from lifecycle.models import Notice, Request, User
from lifecycle.notices import bounces, outbox
from lifecycle.states import RequestKind

MOST_OPEN = 20
SOURCE = "mail"
_SHORTENED = "\n[… the rest of the mail was longer than a request can be]"
_AUTOMATIC = {"bulk", "junk", "list", "auto_reply"}


def take_reply(
    session: Session, mail: Message, notice_id: int, *, sender: str, regime: str = "contract", now: datetime
) -> Request | None:
    """Take the mail down as a request of the notice's user; None for what no person wrote (RFC 3834).

    The words are kept, attachments are only named. The same mail twice is one request. Raises NotYet when the user
    has MOST_OPEN open requests by mail already, so that nobody can flood staff.
    """
    notice = outbox.notice(session, notice_id)
    if automatic(mail, sender):
        return None
    user = session.get(User, notice.user_id) if notice.user_id else None
    if user is not None and user.erased_at is not None:
        user = None  # what they write now must not tell who the pseudonym was
    details = _details(mail, notice, user)
    same = (Request.source == SOURCE, Request.user_id == notice.user_id, col(Request.closed_at).is_(None))
    subject = bounces.header(mail, "Subject")[:200] or "(no subject)"
    known = session.exec(select(Request).where(*same, Request.subject == subject, Request.details == details)).first()
    if known is not None:
        return known
    if session.exec(select(func.count()).select_from(Request).where(*same)).one() >= MOST_OPEN:
        raise NotYet(f"There are {MOST_OPEN} open requests by mail of this person; close some first.")
    return requests.open_request(
        session,
        RequestKind.SUPPORT,
        subject=subject,
        details=details,
        user=user,
        email="" if user else notice.address,
        source=SOURCE,
        regime=regime,
        now=now,
    )


def automatic(mail: Message, sender: str) -> bool:
    """Whether a machine wrote it: by its headers, its kind, or a sender to whom nobody may answer."""
    submitted = bounces.header(mail, "Auto-Submitted").split(";")[0].strip().lower()
    return (
        submitted not in {"", "no"}
        or bounces.header(mail, "Precedence").lower() in _AUTOMATIC
        or any(name in mail for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "List-Id"))
        or mail.get_content_type() == "multipart/report"
        or not sender.strip("<> ")
    )


def _details(mail: Message, notice: Notice, user: User | None) -> str:
    notes = [f"In reply to notice {notice.id} ({notice.purpose.value})."]
    written_by = bounces.header(mail, "From")
    if user is None or user.email.lower() not in written_by.lower() or not user.email:
        notes.append(f"Written from {written_by or 'an unnamed address'}, which is not the address of the user.")
    if attached := [_name(part) for part in mail.walk() if _attached(part)]:
        notes.append(f"Attachments, not kept: {', '.join(attached)}.")
    text, end = _words(mail), "\n\n" + "\n".join(notes)[:1000]
    room = requests.MAX_TEXT - len(end)
    return (text if len(text) <= room else text[: room - len(_SHORTENED)] + _SHORTENED) + end


def _attached(part: Message) -> bool:
    return not part.is_multipart() and (
        part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text"
    )


def _name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except (LookupError, UnicodeError, ValueError):
        name = ""
    return re.sub(r"[^\w .()-]", "_", name)[:60] or part.get_content_type()


def _words(mail: Message) -> str:
    """What was written: the text part, else the HTML part without its tags."""
    texts = [part for part in mail.walk() if part.get_content_maintype() == "text" and not _attached(part)]
    for kind in ("text/plain", "text/html"):
        part = next((part for part in texts if part.get_content_type() == kind), None)
        if part is not None and (words := _plain(bounces.text_of(part), kind).strip()):
            return words
    return "(no text)"


def _plain(text: str, kind: str) -> str:
    if kind == "text/html":
        page = _Words()
        page.feed(text)
        text = "".join(page.words)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t\r\xa0]+\n|\r\n?", "\n", text))


class _Words(HTMLParser):
    """The text of a page, with its paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in {"script", "style", "head"}
        if tag in {"p", "br", "div", "li", "tr", "h1", "h2", "h3", "blockquote"}:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "head"} and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
