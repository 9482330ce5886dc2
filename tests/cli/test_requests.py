"""`assent request`, `erasure`, `case-file` and what `user` does to a person's data, as staff meet them."""

import zipfile

import pytest

from tests.cli.conftest import Assent


@pytest.fixture
def law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_REQUEST_REGIME", "gdpr-12")


def test_a_claim_is_taken_down_with_its_clock_and_joined_when_made_again(stocked: Assent, law: None) -> None:
    assert "; due " in stocked.done("request", "open", "erasure", "Delete me", "--user", "ada").out
    again = stocked.done("request", "open", "erasure", "Hello?", "--user", "ada").out
    assert again == "This is request 1 once more: joined to it as 2.\n"
    [listed] = stocked.done("request", "list", "--json").json
    assert (listed["number"], listed["state"], listed["regime"]) == (1, "open", "gdpr-12")
    assert stocked.done("request", "show", 1, "--json").json["joined"] == [2]
    assert stocked.done("request", "list", "--overdue").out == "No request is overdue.\n"


def test_an_extension_and_a_refusal_say_that_the_person_is_told(stocked: Assent, law: None) -> None:
    stocked.done("request", "open", "access", "My data", "--user", "ada")
    assert "its notice is owed" in stocked.done("request", "extend", 1, "--reason", "Two suppliers.").out
    assert "possible once" in stocked.refused("request", "extend", 1, "--reason", "Again.")
    assert "refused and closed" in stocked.done("request", "refuse", 1, "--reason", "There is none.").out
    assert stocked.done("request", "show", 1, "--json").json["state"] == "refused"


def test_an_account_goes_only_after_its_owner_was_proven_and_can_be_kept(stocked: Assent) -> None:
    stocked.done("request", "open", "erasure", "Delete me", "--user", "ada")
    assert "Nobody has proven yet" in stocked.refused("request", "erase", 1)
    assert "A new link is owed" in stocked.done("request", "prove", 1).out
    assert "is known since" in stocked.done("request", "prove", 1, "--how", "Passport").out
    assert "The account of ada goes at" in stocked.done("request", "erase", 1, "--yes").out
    assert "stays" in stocked.done("request", "keep", 1).out
    assert "No erasure is scheduled" in stocked.refused("request", "keep", 1)


def test_a_case_file_is_written_and_verified_and_a_changed_one_is_found_out(stocked: Assent) -> None:
    stocked.done("accept", "ada", "terms", 1)
    assert "case-file-ada.zip: 4 files" in stocked.done("user", "case-file", "ada").out
    path = stocked.folder / "case-file-ada.zip"
    assert "All 4 files of the case file of ada" in stocked.done("case-file", "verify", path).out
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.txt", "!")
    run = stocked("case-file", "verify", path)
    assert (run.status, run.out) == (1, "more.txt: stands in no manifest\n")
    assert "This is no case file" in stocked.refused("case-file", "verify", stocked.file("x.zip", "x"))
    assert "cannot be read" in stocked.refused("case-file", "verify", "nowhere.zip")
    assert "no user 'eve'" in stocked.refused("user", "case-file", "eve")


def test_staff_hold_release_and_erase_a_person(stocked: Assent) -> None:
    stocked.done("user", "hold", "ada", "--reason", "Case 7")
    assert "Case 7" in stocked.refused("user", "erase", "ada", "--reason", "Asked by phone", "--yes")
    stocked.done("user", "release", "ada", "--reason", "Settled")
    assert "Give the reason" in stocked.refused("user", "erase", "ada", "--reason", " ", "--yes")
    done = stocked.done("user", "erase", "ada", "--reason", "Asked by phone", "--yes")
    assert "stays under erased-" in done.out
    assert "no user 'ada'" in stocked.refused("user", "show", "ada")
    [listed] = stocked.done("erasure", "list", "--json").json
    assert listed["scrubbed_at"] is not None
    shown = stocked.done("erasure", "show", 1).out
    assert "Asked by phone" in shown
    assert "Stays under the pseudonym" in shown
    data = (stocked.folder / "data" / "assent.sqlite3").read_bytes()
    assert b"ada@example.com" not in data
    assert "hold nothing any more" in stocked.done("erasure", "scrub").out
    assert "no erasure 9" in stocked.refused("erasure", "show", 9)


def test_a_choice_of_the_operators_own_is_set_and_a_bad_name_refused(stocked: Assent) -> None:
    assert (
        stocked.done("choice", "set", "ada", "beta_features", "out").out
        == "Recorded: ada opted out of beta_features.\n"
    )
    assert "needs a name such as" in stocked.refused("choice", "set", "ada", "Beta!", "in")
