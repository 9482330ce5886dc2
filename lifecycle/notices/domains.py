"""What one recipient domain may occupy of the connections, so that a slow or dead one never holds up the rest.

A domain begins with few hand-overs at once and may have one more for each that is answered; of five connections one is
always left to the others. Silence takes half of them away, and repeated silence closes the domain for a while.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from lifecycle.notices.conversation import Reply
from lifecycle.notices.recording import Handover
from lifecycle.states import next_try

FIRST = 2
SILENCES = 3  # in a row, and the domain is put off
STUCK_SECONDS = 1.0  # behind a hand-over that takes longer, and twice as long as the last, others need not wait
AWAY, LONGEST_AWAY = timedelta(seconds=5), timedelta(minutes=1)  # so long what waits behind it makes way
MOST_REMEMBERED = 1000


@dataclass(slots=True)
class Domain:
    """How one domain has answered so far, and what is on its way to it."""

    most: int
    silences: int = 0
    closed_until: datetime | None = None
    took: float = 0.0  # seconds, the last that was answered
    busy_until: datetime | None = None  # with what was made to wait, at the pace of the last answer
    begun: dict[int, float] = field(default_factory=dict)  # by notice

    @property
    def stuck(self) -> bool:
        patience = max(STUCK_SECONDS, 2 * self.took)
        return len(self.begun) >= self.most and monotonic() - min(self.begun.values()) > patience

    def away_until(self, now: datetime) -> datetime | None:
        """Until when what is for this domain makes way for others, if it must."""
        if self.closed_until is not None and self.closed_until > now:
            return self.closed_until
        return max(now + AWAY, self.busy_until or now) if self.stuck else None

    def put_off(self, number: int, *, now: datetime) -> None:
        """So many make way now; the next come after them, or a long queue would be put off and reserved for ever."""
        pace = timedelta(seconds=max(self.took, STUCK_SECONDS) / self.most)
        self.busy_until = min(max(now + AWAY, self.busy_until or now) + number * pace, now + LONGEST_AWAY)


@dataclass(slots=True)
class Choice:
    """What leaves now, what stays reserved, and what makes way for others and until when."""

    first: list[Handover] = field(default_factory=list)
    rest: list[Handover] = field(default_factory=list)
    put_off: dict[datetime, list[Handover]] = field(default_factory=dict)


class Domains:
    """The recipient domains as this worker knows them."""

    def __init__(self, connections: int) -> None:
        self._most = connections - connections // 5  # of fewer than five none can be spared
        self._known: dict[str, Domain] = {}

    def choose(self, ready: Sequence[Handover], room: int, *, now: datetime) -> Choice:
        """The first `room` of those that their domains have room for; what comes after them is not looked at."""
        chosen, places, making_way = Choice(), dict[str, int](), Counter[str]()
        for nth, handover in enumerate(ready):
            if len(chosen.first) == room:
                chosen.rest += ready[nth:]
                break
            name = _name(handover)
            domain = self._known.get(name)
            if domain and (until := domain.away_until(now)) is not None:
                chosen.put_off.setdefault(until, []).append(handover)
                making_way[name] += 1
                continue
            if name not in places:
                places[name] = (domain.most - len(domain.begun)) if domain else min(FIRST, self._most)
            if places[name] > 0:
                places[name] -= 1
                chosen.first.append(handover)
            else:
                chosen.rest.append(handover)
        for name, number in making_way.items():
            self._known[name].put_off(number, now=now)
        return chosen

    def begin(self, handovers: Iterable[Handover]) -> None:
        """These are on their way."""
        for handover in handovers:
            domain = self._known.setdefault(_name(handover), Domain(min(FIRST, self._most)))
            domain.begun[handover.notice_id] = monotonic()

    def end(self, handover: Handover, reply: Reply, *, now: datetime) -> None:
        """This one has ended so."""
        domain = self._known[_name(handover)]
        took = monotonic() - domain.begun.pop(handover.notice_id)
        if reply.silent and not reply.of_relay:
            domain.silences += 1
            domain.most = max(domain.most // 2, 1)
            if domain.silences >= SILENCES:
                domain.closed_until = next_try(now, domain.silences - SILENCES + 1, random.random())
        elif reply.code is not None and not reply.of_relay:
            domain.silences, domain.closed_until, domain.took = 0, None, took
            domain.most = min(domain.most + 1, self._most)
        if len(self._known) > MOST_REMEMBERED:
            self._forget()

    def _forget(self) -> None:
        """Keep those that something is on its way to, or that were silent."""
        self._known = {name: domain for name, domain in self._known.items() if domain.begun or domain.silences}


def _name(handover: Handover) -> str:
    return handover.address.rpartition("@")[2].lower()
