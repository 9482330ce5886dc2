"""How fast the history of a git repository comes in, next to reading it with one `git show` a commit.

Repeat with:

    .venv/bin/python benchmarks/git_import.py [--commits 1000] [--words 800]

A repository of so many commits of one policy is made, each changing a word of it, and imported into an empty SQLite
database twice: the second time has to add nothing. The peer reads the same texts the way a script would, a process for
each, and stores nothing. Both are timed in this run, wall clock and processor time.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lifecycle.db import Database
from lifecycle.documents.git_importing import import_history
from lifecycle.documents.git_planning import Wanted

SECTIONS = 12


def make(path: Path, commits: int, words: int) -> None:
    """A bare repository, written by `git fast-import`."""
    dice, vocabulary = random.Random(1), [f"word{n}" for n in range(500)]
    paragraphs = [dice.choices(vocabulary, k=words // SECTIONS) for _ in range(SECTIONS)]
    stream = bytearray()
    for n in range(commits):
        paragraph = dice.choice(paragraphs)
        paragraph[dice.randrange(len(paragraph))] = f"changed{n}"
        text = "".join(
            f"## {m}. Section {m}\n\n{' '.join(words)}.\n\n" for m, words in enumerate(paragraphs, 1)
        ).encode()
        who = f"Ada <ada@example.com> {1_500_000_000 + 3600 * n} +0000"
        stream += f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata 1\nx\n".encode()
        stream += b"M 100644 inline terms.md\ndata %d\n%s\n" % (len(text), text)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=bytes(stream), check=True)


def show_each(path: Path) -> int:
    ids = subprocess.run(["git", "-C", str(path), "rev-list", "main"], capture_output=True, check=True).stdout.split()
    for id_ in ids:
        subprocess.run(["git", "-C", str(path), "show", f"{id_.decode()}:terms.md"], capture_output=True, check=True)
    return len(ids)


def timed(work: Callable[[], int]) -> tuple[int, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--words", type=int, default=800)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "texts.git"
        make(path, options.commits, options.words)
        database = Database(f"sqlite:///{folder}/assent.sqlite3")
        database.upgrade()

        def bring() -> int:
            report = import_history(database, path, Wanted("en"), now=datetime.now(UTC))
            assert not report.problems, report.problems
            return len(report.added)

        print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f}")
        for name, work in (
            ("first import", bring),
            ("second import", bring),
            ("git show each", lambda: show_each(path)),
        ):
            done, wall, processor = timed(work)
            rate = f"{done / wall:7.0f}/s" if done else "nothing"
            print(f"{name:14} {done:5} in {wall:6.2f} s ({processor:5.2f} s of our processor time): {rate}")
        database.close()


if __name__ == "__main__":
    main()
