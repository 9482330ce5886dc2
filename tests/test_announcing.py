"""The notice of a termination: what its proof starts, and who looks after it when it cannot be proven (rule 5)."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlmodel import Session, select

from lifecycle import announcing, history, requests, terminations
from lifecycle.db import Database
from lifecycle.models import Notice, Request, Termination, User
from lifecycle.notices import claiming, outbox, recording
from lifecycle.notices.conversation import Reply
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome, Channel, Initiator, NoticeStatus, Purpose, RequestKind
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, ZONE, add_user

REFUSED = Reply(AttemptOutcome.FAILED, 550, "550 5.1.1 no such mailbox")
SILENT = Reply(AttemptOutcome.UNKNOWN, None, "the connection broke")
TAKEN = Reply(AttemptOutcome.SENT, 250, "250 OK")
EVERYWHERE = {"discord_id": "175928847299117063"}
NOWHERE = {"email": ""}


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(time_zone="Europe/Berlin")


def decide(session, /, by=Initiator.PROVIDER, *, notice_days=5, **person) -> Termination:
    cause = terminations.Cause(by, "Spam.")
    user = add_user(session, **person)
    return terminations.terminate(session, user, cause, notice_days=notice_days, zone=ZONE, now=NOW)


def hand_over(database: Database, settings: Settings, channel: Channel, reply: Reply, *, at: datetime = NOW) -> int:
    """Everything due over the channel is handed over and answered so; how much that was."""
    taken = database.run(claiming.claim, limit=10, settings=settings, channel=channel, now=at)
    outcomes = [recording.Outcome(handover, reply, at) for handover in taken]
    database.run(recording.record, outcomes, settings=settings, now=at)
    return len(taken)


def owed(session: Session) -> list[tuple[Channel, NoticeStatus]]:
    about = select(Notice).where(Notice.purpose == Purpose.TERMINATION_NOTICE).order_by(Notice.id)  # type: ignore[arg-type]
    return [(notice.channel, notice.status) for notice in session.exec(about)]


def asked_of_staff(database: Database) -> list[Request]:
    return database.read(requests.requests)


def takes_effect_at(database: Database) -> datetime | None:
    return database.read(terminations.termination, 1).takes_effect_at


# -- proof ---------------------------------------------------------------------------------------------------------


def test_the_proof_starts_the_period_and_is_taken_once(database: Database, settings: Settings) -> None:
    database.run(decide)
    assert takes_effect_at(database) is None
    assert hand_over(database, settings, Channel.EMAIL, TAKEN, at=NOW + HOUR) == 1
    assert takes_effect_at(database) == NOW + HOUR + 5 * DAY
    database.run(announcing.sent, 1, sent_at=NOW + 9 * DAY, zone=ZONE, now=NOW + 9 * DAY)
    assert takes_effect_at(database) == NOW + HOUR + 5 * DAY
    verbs = [entry.verb for entry in database.read(history.of, "termination", 1)]
    assert verbs == ["decided", "announced"]


def test_the_period_is_counted_in_days_of_the_operator(sqlite: Database) -> None:
    sqlite.run(decide, notice_days=30)
    sqlite.run(announcing.sent, 1, sent_at=NOW, zone=ZONE, now=NOW)
    assert takes_effect_at(sqlite) == datetime(2026, 4, 1, 8, 0, tzinfo=UTC)  # ten o'clock in Berlin, as it was sent


def test_a_notice_owed_twice_is_one(database: Database) -> None:
    def again(session: Session) -> int:
        made = decide(session)
        user = session.get_one(User, made.user_id)
        announcing.announce(session, made, user, due_at=NOW + DAY, now=NOW)
        return len(owed(session))

    assert database.run(again) == 1


# -- no proof ------------------------------------------------------------------------------------------------------


def test_a_user_without_any_address_is_staffs_to_find(database: Database) -> None:
    database.run(decide, **NOWHERE)
    assert database.read(owed) == [(Channel.EMAIL, NoticeStatus.SKIPPED)]
    [request] = asked_of_staff(database)
    assert (request.kind, request.source) == (RequestKind.SUPPORT, "assent")
    assert request.subject == "The notice of termination 1 did not reach the user"
    assert request.details.startswith("the user has no address on any channel. The termination waits;")
    assert takes_effect_at(database) is None


def test_what_one_channel_cannot_deliver_goes_over_the_next_and_then_to_staff(
    database: Database, settings: Settings
) -> None:
    database.run(decide, **EVERYWHERE)
    hand_over(database, settings, Channel.EMAIL, REFUSED)
    assert database.read(owed) == [(Channel.EMAIL, NoticeStatus.FAILED), (Channel.DISCORD, NoticeStatus.OWED)]
    assert asked_of_staff(database) == []
    hand_over(database, settings, Channel.DISCORD, Reply(AttemptOutcome.FAILED, 403, "no direct messages"))
    [request] = asked_of_staff(database)
    assert request.details.startswith("no direct messages. The termination waits;")
    assert takes_effect_at(database) is None


def test_the_next_channel_proves_as_well_as_the_first(database: Database, settings: Settings) -> None:
    database.run(decide, **EVERYWHERE)
    hand_over(database, settings, Channel.EMAIL, REFUSED)
    hand_over(database, settings, Channel.DISCORD, TAKEN, at=NOW + HOUR)
    assert takes_effect_at(database) == NOW + HOUR + 5 * DAY


def test_staff_hear_the_relays_own_words(sqlite: Database, settings: Settings) -> None:
    sqlite.run(decide)
    hand_over(sqlite, settings, Channel.EMAIL, REFUSED)
    assert asked_of_staff(sqlite)[0].details.startswith("550 5.1.1 no such mailbox. The termination waits;")


def test_after_staff_correct_the_address_the_retry_is_the_proof(sqlite: Database, settings: Settings) -> None:
    sqlite.run(decide)
    hand_over(sqlite, settings, Channel.EMAIL, REFUSED)
    sqlite.run(lambda s: add_user(s, email="new@example.com"))
    sqlite.run(lambda s: outbox.resolve(s, outbox.notice(s, 1), "retry", now=NOW + DAY))
    hand_over(sqlite, settings, Channel.EMAIL, TAKEN, at=NOW + DAY)
    assert takes_effect_at(sqlite) == NOW + 6 * DAY
    assert sqlite.read(outbox.notice, 1).address == "new@example.com"


def test_a_notice_in_doubt_is_repeated_and_then_left_to_staff(database: Database, settings: Settings) -> None:
    database.run(decide, **EVERYWHERE)
    hand_over(database, settings, Channel.EMAIL, SILENT)
    assert asked_of_staff(database) == []
    assert hand_over(database, settings, Channel.EMAIL, SILENT, at=NOW + HOUR) == 1
    [request] = asked_of_staff(database)
    assert request.details.startswith("the relay never confirmed that it took the notice. The termination waits;")
    assert database.read(owed) == [(Channel.EMAIL, NoticeStatus.UNKNOWN)]
    assert takes_effect_at(database) is None
    assert hand_over(database, settings, Channel.EMAIL, TAKEN, at=NOW + 9 * DAY) == 0


def test_a_notice_put_off_by_the_relay_is_nobodys_failure_yet(sqlite: Database, settings: Settings) -> None:
    sqlite.run(decide, **EVERYWHERE)
    hand_over(sqlite, settings, Channel.EMAIL, Reply(AttemptOutcome.DEFERRED, 450, "450 later"))
    assert sqlite.read(owed) == [(Channel.EMAIL, NoticeStatus.DEFERRED)]
    assert asked_of_staff(sqlite) == []


# -- when nobody waits for the proof any more ----------------------------------------------------------------------


def fail_on_the_way(database: Database, settings: Settings, meanwhile: Callable[[Session, Termination], object]):
    """The notice is refused while it is on its way, after something else has happened to the termination."""
    [handover] = database.run(claiming.claim, limit=10, settings=settings, channel=Channel.EMAIL, now=NOW)
    database.run(lambda s: meanwhile(s, terminations.termination(s, 1)))
    database.run(recording.record, [recording.Outcome(handover, REFUSED, NOW)], settings=settings, now=NOW)


def test_the_failed_notice_of_a_termination_taken_back_bothers_nobody(sqlite: Database, settings: Settings) -> None:
    sqlite.run(decide, **EVERYWHERE)
    fail_on_the_way(sqlite, settings, lambda s, made: terminations.rescind(s, made, reason="A mistake.", now=NOW))
    assert sqlite.read(owed) == [(Channel.EMAIL, NoticeStatus.FAILED)]
    assert asked_of_staff(sqlite) == []


def test_the_failed_notice_of_a_reinstated_user_bothers_nobody(sqlite: Database, settings: Settings) -> None:
    def overridden_and_reinstated(session: Session, made: Termination) -> None:
        terminations.override(session, made, reason="The account is being abused.", now=NOW)
        terminations.reinstate(session, made, reason="Appeal.", now=NOW)

    sqlite.run(decide, notice_days=0)
    fail_on_the_way(sqlite, settings, overridden_and_reinstated)
    assert asked_of_staff(sqlite) == []


def test_a_doubt_about_a_termination_taken_back_bothers_nobody(sqlite: Database, settings: Settings) -> None:
    sqlite.run(decide)
    hand_over(sqlite, settings, Channel.EMAIL, SILENT)
    later = NOW + HOUR
    [handover] = sqlite.run(claiming.claim, limit=10, settings=settings, channel=Channel.EMAIL, now=later)
    sqlite.run(lambda s: terminations.rescind(s, terminations.termination(s, 1), reason="A mistake.", now=later))
    sqlite.run(recording.record, [recording.Outcome(handover, SILENT, later)], settings=settings, now=later)
    assert asked_of_staff(sqlite) == []


def leaving(session: Session) -> None:
    decide(session, Initiator.USER, notice_days=0, **NOWHERE)


def overridden(session: Session) -> None:
    made = decide(session, notice_days=0)
    terminations.override(session, made, reason="The account is being abused.", now=NOW)


@pytest.mark.parametrize("decided", [leaving, overridden])
def test_staff_are_not_told_that_a_termination_waits_that_is_in_effect(
    sqlite: Database, settings: Settings, decided: Callable[[Session], None]
) -> None:
    sqlite.run(decided)
    hand_over(sqlite, settings, Channel.EMAIL, REFUSED)
    assert takes_effect_at(sqlite) == NOW
    [request] = asked_of_staff(sqlite)
    assert "waits" not in request.details
