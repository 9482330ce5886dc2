"""Which words went from one text and which came, marked as few as can be and where a reader would put the marks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from rapidfuzz.distance import LCSseq

# Scripts that put no blanks between words, so that each character stands for itself: Thai, Lao, Khmer, Chinese ...
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Vowel signs and points belong to their word; Python's \w leaves them out.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0dff"
WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W{_UNSPACED}]|[{_MARKS}])+")
_SPLIT = re.compile(f"({WORD.pattern})")
# Most texts hold none of these, and then \w+ says the same in a third of the time.
_SPECIAL = re.compile(f"[{_UNSPACED}{_MARKS}]")
_PLAIN_WORD, _PLAIN_SPLIT = re.compile(r"\w+"), re.compile(r"(\w+)")

CELLS = 250_000_000  # of the table of common subsequences, a bit each: 30 MB; larger texts are cut at anchors first
SPARE = 0.08  # of the fewest marks possible, what may be marked on top to spare the reader crumbs between changes


class EditKind(StrEnum):
    KEPT = "kept"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Edit:
    """A run of text that both sides have, or only the new one, or only the old one."""

    kind: EditKind
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """Words that both sides have in a row: `size` of them, from `old` and from `new`."""

    old: int
    new: int
    size: int


Part = tuple[EditKind, str]  # an edit in the making, perhaps of no text


def words(text: str) -> list[str]:
    return (WORD if _is_special(text) else _PLAIN_WORD).findall(text)


def _is_special(text: str) -> bool:
    return not text.isascii() and bool(_SPECIAL.search(text))


def count(edits: Iterable[Edit], kind: EditKind) -> int:
    """How many words the edits of one kind hold."""
    return sum(len(words(edit.text)) for edit in edits if edit.kind is kind)


def mark(old: str, new: str) -> tuple[Edit, ...]:
    """The edits that lead from the old text to the new one; those not added, joined, are the old text exactly."""
    if old == new:
        return (Edit(EditKind.KEPT, old),) if old else ()
    if not old or not new:
        return (Edit(EditKind.REMOVED, old) if old else Edit(EditKind.ADDED, new),)
    return tuple(_merged(_parts(old, new)))


def _parts(old: str, new: str) -> Iterator[Part]:
    """Equal lines at both ends first, which is fast; words only between them."""
    a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    yield EditKind.KEPT, "".join(a[:head])
    yield from _parts_by_words("".join(a[head : len(a) - tail]), "".join(b[head : len(b) - tail]))
    yield EditKind.KEPT, "".join(a[len(a) - tail :])


def _parts_by_words(old: str, new: str) -> Iterator[Part]:
    # Gaps at even places, words at odd ones; a run of words lies at 2n+1, 2n+3, ...
    a, b = ((_SPLIT if _is_special(side) else _PLAIN_SPLIT).split(side) for side in (old, new))
    at_old = at_new = 0
    for run in common(a[1::2], b[1::2]):
        first = 2 * run.old + 1, 2 * run.new + 1
        yield from _between(a[at_old : first[0]], b[at_new : first[1]])
        at_old, at_new = first[0] + 2 * run.size - 1, first[1] + 2 * run.size - 1
        yield from _same_words(a[first[0] : at_old], b[first[1] : at_new])
    yield from _between(a[at_old:], b[at_new:])


def _same_words(a: list[str], b: list[str]) -> Iterator[Part]:
    """Two runs of the same words, which may differ in what stands between them."""
    at = 0
    for place in [] if a == b else [n for n, (was, now) in enumerate(zip(a, b, strict=True)) if was != now]:
        yield EditKind.KEPT, "".join(a[at:place])
        yield from _between([a[place]], [b[place]])
        at = place + 1
    yield EditKind.KEPT, "".join(a[at:])


def _between(a: list[str], b: list[str]) -> list[Part]:
    """What stands between two kept words, gaps and words by turns: all of it differs, but for the ends of the gaps."""
    was, now = "".join(a), "".join(b)
    if was == now:
        return [(EditKind.KEPT, was)]
    head = _shared(a[0], b[0])
    tail = min(_shared(a[-1][::-1], b[-1][::-1]), len(was) - head, len(now) - head)
    return [
        (EditKind.KEPT, was[:head]),
        (EditKind.REMOVED, was[head : len(was) - tail]),
        (EditKind.ADDED, now[head : len(now) - tail]),
        (EditKind.KEPT, was[len(was) - tail :]),
    ]


def _shared(a: Sequence[object], b: Sequence[object]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _merged(parts: Iterable[Part]) -> Iterator[Edit]:
    """Neighbours of one kind as one; of removed and added text between two kept ones, the removed comes first."""
    kept = removed = added = ""
    for kind, text in parts:
        if kind is EditKind.REMOVED:
            removed += text
        elif kind is EditKind.ADDED:
            added += text
        elif text:
            if removed or added:
                yield from _edits(kept, removed, added)
                kept = removed = added = ""
            kept += text
    yield from _edits(kept, removed, added)


def _edits(kept: str, removed: str, added: str) -> Iterator[Edit]:
    if kept:
        yield Edit(EditKind.KEPT, kept)
    if removed:
        yield Edit(EditKind.REMOVED, removed)
    if added:
        yield Edit(EditKind.ADDED, added)


# -- the words that both texts have ----------------------------------------------------------------------------------


def common(a: Sequence[str], b: Sequence[str]) -> list[Run]:
    """The runs of words that both have, in the order of both: as many words as there can be, less a few crumbs.

    Words are compared by their hashes; should two share one, the run holds a pair of words that differ.
    """
    runs = _longest(a, b)
    return _without_crumbs(runs, len(a), len(b))


def _longest(a: Sequence[str], b: Sequence[str]) -> list[Run]:
    """The longest common subsequence, exact up to CELLS; above that, exact between anchors."""
    if len(a) * len(b) <= CELLS:
        return _exact(a, b)
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    inner = _in_pieces(a[head : len(a) - tail], b[head : len(b) - tail])
    shifted = (Run(run.old + head, run.new + head, run.size) for run in inner)
    return _joined([Run(0, 0, head), *shifted, Run(len(a) - tail, len(b) - tail, tail)])


def _exact(a: Sequence[str], b: Sequence[str]) -> list[Run]:
    if not a or not b:
        return []
    found = LCSseq.opcodes(a, b)
    return [
        Run(code.src_start, code.dest_start, code.src_end - code.src_start) for code in found if code.tag == "equal"
    ]


def _in_pieces(a: Sequence[str], b: Sequence[str]) -> list[Run]:
    """Cut at phrases that each side has exactly once, in the order of both; the words of a piece without any differ."""
    for length in (16, 8, 4, 2, 1):
        anchors = _anchors(a, b, length)
        if anchors:
            break
    else:
        return []
    runs: list[Run] = []
    at = (0, 0)
    for old, new in [*anchors, (len(a), len(b))]:
        piece_a, piece_b = a[at[0] : old], b[at[1] : new]
        inner = [] if len(piece_a) * len(piece_b) > CELLS else _exact(piece_a, piece_b)
        runs += [Run(run.old + at[0], run.new + at[1], run.size) for run in inner]
        at = old, new
    return runs


def _anchors(a: Sequence[str], b: Sequence[str], length: int) -> list[tuple[int, int]]:
    places = [_once(side, length) for side in (a, b)]
    pairs = sorted((old, places[1][phrase]) for phrase, old in places[0].items() if phrase in places[1])
    return [pairs[n] for n in longest_rising([new for _, new in pairs])]


def _once(side: Sequence[str], length: int) -> dict[tuple[str, ...], int]:
    phrases = [tuple(side[n : n + length]) for n in range(len(side) - length + 1)]
    often = Counter(phrases)
    return {phrase: n for n, phrase in enumerate(phrases) if often[phrase] == 1}


def longest_rising(values: Sequence[int]) -> list[int]:
    """The places of a longest strictly rising subsequence."""
    tops: list[int] = []  # the smallest value that ends a rising run of each length, and its place
    ends: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(tops, value)
        before.append(ends[length - 1] if length else -1)
        tops[length : length + 1] = [value]
        ends[length : length + 1] = [place]
    chain: list[int] = []
    place = ends[-1] if ends else -1
    while place >= 0:
        chain.append(place)
        place = before[place]
    return chain[::-1]


def _joined(runs: Iterable[Run]) -> list[Run]:
    joined: list[Run] = []
    for run in runs:
        last = joined[-1] if joined else None
        if last and (last.old + last.size, last.new + last.size) == (run.old, run.new):
            joined[-1] = Run(last.old, last.new, last.size + run.size)
        elif run.size:
            joined.append(run)
    return joined


def _without_crumbs(runs: list[Run], length_a: int, length_b: int) -> list[Run]:
    """Give up short runs between long changes, within SPARE: a whole changed phrase reads better than its crumbs."""
    marked = length_a + length_b - 2 * sum(run.size for run in runs)
    spare = int(SPARE * marked)
    around = _changed_around(runs, length_a, length_b)
    order = sorted(range(len(runs)), key=lambda n: (runs[n].size / around[n] if around[n] else 2.0, n))
    dropped = set[int]()
    for n in order:
        if 2 * runs[n].size <= spare and around[n] >= 4 * runs[n].size:
            spare -= 2 * runs[n].size
            dropped.add(n)
    return [run for n, run in enumerate(runs) if n not in dropped]


def _changed_around(runs: list[Run], length_a: int, length_b: int) -> list[int]:
    """For each run, the words of the smaller of the two changes beside it; none at the ends of the text."""
    ends = [Run(0, 0, 0), *runs, Run(length_a, length_b, 0)]
    changes = [next_.old - run.old - run.size + next_.new - run.new - run.size for run, next_ in pairwise(ends)]
    return [min(left, right) for left, right in pairwise(changes)]
