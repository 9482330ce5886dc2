"""A zip that can be checked by itself: its manifest holds the SHA-256 of every other file in it."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.errors import InvalidInput

FORMAT = "assent case file 1"
MANIFEST = "manifest.json"
# A zip can claim to hold anything; more than this is not unpacked.
MAX_BYTES = 2 * 1024**3
# What reading anything else than a case file, or half of one, ends in.
DAMAGED = (zipfile.BadZipFile, zlib.error, LookupError, TypeError, ValueError, RuntimeError, OSError)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first instant a zip can name


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: nothing wrong when `problems` is empty. `manifest` is the hash that the history holds too."""

    user: str
    made_at: str
    manifest: str
    files: int
    problems: list[str]


def seal(files: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """The zip of these files with their manifest, and the manifest. The same files give the same bytes."""
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    manifest = (json.dumps({"format": FORMAT, "files": hashes}, ensure_ascii=False, indent=2) + "\n").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [(MANIFEST, manifest), *sorted(files.items())]:
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, data)
    return packed.getvalue(), manifest


def verify(data: bytes) -> Verdict:
    """Check a case file against itself: every file as the manifest says, every text and message as the record says.

    Raises InvalidInput for what is no case file at all.
    """
    try:
        files = _unpacked(data)
        hashes = json.loads(files[MANIFEST])["files"]
        case = json.loads(files["case.json"])
        problems = [*_files(files, hashes), *_texts(files, case), *_messages(files, case), *_entries(case)]
        digest = hashlib.sha256(files[MANIFEST]).hexdigest()
        return Verdict(case["user"]["external_id"], case["made_at"], digest, len(files), problems)
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        TypeError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as error:
        raise InvalidInput(
            f"This is no case file, or it is damaged beyond reading: {str(error) or type(error).__name__}."
        ) from None


def _unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > MAX_BYTES:
            raise InvalidInput(f"This zip claims to hold more than {MAX_BYTES // 1024**3} GB; no case file does.")
        names = [entry.filename for entry in entries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidInput(f"This zip holds {twice[0]!r} twice, so it says nothing certain.")
        return {entry.filename: archive.read(entry) for entry in entries}


def _files(files: Mapping[str, bytes], hashes: Mapping[str, str]) -> Iterator[str]:
    for name, digest in hashes.items():
        if name not in files:
            yield f"{name}: is missing"
        elif hashlib.sha256(files[name]).hexdigest() != digest:
            yield f"{name}: is not the file whose hash the manifest holds"
    yield from (f"{name}: stands in no manifest" for name in files if name not in hashes and name != MANIFEST)


def _texts(files: Mapping[str, bytes], case: Any) -> Iterator[str]:
    known = {text["sha256"] for text in case["texts"]}
    for text in case["texts"]:
        if hashlib.sha256(files.get(text["file"], b"")).hexdigest() != text["sha256"]:
            yield f"{text['file']}: is not the text that was published as {text['sha256']}"
    for fact in case["engagements"]:
        if fact["sha256"] and fact["sha256"] not in known:
            yield f"engagement {fact['kind']} of {fact['at']}: the text it was about is not here"


def _messages(files: Mapping[str, bytes], case: Any) -> Iterator[str]:
    for notice in case["notices"]:
        name = notice["message"]
        if name and hashlib.sha256(files.get(name, b"")).hexdigest() != notice["message_sha256"]:
            yield f"{name}: is not the message of notice {notice['id']}"


def _entries(case: Any) -> Iterator[str]:
    for event in case["history"]:
        if hashlib.sha256(event["entry"].encode()).hexdigest() != event["sha256"]:
            yield f"history entry {event['number']}: is not the one that was hashed as {event['sha256']}"
