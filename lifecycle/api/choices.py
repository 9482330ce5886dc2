"""What users opted into and out of."""

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import choices, users
from lifecycle.api import inputs
from lifecycle.api.desk import Here, Shape

router = APIRouter(prefix="/users/{external_id}/choices")


@router.get("")
def get_choices(desk: Here, external_id: str) -> Shape:
    """What counts now. Who never chose `prompt_logging` or `analytics` is in."""

    def work(session: Session) -> Shape:
        usual: Shape = dict.fromkeys((choices.ANALYTICS, choices.PROMPT_LOGGING), True)
        now = choices.current(session, users.user(session, external_id))
        return {"choices": usual | {name: choice.value for name, choice in now.items()}}

    return desk.read(work)


@router.get("/history")
def get_history(desk: Here, external_id: str) -> Shape:
    def work(session: Session) -> Shape:
        found = choices.made(session, users.user(session, external_id))
        return {"choices": [choices.shape(choice) for choice in found]}

    return desk.read(work)


@router.put("/{name}")
def put_choice(desk: Here, external_id: str, name: str, new: inputs.NewChoice) -> Shape:
    def work(session: Session) -> Shape:
        user = users.user(session, external_id)
        return choices.shape(choices.choose(session, user, name, new.value, source=new.source, now=desk.now))

    return desk.run(work)
