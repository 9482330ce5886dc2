"""`assent answers …`: how well questions are answered, what staff pin, and what was asked in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from lifecycle import shapes
from lifecycle.answers import answering, curating, measuring, sources, unanswered
from lifecycle.answers.answering import Thresholds
from lifecycle.answers.measuring import Ranked, Table
from lifecycle.cli.desk import Desk, open_desk, read_file
from lifecycle.cli.output import JsonFlag, print_json, print_line, print_table
from lifecycle.documents import store, texts
from lifecycle.shapes import Shape

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


# -- pins --------------------------------------------------------------------------------------------------------

Number = Annotated[int, typer.Argument(help="Its number, as listed.")]
OfVersion = Annotated[int | None, typer.Option("--version", help="As it reads in this version; else in that in force.")]


@app.command()
def pins(as_json: JsonFlag = False) -> None:
    """The questions that staff pinned to a section, and the versions for which that has to be confirmed."""
    with open_desk() as desk:
        found = desk.database.read(lambda s: [shapes.pin(s, pin, now=desk.now) for pin in curating.pins(s)])
    if as_json:
        return print_json(found)
    rows = [(p["number"], p["question"], f"{p['document']}#{p['section']}", p["locale"], _doubts(p)) for p in found]
    headers = ("Pin", "Question", "Section", "Locale", "To confirm")
    return print_table(headers, rows, zone=desk.zone, empty='No pins yet: assent answers pin SLUG SECTION "QUESTION"')


@app.command()
def pin(
    document: Annotated[str, typer.Argument(help="Its slug.")],
    section: Annotated[str, typer.Argument(help="By number, anchor or title.")],
    question: Annotated[str, typer.Argument(help="As people ask it; other words for the same are known again.")],
    lead_in: Annotated[str, typer.Option("--lead-in", help="A sentence of yours before the quote.")] = "",
    locale: Annotated[str, typer.Option("--locale", help="The language; else the document's.")] = "",
    version: OfVersion = None,
    as_json: JsonFlag = False,
) -> None:
    """Say that a section answers a question."""

    def work(session: Session, desk: Desk) -> Shape:
        found = store.document(session, document)
        told = {"locale": locale, "lead_in": lead_in}
        made = curating.pin(session, found, question, section, **told, version=version, now=desk.now)
        return shapes.pin(session, made, now=desk.now)

    with open_desk() as desk:
        made = desk.database.run(work, desk)
    if as_json:
        return print_json(made)
    return print_line(f"Pin {made['number']}: {question!r} is answered by {document}#{made['section']}.")


@app.command()
def confirm(
    number: Number,
    section: Annotated[str, typer.Option("--section", help="Another one than before.")] = "",
    version: OfVersion = None,
) -> None:
    """Say that a pin still holds now that its section reads otherwise."""
    with open_desk() as desk:
        place = desk.database.run(
            lambda s: curating.confirm(s, curating.by_number(s, number), section, version=version, now=desk.now)
        )
    print_line(f"Confirmed: pin {number} holds for the section {place.anchor} as it reads now.")


@app.command()
def unpin(number: Number) -> None:
    """Take a pin off."""
    with open_desk() as desk:
        desk.database.run(lambda s: curating.remove(s, curating.by_number(s, number), now=desk.now))
    print_line(f"Removed: pin {number}. The ranking decides again.")


def _doubts(pin: Shape) -> str:
    return ", ".join(
        f"version {each['version']}" + ("" if each["section"] else " (the section is gone)") for each in pin["doubts"]
    )


# -- asked in vain -----------------------------------------------------------------------------------------------


@app.command("unanswered")
def unanswered_(as_json: JsonFlag = False) -> None:
    """Questions that found no answer, for the next revision; of nobody who opted out of logging."""
    with open_desk() as desk:
        found = [shapes.unanswered(each) for each in desk.database.read(unanswered.unanswered)]
    if as_json:
        return print_json(found)
    rows = [(u["number"], u["times"], u["question"], u["outcome"], u["last_at"]) for u in found]
    headers = ("Number", "Times", "Question", "Outcome", "Last")
    return print_table(headers, rows, zone=desk.zone, empty="Nothing was asked in vain.")


@app.command()
def dismiss(number: Number) -> None:
    """Take a question off the list of those asked in vain."""
    with open_desk() as desk:
        desk.database.run(unanswered.dismiss, number, now=desk.now)
    print_line(f"Dismissed: question {number}.")


# -- measuring ---------------------------------------------------------------------------------------------------


def _fare(desk: Desk, file: Path, documents: list[str]) -> list[Ranked]:
    questions = measuring.read_labelled(texts.decode(read_file(file), name=str(file)), name=str(file))
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
