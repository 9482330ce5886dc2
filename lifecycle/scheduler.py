"""When the jobs run. APScheduler is only the clock: what is due stands in our tables, so a restart catches up."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from lifecycle import jobs
from lifecycle.db import Database
from lifecycle.errors import AssentError
from lifecycle.notices.delivery import Dispatcher
from lifecycle.settings import Settings

log = logging.getLogger("assent.scheduler")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clockwork:
    """One worker: wakes every `poll_seconds` for what other processes wrote, and at the very instant of what is due."""

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database, self._settings, self._clock = database, settings, clock
        self._dispatcher = Dispatcher(database, settings, clock=clock)
        # Three at once: one at work, one in line behind it, and one that sees so and goes.
        usual = {"misfire_grace_time": None, "coalesce": True, "max_instances": 3}
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=usual)
        self._draining: asyncio.Task[None] | None = None
        self._planning: asyncio.Task[None] | None = None
        self._turn, self._sweeping = asyncio.Lock(), asyncio.Lock()
        self._waiting = False

    def start(self) -> None:
        """Begin; what fell due while nothing ran is done at once."""
        now = utc_now()
        self._scheduler.add_job(
            self.wake, "interval", seconds=self._settings.poll_seconds, next_run_time=now, id="poll"
        )
        self._scheduler.add_job(
            self.sweep, "interval", seconds=jobs.SWEEP_EVERY.total_seconds(), next_run_time=now, id="sweep"
        )
        self._scheduler.start()

    async def wake(self) -> None:
        """Do what is due, and set the alarm for what comes next. While another turn lasts, one more is enough."""
        if self._waiting:
            return
        self._waiting = True
        async with self._turn:
            self._waiting = False
            try:
                await self._wake()
            except AssentError as error:
                log.error("The clock goes on after: %s", error)

    async def _wake(self) -> None:
        now = self._clock()
        due = await self._database.aread(jobs.next_due)
        if due is not None and due <= now:
            self._plan_in_background()
            try:
                await self._run(jobs.TO_THE_INSTANT)
            finally:
                self._drain_in_background()
            due = await self._database.aread(jobs.next_due, after=now)
        if due is not None:
            self._scheduler.add_job(self.wake, "date", run_date=due, id="due", replace_existing=True)

    async def sweep(self) -> None:
        """Run the jobs that need no exact instant, and take up what a dead worker left in doubt.

        However long they take, what is due to the instant does not wait for them.
        """
        async with self._sweeping:
            try:
                await self._run(jobs.IN_SWEEPS)
            except AssentError as error:
                log.error("The sweep goes on after: %s", error)
            self._drain_in_background()

    async def _run(self, some: tuple[jobs.Job, ...]) -> None:
        await asyncio.to_thread(jobs.run_jobs, some, self._database, self._settings, self._clock())

    def _plan_in_background(self) -> None:
        """To plan for a great many users takes seconds, in which effects and other notices do not wait."""
        if self._planning is None or self._planning.done():
            self._planning = asyncio.create_task(self._plan())

    async def _plan(self) -> None:
        try:
            await self._run(jobs.PLANNING)
        except AssentError as error:
            log.error("The planner goes on after: %s", error)
        self._drain_in_background()

    def _drain_in_background(self) -> None:
        """A long drain claims what falls due meanwhile, by priority; so one at a time is enough, and nobody waits."""
        self._dispatcher.nudge()
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self._dispatcher.drain()
        except AssentError as error:
            log.error("The dispatcher goes on after: %s", error)
        except Exception:
            log.exception("The dispatcher goes on after a fault of its own")

    async def stop(self) -> None:
        """Stop waking, let the jobs and hand-overs under way end, and say goodbye to the relay."""
        self._dispatcher.close()  # at once: a job under way may hold the turn for long, and the drain goes on meanwhile
        self._scheduler.remove_all_jobs()
        await asyncio.sleep(0)  # a wake that was just submitted gets in line before us
        async with self._turn, self._sweeping:
            self._scheduler.shutdown(wait=False)
        if self._planning is not None:
            await self._planning
        await asyncio.sleep(0)  # APScheduler ends in the next round of the loop
        try:
            await self._dispatcher.stop()
        except AssentError as error:
            log.error("What the relay answered last is not on record: %s", error)
