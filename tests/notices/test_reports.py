"""A notice that came back proves nothing: no deadline, binding or termination rests on it, and somebody acts."""

from datetime import datetime
from typing import Any

import pytest
from sqlmodel import Session, select

from lifecycle import deeming, engagements, ledger, requests, standing, terminations, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.errors import Conflict, NotYet
from lifecycle.models import Notice, Report, Request, Termination, User, Version
from lifecycle.notices import addresses, claiming, keeping, outbox, recording, reports
from lifecycle.notices.conversation import Reply
from lifecycle.notices.recording import Handover, Outcome
from lifecycle.notices.reports import Said
from lifecycle.settings import Settings
from lifecycle.states import (
    AttemptOutcome,
    Channel,
    Decision,
    EngagementKind,
    Initiator,
    Mode,
    NoticeStatus,
    Purpose,
    ReportKind,
)
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, ZONE, add_user, published_terms
from tests.notices.test_bounces import OURS, standard

ON_DISCORD: dict[str, Any] = {"discord_id": "175928847299117063"}
S, KIND = NoticeStatus, ReportKind
TAKEN = Reply(AttemptOutcome.SENT, 250, "2.0.0 queued")
GONE = Said(KIND.BAD_ADDRESS, "gone", "mail", "5.1.1", "ada@example.com", "no such mailbox")


@pytest.fixture
def settings(make_settings) -> Settings:
    made: Settings = make_settings(time_zone="Europe/Berlin", inbox_address="assent@in.acme.example")
    return made


def send(
    session: Session, settings: Settings, *, channel: Channel = Channel.EMAIL, at: datetime = NOW
) -> list[Handover]:
    """Everything due over the channel is handed over, and the relay takes it."""
    taken = claiming.claim(session, limit=50, settings=settings, channel=channel, now=at)
    recording.record(session, [Outcome(handover, TAKEN, at) for handover in taken], settings=settings, now=at)
    return taken


def told(session: Session, settings: Settings, /, *, mode: Mode = Mode.EXPLICIT, **facts: str) -> Notice:
    """`ada`, with the proof that her mail about version 1 of `terms` was sent."""
    _, version = published_terms(session, mode=mode)
    user = add_user(session, **facts)
    thing = f"version:{version.id}"
    owed = outbox.owe(session, Purpose.VERSION_PUBLISHED, thing, user=user, version_id=version.id, now=NOW)
    send(session, settings)
    return owed


def ended(session: Session, settings: Settings, /, **facts: str) -> tuple[Termination, Notice]:
    """The provider ends `ada`'s access with five days' notice, and the notice is proven sent."""
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.")
    made = terminations.terminate(session, add_user(session, **facts), cause, notice_days=5, zone=ZONE, now=NOW)
    send(session, settings)
    session.refresh(made)
    return made, session.exec(select(Notice).where(Notice.termination_id == made.id)).one()


def bounce(
    session: Session, notice: Notice, settings: Settings, said: Said = GONE, *, at: datetime = NOW + HOUR
) -> bool:
    return reports.put_down(session, notice, said, settings=settings, now=at)


def ada(session: Session) -> User:
    return users.user(session, "ada")


def correct(session: Session, *, at: datetime = NOW + DAY) -> None:
    users.upsert(session, "ada", email="ada@new.example", now=at)


def subjects(session: Session) -> list[str]:
    return [request.subject for request in requests.requests(session)]


def stands(session: Session, at: datetime) -> tuple[Decision, str]:
    found = standing.standing(session, ada(session), zone=ZONE, now=at)
    return found.decision, found.documents[0].state


# -- versions ------------------------------------------------------------------------------------------------------


def test_a_deadline_that_rested_on_a_mail_which_came_back_stops(database: Database, settings: Settings) -> None:
    notice = database.run(told, settings)
    assert database.read(stands, NOW + DAY) == (Decision.BLOCK, "overdue")
    assert database.run(bounce, notice, settings)
    assert database.read(outbox.notice, notice.id).status is S.BOUNCED
    assert database.read(stands, NOW + DAY) == (Decision.WARN, "not_told")
    assert database.read(ada).email_bounced_at == NOW + HOUR
    assert database.read(subjects) == ["Notices of version 1 of terms came back"]


@pytest.mark.parametrize(
    ("mode", "kind"), [(Mode.CONTINUED_USE, EngagementKind.DEEMED_BY_USE), (Mode.NOTICE, EngagementKind.NOTIFIED)]
)
def test_what_bound_by_a_mail_that_came_back_binds_no_more(
    session: Session, settings: Settings, mode: Mode, kind: EngagementKind
) -> None:
    notice = told(session, settings, mode=mode)
    document = store.document(session, "terms")
    deeming.deem_by_use(session, {ada(session).id: [NOW + DAY]}, now=NOW + DAY)
    bound = engagements.bound(session, ada(session), document, at=NOW + DAY)
    assert bound is not None
    assert bound.proof.kind is kind
    bounce(session, notice, settings, at=NOW + 2 * DAY)
    assert engagements.bound(session, ada(session), document, at=NOW + DAY) is None
    kinds = [fact.kind for fact in ledger.record(session, ada(session))]
    assert kind in kinds
    assert kinds[-1] is EngagementKind.BOUNCED, "what happened stays on record"
    assert ledger.facts(session, ada(session)) == []


def test_silence_after_a_mail_that_came_back_is_no_silence(session: Session, settings: Settings) -> None:
    notice = told(session, settings, mode=Mode.SILENCE)
    fact = ledger.notified(session, ada(session), session.get_one(Version, notice.version_id))
    assert fact is not None
    assert deeming.deem_by_silence(session, fact, zone=ZONE, now=NOW + DAY) is not None
    bounce(session, notice, settings, at=NOW + 2 * DAY)
    assert engagements.bound(session, ada(session), store.document(session, "terms"), at=NOW + 3 * DAY) is None
    assert ledger.unanswered(session, Mode.SILENCE) == []


def test_a_corrected_address_clears_the_mark_and_the_user_is_told_anew(database: Database, settings: Settings) -> None:
    notice = database.run(told, settings)
    database.run(bounce, notice, settings)
    database.run(correct)
    assert database.read(ada).email_bounced_at is None
    first, again = database.read(outbox.notices)
    assert (first.status, again.status, again.purpose) == (S.BOUNCED, S.OWED, first.purpose)
    [handover] = database.run(send, settings, at=NOW + 2 * DAY)
    assert handover.address == "ada@new.example"
    kept = database.read(lambda s: keeping.message(s, first.id))
    assert kept is not None
    assert b"ada@example.com" in kept, "what was sent first is still kept"
    assert database.read(stands, NOW + 2 * DAY) == (Decision.BLOCK, "overdue")
    version = database.read(lambda s: s.exec(select(Version)).one())
    proof = database.read(ledger.notified, database.read(ada), version)
    assert proof is not None
    assert (proof.at, proof.nth, proof.notice_id) == (NOW + 2 * DAY, 2, again.id)


def test_the_same_address_again_is_no_correction(session: Session, settings: Settings) -> None:
    bounce(session, told(session, settings), settings)
    users.upsert(session, "ada", email="ada@example.com", locale="de", now=NOW + DAY)
    assert ada(session).email_bounced_at is not None
    assert len(outbox.notices(session)) == 1


def test_staff_send_anew_what_came_back_by_mistake(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    bounce(session, notice, settings)
    with pytest.raises(Conflict, match="a bounced one can be retried"):
        outbox.resolve(session, notice, "drop", now=NOW + DAY)
    again = outbox.resolve(session, notice, "retry", now=NOW + DAY)
    assert again == outbox.resolve(session, notice, "retry", now=NOW + DAY), "asking twice owes it once"
    assert (notice.status, again.status, ada(session).takes_mail) == (S.BOUNCED, S.OWED, True)
    send(session, settings, at=NOW + DAY)
    bounce(session, again, settings, at=NOW + 2 * DAY)
    assert again.key.split("/")[1] == "version:1~2"
    assert outbox.resolve(session, again, "retry", now=NOW + 2 * DAY).key.split("/")[1] == "version:1~3"


def test_the_next_channel_is_tried_and_its_proof_counts_from_its_own_instant(session, settings: Settings) -> None:
    notice = told(session, settings, **ON_DISCORD)
    bounce(session, notice, settings)
    send(session, settings, channel=Channel.DISCORD, at=NOW + DAY)
    version = session.get_one(Version, notice.version_id)
    proof = ledger.notified(session, ada(session), version)
    assert proof is not None
    assert (proof.at, proof.channel) == (NOW + DAY, "discord")
    users.upsert(session, "ada", email="ada@new.example", now=NOW + 2 * DAY)
    assert len(outbox.notices(session)) == 2, "who was told in another way is not told again"


def test_another_mail_about_the_version_that_did_arrive_is_proof_enough(session, settings: Settings) -> None:
    notice = told(session, settings)
    version = session.get_one(Version, notice.version_id)
    overdue, thing = Purpose.ACCEPTANCE_OVERDUE, f"version:{version.id}"
    outbox.owe(session, overdue, thing, user=ada(session), version_id=version.id, now=NOW + HOUR)
    send(session, settings, at=NOW + HOUR)
    bounce(session, notice, settings, at=NOW + DAY)
    proof = ledger.notified(session, ada(session), version)
    assert proof is not None
    assert proof.at == NOW + HOUR


def test_mail_to_an_address_marked_bad_is_not_even_tried(session: Session, settings: Settings) -> None:
    notice = told(session, settings, **ON_DISCORD)
    reminder = (Purpose.ACCEPTANCE_REMINDER, "version:1:1d")
    waiting = outbox.owe(session, *reminder, user=ada(session), version_id=notice.version_id, now=NOW)
    bounce(session, notice, settings)
    assert send(session, settings, at=NOW + DAY) == []
    assert (waiting.status, waiting.reason) == (S.FAILED, outbox.BAD_ADDRESS)
    late = outbox.owe(session, Purpose.REINSTATED, "termination:9", user=ada(session), now=NOW + DAY)
    assert late.channel is Channel.DISCORD


def test_many_that_come_back_are_told_to_staff_once_a_version(session: Session, settings: Settings) -> None:
    _, version = published_terms(session)
    for name in ("ada", "bob", "eve"):
        thing, user = f"version:{version.id}", add_user(session, name)
        outbox.owe(session, Purpose.VERSION_PUBLISHED, thing, user=user, version_id=version.id, now=NOW)
    send(session, settings)
    for n, notice in enumerate(outbox.notices(session)):
        bounce(session, notice, settings, Said(KIND.UNDELIVERED, str(n), "mail"))
    assert len(subjects(session)) == 1


# -- terminations --------------------------------------------------------------------------------------------------


def test_a_termination_whose_notice_came_back_waits_for_another_proof(database: Database, settings: Settings) -> None:
    made, notice = database.run(ended, settings)
    assert made.takes_effect_at is not None
    database.run(bounce, notice, settings)
    assert database.read(terminations.termination, made.id).takes_effect_at is None
    [request] = database.read(requests.requests)
    assert request.subject == f"The notice of termination {made.id} did not reach the user"
    assert "no such mailbox" in request.details
    assert "The termination waits" in request.details


def test_over_the_next_channel_the_notice_period_begins_anew(session: Session, settings: Settings) -> None:
    made, notice = ended(session, settings, **ON_DISCORD)
    bounce(session, notice, settings)
    assert "It is owed over discord now" in requests.requests(session)[0].details
    send(session, settings, channel=Channel.DISCORD, at=NOW + 3 * DAY)
    session.refresh(made)
    assert made.takes_effect_at == NOW + 8 * DAY


def test_with_a_corrected_address_the_notice_period_begins_anew(session: Session, settings: Settings) -> None:
    made, notice = ended(session, settings)
    bounce(session, notice, settings)
    correct(session)
    send(session, settings, at=NOW + 3 * DAY)
    session.refresh(made)
    assert made.takes_effect_at == NOW + 8 * DAY


def test_a_termination_in_effect_stays_and_staff_are_told(session: Session, settings: Settings) -> None:
    made, notice = ended(session, settings)
    effect = made.takes_effect_at
    assert effect is not None
    bounce(session, notice, settings, at=effect)
    session.refresh(made)
    assert made.takes_effect_at == effect
    assert "see to it that the user learns of it" in requests.requests(session)[0].details


def test_what_staff_overrode_or_the_user_decided_needs_no_proof(session: Session, settings: Settings) -> None:
    cause = terminations.Cause(Initiator.USER, "I leave.")
    made = terminations.terminate(session, add_user(session), cause, effective_at=NOW + 9 * DAY, zone=ZONE, now=NOW)
    send(session, settings)
    bounce(session, session.exec(select(Notice)).one(), settings)
    session.refresh(made)
    assert made.takes_effect_at == NOW + 9 * DAY


# -- other reports -------------------------------------------------------------------------------------------------


def test_a_delay_is_recorded_and_changes_nothing(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    assert bounce(session, notice, settings, Said(KIND.DELAYED, "1", "mail", "4.4.1"))
    assert (notice.status, ada(session).email_bounced_at, subjects(session)) == (S.SENT, None, [])
    assert [report.kind for report in reports.of(session, notice)] == [KIND.DELAYED]


def test_a_full_mailbox_voids_the_proof_and_leaves_the_address_be(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    bounce(session, notice, settings, Said(KIND.UNDELIVERED, "1", "mail", "5.2.2"))
    assert (notice.status, ada(session).email_bounced_at) == (S.BOUNCED, None)
    assert stands(session, NOW + DAY) == (Decision.WARN, "not_told")


def test_the_same_report_twice_is_one(database: Database, settings: Settings) -> None:
    notice = database.run(told, settings)
    assert database.run(lambda s: bounce(s, outbox.notice(s, notice.id), settings))
    assert not database.run(lambda s: bounce(s, outbox.notice(s, notice.id), settings))
    other = Said(KIND.BAD_ADDRESS, "2", "provider")
    assert database.run(lambda s: bounce(s, outbox.notice(s, notice.id), settings, other))
    assert len(database.read(subjects)) == 1


def test_what_arrived_is_delivered_and_may_still_come_back(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    bounce(session, notice, settings, Said(KIND.DELIVERED, "1", "provider"))
    assert notice.status is S.DELIVERED
    assert stands(session, NOW + DAY) == (Decision.BLOCK, "overdue")
    bounce(session, notice, settings)
    assert outbox.notices(session, status=S.BOUNCED) == [notice]


def in_doubt(session: Session, settings: Settings) -> Notice:
    notice = told(session, settings)
    session.exec(select(Notice)).one().status = S.UNKNOWN
    notice.sent_at = None
    session.flush()
    return notice


def test_a_delivery_proves_a_hand_over_that_was_in_doubt_and_counts_from_then(session, settings: Settings) -> None:
    notice = in_doubt(session, settings)
    bounce(session, notice, settings, Said(KIND.DELIVERED, "1", "provider"))
    assert (notice.status, notice.sent_at) == (S.DELIVERED, NOW + HOUR)


def test_a_copy_in_doubt_that_comes_back_is_not_repeated(session: Session, settings: Settings) -> None:
    notice = in_doubt(session, settings)
    bounce(session, notice, settings)
    assert notice.status is S.BOUNCED
    assert send(session, settings, at=NOW + DAY) == []


def test_a_report_that_overtakes_the_relays_answer_is_asked_for_again(session: Session, settings: Settings) -> None:
    _, version = published_terms(session)
    thing, user = f"version:{version.id}", add_user(session)
    notice = outbox.owe(session, Purpose.VERSION_PUBLISHED, thing, user=user, version_id=version.id, now=NOW)
    claiming.claim(session, limit=1, settings=settings, now=NOW)
    with pytest.raises(NotYet, match="is being handed over"):
        bounce(session, notice, settings)


@pytest.mark.parametrize("status", [S.FAILED, S.CANCELLED, S.OWED])
def test_a_report_about_what_never_left_is_kept_and_no_more(session, settings: Settings, status) -> None:
    notice = told(session, settings)
    notice.status = status
    assert bounce(session, notice, settings)
    assert (notice.status, ada(session).email_bounced_at, subjects(session)) == (status, None, [])


# -- whose report it is --------------------------------------------------------------------------------------------


def take(session: Session, settings: Settings, data: bytes, *to: str) -> Notice | None:
    return reports.take_bounce(session, data, arrived_at=to, source="mail", settings=settings, now=NOW + HOUR)


def test_a_bounce_is_matched_by_the_signed_address_it_came_to(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    assert take(session, settings, standard("failed", "5.1.1"), addresses.return_path(settings, notice.id)) == notice
    assert notice.status is S.BOUNCED


def test_a_bounce_is_matched_by_a_signed_address_in_its_headers(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    address = addresses.return_path(settings, notice.id).encode()
    assert take(session, settings, standard("failed", "5.1.1").replace(b"assent@in.acme.example", address)) == notice


def test_a_bounce_is_matched_by_our_message_id(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    ours = standard("failed", "5.1.1").replace(OURS.encode(), notice.message_id.encode())
    assert take(session, settings, ours) == notice
    assert take(session, settings, ours) == notice
    assert len(session.exec(select(Report)).all()) == 1


def test_nobody_can_make_a_bounce_up(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    real = addresses.return_path(settings, notice.id)
    data = standard("failed", "5.1.1").replace(OURS.encode(), f"<{notice.id}.aaaaaaaaaaaaaaaa@acme.example>".encode())
    local, _, domain = real.partition("@")
    for forged in (f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}", "assent@in.acme.example", ""):
        assert take(session, settings, data, forged) is None
    assert take(session, settings, data, addresses.reply_to(settings, notice.id)) is None
    assert notice.status is S.SENT
    assert session.exec(select(Report)).all() == []


def test_an_answer_of_a_machine_to_the_return_path_is_no_bounce(session: Session, settings: Settings) -> None:
    notice = told(session, settings)
    away = b"From: ada@example.com\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\n\r\nBack in May.\r\n"
    assert take(session, settings, away, addresses.return_path(settings, notice.id)) is None
    assert notice.status is S.SENT
    assert session.exec(select(Request)).all() == []
