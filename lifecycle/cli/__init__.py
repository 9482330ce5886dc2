"""The `assent` command. Only the module of the command that is called gets imported, so that it starts fast."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from lifecycle import __version__
from lifecycle.errors import AssentError

# Command -> the module here that holds it, and its line in `assent --help`. A module named like its command is a group.
COMMANDS = {
    "demo": ("serving", "Act out the whole life of a policy, with a mailbox to look into."),
    "init": ("ops", "Make the data folder, the database and a commented assent.toml."),
    "serve": ("serving", "Run the web face and the worker, and the bot when it has a token, until Ctrl-C."),
    "bot": ("serving", "Run the Discord bot alone."),
    "migrate": ("ops", "Bring the database to this release."),
    "doctor": ("ops", "Check settings, database, templates and mail, and say what is wrong."),
    "import": ("bringing", "Import texts: a file, a folder, or the whole history of a git repository."),
    "document": ("document", "Documents: list, show, compare, promises, survival, history."),
    "version": ("version", "Versions: draft, rehearse, publish, withdraw."),
    "rollout": ("rollout", "Roll-outs: list, show, start, pause, resume, cancel."),
    "user": ("user", "Users: import, show, standing, bound, activity, case-file, erase, hold, release."),
    "accept": ("engagement", "Record that a user accepted a version."),
    "decline": ("engagement", "Record that a user declined a version."),
    "object": ("engagement", "Record that a user objected to a version that binds by silence."),
    "withdraw": ("engagement", "Record that a user withdrew an acceptance."),
    "terminate": ("termination", "End a user's access, with notice."),
    "rescind": ("termination", "Take a termination back before it takes effect."),
    "reinstate": ("termination", "Give access back after a termination took effect."),
    "override": ("termination", "Let a termination take effect without proof of notice."),
    "notice-given": (
        "termination",
        "Record that staff gave the notice of a termination themselves, with the evidence.",
    ),
    "grace": ("grace", "Move deadlines: give, list, undo."),
    "appeal": ("termination", "Take down a user's appeal against a termination."),
    "stay": ("termination", "Stay a termination: it has no effect until it is resumed."),
    "resume": ("termination", "End the stay of a termination."),
    "statement": ("termination", "Print the reasons of a termination in the fields of the EU's DSA database, as JSON."),
    "notice": ("notice", "Notices: list, show, resolve, bounce."),
    "case-file": ("casefile", "Case files: verify one, without a database."),
    "erasure": ("erasure", "Erasures: list, show, scrub."),
    "request": ("request", "Requests: list, show, open, answer, extend, refuse, close, prove, erase, keep."),
    "ask": ("ask", "Ask the policies a question; the answer is quoted from them."),
    "answers": ("answers", "Answers: evaluate, tune, pins, pin, confirm, unpin, unanswered, dismiss."),
    "choice": ("choice", "A user's opt-ins and opt-outs: list, set."),
    "template": ("template", "Mail templates: check, preview."),
    "history": ("history", "The append-only history: verify."),
}


class LazyGroup(TyperGroup):
    """The commands by name and help alone; the one that is called is imported then."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, short_help=text) for name, (_, text) in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else found, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # the reader's affair is the value alone
            raise


def load(name: str) -> Any:
    """The real command behind a name."""
    module, help_text = COMMANDS[name]
    held: Any = get_command(import_module(f"lifecycle.cli.{module}").app)
    if module == name and hasattr(held, "commands"):
        held.help = help_text
        return held
    return held.commands[name] if hasattr(held, "commands") else held


app = typer.Typer(
    cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"assent {__version__}")
        raise typer.Exit


@app.callback()
def assent(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Say which release.")
    ] = False,
) -> None:
    """Which words bind whom, how they came to bind, what was sent, and when it ends.

    Exit status: 0 done, 1 refused with a one-line reason, 2 wrong usage.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    words = list(sys.argv[1:] if args is None else args)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our letters is no reason to fail
    try:
        if broken := [word for word in words if not _is_text(word)]:
            print(f"Error: {broken[0]!r} is not UTF-8.", file=sys.stderr)
            sys.exit(2)
        get_command(app).main(words, prog_name="assent")
    except AssentError as error:
        from lifecycle.cli.output import clean

        print("Error:", clean(" ".join(str(error).splitlines())), file=sys.stderr)
        sys.exit(1)
    finally:
        _flush()


def _is_text(word: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in word)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has gone, which is no fault; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
