"""What was worked out of a text is read back as it was written, or worked out again."""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecycle.answers import kept, sources
from tests.answers.texts import SAMPLES, SLUGS

BODY = (SAMPLES / "privacy-policy" / "2.en.md").read_text("utf-8")
ASKED = "how long do you keep my prompts?"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_text_read_back_is_what_was_worked_out(tmp_path: Path, slug: str, locale: str):
    body = (SAMPLES / slug / f"2.{locale}.md").read_text("utf-8")
    made = sources.read(body, locale=locale, kept_in=tmp_path)
    loaded = kept.load(kept.place(tmp_path, body, locale), body)
    assert loaded is not None
    assert (list(loaded[0]), tuple(loaded[1])) == (list(made.sections), made.index.passages)
    again = sources.read(body, locale=locale, kept_in=tmp_path)
    assert again.index.search(ASKED, k=50) == made.index.search(ASKED, k=50) != []
    assert len(files(tmp_path)) == 1


def test_what_is_kept_is_what_is_read(tmp_path: Path):
    sources.read(BODY, locale="en", kept_in=tmp_path)
    path = kept.place(tmp_path, BODY, "en")
    pieces, found, words = kept.load(path, BODY) or pytest.fail("nothing was kept")
    kept.save(path, (pieces, found[:1], words))
    assert len(sources.read(BODY, locale="en", kept_in=tmp_path).index.passages) == 1
    assert gc.isenabled()  # paused while it is read, and for no longer


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_what_is_cut_short_or_changed_is_worked_out_again(tmp_path: Path, data: st.DataObject):
    sources.read(BODY, locale="en", kept_in=tmp_path)
    path = kept.place(tmp_path, BODY, "en")
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:at] + data.draw(st.sampled_from([b"", bytes([whole[at] ^ 1]) + whole[at + 1 :]])))
    assert kept.load(path, BODY) is None
    assert len(sources.read(BODY, locale="en", kept_in=tmp_path).index.passages) > 1
    assert path.read_bytes() == whole


def test_another_release_language_or_text_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    places = {kept.place(tmp_path, body, locale) for body in (BODY, BODY + " ") for locale in ("en", "de")}
    monkeypatch.setattr(kept, "_release", lambda: "another")
    assert len(places | {kept.place(tmp_path, BODY, "en")}) == 5


def test_a_release_is_told_by_all_that_a_text_is_read_with():
    """Else a file kept before a change of the code would be read after it."""
    read = "import sys, lifecycle.answers.counting, lifecycle.answers.passages; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", read], check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.count(".") == 2 and name.startswith("lifecycle.")}
    assert ours == {module.__name__ for module in kept.MODULES}
    distributions = packages_distributions()
    foreign = {name.lower() for module in loaded for name in distributions.get(module, ())}
    assert foreign - {"assent", "setuptools"} == {*kept.LIBRARIES}  # setuptools hooks into every start


def test_a_folder_that_cannot_be_written_only_costs_the_time(tmp_path: Path):
    (tmp_path / "answers").write_text("a file, no folder")
    assert sources.read(BODY, locale="en", kept_in=tmp_path / "answers").index.search(ASKED)
