"""Publishing: rehearsed, done once, on the notice it promises; withdrawal keeps the record."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish, rehearse, withdraw
from lifecycle.errors import Conflict, InvalidInput, RuleRefused
from lifecycle.models import Campaign, Notice, Version
from lifecycle.notices import campaigns
from lifecycle.states import Mode, NoticeStatus
from tests.conftest import NOW
from tests.helpers import ZONE, add_user, published_terms


def draft(session: Session) -> Version:
    document, _ = published_terms(session)
    return store.draft_version(session, document, {"en": "# Terms\n\nNew words.\n"}, now=NOW)


def test_a_version_is_published_once(sqlite: Database) -> None:
    def twice(session: Session) -> None:
        version = draft(session)
        publish(session, version, Publication(Mode.NOTICE), zone=ZONE, now=NOW)
        publish(session, version, Publication(Mode.EXPLICIT), zone=ZONE, now=NOW)

    with pytest.raises(Conflict, match="Version 2 of 'terms' was published at 2026-03-02T09:00:00"):
        sqlite.run(twice)


def test_publishing_starts_a_campaign_that_tells_everyone(sqlite: Database) -> None:
    def tell(session: Session) -> list[Notice]:
        version = draft(session)
        add_user(session, "ada"), add_user(session, "bob", email="")
        publish(session, version, Publication(Mode.CONTINUED_USE), zone=ZONE, now=NOW)
        campaigns.plan_chunk(session, session.exec(select(Campaign)).one(), now=NOW)
        return list(session.exec(select(Notice).order_by(Notice.key)))

    owed = sqlite.run(tell)
    assert [(notice.status, notice.reason) for notice in owed] == [
        (NoticeStatus.OWED, ""),
        (NoticeStatus.SKIPPED, "no address: the user has neither e-mail nor Discord"),
    ]


@pytest.mark.parametrize("publication", [Publication(Mode.EDITORIAL), Publication(Mode.NOTICE, notify=False)])
def test_an_editorial_or_unannounced_change_sends_nothing(sqlite: Database, publication: Publication) -> None:
    def silently(session: Session) -> list[Campaign]:
        publish(session, draft(session), publication, zone=ZONE, now=NOW)
        return list(session.exec(select(Campaign)))

    assert sqlite.run(silently) == []


def test_without_an_effective_date_the_notice_period_counts_in_calendar_days(sqlite: Database) -> None:
    def months_end(session: Session) -> Version:  # summer time begins in Berlin on 29 March 2026
        return publish(session, draft(session), Publication(Mode.NOTICE, notice_days=30), zone=ZONE, now=NOW)

    assert sqlite.run(months_end).effective_at == NOW + timedelta(days=30) - timedelta(hours=1)


REFUSED = [
    (
        Publication(Mode.NOTICE, effective_at=NOW - timedelta(seconds=1)),
        InvalidInput,
        "effective_at .* lies in the past",
    ),
    (Publication(Mode.NOTICE, notify_at=NOW - timedelta(days=1)), InvalidInput, "notify_at .* lies in the past"),
    (Publication(Mode.NOTICE, notice_days=-1), InvalidInput, "notice_days is -1"),
    (Publication(Mode.NOTICE, deadline_days=99999), InvalidInput, "deadline_days is 99999"),
    (Publication(Mode.NOTICE, regime="moon"), InvalidInput, "Regime 'moon' is not known. Known: contract"),
    (
        Publication(Mode.NOTICE, notice_days=30, effective_at=NOW + timedelta(days=5)),
        RuleRefused,
        "less than the notice period of 30 days",
    ),
    (Publication(Mode.NOTICE, notice_days=14, regime="eu-p2b"), RuleRefused, r"15 days .*here 14.*2019/1150"),
]


@pytest.mark.parametrize(("publication", "error", "message"), REFUSED)
def test_a_publication_that_breaks_a_rule_is_refused_and_leaves_a_draft(
    sqlite: Database, publication: Publication, error: type[Exception], message: str
) -> None:
    sqlite.run(draft)

    def attempt(session: Session) -> None:
        publish(session, session.get_one(Version, 2), publication, zone=ZONE, now=NOW)

    with pytest.raises(error, match=message):
        sqlite.run(attempt)
    assert sqlite.read(lambda s: s.get_one(Version, 2).published_at) is None
    assert sqlite.read(lambda s: s.exec(select(Campaign)).all()) == []


def test_a_regime_is_overridden_with_a_reason_that_stays_with_the_version(sqlite: Database) -> None:
    hurry = Publication(Mode.NOTICE, notice_days=1, regime="eu-p2b", override_reason="a court order")
    version = sqlite.run(lambda s: publish(s, draft(s), hurry, zone=ZONE, now=NOW))
    assert version.override_reason == "a court order"


def test_a_rehearsal_says_whom_it_reaches_and_until_when_and_changes_nothing(sqlite: Database) -> None:
    def try_out(session: Session) -> tuple[object, object]:
        version = draft(session)
        for n in range(10):
            add_user(session, f"u{n}")
        add_user(session, "silent", email="")
        add_user(session, "chatter", email="", discord_id="175928847299117063")
        found = rehearse(session, version, Publication(Mode.NOTICE), per_hour=5, zone=ZONE, now=NOW)
        return found, version.published_at

    rehearsal, published_at = sqlite.run(try_out)
    assert published_at is None
    assert (rehearsal.by_email, rehearsal.by_discord, rehearsal.unreachable) == (10, 1, 1)  # type: ignore[attr-defined]
    assert rehearsal.last_mail_at == NOW + timedelta(hours=9 / 5)  # type: ignore[attr-defined]
    assert rehearsal.warnings == [  # type: ignore[attr-defined]
        "1 users have neither e-mail nor Discord and cannot be told.",
        "The last mail leaves after the version comes in force; "
        "effective_at 2026-03-02T10:48+00:00 or later would tell everyone before.",
    ]


def test_a_withdrawn_version_gives_way_to_the_one_before_and_its_mail_stays_home(sqlite: Database) -> None:
    def take_back(session: Session) -> tuple[int | None, list[NoticeStatus]]:
        version = draft(session)
        add_user(session)
        publish(session, version, Publication(Mode.NOTICE), zone=ZONE, now=NOW)
        campaigns.plan_chunk(session, session.exec(select(Campaign)).one(), now=NOW)
        later = NOW + timedelta(hours=1)
        withdraw(session, version, reason="published by mistake", now=later)
        found = store.in_force(session, store.document(session, "terms"), at=later)
        return found.number if found else None, [notice.status for notice in session.exec(select(Notice))]

    assert sqlite.run(take_back) == (1, [NoticeStatus.CANCELLED])


@pytest.mark.parametrize(
    ("version_id", "reason", "message"),
    [(1, " ", "Give the reason"), (2, "why", "not published"), (3, "again", "withdrawn at .* already")],
)
def test_a_withdrawal_needs_a_reason_and_something_to_withdraw(
    sqlite: Database, version_id: int, reason: str, message: str
) -> None:
    def prepare(session: Session) -> None:
        draft(session)
        third = store.draft_version(session, store.document(session, "terms"), {"en": "Third."}, now=NOW)
        publish(session, third, Publication(Mode.NOTICE), zone=ZONE, now=NOW)
        withdraw(session, third, reason="once", now=NOW)

    sqlite.run(prepare)
    with pytest.raises((InvalidInput, Conflict), match=message):
        sqlite.run(lambda s: withdraw(s, s.get_one(Version, version_id), reason=reason, now=NOW))
