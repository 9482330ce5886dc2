"""`assent answers …`: how well questions are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.answers import answering, measuring, sources
from lifecycle.answers.answering import Thresholds
from lifecycle.answers.measuring import Ranked, Table
from lifecycle.cli.desk import Desk, open_desk, read_file
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_table
from lifecycle.documents import store

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

File = Annotated[
    Path,
    typer.Argument(help='Lines of {"question", "sections": ["slug#section"], "locale"}; no sections: unanswerable.'),
]
Documents = Annotated[list[str] | None, typer.Option("--document", help="Only on this one; repeatable.")]


@app.command()
def evaluate(
    file: File,
    document: Documents = None,
    misses: Annotated[bool, typer.Option("--misses", help="Name the questions that went wrong.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """How well labelled questions are answered from the texts in force, with the thresholds in use."""
    with open_desk() as desk:
        ranked = _fare(desk, file, document or [])
        used = _in_use(desk)
    if as_json:
        return print_json({"table": measuring.table(ranked, used.answered), "thresholds": used})
    _print_table({"with the thresholds in use": measuring.table(ranked, used.answered)}, desk)
    return _print_misses(ranked, used) if misses else None


@app.command()
def tune(file: File, document: Documents = None, as_json: JsonFlag = False) -> None:
    """The thresholds that suit labelled questions of your own; put them into assent.toml."""
    with open_desk() as desk:
        ranked = _fare(desk, file, document or [])
        used = _in_use(desk)
    tuned = measuring.tune(ranked)
    tables = {
        f"in use ({used.answered:g})": measuring.table(ranked, used.answered),
        f"tuned ({tuned.answered:g})": measuring.table(ranked, tuned.answered),
    }
    if as_json:
        return print_json({"thresholds": tuned, "tables": tables})
    _print_table(tables, desk)
    print_line(f"\nanswer_threshold = {tuned.answered:g}\nclosest_threshold = {tuned.closest:g}")
    return None


def _fare(desk: Desk, file: Path, documents: list[str]) -> list[Ranked]:
    questions = measuring.read_labelled(store.decode(read_file(file), name=str(file)), name=str(file))
    return desk.database.read(measuring.fare, questions, settings=desk.settings, documents=documents, now=desk.now)


def _in_use(desk: Desk) -> Thresholds:
    return answering.thresholds(desk.settings, by_meaning=sources.installed(desk.settings) is not None)


def _print_table(tables: dict[str, Table], desk: Desk) -> None:
    rows = [(label, *(_shown(getattr(table, field)) for table in tables.values())) for field, label in _ROWS.items()]
    print_table(("", *tables), rows, zone=desk.zone)


_ROWS = {
    "answerable": "questions a text answers",
    "unanswerable": "questions none does",
    "first": "right section first",
    "in_three": "right section in three",
    "answered_right": "answered rightly",
    "answered_wrong": "answered wrongly",
    "abstained_right": "unanswerable, not answered",
    "auroc": "AUROC",
}


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _print_misses(ranked: list[Ranked], used: Thresholds) -> None:
    for found in ranked:
        spoken = found.score >= used.answered
        if spoken != found.answerable or (found.answerable and found.place != 1):
            said = "answered" if spoken else "not answered"
            place = f", found at place {found.place}" if found.place else ""
            wanted = " or ".join(found.labelled.sections) or "silence"
            print_line(f"{found.score:.2f} {said}: {found.labelled.question} (wanted {wanted}{place})")
