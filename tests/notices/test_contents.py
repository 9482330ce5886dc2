"""What a notice says: taken from the record, in the reader's language and time zone; and when it is not sent at all."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import Session

from lifecycle import links, requests, terminations
from lifecycle.documents import publishing, store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.models import Notice, Request, Termination, User, Version
from lifecycle.notices import contents, outbox, readers
from lifecycle.notices.rendering import renderer
from lifecycle.settings import Settings
from lifecycle.states import TEMPLATED, Channel, EngagementKind, Initiator, Mode, Purpose, RequestKind
from tests.conftest import NOW
from tests.helpers import DAY, HOUR, TICK, ZONE, add_user, engage, next_version, published_terms, tell

K = EngagementKind
URL = "https://policies.acme.example"
BILINGUAL = {
    "en": "# Terms\n\n## 1. Use\n\nBe *nice*.\n\n## 2. Liability\n\nNone.\n",
    "de": "# Bedingungen\n\n## 1. Nutzung\n\nSei *nett*.\n\n## 2. Haftung\n\nKeine.\n",
}
ABOUT_REQUESTS = [
    Purpose.REQUEST_RECEIVED,
    Purpose.REQUEST_EXTENDED,
    Purpose.REQUEST_REFUSED,
    Purpose.REQUEST_OVERDUE,
    Purpose.ERASURE_SCHEDULED,
]
ABOUT_VERSIONS = [Purpose.VERSION_PUBLISHED, Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE]


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(time_zone="Europe/Berlin", public_url=URL)


def about(session: Session, purpose: Purpose, user: User, thing: Version | Termination | Request) -> Notice:
    """A notice owed to the user about the version, termination or request."""
    about: dict[str, Any] = {f"{type(thing).__name__.lower()}_id": thing.id}
    return outbox.owe(session, purpose, f"thing:{thing.id}", user=user, now=NOW, **about)


def values(session: Session, notice: Notice, settings: Settings, *, now: datetime = NOW) -> dict[str, Any]:
    known = readers.Known(session, [notice])
    return contents.values(known, notice, readers.reader(known, notice, settings), now=now)


def announced(session, user, version, settings, *, now=NOW) -> dict[str, Any]:
    return values(session, about(session, Purpose.VERSION_PUBLISHED, user, version), settings, now=now)


def member(session: Session, name: str = "ada", **facts: str) -> User:
    """A user who has accepted version 1 of `terms`."""
    user = add_user(session, name, **facts)
    engage(session, user, session.get_one(Version, 1), K.ACCEPTED)
    return user


def end(session: Session, user: User, by: Initiator = Initiator.PROVIDER, **facts: Any) -> Termination:
    named = {name: facts.pop(name) for name in terminations.Cause.__dataclass_fields__ if name in facts}
    cause = terminations.Cause(**{"initiated_by": by, "reason": "Spam.", **named})
    return terminations.terminate(session, user, cause, zone=ZONE, now=NOW, **facts)


def renewed(session: Session, mode: Mode, regime: str = "eu-dcd-19") -> Version:
    document = store.document(session, "terms")
    version = store.draft_version(session, document, {"en": f"# Terms\n\n{mode.value}.\n"}, now=NOW)
    plan = Publication(mode, NOW + 40 * DAY, 40, 5, regime=regime, changelog=("Prices.",))
    return publish(session, version, plan, zone=ZONE, now=NOW)


def test_the_mail_of_a_change_says_until_when_one_may_leave_free_of_charge(session: Session, settings) -> None:
    published_terms(session)
    user, version = member(session), renewed(session, Mode.NOTICE)
    found = announced(session, user, version, settings)
    assert (found["exit_until"], found["exit_source"]) == (
        "11 May 2026, 11:00 (Central European Summer Time)",
        "Directive (EU) 2019/770, Art. 19(2)",
    )
    tell(session, user, version, at=NOW)
    late = announced(session, user, version, settings, now=NOW + 80 * DAY)
    assert late["exit_until"] is None, "the right is over"


@pytest.mark.parametrize(("mode", "regime"), [(Mode.EDITORIAL, "eu-dcd-19"), (Mode.NOTICE, "contract")])
def test_without_a_right_to_leave_the_mail_names_none(session: Session, settings, mode: Mode, regime: str) -> None:
    published_terms(session)
    assert announced(session, member(session), renewed(session, mode, regime), settings)["exit_until"] is None


# -- a version -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "answerable"),
    [
        (Mode.EDITORIAL, False),
        (Mode.NOTICE, False),
        (Mode.CONTINUED_USE, False),
        (Mode.SILENCE, True),
        (Mode.EXPLICIT, True),
    ],
)
def test_a_version_is_announced_with_what_it_asks_and_until_when(session, settings, mode, answerable) -> None:
    published_terms(session)
    user = member(session)
    version = next_version(session, mode, deadline_days=14, effective_at=NOW + 5 * DAY)
    said = announced(session, user, version, settings)
    assert (said["document"], said["number"], said["mode"], said["in_force"]) == ("Terms", 2, mode, False)
    assert said["published_on"] == "2 March 2026, 10:00 (Central European Standard Time)"
    assert said["effective_on"] == "7 March 2026, 10:00 (Central European Standard Time)"
    assert (said["url"], said["compare_url"]) == (f"{URL}/terms/2?locale=en", f"{URL}/terms/compare/1/2?locale=en")
    assert bool(said["answer_url"]) is bool(said["due_on"]) is answerable
    if answerable:
        base, _, token = said["answer_url"].rpartition("/")
        assert base == f"{URL}/answer"
        assert links.read_answer_token(settings, token, now=NOW) == (user.id, version.id)
    due = {Mode.SILENCE: "16 March 2026, 10:00", Mode.EXPLICIT: "21 March 2026, 10:00"}
    assert (said["due_on"] or "").partition(" (")[0] == due.get(mode, "")


@pytest.mark.parametrize(("now", "in_force"), [(NOW + DAY - TICK, False), (NOW + DAY, True)])
def test_a_version_is_in_force_from_its_instant(session, settings, now, in_force) -> None:
    published_terms(session)
    version = next_version(session, Mode.NOTICE, effective_at=NOW + DAY)
    assert announced(session, member(session), version, settings, now=now)["in_force"] is in_force


def test_the_first_version_has_none_to_be_compared_with(session, settings) -> None:
    _, version = published_terms(session)
    assert announced(session, add_user(session), version, settings)["compare_url"] is None


def test_a_version_is_compared_with_what_was_in_force_when_it_was_published(session, settings) -> None:
    published_terms(session)
    upcoming = next_version(session, Mode.NOTICE, effective_at=NOW + 9 * DAY)
    gone = next_version(session, Mode.NOTICE)
    publishing.withdraw(session, gone, reason="A slip.", now=NOW + HOUR)
    latest = next_version(session, Mode.NOTICE, now=NOW + DAY)
    said = announced(session, member(session), latest, settings, now=NOW + DAY)
    assert (upcoming.number, latest.number) == (2, 4)
    assert said["compare_url"] == f"{URL}/terms/compare/1/4?locale=en"


@pytest.mark.parametrize(
    ("locale", "title", "changes", "shown"),
    [
        ("de-AT", "Bedingungen", ["Abschnitt 1 ist neu."], "de"),
        ("en", "Terms", ["Section 1 is new.", "So is 2."], "en"),
        ("fr", "Terms", ["Section 1 is new.", "So is 2."], "en"),
    ],
)
def test_title_changes_and_link_are_in_the_readers_language(session, settings, locale, title, changes, shown) -> None:
    document, _ = published_terms(session)
    german: dict[str, Any] = {"titles": {"de": "Bedingungen"}, "changelogs": {"de": ["Abschnitt 1 ist neu."]}}
    version = store.draft_version(session, document, BILINGUAL, **german, now=NOW)
    summary = ("Section 1 is new.", " ", "So is 2.")
    publish(session, version, Publication(Mode.NOTICE, changelog=summary, notify=False), zone=ZONE, now=NOW)
    said = announced(session, member(session, locale=locale), version, settings)
    assert (said["document"], said["changes"]) == (title, changes)
    assert said["url"] == f"{URL}/terms/2?locale={shown}"


def test_a_milder_version_says_what_the_stricter_one_before_it_still_asks(session, settings) -> None:
    published_terms(session)
    user = add_user(session)
    milder = next_version(session, Mode.NOTICE)
    assert announced(session, user, milder, settings)["mode"] is Mode.EXPLICIT
    accepted = member(session, "bob")
    assert announced(session, accepted, milder, settings)["mode"] is Mode.NOTICE


@pytest.mark.parametrize("purpose", [Purpose.ACCEPTANCE_REMINDER, Purpose.ACCEPTANCE_OVERDUE])
def test_a_reminder_names_the_day_counted_from_that_users_notice(session, settings, purpose) -> None:
    published_terms(session)
    early, late = member(session), member(session, "bob")
    version = next_version(session, Mode.EXPLICIT, deadline_days=14)
    tell(session, early, version, at=NOW)
    tell(session, late, version, at=NOW + 20 * DAY)
    said = [
        values(session, about(session, purpose, user, version), settings, now=NOW + 21 * DAY) for user in (early, late)
    ]
    assert [each["due_on"] for each in said] == [
        "16 March 2026, 10:00 (Central European Standard Time)",
        "5 April 2026, 10:00 (Central European Summer Time)",
    ]
    assert all(each["answer_url"] and each["mode"] is Mode.EXPLICIT for each in said)


def test_days_are_written_in_the_readers_zone_and_counted_in_the_operators(session, settings) -> None:
    published_terms(session)
    user = member(session, time_zone="America/New_York")
    version = next_version(session, Mode.EXPLICIT, deadline_days=30)
    tell(session, user, version)
    said = values(session, about(session, Purpose.ACCEPTANCE_REMINDER, user, version), settings)
    assert said["due_on"] == "1 April 2026, 04:00 (Eastern Daylight Time)"
    assert said["effective_on"] == "2 March 2026, 04:00 (Eastern Standard Time)"


# -- a termination -------------------------------------------------------------------------------------------------


def test_a_termination_is_told_with_its_reasons_and_the_words_it_rests_on(session, settings) -> None:
    published_terms(session, text=BILINGUAL["en"])
    user = member(session)
    facts: dict[str, Any] = {"facts": "214 mails.", "automated": True, "redress": "Write.", "override_reason": "Law."}
    made = end(session, user, grounds=[("terms", "1")], notice_days=30, **facts)
    said = values(session, about(session, Purpose.TERMINATION_NOTICE, user, made), settings)
    assert said["grounds"] == [
        {
            "document": "Terms",
            "version": 1,
            "number": "1",
            "title": "Use",
            "text": "Be nice.",
            "url": f"{URL}/terms/1?locale=en#use",
        }
    ]
    assert {name: said[name] for name in facts} == facts
    assert (said["initiated_by"], said["reason"], said["notice_days"]) == (Initiator.PROVIDER, "Spam.", 30)
    assert said["decided_on"] == "2 March 2026, 10:00 (Central European Standard Time)"
    assert said["effective_on"] == "1 April 2026, 10:00 (Central European Summer Time)"
    assert said["surviving"] == []


def test_what_survives_is_named_as_it_bound_when_the_end_was_decided(session, settings) -> None:
    published_terms(session)
    user = member(session)
    made = end(session, user, notice_days=5)
    newer = next_version(session, Mode.EXPLICIT, texts=BILINGUAL, now=NOW + DAY)
    engage(session, user, newer, K.ACCEPTED, at=NOW + DAY)
    for purpose in (Purpose.TERMINATION_NOTICE, Purpose.TERMINATION_EFFECTIVE):
        [clause] = values(session, about(session, purpose, user, made), settings, now=NOW + 2 * DAY)["surviving"]
        assert (clause["version"], clause["number"], clause["title"]) == (1, "2", "Liability")
        assert (clause["text"], clause["url"]) == ("This survives termination.", f"{URL}/terms/1?locale=en#liability")


def test_a_clause_quoted_in_german_is_linked_in_german(session, settings) -> None:
    published_terms(session)
    bilingual = next_version(session, Mode.EXPLICIT, texts=BILINGUAL)
    user = member(session, locale="de-AT")
    engage(session, user, bilingual, K.ACCEPTED)
    made = end(session, user, grounds=[("terms", "1")])
    [clause] = values(session, about(session, Purpose.TERMINATION_NOTICE, user, made), settings)["grounds"]
    assert (clause["text"], clause["url"]) == ("Sei nett.", f"{URL}/terms/2?locale=de#nutzung")


@pytest.mark.parametrize(("locale", "default"), [("fr", "en"), ("", "de")])
def test_a_clause_is_linked_in_the_language_it_is_quoted_in(session, make_settings, locale, default) -> None:
    published_terms(session)
    texts = {**BILINGUAL, "fr": "# Conditions\n\n## 1. Usage\n\nSoyez gentil.\n"}
    version = next_version(session, Mode.EXPLICIT, texts=texts)
    user = member(session, locale=locale)
    engage(session, user, version, K.ACCEPTED)
    made = end(session, user, grounds=[("terms", "1")])
    settings = make_settings(default_locale=default)
    [clause] = values(session, about(session, Purpose.TERMINATION_NOTICE, user, made), settings)["grounds"]
    named, _, anchor = clause["url"].partition("?locale=")[2].partition("#")
    page = store.body(session, version, named)
    assert anchor in [row.anchor for row in store.section_rows(session, page)]


@pytest.mark.parametrize(
    ("sent", "ends"),
    [(NOW, "7 March 2026, 10:00"), (NOW + 3 * DAY, "10 March 2026, 10:00"), (None, "7 March 2026, 10:00")],
)
def test_the_end_is_counted_from_when_the_notice_leaves(session, settings, sent, ends) -> None:
    user = add_user(session)
    made = end(session, user, notice_days=5)
    notice = about(session, Purpose.TERMINATION_NOTICE, user, made)
    if sent is None:  # overridden: the period no longer waits for the proof
        terminations.override(session, made, reason="A court order.", now=NOW)
    said = values(session, notice, settings, now=sent or NOW + 3 * DAY)
    assert said["effective_on"].partition(" (")[0] == ends


def test_the_end_is_not_before_the_day_that_was_named(session, settings) -> None:
    user = add_user(session)
    made = end(session, user, notice_days=5, effective_at=NOW + 20 * DAY)
    said = values(session, about(session, Purpose.TERMINATION_NOTICE, user, made), settings)
    assert said["effective_on"].startswith("22 March 2026")


@pytest.mark.parametrize("used_again", [False, True])
@pytest.mark.parametrize("purpose", [Purpose.TERMINATION_RESCINDED, Purpose.REINSTATED])
def test_what_was_taken_back_says_when_and_why(session, settings, purpose, used_again) -> None:
    user = add_user(session)
    leaves = Initiator.USER if purpose is Purpose.REINSTATED else Initiator.PROVIDER
    made = end(session, user, leaves, notice_days=0)
    undo = terminations.reinstate if purpose is Purpose.REINSTATED else terminations.rescind
    reason = terminations.USED_AGAIN if used_again else "Cleared up."
    undo(session, made, reason=reason, now=NOW + DAY)
    said = values(session, about(session, purpose, user, made), settings, now=NOW + 2 * DAY)
    undone = said["reinstated_on" if purpose is Purpose.REINSTATED else "rescinded_on"]
    assert undone == "3 March 2026, 10:00 (Central European Standard Time)"
    assert said["decided_on"] == "2 March 2026, 10:00 (Central European Standard Time)"
    assert (said["reason"], said["used_again"]) == (reason, used_again)


# -- an answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_an_answer_names_the_request_and_holds_the_words_of_staff(session, settings, known) -> None:
    user = add_user(session) if known else None
    asked = requests.open_request(
        session, RequestKind.ERASURE, subject="Delete", user=user, discord_id="42", source="discord", now=NOW
    )
    requests.answer(session, asked, "Looking.", now=NOW + HOUR)
    requests.answer(session, asked, "Done.\n\nBye.", now=NOW + DAY)
    [_, notice] = outbox.notices(session, purpose=Purpose.REQUEST_ANSWERED)
    said = values(session, notice, settings, now=NOW + DAY)
    assert (said["request_number"], said["kind"], said["answer"]) == (1, RequestKind.ERASURE, "Done.\n\nBye.")
    assert said["received_on"] == "2 March 2026, 10:00 (Central European Standard Time)"
    assert said["external_id"] == ("ada" if known else "")


# -- every notice --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["de", "en"])
def test_the_record_holds_all_that_every_template_asks_for(session, settings, locale) -> None:
    published_terms(session)
    user = member(session, locale=locale, discord_id="42")
    version = next_version(session, Mode.EXPLICIT, texts=BILINGUAL, deadline_days=14)
    tell(session, user, version)
    made = end(session, user, grounds=[("terms", "1")])
    words = {"subject": "Mine", "regime": "gdpr-12", "source": "web"}
    asked = requests.open_request(session, RequestKind.ACCESS, user=user, now=NOW, **words)
    asked.erase_at = NOW + 30 * DAY
    requests.answer(session, asked, "Yes.", now=NOW)
    things = dict.fromkeys(ABOUT_VERSIONS, version) | dict.fromkeys(ABOUT_REQUESTS, asked)
    for purpose in TEMPLATED:
        if purpose is not Purpose.REQUEST_ANSWERED:
            about(session, purpose, user, things.get(purpose, made))
    notices = outbox.notices(session)
    assert {notice.purpose for notice in notices} == set(TEMPLATED)
    for notice in notices:
        for channel in Channel:
            said = values(session, notice, settings)
            mail = renderer().render(notice.purpose, said, locale=locale, channel=channel)
            assert "None" not in mail.subject + mail.text
            assert (said["operator"], said["public_url"], said["external_id"]) == ("Acme", URL, "ada")
