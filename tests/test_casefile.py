"""The case file: all that is on record about a person, the same each time, and checked by itself."""

import io
import json
import zipfile
from typing import Any

import pytest
from sqlmodel import Session, select

from lifecycle import casefile, choices, erasure, history, requests, sealing, terminations, users
from lifecycle.db import Database
from lifecycle.errors import InvalidInput
from lifecycle.models import User
from lifecycle.notices import keeping, outbox
from lifecycle.notices.keeping import Packed
from lifecycle.states import EngagementKind, Initiator, RequestKind
from tests.conftest import NOW
from tests.helpers import DAY, TERMS, ZONE, add_user, engage, published_terms

MESSAGE = b"From: a@example.com\r\nTo: ada@example.com\r\nSubject: Bye\r\n\r\nYour access <script>ends</script>.\r\n"


def live(session: Session) -> User:
    """Ada accepts, opts out, asks, is answered and terminated."""
    _, version = published_terms(session)
    user = add_user(session, discord_id="42")
    engage(session, user, version, EngagementKind.ACCEPTED, wording="I accept", ip="203.0.113.9", user_agent="Fox")
    choices.choose(session, user, choices.ANALYTICS, False, source="web", now=NOW)
    cruel = "<script>alert(1)</script>"
    asked = requests.open_request(session, RequestKind.QUESTION, subject=cruel, user=user, source="email", now=NOW)
    requests.answer(session, asked, "Because.", now=NOW)
    cause = terminations.Cause(Initiator.PROVIDER, "Spam.", grounds=[("terms", "1")])
    terminations.terminate(session, user, cause, zone=ZONE, notice_days=30, now=NOW + DAY)
    notice = outbox.notices(session)[-1]
    notice.address = "ada@example.com"
    keeping.keep(session, [(notice.id, Packed(MESSAGE))])
    session.add(notice)
    return user


@pytest.fixture
def make(sqlite: Database, make_settings: Any) -> Any:
    """Makes Ada's case file."""
    sqlite.run(live)

    def case_file(now=NOW + DAY, name: str = "ada") -> bytes:
        return sqlite.run(lambda s: casefile.case_file(s, users.user(s, name), make_settings(), now=now))

    return case_file


def unpacked(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def test_it_holds_every_text_act_choice_message_request_and_termination(make) -> None:
    files = unpacked(make())
    case = json.loads(files["case.json"])
    assert {"manifest.json", "case.json", "index.html", "texts/terms/1.en.md"} <= set(files)
    assert files["texts/terms/1.en.md"].decode() == TERMS
    [accepted] = case["engagements"]
    assert (accepted["kind"], accepted["wording"], accepted["ip"]) == ("accepted", "I accept", "203.0.113.9")
    assert [(c["name"], c["value"]) for c in case["choices"]] == [("analytics", False)]
    assert [r["text"] for r in case["requests"][0]["replies"]] == ["Because."]
    [ending] = case["terminations"]
    assert (ending["reason"], ending["grounds"][0]["number"]) == ("Spam.", "1")
    assert [clause["number"] for clause in ending["surviving"]] == ["2"]
    assert case["notices"][-1]["message"] in files
    assert files[case["notices"][-1]["message"]] == MESSAGE
    assert [bound["version"] for bound in case["bound"]] == [1]
    assert len(case["history"]) > 5


def test_the_page_says_it_all_and_nothing_in_it_can_act(make) -> None:
    page = unpacked(make())["index.html"].decode()
    for said in ("I accept", "analytics", "Because.", "Spam.", "ada@example.com", "This survives termination."):
        assert said in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "src=" not in page


def test_the_same_record_at_the_same_instant_gives_the_same_bytes(make) -> None:
    assert make() == make()


def test_it_verifies_and_names_its_manifest_as_the_history_does(sqlite: Database, make) -> None:
    found = sealing.verify(make())
    assert (found.user, found.problems) == ("ada", [])
    made = sqlite.read(lambda s: history.of(s, "user", users.user(s, "ada").id))[-1]
    assert (made.verb, json.loads(made.entry)["facts"]["manifest"]) == ("made case file", found.manifest)


def test_a_case_file_of_before_still_verifies_after_the_person_was_erased(sqlite: Database, make) -> None:
    before = make()
    sqlite.run(lambda s: erasure.erase(s, users.user(s, "ada"), cause=erasure.BY_STAFF, zone=ZONE, now=NOW + 2 * DAY))
    assert sealing.verify(before).problems == []
    name = sqlite.read(lambda s: s.exec(select(User.external_id)).one())
    left = make(now=NOW + 3 * DAY, name=name)
    assert sealing.verify(left).problems == []
    case = json.loads(unpacked(left)["case.json"])
    assert [fact["kind"] for fact in case["engagements"]] == ["accepted"]
    assert case["notices"][-1]["message"] is None
    assert len(case["notices"][-1]["message_sha256"]) in {0, 64}
    told = b"".join(unpacked(left).values())
    assert not [trace for trace in (b"ada@", b'"ada"', b"Spam.", b"203.0.113.9", b"Because.") if trace in told]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("texts/terms/1.en.md", "texts/terms/1.en.md: is not the file whose hash the manifest holds"),
        ("index.html", "index.html: is not the file"),
        ("case.json", "case.json: is not the file"),
    ],
)
def test_any_changed_byte_is_found_and_named(make, name, problem) -> None:
    files = unpacked(make())
    files[name] += b" "
    assert problem in "\n".join(sealing.verify(repacked(files)).problems)


def test_what_is_missing_or_was_slipped_in_is_named(make) -> None:
    files = unpacked(make())
    del files["texts/terms/1.en.md"]
    files["extra.txt"] = b"!"
    problems = sealing.verify(repacked(files)).problems
    assert "texts/terms/1.en.md: is missing" in problems
    assert "extra.txt: stands in no manifest" in problems


def test_a_manifest_made_anew_does_not_hide_a_changed_text_or_message(make) -> None:
    files = unpacked(make())
    del files["manifest.json"]
    [message] = [name for name in files if name.startswith("messages/")]
    files["texts/terms/1.en.md"] += b"More."
    files[message] += b"More."
    case = json.loads(files["case.json"])
    case["history"][0]["entry"] += " "
    files["case.json"] = json.dumps(case).encode()
    problems = "\n".join(sealing.verify(sealing.seal(files)[0]).problems)
    assert "is not the text that was published as" in problems
    assert "is not the message of notice" in problems
    assert "history entry" in problems


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip", repacked({}), repacked({"manifest.json": b"{}"})])
def test_what_is_no_case_file_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="This is no case file"):
        sealing.verify(data)


def test_a_damaged_case_file_is_refused(make) -> None:
    packed = bytearray(make())
    packed[200:400] = b"\0" * 200
    with pytest.raises(InvalidInput, match="damaged beyond reading"):
        sealing.verify(bytes(packed))
