"""`assent init | migrate | doctor`: setting up and keeping in order."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import typer

from lifecycle.cli import doctoring
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_note, print_table
from lifecycle.db import Database, open_database
from lifecycle.settings import ensure_writable, load_settings

app = typer.Typer(rich_markup_mode=None)

SETTINGS_FILE = Path("assent.toml")


@app.command(help="Make the data folder, the database and a commented assent.toml.")
def init() -> None:
    settings = load_settings()
    ensure_writable(settings.data_dir)
    database = open_database(settings)
    database.close()
    print_line(f"The database is ready: {database.shown_url}")
    if _write_settings():
        print_line(f"Wrote {SETTINGS_FILE}; every setting is in it, as a comment.")
    else:
        print_line(f"{SETTINGS_FILE} is here already and was left alone.")
    print_note("Next: assent import FOLDER")


def _write_settings() -> bool:
    """Whether the file was made; it may come to hold passwords, so that only its owner reads it."""
    try:
        descriptor = os.open(SETTINGS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(files("lifecycle.cli").joinpath("assent.toml").read_text("utf-8"))
    return True


@app.command(help="Bring the database to this release.")
def migrate(as_json: JsonFlag = False) -> None:
    settings = load_settings()
    if settings.database.startswith("sqlite"):
        ensure_writable(settings.data_dir)
    database = Database(settings.database)
    try:
        before = database.revision()
        database.upgrade()
        after = database.revision()
    finally:
        database.close()
    if as_json:
        return print_json({"before": before, "after": after})
    at = f"{database.shown_url} is at {after}"
    return print_line(f"{at} already." if before == after else f"{at}; it was {'at ' + before if before else 'empty'}.")


@app.command(help="Check settings, database, templates and mail, and say what is wrong.")
def doctor(as_json: JsonFlag = False) -> None:
    settings = load_settings()
    findings = doctoring.examine(settings)
    if as_json:
        print_json(findings)
    else:
        rows = [(finding.level, finding.about, finding.word) for finding in findings]
        print_table(("", "Checked", "Found"), rows, zone=settings.zone)
    if any(finding.level is doctoring.Level.FAULT for finding in findings):
        raise typer.Exit(1)
