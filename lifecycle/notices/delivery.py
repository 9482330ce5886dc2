"""The dispatcher: hands what is due to the relay, as many notices at once as there are connections.

Before the first byte of a notice leaves, its exact message is kept and it stands as `sending`. So a killed process
leaves at most one notice in doubt for each connection (rule 7). What comes next is written while the relay takes its
time.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from math import inf
from time import monotonic
from typing import TypeVar

from sqlmodel import Session

from lifecycle.db import Database
from lifecycle.notices import breaker, claiming, pacing, recording, writing
from lifecycle.notices.domains import STUCK_SECONDS, Domains
from lifecycle.notices.outbox import Due
from lifecycle.notices.readers import Known
from lifecycle.notices.recording import Handover, Outcome
from lifecycle.notices.smtp import Relay, fast_loop
from lifecycle.notices.writing import Dropped
from lifecycle.settings import Settings

T = TypeVar("T")
MOST_AT_ONCE = 512  # are lent and written
GATHER_SECONDS, MOST_GATHERINGS = 0.002, 5  # the fewer commits the better, and a person does not notice
WRITING_SECONDS = 0.001  # messages are written for so long, then what is on its way has its turn
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 1.0  # seconds between looks at the relay's limits
SOON_SECONDS = 0.5  # what is reserved should have left by then, for what is urgent comes behind it


class Dispatcher:
    """Empties the outbox of due mail, in a thread and an event loop of its own.

    There it can wait for the database where it stands: to hand each transaction to another thread would cost more than
    it gains, for the two would take turns anyway.
    """

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._database, self._settings, self._clock = database, settings, clock
        self._relay = Relay(settings)
        self._refusals, self._domains = breaker.Refusals(), Domains(settings.smtp_connections)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assent-mail")
        self._runner = asyncio.Runner(loop_factory=fast_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = False  # kept until a connection is free: what fell due may be more urgent than what is reserved
        self._stopping = False
        self._ready: list[Handover] = []
        self._written: list[Handover] = []  # since then
        self._dropped: list[Dropped] = []
        self._stocking: asyncio.Task[None] | None = None
        self._dry = False  # nothing more was due, and nothing has moved since
        self._running = dict[asyncio.Task[Outcome], Handover]()
        self._ended: list[asyncio.Task[Outcome]] = []
        self._finished: list[Outcome] = []
        self._awake, self._gathering = asyncio.Event(), False
        self._pause = 0.0
        self._batch, self._stocked_at, self._recovered_at = settings.smtp_connections, -inf, -inf

    async def drain(self) -> int:
        """Send all that is due now; how many hand-overs were tried. Calls at the same time take turns.

        What ended while the database could not be used is put on record by the next call. Who is cancelled while
        waiting for this stops it.
        """
        return await self._in_thread(lambda: self._runner.run(self._drain()))

    def close(self) -> None:
        """Begin no new hand-over from now on."""
        self._stopping = True

    def nudge(self) -> None:
        """Let a drain under way look for what fell due meanwhile, if there is a free connection."""
        self._news = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._awake.set)

    async def stop(self) -> None:
        """Begin no new hand-over, let those under way end and be put on record, and say goodbye to the relay."""
        self.close()
        try:
            await self._in_thread(self._say_goodbye)
        finally:
            self._thread.shutdown(wait=False)

    def _say_goodbye(self) -> None:
        try:
            self._runner.run(self._drain())
        finally:
            self._runner.run(self._relay.close())
            self._loop = None
            self._runner.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except asyncio.CancelledError:
            self.close()
            raise

    async def _drain(self) -> int:
        self._loop = asyncio.get_running_loop()
        self._recovered_at, self._dry = -inf, False
        try:
            await self._probe()
            return await self._send_all()
        finally:  # if that failed, what is on its way still ends: nothing goes on in this loop once we return
            under_way = {*self._running, *([self._stocking] if self._stocking else [])}
            if under_way:
                await asyncio.wait(under_way)
            if self._stocking and self._stocking.exception():
                self._stocking = None  # it failed as we did, or the next drain would fail of it

    async def _send_all(self) -> int:
        tried = 0
        while True:
            self._recover()
            self._pause = 0.0
            begun = await self._turn()
            self._domains.begin(begun)
            for handover in begun:
                self._start(handover)
            tried += len(begun)
            self._stock()
            if self._running or self._ended or self._stocking:
                await self._wait()
            elif self._pause:
                await asyncio.sleep(self._pause)
            elif not self._news or self._stopping:
                self._release()
                return tried

    async def _probe(self) -> None:
        """While the relay refuses everything, knock when it is time to."""
        if self._stopping or self._database.read(breaker.outage) is None:
            return
        if self._database.run(breaker.take_probe, now=self._clock()) and not await self._relay.refusal():
            self._database.run(breaker.let_in)

    def _recover(self) -> None:
        """Take up, from time to time, what workers that died left in doubt."""
        if monotonic() - self._recovered_at >= self._settings.lease_seconds / 4:
            self._recovered_at = monotonic()
            self._collect()
            under_way = [*self._running.values(), *(outcome.handover for outcome in self._finished)]
            alive = {handover.notice_id for handover in under_way}
            self._database.run(recording.recover, now=self._clock(), alive=alive)

    # -- what comes next -------------------------------------------------------------------------------------------

    def _stock(self) -> None:
        """See that what comes next is being written, unless there is plenty: as much at once as leaves soon."""
        low = len(self._ready) < self._batch
        if low and not (self._stopping or self._dry or self._stocking):
            took, self._stocked_at = monotonic() - self._stocked_at, monotonic()
            fits = self._batch * 2 if took < SOON_SECONDS else self._batch // 2
            self._batch = max(self._settings.smtp_connections, min(fits, MOST_AT_ONCE))
            self._stocking = asyncio.create_task(self._write(self._batch))
            self._stocking.add_done_callback(lambda _: self._awake.set())

    async def _write(self, want: int) -> None:
        """Take up to so many of what is due and write them; what is on its way goes on meanwhile."""
        token, lent = self._database.run(self._lend, want)
        self._dry = not lent
        if not lent:
            return
        with self._database.reading() as session:
            known, now, since = Known(session, lent), self._clock(), monotonic()
            for due in lent:
                found = writing.write(known, due, token, self._settings, now=now)
                if isinstance(found, Handover):
                    self._written.append(found)
                else:
                    self._dropped.append(found)
                if monotonic() - since > WRITING_SECONDS:
                    session.commit()
                    await asyncio.sleep(0)
                    since = monotonic()

    def _lend(self, session: Session, want: int) -> tuple[str, list[Due]]:
        """No more than the relay may take: in an outage one by one, and as many as its limits allow; but one at least,
        to know whether any waits, and what is urgent although what is ready is as much as may leave."""
        now, urgent = self._clock(), False
        if (outage := breaker.outage(session)) is not None:
            want = min(want, max(outage.probed - len(self._running) - len(self._ready), 0))
        if want and (allowed := pacing.allowance(session, self._settings, now=now)) is not None:
            urgent = bool(self._ready) and allowed.mails <= len(self._ready)
            want = min(want, max(allowed.mails - (0 if urgent else len(self._ready)), 1))
        return claiming.lend(session, limit=want, settings=self._settings, urgent=urgent, now=now) if want else ("", [])

    async def _take_in(self, *, news: bool) -> None:
        """What was written meanwhile; and when there is news, first what may be more urgent than what is ready."""
        done = self._stocking if self._stocking is not None and self._stocking.done() else None
        if done is not None:
            self._stocking = None
        if news:
            self._news, self._dry = False, False
            if self._ready or self._written or self._stocking:  # a few, or news by news a backlog would be lent whole
                await self._write(self._settings.smtp_connections)
        if done is not None or news:
            self._ready = sorted(self._ready + self._written, key=lambda handover: handover.priority)
            self._written = []
        if done is not None:
            done.result()

    # -- the transactions ------------------------------------------------------------------------------------------

    async def _turn(self) -> list[Handover]:
        """Put on record what ended, and begin what there is room for: those that were begun."""
        self._collect()
        room = 0 if self._stopping else self._settings.smtp_connections - len(self._running)
        await self._take_in(news=self._news and room > 0)
        finished, dropped = self._finished[:], self._dropped[:]
        before = len(self._ready)
        begun, self._ready = self._database.run(self._transact, finished, dropped, self._ready, room)
        self._dry = self._dry and not (finished or dropped or len(self._ready) < before)
        del self._finished[: len(finished)], self._dropped[: len(dropped)]
        return begun

    def _transact(
        self,
        session: Session,
        finished: Sequence[Outcome],
        dropped: Sequence[Dropped],
        ready: list[Handover],
        room: int,
    ) -> tuple[list[Handover], list[Handover]]:
        """What was begun, and what is still ready."""
        now = self._clock()
        recording.record(session, finished, settings=self._settings, now=now)
        claiming.drop(session, dropped, self._settings, now=now)
        outage = self._refusals.count(session, [outcome.reply for outcome in finished], now=now)
        if outage is not None:
            room = min(room, max(outage.probed - len(self._running), 0))
        allowed = pacing.allowance(session, self._settings, now=now) if room else None
        if allowed is not None:
            room = min(room, allowed.mails)
        chosen = self._domains.choose(ready, room, now=now)
        first, rest = chosen.first, chosen.rest
        for until, away in chosen.put_off.items():
            claiming.release(session, away, due_at=until)
        if allowed is not None:
            urgent = [handover for handover in first if handover.priority == 0]
            bulk = first[len(urgent) :][: max(min(allowed.bulk, room - len(urgent)), 0)]
            first, rest = urgent + bulk, first[len(urgent) + len(bulk) :] + rest
            if rest:
                self._pause = min(max((allowed.next_at - now).total_seconds(), SHORTEST_PAUSE), LONGEST_PAUSE)
        begun = claiming.begin(session, first, settings=self._settings, now=now) if first else []
        if allowed is not None and begun:
            pacing.spend(session, self._settings, len(begun), now=now)
        return begun, rest

    async def _wait(self) -> None:
        """Until some hand-overs have ended, for one transaction serves them all, or there is more to look for."""
        await self._sleep(STUCK_SECONDS if self._ready else None)
        self._gathering, seen = True, 0
        for _ in range(MOST_GATHERINGS):
            if not self._running or self._news or seen == len(self._ended):
                break
            seen = len(self._ended)
            await self._sleep(GATHER_SECONDS)
        self._gathering = False

    async def _sleep(self, seconds: float | None) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._awake.set) if seconds else None
        await self._awake.wait()
        self._awake.clear()
        if timer is not None:
            timer.cancel()

    def _collect(self) -> None:
        ended, self._ended = self._ended, []
        outcomes = [task.result() for task in ended]
        for outcome in outcomes:
            self._domains.end(outcome.handover, outcome.reply, now=outcome.at)
        self._finished += outcomes

    def _start(self, handover: Handover) -> None:
        task = asyncio.create_task(self._hand_over(handover))
        self._running[task] = handover
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Outcome]) -> None:
        del self._running[task]
        self._ended.append(task)
        if not (self._gathering and self._running):
            self._awake.set()

    async def _hand_over(self, handover: Handover) -> Outcome:
        reply = await self._relay.send(handover.sender, handover.address, handover.message, dotted=handover.dotted)
        return Outcome(handover, reply, self._clock())

    def _release(self) -> None:
        if left := self._ready + self._written:
            self._database.run(claiming.release, left)
            self._ready, self._written = [], []
