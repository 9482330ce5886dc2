"""What a hand-over comes to, whatever the relay does: the message is there, is not, or may be; and in whose words."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lifecycle.notices.smtp import Relay
from lifecycle.settings import Settings
from lifecycle.states import AttemptOutcome
from tests.notices.scripted import DROP, STALL, Answer, Fault, ScriptedRelay, scripted

DEFERRED, FAILED, UNKNOWN, SENT = (AttemptOutcome(name) for name in ("deferred", "failed", "unknown", "sent"))
SENDER, ADA = "legal@acme.example", "ada@example.com"
MAIL = b"From: legal@acme.example\r\nTo: ada@example.com\r\nMessage-ID: <1@acme.example>\r\n\r\nHello.\r\n"
BIG = MAIL + b"All is as it was.\r\n" * 20_000

Connect = Callable[..., Relay]


@pytest.fixture
def connect(make_settings: Callable[..., Settings]) -> Connect:
    """A client of the relay."""

    def make(relay: ScriptedRelay, url: str = "", **facts: Any) -> Relay:
        return Relay(make_settings(smtp_url=url or relay.url, **facts))

    return make


# -- one fault, one honest word -------------------------------------------------------------------------------------


@dataclass
class Case:
    """A fault at a step, and what the hand-over comes to. Where a reply code is due, it is that of the last line."""

    step: str
    answers: tuple[Answer, ...]
    outcome: AttemptOutcome
    facts: dict[str, Any]

    @property
    def words(self) -> tuple[int | None, str]:
        """The code and the text of the last refusal."""
        said = [answer for answer in self.answers if isinstance(answer, str) and answer[:1] in {"4", "5"}]
        return (int(said[-1][:3]), said[-1][4:]) if said else (None, "")


def on(step: str, *answers: Answer, is_: AttemptOutcome, **facts: Any) -> Any:
    """One row."""
    name = "-".join(str(answer.name if isinstance(answer, type(DROP)) else answer)[:14] for answer in answers)
    return pytest.param(Case(step, answers, is_, facts), id=f"{step}: {name}")


LOGIN: dict[str, Any] = {"credentials": ("acme", "p@ss:word/")}
FAULTS = [
    on("connect", "421 4.3.2 too many connections", is_=DEFERRED),
    on("connect", "421 4.3.2 shutting down", DROP, is_=DEFERRED),
    on("connect", "554 5.3.2 not from your address", is_=DEFERRED),
    on("connect", "250 not a greeting", is_=DEFERRED),
    on("connect", "SSH-2.0-OpenSSH", is_=DEFERRED),
    on("connect", DROP, is_=DEFERRED),
    on("connect", STALL, is_=DEFERRED),
    on("EHLO", "421 4.3.2 shutting down", DROP, is_=DEFERRED),
    on("EHLO", "502 5.5.1 unknown command", is_=SENT),
    on("EHLO", DROP, is_=DEFERRED),
    on("EHLO", STALL, is_=DEFERRED),
    on("STARTTLS", "454 4.7.0 no TLS now", is_=DEFERRED, starttls=True),
    on("STARTTLS", "501 5.5.4 no TLS for you", is_=DEFERRED, starttls=True),
    on("STARTTLS", "220 2.0.0 go on", b"this is no TLS", DROP, is_=DEFERRED, starttls=True),
    on("STARTTLS", "220 2.0.0 go on", DROP, is_=DEFERRED, starttls=True),
    on("STARTTLS", "220 2.0.0 go on", STALL, is_=DEFERRED, starttls=True),
    on("AUTH", "454 4.7.0 no directory now", is_=DEFERRED, **LOGIN),
    on("AUTH", "535 5.7.8 the password has expired", is_=DEFERRED, **LOGIN),
    on("AUTH", DROP, is_=DEFERRED, **LOGIN),
    on("MAIL", "451 4.3.0 try later", is_=DEFERRED),
    on("MAIL", "550 5.7.1 not this sender", is_=DEFERRED),
    on("MAIL", "552 5.3.4 message too big", is_=FAILED),
    on("MAIL", "421 4.3.2 shutting down", DROP, is_=DEFERRED),
    on("MAIL", "what?", is_=DEFERRED),
    on("MAIL", DROP, is_=DEFERRED),
    on("MAIL", STALL, is_=DEFERRED),
    on("RCPT", "450 4.2.1 greylisted", is_=DEFERRED),
    on("RCPT", "550 5.1.1 no such mailbox", is_=FAILED),
    on("RCPT", "552 5.2.2 mailbox full", is_=FAILED),
    on("RCPT", "421 4.7.0 too many recipients", DROP, is_=DEFERRED),
    on("RCPT", DROP, is_=DEFERRED),
    on("RCPT", STALL, is_=DEFERRED),
    on("DATA", "451 4.3.0 no room now", is_=DEFERRED),
    on("DATA", "554 5.5.1 no valid recipients", is_=FAILED),
    on("DATA", DROP, is_=DEFERRED),
    on("DATA", STALL, is_=DEFERRED),
    on("body", DROP, is_=UNKNOWN),
    on("body", STALL, is_=UNKNOWN),
    on("message", "451 4.3.0 the disk is full", is_=DEFERRED),
    on("message", "552 5.3.4 message too big", is_=FAILED),
    on("message", "554 5.7.1 looks like spam", is_=FAILED),
    on("message", "421 4.3.2 shutting down", DROP, is_=DEFERRED),
    on("message", DROP, is_=UNKNOWN),
    on("message", STALL, is_=UNKNOWN),
    on("kept", DROP, is_=UNKNOWN),
    on("kept", STALL, is_=UNKNOWN),
    on("kept", "thanks", is_=UNKNOWN),
    on("kept", b"250", DROP, is_=UNKNOWN),
    on("kept", b"250-2.0.0 kept\r\n", DROP, is_=UNKNOWN),
]


@pytest.mark.parametrize("pipelining", [True, False], ids=["in a pipeline", "one by one"])
@pytest.mark.parametrize("case", FAULTS)
async def test_each_fault_has_one_honest_outcome_and_harms_no_later_message(
    connect: Connect, case: Case, pipelining: bool
) -> None:
    """`deferred` and `failed` promise that the relay does not have the message, `sent` that it has."""
    async with scripted(Fault(case.step, *case.answers), pipelining=pipelining, **case.facts) as relay:
        user = "acme:p%40ss%3Aword%2F@" if case.facts.get("credentials") else ""
        patience = 0.2 if STALL in case.answers else 10.0
        url = relay.url.replace("//", f"//{user}")
        client = connect(relay, url, smtp_timeout_seconds=patience)
        reply = await client.send(SENDER, ADA, BIG)
        assert reply.outcome is case.outcome
        assert reply.outcome is UNKNOWN or len(relay.kept) == (reply.outcome is SENT)
        if reply.outcome is not SENT:
            code, text = case.words
            assert (reply.code, reply.text) == (code, text or reply.text)
            assert reply.text != ""
        if not relay.starttls:  # which it offers, but never speaks
            assert (await client.send(SENDER, "bob@example.com", MAIL)).outcome is SENT
            assert [kept.message for kept in relay.copies("bob@example.com")] == [MAIL]
        await client.close()


async def test_where_nobody_listens_the_message_is_put_off(connect: Connect) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        reply = await connect(ScriptedRelay(port=unheard.getsockname()[1])).send(SENDER, ADA, MAIL)
    assert (reply.outcome, reply.code) == (DEFERRED, None)
    assert reply.text != ""


# -- the relay's own words -----------------------------------------------------------------------------------------


async def test_the_relays_words_are_kept_line_by_line(connect: Connect) -> None:
    async with scripted(Fault("RCPT", "550-5.1.1 no such mailbox\r\n550 5.1.1 see https://relay.example/511")) as relay:
        reply = await connect(relay).send(SENDER, ADA, MAIL)
    assert (reply.code, reply.text) == (550, "5.1.1 no such mailbox\n5.1.1 see https://relay.example/511")


@pytest.mark.parametrize("said", [b"550 5.1.1 Empf\xe4nger unbekannt\r\n", b"550 5.1.1 no such \0 mailbox\r\n"])
async def test_words_in_any_bytes_can_be_written_down(connect: Connect, said: bytes) -> None:
    async with scripted(Fault("RCPT", said)) as relay:
        reply = await connect(relay).send(SENDER, ADA, MAIL)
    assert reply.outcome is FAILED
    assert reply.text.startswith("5.1.1 ")
    assert "\0" not in reply.text.encode().decode()


# -- the message ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b".\r\n", b"..\r\n.\r\n", b".a\r\n..b\r\n\r\n.\r\n", b"x" * 998 + b"\r\n", "Grüße\r\n".encode()],
    ids=["empty", "a dot", "dots", "lines that begin with dots", "a long line", "utf-8"],
)
async def test_a_message_arrives_byte_for_byte(connect: Connect, body: bytes) -> None:
    async with scripted() as relay:
        assert (await connect(relay).send(SENDER, ADA, MAIL + body)).outcome is SENT
    assert [(kept.sender, kept.to, kept.message) for kept in relay.kept] == [(SENDER, ADA, MAIL + body)]


@pytest.mark.parametrize(("room", "outcome"), [(len(MAIL), SENT), (len(MAIL) - 1, FAILED)])
async def test_a_message_beyond_the_announced_size_fails(connect: Connect, room: int, outcome: AttemptOutcome) -> None:
    async with scripted(size=room) as relay:
        reply = await connect(relay).send(SENDER, ADA, MAIL)
    assert (reply.outcome, reply.code) == (outcome, 250 if outcome is SENT else 552)


@pytest.mark.parametrize(
    ("sender", "address"),
    [(SENDER, "jörg@example.com"), (SENDER, "ada@müller.example"), ("notices@müller.example", ADA)],
)
async def test_an_address_beyond_ascii_is_reached(connect: Connect, sender: str, address: str) -> None:
    async with scripted() as relay:
        assert (await connect(relay).send(sender, address, MAIL)).outcome is SENT
    assert [(kept.sender, kept.to) for kept in relay.kept] == [(sender, address)]


async def test_an_address_beyond_ascii_fails_at_a_relay_that_takes_none(connect: Connect) -> None:
    async with scripted(smtputf8=False) as relay:
        client = connect(relay)
        assert (await client.send(SENDER, "jörg@example.com", MAIL)).outcome is FAILED
        assert (await client.send(SENDER, ADA, MAIL)).outcome is SENT


# -- who may send, and over what line ------------------------------------------------------------------------------


async def test_the_operators_credentials_open_the_relay(connect: Connect) -> None:
    async with scripted(**LOGIN) as relay:
        url = relay.url.replace("//", "//acme:p%40ss%3Aword%2F@")
        assert (await connect(relay, url).send(SENDER, ADA, MAIL)).outcome is SENT


@pytest.mark.parametrize(("user", "code"), [("", 530), ("acme:wrong@", 535)])
async def test_without_the_right_credentials_nothing_is_sent_and_the_relay_says_why(
    connect: Connect, user: str, code: int
) -> None:
    async with scripted(**LOGIN) as relay:
        client = connect(relay, relay.url.replace("//", f"//{user}"))
        assert (await client.send(SENDER, ADA, MAIL)).code == code
    assert relay.kept == []


async def test_a_relay_that_must_speak_tls_and_does_not_hears_no_message(connect: Connect) -> None:
    async with scripted() as relay:
        reply = await connect(relay, relay.url.replace("smtp:", "smtp+starttls:")).send(SENDER, ADA, MAIL)
        assert (reply.outcome, reply.code) == (DEFERRED, None)
        assert relay.commands["MAIL"] == 0


# -- the pool ------------------------------------------------------------------------------------------------------


async def test_one_connection_serves_many_messages_in_turn(connect: Connect) -> None:
    async with scripted(Fault("RCPT", "550 5.1.1 no such mailbox", to="u3@example.com")) as relay:
        client = connect(relay)
        replies = [await client.send(SENDER, f"u{n}@example.com", MAIL) for n in range(6)]
    assert [reply.outcome for reply in replies] == [SENT, SENT, SENT, FAILED, SENT, SENT]
    assert relay.connections == 1


async def test_an_answer_that_came_while_the_sender_was_held_up_is_no_silence(connect: Connect) -> None:
    """uvloop looks at its timers before its sockets."""
    uvloop = pytest.importorskip("uvloop")

    async def held_up(client: Relay) -> AttemptOutcome:
        await client.send(SENDER, ADA, MAIL)
        sending = asyncio.create_task(client.send(SENDER, ADA, MAIL))
        await asyncio.sleep(0)
        time.sleep(1.5)  # noqa: ASYNC251  (as when it waits for the database)
        reply = await sending
        await client.close()
        return reply.outcome

    def in_a_loop_of_its_own(client: Relay) -> AttemptOutcome:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(held_up(client))

    async with scripted() as relay:
        assert await asyncio.to_thread(in_a_loop_of_its_own, connect(relay, smtp_timeout_seconds=1)) is SENT
        assert relay.connections == 1


async def test_messages_sent_at_once_all_arrive_once(connect: Connect) -> None:
    everyone = [f"u{n}@example.com" for n in range(30)]
    async with scripted() as relay:
        client = connect(relay)
        replies = await asyncio.gather(*(client.send(SENDER, who, MAIL) for who in everyone))
        assert {reply.outcome for reply in replies} == {SENT}
        assert sorted(kept.to for kept in relay.kept) == sorted(everyone)


async def test_a_connection_closed_while_idle_costs_no_try(connect: Connect) -> None:
    async with scripted() as relay:
        client = connect(relay)
        await asyncio.gather(*(client.send(SENDER, ADA, MAIL) for _ in range(3)))
        await relay.hang_up()
        assert [(await client.send(SENDER, ADA, MAIL)).outcome for _ in range(3)] == [SENT] * 3
    assert len(relay.kept) == 6


async def test_a_relay_that_will_not_forget_a_refused_message_is_left(connect: Connect) -> None:
    refusals = Fault("RCPT", "450 4.2.1 greylisted"), Fault("RSET", "421 4.3.2 shutting down", DROP)
    async with scripted(*refusals) as relay:
        client = connect(relay)
        assert [(await client.send(SENDER, ADA, MAIL)).outcome for _ in range(2)] == [DEFERRED, SENT]


async def test_the_pool_says_goodbye_and_never_waits_for_an_answer(connect: Connect) -> None:
    async with scripted(Fault("QUIT", STALL), Fault("QUIT", DROP)) as relay:
        client = connect(relay, smtp_timeout_seconds=0.2)
        await asyncio.gather(*(client.send(SENDER, ADA, MAIL) for _ in range(3)))
        await client.close()
        assert relay.commands["QUIT"] == relay.connections


# -- asking without sending ----------------------------------------------------------------------------------------


async def test_the_operator_learns_why_the_relay_cannot_be_used(connect: Connect) -> None:
    async with scripted(Fault("connect", "554 5.3.2 not from your address")) as relay:
        client = connect(relay)
        assert [await client.refusal(), await client.refusal()] == ["5.3.2 not from your address", ""]
    assert relay.kept == []
