"""Documents, users, notices, terminations and the clock in random orders: rules 1 to 7 hold after every step."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from lifecycle import (
    activity,
    announcing,
    appeals,
    effects,
    engagements,
    graces,
    jobs,
    ledger,
    responses,
    standing,
    terminations,
    users,
)
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish, withdraw
from lifecycle.errors import AssentError
from lifecycle.models import Campaign, Notice, User, Version
from lifecycle.notices import campaigns, claiming, outbox, recording
from lifecycle.notices.conversation import Reply
from lifecycle.states import AttemptOutcome, Channel, Emergency, EngagementKind, Initiator, Mode, OnObjection, ToldBy
from lifecycle.verdicts import instant
from tests.helpers import TICK, ZONE
from tests.property import checks
from tests.property.ledger import Copy, Ended, Given, Ledger, Published
from tests.property.world import STARTS, Maker, World

picks = st.integers(0, 30)
ago = st.sampled_from([timedelta(0)] * 4 + [timedelta(minutes=5), timedelta(hours=30), timedelta(days=9)])
REPLIES = {
    "sent": Reply(AttemptOutcome.SENT, 250, "2.0.0 Ok: queued"),
    "deferred": Reply(AttemptOutcome.DEFERRED, 451, "4.7.1 Try again later"),
    "failed": Reply(AttemptOutcome.FAILED, 550, "5.1.1 No such user"),
    "unknown": Reply(AttemptOutcome.UNKNOWN, None, "the connection was cut"),
}


VERBS = [terminations.override, terminations.rescind, terminations.reinstate, appeals.hold, appeals.resume]


class Rules(RuleBasedStateMachine):
    """One operator, two documents, a few users, and a relay that answers as it likes."""

    def __init__(self, maker: Maker | None = None) -> None:
        super().__init__()
        self.world, self.ledger, self.now = World(maker), Ledger(), STARTS[0]
        self.names: list[str] = []
        self.steps = 0
        self.on_the_way: list[tuple[recording.Handover, Copy]] = []
        self.memory = checks.Memory()

    def teardown(self) -> None:
        self.world.close()

    def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """One transaction; None when the domain refuses, and then nothing may have changed."""
        try:
            return self.world.database.run(work, *args, **kwargs)
        except AssentError:
            return None

    def user(self, pick: int) -> str:
        return self.names[pick % len(self.names)]

    def version(self, pick: int) -> Published:
        return self.ledger.versions[pick % len(self.ledger.versions)]

    # -- texts -----------------------------------------------------------------------------------------------------

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start: datetime) -> None:
        self.now = start

        def setup(session: Session) -> None:
            for slug in ("terms", "privacy"):
                store.create_document(session, slug, title=slug.title(), now=self.now)

        self.run(setup)
        for slug in ("terms", "privacy"):
            self.publish(slug, Mode.EXPLICIT, notify=False, notice_days=0, deadline_days=0, later=None)
        self.add_user(email=True, discord=True, accepts=True)

    @rule(
        slug=st.sampled_from(["terms", "terms", "privacy"]),
        mode=st.sampled_from(Mode),
        notify=st.sampled_from([True, True, True, False]),
        part=st.sampled_from(OnObjection),
        notice_days=st.sampled_from([0, 0, 1, 14]),
        deadline_days=st.sampled_from([0, 3, 30]),
        later=st.sampled_from([None, None, timedelta(hours=3), timedelta(days=40)]),
    )
    def publish(
        self,
        slug: str,
        mode: Mode,
        notify: bool,
        notice_days: int,
        deadline_days: int,
        later: timedelta | None,
        part: OnObjection = OnObjection.KEEP,
    ) -> None:
        words = f"# {slug}\n\n## 1. Use\n\nWords {len(self.ledger.versions)}.\n\n## 2. Liability\n\nStays.\n"
        effective = self.now + timedelta(days=notice_days + 1) + later if later else None
        plan = Publication(
            mode, effective, notice_days, deadline_days, notify=notify, on_objection=part, objection_notice_days=7
        )

        def go(session: Session) -> Version:
            made = store.draft_version(
                session, store.document(session, slug), {"en": words}, surviving=["2"], now=self.now
            )
            return publish(session, made, plan, zone=ZONE, now=self.now)

        done: Version = self.run(go)
        assert done.effective_at is not None
        self.ledger.versions.append(Published(done.id, slug, done.number, mode.value, done.effective_at, deadline_days))

    @precondition(lambda self: len(self.ledger.versions) > 3)
    @rule(pick=picks)
    def withdraw(self, pick: int) -> None:
        version = self.version(pick)
        if self.run(lambda s: withdraw(s, s.get_one(Version, version.id), reason="A mistake.", now=self.now)):
            version.withdrawn = self.now

    @rule(pick=picks, sql=st.sampled_from(checks.TAMPERING))
    def tamper(self, pick: int, sql: str) -> None:
        """Rule 1: the database itself refuses, whoever asks."""
        with pytest.raises(IntegrityError), self.world.database.engine.begin() as connection:
            connection.execute(text(sql), {"version": self.version(pick).id, "words": b"other words"})

    # -- people ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.names) < 4)
    @rule(email=st.booleans(), discord=st.booleans(), accepts=st.sampled_from([True, True, False]))
    def add_user(self, email: bool, discord: bool, accepts: bool) -> None:
        name = f"user{len(self.names)}"
        self.names.append(name)
        facts: dict[str, Any] = {
            "email": f"{name}@example.com" if email else "",
            "discord_id": str(len(self.names)) if discord else None,
        }
        self.run(lambda s: users.upsert(s, name, **facts, now=self.now))
        for about in range(len(self.ledger.versions) if accepts else 0):
            self.answer(len(self.names) - 1, about, kind="accepted", age=timedelta(0))

    @rule(pick=picks, email=st.sampled_from(["", "new@example.com"]))
    def change_address(self, pick: int, email: str) -> None:
        self.run(lambda s: users.upsert(s, self.user(pick), email=email, now=self.now))

    @rule(pick=picks, age=ago)
    def use(self, pick: int, age: timedelta) -> None:
        """The host reports activity, perhaps late. It ends a termination by inactivity before its effect."""
        name, at = self.user(pick), self.now - age
        self.run(activity.record, [(name, at)], now=self.now)
        self.ledger.use(name, at)
        self._see_what_ended()
        for ended in self.ledger.ended.values() if at == self.now else ():
            if ended.user == name and ended.by == "inactivity" and not ended.over(at):
                assert (since := ended.since()) is not None
                assert since <= at, "used in time, and yet it goes on"

    @rule(
        pick=picks,
        about=picks,
        age=ago,
        kind=st.sampled_from(["accepted", "accepted", "declined", "objected", "withdrawn", "acknowledged", "viewed"]),
    )
    def answer(self, pick: int, about: int, kind: str, age: timedelta) -> None:
        name, version, at = self.user(pick), self.version(about), self.now - age

        def go(session: Session) -> bool:
            before = {fact.id for fact in ledger.facts(session, users.user(session, name))}
            fact = responses.respond(
                session,
                users.user(session, name),
                session.get_one(Version, version.id),
                EngagementKind(kind),
                at=at,
                zone=ZONE,
                now=self.now,
            )
            return fact.id not in before

        if self.run(go):
            self.ledger.answers.append((name, version.id, kind, at))
        self._see_what_began(by="provider" if kind == "objected" else "nobody")

    @rule(pick=picks, about=picks, age=ago)
    def take_over_from_another_system(self, pick: int, about: int, age: timedelta) -> None:
        name, version, at = self.user(pick), self.version(about), self.now - age

        def go(session: Session) -> bool:
            before = {fact.id for fact in ledger.facts(session, users.user(session, name))}
            return (
                engagements.import_binding(
                    session, users.user(session, name), session.get_one(Version, version.id), at=at, now=self.now
                ).id
                not in before
            )

        if self.run(go):
            self.ledger.answers.append((name, version.id, "imported", at))

    # -- notices ---------------------------------------------------------------------------------------------------

    @rule(chunk=st.integers(1, 3))
    def plan(self, chunk: int) -> None:
        """A chunk of each campaign; owing a notice that is owed changes nothing."""

        def go(session: Session) -> None:
            for campaign in campaigns.open_campaigns(session, now=self.now):
                campaigns.plan_chunk(session, campaign, chunk=chunk, now=self.now)

        self.memory.ended_when_planned |= {n for n in self.names if self.ledger.ending(n, self.now, whole=True)}
        self.run(go)

    @rule(pick=picks)
    def owe_again(self, pick: int) -> None:
        before = self.world.dump()

        def go(session: Session) -> None:
            for owed in outbox.notices(session)[pick % 7 :: 7]:
                thing = owed.key.split("/")[1]
                outbox.owe(
                    session,
                    owed.purpose,
                    thing,
                    user=session.get(User, owed.user_id),
                    channel=owed.channel,
                    now=self.now,
                    version_id=owed.version_id,
                    termination_id=owed.termination_id,
                )
            for campaign in session.exec(checks.select(Campaign)):
                campaigns.start(session, session.get_one(Version, campaign.version_id), at=self.now)

        self.run(go)
        assert self.world.dump() == before

    @rule(limit=st.integers(1, 5), channel=st.sampled_from([Channel.EMAIL, Channel.EMAIL, Channel.DISCORD]))
    def claim(self, limit: int, channel: Channel) -> None:
        taken = self.world.database.run(
            claiming.claim, limit=limit, settings=self.world.settings, channel=channel, now=self.now
        )
        for handover in taken:
            earlier = self.ledger.arrived(handover.notice_id)
            assert all(copy.message == handover.message for copy in earlier), "a repeat must be the same bytes"
            self.ledger.copies.append(copy := Copy(handover.notice_id, handover.message))
            self.on_the_way.append((handover, copy))
            if channel is Channel.EMAIL:
                self.memory.same_message_id(handover.notice_id, message_from_bytes(handover.message)["Message-ID"])

    @precondition(lambda self: self.on_the_way)
    @rule(pick=picks, said=st.sampled_from(["sent", "sent", "sent", *REPLIES]), twice=st.booleans())
    def relay_answers(self, pick: int, said: str, twice: bool) -> None:
        """In time, or after the lease; written down once or, by a worker that is unsure, twice."""
        handover, copy = self.on_the_way.pop(pick % len(self.on_the_way))
        outcome = recording.Outcome(handover, REPLIES[said], self.now)
        self.world.database.run(recording.record, [outcome], settings=self.world.settings, now=self.now)
        copy.fate = said
        if said == "sent":
            self._proven(handover.notice_id)
        if twice:
            before = self.world.dump()
            self.world.database.run(recording.record, [outcome], settings=self.world.settings, now=self.now)
            assert self.world.dump() == before

    @rule()
    def a_good_day(self) -> None:
        """Everything owed by e-mail is planned, claimed and sent."""
        self.plan(100)
        self.claim(100, Channel.EMAIL)
        self.the_rules_hold()
        while self.on_the_way:
            self.relay_answers(0, "sent", twice=False)

    @rule(
        fates=st.lists(
            st.sampled_from(["deferred", "failed", "unknown", "unknown", "dies", "dies"]), min_size=2, max_size=4
        ),
    )
    def a_bad_day(self, fates: list[str]) -> None:
        """Everything is tried again and again, and goes wrong each time."""
        self.plan(100)
        for fate in fates:
            self.claim(100, Channel.EMAIL)
            self.the_rules_hold()
            while self.on_the_way:
                if fate == "dies":
                    self.worker_dies(0)
                else:
                    self.relay_answers(0, fate, twice=False)
            self.the_rules_hold()
            self.time_passes(timedelta(hours=3))
            self.recover()
            self.the_rules_hold()

    @rule(
        mode=st.sampled_from([Mode.CONTINUED_USE, Mode.CONTINUED_USE, Mode.SILENCE, Mode.EXPLICIT]),
        told_after=st.sampled_from([None, timedelta(days=2), timedelta(days=20)]),
        used=st.sampled_from([None, timedelta(minutes=-5), timedelta(days=1)]),
    )
    def a_version_runs_its_course(self, mode: Mode, told_after: timedelta | None, used: timedelta | None) -> None:
        """For someone bound by what came before: told of it or not, using on or not, until its deadline has passed."""
        if before := self.ledger.standing("terms", self.now):
            self.answer(0, self.ledger.versions.index(before[-1]), kind="accepted", age=timedelta(0))
        self.publish("terms", mode, notify=True, notice_days=0, deadline_days=3, later=None)
        self._everything_holds()
        if told_after is not None:
            self.time_passes(told_after)
            self.a_good_day()
            self._everything_holds()
        if used is not None:
            self.use(0, age=max(-used, timedelta(0)))
            self.time_passes(max(used, timedelta(0)))
            self.use(0, age=timedelta(0))
            self._everything_holds()
        for days in (1, 4):
            self.time_passes(timedelta(days=days))
            self._everything_holds()

    def _everything_holds(self) -> None:
        self.the_rules_hold()
        self._stand_where_the_record_says(self.names)

    def _proven(self, notice_id: int) -> None:
        with Session(self.world.database.engine) as session:
            notice = session.get_one(Notice, notice_id)
            name = session.get_one(User, notice.user_id).external_id
        if notice.version_id is not None:
            self.ledger.told.setdefault((name, notice.version_id), self.now)
        elif notice.purpose == "termination_notice":
            ended = self.ledger.ended[notice.termination_id or 0]
            ended.proven = ended.proven or self.now

    @precondition(lambda self: self.on_the_way)
    @rule(pick=picks)
    def worker_dies(self, pick: int) -> None:
        self.on_the_way.pop(pick % len(self.on_the_way))[1].fate = "lost"

    @rule()
    def recover(self) -> None:
        left = "SELECT id FROM notices WHERE status = 'sending' AND lease_until <= :now"
        stale = self.world.rows(left, now=f"{self.now:%Y-%m-%d %H:%M:%S.%f}+00")
        for channel in Channel:
            self.world.database.run(recording.recover, channel=channel, now=self.now)
        now_statuses = {row["id"]: row["status"] for row in self.world.rows("SELECT id, status FROM notices")}
        assert {now_statuses[row["id"]] for row in stale} <= {"unknown"}, "what a dead worker held is in doubt"

    @rule(pick=picks, outcome=st.sampled_from(["retry", "retry", "drop"]))
    def staff_settle_a_notice(self, pick: int, outcome: str) -> None:
        left = self.world.rows("SELECT id FROM notices WHERE status IN ('unknown', 'failed', 'skipped') ORDER BY id")
        if not left:
            return
        notice_id = left[pick % len(left)]["id"]
        self.run(lambda s: outbox.resolve(s, s.get_one(Notice, notice_id), outcome, now=self.now))
        self.memory.settled_by_staff[notice_id] = self.memory.settled_by_staff.get(notice_id, 0) + 1

    # -- terminations ----------------------------------------------------------------------------------------------

    @rule(
        pick=picks,
        by=st.sampled_from([Initiator.PROVIDER, Initiator.PROVIDER, Initiator.USER]),
        notice_days=st.sampled_from([0, 1, 30]),
        later=st.sampled_from([None, timedelta(hours=2), timedelta(days=20)]),
        ground=st.sampled_from([None, "1", "Liability", "99"]),
        slug=st.sampled_from(["terms", "privacy"]),
        scope=st.sampled_from(["", "", "posting"]),
        lasts=st.sampled_from([None, None, timedelta(days=2), timedelta(days=45)]),
        emergency=st.sampled_from([None, None, *Emergency]),
    )
    def terminate(
        self,
        pick: int,
        by: Initiator,
        notice_days: int,
        later: timedelta | None,
        ground: str | None,
        slug: str,
        scope: str,
        lasts: timedelta | None,
        emergency: Emergency | None,
    ) -> None:
        name = self.user(pick)
        if emergency is not None:
            notice_days = 0
        ends = self.now + lasts if lasts else None
        why = "It cannot wait." if emergency else ""
        cause = terminations.Cause(
            by,
            "Spam.",
            grounds=[(slug, ground)] if ground else [],
            scope=scope,
            ends_at=ends,
            emergency=emergency,
            override_reason=why,
        )

        def go(session: Session) -> Any:
            return terminations.terminate(
                session,
                users.user(session, name),
                cause,
                notice_days=notice_days,
                zone=ZONE,
                effective_at=self.now + later if later else None,
                now=self.now,
            )

        made = self.run(go)
        if made is not None:
            assert not ground or (ground != "99" and self.ledger.bindable(name, slug, self.now)), "no such ground"
            assert all(ended.over(self.now) for ended in self.ledger.ended.values() if ended.user == name), (
                "a second one"
            )
            ended = Ended(made.id, name, by.value, notice_days, made.effective_at, ends=ends, scope=scope)
            ended.overridden = self.now if emergency else None
            self.ledger.ended[made.id] = ended
        self._see_what_ended()

    @rule(
        pick=picks,
        idle=st.booleans(),
        notice_days=st.sampled_from([1, 14, 30]),
        told_after=st.sampled_from([timedelta(0), timedelta(hours=5), timedelta(days=9), timedelta(days=40)]),
        used=st.booleans(),
    )
    def a_termination_runs_its_course(
        self, pick: int, idle: bool, notice_days: int, told_after: timedelta, used: bool
    ) -> None:
        """Its notice leaves in time or late; from there its period runs, and not an instant less."""
        name = self.user(pick)
        if idle:
            self.use(pick, age=timedelta(0))
            self.time_passes(timedelta(days=61))
            self._run_jobs()
        else:
            self.terminate(pick, Initiator.PROVIDER, notice_days, None, None, "terms", "", None, None)
        mine = [ended for ended in self.ledger.ended.values() if ended.user == name]
        self.time_passes(told_after)
        self.a_good_day()
        self._stand_where_the_record_says([name])
        since = mine[-1].since() if mine else None
        if since is None or since <= self.now:
            return
        self.now = since - TICK
        self._run_jobs(jobs.TO_THE_INSTANT)
        self._stand_where_the_record_says([name])
        if used:
            self.use(pick, age=timedelta(0))
        self.now = since
        self._stand_where_the_record_says([name])

    @precondition(lambda self: self.ledger.ended)
    @rule(pick=picks, verb=st.sampled_from(VERBS))
    def staff_act_on_a_termination(self, pick: int, verb: Callable[..., Any]) -> None:
        ended = list(self.ledger.ended.values())[pick % len(self.ledger.ended)]
        lasting = ended.since()
        done = self.run(lambda s: verb(s, terminations.termination(s, ended.id), reason="Decided anew.", now=self.now))
        if done is None:
            return
        assert ended.undone is None
        if verb is appeals.hold or verb is appeals.resume:
            assert ended.stayed == (verb is appeals.resume)
            ended.stayed = not ended.stayed
            ended.resumed = self.now if verb is appeals.resume else ended.resumed
        elif verb is terminations.override:
            ended.overridden = self.now
        else:
            assert (verb is terminations.reinstate) == (lasting is not None and lasting <= self.now)
            ended.undone, ended.rescinded = self.now, verb is terminations.rescind

    @precondition(lambda self: self.ledger.ended)
    @rule(pick=picks, stay=st.booleans())
    def a_user_appeals(self, pick: int, stay: bool) -> None:
        """Also without access; it can stay the effect, and a decision that was undone needs no appeal."""
        ended = list(self.ledger.ended.values())[pick % len(self.ledger.ended)]

        def go(session: Session) -> Any:
            found = terminations.termination(session, ended.id)
            return appeals.appeal(session, found, "It was not me.", source="web", stay=stay, now=self.now)

        if self.run(go):
            assert ended.undone is None
            assert ended.by != "user"
            ended.stayed |= stay

    @precondition(lambda self: self.ledger.ended)
    @rule(pick=picks, by=st.sampled_from(ToldBy), age=ago)
    def staff_give_the_notice(self, pick: int, by: ToldBy, age: timedelta) -> None:
        ended = list(self.ledger.ended.values())[pick % len(self.ledger.ended)]

        def go(session: Session) -> Any:
            found = terminations.termination(session, ended.id)
            return announcing.told_otherwise(
                session, found, by, evidence="RR 1", told_at=self.now - age, zone=ZONE, now=self.now
            )

        if self.run(go):
            assert ended.since() is None
            ended.proven = self.now - age

    # -- deadlines -------------------------------------------------------------------------------------------------

    @rule(
        pick=st.none() | picks, about=picks, later=st.none() | st.sampled_from([timedelta(days=n) for n in (1, 9, 50)])
    )
    def give_grace(self, pick: int | None, about: int, later: timedelta | None) -> None:
        name = None if pick is None else self.user(pick)
        version, until = self.version(about), self.now + later if later else None

        def go(session: Session) -> Any:
            user = users.user(session, name) if name else None
            about = session.get_one(Version, version.id)
            return graces.give(session, about, user=user, until=until, reason="A holiday.", now=self.now)

        if made := self.run(go):
            self.ledger.graces.append(Given(made.id, version.id, name, until, self.now))

    @precondition(lambda self: self.ledger.graces)
    @rule(pick=picks)
    def undo_grace(self, pick: int) -> None:
        given = self.ledger.graces[pick % len(self.ledger.graces)]
        if self.run(lambda s: graces.undo(s, graces.grace(s, given.id), reason="A mistake.", now=self.now)):
            assert given.undone is None
            given.undone = self.now

    def _see_what_ended(self) -> None:
        """By itself a suspension ends when it is over, and a termination by inactivity by use before its effect."""
        for row in self.world.rows("SELECT * FROM terminations"):
            ended, undone = self.ledger.ended[row["id"]], row["rescinded_at"] or row["reinstated_at"]
            if undone and ended.undone is None and row["undo_reason"] == effects.SUSPENSION_OVER:
                assert ended.ends is not None
                assert ended.ends <= self.now
                ended.undone = ended.ends
            elif undone and ended.undone is None:
                last = max(use.at for use in self.ledger.used if use.user == ended.user)
                since = ended.since()
                assert ended.by == "inactivity"
                assert since is None or last < since
                ended.undone = self.now

    # -- the clock -------------------------------------------------------------------------------------------------

    @rule(
        step=st.one_of(
            st.integers(1, 300).map(lambda n: timedelta(seconds=n)),
            st.integers(1, 40).map(lambda n: timedelta(hours=n)),
            st.sampled_from([timedelta(days=n) for n in (1, 3, 14, 15, 30, 31, 100)]),
        )
    )
    def time_passes(self, step: timedelta) -> None:
        self.now += step

    @rule()
    def run_jobs(self) -> None:
        """Every job, then every job again: the second time nothing changes, and texts never do (rules 2 and 6)."""
        versions = self.world.dump("versions", "bodies")
        self.memory.ended_when_planned |= {n for n in self.names if self.ledger.ending(n, self.now, whole=True)}
        self._run_jobs()
        once = self.world.dump()
        self._run_jobs()
        assert self.world.dump() == once
        assert self.world.dump("versions", "bodies") == versions

    def _run_jobs(self, which: tuple[jobs.Job, ...] = jobs.PLANNING + jobs.TO_THE_INSTANT + jobs.IN_SWEEPS) -> None:
        jobs.run_jobs(which, self.world.database, self.world.settings, self.now)
        self._see_what_began(by="inactivity")
        self._see_what_ended()

    def _see_what_began(self, by: str) -> None:
        for row in self.world.rows("SELECT t.*, u.external_id FROM terminations t JOIN users u ON u.id = t.user_id"):
            if row["id"] not in self.ledger.ended:
                assert row["initiated_by"] == by
                effective = instant(row["effective_at"])
                self.ledger.ended[row["id"]] = Ended(row["id"], row["external_id"], by, row["notice_days"], effective)

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def the_rules_hold(self) -> None:
        checks.published_texts_are_unchanged(self.world, self.ledger, self.memory)
        checks.notices_are_kept_and_bounded(self.world, self.ledger, self.memory)
        checks.terminations_wait_for_their_proof(self.world, self.ledger, self.now)

    @invariant()
    def users_in_turn_stand_where_the_record_says(self) -> None:
        self.steps += 1
        slug = ("terms", "privacy")[self.steps % 2]
        self._stand_where_the_record_says(self.names[self.steps % len(self.names) :][:1], slug)

    def _stand_where_the_record_says(self, names: list[str], *slugs: str) -> None:
        with Session(self.world.database.engine) as session:
            for slug in slugs or ("terms", "privacy"):
                checks.in_force_is_derived(session, self.ledger, slug, self.memory, self.now)
            for name in names:
                user = users.user(session, name)
                found = standing.standing(session, user, zone=ZONE, now=self.now)
                checks.every_way_agrees(session, self.world.database, user, found, self.now)
                checks.binding_is_justified(session, user, self.ledger, self.memory, self.now)
                checks.blocks_are_justified(found, self.ledger, self.now)


# 2,000 steps on SQLite and 200 on PostgreSQL, the same each time; or 20,000 on each at night, other ones every night.
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
STEPS = 25
TestRules = Rules.TestCase
TestRules.settings = hypothesis_settings(
    max_examples=800 if NIGHTLY else 80, stateful_step_count=STEPS, derandomize=not NIGHTLY
)


def test_the_rules_hold_on_postgresql_too(migrated_on_postgresql: Maker) -> None:
    few = hypothesis_settings(max_examples=800 if NIGHTLY else 8, stateful_step_count=STEPS, derandomize=not NIGHTLY)
    run_state_machine_as_test(lambda: Rules(migrated_on_postgresql), settings=few)  # type: ignore[arg-type]
