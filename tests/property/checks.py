"""The invariants: what the code says against what the ledger lets it say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from unittest.mock import patch

from pydantic_core import to_json
from sqlmodel import Session, select

from lifecycle import engagements, judging, standing
from lifecycle import ledger as facts
from lifecycle.bindings import binding
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.models import User
from lifecycle.standing import Standing
from lifecycle.states import Decision
from lifecycle.verdicts import derived
from tests.helpers import ZONE
from tests.property.ledger import Ledger, counted
from tests.property.world import World

__all__ = ["TAMPERING", "Memory", "select"]

TAMPERING = [
    "UPDATE bodies SET text = :words WHERE version_id = :version",
    "UPDATE bodies SET sha256 = 'other' WHERE version_id = :version",
    "DELETE FROM bodies WHERE version_id = :version",
    "UPDATE versions SET effective_at = '2020-01-01 00:00:00.000000' WHERE id = :version",
    "UPDATE versions SET published_at = NULL WHERE id = :version",
    "UPDATE versions SET mode = 'editorial', deadline_days = 77 WHERE id = :version",
    "INSERT INTO bodies (id, version_id, locale, title, text, sha256, created_at) "
    "SELECT id, version_id, locale, 'Other title', text, sha256, created_at FROM bodies WHERE version_id = :version "
    "ON CONFLICT (id) DO UPDATE SET title = 'Other title'",
]

# DESIGN section 5, and what a late proof or staff may do.
NEXT = {
    "owed": {"sending", "held", "cancelled", "failed"},
    "sending": {"sent", "deferred", "unknown", "failed"},
    "deferred": {"sending", "sent", "held", "cancelled", "failed"},
    "held": {"owed", "sent", "cancelled"},
    "unknown": {"sending", "sent", "cancelled"},
    "failed": {"sent"},
    "skipped": set[str](),
    "sent": set[str](),
    "cancelled": set[str](),
}
AFTER_STAFF = {"owed", "cancelled", "unknown", "failed", "skipped"}


@dataclass
class Memory:
    """What was seen before, to see that it stays."""

    hashes: dict[int, str] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)
    message_ids: dict[int, str] = field(default_factory=dict)
    settled_by_staff: dict[int, int] = field(default_factory=dict)
    settled_before: dict[int, int] = field(default_factory=dict)
    ended_when_planned: set[str] = field(default_factory=set)
    in_force: dict[tuple[str, datetime], int | None] = field(default_factory=dict)

    def same_message_id(self, notice: int, message_id: str) -> None:
        assert message_id, "every mail has one"
        assert self.message_ids.setdefault(notice, message_id) == message_id


def published_texts_are_unchanged(world: World, ledger: Ledger, memory: Memory) -> None:
    """Rule 1."""
    bodies = world.rows(
        "SELECT b.id, b.version_id, b.text, b.sha256, v.published_at FROM bodies b "
        "JOIN versions v ON v.id = b.version_id WHERE v.published_at IS NOT NULL"
    )
    digests = {row["id"]: hashlib.sha256(bytes(row["text"])).hexdigest() for row in bodies}
    assert all(digests[row["id"]] == row["sha256"] for row in bodies)
    assert {row["version_id"] for row in bodies} == {version.id for version in ledger.versions}
    assert memory.hashes.items() <= digests.items()
    memory.hashes = digests


def in_force_is_derived(session: Session, ledger: Ledger, slug: str, memory: Memory, now: datetime) -> None:
    """Rule 2: at any instant, by the recorded instants alone; and what was in force once, was so for ever."""
    chain = store.chain(session, store.document(session, slug).id)

    def derived_at(at: datetime) -> int | None:
        found = store.standing_chain(chain, at)
        return found[-1].id if found else None

    for at in (now, now - timedelta(days=2), now + timedelta(days=20), now + timedelta(seconds=1)):
        meant = ledger.standing(slug, at)
        assert derived_at(at) == (meant[-1].id if meant else None)
    found = store.in_force(session, store.document(session, slug), at=now)
    assert (found.id if found else None) == derived_at(now)
    just_now = now - timedelta(microseconds=1)  # at `now` itself another version may still be published
    memory.in_force[slug, just_now] = derived_at(just_now)
    for (about, at), was in list(memory.in_force.items())[-12::4]:
        if at < now and about == slug:
            assert derived_at(at) == was


def every_way_agrees(session: Session, database: Database, user: User, found: Standing, now: datetime) -> None:
    """Standing looked up, streamed as a line, and derived anew without anything kept, are the same."""
    checked = standing.check(database, user.external_id, zone=ZONE, now=now)
    with patch.object(judging, "verdict", derived):
        plainly = standing.standing(session, user, zone=ZONE, now=now)
    assert checked == found == plainly
    [line] = standing.to_lines(database, [user.external_id], zone=ZONE, now=now)
    assert line == to_json(found) + b"\n"


def binding_is_justified(session: Session, user: User, ledger: Ledger, memory: Memory, now: datetime) -> None:
    """Rule 3: nothing binds that the record does not show, and what it surely shows does bind."""
    known = facts.facts(session, user)
    for slug in ("terms", "privacy"):
        document = store.document(session, slug)
        versions = store.chain(session, document.id)
        assert engagements.bound(session, user, document, at=now) == binding(versions, known, now)
        for at in (now, now - timedelta(days=4), now + timedelta(days=45)):
            found = binding(versions, known, at)
            may = [version.id for version in ledger.bindable(user.external_id, slug, at)]
            must = [version.id for version in ledger.bindable(user.external_id, slug, at, surely=True)]
            chain = [version.id for version in ledger.standing(slug, at)]
            if found is not None:
                assert found.version.id in may, "bound by nothing on record"
                assert found.proof.user_id == user.id
                assert max(found.since, found.proof.at) <= at
                then = binding(versions, known, found.since)
                assert then is not None  # perhaps by a proof that was withdrawn since, when a later one took its place
                assert (then.version.id, then.since) == (found.version.id, found.since)
                assert then.proof.at <= found.since
                before = binding(versions, known, found.since - timedelta(microseconds=1))
                assert before is None or before.version.id != found.version.id
            if must:
                assert found is not None
                assert chain.index(found.version.id) >= chain.index(must[-1]), "an acceptance or a notice was lost"


def blocks_are_justified(found: Standing, ledger: Ledger, now: datetime) -> None:
    """Rule 4: nobody is blocked who was not told, or before both deadlines have passed."""
    ended = ledger.ending(found.user, now)
    assert (found.termination is not None and found.termination.in_effect) == (ended is not None)
    for item in found.documents:
        versions = ledger.standing(item.slug, now)
        bound = ledger.bindable(found.user, item.slug, now, surely=True)
        asked = [version for version in versions if version.mode == "explicit"]
        due = ledger.deadline(found.user, asked[-1]) if asked else None
        if item.decision is Decision.BLOCK:
            assert due is not None, "blocked without a proven notice"
            assert due <= now, "blocked before the deadline"
            assert asked[-1] not in ledger.bindable(found.user, item.slug, now)
            assert not ledger.exempt(found.user, asked[-1]), "blocked although exempt"
        elif asked and ledger.exempt(found.user, asked[-1]):
            pass
        elif due is not None and counted(due, 1) <= now:
            assert any(versions.index(version) >= versions.index(asked[-1]) for version in bound), "let off"
        if item.due_by is not None:
            told = [at for (name, _), at in ledger.told.items() if name == found.user]
            assert told, "a deadline runs without a proven notice"
    blocked = (ended is not None and not ended.scope) or any(
        item.decision is Decision.BLOCK for item in found.documents
    )
    assert (found.decision is Decision.BLOCK) == blocked


def terminations_wait_for_their_proof(world: World, ledger: Ledger, now: datetime) -> None:
    """Rule 5: effect only after proof and period, or an override with its reason; what waits is looked after."""
    for row in world.rows("SELECT * FROM terminations"):
        ended = ledger.ended[row["id"]]
        since = ended.since()
        if row["took_effect_at"]:
            assert since is not None
            assert since <= now
        if row["initiated_by"] != "user" and row["takes_effect_at"] and ended.proven is None:
            assert row["overridden_at"]
            assert row["override_reason"]
        if since is None and not ended.over(now):
            assert _is_looked_after(world, row["id"]), "a termination waits and nobody knows"


def _is_looked_after(world: World, termination: int) -> bool:
    pending = world.rows(
        "SELECT 1 FROM notices WHERE termination_id = :id AND purpose = 'termination_notice' "
        "AND (status IN ('owed', 'sending', 'deferred', 'unknown') OR reason = 'dropped by staff')",
        id=termination,
    )
    told = world.rows(
        "SELECT 1 FROM requests WHERE source = 'assent' AND subject LIKE :about",
        about=f"The notice of termination {termination} %",
    )
    return bool(pending or told)


def notices_are_kept_and_bounded(world: World, ledger: Ledger, memory: Memory) -> None:
    """Rules 6 and 7: one of a kind, never lost, one legal status, never more than two copies."""
    rows = world.rows("SELECT * FROM notices")
    about = ("purpose", "version_id", "termination_id", "request_id", "reply_id", "user_id", "channel")
    kinds = [tuple(row[name] for name in about) for row in rows if row["purpose"] != "acceptance_reminder"]
    assert len(kinds) == len(set(kinds)), "owed twice"
    now_statuses = {row["id"]: row["status"] for row in rows}
    assert memory.statuses.keys() <= now_statuses.keys(), "a notice was lost"
    for notice, status in now_statuses.items():
        _legal(memory, notice, status)
        arrived = ledger.arrived(notice)
        assert len(arrived) <= 2 + memory.settled_by_staff.get(notice, 0), "a flood"
        if any(copy.fate == "on its way" for copy in arrived):
            assert status != "owed" or notice in memory.settled_by_staff
    memory.statuses, memory.settled_before = now_statuses, dict(memory.settled_by_staff)
    _everyone_passed_is_owed(world, memory)


def _legal(memory: Memory, notice: int, status: str) -> None:
    before = memory.statuses.get(notice, status)
    settled = memory.settled_by_staff.get(notice) != memory.settled_before.get(notice)
    legal = AFTER_STAFF if settled else NEXT[before] | {before}
    assert status in legal, f"{before} cannot become {status}"


def _everyone_passed_is_owed(world: World, memory: Memory) -> None:
    missing = world.rows(
        "SELECT u.external_id FROM campaigns c JOIN versions v ON v.id = c.version_id "
        "JOIN users u ON u.id <= c.cursor AND (u.created_at <= v.effective_at OR u.created_at <= c.started_at) "
        "WHERE NOT EXISTS ("
        "SELECT 1 FROM notices n WHERE n.user_id = u.id AND n.version_id = c.version_id "
        "AND n.purpose = 'version_published')"
    )
    assert {row["external_id"] for row in missing} <= memory.ended_when_planned, "passed over without a notice"
