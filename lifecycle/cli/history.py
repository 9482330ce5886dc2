"""`assent history …`: whether the record is as it was written."""

from __future__ import annotations

import typer

from lifecycle import history
from lifecycle.cli.desk import open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_line

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keeps `verify` a command of its own while it is the only one."""


@app.command()
def verify(as_json: JsonFlag = False) -> None:
    """Check every entry of the history and every stored text against its hash."""
    with open_desk() as desk:
        problems = desk.database.read(history.verify)
    if as_json:
        print_json({"sound": not problems, "problems": problems})
    for problem in [] if as_json else problems or ["The history and the texts are as they were written."]:
        print_line(problem)
    if problems:
        raise typer.Exit(1)
