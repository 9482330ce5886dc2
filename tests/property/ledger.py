"""What the machine knows by its own bookkeeping, and what DESIGN section 3 makes of it. Asks the code nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.helpers import ZONE

MILD_TO_STRICT = ("editorial", "notice", "continued_use", "silence", "explicit")


def counted(start: datetime, days: int, which: Callable[..., datetime] = min) -> datetime:
    """`days` calendar days after `start` on the operator's wall; of a time that comes twice, or never, the earliest."""
    wall = start.astimezone(ZONE).replace(tzinfo=None) + timedelta(days=days)
    return which(wall.replace(tzinfo=ZONE, fold=fold).astimezone(UTC) for fold in (0, 1)) if days else start


@dataclass
class Published:
    """A version as the machine published it."""

    id: int
    document: str
    number: int
    mode: str
    effective: datetime
    deadline_days: int
    withdrawn: datetime | None = None

    def stands(self, at: datetime) -> bool:
        return self.effective <= at and (self.withdrawn is None or at < self.withdrawn)


@dataclass
class Ended:
    """A termination as the machine decided it."""

    id: int
    user: str
    by: str
    notice_days: int
    effective: datetime
    proven: datetime | None = None
    overridden: datetime | None = None
    undone: datetime | None = None
    rescinded: bool = False
    ends: datetime | None = None
    scope: str = ""
    stayed: bool = False
    resumed: datetime | None = None

    def over(self, at: datetime) -> bool:
        return self.undone is not None or (self.ends is not None and self.ends <= at)

    def since(self) -> datetime | None:
        """From when on rule 5 lets it be in effect; None while it must wait."""
        resumed = [self.resumed] if self.resumed else []
        if self.by == "user":
            return max([self.effective, *resumed])
        proof = [counted(self.proven, self.notice_days, max)] if self.proven else []
        override = [self.overridden] if self.overridden else []
        return max([self.effective, min(proof + override), *resumed]) if proof + override else None


@dataclass
class Given:
    """A grace as the machine gave it: for one user or all, until an instant or for good, and when it was undone."""

    id: int
    version: int
    user: str | None
    until: datetime | None
    decided: datetime
    undone: datetime | None = None

    def concerns(self, user: str, version: Published) -> bool:
        return self.version == version.id and self.user in (None, user)

    def lasts(self) -> datetime | None:
        return min((at for at in (self.until, self.undone) if at is not None), default=None)


@dataclass
class Copy:
    """One message given to the relay, and what became of it: on its way, sent, deferred, failed, unknown or lost."""

    notice: int
    message: bytes
    fate: str = "on its way"

    @property
    def may_have_arrived(self) -> bool:
        return self.fate in {"on its way", "sent", "unknown", "lost"}


@dataclass
class Use:
    """A use as the host reported it, and what each document had announced last by then."""

    user: str
    at: datetime
    announced: set[int]


@dataclass
class Ledger:
    """Everything that happened, in order."""

    versions: list[Published] = field(default_factory=list)
    answers: list[tuple[str, int, str, datetime]] = field(default_factory=list)
    told: dict[tuple[str, int], datetime] = field(default_factory=dict)
    used: list[Use] = field(default_factory=list)
    ended: dict[int, Ended] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    graces: list[Given] = field(default_factory=list)
    retried_by_staff: dict[int, int] = field(default_factory=dict)

    def standing(self, document: str, at: datetime) -> list[Published]:
        """The document's versions that came in force by `at` and were not withdrawn by then, in order."""
        found = [version for version in self.versions if version.document == document and version.stands(at)]
        return sorted(found, key=lambda version: (version.effective, version.number))

    def deadline(self, user: str, version: Published) -> datetime | None:
        """Rule 4: the later of the version's and the one counted from the user's proven notice; None before it."""
        told = self.told.get((user, version.id))
        if told is None:
            return None
        graces = [given for given in self.graces if given.concerns(user, version)]
        if version.mode == "silence":
            due = max(version.effective, counted(told, version.deadline_days))
            graces = [given for given in graces if given.decided < due]
        else:
            due = max(counted(version.effective, version.deadline_days), counted(told, version.deadline_days))
        return max([due, *(until for given in graces if (until := given.lasts()) is not None)])

    def exempt(self, user: str, version: Published) -> bool:
        """Whether staff lifted the deadline and did not take that back."""
        mine = (given for given in self.graces if given.concerns(user, version))
        return any(given.until is None and given.undone is None for given in mine)

    def bindable(self, user: str, document: str, at: datetime, *, surely: bool = False) -> list[Published]:
        """Rule 3: the versions that the record lets bind the user at `at`, in order; the last one counts.

        `surely` leaves out what needs a deed of the clock or of the host to be recorded: use and silence,
        and having been told where the user took an acceptance back.
        """
        found: list[Published] = []
        strictest = 0
        for version in self.standing(document, at):
            carried = bool(found) and strictest == 0 and version.mode == "editorial"
            strictest = max(strictest, MILD_TO_STRICT.index(version.mode))
            surely_told = surely and not self.said_yes(user, version, at, ("withdrawn",))
            ways = WAYS if not surely else WAYS[:2] if surely_told else ()
            if (
                carried
                or self.said_yes(user, version, at)
                or any(way(self, user, version, at) for way in ways[strictest : strictest + 1])
            ):
                found.append(version)
                strictest = 0
        return found

    def _said(self, user: str, version: Published, until: datetime) -> Iterator[tuple[datetime, int, str]]:
        for order, (who, about, kind, at) in enumerate(self.answers):
            if (who, about) == (user, version.id) and at <= until:
                yield at, order, kind

    def said_yes(self, user: str, version: Published, at: datetime, yes=("accepted", "imported")) -> bool:
        said = list(self._said(user, version, at))
        taken_back = max((s for s in said if s[2] == "withdrawn"), default=(datetime.min.replace(tzinfo=UTC), -1, ""))
        return any(s[2] in yes and s > taken_back for s in said)

    def was_told(self, user: str, version: Published, at: datetime) -> bool:
        told = self.told.get((user, version.id))
        return (told is not None and told <= at) or self.said_yes(user, version, at, ("acknowledged",))

    def used_on(self, user: str, version: Published, at: datetime) -> bool:
        told = self.told.get((user, version.id))
        return told is not None and any(
            use.user == user and told < use.at <= at and version.id in use.announced for use in self.used
        )

    def use(self, user: str, at: datetime) -> None:
        """The host reports it. What is published later, be it at the same instant, was not what the user used."""
        announced = [self._announced_last(document, at) for document in {v.document for v in self.versions}]
        self.used.append(Use(user, at, {version.id for version in announced if version is not None}))

    def _announced_last(self, document: str, at: datetime) -> Published | None:
        announced = [v for v in self.standing(document, at) if v.mode != "editorial"]
        return announced[-1] if announced else None

    def stayed_silent(self, user: str, version: Published, at: datetime) -> bool:
        due = self.deadline(user, version)
        answers = {"accepted", "declined", "objected", "withdrawn"}
        return due is not None and due <= at and not any(s[2] in answers for s in self._said(user, version, due))

    def in_effect(self, user: str, at: datetime) -> bool:
        """Rule 5: whether a termination stands in the user's way at `at`."""
        return self.ending(user, at) is not None

    def ending(self, user: str, at: datetime, *, whole: bool = False) -> Ended | None:
        """The termination in effect; `whole` leaves out those of a part, for a time, that leave the user a user."""
        mine = (e for e in self.ended.values() if e.user == user and not e.over(at) and not e.stayed)
        begun = (e for e in mine if (since := e.since()) is not None and since <= at)
        return next((e for e in begun if not whole or not (e.scope or e.ends)), None)

    def arrived(self, notice: int) -> list[Copy]:
        return [copy for copy in self.copies if copy.notice == notice and copy.may_have_arrived]


# By strictness: what binds short of a yes. Nothing does where a yes is asked for.
WAYS = (Ledger.was_told, Ledger.was_told, Ledger.used_on, Ledger.stayed_silent)
