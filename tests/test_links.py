"""Links in mails: whoever holds one answers for one user about one version, for half a year, and nothing else."""

import string
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from lifecycle.errors import InvalidInput
from lifecycle.links import answer_token, read_answer_token, version_url
from lifecycle.settings import Settings
from tests.helpers import DAY, NOW, TICK

MakeSettings = Callable[..., Settings]
SLOW_AND_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
ADDRESSABLE = string.ascii_letters + string.digits + "-_."


def test_a_token_names_the_user_and_the_version(make_settings: MakeSettings) -> None:
    settings = make_settings()
    assert read_answer_token(settings, answer_token(settings, 7, 3, now=NOW), now=NOW) == (7, 3)


def test_a_token_lasts_for_half_a_year(make_settings: MakeSettings) -> None:
    settings, token = make_settings(), answer_token(make_settings(), 7, 3, now=NOW)
    assert read_answer_token(settings, token, now=NOW + 180 * DAY - TICK) == (7, 3)
    with pytest.raises(InvalidInput, match=r"expired\. Ask for a new one: write to us"):
        read_answer_token(settings, token, now=NOW + 180 * DAY)


def test_a_token_of_another_operator_is_refused(make_settings: MakeSettings) -> None:
    token = answer_token(make_settings(secret_key="another"), 7, 3, now=NOW)
    with pytest.raises(InvalidInput, match="not valid"):
        read_answer_token(make_settings(), token, now=NOW)


def test_a_signature_made_for_another_purpose_is_refused(make_settings: MakeSettings) -> None:
    settings = make_settings()
    token = URLSafeSerializer(settings.signing_key, salt="another purpose").dumps([7, 3, 2**40])
    with pytest.raises(InvalidInput, match="not valid"):
        read_answer_token(settings, str(token), now=NOW)


@given(place=st.integers(0, 1000), shift=st.integers(1, len(ADDRESSABLE) - 1))
@hypothesis_settings(suppress_health_check=SLOW_AND_SHARED)
def test_a_token_with_any_character_changed_is_refused(make_settings: MakeSettings, place: int, shift: int) -> None:
    settings = make_settings()
    token = answer_token(settings, 7, 3, now=NOW)
    place %= len(token) - 1  # the last one holds bits that say nothing
    other = ADDRESSABLE[(ADDRESSABLE.index(token[place]) + shift) % len(ADDRESSABLE)]
    with pytest.raises(InvalidInput, match="not valid"):
        read_answer_token(settings, token[:place] + other + token[place + 1 :], now=NOW)


@given(token=st.text())
@hypothesis_settings(suppress_health_check=SLOW_AND_SHARED)
def test_any_other_text_is_refused_in_words(make_settings: MakeSettings, token: str) -> None:
    with pytest.raises(InvalidInput, match="Open it again from the mail, whole"):
        read_answer_token(make_settings(), token, now=NOW)


def test_the_page_of_a_version_has_one_address(make_settings: MakeSettings) -> None:
    settings = make_settings(public_url="https://legal.example/policies/")
    assert version_url(settings, "terms", 2) == "https://legal.example/policies/terms/2"
    in_german = version_url(settings, "terms", 2, locale="de", anchor="haftung")
    assert in_german == "https://legal.example/policies/terms/2?locale=de#haftung"


def test_a_token_fits_into_an_address_as_it_is(make_settings: MakeSettings) -> None:
    token = answer_token(make_settings(), 2**31, 2**31, now=NOW)
    assert set(token) <= set(ADDRESSABLE)
