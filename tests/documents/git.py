"""A git repository made of commits that a test spells out."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
FIRST = 1_500_000_000  # 2017-07-14T02:40:00Z
HOUR = 3600


class Git:
    """A repository with a working tree; each commit is an hour after the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits = 0
        path.mkdir(parents=True, exist_ok=True)
        self("init", "--quiet", "--initial-branch=main")

    def __call__(self, *words: str, at: int = FIRST) -> str:
        when = {"GIT_AUTHOR_DATE": f"@{at} +0000", "GIT_COMMITTER_DATE": f"@{at} +0000"}
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=os.environ | ENVIRONMENT | when, capture_output=True, check=True
        )
        return done.stdout.decode()

    def commit(self, files: Mapping[str, str | bytes | None], *, at: int | None = None) -> str:
        """Write or (with None) delete files, commit, and say the commit's id."""
        for name, content in files.items():
            file = self.path / name
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.record(at=at)

    def record(self, *, at: int | None = None) -> str:
        self.commits += 1
        self("add", "--all")
        self("commit", "--quiet", "--allow-empty", "-m", "a change", at=at or FIRST + self.commits * HOUR)
        return self("rev-parse", "HEAD").strip()
