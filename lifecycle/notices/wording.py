"""The operator's own wording of mails: Markdown with named places, nothing that could run, checked before it is used.

A file `<locale>/<purpose>.md` in ASSENT_WORDING_DIR stands in for a shipped mail. `{document}` is a value,
`{changes}` a block of the shipped text with its heading; `{{` is a brace. What a notice must hold cannot be left out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from lifecycle.errors import TemplateError
from lifecycle.regimes import regimes
from lifecycle.states import Purpose

PLACE = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}|[{}]")
MARKS = re.compile(r"zqv\d+qz")

# Values that every such notice has, whatever the case.
_VERSION = frozenset({"operator", "external_id", "document", "number", "published_on", "effective_on", "url"})
_TERMINATION = frozenset({"operator", "external_id", "decided_on", "effective_on"})
VALUES: Mapping[Purpose, frozenset[str]] = {
    Purpose.VERSION_PUBLISHED: _VERSION,
    Purpose.ACCEPTANCE_REMINDER: _VERSION | {"due_on", "answer_url"},
    Purpose.ACCEPTANCE_OVERDUE: _VERSION | {"due_on", "answer_url"},
    Purpose.TERMINATION_NOTICE: _TERMINATION,
    Purpose.TERMINATION_EFFECTIVE: _TERMINATION,
    Purpose.TERMINATION_RESCINDED: frozenset({"operator", "external_id", "decided_on", "rescinded_on"}),
    Purpose.REINSTATED: frozenset({"operator", "external_id", "decided_on", "reinstated_on"}),
}
# Values that are addresses of ours: the only ones a link may lead to.
LINKS = frozenset({"url", "answer_url"})
# What each notice must hold: one of the alternatives each. A regime's needs come on top (`_required`).
_REQUIRED: Mapping[Purpose, tuple[tuple[str, ...], ...]] = {
    Purpose.VERSION_PUBLISHED: (
        ("opening", "document"),
        ("opening", "number"),
        ("opening", "effective_on"),
        ("changes",),
        ("meaning",),
        ("links",),
    ),
    Purpose.ACCEPTANCE_REMINDER: (("opening", "document"), ("opening", "due_on"), ("links",), ("consequence",)),
    Purpose.ACCEPTANCE_OVERDUE: (("opening", "document"), ("opening", "due_on"), ("links",), ("consequence",)),
    Purpose.TERMINATION_NOTICE: (("opening",), ("automated",), ("exception",), ("redress",), ("surviving",)),
    Purpose.TERMINATION_EFFECTIVE: (("opening", "effective_on"), ("reason",), ("redress",), ("surviving",)),
    Purpose.TERMINATION_RESCINDED: (("opening", "rescinded_on"), ("reason",)),
    Purpose.REINSTATED: (("opening", "reinstated_on"), ("reason",)),
}
_REGIMES_ASK: Mapping[Purpose, str] = {
    Purpose.VERSION_PUBLISHED: "change_needs",
    Purpose.TERMINATION_NOTICE: "termination_needs",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """One checked file."""

    subject: str
    body: str

    def fill(self, place: Callable[[str], str]) -> tuple[str, str]:
        """Subject and Markdown with each place given what stands in it."""
        return _fill(self.subject, place), _fill(self.body, place)


def load(
    folder: Path, locales: list[str], blocks: Callable[[str, Purpose], frozenset[str]]
) -> dict[tuple[str, Purpose], Wording]:
    """Every wording in the folder. Raises TemplateError naming file and fault: nothing is sent in half a wording."""
    if not folder.is_dir():
        raise TemplateError(f"ASSENT_WORDING_DIR {str(folder)!r} is no folder.")
    found = {}
    for path in sorted(folder.rglob("*.md")):
        where = path.relative_to(folder)
        locale = where.parent.as_posix()
        if locale not in locales:
            raise TemplateError(f"{path}: there is no language {locale!r} to reword; there are {', '.join(locales)}.")
        try:
            purpose = Purpose(path.stem)
            if purpose not in VALUES:
                raise ValueError
        except ValueError:
            raise TemplateError(f"{path}: only these can be reworded: {', '.join(VALUES)}.") from None
        try:
            found[locale, purpose] = _read(path.read_text("utf-8"), purpose, blocks(locale, purpose))
        except (TemplateError, OSError, UnicodeDecodeError) as error:
            raise TemplateError(f"{path}: {error}") from None
    return found


def _read(text: str, purpose: Purpose, blocks: frozenset[str]) -> Wording:
    if MARKS.search(text) or "\0" in text:
        raise TemplateError("it holds letters that Assent uses for its own purposes (zqv…qz, or NUL).")
    head, _, body = text.replace("\r\n", "\n").partition("\n")
    if not head.startswith("Subject: ") or not head.removeprefix("Subject: ").strip():
        raise TemplateError("it must begin with a line 'Subject: …'.")
    wording = Wording(head.removeprefix("Subject: "), body)
    used = _places(wording, VALUES[purpose], blocks)
    for alternatives in sorted(_required(purpose)):
        if not used.intersection(alternatives):
            named = " or ".join(f"{{{name}}}" for name in alternatives)
            raise TemplateError(f"it leaves out {named}, which this notice must hold.")
    _require_harmless(wording)
    return wording


def _required(purpose: Purpose) -> set[tuple[str, ...]]:
    """What the purpose and every regime that Assent knows ask for; a notice is no place to choose a law."""
    kind = _REGIMES_ASK.get(purpose, "")
    asked = {need for law in regimes().values() for rule in law.provisions.get(kind, ()) for need in rule.needs}
    return {*_REQUIRED[purpose], *((need,) for need in asked if need != "notice")}


def _places(wording: Wording, values: frozenset[str], blocks: frozenset[str]) -> set[str]:
    """The places used. Raises TemplateError for one that is unknown, or a block that is not alone on its line."""
    used: set[str] = set()
    for number, line in enumerate([wording.subject, *wording.body.split("\n")], start=1):
        for found in PLACE.finditer(line):
            name = found[1]
            if found[0] in {"{{", "}}"}:
                continue
            if name is None:
                raise TemplateError(f"line {number}: a brace stands alone; write it twice, {found[0] * 2}, to show it.")
            if name not in values | blocks:
                known = ", ".join(sorted(values | blocks))
                raise TemplateError(f"line {number}: {{{name}}} is no place of this notice; there are: {known}.")
            if name in blocks and (number == 1 or line != found[0]):
                raise TemplateError(f"line {number}: {{{name}}} is a whole block; it must stand alone on its line.")
            used.add(name)
    return used


def _require_harmless(wording: Wording) -> None:
    """No picture (who fetches one is tracked), and no link but to the web, to a mailbox, or to a place of ours."""
    marked = _fill(wording.body, lambda name: f"https://{name}.place/" if name in LINKS else f"zqv0{name}qz")
    for token in MarkdownIt("commonmark", {"html": False}).parse(marked):
        for child in token.children or []:
            if child.type == "image":
                raise TemplateError("it holds a picture; mails show none, for fetching it would tell who reads.")
            href = str(child.attrGet("href") or "") if child.type == "link_open" else ""
            if href and (not href.startswith(("https://", "mailto:")) or "zqv" in href):
                raise TemplateError(f"a link leads to {href!r}; only https://, mailto: and {{url}} places are allowed.")


def _fill(text: str, place: Callable[[str], str]) -> str:
    return PLACE.sub(lambda found: place(found[1]) if found[1] else found[0][0], text)
