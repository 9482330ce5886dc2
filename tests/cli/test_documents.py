"""Documents and versions on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import TERMS, TERMS_2, Assent
from tests.conftest import SHARED, Mailbox, needs_corpus
from tests.documents.git import Git


def test_an_empty_store_says_what_to_do(assent: Assent):
    assert assent.done("document", "list").out == "No documents yet. Import some with `assent import FOLDER`.\n"
    assert assent.done("document", "list", "--json").json == []


def test_the_list_shows_what_is_in_force_and_what_is_drafted(stocked: Assent):
    (terms,) = stocked.done("document", "list", "--json").json
    assert terms["slug"], terms["title"] == ("terms", "Terms")
    assert (terms["kind"], terms["in_force"], terms["drafts"], terms["upcoming"]) == ("terms", 1, [2], [])
    assert terms["effective_at"].endswith("Z")
    assert "terms" in stocked.done("document", "list").out


def test_show_prints_facts_sections_and_text(stocked: Assent):
    text = stocked.done("document", "show", "terms").out
    assert "1 (in force)" in text
    assert "#liability" in text
    assert "survives termination" in text
    assert "Be nice to others." in text


def test_show_as_json_names_sections_and_hash(stocked: Assent):
    shown = stocked.done("document", "show", "terms", "--version", 2, "--json").json
    assert (shown["state"], shown["version"], shown["text"]) == ("draft", 2, TERMS_2)
    assert [section["anchor"] for section in shown["sections"]] == ["terms", "use", "liability", "age"]
    assert shown["texts"] == {"en": shown["sha256"]}


@pytest.mark.parametrize(
    "text", ["# A\r\nwindows\r\n", "no end", "\ufeff# BOM\n", "tab\tü \u202e rtl\n\n\n", "nul \0\n", "{{7*7}}\n"]
)
def test_raw_gives_the_stored_bytes_and_no_others(text: str, assent: Assent):
    assent.done("version", "draft", "odd", assent.file("odd.md", text), "--title", "Odd")
    assert assent.done("document", "show", "odd", "--raw").raw == text.encode()


def test_stored_text_cannot_steer_the_terminal(assent: Assent):
    evil = assent.file("evil.md", "# Evil \x1b[2J\n\n\x1b]0;owned\x07 text \u202e\n")
    assent.done("version", "draft", "evil", evil, "--title", "Evil \x1b[31m[red]")
    for words in (["document", "show", "evil"], ["document", "list"]):
        text = assent.done(*words).out
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\u202e" not in text
    assert "[red]" in assent.done("document", "list").out


def test_show_at_an_instant_finds_what_was_in_force_then(stocked: Assent):
    stocked.done("version", "publish", "terms", 2, "--mode", "notice", "--effective-at", "+30d", "--no-notify")
    assert stocked.done("document", "show", "terms", "--json").json["version"] == 1
    assert stocked.done("document", "show", "terms", "--at", "+31d", "--json").json["version"] == 2
    assert "No version of 'terms' was in force" in stocked.refused("document", "show", "terms", "--at", "2001-01-01")


def test_history_names_the_state_of_each_version(stocked: Assent):
    stocked.done(
        "version",
        "publish",
        "terms",
        2,
        "--mode",
        "notice",
        "--effective-at",
        "+30d",
        "--no-notify",
        "--change",
        "An age limit.",
        "--change",
        "Kinder words.",
    )
    first, second = stocked.done("document", "history", "terms", "--json").json
    assert (first["state"], second["state"]) == ("in force", "upcoming")
    assert second["changelog"] == ["An age limit.", "Kinder words."]
    assert "upcoming" in stocked.done("document", "history", "terms").out


def test_compare_marks_words_inside_sections(stocked: Assent):
    text = stocked.done("document", "compare", "terms", 1, 2).out
    assert "sections: 1 changed, 1 added, 2 kept; words: 9 added, 2 removed" in text
    assert "{+kind+}" in text
    assert "[-nice-]" in text
    assert "ADDED: 3 Age" in text
    found = stocked.done("document", "compare", "terms", 1, 2, "--json").json
    assert found["summary"]["changed"] == 1
    assert "".join(e["text"] for c in found["changes"] for e in c["edits"] if e["kind"] != "removed") == TERMS_2


def test_a_comparison_comes_as_markdown_and_as_a_page_that_stands_alone(stocked: Assent):
    text = stocked.done("document", "compare", "terms", 1, 2, "--format", "markdown").out
    assert text.startswith("# Terms: version 1 to 2\n\nSections: 1 changed")
    assert "> Be <del>nice</del><ins>kind</ins> to <del>others</del><ins>everyone</ins>\\." in text
    page = stocked.done("document", "compare", "terms", 1, 2, "--format", "html").out
    assert "<del>nice</del><ins>kind</ins>" in page
    assert "<style>" in page
    assert 'href="/' not in page.replace('<header><a href="/">', "")


def test_everything_since_the_version_that_binds_a_user_is_compared(stocked: Assent):
    stocked.done("accept", "ada", "terms", 1)
    for number, word in ((2, "kind"), (3, "gentle")):
        if number > 2:
            stocked.done("version", "draft", "terms", stocked.file("next.en.md", TERMS_2.replace("kind", word)))
        stocked.done("version", "publish", "terms", number, "--mode", "explicit", "--no-notify")
    text = stocked.done("document", "compare", "terms", "--user", "ada").out
    assert "terms: version 1 → 3" in text
    assert "Version 1 is what binds ada." in text
    assert "Versions in between: 2." in text
    assert "{+gentle+}" in text


def test_a_comparison_needs_to_know_from_where(stocked: Assent):
    assert "--user" in stocked.wrong("document", "compare", "terms")
    assert "binds 'ada'" in stocked.refused("document", "compare", "terms", "--user", "ada")


def test_comparing_a_version_with_itself_says_so(stocked: Assent):
    assert "the texts are the same" in stocked.done("document", "compare", "terms", 1, 1).out


def test_a_comparison_needs_a_language_that_both_have(stocked: Assent):
    assert "no text in de each; both: en" in stocked.refused("document", "compare", "terms", 1, 2, "--locale", "de")


# -- versions ------------------------------------------------------------------------------------------------------


def test_a_draft_takes_its_languages_from_the_names_of_the_files(assent: Assent):
    files = [assent.file("x.en.md", "# Terms\n\nHello.\n"), assent.file("x.de.md", "# Bedingungen\n\nHallo.\n")]
    made = assent.done("version", "draft", "terms", *files, "--title", "Terms", "--kind", "terms", "--json").json
    assert (made["version"], made["state"], sorted(made["texts"])) == (1, "draft", ["de", "en"])
    shown = assent.done("document", "show", "terms", "--locale", "de", "--json").json
    assert (shown["title"], shown["text"]) == ("Bedingungen", "# Bedingungen\n\nHallo.\n")


def test_a_draft_of_an_unknown_document_needs_a_title_or_a_kind(assent: Assent):
    text = assent.file("terms.md", TERMS)
    assert "There is no document 'terms'" in assent.refused("version", "draft", "terms", text)
    assert assent.done("document", "list", "--json").json == []


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff broken", "is not UTF-8: byte 0xff at offset 0"), (b"", "The text is empty"), (b" \n\t\n", "is empty")],
)
def test_an_unusable_text_is_refused_and_leaves_no_document(content: bytes, why: str, assent: Assent):
    file = assent.file("new.md", content)
    assert why in assent.refused("version", "draft", "new", file, "--title", "New")
    assert assent.done("document", "list", "--json").json == []


def test_one_bad_file_of_several_leaves_nothing_behind(assent: Assent):
    files = [assent.file("x.en.md", TERMS), assent.file("x.de.md", b"\xe9")]
    assent.refused("version", "draft", "terms", *files, "--title", "Terms")
    assert assent.done("document", "list", "--json").json == []


def test_two_files_in_one_language_are_refused(assent: Assent):
    files = [assent.file("a.md", TERMS), assent.file("b.md", TERMS)]
    assert "Two files are in the same language" in assent.refused("version", "draft", "terms", *files, "--title", "T")


def test_a_file_that_is_not_there_is_named(assent: Assent):
    assert "'none.md' cannot be read" in assent.refused("version", "draft", "terms", "none.md", "--title", "T")


def test_a_surviving_section_must_be_there(assent: Assent):
    words = ("version", "draft", "terms", assent.file("t.md", TERMS), "--title", "T", "--survives", "99")
    assert "no section '99'" in assent.refused(*words)
    assert assent.done("document", "list", "--json").json == []


def test_a_rehearsal_tells_whom_it_would_tell_and_changes_nothing(stocked: Assent, unchanged: Callable[[], None]):
    words = ("version", "rehearse", "terms", 2, "--mode", "explicit", "--deadline-days", 14)
    assert stocked.done(*words, "--json").json["by_email"] == 1
    assert "1 by e-mail, 0 over Discord" in stocked.done(*words).out
    quiet = stocked.done("version", "rehearse", "terms", 2, "--mode", "notice", "--no-notify").out
    assert "Warning: Nobody is told" in quiet


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--effective-at", "2020-01-01"], "lies in the past"),
        (["--notify-at", "-1h"], "lies in the past"),
        (["--notice-days", "30", "--effective-at", "+3d"], "leaves less than the notice period of 30 days"),
        (["--notice-days", "-1"], "must lie between 0 and"),
        (["--regime", "nonsense"], "Regime 'nonsense' is not known"),
        (["--regime", "eu-p2b"], "15 days of notice"),
    ],
)
@pytest.mark.parametrize("verb", ["rehearse", "publish"])
def test_a_bad_publication_is_refused_by_rehearsal_and_publication_alike(
    verb: str, words: list[str], why: str, stocked: Assent, unchanged: Callable[[], None]
):
    assert why in stocked.refused("version", verb, "terms", 2, "--mode", "notice", *words)


def test_an_instant_that_cannot_be_read_is_wrong_usage(stocked: Assent, unchanged: Callable[[], None]):
    error = stocked.wrong("version", "publish", "terms", 2, "--mode", "notice", "--effective-at", "soon")
    assert "--effective-at" in error
    assert "+30d" in error


def test_publishing_twice_is_refused(stocked: Assent, unchanged: Callable[[], None]):
    assert "was published at" in stocked.refused("version", "publish", "terms", 1, "--mode", "notice")


def test_a_shorter_notice_than_the_regime_asks_needs_a_reason(stocked: Assent):
    words = ("version", "publish", "terms", 2, "--mode", "notice", "--regime", "eu-p2b", "--json")
    made = stocked.done(*words, "--override-reason", "A court ordered it.").json
    assert (made["regime"], made["override_reason"]) == ("eu-p2b", "A court ordered it.")


@pytest.mark.parametrize("words", [["show", "no-such"], ["history", "no-such"], ["compare", "no-such", "1", "2"]])
def test_an_unknown_document_is_named_with_those_there_are(words: list[str], stocked: Assent):
    assert stocked.refused("document", *words) == "Error: There is no document 'no-such'. Known: terms.\n"


def test_an_unknown_version_is_named_with_those_there_are(stocked: Assent):
    assert "'terms' has no version 9. Known: 1, 2." in stocked.refused("document", "show", "terms", "--version", 9)
    assert "has no version 9" in stocked.refused("version", "publish", "terms", 9, "--mode", "notice")


def test_withdrawing_takes_a_version_out_of_force(stocked: Assent):
    made = stocked.done("version", "withdraw", "terms", 1, "--reason", "A mistake.", "--json").json
    assert (made["state"], made["withdrawn_reason"]) == ("withdrawn", "A mistake.")
    assert "already" in stocked.refused("version", "withdraw", "terms", 1, "--reason", "Again.")


def test_withdrawing_asks_at_a_terminal_and_no_means_no(
    stocked: Assent, terminal: Callable[[str], None], unchanged: Callable[[], None]
):
    terminal("n\n")
    run = stocked("version", "withdraw", "terms", 1, "--reason", "A mistake.")
    assert run.status == 1
    assert "Go on? [y/N]" in run.err


def test_withdrawing_goes_on_after_yes(stocked: Assent, terminal: Callable[[str], None]):
    terminal("y\n")
    assert "Withdrew version 1" in stocked.done("version", "withdraw", "terms", 1, "--reason", "A mistake.").out


def test_yes_on_the_command_line_asks_nothing(stocked: Assent, terminal: Callable[[str], None]):
    terminal("")
    run = stocked.done("version", "withdraw", "terms", 1, "--reason", "A mistake.", "--yes")
    assert "Go on?" not in run.err


# -- import and answers ---------------------------------------------------------------------------------------------


def test_importing_a_folder_twice_adds_nothing(assent: Assent):
    assent.file("texts/terms/2025-01-15.en.md", TERMS)
    assent.file("texts/terms/2025-06-01.en.md", TERMS_2)
    assert assent.done("import", assent.folder / "texts").out == "Texts: 2 added, 0 known already.\n"
    assert assent.done("import", assent.folder / "texts", "--json").json["added"] == []
    states = [version["state"] for version in assent.done("document", "history", "terms", "--json").json]
    assert states == ["superseded", "in force"]


def test_a_bad_file_is_reported_and_the_rest_goes_in(assent: Assent):
    assent.file("texts/good.md", TERMS)
    assent.file("texts/bad.md", b"\xff")
    run = assent("import", assent.folder / "texts")
    assert run.status == 1
    assert "Texts: 1 added" in run.out
    assert "bad.md is not UTF-8" in " ".join(run.err.split())


@pytest.mark.parametrize("words", [["nowhere"], ["."]])
def test_a_place_without_texts_is_refused(words: list[str], assent: Assent, tmp_path: Path):
    assert "There is no" in assent.refused("import", *words)


@needs_corpus
def test_real_texts_come_back_byte_for_byte_through_the_command(assent: Assent):
    path = max((SHARED / "corpus").rglob("*.md"), key=lambda found: found.stat().st_size)
    assent.done("version", "draft", "real", path, "--title", "Real", "--locale", "en")
    assert assent.done("document", "show", "real", "--raw").raw == path.read_bytes()


def test_an_answer_is_quoted_with_its_section_and_version(stocked: Assent):
    found = stocked.done("ask", "What survives termination?", "--json").json
    assert found["answered"]
    quote = found["quotes"][0]
    assert quote["text"] in TERMS
    assert (quote["document"], quote["version"], quote["section"]["number"]) == ("terms", 1, "2")
    assert "version 1, 2 Liability" in stocked.done("ask", "What survives termination?").out


def test_a_silent_policy_says_so_and_how_to_reach_a_person(stocked: Assent):
    run = stocked.done("ask", "Which wine goes with fish?")
    assert run.out == "The policy doesn't say.\n"
    assert "/contact" in run.err
    assert stocked.done("ask", "Which wine goes with fish?", "--json").json["answered"] is False


def test_a_question_about_an_unknown_document_is_refused(stocked: Assent):
    assert "There is no document 'nope'" in stocked.refused("ask", "Why?", "--document", "nope")
    assert "A question has 1 to" in stocked.refused("ask", "  ")


def test_publishing_tells_users_and_the_exact_mail_can_be_read_back(stocked: Assent, delivered: Callable[[], Mailbox]):
    stocked.done("version", "publish", "terms", 2, "--mode", "explicit", "--deadline-days", 14)
    mailbox = delivered()
    (notice,) = stocked.done("notice", "list", "--purpose", "version_published", "--json").json
    assert (notice["status"], notice["user"], notice["document"], notice["version"]) == ("sent", "ada", "terms", 2)
    assert stocked.done("notice", "show", notice["id"], "--raw").raw == mailbox.received[0][2]
    shown = stocked.done("notice", "show", notice["id"])
    assert "What the relay said" in shown.out
    assert stocked.done("notice", "show", notice["id"], "--json").json["tries"][0]["code"] == 250


def test_a_document_that_comes_in_several_languages_speaks_the_operators(assent: Assent):
    assent.file("texts/terms/1.de.md", "# Bedingungen\n\nLöschen Sie Ihr Konto in den Einstellungen.\n")
    assent.file("texts/terms/1.en.md", "# Terms\n\nYou delete your account in the settings.\n")
    assent.done("import", assent.folder / "texts")
    (terms,) = assent.done("document", "list", "--json").json
    assert (terms["title"], terms["default_locale"]) == ("Terms", "en")
    assent.done("version", "publish", "terms", 1, "--mode", "notice", "--no-notify")
    assert "You delete your account" in assent.done("ask", "How do I delete my account?").out
    assert "Löschen Sie" in assent.done("ask", "Wie lösche ich mein Konto?", "--locale", "de").out


# -- import --------------------------------------------------------------------------------------------------------


def test_a_repository_comes_in_with_its_history_and_a_folder_of_it_when_asked(assent: Assent):
    git = Git(assent.folder / "texts")
    git.commit({"legal/terms.md": TERMS, "notes.md": "# Notes\n"})
    git.commit({"legal/terms.md": TERMS_2})
    assert assent.done("import", git.path / "legal", "--history").out == "Versions: 2 added, 0 known already.\n"
    commits = [git("rev-parse", "--short=10", rev).strip() for rev in ("HEAD~", "HEAD")]
    added = assent.done("import", git.path, "--json").json["added"]
    assert added == [f"legal-terms at {commits[0]}", f"notes at {commits[0]}", f"legal-terms at {commits[1]}"]
    first, second = assent.done("document", "history", "terms", "--json").json
    assert (first["state"], second["state"], first["imported"]) == ("superseded", "in force", True)


def test_a_repository_may_come_in_as_mere_files_or_by_a_mapping(assent: Assent):
    git = Git(assent.folder / "texts")
    git.commit({"a.md": TERMS, "b.md": TERMS_2})
    mapping = assent.file("map.toml", '[[text]]\npath = "a.md"\ndocument = "terms"\n')
    assert assent.done("import", git.path, "--map", mapping).out == "Versions: 1 added, 0 known already.\n"
    assert assent.done("import", git.path, "--no-history").out == "Texts: 2 added, 0 known already.\n"
    assert "--history" in assent.wrong("import", assent.file("x/a.md", TERMS), "--map", mapping)


def test_what_has_no_history_or_is_elsewhere_is_refused(assent: Assent):
    assert "leave --history out" in assent.refused("import", assent.file("x/a.md", TERMS), "--history")
    assert "git clone https://a.example/x.git" in assent.refused("import", "https://a.example/x.git")
    assert "nothing at" in assent.refused("import", "nowhere", "--history")


# --- the date in the text


def test_a_draft_says_which_date_its_text_carries_and_offers_it(stocked: Assent) -> None:
    run = stocked.done("version", "draft", "terms", stocked.file("a.en.md", f"{TERMS}\n*Effective May 12, 2099*\n"))
    assert "The en text says: Effective May 12, 2099 (2099-05-12)" in run.err
    assert "--mode MODE --effective-at 2099-05-12" in run.err
    text = stocked.file("b.de.md", f"{TERMS}\nStand: 12.05.24\n")
    [dated] = stocked.done("version", "draft", "terms", text, "--json").json["text_dates"]
    assert (dated["locale"], dated["kind"], dated["on"], dated["line"]) == ("de", "updated", None, "Stand: 12.05.24")


# --- promises


def test_promises_are_listed_marked_and_taken_back(stocked: Assent) -> None:
    [age] = stocked.done("document", "promises", "terms", "--json").json
    assert (age["kind"], age["value"], age["section"]) == ("age", "16", "3")
    marked = stocked.done(
        "document", "promises", "terms", "--mark", "be kind", "--kind", "notice", "--value", "30 days"
    )
    assert "30 days" in marked.out
    assert "staff" in marked.out
    warned = stocked.done("version", "rehearse", "terms", 2, "--mode", "notice", "--notice-days", 14)
    assert "promises 30 days of notice, but this publication gives 14 days" in warned.out
    taken = stocked.done("document", "promises", "terms", "--unmark", "be kind", "--json").json
    assert [promise["kind"] for promise in taken] == ["age"]


def test_a_mark_that_cannot_be_is_refused(stocked: Assent, unchanged: Callable[[], None]) -> None:
    promises = ("document", "promises", "terms")
    assert "No sentence" in stocked.refused(*promises, "--mark", "no such words", "--kind", "none")
    assert "'30 days'" in stocked.refused(*promises, "--mark", "be kind", "--kind", "notice", "--value", "soon")
    assert "No marked sentences" in stocked.refused(*promises, "--unmark", "be kind")
    assert "--kind" in stocked.wrong(*promises, "--mark", "be kind")


# --- survival


def test_sections_that_survive_are_proposed_marked_and_unmarked(stocked: Assent) -> None:
    survival = ("document", "survival", "terms")
    shown = [(one["number"], one["marked"]) for one in stocked.done(*survival, "--version", 1, "--json").json]
    assert shown == [("2", True)]
    assert "proposed" in stocked.done(*survival, "--version", 1, "--unmark", "2").out
    marked = stocked.done(*survival, "--version", 1, "--mark-proposed", "--mark", "Use", "--json").json
    assert [(one["number"], one["marked"]) for one in marked] == [("1", True), ("2", True)]
    assert "no section '99'" in stocked.refused(*survival, "--mark", "99")
