"""What staff do in their channel, and what becomes of it."""

from datetime import UTC, datetime

from lifecycle import erasure, identity, requests, users
from lifecycle.models import Request
from lifecycle.notices import outbox
from lifecycle.states import Channel, NoticeStatus, Purpose, RequestKind
from tests.conftest import NOW
from tests.discord.conftest import World


async def test_an_answer_reaches_the_person_and_the_channel_shows_it(world: World) -> None:
    await world.contact()
    done = await world.answer("We deleted *all* of it.")
    assert done.ephemeral
    assert done.response.content == "Your answer to request 1 goes out as a direct message."
    (dm,) = world.dms()
    assert "We deleted \\*all\\* of it." in dm
    assert "this mail" not in dm
    assert "· answered" in world.card().content
    assert "delivered as a direct message\n> We deleted \\*all\\* of it." in world.card().content
    assert [notice.status for notice in world.notices()] == [NoticeStatus.SENT]


async def test_an_old_button_works_after_a_restart(world: World) -> None:
    await world.contact()
    await world.restart()
    await world.answer()
    assert "It is done." in world.dms()[0]


async def test_an_answer_being_written_while_the_bot_restarts_is_not_lost(world: World) -> None:
    await world.contact()
    shown = await world.sam.click(world.card(), label="Answer")
    await world.restart()
    await world.sam.submit_modal(shown, {"text": "Written before."})
    await world.go_round()
    assert "Written before." in world.dms()[0]


async def test_a_closed_request_loses_its_buttons_and_takes_no_answer(world: World) -> None:
    await world.contact()
    shown = await world.sam.click(world.card(), label="Answer")
    done = await world.sam.click(world.card(), label="Close")
    assert done.response.content == "Request 1 is closed. It had no answer, so the person hears nothing of it."
    await world.go_round()
    assert "· closed" in world.card().content
    assert world.card().components == []
    late = await world.sam.submit_modal(shown, {"text": "Too late"})
    assert late.response.content.startswith("Request 1 was closed at 2026-03-02")
    assert world.notices() == []


async def test_what_was_answered_or_closed_elsewhere_is_shown_too(world: World) -> None:
    await world.contact()
    world.database.run(lambda s: requests.close(s, requests.request(s, 1), now=world.clock()))
    await world.go_round()
    assert "· closed" in world.card().content


async def test_what_was_closed_while_the_bot_was_away_is_shown_when_it_is_back(world: World) -> None:
    await world.contact()
    await world.restart(before=lambda: world.database.run(_close, world.clock()))
    await world.go_round()
    assert "· closed" in world.card().content


async def test_a_message_that_staff_deleted_is_not_edited_for_ever(world: World) -> None:
    await world.contact()
    await world.card().delete()
    world.database.run(_close, world.clock())
    for _ in range(3):
        await world.go_round()
    edits = [entry for entry in world.env.http_requests if entry.method == "PATCH"]
    assert len(edits) == 1


async def test_buttons_outside_the_staff_channel_do_nothing(world: World) -> None:
    await world.contact()
    card = world.card()
    world.bot.settings.discord_staff_channel_id = world.general.id
    done = await world.sam.click(card, label="Close")
    assert done.response.content == "Requests are answered in the staff channel only."
    assert world.requests()[0].closed_at is None


async def test_a_fault_of_ours_is_told_in_a_plain_sentence_and_logged(world: World, caplog) -> None:
    await world.contact()
    shown = await world.sam.click(world.card(), label="Answer")
    world.database.close()
    done = await world.sam.submit_modal(shown, {"text": "x"})
    assert done.response.content == "Something went wrong on our side. Please try again in a few minutes."
    assert "An interaction failed" in caplog.text


async def test_closed_direct_messages_turn_the_answer_into_an_e_mail(world: World) -> None:
    world.link(email="ada@example.com")
    await world.contact(kind="support")
    refuse_dms(world, 50007)
    await world.answer()
    by_discord, by_email = world.notices()
    assert (by_discord.status, by_discord.attempts) == (NoticeStatus.FAILED, 1)
    assert "50007" in by_discord.reason
    assert (by_email.channel, by_email.status) == (Channel.EMAIL, NoticeStatus.OWED)
    assert "on its way by e-mail" in world.card().content
    assert len(world.staff.history()) == 1


async def test_staff_are_told_when_an_answer_can_reach_nobody(world: World) -> None:
    await world.contact()
    refuse_dms(world, 50278)
    await world.answer()
    world.clock.advance(hours=2)
    await world.go_round()
    assert "could not be delivered: 403 Forbidden (error code: 50278)" in world.card().content
    _, complaint = world.staff.history()
    assert complaint.content.startswith("Answer 1 to request 1 could not be delivered")
    assert [notice.attempts for notice in world.notices()] == [1]


async def test_an_answer_to_someone_without_an_address_says_so(world: World) -> None:
    def open_one(session) -> Request:
        return requests.open_request(session, RequestKind.SUPPORT, subject="?", source="cli", now=world.clock())

    world.database.run(open_one)
    await world.go_round()
    done = await world.answer()
    assert done.response.content == "Your answer to request 1 goes out nowhere: no address known."
    assert "no address" in world.card().content
    assert [n.purpose for n in world.database.read(outbox.notices)] == [Purpose.REQUEST_ANSWERED]


async def test_an_answer_that_fails_before_the_channel_shows_it_is_told_aloud_too(world: World) -> None:
    refuse_dms(world, 50278)
    world.env.inject_error("PATCH", f"/channels/{world.staff.id}/messages/*", status=400, times=1)
    await world.contact()
    await world.answer()
    assert [notice.status for notice in world.notices()] == [NoticeStatus.FAILED]
    world.clock.advance(seconds=31)  # a part of the round rests for 30 after a fault
    await world.go_round()
    assert "could not be delivered" in world.card().content
    said = [message.content for message in world.staff.history() if not message.content.startswith("**Request")]
    assert said == ["Answer 1 to request 1 could not be delivered; the request's message says why."]


def refuse_dms(world: World, code: int) -> None:
    path = f"/channels/{world.alice.user.dm_channel.id}/messages"
    world.env.inject_error("POST", path, status=403, code=code, message="Cannot send messages to this user", times=None)


def _close(session, now) -> None:
    requests.close(session, requests.request(session, 1), now=now)


async def test_what_an_erased_person_wrote_leaves_the_staff_channel_too(world: World) -> None:
    world.link()
    await world.contact("My secret", "It is a zebra.", kind="support")
    assert "zebra" in world.card().content

    def erase(session) -> None:
        user = users.user(session, "ada")
        erasure.erase(session, user, cause=erasure.BY_STAFF, zone=world.bot.settings.zone, now=world.clock())

    world.database.run(erase)
    world.clock.advance(days=30)
    await world.go_round()
    assert world.card().content == "**Request 1** · support · closed\nWhat was written here was erased."
    assert world.requests()[0].staff_message_id == ""
    await world.go_round()
    assert len(world.cards()) == 1


# -- deadlines and refusals --------------------------------------------------------------------------------


async def test_a_claim_shows_when_it_is_due_and_that_nobody_has_proven_who_asks(world: World) -> None:
    world.bot.settings.request_regime = "gdpr-12"
    done = await world.contact()
    due = f"<t:{int(datetime(2026, 4, 2, 9, tzinfo=UTC).timestamp())}:f>"
    assert f"You get an answer by {due}." in done.response.content
    assert f"Due {due}, by gdpr-12\nNot proven yet that it was them" in world.card().content
    world.database.run(lambda s: identity.prove(s, requests.request(s, 1), by="a call", now=world.clock()))
    await world.go_round()
    assert f"Proven <t:{int(NOW.timestamp())}:f> that it was them" in world.card().content


async def test_staff_take_more_time_once_and_the_person_is_told_why(world: World) -> None:
    world.bot.settings.request_regime = "gdpr-12"
    await world.contact()
    shown, second = [await world.sam.click(world.card(), label="More time") for _ in range(2)]
    done = await world.sam.submit_modal(shown, {"text": "Three archives must be searched."})
    due = f"<t:{int(datetime(2026, 6, 2, 9, tzinfo=UTC).timestamp())}:f>"
    assert done.response.content == f"Request 1 is now due {due}; the person is told so, and why."
    await world.go_round()
    assert f"Due {due}, by gdpr-12, after more time was taken" in world.card().content
    assert "Three archives must be searched." in world.dms()[0]
    again = await world.sam.submit_modal(second, {"text": "And more."})
    assert "which is possible once" in again.response.content


async def test_staff_refuse_with_reasons_and_the_person_gets_them(world: World) -> None:
    await world.contact(kind="support")
    shown = await world.sam.click(world.card(), label="Refuse")
    done = await world.sam.submit_modal(shown, {"text": "It is *not* ours."})
    assert done.response.content == "Request 1 is refused and closed; the person is told why."
    await world.go_round()
    assert world.card().content.startswith("**Request 1** · support · refused")
    assert world.card().content.endswith("> It is \\*not\\* ours.")
    assert world.card().components == []
    assert "It is \\*not\\* ours." in world.dms()[0]


async def test_without_a_clock_there_is_no_more_time_to_take(world: World) -> None:
    await world.contact(kind="support")
    labels = [button.label for row in world.card().components for button in row.children]  # type: ignore[union-attr]
    assert labels == ["Answer", "Refuse", "Close"]
