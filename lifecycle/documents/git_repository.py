"""Reading the history of a git repository that may be anyone's, without running anything of it.

git reads the objects through a repository of our own that borrows them, so neither hooks, configuration, attributes,
text converters nor signature programs of theirs are ever looked at. Their repository is asked for one thing only: which
commit a name stands for.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO

from lifecycle.errors import InvalidInput

CHUNK = 1 << 16
LARGEST = 20_000_000  # bytes of a text; the largest policy known has a hundredth of it
FILES = {"100644", "100755", "100664"}


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that a commit added, changed or (without a blob) took away; `was` is its path before a renaming."""

    path: str
    blob: str | None
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """`at` is the author's date; None when git holds none that a calendar knows."""

    id: str
    at: datetime | None
    changes: tuple[FileChange, ...]


def enclosing(path: Path) -> tuple[Path, str] | None:
    """The working tree or bare repository that holds this file or folder, and the path in there ('' for all of it)."""
    inner = path.resolve()
    for folder in (inner, *inner.parents):
        if is_repository(folder):
            return folder, inner.relative_to(folder).as_posix().removeprefix(".")
    return None


def is_repository(path: Path) -> bool:
    """Whether this folder is a git repository itself, with or without a working tree."""
    return (path / ".git").exists() or all((path / name).exists() for name in ("HEAD", "objects", "refs"))


class Repository:
    """A git repository, open for reading while the `with` block runs."""

    def __init__(self, path: Path, rev: str = "HEAD") -> None:
        self.path, self.rev = path, rev
        self._folder = TemporaryDirectory(prefix="assent-git-")
        self._ours = Path(self._folder.name)
        self._batch: subprocess.Popen[bytes] | None = None
        self.head = ""
        self.shallow = False

    def __enter__(self) -> Repository:
        try:
            self._borrow()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._batch is not None:
            assert self._batch.stdin is not None
            assert self._batch.stdout is not None
            self._batch.stdin.close()
            self._batch.stdout.close()
            self._batch.wait()
        self._folder.cleanup()

    def commits(self, *, first_parent: bool = False) -> Iterator[Commit]:
        """Every commit behind the revision, children before parents, with the files in which it differs.

        A merge has those in which it differs from all its parents; with `first_parent` only the branch itself is
        followed, and a merge has what it brought there.
        """
        merges = ["--first-parent", "-m"] if first_parent else ["-c"]
        words = [
            "log",
            "--topo-order",
            "--raw",
            "-z",
            "--no-abbrev",
            "-M",
            "-l0",
            "--format=%x01%H%x00%at%x00",
            *merges,
        ]
        with subprocess.Popen(
            [*self._git(), *words, self.head, "--"],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as log:
            assert log.stdout is not None
            assert log.stderr is not None
            yield from _commits(log.stdout)
            fault = log.stderr.read().decode(errors="replace").strip()
        if log.returncode:
            raise InvalidInput(f"git cannot read the history of {str(self.path)!r}: {fault or log.returncode}")

    def read(self, blob: str) -> bytes:
        """The content of a file. Raises InvalidInput when the repository does not hold it, or it is too large."""
        if self._batch is None:
            words = [*self._git(), "cat-file", "--batch"]
            self._batch = subprocess.Popen(
                words, env=self._environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        assert self._batch.stdin is not None
        assert self._batch.stdout is not None
        self._batch.stdin.write(blob.encode() + b"\n")
        self._batch.stdin.flush()
        answer = self._batch.stdout.readline().decode().split()
        if len(answer) != 3 or answer[1] != "blob":
            raise InvalidInput(f"the repository does not hold the file {blob[:12]} (an incomplete clone?)")
        size = int(answer[2])
        content = _take(self._batch.stdout, size, keep=size <= LARGEST)
        self._batch.stdout.read(1)
        if size > LARGEST:
            raise InvalidInput(f"the file has {size} bytes, which is no text of terms; at most {LARGEST} are taken")
        return content

    def _borrow(self) -> None:
        """Make our own repository over their objects."""
        (self._ours / "config").write_text("[safe]\n\tdirectory = *\n")
        self.head = self._theirs("rev-parse", "--verify", "--end-of-options", f"{self.rev}^{{commit}}")
        objects = self._theirs("rev-parse", "--path-format=absolute", "--git-path", "objects")
        shallow = Path(self._theirs("rev-parse", "--path-format=absolute", "--git-path", "shallow"))
        kind = self._theirs("rev-parse", "--show-object-format")
        made = self._ours / "repository"
        self._run(["git", "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(made)], "init")
        (made / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (made / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
        if shallow.is_file():
            (made / "shallow").write_bytes(shallow.read_bytes())
            self.shallow = True

    def _theirs(self, *words: str) -> str:
        return self._run(["git", "-C", str(self.path), "-c", "core.fsmonitor=false", *words], words[0])

    def _git(self) -> list[str]:
        return ["git", "--git-dir", str(self._ours / "repository"), "--no-pager", "--no-replace-objects"]

    def _run(self, words: list[str], what: str) -> str:
        try:
            done = subprocess.run(words, env=self._environment(), capture_output=True, check=False)
        except FileNotFoundError:
            raise InvalidInput("git is needed to import a repository and was not found; install it.") from None
        if done.returncode:
            fault = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
            if what == "rev-parse":
                fault = f"there is no revision {self.rev!r}, or it is no repository ({fault})"
            raise InvalidInput(f"git cannot read {str(self.path)!r}: {fault}.")
        return os.fsdecode(done.stdout).removesuffix("\n")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return kept | {
            "GIT_CONFIG_GLOBAL": str(self._ours / "config"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            # A partial clone names where to fetch what it lacks, and with which program; nothing is fetched.
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            "LC_ALL": "C",
        }


def _take(stream: IO[bytes], size: int, *, keep: bool) -> bytes:
    if keep:
        return stream.read(size)
    while size > 0:
        size -= len(stream.read(min(size, CHUNK)))
    return b""


def _fields(stream: IO[bytes]) -> Iterator[str]:
    """What stands between the NULs."""
    rest = b""
    while chunk := stream.read(CHUNK):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from (os.fsdecode(field) for field in whole)


_HEADER = re.compile(r"\n?\x01([0-9a-f]{40,64})\Z")
_META = re.compile(r"\n?(:+)((?:\d{6} )+)((?:[0-9a-f]{40,64} )+)([A-Z]+)\d*\Z")


def _commits(stream: IO[bytes]) -> Iterator[Commit]:
    fields = _fields(stream)
    id_, at, changes = "", None, list[FileChange]()
    for field in fields:
        if header := _HEADER.match(field):
            if id_:
                yield Commit(id_, at, tuple(changes))
            id_, at, changes = header[1], _instant(next(fields)), []
        elif meta := _META.match(field):
            change = _change(meta, fields)
            changes += [change] if change else []
    if id_:
        yield Commit(id_, at, tuple(changes))


def _change(meta: re.Match[str], fields: Iterator[str]) -> FileChange | None:
    """The change that a raw line begins; None for what is no plain file before and after."""
    mode, blob, letter = meta[2].split()[-1], meta[3].split()[-1], meta[4][-1]
    path = next(fields)
    # A merge names the result alone, whatever the letters of its sides.
    was = path if letter in "RC" and len(meta[1]) == 1 else None
    path = next(fields) if was is not None else path
    if mode in FILES:
        return FileChange(path, blob, was if letter == "R" else None)
    return FileChange(path, None)


def _instant(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def short(commit: str) -> str:
    """A commit as people write it."""
    return commit[:10]
