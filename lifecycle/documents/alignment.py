"""Which sections of two texts are about the same: kept in place, moved, split, merged, or without a counterpart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from lifecycle.documents.sections import Section
from lifecycle.documents.words import longest_rising, words

ALIKE = 0.4  # of the word pairs of two sections, what both must have to be taken for the same under another name
PART = 0.6  # of the word pairs of a section, what its neighbour must have lost to it for it to be split off
LEAST = 4  # word pairs below which a likeness is chance
NEAREST = 5  # sections that are looked at more closely for one

Pairs = frozenset[int]  # by their hashes, which the collector of garbage need not visit


@dataclass(frozen=True, slots=True)
class Group:
    """Sections that belong together: one of each side, one and its parts, or one alone."""

    old: tuple[Section, ...]
    new: tuple[Section, ...]
    moved: bool = False


class Side:
    """The sections of one text."""

    def __init__(self, body: str, sections: Sequence[Section]) -> None:
        self.sections = sections
        self.sources = [body[section.start : section.end].strip() for section in self.sections]
        self.team: dict[int, _Team] = {}  # of each section that has found one
        self._pairs: dict[int, Pairs] = {}

    @property
    def free(self) -> list[int]:
        return [place for place in range(len(self.sections)) if place not in self.team]

    def pairs(self, place: int) -> Pairs:
        """The pairs of neighbouring words in a section, its heading among them."""
        if place not in self._pairs:
            self._pairs[place] = frozenset(map(hash, pairwise(words(self.sources[place].casefold()))))
        return self._pairs[place]


@dataclass(slots=True)
class _Team:
    """A group in the making, by places."""

    old: list[int]
    new: list[int]


def align(old: str, new: str, old_sections: Sequence[Section], new_sections: Sequence[Section]) -> list[Group]:
    """All sections of both texts, each in exactly one group, as one reads on in the new text.

    What was removed stands after what it followed in the old text.
    """
    a, b = Side(old, old_sections), Side(new, new_sections)
    # The surest sign first; what it leaves over is tried by the next.
    _match(a, b, _by(lambda side, n: side.sources[n], a, b, repeated=True))
    _match(a, b, _by(lambda side, n: (*side.sections[n].path, side.sections[n].title.casefold()), a, b))
    _match(a, b, _by(lambda side, n: side.sections[n].title.casefold(), a, b))
    _match(a, b, _alike(a, b))
    _match(a, b, _in_step(a, b))
    _adopt(b, lambda team: (team.new, team.old), a)
    _adopt(a, lambda team: (team.old, team.new), b)
    return list(_in_order(a, b))


def _match(a: Side, b: Side, pairs: Iterable[tuple[int, int]]) -> None:
    for i, j in pairs:
        if i not in a.team and j not in b.team:
            a.team[i] = b.team[j] = _Team([i], [j])


def _by(key: Callable[[Side, int], Hashable], a: Side, b: Side, *, repeated: bool = False) -> Iterator[tuple[int, int]]:
    """Sections with the same key: those that no other shares it with, or if `repeated` the n-th with the n-th."""
    places = defaultdict[Hashable, tuple[list[int], list[int]]](lambda: ([], []))
    for side, which in ((a, 0), (b, 1)):
        for place in side.free:
            places[key(side, place)][which].append(place)
    for olds, news in places.values():
        if repeated or len(olds) == len(news) == 1:
            yield from zip(olds, news, strict=False)


def _alike(a: Side, b: Side) -> Iterator[tuple[int, int]]:
    """Sections whose words are much the same, the likest first.

    Which may be is told by where each pair of words stands first and last; how alike they are, by all of their pairs.
    """
    if not (a.free and b.free):
        return
    first, last = dict[int, int](), dict[int, int]()
    for places, held in ((a.free, last), (reversed(a.free), first)):
        for i in places:
            held.update(dict.fromkeys(a.pairs(i), i))
    scored = []
    for j in b.free:
        known = b.pairs(j) & last.keys()
        near = Counter(chain(map(first.__getitem__, known), map(last.__getitem__, known)))
        nearest = sorted(near, key=lambda i: (-near[i], i))[:NEAREST]
        scored += [(_likeness(a.pairs(i), b.pairs(j)), i, j) for i in nearest]
    yield from ((i, j) for likeness, i, j in sorted(scored, key=lambda s: (-s[0], s[1:])) if likeness >= ALIKE)


def _likeness(a: Pairs, b: Pairs) -> float:
    both = len(a & b)
    return 2 * both / (len(a) + len(b)) if both >= LEAST else 0.0


def _in_step(a: Side, b: Side) -> Iterator[tuple[int, int]]:
    """Beside sections that match: those with the same printed number, and the opening texts."""
    for j in b.free:
        before, after = b.team.get(j - 1), b.team.get(j + 1)
        beside = {before.old[0] + 1 if before else 0} | ({after.old[0] - 1} if after else set())
        for i in sorted(place for place in beside if 0 <= place < len(a.sections) and place not in a.team):
            one, other = a.sections[i], b.sections[j]
            if one.level == other.level == 0 or (one.number and one.number == other.number):
                yield i, j


def _adopt(side: Side, members: Callable[[_Team], tuple[list[int], list[int]]], other: Side) -> None:
    """Give a section without a counterpart to its neighbour's team when its text was, or now is, the neighbour's.

    `members` are a team's places on this side and on the other.
    """
    for step in (1, -1):
        for place in side.free[::step]:
            team = side.team.get(place - step)
            if team is None or len(members(team)[1]) > 1:
                continue
            ours, [whole] = members(team)
            if side.sources[ours[0]] == other.sources[whole]:
                continue
            pairs = side.pairs(place)
            taken = (pairs & other.pairs(whole)).difference(*map(side.pairs, ours))
            if len(taken) >= max(LEAST, PART * len(pairs)):
                ours.append(place)
                ours.sort()
                side.team[place] = team


def _in_order(a: Side, b: Side) -> Iterator[Group]:
    teams = list({id(team): team for _, team in sorted(b.team.items())}.values())
    steady = {id(teams[n]) for n in longest_rising([team.old[0] for team in teams])}
    heads = {team.new[0]: team for team in teams}
    removed = _removed(a)
    for place in removed.get(-1, ()):
        yield Group((a.sections[place],), ())
    for place in range(len(b.sections)):
        if place not in b.team:
            yield Group((), (b.sections[place],))
        elif place in heads:
            team = heads[place]
            olds, news = (tuple(s.sections[n] for n in ns) for s, ns in ((a, team.old), (b, team.new)))
            yield Group(olds, news, moved=id(team) not in steady)
            for gone in chain.from_iterable(removed.get(n, ()) for n in team.old):
                yield Group((a.sections[gone],), ())


def _removed(a: Side) -> dict[int, list[int]]:
    """What has no counterpart, by the section before it that has one, -1 for the beginning."""
    removed = defaultdict[int, list[int]](list)
    last = -1
    for place in range(len(a.sections)):
        if place in a.team:
            last = place
        else:
            removed[last].append(place)
    return removed
