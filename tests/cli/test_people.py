"""Users, what they did, and the end of their access, on the command line."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Assent
from tests.conftest import Mailbox


def test_an_import_reports_each_bad_line_and_takes_the_others(assent: Assent):
    users = assent.file("users.csv", "external_id,email\nada,ada@example.com\nbob,not an address\ncy,cy@example.com\n")
    run = assent("user", "import", users)
    assert run.status == 1
    assert "Users: 2 added" in run.out
    assert "3" in run.err
    assert "bob" in run.err
    assert "'not an address' is not valid" in " ".join(run.err.split())
    again = assent("user", "import", users, "--json")
    assert again.status == 1
    assert (again.json["added"], again.json["known"]) == (0, 2)
    assert again.json["problems"][0] | {"problem": ""} == {"line": 3, "value": "bob", "problem": ""}


def test_a_clean_import_is_status_0_and_changes_who_is_known(stocked: Assent):
    users = stocked.file("more.ndjson", '{"external_id": "ada", "locale": "de-AT", "discord_id": 175928847299117063}\n')
    assert stocked.done("user", "import", users).out == "Users: 0 added, 1 known already; bindings taken over: 0.\n"
    shown = stocked.done("user", "show", "ada", "--json").json["user"]
    assert (shown["locale"], shown["discord_id"], shown["email"]) == ("de-AT", "175928847299117063", "ada@example.com")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("users.txt", "x", "must end in .csv"),
        ("users.csv", "", "is empty"),
        ("users.csv", "name\nx\n", "unknown column 'name'"),
        ("users.csv", "email\nx@example.com\n", "must name the column external_id"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(name: str, content: str, why: str, assent: Assent):
    assert why in assent.refused("user", "import", assent.file(name, content))


def test_what_bound_users_elsewhere_is_taken_over_as_imported(stocked: Assent):
    users = stocked.file("bound.csv", "external_id;bound;bound_at\nada;terms@1;2024-05-01\n")
    assert stocked.done("user", "import", users, "--json").json["bound"] == 1
    (bound,) = stocked.done("user", "bound", "ada", "--json").json
    assert (bound["document"], bound["version"], bound["proof"]["kind"]) == ("terms", 1, "imported")
    assert stocked.done("user", "standing", "ada", "--json").json["decision"] == "allow"


def test_show_tells_all_that_is_on_record(stocked: Assent):
    stocked.done("accept", "ada", "terms", "--wording", "I agree")
    shown = stocked.done("user", "show", "ada", "--json").json
    (fact,) = shown["engagements"]
    assert (fact["kind"], fact["version"], fact["wording"], fact["channel"]) == ("accepted", 1, "I agree", "cli")
    assert "accepted" in stocked.done("user", "show", "ada").out


def test_standing_says_what_may_be_done_and_why(stocked: Assent):
    run = stocked.done("user", "standing", "ada")
    assert run.out.startswith("WARN: Not told of version 1 of terms yet")
    found = stocked.done("user", "standing", "ada", "--json").json
    assert (found["user"], found["decision"], found["termination"]) == ("ada", "warn", None)
    assert found["documents"][0]["state"] == "not_told"


@pytest.mark.parametrize(
    "words",
    [
        ["user", "show", "eve"],
        ["user", "standing", "eve"],
        ["user", "bound", "eve"],
        ["user", "activity", "eve"],
        ["accept", "eve", "terms"],
        ["terminate", "eve", "--reason", "x"],
        ["rescind", "eve", "--reason", "x"],
        ["choice", "list", "eve"],
        ["notice", "list", "--user", "eve"],
        ["ask", "Why?", "--user", "eve"],
    ],
)
def test_an_unknown_user_is_named(words: list[str], stocked: Assent, unchanged: Callable[[], None]):
    assert "There is no user 'eve'" in stocked.refused(*words)


# -- engagements ----------------------------------------------------------------------------------------------------


def test_accepting_binds_and_accepting_twice_is_one_fact(stocked: Assent):
    first = stocked.done("accept", "ada", "terms", "--json").json
    assert stocked.done("accept", "ada", "terms", 1, "--json").json == first
    (bound,) = stocked.done("user", "bound", "ada", "--document", "terms", "--json").json
    assert bound["proof"]["sha256"] == first["sha256"]


def test_what_binds_says_why_and_after_the_end_what_still_holds(stocked: Assent):
    stocked.done("accept", "ada", "terms")
    stocked.done("version", "publish", "terms", 2, "--mode", "continued_use", "--no-notify")
    (bound,) = stocked.done("user", "bound", "ada", "--json").json
    assert (bound["version"], bound["why"]) == (
        1,
        "Not told of version 2 of terms yet, so no deadline runs; version 1 still binds.",
    )
    assert "what still holds" not in stocked.done("user", "show", "ada").out
    stocked.done("terminate", "ada", "--by", "user", "--reason", "Enough.")
    for command in ("show", "standing"):
        out = stocked.done("user", command, "ada").out
        assert "what still holds" in out
        assert "Liability" in out


def test_before_the_acceptance_nothing_bound(stocked: Assent):
    stocked.done("accept", "ada", "terms")
    assert stocked.done("user", "bound", "ada", "--at", "-1d").out == "Nothing bound ada then.\n"
    words = ("user", "bound", "ada", "--document", "terms", "--at", "-1d")
    assert "No version of 'terms' bound user 'ada'" in stocked.refused(*words)


def test_a_declined_version_may_still_be_accepted_and_withdrawn_again(stocked: Assent):
    for verb, kind in [("decline", "declined"), ("accept", "accepted"), ("withdraw", "withdrawn")]:
        assert stocked.done(verb, "ada", "terms", "--json").json["kind"] == kind


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["accept", "ada", "terms", "2"], "is not published"),
        (["accept", "ada", "terms", "9"], "has no version 9"),
        (["accept", "ada", "nope"], "There is no document 'nope'"),
        (["accept", "ada", "terms", "--at", "+1d"], "lies in the future"),
        (["object", "ada", "terms"], "does not bind by silence"),
        (["withdraw", "ada", "terms"], "was never accepted"),
    ],
)
def test_an_act_that_does_not_fit_is_refused(
    words: list[str], why: str, stocked: Assent, unchanged: Callable[[], None]
):
    assert why in stocked.refused(*words)


def test_activity_binds_by_use_once_the_notice_is_proven_sent(stocked: Assent, delivered: Callable[[], Mailbox]):
    stocked.done("accept", "ada", "terms")
    stocked.done("version", "publish", "terms", 2, "--mode", "continued_use")
    assert stocked.done("user", "activity", "ada").out == "Recorded.\n"
    delivered()
    assert "bound ada by use (versions: 1)" in stocked.done("user", "activity", "ada").out
    assert stocked.done("user", "bound", "ada", "--json").json[0]["proof"]["kind"] == "deemed_by_use"
    assert "lies in the future" in stocked.refused("user", "activity", "ada", "--at", "+1d")


def test_choices_are_listed_and_the_latest_counts(stocked: Assent):
    assert "made no choice yet" in stocked.done("choice", "list", "ada").out
    stocked.done("choice", "set", "ada", "prompt_logging", "out")
    stocked.done("choice", "set", "ada", "prompt_logging", "in")
    assert [made["value"] for made in stocked.done("choice", "list", "ada", "--json").json] == [False, True]
    assert "small letters" in stocked.refused("choice", "set", "ada", "My Mood", "in")


# -- terminations ---------------------------------------------------------------------------------------------------


def test_a_termination_waits_for_the_proof_of_its_notice(stocked: Assent, delivered: Callable[[], Mailbox]):
    stocked.done("accept", "ada", "terms")
    made = stocked.done(
        "terminate", "ada", "--reason", "Spam.", "--ground", "terms#1", "--facts", "214 mails.", "--json"
    ).json
    assert (made["state"], made["takes_effect_at"]) == ("waiting", None)
    assert made["grounds"] == [{"document": "terms", "version": 1, "number": "1", "title": "Use", "anchor": "use"}]
    mailbox = delivered()
    assert "Spam." in str(mailbox.messages("ada@example.com")[0].get_body())
    shown = stocked.done("user", "standing", "ada", "--json").json
    assert (shown["decision"], shown["termination"]["in_effect"]) == ("block", True)


def test_a_ground_must_stand_in_the_version_that_binds(stocked: Assent):
    words = ("terminate", "ada", "--reason", "Spam.", "--ground")
    assert "No version of 'terms' binds user 'ada'" in stocked.refused(*words, "terms#1")
    stocked.done("accept", "ada", "terms")
    before = stocked.tables()
    assert "has no section '3'" in stocked.refused(*words, "terms#3")  # it is in version 2
    assert "There is no document 'nope'" in stocked.refused(*words, "nope#1")
    assert "terms#4.2" in stocked.wrong(*words, "terms")
    assert stocked.tables() == before


def test_a_second_termination_is_refused_and_leaves_the_first_alone(stocked: Assent):
    stocked.done("terminate", "ada", "--reason", "Spam.")
    before = stocked.tables()
    assert "is under way; rescind or reinstate it first" in stocked.refused(
        "terminate", "ada", "--reason", "More spam."
    )
    assert stocked.tables() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--effective-at", "2020-01-01"], "effective_at 2020-01-01T00:00:00+00:00 lies in the past"),
        (["--notice-at", "-1h"], "lies in the past"),
        (["--notice-days", "-5"], "must lie between"),
        (["--regime", "eu-dsa-17"], "asks for: the facts, the clauses it rests on, how to challenge it"),
        (["--regime", "nope"], "is not known"),
    ],
)
def test_a_termination_against_the_rules_is_refused(
    words: list[str], why: str, stocked: Assent, unchanged: Callable[[], None]
):
    assert why in stocked.refused("terminate", "ada", "--reason", "Spam.", *words)


def test_a_termination_without_words_is_refused(stocked: Assent, unchanged: Callable[[], None]):
    assert "Give the reason" in stocked.refused("terminate", "ada", "--reason", " ")
    assert "Give the reason" in stocked.refused("terminate", "ada")


def test_a_user_may_leave_at_once(stocked: Assent):
    made = stocked.done("terminate", "ada", "--reason", "Closed by me.", "--by", "user", "--json").json
    assert (made["initiated_by"], made["state"]) == ("user", "in effect")
    assert "access ended at" not in stocked.done("user", "show", "ada").out


def test_override_rescind_and_reinstate_follow_the_state(stocked: Assent):
    stocked.done("terminate", "ada", "--reason", "Spam.", "--effective-at", "+1d")
    assert "is not in effect yet; rescind it instead" in stocked.refused("reinstate", "ada", "--reason", "Sorry.")
    made = stocked.done("override", "ada", "--reason", "Her mailbox is gone.", "--json").json
    assert (made["state"], made["override_reason"]) == ("announced", "Her mailbox is gone.")
    assert "is rescinded" in stocked.done("rescind", "ada", "--reason", "It was not her.").out
    assert "it cannot be rescinded" in stocked.refused("rescind", "ada", "--reason", "Again.")
    stocked.done("terminate", "ada", "--by", "user")
    assert stocked.done("reinstate", "ada", "--reason", "Came back.", "--json").json["state"] == "reinstated"


def test_a_wrong_choice_is_named_beside_the_right_ones(stocked: Assent):
    wrong = " ".join(stocked.wrong("terminate", "ada", "--by", "nobody").split())
    assert "Invalid value for '--by': 'nobody' is not one of 'provider', 'user', 'inactivity'" in wrong


@pytest.mark.parametrize("verb", ["rescind", "reinstate", "override"])
def test_without_a_termination_there_is_nothing_to_change(verb: str, stocked: Assent):
    assert "has no termination" in stocked.refused(verb, "ada", "--reason", "Why not.")


@pytest.mark.parametrize("verb", ["terminate", "override"])
def test_ending_access_asks_at_a_terminal_and_no_means_no(
    verb: str, stocked: Assent, terminal: Callable[[str], None], unchanged: Callable[[], None]
):
    terminal("n\n")
    run = stocked(verb, "ada", "--reason", "Spam.")
    assert run.status == 1
    assert "The access of ada will end" in run.err
    assert "Go on? [y/N]" in run.err


# -- notices and requests -------------------------------------------------------------------------------------------


def test_empty_lists_say_so(stocked: Assent):
    assert stocked.done("notice", "list").out.startswith("No notices yet.")
    assert stocked.done("notice", "list", "--status", "failed").out == "No such notices.\n"
    assert stocked.done("request", "list").out == "No requests are open.\n"
    assert stocked.done("request", "list", "--json").json == []


def test_a_notice_that_is_not_there_is_named(stocked: Assent):
    assert "There is no notice 7" in stocked.refused("notice", "show", 7)
    assert "There is no notice 7" in stocked.refused("notice", "resolve", 7, "retry")
    assert stocked.wrong("notice", "resolve", 7, "burn")


def test_a_notice_has_no_message_before_it_is_handed_over(stocked: Assent):
    stocked.done("terminate", "ada", "--reason", "Spam.")
    (notice,) = stocked.done("notice", "list", "--user", "ada", "--json").json
    assert (notice["status"], notice["purpose"]) == ("owed", "termination_notice")
    assert "has no message yet" in stocked.refused("notice", "show", notice["id"], "--raw")
    assert "Not tried yet." in stocked.done("notice", "show", notice["id"]).out
    assert "only unknown, failed or skipped" in stocked.refused("notice", "resolve", notice["id"], "retry")


def test_a_refused_mail_is_told_to_staff_and_may_be_retried(
    stocked: Assent, delivered: Callable[[], Mailbox], mailbox: Mailbox
):
    mailbox.answer = lambda envelope: "550 no such user"
    stocked.done("terminate", "ada", "--reason", "Spam.")
    delivered()
    (notice,) = stocked.done("notice", "list", "--status", "failed", "--json").json
    assert "550" in stocked.done("notice", "show", notice["id"]).out
    (request,) = stocked.done("request", "list", "--json").json
    assert "did not reach the user" in request["subject"]
    assert stocked.done("notice", "resolve", notice["id"], "retry", "--json").json["status"] == "owed"
    mailbox.answer = lambda envelope: "250 OK"
    delivered()
    assert stocked.done("user", "standing", "ada", "--json").json["termination"]["in_effect"]


@pytest.fixture
def asked(stocked: Assent) -> int:
    """The number of a request of ada's."""
    from lifecycle import requests, users
    from lifecycle.states import RequestKind
    from tests.conftest import NOW

    def ask(session: Any) -> int:
        user = users.user(session, "ada")
        return requests.open_request(
            session, RequestKind.ERASURE, subject="Delete me", user=user, source="api", now=NOW
        ).id

    return stocked.database.run(ask)


def test_a_request_is_shown_answered_and_closed(stocked: Assent, asked: int):
    assert "Delete me" in stocked.done("request", "list").out
    assert "it is owed over email" in stocked.done("request", "answer", asked, "Done.").out
    shown = stocked.done("request", "show", asked, "--json").json
    assert (shown["user"], shown["kind"], [reply["text"] for reply in shown["replies"]]) == (
        "ada",
        "erasure",
        ["Done."],
    )
    assert "Done." in stocked.done("request", "show", asked).out
    stocked.done("request", "close", asked)
    assert stocked.done("request", "list", "--json").json == []
    assert len(stocked.done("request", "list", "--all", "--json").json) == 1
    assert "was closed at" in stocked.refused("request", "answer", asked, "One more thing.")


def test_an_empty_answer_is_refused(stocked: Assent, asked: int):
    assert "The answer is empty" in stocked.refused("request", "answer", asked, " ")
    assert "There is no request 99" in stocked.refused("request", "show", 99)


def test_an_answer_from_the_versions_that_bind_the_user(stocked: Assent):
    stocked.done("accept", "ada", "terms")
    stocked.done("version", "publish", "terms", 2, "--mode", "explicit", "--no-notify")
    question = ("ask", "What survives termination?", "--json")
    assert stocked.done(*question, "--user", "ada").json["quotes"][0]["version"] == 1
    assert stocked.done(*question).json["quotes"][0]["version"] == 2
