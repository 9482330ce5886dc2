"""All published versions and when each counts, kept by the process until the database says that they changed.

What a version's calendar says at `now` is the same for everyone, so it is worked out once for all instants between
two turns. The database marks every change with a new random token (migration 0005); whoever reads facts reads the
token beside them, and so knows whether the timetable at hand was theirs.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from lifecycle.documents import store
from lifecycle.models import Document, Grace, TimetableMark, Version

KEPT = 4  # timetables: the one that counts, and those that other transactions still see


@dataclass(slots=True)
class Course:
    """A document's versions at a moment: what came in force, in order, and what will.

    `verdicts` keeps what `standing` made of a sequence of facts; it holds for every user with the same.
    """

    slug: str
    versions: Sequence[Version]
    passed: Sequence[Version]
    number: int  # of the version in force, 0 before there is one
    upcoming: tuple[int, ...]
    turns: Sequence[datetime]  # the instants at which a version came in force, or was withdrawn
    verdicts: dict[tuple[Any, ...], Any] = field(default_factory=dict)


@dataclass(slots=True)
class Moment:
    """Every document's course between two turns; `place` says by version id whose version it is."""

    courses: list[Course]
    place: Mapping[int, int]


class Timetable:
    """The chains of all documents, and the graces that count for all users, by version id."""

    def __init__(self, chains: Mapping[str, Sequence[Version]], graces: Mapping[int, Sequence[Grace]]) -> None:
        self.chains, self.graces = chains, graces
        self._turns = _turns([version for versions in chains.values() for version in versions])
        self._moments: dict[int, Moment] = {}
        self._place = {version.id: n for n, versions in enumerate(chains.values()) for version in versions}

    def at(self, now: datetime) -> Moment:
        turn = bisect_right(self._turns, now)
        found = self._moments.get(turn)
        if found is None:
            found = self._moments[turn] = Moment([_course(*item, now) for item in self.chains.items()], self._place)
        return found


def _turns(versions: Iterable[Version]) -> list[datetime]:
    instants = (at for version in versions for at in (version.effective_at, version.withdrawn_at))
    return sorted({at for at in instants if at is not None})


def _course(slug: str, versions: Sequence[Version], now: datetime) -> Course:
    passed, upcoming = store.standing_chain(versions, now), store.upcoming(versions, now)
    number = passed[-1].number if passed else 0
    return Course(slug, versions, passed, number, tuple(version.number for version in upcoming), _turns(versions))


_kept: dict[int, Timetable] = {}


def kept(token: int) -> Timetable | None:
    """The timetable under this token, if the process has it."""
    return _kept.get(token)


def timetable(session: Session, token: int) -> Timetable | None:
    """The timetable under this token; None when the database has moved on since the token was read."""
    found = _kept.get(token)
    if found is None:
        found = _load(session)
        if token_now(session) != token:  # read after the tables: so nothing changed in between
            return None
        while len(_kept) >= KEPT:
            _kept.pop(next(iter(_kept)), None)
        _kept[token] = found
    return found


def token_now(session: Session) -> int:
    return session.exec(select(TimetableMark.token)).one()


def _load(session: Session) -> Timetable:
    """Copies that belong to no session: they outlive it."""
    table = Version.__table__  # type: ignore[attr-defined]
    rows = session.execute(
        columns(table).where(table.c.published_at.is_not(None)).order_by(table.c.effective_at, table.c.number)
    )
    published = [Version(**row) for row in rows.mappings()]
    chains = {
        slug: [version for version in published if version.document_id == document_id]
        for document_id, slug in session.exec(select(Document.id, Document.slug).order_by(Document.slug))
    }
    graces: dict[int, list[Grace]] = {}
    of_all = columns(Grace.__table__).where(col(Grace.user_id).is_(None))  # type: ignore[attr-defined]
    for row in session.execute(of_all).mappings():
        graces.setdefault(row["version_id"], []).append(Grace(**row))
    return Timetable(chains, graces)
