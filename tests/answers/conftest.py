from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings without a data folder keep what they work out in the folder one stands in."""
    monkeypatch.chdir(tmp_path)
