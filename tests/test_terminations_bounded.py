"""Terminations of a part, for a time, in an emergency; appealed; told of by post; and their reasons filed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import Session, select

from lifecycle import announcing, appeals, effects, jobs, reasons, shapes, terminations
from lifecycle.db import Database
from lifecycle.documents.publishing import Publication, publish
from lifecycle.documents.store import document, draft_version
from lifecycle.endings import Ending
from lifecycle.errors import AssentError, Conflict, InvalidInput, RuleRefused
from lifecycle.exits import exit_rights
from lifecycle.models import Event, Notice, Request, Termination, User
from lifecycle.notices import campaigns, outbox
from lifecycle.reasons import Filing
from lifecycle.settings import Settings
from lifecycle.standing import Standing, standing
from lifecycle.states import Decision, Emergency, EngagementKind, Initiator, Mode, NoticeStatus, Purpose, ToldBy
from lifecycle.terminations import Cause
from tests.helpers import DAY, HOUR, NOW, TICK, ZONE, add_user, engage, published_terms, tell

BLOCK, WARN, ALLOW = Decision.BLOCK, Decision.WARN, Decision.ALLOW
COURT: dict[str, Any] = {"emergency": Emergency.LAW, "override_reason": "A court order of today."}


def terminate(session: Session, user: User, *, now: datetime = NOW, **facts: Any) -> Termination:
    named = {name: facts.pop(name) for name in Cause.__dataclass_fields__ if name in facts}
    cause = Cause(**{"initiated_by": Initiator.PROVIDER, "reason": "Spam.", **named})
    return terminations.terminate(session, user, cause, zone=ZONE, now=now, **facts)


def proven(session: Session, made: Termination, *, at: datetime = NOW) -> Termination:
    announcing.sent(session, made.id, sent_at=at, zone=ZONE, now=at)
    session.refresh(made)
    return made


def stands(session: Session, user: User, *, at: datetime = NOW) -> Standing:
    return standing(session, user, zone=ZONE, now=at)


def ended(found: Standing) -> Ending:
    assert found.termination is not None
    return found.termination


def owed(session: Session, purpose: Purpose) -> list[Notice]:
    return outbox.notices(session, purpose=purpose)


# -- for a time ----------------------------------------------------------------------------------------------------


def test_a_suspension_ends_by_itself_to_the_instant_and_the_user_is_told(session: Session) -> None:
    user = add_user(session)
    made = proven(session, terminate(session, user, ends_at=NOW + 10 * DAY))
    effects.take_effect(session, made, now=NOW)
    assert stands(session, user).decision is BLOCK
    assert "until 2026-03-12 09:00 UTC" in stands(session, user).why
    assert stands(session, user, at=NOW + 10 * DAY - TICK).decision is BLOCK
    assert stands(session, user, at=NOW + 10 * DAY).decision is ALLOW, "no job has run"
    assert shapes.termination_state(made, NOW + 10 * DAY) == "over"
    assert effects.next_effect(session) == NOW + 10 * DAY
    assert effects.over(session, now=NOW + 10 * DAY - TICK) == []
    assert effects.end(session, made, now=NOW + 10 * DAY)
    assert not effects.end(session, made, now=NOW + 10 * DAY)
    assert len(owed(session, Purpose.REINSTATED)) == 1
    assert shapes.termination_state(made, NOW + 11 * DAY) == "over"


def test_who_was_suspended_can_be_terminated_once_that_is_over_and_before_the_clock_has_noticed(session) -> None:
    user = add_user(session)
    proven(session, terminate(session, user, ends_at=NOW + DAY))
    with pytest.raises(Conflict):
        terminate(session, user, now=NOW + DAY - TICK)
    assert terminate(session, user, now=NOW + DAY).id


def test_a_suspension_whose_notice_is_proven_after_its_end_never_takes_effect(session: Session) -> None:
    user = add_user(session)
    made = proven(session, terminate(session, user, ends_at=NOW + DAY), at=NOW + 2 * DAY)
    assert stands(session, user, at=NOW + 3 * DAY).decision is ALLOW
    effects.end(session, made, now=NOW + 3 * DAY)
    assert owed(session, Purpose.REINSTATED) == [], "nothing was taken, so nothing is given back"


def test_who_is_suspended_is_still_told_of_new_versions(session: Session) -> None:
    published_terms(session)
    user = add_user(session)
    made = proven(session, terminate(session, user, ends_at=NOW + 99 * DAY))
    version = draft_version(session, document(session, "terms"), {"en": "# Terms\n\nNew.\n"}, now=NOW)
    publish(session, version, Publication(Mode.NOTICE), zone=ZONE, now=NOW)
    [campaign] = campaigns.open_campaigns(session, now=NOW)
    campaigns.plan_chunk(session, campaign, now=NOW)
    effects.take_effect(session, made, now=NOW)
    [notice] = owed(session, Purpose.VERSION_PUBLISHED)
    assert notice.status is NoticeStatus.OWED


def test_a_termination_of_a_part_warns_and_leaves_the_rest_open(session: Session) -> None:
    user = add_user(session)
    proven(session, terminate(session, user, scope="posting"))
    found = stands(session, user)
    ending = ended(found)
    assert (found.decision, ending.in_effect, ending.scope) == (WARN, True, "posting")
    assert found.why.startswith("Access to posting ended at 2026-03-02 09:00 UTC: Spam.")


def test_an_end_before_the_effect_is_refused(session: Session) -> None:
    with pytest.raises(InvalidInput, match=r"ends_at .* is not after the effect at 2026-03-07"):
        terminate(session, add_user(session), notice_days=5, ends_at=NOW + 5 * DAY)


# -- in an emergency -----------------------------------------------------------------------------------------------


def test_an_emergency_takes_effect_at_once_with_its_reason_on_record_and_its_notice_owed(session: Session) -> None:
    user = add_user(session)
    made = terminate(session, user, **COURT)
    assert (made.takes_effect_at, made.overridden_at, made.override_reason) == (NOW, NOW, "A court order of today.")
    assert stands(session, user).decision is BLOCK
    [notice] = owed(session, Purpose.TERMINATION_NOTICE)
    assert (notice.status, notice.due_at) == (NoticeStatus.OWED, NOW)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"emergency": Emergency.SAFETY}, "Give the override reason"),
        ({**COURT, "notice_days": 3}, "give no notice period"),
        ({**COURT, "notice_at": NOW + DAY}, "give no notice period"),
        ({**COURT, "initiated_by": Initiator.USER}, "Only the provider"),
    ],
)
def test_an_emergency_that_is_none_is_refused(session: Session, facts: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        terminate(session, add_user(session), **facts)


def test_an_emergency_owes_its_reasons_under_the_regime_all_the_same(session: Session) -> None:
    with pytest.raises(RuleRefused, match="the facts, the clauses it rests on, how to challenge it"):
        terminate(session, add_user(session), regime="eu-dsa-17", **COURT)


# -- appealed ------------------------------------------------------------------------------------------------------


def test_an_appeal_is_open_after_the_effect_too_and_can_stay_it(session: Session) -> None:
    user = add_user(session)
    made = proven(session, terminate(session, user))
    effects.take_effect(session, made, now=NOW)
    request = appeals.appeal(session, made, "It was not me.", source="web", stay=True, now=NOW + DAY)
    assert (request.kind, request.user_id) == ("appeal", user.id)
    found = stands(session, user, at=NOW + DAY)
    assert (found.decision, ended(found).in_effect) == (WARN, False)
    assert "appeal" in found.why
    appeals.resume(session, made, reason="It was.", now=NOW + 2 * DAY)
    assert not ended(stands(session, user, at=NOW + 2 * DAY - TICK)).in_effect
    assert stands(session, user, at=NOW + 2 * DAY).decision is BLOCK


def test_a_stay_keeps_a_termination_from_taking_effect_and_reminds_the_clock_of_nothing(session: Session) -> None:
    user = add_user(session)
    made = proven(session, terminate(session, user, notice_days=5))
    appeals.hold(session, made, reason="We look again.", now=NOW)
    assert (effects.due(session, now=NOW + 9 * DAY), effects.next_effect(session)) == ([], None)
    assert not effects.take_effect(session, made, now=NOW + 9 * DAY)
    appeals.resume(session, made, reason="We looked.", now=NOW + DAY)
    assert made.takes_effect_at == NOW + 5 * DAY, "the day that was announced"
    assert effects.take_effect(session, made, now=NOW + 5 * DAY)


def test_staff_grant_an_appeal_by_undoing_what_is_stayed(session: Session) -> None:
    user = add_user(session)
    for verb, at in ((terminations.rescind, NOW), (terminations.reinstate, NOW + 9 * DAY)):
        made = proven(session, terminate(session, user, notice_days=5))
        appeals.hold(session, made, reason="We look again.", now=NOW)
        verb(session, made, reason="A mistake.", now=at)
        assert stands(session, user, at=NOW + 10 * DAY).decision is ALLOW


def test_what_cannot_be_appealed_or_stayed_is_refused(session: Session) -> None:
    user = add_user(session)
    own = terminate(session, user, initiated_by=Initiator.USER, effective_at=NOW + DAY)
    refused: list[tuple[Callable[[], Any], type[AssentError], str]] = [
        (lambda: appeals.appeal(session, own, "No.", source="web", now=NOW), Conflict, "the user's own"),
        (lambda: appeals.hold(session, own, reason=" ", now=NOW), InvalidInput, "Give the reason"),
        (lambda: appeals.resume(session, own, reason="So.", now=NOW), Conflict, "is not stayed"),
    ]
    for call, error, why in refused:
        with pytest.raises(error, match=why):
            call()
    terminations.rescind(session, own, reason="Stays.", now=NOW)
    with pytest.raises(Conflict, match="was undone"):
        appeals.appeal(session, own, "No.", source="web", now=NOW)


# -- when no channel reaches the user ------------------------------------------------------------------------------


def test_a_notice_by_post_with_its_evidence_counts_from_its_day(session: Session) -> None:
    user = add_user(session, email="")
    made = terminate(session, user, notice_days=5)
    [asked] = session.exec(select(Request)).all()
    assert "give it by post" in asked.details
    with pytest.raises(InvalidInput, match="Give the evidence"):
        announcing.told_otherwise(session, made, ToldBy.POST, evidence=" ", told_at=NOW, zone=ZONE, now=NOW)
    with pytest.raises(InvalidInput, match="cannot have been given"):
        announcing.told_otherwise(session, made, ToldBy.POST, evidence="RR 1", told_at=NOW + DAY, zone=ZONE, now=NOW)
    given: dict[str, Any] = {
        "evidence": "Registered letter RR 123",
        "told_at": NOW + DAY,
        "zone": ZONE,
        "now": NOW + 3 * DAY,
    }
    announcing.told_otherwise(session, made, ToldBy.POST, **given)
    assert made.takes_effect_at == NOW + 6 * DAY
    shown = shapes.termination(session, made, now=NOW + 3 * DAY)
    assert (shown["told_by"], shown["told_at"], shown["told_evidence"]) == (
        "post",
        NOW + DAY,
        "Registered letter RR 123",
    )
    with pytest.raises(Conflict, match="waits for no notice"):
        announcing.told_otherwise(session, made, ToldBy.PUBLISHED, **given)
    assert not any("RR 123" in event.entry for event in session.exec(select(Event)))


# -- by inactivity -------------------------------------------------------------------------------------------------


def test_who_stays_away_is_warned_at_each_distance_once_and_after_an_outage_only_of_the_latest(
    sqlite: Database, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(inactivity_days=60, inactivity_notice_days=14, time_zone="Europe/Berlin")

    def begin(session: Session, name: str) -> int:
        user = add_user(session, name)
        made = proven(session, terminate(session, user, initiated_by=Initiator.INACTIVITY, notice_days=14))
        return made.id

    def warned(at: datetime) -> list[str]:
        jobs.warn_of_inactivity(sqlite, settings, at)
        jobs.warn_of_inactivity(sqlite, settings, at)
        found = sqlite.read(lambda s: owed(s, Purpose.INACTIVITY_WARNING))
        return [notice.key.split("/")[1] for notice in found if notice.status is NoticeStatus.OWED]

    first = sqlite.run(begin, "ada")
    assert warned(NOW + 6 * DAY) == []
    assert warned(NOW + 8 * DAY) == [f"termination:{first}:7d"]
    assert warned(NOW + 13 * DAY + HOUR) == [f"termination:{first}:1d"]
    second = sqlite.run(begin, "bob")
    assert warned(NOW + 13 * DAY + HOUR)[-1] == f"termination:{second}:1d", "the 7 days' one was missed"
    assert warned(NOW + 15 * DAY) == [f"termination:{first}:1d", f"termination:{second}:1d"]


# -- the right to leave --------------------------------------------------------------------------------------------


def harmful_change(session: Session, user: User, *, effective_at: datetime | None = None) -> None:
    version = draft_version(session, document(session, "terms"), {"en": "# Terms\n\nLess.\n"}, now=NOW)
    change = Publication(Mode.NOTICE, effective_at, changelog=("Less storage.",), regime="eu-dcd-19")
    tell(session, user, publish(session, version, change, zone=ZONE, now=NOW))


def test_a_change_gives_a_told_user_the_right_to_leave_and_leaving_names_it(session: Session) -> None:
    published_terms(session)
    user, other = add_user(session), add_user(session, "bob")
    harmful_change(session, user, effective_at=NOW + 10 * DAY)
    [right] = exit_rights(session, user, zone=ZONE, now=NOW)
    assert (right.version, right.source) == (2, "Directive (EU) 2019/770, Art. 19(2)")
    assert right.until == NOW + 40 * DAY - HOUR, "thirty days from the change, across summer time"
    assert exit_rights(session, user, zone=ZONE, now=right.until) == [right]
    assert exit_rights(session, user, zone=ZONE, now=right.until + TICK) == []
    assert exit_rights(session, other, zone=ZONE, now=NOW) == [], "who was not told"
    made = terminate(session, user, initiated_by=Initiator.USER)
    assert made.exit_right == "version 2 of terms, until 2026-04-11 08:00 UTC (Directive (EU) 2019/770, Art. 19(2))"


def test_what_was_accepted_can_be_left_within_the_cooling_off_period(session: Session) -> None:
    published_terms(session)
    user = add_user(session)
    version = draft_version(session, document(session, "terms"), {"en": "# Terms\n\nMore.\n"}, now=NOW)
    publish(session, version, Publication(Mode.EXPLICIT, regime="eu-crd-9"), zone=ZONE, now=NOW)
    engage(session, user, version, EngagementKind.ACCEPTED)
    [right] = exit_rights(session, user, zone=ZONE, now=NOW)
    assert (right.until, right.source) == (NOW + 14 * DAY, "Directive 2011/83/EU, Art. 9(1)")


# -- the statement of reasons --------------------------------------------------------------------------------------

ALWAYS = {
    "decision_ground",
    "decision_facts",
    "content_type",
    "content_type_other",
    "category",
    "content_date",
    "application_date",
    "source_type",
    "automated_detection",
    "automated_decision",
    "puid",
}


def filed(session: Session, made: Termination, make_settings: Callable[..., Settings], **filing: Any) -> dict[str, Any]:
    return reasons.statement(session, made, Filing(**filing), settings=make_settings())


def test_the_statement_of_a_termination_on_a_clause(session: Session, make_settings) -> None:
    _, first = published_terms(session)
    user = add_user(session, "ada-lovelace")
    engage(session, user, first, EngagementKind.ACCEPTED)
    made = terminate(session, user, grounds=[("terms", "1")], facts="12 mails." * 1000, automated=True)
    found = filed(session, made, make_settings)
    ground = {"incompatible_content_ground", "incompatible_content_explanation", "incompatible_content_illegal"}
    assert set(found) == ALWAYS | ground | {"decision_account", "decision_ground_reference_url"}
    assert found["decision_account"] == "DECISION_ACCOUNT_TERMINATED"
    assert found["incompatible_content_ground"] == "Terms, version 1, 1 Use"
    assert found["automated_decision"] == "AUTOMATED_DECISION_FULLY"
    assert found["application_date"] == "2026-03-02"
    assert len(found["decision_facts"]) == 5000
    assert not any("ada" in str(value) for value in found.values()), "no personal data goes there"


def test_a_statement_without_a_clause_names_the_texts_that_bound(session: Session, make_settings) -> None:
    _, first = published_terms(session)
    user, stranger = add_user(session), add_user(session, "bob")
    engage(session, user, first, EngagementKind.ACCEPTED)
    for whose, ground in ((user, "Terms, version 1"), (stranger, "Spam.")):
        assert filed(session, terminate(session, whose), make_settings)["incompatible_content_ground"] == ground


def test_of_what_the_provider_did_not_decide_there_is_no_statement(session: Session, make_settings) -> None:
    cause = terminations.Cause(Initiator.USER)
    left = terminations.terminate(session, add_user(session), cause, zone=ZONE, now=NOW)
    with pytest.raises(RuleRefused, match="is by user"):
        filed(session, left, make_settings)


def test_the_statement_of_a_suspension_and_of_a_part_on_a_law(session: Session, make_settings) -> None:
    made = terminate(session, add_user(session), ends_at=NOW + 10 * DAY)
    found = filed(session, made, make_settings)
    assert (found["decision_account"], found["end_date_account_restriction"]) == (
        "DECISION_ACCOUNT_SUSPENDED",
        "2026-03-12",
    )
    part = terminate(session, add_user(session, "bob"), scope="posting", legal_ground="Penal Code, § 1")
    found = filed(session, part, make_settings, territorial_scope=("DE", "AT"))
    assert found["decision_provision"] == "DECISION_PROVISION_PARTIAL_TERMINATION"
    assert found["decision_ground"] == "DECISION_GROUND_ILLEGAL_CONTENT"
    assert found["illegal_content_legal_ground"] == "Penal Code, § 1"
    assert found["territorial_scope"] == ["DE", "AT"]
