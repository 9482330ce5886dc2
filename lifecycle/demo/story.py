"""`assent demo`: the theatre. It opens a real application in a fresh folder and plays the acts on it."""

import asyncio
import contextlib
import socket
import tempfile
from pathlib import Path

from rich.console import Console
from rich.panel import Panel

from lifecycle.app import open_app, running, serving, told_to_stop
from lifecycle.demo.acts import ACTS
from lifecycle.demo.mailbox import Mailbox, page
from lifecycle.demo.stage import Stage
from lifecycle.errors import AssentError
from lifecycle.settings import load_settings


def run(*, once: bool) -> int:
    """Act the story out; with `once` end after it, else stay up with the pages until Ctrl-C. The exit code."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="assent-demo-") as folder:
        try:
            asyncio.run(_perform(Path(folder), console, once=once))
        except AssentError as error:
            console.print(f"[bold red]The demo failed:[/] {error}")
            return 1
    return 0


async def _perform(folder: Path, console: Console, *, once: bool) -> None:
    mailbox = Mailbox()
    web, post = _free_port(8700), _free_port(8701)
    async with mailbox.listening() as port:
        app = open_app(
            load_settings(
                data_dir=folder,
                database_url="",
                operator="Meridian Labs",
                time_zone="Europe/Berlin",
                mail_from="Meridian Labs <notices@meridian.example>",
                reply_to="support@meridian.example",
                smtp_url=f"smtp://127.0.0.1:{port}",
                public_url=f"http://127.0.0.1:{web}",
                poll_seconds=0.1,
                discord_token="",
                relay_per_hour=0,
                default_locale="en",
            )
        )
        try:
            async with running(app, web=True, worker=True, port=web), serving(page(mailbox), port=post):
                console.print(Panel(f"Texts  http://127.0.0.1:{web}\nMail   http://127.0.0.1:{post}", title="Assent"))
                await _play(Stage(app, mailbox, console))
                if not once:
                    await _stay_up(console)
        finally:
            app.close()


async def _play(stage: Stage) -> None:
    for number, (title, act) in enumerate(ACTS, start=1):
        stage.console.rule(f"[bold]{number}. {title}", align="left")
        await act(stage)


async def _stay_up(console: Console) -> None:
    console.print("\nThe pages and the mailbox stay up. Press Ctrl-C to end.")
    await told_to_stop()


def _free_port(wanted: int) -> int:
    """The wanted port, or any when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", wanted))
            return wanted
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
