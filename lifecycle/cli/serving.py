"""`assent serve | bot | demo`: what stays up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from lifecycle.cli.output import print_note
from lifecycle.settings import load_settings

app = typer.Typer(rich_markup_mode=None)

BOT = [sys.executable, "-m", "bots"]  # a process of its own: nothing in lifecycle imports bots
BOT_IS_OFF = "The Discord bot is off: set ASSENT_DISCORD_TOKEN."
PATIENCE_SECONDS = 10.0


@app.command(help="Run the web face and the worker, and the bot when it has a token, until Ctrl-C.")
def serve(
    web: Annotated[bool, typer.Option("--web", help="Run the web face and the API.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="Run the clock and the mail.")] = False,
    bot: Annotated[bool, typer.Option("--bot", help="Run the Discord bot.")] = False,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on.")] = 8700,
) -> None:
    settings = load_settings()
    if not (web or worker or bot):
        web = worker = bot = True
    if bot and not settings.discord_token:
        print_note(BOT_IS_OFF)
        bot = False
        if not (web or worker):
            raise typer.Exit(1)
    signal.signal(signal.SIGTERM, _stop)
    with _bot_beside() if bot else _nothing_beside() as child:
        if web or worker:
            asyncio.run(_serve(web, worker, host, port))
        elif child is not None:
            raise typer.Exit(child.wait())


async def _serve(web: bool, worker: bool, host: str, port: int) -> None:
    from lifecycle import app as composition

    opened = composition.open_app()
    parts = [name for name, wanted in ((f"the pages at http://{host}:{port}", web), ("the worker", worker)) if wanted]
    print_note(f"Running {' and '.join(parts)}; Ctrl-C ends it.")
    try:
        await composition.serve(opened, web=web, worker=worker, host=host, port=port)
    finally:
        opened.close()


def _stop(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def _nothing_beside() -> Iterator[None]:
    yield None


@contextmanager
def _bot_beside() -> Iterator[subprocess.Popen[bytes]]:
    """The bot as a child, which stops with us; when it stops by itself, that is said and the rest goes on."""
    child = subprocess.Popen(BOT)
    stopping = threading.Event()

    def watch() -> None:
        status = child.wait()
        if not stopping.is_set():
            print_note(f"The Discord bot stopped (exit {status}); the rest goes on.")

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield child
    finally:
        stopping.set()
        child.terminate()
        try:
            child.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


@app.command(help="Run the Discord bot alone.")
def bot() -> None:
    if not load_settings().discord_token:
        print_note(BOT_IS_OFF)
        raise typer.Exit(1)
    os.execv(sys.executable, BOT)  # noqa: S606


@app.command(help="Act out the whole life of a policy, with a mailbox to look into.")
def demo(once: Annotated[bool, typer.Option("--once", help="End after the story.")] = False) -> None:
    from lifecycle.demo.story import run

    raise typer.Exit(run(once=once))
