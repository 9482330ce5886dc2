"""Rehearsing and steering a roll-out on the command line."""

import json
import time
from collections.abc import Callable

import pytest
from sqlmodel import Session

from lifecycle.cli import rehearsing, rollout
from lifecycle.notices import campaigns, outbox
from lifecycle.states import NoticeStatus
from tests.cli.conftest import Assent

NOTICE = ("--mode", "notice", "--effective-at", "+30d")


@pytest.fixture
def begun(stocked: Assent) -> Assent:
    """The roll-out of version 2 of `terms` to ada, planned, nothing sent."""
    stocked.done("version", "publish", "terms", 2, *NOTICE)

    def plan(session: Session) -> None:
        from lifecycle.scheduler import utc_now

        for campaign in campaigns.open_campaigns(session, now=utc_now()):
            campaigns.plan_chunk(session, campaign, now=utc_now())

    stocked.database.run(plan)
    return stocked


def send_all(assent: Assent) -> None:
    def sent(session: Session) -> None:
        for notice in outbox.notices(session):
            notice.status = NoticeStatus.SENT

    assent.database.run(sent)


# -- rehearsed -----------------------------------------------------------------------------------------------------


def test_a_rehearsal_shows_the_plan_by_day_and_who_is_not_told(stocked: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_RELAY_PER_HOUR", "1")
    stocked.done("user", "import", stocked.file("more.csv", "external_id,email\nbob,bob@example.com\nsilent,\n"))
    words = ("version", "rehearse", "terms", 2, *NOTICE)
    found = stocked.done(*words, "--json").json
    assert (found["by_email"], found["unreachable"], sum(day["mails"] for day in found["plan"])) == (2, 1, 2)
    assert found["unreached"] == [{"user": "silent", "reason": "no address: the user has neither e-mail nor Discord"}]
    shown = stocked.done(*words).out
    assert "1 an hour" in shown
    assert "For instance: silent" in shown
    assert "silent" in stocked.done(*words, "--unreachable").out
    assert [who["user"] for who in stocked.done(*words, "--unreachable", "--json").json] == ["silent"]


def test_a_deadline_before_the_last_mail_is_shown_and_refused(stocked: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSENT_RELAY_PER_HOUR", "1")
    rows = "".join(f"u{n},u{n}@example.com\n" for n in range(50))
    stocked.done("user", "import", stocked.file("more.csv", f"external_id,email\n{rows}"))
    words = ("terms", 2, "--mode", "explicit", "--deadline-days", 1)
    run = stocked("version", "rehearse", *words)
    assert (run.status, "Last mail leaves" in run.out) == (1, True)
    assert "Any of these would do: deadline_days 3; effective_at" in run.err
    assert "deadline_days 3" in stocked("version", "rehearse", *words, "--json").json["refusal"]
    assert "Any of these would do: deadline_days 3" in stocked.refused("version", "publish", *words)


def test_the_mail_of_a_user_is_shown_and_nothing_changes(stocked: Assent, unchanged: Callable[[], None]):
    words = ("version", "rehearse", "terms", 2, *NOTICE, "--show", "ada")
    assert "To: ada@example.com" in stocked.done(*words).out
    assert stocked.done(*words, "--json").json["channel"] == "email"
    assert "There is no user 'bob'" in stocked.refused(*words[:-1], "bob")


def test_a_test_mail_waits_for_a_worker_and_says_so(stocked: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rehearsing, "PATIENCE_SECONDS", 0)
    words = ("version", "rehearse", "terms", 2, *NOTICE, "--test-to", "me@example.com")
    run = stocked.done(*words)
    assert "The test mail to me@example.com waits as notice 1." in run.out
    assert "assent serve" in run.err
    assert stocked.done("notice", "show", 1, "--json").json["purpose"] == "test"


# -- steered -------------------------------------------------------------------------------------------------------


def test_where_nothing_is_rolled_out_the_list_says_when_it_would(stocked: Assent):
    assert "No roll-outs yet" in stocked.done("rollout", "list").out
    assert "Version 2 of 'terms' has no roll-out" in stocked.refused("rollout", "show", "terms", 2)


def test_a_rollout_is_paused_resumed_and_cancelled(begun: Assent):
    def state() -> tuple[str, int]:
        found = begun.done("rollout", "show", "terms", 2, "--json").json
        return found["state"], found["waiting"]

    assert state() == ("running", 1)
    assert "is paused: 0 told, 1 wait." in begun.done("rollout", "pause", "terms", 2).out
    assert state() == ("paused", 1)
    assert begun.done("rollout", "resume", "terms", 2, "--json").json["state"] == "running"
    begun.wrong("rollout", "cancel", "terms", 2)
    assert "is cancelled: 0 told, 0 wait." in begun.done("rollout", "cancel", "terms", 2, "--reason", "Oops.").out
    assert "was cancelled at" in begun.refused("rollout", "resume", "terms", 2)
    [listed] = begun.done("rollout", "list", "--json").json
    assert (listed["state"], listed["cancelled_reason"]) == ("cancelled", "Oops.")
    assert "cancelled" in begun.done("rollout", "list").out


def test_watching_ends_when_nobody_waits_any_more(begun: Assent, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rollout, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(time, "sleep", lambda seconds: send_all(begun))
    lines = begun.done("rollout", "show", "terms", 2, "--watch", "--json").out.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["running", "open"]
    assert "Told" in begun.done("rollout", "show", "terms", 2, "--watch").out


def test_a_version_published_without_a_word_is_rolled_out_later(stocked: Assent):
    stocked.done("version", "publish", "terms", 2, *NOTICE, "--no-notify")
    assert "begins at" in stocked.done("rollout", "start", "terms", 2, "--at", "+1d").out
    assert stocked.done("rollout", "show", "terms", 2, "--json").json["state"] == "scheduled"
    assert "lies in the past" in stocked.refused("rollout", "start", "terms", 1, "--at", "-1d")
