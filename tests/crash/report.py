"""What a run with crashes came to: what every such run promises of rule 7, shows and counts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, select

from lifecycle.models import Engagement, Notice
from lifecycle.states import EngagementKind, NoticeStatus
from tests.crash.sink import Arrivals


@dataclass
class Report:
    """A run adds its own counts, and what it promises of them."""

    notices: int
    lost: int = 0
    doubles: int = 0
    most_copies: int = 0
    most_texts: int = 0
    sent_without_proof: int = 0
    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)

    def promises(self) -> dict[str, bool]:
        """What would be broken, and whether it holds."""
        return {
            f"{self.lost} users were neither sent a copy nor left to staff": self.lost == 0,
            f"somebody got {self.most_copies} copies": self.most_copies <= 2,
            f"copies to one user had {self.most_texts} different texts": self.most_texts <= 1,
            f"{self.sent_without_proof} notices are sent without the user being told": self.sent_without_proof == 0,
        }

    def rows(self) -> dict[str, object]:
        """What the run is about, as a table's names and values."""
        return {}

    def broken(self) -> list[str]:
        """What the run broke of the promise; nothing when all is well."""
        return [breach for breach, kept in self.promises().items() if not kept]

    def table(self) -> str:
        shown = {
            "notices": self.notices,
            **self.rows(),
            "lost": self.lost,
            "most copies for one user": self.most_copies,
            "most different texts per user": self.most_texts,
            "statuses": ", ".join(f"{number} {status}" for status, number in sorted(self.statuses.items())),
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(f"{name:<32}{value}" for name, value in shown.items())

    def show(self) -> int:
        """Print it; the exit status."""
        print(self.table())
        for breach in self.broken():
            print("BROKEN:", breach)
        return 1 if self.broken() else 0

    def count(self, session: Session, arrived: Arrivals, notices: Sequence[Notice]) -> None:
        """What is counted alike in every run: copies, texts, statuses, and whether who is sent a notice is told."""
        copies = arrived.copies.values()
        sent = {notice.user_id for notice in notices if notice.status is NoticeStatus.SENT}
        told = set(session.exec(select(Engagement.user_id).where(Engagement.kind == EngagementKind.NOTIFIED)))
        self.statuses = dict(Counter(notice.status.value for notice in notices))
        self.sent_without_proof = len(sent ^ told)
        self.most_copies = max(map(len, copies), default=0)
        self.most_texts = max((len({copy.message for copy in some}) for some in copies), default=0)
