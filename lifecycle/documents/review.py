"""What a new version's text is next to the one before it: noise or news, and what should give staff pause."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlmodel import Session

from lifecycle.documents import store, telling
from lifecycle.documents.comparison import returns_to
from lifecycle.documents.dates import text_dates
from lifecycle.documents.losses import require_text_kept
from lifecycle.documents.natures import Nature, natures
from lifecycle.models import Body, Version
from lifecycle.states import Mode


@dataclass(frozen=True, slots=True)
class Finding:
    """What the text in one language is, next to that of the version before: `natures` are empty when it is the same."""

    locale: str
    natures: frozenset[Nature]
    returns_to: int | None
    stale_date: str = ""  # the line with the date that did not change with the text

    @property
    def news(self) -> bool:
        """Whether there are other words than before, which no earlier version had."""
        return Nature.WORDS in self.natures and self.returns_to is None

    def __str__(self) -> str:
        return f"{self.locale}: {telling.amounts_to(self.natures, self.returns_to) or 'The words changed.'}"


def examine(session: Session, version: Version, previous: Version | None) -> list[Finding]:
    """The version's texts, each next to the previous version's in the same language, where it has one."""
    return [_finding(session, version, before, after) for before, after in _side_by_side(session, previous, version)]


def _finding(session: Session, version: Version, before: Body, after: Body) -> Finding:
    found = Finding(after.locale, natures(before.text, after.text), returns_to(session, version, after))
    was, now = (text_dates(body.text, locale=body.locale) for body in (before, after))
    stale = found.news and now and [date.on for date in now] == [date.on for date in was]
    return replace(found, stale_date=now[0].line) if stale else found


def proposed_mode(findings: list[Finding]) -> Mode | None:
    """`editorial`, when no text says anything new; None when there is news, or nothing to compare with."""
    return Mode.EDITORIAL if findings and not any(finding.news for finding in findings) else None


def require_texts_kept(session: Session, version: Version, previous: Version | None) -> None:
    """Raises RuleRefused when a text lost most of its words since the previous version."""
    for before, after in _side_by_side(session, previous, version):
        require_text_kept(before.text, after.text, what=f"The {after.locale} text of version {version.number}")


def advice(session: Session, version: Version, previous: Version | None, mode: Mode) -> list[str]:
    """What staff should know of the version's text before they publish it in this mode."""
    if previous is None:
        return []
    findings = examine(session, version, previous)
    told = [str(finding) for finding in findings if not finding.news]
    told += [
        f"{finding.locale}: The text changed, but it still says: {finding.stale_date!r}"
        for finding in findings
        if finding.stale_date
    ]
    proposed = proposed_mode(findings)
    if proposed and mode is not proposed:
        told.append(f"Nothing in it is new, so mode `{proposed.value}` would do, and nobody would get mail.")
    return told


def _side_by_side(session: Session, previous: Version | None, version: Version) -> list[tuple[Body, Body]]:
    earlier = {body.locale: body for body in store.bodies(session, previous)} if previous else {}
    return [(earlier[body.locale], body) for body in store.bodies(session, version) if body.locale in earlier]
