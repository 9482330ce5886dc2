"""A user's opt-ins and opt-outs: nothing is overwritten, and the latest of a name counts."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from lifecycle import choices, history, users
from lifecycle.choices import ANALYTICS, PROMPT_LOGGING, choose, chosen
from lifecycle.db import Database
from lifecycle.errors import InvalidInput
from lifecycle.models import Choice
from tests.conftest import NOW
from tests.helpers import add_user


def test_who_never_chose_gets_the_default(sqlite: Database) -> None:
    def ask(session: Session) -> tuple[bool, bool]:
        user = add_user(session)
        return chosen(session, user, PROMPT_LOGGING), chosen(session, user, PROMPT_LOGGING, default=False)

    assert sqlite.run(ask) == (True, False)


def test_a_choice_is_one_users_and_about_one_thing(database: Database) -> None:
    def choose_one(session: Session) -> list[bool]:
        ada, bob = add_user(session, "ada"), add_user(session, "bob")
        choose(session, ada, PROMPT_LOGGING, False, source="discord", now=NOW)
        return [chosen(session, user, name) for user in (ada, bob) for name in (PROMPT_LOGGING, ANALYTICS)]

    assert database.run(choose_one) == [False, True, True, True]


def test_a_choice_says_where_it_was_made_and_stands_in_history(sqlite: Database) -> None:
    made = sqlite.run(lambda s: choose(s, add_user(s), ANALYTICS, False, source="web", now=NOW))
    assert (made.source, made.at) == ("web", NOW)
    [entry] = sqlite.read(history.of, "choice", made.id)
    assert (entry.actor, entry.verb) == ("user", "chose")


@given(st.lists(st.booleans(), max_size=8))
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_last_word_counts_and_only_changes_of_mind_are_kept(sqlite: Database, words: list[bool]) -> None:
    def say(session: Session) -> tuple[bool, list[bool]]:
        user = add_user(session, f"u{users.count(session)}")
        for word in words:
            choices.choose(session, user, ANALYTICS, word, source="web", now=NOW)
        kept = select(Choice.value).where(Choice.user_id == user.id).order_by(Choice.id)  # type: ignore[arg-type]
        return chosen(session, user, ANALYTICS), list(session.exec(kept))

    found, kept = sqlite.run(say)
    assert found is (words[-1] if words else True)
    assert kept == [word for before, word in zip([None, *words], words, strict=False) if word is not before]


@pytest.mark.parametrize("name", ["", "Analytics", "_x", "x_", "a__b", "ada@example.com", "a b", "ä", "x" * 51, "a\n"])
def test_a_name_that_could_hold_something_personal_is_refused(sqlite: Database, name: str) -> None:
    with pytest.raises(InvalidInput, match="needs a name such as"):
        sqlite.run(lambda s: choose(s, add_user(s), name, True, source="web", now=NOW))


def test_the_operator_may_have_choices_of_its_own(sqlite: Database) -> None:
    def choose_two(session: Session) -> dict[str, bool]:
        user = add_user(session)
        for value in (True, False):
            choose(session, user, "beta_2", value, source="web", now=NOW)
        return {name: choice.value for name, choice in choices.current(session, user).items()}

    assert sqlite.run(choose_two) == {"beta_2": False}
