"""Two versions of a document set against each other, in one language, and what their difference amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from lifecycle.documents import store
from lifecycle.documents.compare import Change, compare, totals
from lifecycle.documents.natures import Nature, natures
from lifecycle.documents.sections import Section
from lifecycle.models import Body, Document, Version


@dataclass(frozen=True, slots=True)
class Comparison:
    """`natures` say what the difference is made of, and are empty when there is none.

    `returns_to` is an earlier version with the very text of the new one; `between` are the published versions that
    came in force between the two.
    """

    document: Document
    old: Version
    new: Version
    old_body: Body
    new_body: Body
    changes: tuple[Change, ...]
    natures: frozenset[Nature]
    returns_to: int | None
    between: tuple[Version, ...]

    @property
    def totals(self) -> dict[str, int]:
        return totals(self.changes)

    @property
    def other_languages(self) -> bool:
        """Whether the two have no language in common, so that everything differs."""
        return self.old_body.locale != self.new_body.locale


def compare_versions(session: Session, document: Document, old: Version, new: Version, *locales: str) -> Comparison:
    """The two versions in the first of `locales` that both have, else in the document's, else in any that both have."""
    before, after = _bodies(session, document, old, new, locales)
    sections = _sections(session, before), _sections(session, after)
    return Comparison(
        document,
        old,
        new,
        before,
        after,
        tuple(compare(before.text, after.text, sections=sections)),
        natures(before.text, after.text),
        returns_to(session, new, after),
        tuple(_between(session, document, old, new)),
    )


def shared_locales(session: Session, *versions: Version) -> list[str]:
    """The languages in which each of the versions has a text."""
    return sorted(set.intersection(*({body.locale for body in store.bodies(session, v)} for v in versions)))


def returns_to(session: Session, version: Version, body: Body) -> int | None:
    """The latest version before the one just before this that has the very text in the same language."""
    earlier = (
        select(Version.number)
        .join(Body, col(Body.version_id) == col(Version.id))
        .where(
            Version.document_id == version.document_id,
            Version.number < version.number - 1,
            Body.locale == body.locale,
            Body.sha256 == body.sha256,
        )
    )
    return session.exec(earlier.order_by(col(Version.number).desc())).first()


def _bodies(
    session: Session, document: Document, old: Version, new: Version, locales: Sequence[str]
) -> tuple[Body, Body]:
    shared = shared_locales(session, old, new)
    wanted = [name for locale in locales if locale for name in (locale, locale.split("-")[0])]
    locale = next((name for name in (*wanted, document.default_locale, *shared) if name in shared), "")
    before, after = (store.body(session, version, *([locale] if locale else locales)) for version in (old, new))
    return before, after


def _sections(session: Session, body: Body) -> list[Section]:
    return [
        Section(row.position, row.level, row.number, row.title, row.anchor, tuple(row.path), row.start, row.end)
        for row in store.section_rows(session, body)
    ]


def _between(session: Session, document: Document, old: Version, new: Version) -> list[Version]:
    chain = store.chain(session, document.id)
    numbers = [version.number for version in chain]
    if old.number not in numbers or new.number not in numbers:
        return []
    return chain[numbers.index(old.number) + 1 : numbers.index(new.number)]
