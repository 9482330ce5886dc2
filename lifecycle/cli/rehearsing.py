"""What `assent version rehearse` shows: the plan, the mail that a user would get, and a test mail to oneself."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from sqlmodel import Session

from lifecycle import shapes, users
from lifecycle.cli.desk import Desk
from lifecycle.cli.output import console, print_facts, print_json, print_line, print_note, print_table
from lifecycle.documents import planning, practice, publishing, store
from lifecycle.documents.publishing import Publication, Rehearsal
from lifecycle.errors import RuleRefused
from lifecycle.models import Notice, Version
from lifecycle.notices import outbox, trial
from lifecycle.states import NoticeStatus

SHOWN = 20
PATIENCE_SECONDS = 15
UNDER_WAY = {NoticeStatus.OWED.value, NoticeStatus.SENDING.value}


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What is rehearsed, and at which desk."""

    desk: Desk
    slug: str
    number: int
    publication: Publication

    def version(self, session: Session) -> Version:
        return store.version(session, store.document(session, self.slug), self.number)


def rehearse(wanted: Rehearsed, *, as_json: bool) -> None:
    """Print the rehearsal. Raises RuleRefused after it when publishing would be refused for the time the mail takes."""
    desk = wanted.desk

    def work(session: Session) -> Rehearsal:
        per_hour = desk.settings.relay_per_hour
        version, publication = wanted.version(session), wanted.publication
        done = practice.practice(desk.settings)
        return publishing.rehearse(
            session, version, publication, per_hour=per_hour, zone=desk.zone, done=done, now=desk.now
        )

    found = desk.database.read(work)
    if as_json:
        print_json(asdict(found) | {"plan": [{"day": day.day.isoformat(), "mails": day.mails} for day in found.plan]})
    else:
        _print(found, desk)
    if found.refusal:
        raise RuleRefused(found.refusal)


def _print(found: Rehearsal, desk: Desk) -> None:
    rate = f"{found.per_hour} an hour" if found.per_hour else "no limit set"
    facts = {
        "In force from": found.effective_at,
        "Told": f"{found.by_email} by e-mail, {found.by_discord} over Discord",
        "Not told": found.unreachable or "nobody is left out",
        "Mails leave at": rate,
        "First mail leaves": found.first_mail_at,
        "Last mail leaves": found.last_mail_at,
    }
    print_facts(facts, zone=desk.zone)
    if found.plan:
        print_line()
        print_table(("Day", "Mails"), [(day.day.isoformat(), day.mails) for day in found.plan], zone=desk.zone)
    if found.unreachable:
        print_line()
        print_table(("Not told", "Why"), [(number, why) for why, number in found.reasons.items()], zone=desk.zone)
        print_line("For instance: " + ", ".join(who.user for who in found.unreached[:SHOWN]))
        print_note("All of them: the same command with --unreachable.")
    for warning in found.warnings:
        print_line(f"Warning: {warning}")
    print_note("Nothing was changed. The notice that a user would get: --show USER. A test mail: --test-to ADDRESS.")


def list_unreachable(desk: Desk, *, as_json: bool) -> None:
    """Everyone who would not be told, with the reason."""
    found, after = list[planning.Unreached](), 0
    while some := desk.database.read(planning.unreached, after=after, limit=1000, now=desk.now):
        found += [who for _, who in some]
        after = some[-1][0]
    if as_json:
        return print_json([asdict(who) for who in found])
    rows = [(who.user, who.reason) for who in found]
    return print_table(("User", "Why"), rows, zone=desk.zone, empty="Everyone can be told.")


def show_mail(wanted: Rehearsed, external_id: str, *, as_json: bool) -> None:
    """Print the exact notice that this user would get."""
    desk = wanted.desk

    def work(session: Session) -> shapes.Shape:
        version, publication = wanted.version(session), wanted.publication
        found = trial.mail_to(session, version, publication, external_id, settings=desk.settings, now=desk.now)
        message = found.message.decode("utf-8", errors="replace")
        return {"user": external_id, "channel": found.channel, "address": found.address, "message": message}

    found = desk.database.run(work)
    if as_json:
        return print_json(found)
    print_line(found["message"])
    return print_note(f"Nothing was sent. It would go to {found['address']} ({found['channel'].value}).")


def send_test(wanted: Rehearsed, address: str, *, like: str | None, as_json: bool) -> None:
    """Owe a test mail, and wait a moment for a worker to send it."""
    desk = wanted.desk

    def work(session: Session) -> int:
        user = users.user(session, like) if like else None
        version, publication = wanted.version(session), wanted.publication
        return trial.send_test(
            session, version, publication, address, like=user, settings=desk.settings, now=desk.now
        ).id

    number = desk.database.run(work)
    found = _wait_for(desk, number)
    if as_json:
        return print_json(found)
    tried = found["tries"][-1:]
    if not tried or found["status"] in UNDER_WAY:
        print_line(f"The test mail to {found['address']} waits as notice {number}.")
        return print_note("No worker has sent it yet: it leaves while `assent serve` runs.")
    return print_line(f"Test mail to {found['address']}: {found['status']}. The relay: {tried[0]['reply']}")


def _wait_for(desk: Desk, number: int) -> shapes.Shape:
    def look(session: Session) -> shapes.Shape:
        notice: Notice = outbox.notice(session, number)
        return shapes.notice(session, notice) | {"tries": [shapes.attempt(t) for t in outbox.attempts(session, notice)]}

    limit = time.monotonic() + PATIENCE_SECONDS
    with console(stderr=True).status("Waiting for the worker and the relay..."):
        while (found := desk.database.read(look))["status"] in UNDER_WAY and time.monotonic() < limit:
            time.sleep(0.2)
    return found
