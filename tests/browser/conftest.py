"""A real Chromium before the real pages. Where it cannot be had, these tests are skipped and say why."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import pytest
from anyio.from_thread import start_blocking_portal

from lifecycle.app import App, serving, site
from lifecycle.db import Database
from lifecycle.settings import Settings
from tests.browser.world import World, build
from tests.conftest import NOW

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Response

T = TypeVar("T")
Visit = Callable[..., "Page"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium says this of a page that is itself an error page; anything else that fails is in `failures`.
ERROR_PAGE = "Failed to load resource: the server responded with a status of 4"


# Not for the session: while Playwright runs, this thread has an event loop, which pytest-asyncio's tests would meet.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, which can reach nothing but loopback."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    # Asked for in another process, as a failed start would leave its event loop to the tests that follow.
    asked = subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False)
    if asked.returncode:
        pytest.skip("Playwright's driver does not run here")
    driver = api.sync_playwright().start()
    try:
        loopback_only = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = driver.chromium.launch(executable_path=path, args=[loopback_only])
        yield browser
        browser.close()
    finally:
        driver.stop()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Opens pages in windows of their own; whatever a test does there, nothing runs, fails or leaves loopback."""
    troubles: list[str] = []
    contexts = []

    def refuse(dialog: Dialog) -> None:
        troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(url: str, *, width: int = 1200, scheme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        context.on("console", lambda message: troubles.extend(_complaints(message)))
        context.on("weberror", lambda error: troubles.append(f"script failed: {error.error}"))
        context.on("dialog", refuse)
        context.on("request", lambda request: troubles.extend(_strays(request.url)))
        context.on("response", lambda response: troubles.extend(_failures(response)))
        page = context.new_page()
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def _complaints(message: ConsoleMessage) -> Iterator[str]:
    if message.type in {"error", "warning"} and not message.text.startswith(ERROR_PAGE):
        yield f"console: {message.text}"


def _strays(url: str) -> Iterator[str]:
    if urlsplit(url).hostname != "127.0.0.1":
        yield f"request to {url}"


def _failures(response: Response) -> Iterator[str]:
    if response.status >= 400 and response.request.resource_type != "document":
        yield f"{response.status} for {response.url}"


@contextmanager
def in_background(work: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep this open in another thread's event loop, as Playwright has the one of this thread."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(work) as value:
        yield value


@pytest.fixture
def port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def world(sqlite: Database, make_settings: Callable[..., Settings], port: int) -> Iterator[World]:
    """The real pages, served by uvicorn."""
    sqlite.run(build)
    made = World(make_settings(), sqlite, f"http://127.0.0.1:{port}")
    with in_background(serving(site(App(made.settings, sqlite, lambda: NOW)), port=port)):
        yield made
