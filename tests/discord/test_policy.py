"""Questions about policies, and where the asker stands."""

from datetime import timedelta
from typing import Any

import pytest

from bots.discord.policy import _due_line, answer_text
from bots.discord.words import EN
from lifecycle import announcing, choices, engagements, links, terminations, users
from lifecycle.answers.answering import Answer, Quote
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.errors import NotFound
from lifecycle.standing import DocumentStanding
from lifecycle.states import Channel, Decision, EngagementKind, Initiator, Mode
from tests.conftest import NOW
from tests.discord.conftest import World
from tests.helpers import ZONE, published_terms

TERMS = """# Terms

## 1. Accounts

You must be at least 16 years old to open an account.

## 2. Refunds

We refund the price within 14 days @everyone [here](https://evil.example).
"""


@pytest.fixture
def terms(world: World) -> World:
    world.database.run(published_terms, text=TERMS)
    return world


async def test_an_answer_is_quoted_with_document_version_section_and_link(terms: World) -> None:
    result = await terms.alice.slash(terms.general, "policy ask", question="How old must I be to open an account?")
    assert not result.ephemeral
    assert result.response.content == (
        "> You must be at least 16 years old to open an account.\n"
        "— **Terms**, version 1, section 1 Accounts: <https://acme.example/terms/1?locale=en#accounts>"
    )
    assert result.response.components == []


async def test_a_quote_cannot_ping_or_mask_a_link(terms: World) -> None:
    result = await terms.alice.slash(terms.general, "policy ask", question="When do I get a refund of the price?")
    assert r"\@everyone \[here\](https://evil.example)" in result.response.content
    sent: Any
    (sent,) = [e.json for e in terms.env.http_requests if e.path.startswith("/webhooks/")]
    assert sent["allowed_mentions"] == {"parse": []}


async def test_a_silent_policy_says_so_and_offers_a_person(terms: World) -> None:
    result = await terms.alice.slash(terms.general, "policy ask", question="What is the capital of France?")
    assert result.response.content == "The policy doesn't say."
    shown = await terms.alice.click(result.response.message, label="Ask a person")
    done = await terms.alice.submit_modal(shown, {"subject": "Capital of France?"})
    assert "number **1**" in done.response.content


async def test_a_question_before_anything_is_in_force_says_so(world: World) -> None:
    result = await world.alice.slash(world.general, "policy ask", question="How old must I be?")
    assert result.response.content == "No policy is in force yet."


async def test_the_asker_is_answered_from_the_version_that_binds_them(terms: World) -> None:
    terms.link()
    terms.database.run(_accept_version_one_and_publish_another)
    asked = {"question": "How old must I be to open an account?"}
    bound = await terms.alice.slash(terms.general, "policy ask", **asked)
    others = await terms.sam.slash(terms.general, "policy ask", **asked)
    assert "at least 16 years" in bound.response.content
    assert "at least 18 years" in others.response.content


async def test_documents_in_force_are_offered_and_a_question_can_be_kept_to_one(terms: World) -> None:
    terms.database.run(store.create_document, "drafted", title="Drafted", now=NOW)
    offered = await terms.alice.autocomplete(terms.general, "policy ask", "document", "TER", question="x")
    assert offered == [{"name": "Terms (terms)", "value": "terms"}]
    nothing = await terms.alice.autocomplete(terms.general, "policy ask", "document", "draft", question="x")
    assert nothing == []
    result = await terms.alice.slash(terms.general, "policy ask", question="How old must I be?", document="terms")
    assert "at least 16" in result.response.content


async def test_an_unknown_document_is_refused_in_a_sentence(terms: World) -> None:
    result = await terms.alice.slash(terms.general, "policy ask", question="Why?", document="@everyone")
    assert result.response.content.startswith("There is no document '\\@everyone'.")
    assert [type(error.original) for error in terms.env.errors] == [NotFound]  # type: ignore[attr-defined]


async def test_no_question_is_stored(terms: World) -> None:
    await terms.alice.slash(terms.general, "policy ask", question="Is my zebra allowed?")
    with terms.database.engine.connect() as connection:
        dump = "\n".join(connection.connection.iterdump())
    assert "zebra" not in dump


# -- one message -------------------------------------------------------------------------------------------


def quote(text: str, anchor: str = "a") -> Quote:
    return Quote(text, "Terms", "terms", 1, "1", anchor, anchor, f"https://acme.example/terms/1#{anchor}", 0.9)


def test_quotes_are_grouped_by_section():
    text = answer_text(Answer([quote("One.", "a"), quote("Two.", "b"), quote("Three.", "a")]))
    source = "— **Terms**, version 1, section 1 {0}: <https://acme.example/terms/1#{0}>"
    assert text == "\n".join(["> One.", "> Three.", source.format("a"), "", "> Two.", source.format("b")])


def test_whole_quotes_are_left_out_rather_than_cut():
    text = answer_text(Answer([quote("a" * 800, "a"), quote("b" * 800, "b"), quote("c" * 800, "c")]))
    assert len(text) <= 2000
    assert text.endswith(f"\n*{EN['left_out']}*")
    assert [letter * 800 in text for letter in "abc"] == [True, True, False]


def test_a_quote_longer_than_a_message_says_that_it_is_cut():
    text = answer_text(Answer([quote("word* " * 600)]))
    assert len(text) <= 2000
    assert f" … *({EN['cut']})*\n— **Terms**" in text


# -- standing ----------------------------------------------------------------------------------------------


async def test_status_tells_an_unlinked_person_how_to_be_linked(terms: World) -> None:
    result = await terms.alice.slash(terms.general, "policy status")
    assert result.ephemeral
    assert "not linked to an account at Acme. `/contact` asks staff" in result.response.content


@pytest.mark.parametrize(
    ("kind", "how"),
    [(EngagementKind.ACCEPTED, "you accepted it"), (EngagementKind.IMPORTED, "taken over from the records")],
)
async def test_status_says_what_binds_and_how_it_came_to_bind(terms: World, kind, how) -> None:
    terms.link()

    def bind(session) -> None:
        user = users.user(session, "ada")
        version = store.version(session, store.document(session, "terms"), 1)
        engagements.engage(session, user, version, kind, zone=ZONE, now=NOW)

    terms.database.run(bind)
    result = await terms.alice.slash(terms.general, "policy status")
    assert result.ephemeral
    binds = f"- [Version 1](<https://acme.example/terms/1>) binds you since <t:{int(NOW.timestamp())}:f>: {how}"
    assert f"**Terms**\n{binds}" in result.response.content


async def test_status_says_what_is_due_what_comes_and_what_was_only_corrected(terms: World) -> None:
    terms.link()

    def prepare(session) -> None:
        _accept_version_one_and_publish_another(session)
        document, user = store.document(session, "terms"), users.user(session, "ada")
        second = store.version(session, document, 2)
        engagements.tell(session, user, second, notice_id=None, channel=Channel.EMAIL, sent_at=NOW, now=NOW)  # type: ignore[arg-type]
        later = store.draft_version(session, document, {"en": TERMS + "\nMore.\n"}, now=NOW)
        publish(session, later, Publication(Mode.EDITORIAL, effective_at=NOW + timedelta(days=9)), zone=ZONE, now=NOW)

    terms.database.run(prepare)
    result = await terms.alice.slash(terms.general, "policy status")
    said, page = result.response.content, "https://acme.example/terms"
    assert f"- [Version 1](<{page}/1>) binds you since" in said
    token = links.answer_token(terms.bot.settings, 1, 2, now=NOW)
    due = int((NOW + timedelta(days=14)).timestamp())
    assert f"[accept or decline](<https://acme.example/answer/{token}>) [Version 2](<{page}/2>) by <t:{due}:f>" in said
    assert f"[Version 3](<{page}/3>) comes in force <t:{int((NOW + timedelta(days=9)).timestamp())}:f>." in said
    assert said.endswith(f"-# {EN['own_links']}")


async def test_status_of_a_corrected_text_says_that_the_old_acceptance_carries_over(terms: World) -> None:
    terms.link()
    terms.database.run(_accept_version_one_and_publish_another, mode=Mode.EDITORIAL)
    result = await terms.alice.slash(terms.general, "policy status")
    assert "- [Version 2](<https://acme.example/terms/2>) binds you since" in result.response.content
    assert "you accepted it; only wording was corrected since." in result.response.content


async def test_status_begins_with_the_end_of_access_and_its_reason(terms: World) -> None:
    terms.link(email="ada@example.com")

    def end(session, initiator: Initiator) -> None:
        cause = terminations.Cause(initiator, "You *wanted* it")
        terminations.terminate(session, users.user(session, "ada"), cause, zone=ZONE, now=NOW)

    terms.database.run(end, Initiator.INACTIVITY)
    waiting = await terms.alice.slash(terms.general, "policy status")
    assert waiting.response.content.startswith("**The end of your access is decided**; it waits for the proof")
    assert "Reason: You \\*wanted\\* it" in waiting.response.content


async def test_who_is_suspended_reads_from_what_and_until_when(terms: World) -> None:
    terms.link(email="ada@example.com")

    def suspend(session) -> None:
        cause = terminations.Cause(Initiator.PROVIDER, "Spam.", scope="posting", ends_at=NOW + timedelta(days=9))
        made = terminations.terminate(session, users.user(session, "ada"), cause, zone=ZONE, now=NOW)
        announcing.sent(session, made.id, sent_at=NOW, zone=ZONE, now=NOW)

    terms.database.run(suspend)
    shown = (await terms.alice.slash(terms.general, "policy status")).response.content
    until = f"<t:{int((NOW + timedelta(days=9)).timestamp())}:f>"
    assert shown.startswith("**Your access to posting ended** <t:")
    assert f"You will have it again {until}. Reason: Spam." in shown


async def test_a_termination_by_the_provider_is_told_with_its_part_its_end_and_the_way_to_appeal(terms: World) -> None:
    terms.link(email="ada@example.com")
    back = NOW + timedelta(days=20)

    def suspend(session) -> None:
        cause = terminations.Cause(Initiator.PROVIDER, "Spam.", scope="the API", ends_at=back)
        terminations.terminate(session, users.user(session, "ada"), cause, zone=ZONE, now=NOW)

    terms.database.run(suspend)
    status = await terms.alice.slash(terms.general, "policy status")
    first, second, *_ = status.response.content.split("\n")
    assert first == (
        "**The end of your access to the API is decided**; it waits for the proof that you were told. "
        f"You will have it again <t:{int(back.timestamp())}:f>. Reason: Spam."
    )
    assert second == "If you see it otherwise: `/contact`, “Appeal a decision”."


def test_each_state_that_asks_something_has_its_sentence_and_its_link():
    def line(state: str, due: int | None, locale: str = "en") -> str:
        due_by = NOW + timedelta(days=due) if due is not None else None
        item = DocumentStanding("terms", Decision.WARN, state, "", due_version=2, due_by=due_by)
        return _due_line(item, "PAGE", "LINK", locale, NOW)

    at = f"<t:{int((NOW + timedelta(days=1)).timestamp())}:f>"
    version = "[Version 2](<PAGE>)"
    assert line("not_told", None) == f"You have not been told of {version} yet, so no time runs for you."
    assert line("told", None) == f"You were told of {version}; it binds you from your next use of the service on."
    assert line("may_object", 1) == f"{version} binds you unless you [object](<LINK>) by {at}."
    assert "[accept it](<LINK>), in time until" in line("declined", 1)
    assert "your access is paused since" in line("declined", -1)
    assert line("declined", None) == f"You declined {version}."
    assert "Your access is paused until you [accept it](<LINK>)" in line("overdue", -1)
    assert line("exempt", None, "de") == f"{version} brauchen Sie nicht anzunehmen."


async def test_status_names_texts_in_the_language_of_the_account(terms: World) -> None:
    terms.link(locale="de")

    def publish_german(session) -> None:
        texts = {"en": "# Privacy\n\nText.\n", "de": "# Datenschutz\n\nText.\n"}
        document = store.create_document(session, "privacy", title="Privacy", now=NOW)
        version = store.draft_version(session, document, texts, titles={"de": "Datenschutz"}, now=NOW)
        publish(session, version, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)

    terms.database.run(publish_german)
    status = await terms.alice.slash(terms.general, "policy status")
    assert "**Datenschutz**\n" in status.response.content


async def test_a_status_longer_than_a_message_comes_in_several_and_whole(terms: World) -> None:
    terms.link()

    def publish_many(session) -> None:
        for n in range(25):
            document = store.create_document(session, f"document-{n}", title=f"Document {n} of many", now=NOW)
            version = store.draft_version(session, document, {"en": f"# Document {n} of many\n\nText.\n"}, now=NOW)
            publish(session, version, Publication(Mode.EXPLICIT, deadline_days=14, notify=False), zone=ZONE, now=NOW)

    terms.database.run(publish_many)
    first = await terms.alice.slash(terms.general, "policy status")
    texts = [one.content for one in (first.response, *first.followups)]
    assert all(len(text) <= 2000 for text in texts)
    assert all(f"**Document {n} of many**" in "\n".join(texts) for n in range(25))


async def test_an_answer_can_be_for_the_asker_alone(terms: World) -> None:
    asked = {"question": "How old must I be to open an account?", "private": True}
    result = await terms.alice.slash(terms.general, "policy ask", **asked)
    assert result.ephemeral


async def test_what_asks_for_an_act_leads_to_a_button_that_names_it(terms: World) -> None:
    result = await terms.alice.slash(terms.general, "policy ask", question="Please delete my account")
    shown = await terms.alice.click(result.response.message, label="Have my data deleted")
    done = await terms.alice.submit_modal(shown, {"subject": "All of it"})
    assert "which one is yours" in done.response.content


# -- prompt logging ----------------------------------------------------------------------------------------


async def test_prompt_logging_is_a_linked_users_own_choice(world: World) -> None:
    world.link()
    done = await world.alice.slash(world.general, "account logging", setting="off")
    assert done.ephemeral
    assert done.response.content.endswith("Nothing that you ask here is kept.")
    made = world.database.read(lambda s: choices.chosen(s, users.user(s, "ada"), choices.PROMPT_LOGGING))
    assert made is False
    status = await world.alice.slash(world.general, "policy status")
    assert "Prompt logging is off" in status.response.content


async def test_an_unlinked_person_has_no_choice_to_make(world: World) -> None:
    done = await world.alice.slash(world.general, "account logging", setting="off")
    assert "not linked" in done.response.content


def _accept_version_one_and_publish_another(session, mode: Mode = Mode.EXPLICIT) -> None:
    document, user = store.document(session, "terms"), users.user(session, "ada")
    first = store.version(session, document, 1)
    engagements.engage(session, user, first, EngagementKind.ACCEPTED, zone=ZONE, now=NOW)
    second = store.draft_version(session, document, {"en": TERMS.replace("16", "18")}, now=NOW)
    publish(session, second, Publication(mode, deadline_days=14, notify=False), zone=ZONE, now=NOW)
