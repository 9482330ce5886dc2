"""Questions, answered in the words of the policies; pins; questions asked in vain."""

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.answers import curating, unanswered
from lifecycle.answers.asking import ask
from lifecycle.api import inputs
from lifecycle.api.desk import After, Here, Limit, Shape, page
from lifecycle.documents import store

router = APIRouter(prefix="/answers")


@router.post("")
def answer(desk: Here, asked: inputs.Question) -> Shape:
    told = asked.model_dump(exclude={"question", "user"})
    found = ask(desk.database, asked.question, **told, user=asked.user or "", settings=desk.settings, now=desk.now)
    return shapes.answer(found)


@router.get("/pins")
def list_pins(desk: Here, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        found = curating.pins(session, after=after, limit=limit + 1)
        return page("pins", [shapes.pin(session, pin, now=desk.now) for pin in found], limit, "number")

    return desk.read(work)


@router.post("/pins", status_code=201)
def pin(desk: Here, new: inputs.NewPin) -> Shape:
    def work(session: Session) -> Shape:
        told = new.model_dump(exclude={"document", "question", "section"})
        document = store.document(session, new.document)
        made = curating.pin(session, document, new.question, new.section, **told, actor="host", now=desk.now)
        return shapes.pin(session, made, now=desk.now)

    return desk.run(work)


@router.post("/pins/{number}/confirm")
def confirm(desk: Here, number: int, told: inputs.Confirmation) -> Shape:
    def work(session: Session) -> Shape:
        found = curating.by_number(session, number)
        curating.confirm(session, found, told.section, version=told.version, actor="host", now=desk.now)
        return shapes.pin(session, found, now=desk.now)

    return desk.run(work)


@router.post("/pins/{number}/remove")
def remove(desk: Here, number: int) -> Shape:
    def work(session: Session) -> Shape:
        found = curating.remove(session, curating.by_number(session, number), actor="host", now=desk.now)
        return shapes.pin(session, found, now=desk.now)

    return desk.run(work)


@router.get("/unanswered")
def list_unanswered(desk: Here, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        found = unanswered.unanswered(session, after=after, limit=limit + 1)
        return page("unanswered", [shapes.unanswered(each) for each in found], limit, "number")

    return desk.read(work)


@router.post("/unanswered/{number}/dismiss")
def dismiss(desk: Here, number: int) -> Shape:
    def work(session: Session) -> Shape:
        return shapes.unanswered(unanswered.dismiss(session, number, actor="host", now=desk.now))

    return desk.run(work)
