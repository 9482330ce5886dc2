"""The acts of the demo's story, each a thing that people do and what Assent makes of it."""

import asyncio
import re
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rich.table import Table
from sqlmodel import Session, col, select

from lifecycle import activity, clauses, history, requests, terminations, user_files, users
from lifecycle.answers import answering
from lifecycle.demo.stage import Stage
from lifecycle.documents import importing, publishing, store
from lifecycle.documents.publishing import Publication
from lifecycle.errors import AssentError
from lifecycle.models import Notice, Version
from lifecycle.notices import keeping, outbox
from lifecycle.states import Channel, Initiator, Mode, NoticeStatus, Purpose, RequestKind

HERE = Path(__file__).parent


async def texts_become_versions(stage: Stage) -> None:
    report = importing.import_path(stage.app.database, HERE / "texts", zone=stage.zone, now=stage.now())
    stage.say(f"{len(report.added)} files in English and German became versions; a second import adds nothing.")
    table = Table("Document", "In force", "Draft", "SHA-256 of the English text", box=None)
    for row in await stage.do(_shelf(stage.now())):
        table.add_row(*row)
    stage.console.print(table)


async def people_come_over(stage: Stage) -> None:
    report = user_files.import_users(stage.app.database, HERE / "people.ndjson", zone=stage.zone, now=stage.now())
    stage.say(f"{report.added} people came over from an older system, each with the versions that bound them there.")
    stage.say(f"So {await stage.bound('anna', 'privacy-policy')}: labelled as taken over, not as accepted.")


async def a_policy_changes(stage: Stage) -> None:
    publication = Publication(Mode.CONTINUED_USE, effective_at=stage.now() + timedelta(seconds=1.5))
    rehearsal = await stage.do(_rehearse(stage, "privacy-policy", publication))
    stage.say(
        f"Rehearsal: {rehearsal.by_email} by e-mail, {rehearsal.by_discord} over Discord, "
        f"{rehearsal.unreachable} cannot be reached."
    )
    # A rehearsal may take longer than that, and what comes into force cannot do so in the past.
    publication = Publication(Mode.CONTINUED_USE, effective_at=stage.now() + timedelta(seconds=1.5))
    await stage.do(_publish(stage, "privacy-policy", publication))
    await stage.do(_publish(stage, "acceptable-use", Publication(Mode.NOTICE)))
    await stage.all_sent()
    first = stage.mailbox.mails[0]
    stage.say(f"Published. {len(stage.mailbox.mails)} mails have left, such as [italic]{first.subject}[/].")
    in_force = publication.effective_at or stage.now()
    await stage.until("the version to come in force", lambda: stage.now() > in_force)


async def one_keeps_using_it(stage: Stage) -> None:
    now = stage.now()
    await stage.do(lambda s: activity.record(s, [("anna", now)], now=now))
    stage.say(f"Anna was told and then used the service, so {await stage.bound('anna', 'privacy-policy')}.")
    stage.say(f"Ben was told but has not come back, so {await stage.bound('ben', 'privacy-policy')}.")
    stage.say(f"Wim has no address and could not be told: {await stage.bound('wim', 'privacy-policy')}.")


async def one_accepts_one_declines(stage: Stage) -> None:
    publication = Publication(Mode.EXPLICIT, deadline_days=14)
    await stage.do(_publish(stage, "terms", publication))
    for name, choice in (("carla", "accept"), ("dora", "decline")):
        link = re.search(r"http\S+/answer/\S+", (await stage.mail(name, "Terms")).part("plain"))
        assert link is not None, "the mail about an explicit version carries the link to answer"
        await asyncio.to_thread(_answer, link[0].rstrip(".)"), choice)
        found = next(d for d in (await stage.standing(name)).documents if d.slug == "terms")
        stage.say(f"{name.title()} followed her link to {choice}: [bold]{found.decision}[/], {found.why}")


async def an_account_is_terminated(stage: Stage) -> None:
    notice_at = stage.now() + timedelta(seconds=1.5)
    effective_at = notice_at + timedelta(seconds=1.5)
    cause = terminations.Cause(
        Initiator.PROVIDER,
        "Access was sold on to third parties.",
        grounds=[("acceptable-use", "2.3")],
        facts="One API key of this account was used from 214 networks within a day.",
        redress="Answer this mail within 30 days; a person who did not take this decision will look at it.",
    )
    ended = await stage.do(
        lambda s: terminations.terminate(
            s,
            users.user(s, "mallory"),
            cause,
            notice_at=notice_at,
            effective_at=effective_at,
            zone=stage.zone,
            now=stage.now(),
        )
    )
    stage.say(f"Decided. The notice is due at {notice_at:%H:%M:%S.%f} UTC; until then Mallory may go on.")
    mail = await stage.until_notice("mallory", Purpose.TERMINATION_NOTICE, ended.id)
    late = (mail.at - notice_at).total_seconds() * 1000
    stage.say(f"The notice left {late:.0f} ms after its instant: [italic]{mail.subject}[/].")
    before = await stage.standing("mallory")
    stage.say(f"Told, but not ended yet: [bold]{before.decision}[/]. {before.why}")
    await stage.until_notice("mallory", Purpose.TERMINATION_EFFECTIVE, ended.id)
    after = await stage.standing("mallory")
    stage.say(f"Now it is in effect: [bold]{after.decision}[/]. {after.why}")
    surviving = await stage.do(lambda s: clauses.surviving(s, users.user(s, "mallory"), at=ended.decided_at))
    stage.say(
        "What survives: " + "; ".join(f"{c.slug} {c.version}, section {c.number} {c.title}" for c in surviving) + "."
    )


async def a_mistake_is_undone(stage: Stage) -> None:
    cause = terminations.Cause(
        Initiator.PROVIDER, "Automated sign-ups.", grounds=[("acceptable-use", "2.3")], automated=True
    )
    ended = await stage.do(
        lambda s: terminations.terminate(
            s, users.user(s, "nadia"), cause, notice_days=30, zone=stage.zone, now=stage.now()
        )
    )
    await stage.until_notice("nadia", Purpose.TERMINATION_NOTICE, ended.id)
    await stage.do(
        lambda s: terminations.rescind(
            s,
            terminations.termination(s, ended.id),
            reason="It was another account; we are sorry.",
            now=stage.now(),
        )
    )
    mail = await stage.until_notice("nadia", Purpose.TERMINATION_RESCINDED, ended.id)
    stage.say(f"Nadia's termination was a mistake, rescinded before its effect: [italic]{mail.subject}[/].")


async def an_appeal_succeeds(stage: Stage) -> None:
    def appeal(session: Session) -> tuple[int, int]:
        user = users.user(session, "mallory")
        asked = requests.open_request(
            session,
            RequestKind.APPEAL,
            subject="My key was stolen",
            details="I have revoked it.",
            user=user,
            source="email",
            now=stage.now(),
        )
        return asked.id, terminations.latest(session, user).id

    number, ended = await stage.do(appeal)

    def grant(session: Session) -> None:
        found = requests.request(session, number)
        requests.answer(session, found, "We looked again and believe you. Your access is back.", now=stage.now())
        requests.close(session, found, now=stage.now())
        reason = "Your appeal was right: the key was stolen."
        terminations.reinstate(session, terminations.termination(session, ended), reason=reason, now=stage.now())

    await stage.do(grant)
    mail = await stage.until_notice("mallory", Purpose.REINSTATED, ended)
    stage.say(f"Mallory appealed (request {number}), staff answered and reinstated her: [italic]{mail.subject}[/].")
    stage.say(f"Her standing: [bold]{(await stage.standing('mallory')).decision}[/].")


async def someone_leaves(stage: Stage) -> None:
    cause = terminations.Cause(Initiator.USER, "I no longer need it.")
    ended = await stage.do(
        lambda s: terminations.terminate(s, users.user(s, "otto"), cause, zone=stage.zone, now=stage.now())
    )
    mail = await stage.until_notice("otto", Purpose.TERMINATION_NOTICE, ended.id)
    stage.say(f"Otto ended it himself, at once and without asking anyone: [italic]{mail.subject}[/].")


async def questions_get_the_policys_words(stage: Stage) -> None:
    asked = [
        ("Do you sell my data?", "en"),
        ("Kann ich das Speichern meiner Prompts abschalten?", "de"),
        ("Can my 12 year old use this?", "en"),
        ("Is there a discount for students?", "en"),
    ]
    for question, locale in asked:
        found = await stage.do(_ask(stage, question, locale))
        stage.say(f"[bold]{question}[/]")
        for quote in found.quotes:
            stage.say(f"  “{quote.text}” ({quote.document}, version {quote.version}, section {quote.number})")
        if not found.answered:
            stage.say(f"  {found.reason}")


async def a_request_reaches_staff(stage: Stage) -> None:
    def open_one(session: Session) -> int:
        user = users.user(session, "hana")
        subject = "Please delete my prompts"
        return requests.open_request(
            session, RequestKind.ERASURE, subject=subject, user=user, source="email", now=stage.now()
        ).id

    number = await stage.do(open_one)
    waiting = await stage.do(lambda s: len(requests.requests(s)))
    stage.say(
        f"Hana asked for deletion: request {number}, one of {waiting} that staff see in Discord and in `request list`."
    )
    answer = "Your prompts are gone. Nothing of them is left in our logs."
    receipt = await stage.mail("hana", f". {number})")
    stage.say(f"She was told at once: [italic]{receipt.subject}[/]; with it came a link to prove that it was her.")
    await stage.do(lambda s: requests.answer(s, requests.request(s, number), answer, now=stage.now()))
    mail = await stage.mail("hana", "Antwort auf")
    stage.say(f"Staff answered: [italic]{mail.subject}[/].")


async def the_record_holds(stage: Stage) -> None:
    await stage.all_sent()
    problems = await stage.do(history.verify)
    kept = await stage.do(_kept_messages)
    arrived = sorted(mail.data for mail in stage.mailbox.mails)
    if problems or kept != arrived:
        raise AssentError(f"The record does not hold: {problems or 'mailbox and outbox differ'}.")
    counts = await stage.do(outbox.counts)
    stage.say(
        f"{len(arrived)} mails arrived, and each is kept byte for byte. Notices: "
        + ", ".join(f"{number} {status.value}" for status, number in sorted(counts.items()))
        + ". The history verifies."
    )


ACTS: Sequence[tuple[str, Callable[[Stage], Awaitable[None]]]] = (
    ("Texts become versions", texts_become_versions),
    ("People come over", people_come_over),
    ("A policy changes, and people are told", a_policy_changes),
    ("One keeps using it and is bound by that", one_keeps_using_it),
    ("One accepts, one declines", one_accepts_one_declines),
    ("An account is terminated, with notice first", an_account_is_terminated),
    ("A mistake is undone", a_mistake_is_undone),
    ("An appeal succeeds", an_appeal_succeeds),
    ("Someone leaves", someone_leaves),
    ("Questions get the policy's words", questions_get_the_policys_words),
    ("A request reaches staff", a_request_reaches_staff),
    ("The record holds", the_record_holds),
)


# -- what the acts look up ------------------------------------------------------------------------------


def _shelf(now: datetime) -> Callable[[Session], list[tuple[str, str, str, str]]]:
    def rows(session: Session) -> list[tuple[str, str, str, str]]:
        found = []
        for document in store.documents(session):
            current = store.in_force(session, document, at=now)
            drafts = [str(v.number) for v in store.versions(session, document) if v.published_at is None]
            digest = store.body(session, current, "en").sha256 if current else ""
            found.append(
                (
                    document.title,
                    str(current.number) if current else "none",
                    ", ".join(drafts),
                    digest[:16] + "…",
                )
            )
        return found

    return rows


def _draft(session: Session, slug: str) -> Version:
    return store.version(session, store.document(session, slug), 2)


def _rehearse(stage: Stage, slug: str, publication: Publication) -> Callable[[Session], publishing.Rehearsal]:
    return lambda session: publishing.rehearse(
        session, _draft(session, slug), publication, per_hour=0, zone=stage.zone, now=stage.now()
    )


def _publish(stage: Stage, slug: str, publication: Publication) -> Callable[[Session], Version]:
    return lambda session: publishing.publish(
        session, _draft(session, slug), publication, zone=stage.zone, now=stage.now()
    )


def _ask(stage: Stage, question: str, locale: str) -> Callable[[Session], answering.Answer]:
    return lambda session: answering.answer(
        session, question, settings=stage.app.settings, locale=locale, now=stage.now()
    )


def _kept_messages(session: Session) -> list[bytes]:
    sent = select(Notice).where(col(Notice.status) == NoticeStatus.SENT, Notice.channel == Channel.EMAIL)
    kept = (keeping.message(session, notice.id) for notice in session.exec(sent))
    return sorted(message for message in kept if message is not None)


def _answer(url: str, choice: str) -> None:
    """Open the page behind a link and press the button, as a browser would."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  (our own page on loopback)
        shown = response.read().decode()
    form = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', shown))
    data = urllib.parse.urlencode({**form, "answer": choice}).encode()
    with urllib.request.urlopen(url, data=data, timeout=10) as response:  # noqa: S310
        response.read()
