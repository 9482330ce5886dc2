"""`assent import`: texts from files, folders and git repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle.cli.desk import Desk, open_desk
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_note, print_table, tracker
from lifecycle.documents import git_repository
from lifecycle.documents.git_importing import import_history
from lifecycle.documents.git_planning import Wanted
from lifecycle.documents.importing import ImportReport, import_path
from lifecycle.documents.mapping import read_mapping
from lifecycle.errors import InvalidInput

app = typer.Typer(rich_markup_mode=None)

SHOWN = 20  # warnings

HELP = "Import texts: a file, a folder, or the whole history of a git repository."


@app.command("import", help=HELP)
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="Markdown, HTML or DOCX, named like terms/2025-01-15.de.md or with front matter; or a git repository."
        ),
    ],
    locale: Annotated[str | None, typer.Option("--locale", help="Language of files whose name says none.")] = None,
    history: Annotated[
        bool | None,
        typer.Option(
            "--history/--no-history",
            help="Whether to import what git knows of PATH, a version a commit. A repository's root is, else not.",
        ),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", help="A TOML file that says which path is which document and language.")
    ] = None,
    rev: Annotated[str, typer.Option("--rev", help="The branch, tag or commit whose history it is.")] = "HEAD",
    first_parent: Annotated[
        bool, typer.Option("--first-parent", help="Only what the branch itself showed, not the commits merged into it.")
    ] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Take texts that lack most words of the version before them.")
    ] = False,
    text_dates: Annotated[
        bool,
        typer.Option(
            "--text-dates", help="Take files that give no date as published on the day that their text gives."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    if str(path).startswith(("https:", "http:", "ssh:", "git@")):
        url = str(path).replace(":/", "://", 1)  # a path has no double slashes
        raise InvalidInput(f"{url} is not on this machine. Clone it first: git clone {url}")
    rules = read_mapping(mapping) if mapping else []
    wants_history = git_repository.is_repository(path) if history is None else history
    if rules and not wants_history:
        raise typer.BadParameter("is for the history of a git repository; add --history.", param_hint="--map")
    if text_dates and wants_history:
        raise typer.BadParameter("is for files; a commit has its date.", param_hint="--text-dates")
    with open_desk() as desk:
        language = locale or desk.settings.default_locale
        if wants_history:
            repository, under = _repository(path)
            wanted = Wanted(language, rules, under, rev, first_parent, allow_loss, desk.zone)
            track = tracker("Importing versions, 50 a step")
            report = import_history(desk.database, repository, wanted, now=desk.now, progress=track)
        else:
            facts: dict[str, Any] = {"locale": language, "zone": desk.zone, "allow_loss": allow_loss, "now": desk.now}
            facts["text_dates"] = text_dates
            report = import_path(desk.database, path, progress=tracker("Importing texts"), **facts)
    _print(report, desk, "Versions" if wants_history else "Texts", as_json=as_json)


def _repository(path: Path) -> tuple[Path, str]:
    if not path.exists():
        raise InvalidInput(f"There is nothing at {str(path)!r} to import.")
    found = git_repository.enclosing(path)
    if found is None:
        raise InvalidInput(f"{str(path)!r} lies in no git repository, so it has no history; leave --history out.")
    return found


def _print(report: ImportReport, desk: Desk, what: str, *, as_json: bool) -> None:
    if as_json:
        problems = [{"file": name, "problem": why} for name, why in report.problems]
        warnings = [{"file": name, "warning": why} for name, why in report.warnings]
        print_json({"added": report.added, "unchanged": report.unchanged, "problems": problems, "warnings": warnings})
    else:
        print_line(f"{what}: {len(report.added)} added, {len(report.unchanged)} known already.")
        if report.warnings:
            more = f", of which the first {SHOWN} (all with --json)" if len(report.warnings) > SHOWN else ""
            print_note(f"Came in, but look at {len(report.warnings)}{more}:")
            print_table(("Where", "Warning"), report.warnings[:SHOWN], zone=desk.zone, stderr=True)
        if report.problems:
            print_note(f"Not imported: {len(report.problems)}.")
            print_table(("Where", "Problem"), report.problems, zone=desk.zone, stderr=True)
    if report.problems:
        raise typer.Exit(1)
