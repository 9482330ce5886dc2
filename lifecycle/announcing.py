"""The notice of a termination: owed, proven sent, failed, in doubt. Without proof nothing takes effect (rule 5)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from lifecycle import history, requests
from lifecycle.errors import Conflict, InvalidInput
from lifecycle.instants import add_calendar
from lifecycle.models import Notice, Termination, User
from lifecycle.notices import outbox
from lifecycle.states import PROVEN_STATUSES, Channel, Initiator, NoticeStatus, Purpose, RequestKind, ToldBy


def announce(session: Session, termination: Termination, user: User, *, due_at: datetime, now: datetime) -> None:
    notice = owe(session, Purpose.TERMINATION_NOTICE, termination, user, due_at=due_at, now=now)
    if notice.status is NoticeStatus.SKIPPED:
        _tell_staff(session, termination, user, "the user has no address on any channel", now=now)


def owe(
    session: Session,
    purpose: Purpose,
    termination: Termination,
    user: User,
    *,
    channel: Channel | None = None,
    due_at: datetime | None = None,
    now: datetime,
) -> Notice:
    return outbox.owe(
        session,
        purpose,
        f"termination:{termination.id}",
        user=user,
        channel=channel,
        due_at=due_at,
        now=now,
        termination_id=termination.id,
    )


def sent(session: Session, termination_id: int, *, sent_at: datetime, zone: ZoneInfo, now: datetime) -> None:
    """The notice is proven sent: from here its period runs."""
    termination = session.get_one(Termination, termination_id)
    counted = add_calendar(sent_at, zone, days=termination.notice_days)
    takes_effect_at = max(termination.effective_at, counted)
    waiting = (
        col(Termination.id) == termination_id,
        col(Termination.takes_effect_at).is_(None),
        col(Termination.rescinded_at).is_(None),
    )
    if session.execute(update(Termination).where(*waiting).values(takes_effect_at=takes_effect_at)).rowcount:  # type: ignore[attr-defined]
        history.record(
            session,
            "clock",
            "announced",
            "termination",
            termination_id,
            now=now,
            sent_at=sent_at,
            takes_effect_at=takes_effect_at,
        )


def told_otherwise(
    session: Session,
    termination: Termination,
    by: ToldBy,
    *,
    evidence: str,
    told_at: datetime,
    zone: ZoneInfo,
    actor: str = "staff",
    now: datetime,
) -> Termination:
    """Staff gave the notice themselves, by post or by publishing it; with its evidence it counts as proven.

    Raises InvalidInput without evidence or for an instant that cannot be, Conflict when there is a proof already.
    """
    if not evidence.strip():
        raise InvalidInput("Give the evidence: the number of the letter, or where the notice was published.")
    if not termination.decided_at <= told_at <= now:
        raise InvalidInput(
            f"The notice cannot have been given at {told_at.isoformat()}: the termination was decided at "
            f"{termination.decided_at.isoformat()}, and now is {now.isoformat()}."
        )
    if _taken_back(termination) or termination.takes_effect_at is not None:
        raise Conflict(f"Termination {termination.id} waits for no notice.")
    termination.told_by, termination.told_at, termination.told_evidence = by, told_at, evidence
    session.add(termination)
    session.flush()
    history.record(session, actor, "told otherwise", "termination", termination.id, now=now, by=by.value)
    waits = (Notice.termination_id == termination.id, Notice.purpose == Purpose.TERMINATION_NOTICE)
    outbox.cancel(session, *waits, reason=f"the notice was given by staff ({by.value})", now=now)
    sent(session, termination.id, sent_at=told_at, zone=zone, now=now)
    session.refresh(termination)
    return termination


def failed(session: Session, notice: Notice, *, now: datetime) -> None:
    """The notice cannot be sent over this channel: try the next one, or leave it to staff."""
    assert notice.termination_id is not None
    assert notice.user_id is not None
    termination, user = session.get_one(Termination, notice.termination_id), session.get_one(User, notice.user_id)
    if _taken_back(termination):
        return
    if _owe_next(session, termination, user, now=now) is None:
        _tell_staff(session, termination, user, notice.reason or "every channel failed", now=now)


def _owe_next(session: Session, termination: Termination, user: User, *, now: datetime) -> Notice | None:
    """The notice over a channel that was not tried yet, if there is one."""
    of_termination = (Notice.termination_id == termination.id, Notice.purpose == Purpose.TERMINATION_NOTICE)
    tried = session.exec(select(Notice.channel).where(*of_termination)).all()
    channel = outbox.next_channel(user, [Channel(name) for name in tried])
    if channel is None:
        return None
    return owe(session, Purpose.TERMINATION_NOTICE, termination, user, channel=channel, now=now)


def came_back(session: Session, notice: Notice, *, zone: ZoneInfo, now: datetime) -> None:
    """The proof is gone: unless it is in effect, the termination waits for another. Staff are told in any case."""
    termination, user = session.get_one(Termination, notice.termination_id), session.get_one(User, notice.user_id)
    if _taken_back(termination):
        return
    running = (
        col(Termination.id) == termination.id,
        col(Termination.took_effect_at).is_(None),
        col(Termination.takes_effect_at) > now,
        col(Termination.initiated_by) != Initiator.USER,
        *(col(other).is_(None) for other in (Termination.told_by, Termination.emergency, Termination.overridden_at)),
    )
    if session.execute(update(Termination).where(*running).values(takes_effect_at=None)).rowcount:  # type: ignore[attr-defined]
        history.record(session, "clock", "lost its proof", "termination", termination.id, now=now, notice=notice.id)
    for proof in session.exec(_proofs(termination)).all():
        assert proof.sent_at is not None
        sent(session, termination.id, sent_at=proof.sent_at, zone=zone, now=now)
    session.refresh(termination)
    owed = _owe_next(session, termination, user, now=now)
    then = f"It is owed over {owed.channel.value} now" if owed else "There is no other channel"
    _tell_staff(session, termination, user, f"The notice came back: {notice.reason}. {then}", now=now)


def _proofs(termination: Termination) -> SelectOfScalar[Notice]:
    of_termination = (Notice.termination_id == termination.id, Notice.purpose == Purpose.TERMINATION_NOTICE)
    proven = col(Notice.status).in_(PROVEN_STATUSES)
    return select(Notice).where(*of_termination, proven).order_by(col(Notice.sent_at))


def in_doubt(session: Session, notice: Notice, *, now: datetime) -> None:
    """The notice was handed over twice without an answer: only staff can say whether the user was told."""
    termination = session.get_one(Termination, notice.termination_id)
    if _taken_back(termination):
        return
    user = session.get_one(User, termination.user_id)
    _tell_staff(session, termination, user, "the relay never confirmed that it took the notice", now=now)


def _taken_back(termination: Termination) -> bool:
    return termination.rescinded_at is not None or termination.reinstated_at is not None


def _tell_staff(session: Session, termination: Termination, user: User, why: str, *, now: datetime) -> None:
    ends = termination.takes_effect_at
    if ends is None:
        what = "The termination waits; correct the address and retry the notice, give it by post, override, or rescind."
    else:
        what = f"The termination takes effect at {ends.isoformat()} all the same; see to it that the user learns of it."
    requests.open_request(
        session,
        RequestKind.SUPPORT,
        subject=f"The notice of termination {termination.id} did not reach the user",
        details=f"{why}. {what}",
        user=user,
        source="assent",
        now=now,
    )
