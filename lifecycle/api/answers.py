"""Questions, answered in the words of the policies."""

from fastapi import APIRouter

from lifecycle import shapes
from lifecycle.answers.asking import ask
from lifecycle.api import inputs
from lifecycle.api.desk import Here, Shape

router = APIRouter(prefix="/answers")


@router.post("")
def answer(desk: Here, asked: inputs.Question) -> Shape:
    told = asked.model_dump(exclude={"question", "user"})
    found = ask(desk.database, asked.question, **told, user=asked.user or "", settings=desk.settings, now=desk.now)
    return shapes.answer(found)
