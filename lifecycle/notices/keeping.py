"""The exact message of a notice, kept byte for byte (rule 8): one of many compressed against what they share."""

import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache
from threading import get_ident
from typing import Any, NamedTuple

import zstandard
from sqlalchemy import Integer, LargeBinary, bindparam, func, true
from sqlalchemy import select as select_rows
from sqlmodel import Session, col, delete, select

from lifecycle.inserting import insert_into, insert_once
from lifecycle.models import Message, MessageForm
from lifecycle.rows import as_given, execute, fetch, given

LEVEL = -1  # the fastest: against the form, more effort finds next to nothing


class Packed(NamedTuple):
    """A message as it is to be kept: a Zstandard frame (RFC 8878) beside `common`, the same in the messages of many,
    or as it is without that."""

    content: bytes
    common: bytes = b""


def packed(message: bytes, common: bytes) -> Packed:
    """One message of many."""
    return Packed(_compressor(common, get_ident()).compress(message), common)


def keep(session: Session, messages: Sequence[tuple[int, Packed]]) -> None:
    """Keep the message of each notice, in the place of one kept before."""
    if not messages:
        return
    forms = {common: _form_id(session, common) for common in sorted({message.common for _, message in messages})}
    rows, start = list[tuple[int, int | None, int, int]](), 1
    for notice_id, (content, common) in messages:
        rows.append((notice_id, forms[common], start, len(content)))
        start += len(content)
    together = b"".join([message.content for _, message in messages])
    execute(session, _keeping(insert_into(session)), given=as_given(session, rows), together=together)


def _form_id(session: Session, common: bytes) -> int | None:
    """The id under which these bytes are kept."""
    if not common:
        return None
    digest = _sha256(common)
    if not (found := fetch(session, int, _FORM, digest=digest)):
        insert_once(session, MessageForm, [{"sha256": digest, "common": common}])
        found = fetch(session, int, _FORM, digest=digest)
    return found[0]


_FORM = select_rows(col(MessageForm.id)).where(col(MessageForm.sha256) == bindparam("digest"))


@lru_cache(maxsize=256)
def _sha256(common: bytes) -> str:
    return hashlib.sha256(common).hexdigest()


@cache
def _keeping(insert: Any) -> Any:
    # The messages go to the database as one value, of which each row takes its part.
    notice_id, form_id, start, length = given(Message, "notice_id", "form_id", Integer(), Integer())
    content = func.substr(bindparam("together", type_=LargeBinary), start, length)
    rows = select_rows(notice_id, form_id, content).where(true())  # else SQLite would read ON CONFLICT as of a join
    written = insert(Message).from_select(["notice_id", "form_id", "content"], rows)
    changed = {name: written.excluded[name] for name in ("form_id", "content")}
    return written.on_conflict_do_update(index_elements=["notice_id"], set_=changed)


def message(session: Session, notice_id: int) -> bytes | None:
    """The exact message that was, or is about to be, handed over; None before the first try."""
    kept = session.exec(select(Message.content, Message.form_id).where(Message.notice_id == notice_id)).first()
    if kept is None:
        return None
    content, form_id = kept
    if form_id is None:
        return content
    common = session.get_one(MessageForm, form_id).common
    return zstandard.ZstdDecompressor(dict_data=_dictionary(common)).decompress(content)


def forget(session: Session, notice_id: int) -> None:
    """Let the message of a notice go."""
    session.exec(delete(Message).where(col(Message.notice_id) == notice_id))


@lru_cache(maxsize=64)
def _compressor(common: bytes, thread: int) -> zstandard.ZstdCompressor:  # which no two threads may use at once
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=_dictionary(common), write_dict_id=False)


def _dictionary(common: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(common, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
