"""The exact message of a notice, kept byte for byte (rule 8): one of many compressed against what they share."""

import hashlib
from functools import lru_cache
from threading import get_ident

import zstandard
from sqlmodel import Session, select

from lifecycle.inserting import insert_once
from lifecycle.models import MessageForm, Notice
from lifecycle.notices.outbox import Due

LEVEL = -1  # the fastest: against the form, more effort finds next to nothing


def keep_form(session: Session, common: bytes) -> int:
    """The id under which these bytes, the same in the messages of many, are kept."""
    digest = hashlib.sha256(common).hexdigest()
    known = select(MessageForm.id).where(MessageForm.sha256 == digest)
    if (found := session.exec(known).first()) is None:
        insert_once(session, MessageForm, [{"sha256": digest, "common": common}])
        found = session.exec(known).one()
    return found


def packed(message: bytes, common: bytes) -> bytes:
    """The message as it is kept beside a form of these bytes (a Zstandard frame, RFC 8878)."""
    return _compressor(common, get_ident()).compress(message)


def message(session: Session, notice: Notice | Due) -> bytes | None:
    """The exact message that was, or is about to be, handed over; None before the first try."""
    if notice.message is None or notice.form_id is None:
        return notice.message
    common = session.get_one(MessageForm, notice.form_id).common
    return zstandard.ZstdDecompressor(dict_data=_dictionary(common)).decompress(notice.message)


@lru_cache(maxsize=64)
def _compressor(common: bytes, thread: int) -> zstandard.ZstdCompressor:  # which no two threads may use at once
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=_dictionary(common), write_dict_id=False)


def _dictionary(common: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(common, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
