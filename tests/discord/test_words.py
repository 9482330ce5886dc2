"""The bot's own sentences: the same in every language, and short enough for where Discord shows them."""

import string
from typing import Any

import discord
import pytest
from discord.app_commands import locale_str

from bots.discord.client import Bot
from bots.discord.words import EN, WORDS, Translator, say
from tests.discord.conftest import World


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", WORDS)
def test_every_language_says_everything_with_the_same_facts(language: str) -> None:
    assert {key: places(text) for key, text in WORDS[language].items()} == {k: places(text) for k, text in EN.items()}


def test_a_language_not_spoken_is_answered_in_english():
    assert say("pt-BR", "unbound") == say("en-US", "unbound") == EN["unbound"]
    assert say("de", "unbound") == "Keine Version davon gilt für Sie."


async def test_commands_are_listed_in_german_too_under_the_same_names(simcord_bot: Bot) -> None:
    await simcord_bot.tree.set_translator(Translator())
    for command in simcord_bot.tree.get_commands():
        payload = await command.get_translated_payload(simcord_bot.tree, Translator())
        check(payload)


def check(payload: dict[str, object]) -> None:
    """Each description in German, and no name; Discord takes at most 100 characters."""
    assert "description_localizations" in payload or "value" in payload
    german = dict(payload.get("description_localizations", {}))  # type: ignore[call-overload]
    assert all(0 < len(text) <= 100 for text in german.values())
    assert "value" in payload or not payload.get("name_localizations")
    for key in ("options", "choices"):
        for inner in payload.get(key, []):  # type: ignore[attr-defined]
            if key == "options" or inner["value"] not in {"on", "off"}:
                check(inner)


async def test_only_german_is_given_beside_english():
    translate = Translator().translate
    context: object = None
    assert await translate(locale_str(EN["ask"]), discord.Locale.german, context) == WORDS["de"]["ask"]  # type: ignore[arg-type]
    assert await translate(locale_str(EN["ask"]), discord.Locale.french, context) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("language", WORDS)
def test_labels_and_titles_fit_where_discord_shows_them(language: str) -> None:
    words = WORDS[language]
    assert all(len(words[key]) <= 45 for key in words if key.startswith("kind.") or key in {"person", "form.subject"})
    assert all(len(words[key]) <= 100 for key in words if key.endswith(".hint"))


async def test_a_german_discord_is_spoken_to_in_german(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Any = discord.Interaction._from_data
    monkeypatch.setattr(discord.Interaction, "_from_data", lambda self, data: read(self, data | {"locale": "de"}))
    status = await world.alice.slash(world.general, "policy status")
    assert status.response.content == say("de", "not_linked", operator="Acme")
    done = await world.contact()
    assert done.response.content.startswith("Ihr Anliegen hat die Nummer **1**.")
