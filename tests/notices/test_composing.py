"""A campaign's message, made once and spliced for each person, says what a full build says; and it is kept small."""

from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from lifecycle.db import Database
from lifecycle.errors import TemplateError
from lifecycle.models import Message, MessageForm, Notice, Version
from lifecycle.notices import composing, keeping, outbox, samples, to_many
from lifecycle.notices.claiming import claim
from lifecycle.notices.rendering import Renderer, renderer
from lifecycle.states import Purpose
from tests.conftest import NOW
from tests.helpers import add_user, published_terms
from tests.notices.test_compose import HOSTILE, require_lines_of_mail
from tests.notices.test_rendering import TEMPLATES, turns

OURS: dict[str, Any] = {"sender": "Acme Legal <legal@acme.example>"}
BULK_BYTES = 600


def parts(data: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """All that a reader gets of the message: its headers, in whatever order, and the content of its parts."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    content = [part.get_content() for part in message.iter_parts()]
    return sorted((name, str(value)) for name, value in message.items()), content


def spliced(purpose: Purpose, values: Mapping[str, Any], locale: str, **facts: Any) -> tuple[bytes, bytes]:
    """The message of a form, and the full build of the same."""
    own = to_many.own(purpose, values)
    made = composing.form(renderer(), purpose, values, own=own, locale=locale, **OURS).fill(values, **facts).message
    full = composing.compose(renderer().render(purpose, values, locale=locale), **OURS, **facts)
    return made, full


own_values = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join), st.text("=_. \r\n\tzqv0<&ä—")
)
addresses = st.one_of(
    st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9-]{1,20}\.example", fullmatch=True),
    st.sampled_from(["a@b", "x" * 64 + "@example.com", "jörg@bücher.example", '"a b"@example.com', "a..b@example.com"]),
    st.text(max_size=30),
)
REPLY_TO = "desk@acme.example"
plain_facts: dict[str, Any] = {
    "to": "ada@example.com",
    "reply_to": "desk@acme.example",
    "message_id": "<1@acme.example>",
    "date": NOW,
}


@settings(max_examples=40)
@given(
    purpose=st.sampled_from(sorted(to_many.TO_MANY)),
    locale=st.sampled_from(["de", "en"]),
    nth=st.integers(0, 9),
    who=own_values,
    url=own_values,
    due=own_values,
    to=addresses,
    reply_to=st.sampled_from(["", REPLY_TO, "Das Büro für Beschwerden und Anträge <desk@acme.example>"]),
)
def test_a_spliced_message_reads_as_a_full_build_whoever_it_is_for(
    purpose, locale, nth, who, url, due, to, reply_to
) -> None:
    given_turns = list(turns(purpose))
    values = given_turns[nth % len(given_turns)] | {"external_id": who, "answer_url": url, "due_on": due}
    facts = {**plain_facts, "to": to, "reply_to": reply_to}
    try:
        made, full = spliced(purpose, values, locale, **facts)
    except TemplateError:
        with pytest.raises(TemplateError):
            composing.compose(renderer().render(purpose, values, locale=locale), **OURS, **facts)
        return
    assert parts(made) == parts(full)
    require_lines_of_mail(made)


as_they_are = st.from_regex(r"[A-Za-z0-9:/@_.+-]{1,90}", fullmatch=True)


@settings(max_examples=60)
@given(who=as_they_are, url=as_they_are, other=st.randoms(use_true_random=False), due=own_values)
def test_values_of_the_same_lengths_share_a_mould_and_read_as_a_full_build(who, url, other, due) -> None:
    """Whatever their characters: the second of them is poured into what was cast for the first."""
    values = samples.sample(Purpose.VERSION_PUBLISHED) | {"due_on": due}
    for _ in range(2):
        own = values | {"external_id": who, "answer_url": url}
        written = composing.form(
            renderer(),
            Purpose.VERSION_PUBLISHED,
            own,
            own=to_many.own(Purpose.VERSION_PUBLISHED, own),
            locale="en",
            **OURS,
        ).fill(own, **plain_facts)
        full = composing.compose(renderer().render(Purpose.VERSION_PUBLISHED, own, locale="en"), **OURS, **plain_facts)
        assert parts(written.message) == parts(full)
        assert written.dotted or b"\n." not in written.message
        who, url = ("".join(other.sample(text, len(text))) for text in (who, url))


def test_one_form_serves_all_who_differ_only_in_what_is_their_own() -> None:
    values = samples.sample(Purpose.VERSION_PUBLISHED)
    own = to_many.own(Purpose.VERSION_PUBLISHED, values)
    forms = [
        composing.form(
            renderer(), Purpose.VERSION_PUBLISHED, values | {"external_id": name}, own=own, locale="en", **OURS
        )
        for name in ("ada", "bob")
    ]
    assert forms[0] is forms[1]
    other = composing.form(
        renderer(), Purpose.VERSION_PUBLISHED, values | {"document": "Privacy"}, own=own, locale="en", **OURS
    )
    assert other is not forms[0]


def test_what_is_kept_for_all_holds_nothing_of_anybody() -> None:
    values = samples.sample(Purpose.VERSION_PUBLISHED) | {"external_id": "user-ada", "answer_url": "https://x/secret"}
    own = to_many.own(Purpose.VERSION_PUBLISHED, values)
    form = composing.form(renderer(), Purpose.VERSION_PUBLISHED, values, own=own, locale="en", **OURS)
    form.fill(values, **plain_facts)
    assert not any(piece in form.common for piece in (b"user-ada", b"secret", b"ada@example.com"))


@pytest.mark.parametrize("used", ["{% if external_id == 'x' %}{% endif %}", "{{ external_id|upper }}"])
def test_a_template_that_does_more_than_show_a_persons_own_value_is_refused(used: str, tmp_path, monkeypatch) -> None:
    source = (TEMPLATES / "email" / "en" / "version_published.md").read_text("utf-8")
    changed = Renderer()
    monkeypatch.setattr(changed._jinja, "loader", _with(changed, "email/en/version_published.md", source + used))
    values = samples.sample(Purpose.VERSION_PUBLISHED)
    with pytest.raises(TemplateError, match="external_id"):
        changed.draft(Purpose.VERSION_PUBLISHED, values, locale="en", own={"external_id"})


def _with(changed: Renderer, name: str, source: str) -> Any:
    from jinja2 import ChoiceLoader, DictLoader

    return ChoiceLoader([DictLoader({name: source}), changed._jinja.loader])  # type: ignore[list-item]


def test_the_messages_of_a_campaign_take_little_room_and_come_back_byte_for_byte(
    database: Database, make_settings
) -> None:
    def world(session: Session) -> None:
        published_terms(session)
        version = session.exec(select(Version)).one()
        for n in range(60):
            user = add_user(session, f"user-{n:06d}", locale="en")
            thing = f"version:{version.id}"
            outbox.owe(session, Purpose.VERSION_PUBLISHED, thing, user=user, version_id=version.id, now=NOW)

    database.run(world)
    taken = database.run(claim, limit=60, settings=make_settings(), now=NOW)

    def kept(session: Session) -> tuple[list[bytes | None], list[int], int]:
        notices = session.exec(select(Notice).order_by(col(Notice.id))).all()
        exact = [keeping.message(session, notice.id) for notice in notices]
        return (
            exact,
            [len(row.content) for row in session.exec(select(Message))],
            len(session.exec(select(MessageForm)).all()),
        )

    exact, sizes, forms = database.read(kept)
    assert exact == [handover.message for handover in sorted(taken, key=lambda handover: handover.notice_id)]
    assert min(len(handover.message) for handover in taken) > 3000
    assert sum(sizes) / len(sizes) <= BULK_BYTES
    assert forms == 1
