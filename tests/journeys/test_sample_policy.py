"""A policy of the usual kind acted out line by line: each test is one of its sentences, and what it comes to."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope

from lifecycle import sealing
from tests.journeys.conftest import CHANGED, Operator

# -- 1. Changes --------------------------------------------------------------------------------------------------------


def change(operator: Operator) -> None:
    operator.call("POST", "/documents/policy/versions", texts={"en": CHANGED}, surviving=["6", "7"])
    operator.call(
        "POST",
        "/documents/policy/versions/2/publish",
        mode="continued_use",
        changelog=["Prompts are kept for thirty days."],
    )


def use(operator: Operator, name: str) -> None:
    operator.call("POST", "/activity", seen=[{"user": name, "at": operator.now.isoformat()}])


def test_we_may_change_this_policy_without_prior_notice(operator: Operator) -> None:
    change(operator)
    assert operator.call("GET", "/documents/policy/in-force")["version"] == 2
    assert operator.bound("ada") == (1, "accepted")
    operator.live(minutes=1)
    assert "Prompts are kept for thirty days." in operator.last_mail("ada")


def test_using_the_service_after_you_were_told_means_that_it_applies(operator: Operator) -> None:
    change(operator)
    use(operator, "ada")
    assert operator.bound("ada") == (1, "accepted")
    operator.live(hours=1)
    assert operator.bound("ada") == (1, "accepted")
    operator.now += timedelta(hours=1)
    use(operator, "ada")
    assert operator.bound("ada") == (2, "deemed_by_use")
    assert operator.bound("bob") == (1, "accepted")
    assert (operator.decision("ada"), operator.decision("bob")) == ("allow", "allow")


def test_who_was_never_reached_stays_under_the_version_they_knew(operator: Operator) -> None:
    operator.mailbox.answer = lambda envelope: "550 no such user"
    change(operator)
    operator.live(days=1)
    use(operator, "ada")
    assert operator.bound("ada") == (1, "accepted")


# -- 2. Logging --------------------------------------------------------------------------------------------------------

SECRET = "Does the zebra clause cover my unicorn?"


def ask(operator: Operator, name: str) -> None:
    assert operator.call("POST", "/answers", question=SECRET, user=name)["answered"] is False


def test_you_can_switch_the_logging_of_prompts_off_in_your_settings(operator: Operator) -> None:
    operator.call("PUT", "/users/ada/choices/prompt_logging", value=False, source="settings page")
    assert operator.call("GET", "/users/ada/choices")["choices"]["prompt_logging"] is False
    token = {"Authorization": "Bearer test-token", "Idempotency-Key": "once"}
    asked = {"question": SECRET, "user": "ada"}
    assert operator.client.post("/api/v1/answers", json=asked, headers=token).is_success
    ask(operator, "ada")
    assert b"unicorn" not in operator.files()
    ask(operator, "bob")
    assert b"unicorn" in operator.files()


def test_the_switch_can_be_turned_back_and_its_history_is_kept(operator: Operator) -> None:
    for value in (False, True):
        operator.call("PUT", "/users/ada/choices/prompt_logging", value=value)
    said = operator.call("GET", "/users/ada/choices/history")["choices"]
    assert [(one["name"], one["value"]) for one in said] == [("prompt_logging", False), ("prompt_logging", True)]


# -- 3. Deletion -------------------------------------------------------------------------------------------------------


def write_to_support(operator: Operator) -> int:
    words: dict[str, Any] = {"subject": "My prompts", "details": "Please delete my prompts of March.", "user": "ada"}
    number = int(operator.call("POST", "/requests", kind="erasure", **words)["number"])
    operator.live(minutes=1)
    return number


def test_write_to_support_to_have_your_prompts_deleted(operator: Operator) -> None:
    number = write_to_support(operator)
    assert f"(no. {number})" in operator.last_mail("ada")
    path = operator.link("ada", "prove")
    operator.client.get(path)
    assert operator.call("GET", f"/requests/{number}")["verified_at"] is None
    assert "It was me" in operator.client.get(path).text
    operator.client.post(path, data={"button": "me"})
    assert operator.call("GET", f"/requests/{number}")["verified_by"] == "mailed link"
    operator.call("POST", f"/requests/{number}/reply", text="Your prompts of March are gone.")
    operator.call("POST", f"/requests/{number}/close")
    operator.live(days=10)
    assert "Your prompts of March are gone." in operator.last_mail("ada")
    assert operator.decision("ada") == "allow"


def test_or_delete_your_account_then_all_of_your_data_goes_with_it(operator: Operator) -> None:
    before = operator.call("GET", "/users/ada/case-file")
    write_to_support(operator)
    operator.client.post(operator.link("ada", "prove"), data={"button": "erase"})
    operator.live(minutes=1)
    assert "will be erased" in operator.last_mail("ada")
    assert b"ada@example.com" in operator.files()
    operator.live(days=3)
    operator.call("GET", "/users/ada/standing", status=404)
    for trace in (b"ada@example.com", b"prompts of March"):
        assert trace not in operator.files()
    count = len(operator.mails("ada"))
    change(operator)
    operator.live(days=1)
    assert len(operator.mails("ada")) == count
    assert operator.bound("bob") == (1, "accepted")
    assert sealing.verify(before).problems == []


# -- 5. Termination ----------------------------------------------------------------------------------------------------


def terminate(operator: Operator, **facts: Any) -> int:
    usual: dict[str, Any] = {"initiated_by": "provider", "reason": "Your account sent spam.", "notice_days": 14}
    grounds = [{"document": "policy", "section": "5"}]
    return int(operator.call("POST", "/users/ada/terminations", **{**usual, "grounds": grounds, **facts})["id"])


def test_we_may_end_your_access_upon_notice_if_you_break_this_policy(operator: Operator) -> None:
    number = terminate(operator)
    operator.live(minutes=1)
    told = operator.last_mail("ada")
    assert "Your account sent spam." in told
    assert "We may end your access upon notice if you break this policy." in told
    operator.live(days=13)
    assert operator.decision("ada") == "warn"
    operator.live(days=1)
    assert operator.decision("ada") == "block"
    assert operator.call("GET", f"/terminations/{number}")["state"] == "in effect"


def test_without_proof_of_that_notice_access_does_not_end(operator: Operator) -> None:
    def busy(envelope: Envelope) -> str:
        return "451 try later"

    operator.mailbox.answer = busy
    number = terminate(operator)
    operator.live(days=20)
    assert operator.call("GET", f"/terminations/{number}")["state"] == "waiting"
    assert operator.decision("ada") != "block"
    operator.mailbox.answer = lambda envelope: "250 OK"
    operator.live(days=1)
    operator.live(days=13)
    assert operator.decision("ada") != "block"
    operator.live(days=1)
    assert operator.decision("ada") == "block"


def test_you_may_end_it_at_any_time(operator: Operator) -> None:
    terminate(operator, initiated_by="user", reason="I leave.", notice_days=0, grounds=[])
    operator.live(minutes=1)
    assert operator.decision("ada") == "block"
    assert operator.decision("bob") == "allow"


def test_by_ceasing_to_use_the_service(operator: Operator) -> None:
    operator.live(days=366)
    assert "Your unused account at Acme: access ends on" in operator.last_mail("ada")
    assert operator.decision("ada") == "warn"
    use(operator, "bob")
    operator.live(days=31)
    assert (operator.decision("ada"), operator.decision("bob")) == ("block", "allow")


# -- 6. Survival -------------------------------------------------------------------------------------------------------


def test_sections_6_and_7_survive_the_end_of_your_access(operator: Operator) -> None:
    terminate(operator)
    operator.live(minutes=1)
    told = operator.last_mail("ada")
    for section in ("section 6, “Survival”", "section 7, “Liability”"):
        assert f"Policy, version 1, {section}" in told
    operator.live(days=15)
    assert operator.decision("ada") == "block"
    packed = operator.call("GET", "/users/ada/case-file")
    assert sealing.verify(packed).problems == []
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        [ending] = json.loads(archive.read("case.json"))["terminations"]
    assert ending["surviving"][1]["text"] == "Our liability is limited to what you paid us."


# -- 8. Age ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["Can a child under thirteen use the service?"])
def test_the_service_is_not_for_children_under_thirteen(operator: Operator, question: str) -> None:
    found = operator.call("POST", "/answers", question=question)
    assert any("not for children under thirteen" in quote["text"] for quote in found["quotes"])


def test_and_we_delete_their_accounts(operator: Operator) -> None:
    operator.call("PUT", "/users/kid", email="kid@example.com")
    words: dict[str, Any] = {"subject": "kid is eleven", "details": "I am the mother.", "email": "mother@example.com"}
    number = operator.call("POST", "/requests", kind="underage", **words)["number"]
    emergency: dict[str, Any] = {"initiated_by": "provider", "emergency": "law", "reason": "The account is a child's."}
    operator.call(
        "POST", "/users/kid/terminations", **emergency, legal_ground="COPPA", override_reason="The law asks for it."
    )
    assert operator.decision("kid") == "block"
    operator.live(minutes=1)
    assert "The account is a child's." in operator.last_mail("kid")
    operator.call("POST", "/users/kid/erase", reason="under thirteen")
    operator.call("POST", f"/requests/{number}/reply", text="Thank you; the account is gone.")
    operator.call("POST", f"/requests/{number}/close")
    operator.live(hours=2)
    operator.call("GET", "/users/kid/standing", status=404)
    assert b"kid@example.com" not in operator.files()
    assert "the account is gone" in operator.last_mail("mother")
