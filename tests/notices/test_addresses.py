"""Signed addresses: each names its notice, and nobody can make one up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.errors import ConfigurationError
from lifecycle.notices import addresses
from lifecycle.notices.addresses import Post
from lifecycle.settings import load_settings

SETTINGS = load_settings(mail_from="Acme <legal@acme.example>", secret_key="k", inbox_address="assent@in.acme.example")
SILENT = load_settings(mail_from="Acme <legal@acme.example>", secret_key="k")


@settings(max_examples=30)
@given(st.integers(1, 10**15))
def test_an_address_of_ours_is_read_back_in_any_case_and_fits_a_mailbox_name(notice_id: int) -> None:
    for make, post in ((addresses.return_path, Post.BOUNCE), (addresses.reply_to, Post.REPLY)):
        address = make(SETTINGS, notice_id)
        assert addresses.read(SETTINGS, address) == addresses.read(SETTINGS, address.upper()) == (post, notice_id)
        assert len(address.rpartition("@")[0]) <= 64  # RFC 5321, 4.5.3.1.1


@settings(max_examples=50)
@given(st.integers(1, 10**6), st.integers(0, 60), st.sampled_from("abz27+-@.1"))
def test_no_address_with_another_letter_is_ours(notice_id: int, place: int, letter: str) -> None:
    address = addresses.return_path(SETTINGS, notice_id)
    place %= len(address)
    forged = address[:place] + letter + address[place + 1 :]
    assert addresses.read(SETTINGS, forged) in {None, (Post.BOUNCE, notice_id) if forged == address else None}


def test_one_kind_of_address_is_not_taken_for_the_other_nor_one_installations_for_anothers() -> None:
    address = addresses.return_path(SETTINGS, 7)
    assert addresses.read(SETTINGS, address.replace("+b7-", "+r7-")) is None
    assert addresses.read(SETTINGS, address.replace("+b7-", "+b8-")) is None
    assert addresses.read(load_settings(secret_key="other", inbox_address=SETTINGS.inbox_address), address) is None


def test_without_an_inbox_mail_leaves_as_the_sender_and_replies_go_there() -> None:
    assert addresses.return_path(SILENT, 7) == "legal@acme.example"
    assert addresses.reply_to(SILENT, 7) == ""
    assert addresses.read(SILENT, addresses.return_path(SETTINGS, 7)) is None


def test_the_operators_own_reply_address_comes_first() -> None:
    theirs = SETTINGS.model_copy(update={"reply_to": "help@acme.example"})
    assert addresses.reply_to(theirs, 7) == "help@acme.example"


def test_an_address_is_found_in_a_header_among_others() -> None:
    address = addresses.return_path(SETTINGS, 7)
    assert addresses.find(SETTINGS, f'"Assent, +b7" <{address}>, other@acme.example') == (Post.BOUNCE, 7)
    assert addresses.find(SETTINGS, "other@acme.example") is None


def test_a_message_id_names_its_notice() -> None:
    message_id = addresses.message_id(SETTINGS, 7, "reinstated/termination:1/1/email")
    assert addresses.notice_of(message_id) == 7
    assert addresses.notice_of("<7@acme.example>") is None


@pytest.mark.parametrize("wrong", ["assent", "a b@acme.example", "Acme <a@acme.example>", "a+b@acme.example", "@x"])
def test_an_inbox_that_is_no_plain_address_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="ASSENT_INBOX_ADDRESS is not a plain address"):
        load_settings(inbox_address=wrong)


@pytest.mark.parametrize("wrong", ["127.0.0.1:8724", "http://127.0.0.1:1", "lmtp://127.0.0.1", "lmtp://h:99999"])
def test_a_listener_that_names_no_protocol_host_and_port_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="ASSENT_INBOX_LISTEN must be lmtp:// or smtp://"):
        load_settings(inbox_address="assent@in.acme.example", inbox_listen=wrong)


def test_a_listener_without_an_address_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="ASSENT_INBOX_LISTEN needs ASSENT_INBOX_ADDRESS"):
        load_settings(inbox_listen="lmtp://127.0.0.1:8724")
