"""Users by the thousand: NDJSON or CSV, one line a user."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from lifecycle import idempotency
from lifecycle.api.desk import Desk, Shape, desk
from lifecycle.user_files import import_lines

router = APIRouter()

IN_MEMORY = 1_000_000
NDJSON = {"application/x-ndjson", "application/ndjson", "application/jsonl", ""}
CSV = {"text/csv"}


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that arrived whole; a large one lies on disk, in a file without a name."""

    file: IO[bytes]
    as_csv: bool
    desk: Desk


async def _upload(request: Request) -> AsyncIterator[Upload]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in NDJSON | CSV:
        raise HTTPException(415, f"{kind} is not taken; send application/x-ndjson or text/csv.")
    digest = sha256()
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        try:
            async for chunk in request.stream():
                digest.update(chunk)
                file.write(chunk)
        except ClientDisconnect:
            raise HTTPException(400, "The body did not arrive whole; nothing was imported.") from None
        file.seek(0)
        yield Upload(file, kind in CSV, desk(request, digest.hexdigest()))


@router.post("/users/import")
def import_users(upload: Annotated[Upload, Depends(_upload)]) -> Shape:
    """Good lines go in, some hundred a transaction; bad ones come back. Importing a file again is harmless.

    Therefore the key is stored with the last transaction only: after a crash the same upload simply goes on.
    """
    desk = upload.desk
    if desk.claim is not None:
        desk.database.read(idempotency.recall, desk.claim, now=desk.now)
    report = import_lines(
        desk.database, upload.file, as_csv=upload.as_csv, name="The body", zone=desk.settings.zone, now=desk.now
    )
    return desk.run(lambda session: asdict(report))
