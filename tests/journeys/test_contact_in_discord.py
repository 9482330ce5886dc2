"""“Ask us anything in our Discord server”: the policy's own words first, then a person, then an answer."""

from sqlmodel import Session

from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.states import DocumentKind, Mode
from tests.conftest import NOW
from tests.discord.conftest import World, clock, simcord_bot, world  # noqa: F401
from tests.helpers import ZONE
from tests.journeys.conftest import POLICY


def publish_policy(session: Session) -> None:
    document = store.create_document(session, "policy", title="Policy", kind=DocumentKind.PRIVACY, now=NOW)
    version = store.draft_version(session, document, {"en": POLICY}, now=NOW)
    publish(session, version, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)


async def test_ask_us_anything_in_our_discord_server(world: World) -> None:  # noqa: F811
    world.database.run(publish_policy)
    world.link(email="ada@example.com")
    shown = await world.alice.slash(world.general, "policy ask", question="How can I have my prompts deleted?")
    assert "Write to support to have your prompts deleted" in shown.response.content
    done = await world.contact("My prompts", "Please delete them.", kind="support")
    assert "number **1**" in done.response.content
    await world.answer("They are gone.")
    assert any("They are gone." in message for message in world.dms())


async def test_the_logging_of_prompts_is_switched_off_there_too(world: World) -> None:  # noqa: F811
    world.link()
    done = await world.alice.slash(world.general, "account logging", setting="off")
    assert "Prompt logging is off" in done.response.content
