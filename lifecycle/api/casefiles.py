"""All that is on record about a user, in one file."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlmodel import Session

from lifecycle import casefile, users
from lifecycle.api.desk import Here

router = APIRouter()


@router.get("/users/{external_id}/case-file", response_class=Response)
def get_case_file(desk: Here, external_id: str) -> Response:
    def work(session: Session) -> bytes:
        user = users.user(session, external_id)
        return casefile.case_file(session, user, desk.settings, actor="host", now=desk.now)

    named = {"Content-Disposition": 'attachment; filename="case-file.zip"'}
    return Response(desk.database.run(work), media_type="application/zip", headers=named)
