"""The dispatcher: hands what is due to the relay, as many notices at once as there are connections.

Before the first byte of a notice leaves, its exact message is kept and it stands as `sending`. So a killed process
leaves at most one notice in doubt for each connection (rule 7).
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
from lifecycle.notices import breaker, claiming, pacing, recording
from lifecycle.notices.domains import STUCK_SECONDS, Domains
from lifecycle.notices.recording import Handover, Outcome
from lifecycle.notices.smtp import Relay
from lifecycle.settings import Settings

T = TypeVar("T")

MOST_RESERVED = 256
GATHER_SECONDS, MOST_GATHERINGS = 0.002, 5  # the fewer commits the better, and a person does not notice
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
        self._runner = asyncio.Runner(loop_factory=_fast_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = False  # kept until a connection is free: what fell due may be more urgent than what is reserved
        self._stopping = False
        self._ready: list[Handover] = []
        self._running = dict[asyncio.Task[Outcome], Handover]()
        self._ended: list[asyncio.Task[Outcome]] = []
        self._finished: list[Outcome] = []
        self._awake, self._gathering = asyncio.Event(), False
        self._pause, self._made_way = 0.0, False
        self._batch, self._reserved_at, self._recovered_at = settings.smtp_connections, -inf, -inf

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
        await self._in_thread(self._say_goodbye)
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
        self._recovered_at = -inf
        await self._probe()
        tried = 0
        while True:
            self._recover()
            self._pause, self._made_way = 0.0, False
            looked, begun = self._turn()
            self._domains.begin(begun)
            for handover in begun:
                self._start(handover)
            tried += len(begun)
            if self._made_way:
                continue
            if self._running or self._ended:
                await self._wait()
            elif self._pause:
                await asyncio.sleep(self._pause)
            elif not looked:
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

    def _turn(self) -> tuple[int, list[Handover]]:
        """Record what ended, begin what there is room for, reserve what comes next; what was looked at and begun."""
        self._collect()
        finished = self._finished[:]
        room = 0 if self._stopping else self._settings.smtp_connections - len(self._running)
        want = self._wanted() if room else 0
        looked, begun, self._ready = self._database.run(self._transact, finished, self._ready, room, want)
        del self._finished[: len(finished)]
        return looked, begun

    def _wanted(self) -> int:
        """How many to reserve: as many as leave soon, and only when the last of them are about to."""
        plenty = len(self._ready) >= self._settings.smtp_connections
        if plenty and not self._news:
            return 0
        self._news = False
        if plenty:  # for what may be more urgent; a backlog would otherwise be reserved whole, news by news
            return self._settings.smtp_connections
        took, self._reserved_at = monotonic() - self._reserved_at, monotonic()
        fits = self._batch * 2 if took < SOON_SECONDS else self._batch // 2
        self._batch = max(self._settings.smtp_connections, min(fits, MOST_RESERVED))
        return self._batch

    def _transact(
        self, session: Session, finished: Sequence[Outcome], ready: list[Handover], room: int, want: int
    ) -> tuple[int, list[Handover], list[Handover]]:
        now = self._clock()
        recording.record(session, finished, settings=self._settings, now=now)
        outage = self._refusals.count(session, [outcome.reply for outcome in finished], now=now)
        if outage is not None:
            room = min(room, max(outage.probed - len(self._running), 0))
            want = min(want, room)
        allowed = pacing.allowance(session, self._settings, now=now) if room else None
        if allowed is not None:
            room = min(room, allowed.mails)
            want = min(want, max(room, 0 if ready else 1))  # one at least, to know whether any waits
        looked = 0
        if want:
            looked, reserved = claiming.reserve(session, limit=want, settings=self._settings, now=now)
            ready = sorted(ready + reserved, key=lambda handover: handover.priority)
        chosen = self._domains.choose(ready, room, now=now)
        first, rest = chosen.first, chosen.rest
        for until, away in chosen.put_off.items():
            claiming.release(session, away, due_at=until)
        self._made_way = bool(chosen.put_off)
        if allowed is not None:
            urgent = [handover for handover in first if handover.priority == 0]
            bulk = first[len(urgent) :][: max(min(allowed.bulk, room - len(urgent)), 0)]
            first, rest = urgent + bulk, first[len(urgent) + len(bulk) :] + rest
            if rest:
                self._pause = min(max((allowed.next_at - now).total_seconds(), SHORTEST_PAUSE), LONGEST_PAUSE)
        begun = claiming.begin(session, first, settings=self._settings, now=now) if first else []
        if allowed is not None and begun:
            pacing.spend(session, self._settings, len(begun), now=now)
        return looked + len(first), begun, rest

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
        if self._ready:
            self._database.run(claiming.release, self._ready)
            self._ready = []


def _fast_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which does less work for each mail, where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()
