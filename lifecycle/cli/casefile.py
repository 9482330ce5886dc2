"""`assent case-file verify`: check a case file by itself, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle import sealing
from lifecycle.cli.desk import read_file
from lifecycle.cli.output import JsonFlag, print_json, print_line

app = typer.Typer(rich_markup_mode=None)
group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(group, name="case-file", help="Case files: verify one, without a database.")


@group.callback()
def case_file() -> None:
    """Case files: verify one, without a database."""


@group.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The zip that `assent user case-file` wrote.")], as_json: JsonFlag = False
) -> None:
    """Check that every file, text, message and history entry in it is the one that was hashed."""
    found = sealing.verify(read_file(file))
    if as_json:
        print_json(found)
    elif not found.problems:
        print_line(
            f"All {found.files} files of the case file of {found.user}, made at {found.made_at}, are as they were."
        )
        print_line(
            f"Its manifest has the SHA-256 {found.manifest}; the history of the database it is from holds that too."
        )
    else:
        for problem in found.problems:
            print_line(problem)
    if found.problems:
        raise typer.Exit(1)
