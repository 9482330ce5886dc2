"""How fast two versions are compared, next to the `redlines` package, and how many words are marked, next to difflib.

Repeat with (redlines is no dependency of Assent; `.venv/bin/pip install redlines` brings it):

    .venv/bin/python benchmarks/compare.py FOLDER [--pairs 20]

FOLDER holds documents as folders of dated Markdown files. The largest pairs of neighbours are compared, each by both in
turn, medians of three, processor time. Versions in the database know their sections, so that is what is timed first;
beside it stands the time with finding them in two texts not seen before (what the first shares with the second is read
once, as always; nothing is remembered from one measurement to the next). The words marked are counted against an exact
word-level `difflib` on the same sections.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from statistics import median

from lifecycle.documents.compare import Change, apply, compare
from lifecycle.documents.headings import in_piece, numbered
from lifecycle.documents.sections import slug, split
from lifecycle.documents.words import words

try:
    from redlines import Redlines
except ImportError:
    Redlines = None


def largest_pairs(folder: Path, count: int) -> list[tuple[Path, Path]]:
    files = sorted(folder.rglob("[12][0-9]*.md"))
    pairs = [pair for pair in pairwise(files) if pair[0].parent == pair[1].parent]
    return sorted(pairs, key=lambda pair: -sum(file.stat().st_size for file in pair))[:count]


def seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        gc.collect()
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return median(taken)


def exact(change: Change) -> int:
    """The words that difflib, exact, would mark in a section both sides have."""
    a, b = words(change.was), words(change.now)
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return len(a) + len(b) - 2 * sum(block.size for block in blocks)


def compare_unseen(old: str, new: str) -> list[Change]:
    for remembered in (in_piece, numbered, slug):
        remembered.cache_clear()
    return compare(old, new, sections=(split(old), split(new)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    ours = whole = theirs = 0.0
    marked = fewest = 0
    for before, after in largest_pairs(options.folder, options.pairs):
        old, new = before.read_bytes().decode(), after.read_bytes().decode()
        sections = split(old), split(new)
        changes = compare(old, new, sections=sections)
        assert apply(old, changes) == new, after
        both = [change for change in changes if change.old and change.new and change.was != change.now]
        marked += sum(change.words_added + change.words_removed for change in both)
        fewest += sum(map(exact, both))
        ours += seconds(lambda old=old, new=new, sections=sections: compare(old, new, sections=sections))
        whole += seconds(lambda old=old, new=new: compare_unseen(old, new))
        if Redlines is not None:
            theirs += seconds(lambda old=old, new=new: Redlines(old, new).output_markdown)
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f}")
    print(f"{options.pairs} pairs: {ours:.3f} s; with finding the sections {whole:.3f} s")
    print(f"words marked: {marked}, by exact difflib {fewest}: {marked / fewest:.3f} times")
    if Redlines is None:
        print("redlines is not installed; see above")
    else:
        print(f"redlines: {theirs:.3f} s, {theirs / ours:.1f} times ours, {theirs / whole:.1f} times with the sections")


if __name__ == "__main__":
    main()
