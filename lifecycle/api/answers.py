"""Questions, answered in the words of the policies."""

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import users
from lifecycle.answers import answering
from lifecycle.api import inputs
from lifecycle.api.desk import Here, Shape

router = APIRouter()


@router.post("/answers")
def answer(desk: Here, asked: inputs.Question) -> Shape:
    def work(session: Session) -> answering.Answer:
        user = users.user(session, asked.user) if asked.user else None
        told = asked.model_dump(exclude={"question", "user"})
        return answering.answer(session, asked.question, **told, settings=desk.settings, user=user, now=desk.now)

    found = desk.read(work)
    return {"answered": found.answered, "quotes": [_quote(q) for q in found.quotes], "reason": found.reason}


def _quote(quote: answering.Quote) -> Shape:
    section = {"number": quote.number, "title": quote.title, "anchor": quote.anchor}
    return {
        "text": quote.text,
        "document": quote.slug,
        "version": quote.version,
        "section": section,
        "url": quote.url,
        "score": quote.score,
    }
