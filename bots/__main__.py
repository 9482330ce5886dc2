"""`python -m bots`: the Discord bot in the foreground, until Ctrl-C or SIGTERM."""

import asyncio
import contextlib
import logging
import signal
import sys

from bots.discord.client import serve, utc_now
from lifecycle.answers.asking import warming_up
from lifecycle.db import open_database
from lifecycle.errors import AssentError
from lifecycle.settings import Settings, load_settings

OFF = "The Discord bot is off: set ASSENT_DISCORD_TOKEN."


def main() -> int:
    """Run the bot; 0 when it was asked to stop, 1 with one line that says why it could not run."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("assent").setLevel(logging.INFO)
    try:
        settings = load_settings()
        if settings.discord_token:
            asyncio.run(_run(settings))
            return 0
        print(OFF, file=sys.stderr)
    except AssentError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    return 1


async def _run(settings: Settings) -> None:
    database = open_database(settings)
    bot = asyncio.create_task(serve(settings, database))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, bot.cancel)
    with contextlib.suppress(asyncio.CancelledError), contextlib.closing(database):
        async with warming_up(database, settings=settings, clock=utc_now):
            await bot


if __name__ == "__main__":
    sys.exit(main())
