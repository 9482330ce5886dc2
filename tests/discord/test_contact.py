"""What people send to staff."""

from typing import Any

import discord
import pytest

from lifecycle import requests
from lifecycle.models import Request
from lifecycle.states import Channel, Purpose, RequestKind
from tests.discord.conftest import World


async def test_a_request_gets_a_number_and_reaches_the_staff_channel(world: World) -> None:
    done = await world.contact("Delete me", "All of it.")
    assert done.ephemeral
    assert "number **1**" in done.response.content
    (card,) = world.cards()
    assert "**Request 1** · erasure · open" in card.content
    assert f"From {world.alice.mention}, no account linked" in card.content
    assert "**Delete me**\n> All of it." in card.content


async def test_the_request_of_a_linked_user_names_the_account(world: World) -> None:
    world.link("ada_1", email="ada@example.com")
    done = await world.contact()
    assert "by e-mail" in done.response.content
    assert "account ada\\_1" in world.card().content
    (request,) = world.requests()
    assert (request.user_id, request.source, request.kind) == (1, "discord", RequestKind.ERASURE)


async def test_every_kind_of_request_is_offered(world: World) -> None:
    (command,) = [c for c in await world.bot.tree.fetch_commands() if c.name == "contact"]
    option = command.options[0]
    assert isinstance(option, discord.app_commands.Argument)
    assert {choice.value for choice in option.choices} == set(RequestKind)


async def test_the_same_words_twice_within_a_minute_are_one_request(world: World) -> None:
    first, second = await world.contact(), await world.contact()
    assert first.response.content == second.response.content
    assert len(world.requests()) == len(world.cards()) == 1


async def test_a_claim_made_again_is_joined_to_the_first_and_staff_see_it_there(world: World) -> None:
    await world.contact()
    world.clock.advance(minutes=2)
    again = await world.contact("Still not deleted?", "Hurry up.")
    assert again.response.content.startswith("You have asked for that already: your request has the number **1**.")
    assert [request.joined_to for request in world.requests()] == [None, 1]
    await world.go_round()
    [card] = world.cards()
    assert "Asked again" in card.content
    assert "Hurry up." in card.content
    world.clock.advance(minutes=2)
    await world.contact("And now?", "")
    await world.go_round()
    assert world.card().content.endswith("**And now?**")


async def test_who_has_an_address_on_record_is_told_of_the_link_that_proves_who_asks(world: World) -> None:
    world.link(email="ada@example.com")
    done = await world.contact()
    assert "You get an e-mail with a link" in done.response.content
    [notice] = world.notices()
    assert (notice.purpose, notice.channel) == (Purpose.REQUEST_RECEIVED, Channel.EMAIL)


async def test_a_form_still_open_while_the_bot_restarts_is_not_lost(world: World) -> None:
    shown = await world.alice.slash(world.general, "contact", kind="question")
    await world.restart()
    done = await world.alice.submit_modal(shown, {"subject": "Still there?", "details": ""})
    assert "number **1**" in done.response.content


async def test_a_blank_subject_is_refused_in_a_sentence(world: World) -> None:
    done = await world.contact("   ")
    assert done.response.content == "The request needs a subject."
    assert world.requests() == []


async def test_what_a_person_writes_cannot_ping_mask_links_or_leave_its_quote(world: World) -> None:
    await world.contact("@everyone # x", "<@1> **bold**\n> out\u2028[bank](https://evil.example) `code` ||x||")
    card = world.card()
    assert "**\\@everyone \\# x**" in card.content
    assert "> \\<\\@1\\> \\*\\*bold\\*\\*\n> \\> out\n> \\[bank\\](https://evil.example) \\`code\\`" in card.content
    assert card.flags.suppress_embeds
    sent: list[Any] = [
        entry.json for entry in world.env.http_requests if entry.path.endswith(f"{world.staff.id}/messages")
    ]
    assert [body["allowed_mentions"] for body in sent] == [{"parse": []}]


async def test_a_long_request_is_cut_with_a_word_about_it_and_the_whole_goes_along(world: World) -> None:
    await world.contact("Long", "word " * 780)
    card = world.card()
    assert len(card.content) <= 2000
    assert card.content.endswith("*Cut here: the whole text is in the file.*")
    assert card.attachments[0].filename == "request-1.txt"
    assert (await card.attachments[0].read()).decode().count("word") == 780


async def test_a_request_that_came_by_another_way_is_posted_once(world: World) -> None:
    def open_one(session):
        requests.open_request(session, RequestKind.SUPPORT, subject="By web", source="web", now=world.clock())

    world.database.run(open_one)
    for _ in range(3):
        await world.go_round()
    (card,) = world.cards()
    assert "no account linked, by web" in card.content


async def test_a_request_sent_while_discord_was_down_is_posted_later(world: World) -> None:
    world.env.inject_error("POST", f"/channels/{world.staff.id}/messages", status=400, times=1)
    await world.contact("First", kind="support")
    assert world.cards() == []
    world.clock.advance(minutes=1)
    await world.contact("Second", kind="support")
    assert [card.content.splitlines()[0] for card in world.cards()] == [
        "**Request 1** · support · open",
        "**Request 2** · support · open",
    ]


async def test_one_request_that_cannot_be_posted_keeps_none_back(world: World) -> None:
    world.bot.settings.discord_staff_channel_id = 0
    await world.contact("First", kind="support")
    await world.contact("Second", kind="support")
    world.bot.settings.discord_staff_channel_id = world.staff.id
    world.env.inject_error("POST", f"/channels/{world.staff.id}/messages", status=400, times=1)
    await world.go_round()
    assert ["Second" in card.content for card in world.cards()] == [True]


async def test_requests_are_never_posted_where_everyone_can_read(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.bot.settings.discord_staff_channel_id = world.general.id
    await world.contact()
    await world.go_round()
    assert world.general.history() == []
    assert len([r for r in caplog.records if "Everyone can see channel 'general'" in r.message]) == 1
    assert isinstance(world.requests()[0], Request)


@pytest.mark.parametrize(
    ("find", "complaint"),
    [
        (lambda world: 0, "Set ASSENT_DISCORD_STAFF_CHANNEL_ID"),
        (lambda world: 12345, "ASSENT_DISCORD_STAFF_CHANNEL_ID 12345 is no text channel"),
        (lambda world: world.closed().id, "The bot may not see channel 'closed'"),
    ],
)
async def test_a_staff_channel_that_cannot_be_used_is_named_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, find, complaint
) -> None:
    world.bot.settings.discord_staff_channel_id = find(world)
    await world.contact()
    logged = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [complaint in record.message for record in logged].count(True) == 1
    assert len(world.requests()) == 1
