"""The composition root: settings, database and clock of one process."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import uvicorn
from fastapi import FastAPI

from lifecycle import __version__
from lifecycle.answers.asking import warming_up
from lifecycle.api import api, hooks
from lifecycle.db import Database, open_database
from lifecycle.errors import ConfigurationError
from lifecycle.notices.inbox import receiving
from lifecycle.notices.rendering import renderer
from lifecycle.scheduler import Clockwork, utc_now
from lifecycle.settings import Settings, load_settings
from lifecycle.web import feeds, health, pages


@dataclass(frozen=True, slots=True)
class App:
    """What every face of Assent needs."""

    settings: Settings
    database: Database
    clock: Callable[[], datetime] = utc_now

    def clockwork(self) -> Clockwork:
        return Clockwork(self.database, self.settings, clock=self.clock)

    def close(self) -> None:
        self.database.close()


def open_app(settings: Settings | None = None, *, clock: Callable[[], datetime] = utc_now) -> App:
    """Open the database at this release's schema. Raises ConfigurationError or DatabaseError that says what to do."""
    settings = settings or load_settings()
    renderer(settings.wording_dir)  # a faulty wording is said now, not when the first mail is due
    return App(settings, open_database(settings), clock)


def site(app: App) -> FastAPI:
    """The public pages, the HTTP interface under /api/v1, and what a supervisor asks."""
    whole = FastAPI(title="Assent", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    whole.include_router(health.routes(app.database))
    whole.include_router(hooks.routes(app.settings, app.database, app.clock))
    whole.mount("/api/v1", api(app.settings, app.database, app.clock))
    public = pages.Pages(app.settings, app.database, app.clock)
    whole.include_router(feeds.routes(public))
    whole.include_router(pages.routes(public))
    pages.explain_errors(whole, public)
    return whole


class _Server(uvicorn.Server):
    """uvicorn, without its own signal handlers: the process has one place for them, in `serve`."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(pages: FastAPI, *, host: str = "127.0.0.1", port: int) -> AsyncIterator[None]:
    """Serve pages while the block runs. Raises ConfigurationError when the address cannot be had."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"{host}:{port} cannot be served ({error.strerror}); choose another port.") from None
    server = _Server(uvicorn.Config(pages, log_level="warning", lifespan="off", server_header=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not (server.started or task.done()):  # noqa: ASYNC110  (uvicorn offers no event to wait for)
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def running(app: App, *, web: bool, worker: bool, host: str = "127.0.0.1", port: int) -> AsyncIterator[None]:
    """Run the pages with the HTTP interface, the worker with its inbox, or both while the block runs."""
    async with AsyncExitStack() as stack:
        if web:
            await stack.enter_async_context(warming_up(app.database, settings=app.settings, clock=app.clock))
            await stack.enter_async_context(serving(site(app), host=host, port=port))
        if worker:
            if app.settings.inbox_listen:
                await stack.enter_async_context(receiving(app.database, app.settings, clock=app.clock))
            clockwork = app.clockwork()
            clockwork.start()
            stack.push_async_callback(clockwork.stop)
        yield


def settle() -> None:
    """Spare the garbage collector what is loaded and stays: it would look through it every few thousand mails."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


async def serve(app: App, *, web: bool, worker: bool, host: str, port: int) -> None:
    """Run until SIGINT or SIGTERM, then end what is under way."""
    settle()
    async with running(app, web=web, worker=worker, host=host, port=port):
        await told_to_stop()


async def told_to_stop() -> None:
    """Wait for SIGINT or SIGTERM."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for ending in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(ending, stop.set)
    await stop.wait()
