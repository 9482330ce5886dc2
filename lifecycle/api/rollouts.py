"""Before and after a version is published: the mail that users would get, and how far the telling of them is."""

from collections.abc import Callable
from dataclasses import asdict

from fastapi import APIRouter
from sqlmodel import Session

from lifecycle import shapes, users
from lifecycle.api import inputs
from lifecycle.api.desk import After, Desk, Here, Limit, Shape, page
from lifecycle.api.versions import publication
from lifecycle.documents import planning, store
from lifecycle.models import Campaign, Version
from lifecycle.notices import rollouts, trial

router = APIRouter(prefix="/documents/{slug}/versions/{number}")


@router.post("/rehearse/mail")
def show_mail(desk: Here, slug: str, number: int, new: inputs.RehearsedMail) -> Shape:
    def work(session: Session) -> Shape:
        version = _version(session, slug, number)
        found = trial.mail_to(session, version, publication(new), new.user, settings=desk.settings, now=desk.now)
        message = found.message.decode("utf-8", "replace")
        return {"user": new.user, "channel": found.channel, "address": found.address, "message": message}

    return desk.run(work)


@router.post("/rehearse/test", status_code=202)
def send_test(desk: Here, slug: str, number: int, new: inputs.TestMail) -> Shape:
    def work(session: Session) -> Shape:
        like = users.user(session, new.user) if new.user else None
        version, settings = _version(session, slug, number), desk.settings
        tried = trial.send_test(
            session, version, publication(new), new.address, like=like, actor="host", settings=settings, now=desk.now
        )
        return shapes.notice(session, tried)

    return desk.run(work)


@router.get("/unreachable")
def list_unreachable(desk: Here, slug: str, number: int, after: After = 0, limit: Limit = 100) -> Shape:
    def work(session: Session) -> Shape:
        _version(session, slug, number)
        found = planning.unreached(session, after=after, limit=limit + 1, now=desk.now)
        return page("unreachable", [{"id": key} | asdict(who) for key, who in found], limit, "id")

    return desk.read(work)


@router.get("/rollout")
def get_rollout(desk: Here, slug: str, number: int) -> Shape:
    return desk.read(lambda session: _shown(session, desk, slug, number))


@router.post("/rollout", status_code=201)
def start(desk: Here, slug: str, number: int, new: inputs.NewRollout) -> Shape:
    def work(session: Session) -> Shape:
        version = _version(session, slug, number)
        rollouts.start(session, version, at=new.at or desk.now, actor="host", now=desk.now)
        return _shown(session, desk, slug, number)

    return desk.run(work)


@router.post("/rollout/pause")
def pause(desk: Here, slug: str, number: int) -> Shape:
    return _steer(desk, slug, number, lambda s, campaign: rollouts.pause(s, campaign, actor="host", now=desk.now))


@router.post("/rollout/resume")
def resume(desk: Here, slug: str, number: int) -> Shape:
    return _steer(desk, slug, number, lambda s, campaign: rollouts.resume(s, campaign, actor="host", now=desk.now))


@router.post("/rollout/cancel")
def cancel(desk: Here, slug: str, number: int, why: inputs.Reason) -> Shape:
    def change(session: Session, campaign: Campaign) -> None:
        rollouts.cancel(session, campaign, reason=why.reason, actor="host", now=desk.now)

    return _steer(desk, slug, number, change)


def _steer(desk: Desk, slug: str, number: int, change: Callable[[Session, Campaign], None]) -> Shape:
    def work(session: Session) -> Shape:
        change(session, rollouts.campaign(session, _version(session, slug, number)))
        return _shown(session, desk, slug, number)

    return desk.run(work)


def _shown(session: Session, desk: Desk, slug: str, number: int) -> Shape:
    version = _version(session, slug, number)
    per_hour = desk.settings.relay_per_hour
    seen = rollouts.look(session, rollouts.campaign(session, version), per_hour=per_hour, now=desk.now)
    return shapes.rollout(store.document(session, slug), version, seen)


def _version(session: Session, slug: str, number: int) -> Version:
    return store.version(session, store.document(session, slug), number)
